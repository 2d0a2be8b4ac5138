//! What the members of a mesh interface should be, and what stands against an interface being one.

use mesh_proto::model::IfName;

use super::claim::{Claims, Nothing};
use super::{Missing, Problem, Resolver};
use crate::actuate::radio;
use crate::actuate::{HardSetting, InterfaceFact, Knob, RadioUse, Setting, Value};
use crate::config::{Algorithm, Member, Select};

/// What 1500 bytes of a client become with batman-adv's header.
const FULL_MTU: u32 = 1_532;

pub(super) fn resolve<'a>(resolver: &mut Resolver<'a>, claims: &Claims<'a>, algorithm: &str) {
    let name = resolver.name;
    for nothing in claims.nothing.get(name).into_iter().flatten() {
        match nothing {
            Nothing::Absent(select) => resolver.resolved.missing.push(Missing::Member((*select).clone())),
            Nothing::Unfit(interface) => resolver.problem(Problem::CannotBeMember((*interface).clone())),
            Nothing::Twice(interface) => resolver.problem(Problem::SaidTwice((*interface).clone())),
            Nothing::Several(mac, interfaces) => resolver.problem(Problem::Ambiguous {
                mac: *mac,
                interfaces: interfaces.iter().map(|name| (*name).clone()).collect(),
            }),
        }
    }
    for (interface, claimants) in &claims.interfaces {
        match claimants.as_slice() {
            [claim] if claim.mesh == name => resolver.member(interface, claim.member, claims, algorithm),
            several if several.iter().any(|claim| claim.mesh == name) => {
                for other in several.iter().filter(|claim| claim.mesh != name) {
                    resolver.problem(Problem::ClaimedTwice {
                        interface: (*interface).clone(),
                        other: other.mesh.clone(),
                    });
                }
            }
            _ => {}
        }
    }
    if resolver.mesh.member.is_some() {
        let members = resolver.observed.state.members(name);
        for member in members.filter(|member| !claims.is_meant(member)) {
            match claims.lost(name) {
                // Its address may have been changed; to throw it out could cut the node off.
                Some(mac) => resolver.warn(format!(
                    "{member} stays a member of {name} though no table means it: it may be the one with mac {mac}, \
                     which no interface has; name it, or take that table out"
                )),
                None => resolver.release(member),
            }
        }
    }
}

impl Resolver<'_> {
    fn member(&mut self, interface: &IfName, member: &Member, claims: &Claims<'_>, algorithm: &str) {
        let Some(fact) = self.observed.facts.interfaces.get(interface) else {
            return;
        };
        let by_pattern = matches!(member.select, Select::Pattern(_));
        let already = fact.master.as_ref() == Some(self.name);
        let kept = |master: &&IfName| by_pattern && !already && claims.lost(master).is_some();
        if let Some(master) = fact.master.as_ref().filter(kept) {
            let (interface, master) = (interface.clone(), master.clone());
            return self.object(by_pattern, Problem::OtherMaster { interface, master });
        }
        if let Some(problem) = self.stands_against(interface, fact) {
            return self.object(by_pattern, problem);
        }
        let taken = |by| Problem::RadioTaken {
            interface: interface.clone(),
            by,
        };
        let radio = match (&member.radio, &fact.radio) {
            (Some(_), None) => return self.object(by_pattern, Problem::NoRadio(interface.clone())),
            (Some(wish), Some(used)) => match radio::refusal(used, wish) {
                Some(by) => {
                    self.object(by_pattern, taken(by));
                    if !(by_pattern && already) {
                        return;
                    }
                    None
                }
                None => Some(wish.clone()),
            },
            (None, Some(RadioUse::Taken(by))) if by_pattern && !already => {
                return self.object(by_pattern, taken(by.clone()));
            }
            (None, Some(RadioUse::Taken(by))) => {
                self.warn(format!(
                    "the radio of {interface} is used by {by}; nothing is done to it"
                ));
                None
            }
            (None, _) => None,
        };
        let wishes = [
            (Setting::Master, Some(Value::Interface(self.name.clone()))),
            (Setting::Up, Some(Value::Flag(member.up.unwrap_or(true)))),
            (Setting::Mtu, member.mtu.map(Value::Number)),
            (Setting::Address, member.set_mac.map(Value::Address)),
            (Setting::Radio, radio.map(Value::Radio)),
        ];
        for (setting, value) in wishes {
            if let Some(value) = value {
                self.goal(Knob::interface(interface, setting), value);
            }
        }
        self.hard_settings(interface, member, algorithm);
        self.check_mtu(interface, member);
    }

    /// Whose it is already.
    fn stands_against(&self, interface: &IfName, fact: &InterfaceFact) -> Option<Problem> {
        if fact.master.as_ref() == Some(self.name) {
            return None;
        }
        if let Some(master) = fact.master.as_ref().filter(|master| !self.releases(master)) {
            return Some(Problem::OtherMaster {
                interface: interface.clone(),
                master: master.clone(),
            });
        }
        let owner = fact.owner.as_ref().filter(|_| self.resolved.owner.is_none())?;
        Some(Problem::Owned {
            interface: interface.clone(),
            manager: owner.manager,
            file: owner.file.display().to_string(),
        })
    }

    /// A mesh interface of this configuration whose members are listed, without the one in question: that one is ours to move.
    fn releases(&self, master: &IfName) -> bool {
        let listed = self.meshes.get(master).is_some_and(|mesh| mesh.member.is_some());
        let fact = self.observed.facts.interfaces.get(master);
        listed && fact.is_none_or(|fact| fact.owner.is_none()) && self.observed.facts.meshes.contains_key(master)
    }

    fn object(&mut self, by_pattern: bool, problem: Problem) {
        if by_pattern {
            self.warn(problem.to_string());
        } else {
            self.problem(problem);
        }
    }

    /// A kernel tells all it knows of a member. Of one that is none yet, other members show what it knows; where there
    /// are none, reading back will.
    fn hard_settings(&mut self, interface: &IfName, member: &Member, algorithm: &str) {
        let state = &self.observed.state;
        let members: Vec<&IfName> = match state.master(interface) {
            Some(_) => vec![interface],
            None => self
                .observed
                .facts
                .meshes
                .keys()
                .flat_map(|mesh| state.members(mesh))
                .collect(),
        };
        for (setting, value) in member.settings() {
            let knob = |name| Knob::interface(name, Setting::Hard(setting));
            let known = members.is_empty() || members.iter().any(|name| state.get(&knob(name)).is_some());
            // Kernels keep these two with any algorithm and only BATMAN_V reads them.
            if algorithm == Algorithm::BatmanIv.name() && setting != HardSetting::HopPenalty {
                self.warn(format!("{} means nothing with BATMAN_IV", knob(interface)));
            }
            self.goal_if(known, knob(interface), value);
        }
    }

    fn check_mtu(&mut self, interface: &IfName, member: &Member) {
        let now = self.observed.state.get(&Knob::interface(interface, Setting::Mtu));
        let mtu = match (member.mtu, now) {
            (Some(wanted), _) => wanted,
            (None, Some(Value::Number(now))) => *now,
            _ => return,
        };
        if mtu < FULL_MTU {
            self.warn(format!(
                "the MTU of {interface} is {mtu}, below {FULL_MTU}: full packets of clients go over it in two fragments, or not at all"
            ));
        }
    }

    fn release(&mut self, member: &IfName) {
        let fact = self.observed.facts.interfaces.get(member);
        let owner = fact.and_then(|fact| fact.owner.as_ref());
        match owner.filter(|_| self.resolved.owner.is_none()) {
            Some(owner) => self.warn(format!(
                "{member} is a member of {} by {} ({}) and no member here: take it out there",
                self.name,
                owner.manager,
                owner.file.display()
            )),
            None => {
                let knob = Knob::interface(member, Setting::Master);
                self.resolved.goal.knobs.insert(knob, None);
            }
        }
    }
}
