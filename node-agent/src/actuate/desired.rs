//! From a configuration and what there is to what should be: one [`Resolved`] for each mesh interface of the configuration.
//!
//! Pure. It decides which interface is meant, and says what stands against the wish. It does not compare: that is the
//! plan's work.
//!
//! Invariants: an interface is in the goal of at most one mesh interface; nothing is taken from a master that is not
//! released here, nor from a radio's or an interface's other user; a mesh interface's problem is in no other's result.

use std::collections::BTreeMap;
use std::fmt;

use mesh_proto::model::{IfName, MacAddr};

use super::{Goal, Knob, MeshSetting, Observed, Owner, Setting, Value};
use crate::config::{Algorithm, Mesh, Select, Vid, Vlan};

mod claim;
mod member;

use claim::Claims;

/// What one mesh interface should be.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Resolved {
    /// What should be, as far as it can be said.
    pub goal: Goal,
    /// Why the wish cannot be fulfilled on this machine. With one, nothing of this mesh interface is applied.
    pub problems: Vec<Problem>,
    /// What is named and not there: a difference that nothing can be done about now.
    pub missing: Vec<Missing>,
    /// What works, and less well than meant.
    pub warnings: Vec<String>,
    /// The network manager whose interface this is: the agent only reports.
    pub owner: Option<Owner>,
}

/// Why a wish cannot be fulfilled. The message says what to do.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Problem {
    /// The interface of that name is something else.
    #[error("{0} is there and is no mesh interface: name another, or remove it")]
    NoMesh(IfName),
    /// It is there, and what it is like is not known: nothing is changed for a guess.
    #[error("{mesh} could not be read: {reason}; nothing is done to it until it can")]
    Unread {
        /// Which one.
        mesh: IfName,
        /// In the kernel's words.
        reason: String,
    },
    /// Not compiled in, or from another release.
    #[error("this kernel's batman-adv has no {knob}: take it out of the configuration")]
    Lacking {
        /// What it lacks.
        knob: Knob,
    },
    /// Not compiled in.
    #[error("this kernel's batman-adv has no {wanted}, only {}: take another algorithm", .known.join(", "))]
    NoAlgorithm {
        /// By its name.
        wanted: &'static str,
        /// Those it has.
        known: Vec<String>,
    },
    /// A bridge, a mesh interface, …
    #[error("{0} cannot carry a mesh: the loopback, bridges and mesh interfaces cannot be members; name another")]
    CannotBeMember(IfName),
    /// Left to its master.
    #[error("{interface} is a member of {master} and is left to it: take it out there first, or here")]
    OtherMaster {
        /// Which one.
        interface: IfName,
        /// Its master.
        master: IfName,
    },
    /// Left to both, which is to none.
    #[error("{interface} is claimed by {other} too: let only one of the two name it")]
    ClaimedTwice {
        /// Which one.
        interface: IfName,
        /// The other mesh interface.
        other: IfName,
    },
    /// By name and by address, or twice by one of them.
    #[error("{0} is said by two member tables: leave one of them")]
    SaidTwice(IfName),
    /// Several interfaces have the address.
    #[error("several interfaces have the address {mac}, {}: say the member by name", join(.interfaces))]
    Ambiguous {
        /// The address.
        mac: MacAddr,
        /// Who has it.
        interfaces: Vec<IfName>,
    },
    /// Left to its user.
    #[error("the radio of {interface} is used by {by} and is left to it: end that first, or take `radio` out here")]
    RadioTaken {
        /// Which one.
        interface: IfName,
        /// In words.
        by: String,
    },
    /// `radio` for what is none.
    #[error("{0} is no wireless interface, or the kernel cannot be asked (nl80211): take `radio` out")]
    NoRadio(IfName),
    /// Left to its manager.
    #[error("{interface} is managed by {manager} ({file}) and is left to it: take it out there first, or here")]
    Owned {
        /// Which one.
        interface: IfName,
        /// Whose.
        manager: &'static str,
        /// Where it is written.
        file: String,
    },
}

/// What is named and not there.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Missing {
    /// An interface named by name or address; it joins when it appears.
    Member(Select),
    /// A VLAN on the mesh interface; it is set when something is on it.
    Vlan(IfName, Vid),
}

impl fmt::Display for Missing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Member(select) => write!(f, "no interface with {select}: it joins when it appears"),
            Self::Vlan(mesh, vid) => write!(f, "no VLAN {vid} on {mesh}: it is set when it appears"),
        }
    }
}

/// What each mesh interface of a configuration should be on this machine.
///
/// Names and addresses come before patterns, among the tables of one mesh interface and between them. A pattern is what
/// a name is not: where something stands against it, it leaves the interface alone with a warning, and that is no problem.
pub fn resolve(meshes: &BTreeMap<IfName, Mesh>, observed: &Observed) -> BTreeMap<IfName, Resolved> {
    let claims = Claims::new(meshes, observed);
    meshes
        .iter()
        .map(|(name, mesh)| {
            (
                name.clone(),
                Resolver::new(name, mesh, meshes, observed).resolve(&claims),
            )
        })
        .collect()
}

/// One mesh interface on its way to its result.
struct Resolver<'a> {
    name: &'a IfName,
    mesh: &'a Mesh,
    meshes: &'a BTreeMap<IfName, Mesh>,
    observed: &'a Observed,
    resolved: Resolved,
}

impl<'a> Resolver<'a> {
    fn new(name: &'a IfName, mesh: &'a Mesh, meshes: &'a BTreeMap<IfName, Mesh>, observed: &'a Observed) -> Self {
        let fact = observed.facts.interfaces.get(name);
        Self {
            name,
            mesh,
            meshes,
            observed,
            resolved: Resolved {
                // What its manager has not made yet, or makes again in a moment, is its own already.
                owner: match fact {
                    Some(fact) => fact.owner.clone(),
                    None => observed.facts.claimed.get(name).cloned(),
                },
                ..Resolved::default()
            },
        }
    }

    fn resolve(mut self, claims: &Claims<'a>) -> Resolved {
        if !self.mesh.is_wish() {
            return self.resolved;
        }
        let facts = &self.observed.facts;
        // It has no knobs, and is not absent for that.
        if let Some(reason) = facts.unread.get(self.name) {
            self.problem(Problem::Unread {
                mesh: self.name.clone(),
                reason: reason.clone(),
            });
            return self.resolved;
        }
        if self.algorithm_now().is_none() && facts.interfaces.contains_key(self.name) {
            self.problem(Problem::NoMesh(self.name.clone()));
            return self.resolved;
        }
        let algorithm = self.algorithm();
        self.interface();
        for (setting, value) in self.mesh.settings() {
            self.mesh_setting(setting, value);
        }
        if algorithm == Algorithm::BatmanV.name() && self.mesh.network_coding == Some(true) {
            self.warn(format!("{}.network_coding means nothing with BATMAN_V", self.name));
        }
        for (vid, vlan) in &self.mesh.vlan {
            self.vlan(*vid, vlan);
        }
        member::resolve(&mut self, claims, &algorithm);
        self.resolved
    }

    fn algorithm_now(&self) -> Option<&'a Value> {
        self.observed.state.get(&Knob::mesh(self.name, Setting::Algorithm))
    }

    /// That the interface exists; the algorithm is the wished one, or the present one, or the kernel's own default.
    fn algorithm(&mut self) -> String {
        let wanted = match (self.mesh.algorithm, self.algorithm_now()) {
            (None, Some(Value::Algorithm(now))) => now.clone(),
            (wanted, _) => {
                let wanted = wanted.unwrap_or(Algorithm::BatmanIv).name();
                match &self.observed.facts.algorithms {
                    Some(known) if !known.contains(wanted) => {
                        let known = known.iter().cloned().collect();
                        self.problem(Problem::NoAlgorithm { wanted, known });
                    }
                    _ => {}
                }
                wanted.to_owned()
            }
        };
        let knob = Knob::mesh(self.name, Setting::Algorithm);
        self.goal(knob, Value::Algorithm(wanted.clone()));
        wanted
    }

    fn interface(&mut self) {
        let knob = |setting| Knob::mesh(self.name, setting);
        let wishes = [
            (knob(Setting::Mtu), self.mesh.mtu.map(Value::Number)),
            (knob(Setting::Address), self.mesh.mac.map(Value::Address)),
            (knob(Setting::Up), Some(Value::Flag(self.mesh.up.unwrap_or(true)))),
        ];
        for (knob, value) in wishes {
            if let Some(value) = value {
                self.goal(knob, value);
            }
        }
    }

    /// A kernel tells all it knows of a mesh interface. Where this one is not made yet, another one shows what it knows;
    /// where there is none, reading back will.
    fn mesh_setting(&mut self, setting: MeshSetting, value: Value) {
        let setting = Setting::Mesh(setting);
        let state = &self.observed.state;
        let knows = |mesh| state.get(&Knob::mesh(mesh, setting)).is_some();
        let known = if self.algorithm_now().is_some() {
            knows(self.name)
        } else {
            let meshes = &self.observed.facts.meshes;
            meshes.is_empty() || meshes.keys().any(knows)
        };
        self.goal_if(known, Knob::mesh(self.name, setting), value);
    }

    fn vlan(&mut self, vid: Vid, vlan: &Vlan) {
        let Some(isolation) = vlan.ap_isolation else {
            return;
        };
        let knob = Knob::vlan(self.name, vid.get());
        let there = self.observed.facts.meshes.get(self.name);
        if there.is_some_and(|mesh| mesh.vlans.contains(&vid.get())) {
            let known = self.observed.state.get(&knob).is_some();
            self.goal_if(known, knob, Value::Flag(isolation));
        } else {
            self.resolved.missing.push(Missing::Vlan(self.name.clone(), vid));
        }
    }

    fn goal(&mut self, knob: Knob, value: Value) {
        self.resolved.goal.knobs.insert(knob, Some(value));
    }

    fn goal_if(&mut self, known: bool, knob: Knob, value: Value) {
        if known {
            self.goal(knob, value);
        } else {
            self.problem(Problem::Lacking { knob });
        }
    }

    fn problem(&mut self, problem: Problem) {
        self.resolved.problems.push(problem);
    }

    fn warn(&mut self, warning: String) {
        self.resolved.warnings.push(warning);
    }
}

fn join(names: &[IfName]) -> String {
    names.iter().map(IfName::as_str).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests;
