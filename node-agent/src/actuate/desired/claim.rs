//! Which interface is meant by which member table.
//!
//! | a table with | means |
//! | --- | --- |
//! | `name` | the interface of that name |
//! | `mac` | the interface with that address now or when it was made, or else with the one it gets by `set_mac`; physical ones before virtual ones, since a VLAN or a bridge has the address of what is below it |
//! | `pattern` | every interface whose name it matches, but no bridge, bond, team, VRF or intermediate device, and nothing on top of a mesh interface by its name (`bat0.10`) |

use std::collections::{BTreeMap, BTreeSet};

use mesh_proto::model::{IfName, MacAddr};

use crate::actuate::{InterfaceFact, Knob, Observed, Setting};
use crate::config::{Member, Mesh, Pattern, Select};

/// All that the tables mean.
#[derive(Debug, Default)]
pub(super) struct Claims<'a> {
    /// By interface. More than one claim: several mesh interfaces say it with the same right, so none has it.
    pub(super) interfaces: BTreeMap<&'a IfName, Vec<Claim<'a>>>,
    /// Tables that mean no interface, by mesh interface.
    pub(super) nothing: BTreeMap<&'a IfName, Vec<Nothing<'a>>>,
    /// Interfaces of [`Nothing::Several`]: they may be meant, so nobody releases them.
    pub(super) unclear: BTreeSet<&'a IfName>,
}

/// A table's claim of an interface.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Claim<'a> {
    pub(super) mesh: &'a IfName,
    pub(super) member: &'a Member,
}

/// A table with a name or an address that means no interface.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Nothing<'a> {
    /// There is none.
    Absent(&'a Select),
    /// It cannot be a member.
    Unfit(&'a IfName),
    /// Another table with a name or an address means it.
    Twice(&'a IfName),
    /// It might be each of them.
    Several(MacAddr, Vec<&'a IfName>),
}

impl<'a> Claims<'a> {
    pub(super) fn new(meshes: &'a BTreeMap<IfName, Mesh>, observed: &'a Observed) -> Self {
        let mut claims = Self::default();
        for (mesh, wish) in meshes {
            // Names, then addresses, then patterns; of equals the first.
            let mut members: Vec<&Member> = wish.member.iter().flatten().collect();
            members.sort_by_key(|member| kind(&member.select));
            for member in members {
                claims.add(Claim { mesh, member }, observed);
            }
        }
        claims
    }

    /// An address of this mesh interface's tables that no interface has: one of its members may have had it, and the
    /// kernel does not tell.
    pub(super) fn lost(&self, mesh: &IfName) -> Option<MacAddr> {
        let mut nothing = self.nothing.get(mesh).into_iter().flatten();
        nothing.find_map(|nothing| match nothing {
            Nothing::Absent(Select::Mac(mac)) => Some(*mac),
            _ => None,
        })
    }

    /// Whether some table means it, or may mean it.
    pub(super) fn is_meant(&self, interface: &IfName) -> bool {
        self.interfaces.contains_key(interface) || self.unclear.contains(interface)
    }

    fn add(&mut self, claim: Claim<'a>, observed: &'a Observed) {
        let interfaces = &observed.facts.interfaces;
        let nothing = match &claim.member.select {
            Select::Name(name) => match interfaces.get_key_value(name) {
                None => Nothing::Absent(&claim.member.select),
                Some((name, _)) if !can_carry(name, observed) => Nothing::Unfit(name),
                Some((name, _)) => return self.claim(name, claim),
            },
            Select::Mac(mac) => match with_address(*mac, claim.member.set_mac, observed).as_slice() {
                [] => Nothing::Absent(&claim.member.select),
                [name] => return self.claim(name, claim),
                several => {
                    self.unclear.extend(several);
                    Nothing::Several(*mac, several.to_vec())
                }
            },
            Select::Pattern(pattern) => {
                let matching = interfaces
                    .iter()
                    .filter(|(name, fact)| takes(pattern, name, fact, observed));
                for (name, _) in matching {
                    self.claim(name, claim);
                }
                return;
            }
        };
        self.nothing.entry(claim.mesh).or_default().push(nothing);
    }

    fn claim(&mut self, interface: &'a IfName, claim: Claim<'a>) {
        let claims = self.interfaces.entry(interface).or_default();
        let is_pattern = |claim: &Claim<'_>| matches!(claim.member.select, Select::Pattern(_));
        // Tables of one mesh come in their order: the first one counts.
        if claims.iter().any(|other| other.mesh == claim.mesh) {
            if !is_pattern(&claim) {
                self.nothing
                    .entry(claim.mesh)
                    .or_default()
                    .push(Nothing::Twice(interface));
            }
            return;
        }
        match (claims.first().map(is_pattern), is_pattern(&claim)) {
            // A pattern does not stand against a name.
            (Some(false), true) => {}
            (Some(true), false) => *claims = vec![claim],
            _ => claims.push(claim),
        }
    }
}

fn kind(select: &Select) -> u8 {
    match select {
        Select::Name(_) => 0,
        Select::Mac(_) => 1,
        Select::Pattern(_) => 2,
    }
}

/// Whether it may be a hard interface at all: the others have no knobs.
fn can_carry(name: &IfName, observed: &Observed) -> bool {
    observed.state.get(&Knob::interface(name, Setting::Up)).is_some()
}

fn with_address(mac: MacAddr, set_mac: Option<MacAddr>, observed: &Observed) -> Vec<&IfName> {
    let has_it = |fact: &InterfaceFact| fact.address == Some(mac) || fact.permanent == Some(mac);
    let got_it = |fact: &InterfaceFact| set_mac.is_some() && fact.address == set_mac;
    let of = |physical: bool, has: &dyn Fn(&InterfaceFact) -> bool| -> Vec<&IfName> {
        let all = observed.facts.interfaces.iter();
        let those =
            all.filter(|(name, fact)| has(fact) && (!physical || fact.kind.is_none()) && can_carry(name, observed));
        those.map(|(name, _)| name).collect()
    };
    let ways = [true, false].map(|physical| [of(physical, &has_it), of(physical, &got_it)]);
    let mut found = ways.into_iter().flatten();
    found.find(|names| !names.is_empty()).unwrap_or_default()
}

fn takes(pattern: &Pattern, name: &IfName, fact: &InterfaceFact, observed: &Observed) -> bool {
    let on_top_of_a_mesh = || {
        let mut meshes = observed.facts.meshes.keys();
        meshes.any(|mesh| {
            name.as_str()
                .strip_prefix(mesh.as_str())
                .is_some_and(|rest| rest.starts_with('.'))
        })
    };
    let bundle = matches!(
        fact.kind.as_deref(),
        Some("batadv" | "bridge" | "bond" | "team" | "vrf" | "ifb")
    );
    pattern.matches(name.as_str()) && !bundle && can_carry(name, observed) && !on_top_of_a_mesh()
}
