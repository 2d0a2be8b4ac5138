//! What the kernel's answers mean: which knobs there are, and their values. Pure.
//!
//! An interface may become a member if it carries Ethernet and is no bridge, no mesh interface and not on top of one;
//! those that are members are, whatever they are.

use std::collections::BTreeMap;

use mesh_proto::model::IfName;

use super::look::{Look, MeshLook};
use super::settings;
use crate::actuate::{
    Facts, HardSetting, InterfaceFact, Knob, MeshFact, MeshSetting, Observed, Setting, State, Target, Value,
};
use crate::netlink::link::Link;

/// An interface on top of another, on top of another … so often at most.
const DEPTH: u32 = 8;

/// Interfaces by index, those whose names are no names aside.
type Names<'a> = BTreeMap<u32, (IfName, &'a Link)>;

pub(super) fn observed(look: &Look) -> Observed {
    let names: Names<'_> = look
        .links
        .iter()
        .filter_map(|link| Some((link.ifindex, (IfName::try_from(link.ifname.as_str()).ok()?, link))))
        .collect();
    let mut observed = Observed {
        facts: Facts {
            algorithms: look.algorithms.clone(),
            claimed: look.claimed.clone(),
            unread: look.unread.clone(),
            ..Facts::default()
        },
        state: State::default(),
    };
    for (name, link) in names.values() {
        observed
            .facts
            .interfaces
            .insert(name.clone(), fact(look, &names, name, link));
        if may_be_member(&names, link) {
            interface(look, &names, name, link, &mut observed.state);
        }
    }
    for mesh_look in &look.meshes {
        // It is in the list: it was asked about because of that.
        if let Some((name, link)) = names.get(&mesh_look.mesh.mesh_ifindex) {
            mesh(&names, name, link, mesh_look, &mut observed.state);
            let fact = MeshFact {
                vlans: mesh_look.vlans.iter().map(|vlan| vlan.vid).collect(),
                has_addresses: look.addressed.contains(&link.ifindex),
            };
            observed.facts.meshes.insert(name.clone(), fact);
        }
    }
    observed
}

fn fact(look: &Look, names: &Names<'_>, name: &IfName, link: &Link) -> InterfaceFact {
    let mut radios = look.radios.iter();
    InterfaceFact {
        ifindex: link.ifindex,
        kind: link.kind.clone(),
        address: link.address,
        permanent: link.permanent,
        master: master(names, link).map(|(master, _)| master.clone()),
        radio: radios
            .find(|(radio, _)| radio.ifindex == link.ifindex)
            .map(|(_, of)| of.clone()),
        owner: look.owners.get(name).cloned(),
    }
}

fn interface(look: &Look, names: &Names<'_>, name: &IfName, link: &Link, state: &mut State) {
    let target = Target::Interface(name.clone());
    of_link(&target, link, state);
    let mut put = |setting, value| put(state, &target, setting, value);
    let network = look.radios.iter().find_map(|(radio, _)| {
        let network = radio.network.clone()?;
        (radio.ifindex == link.ifindex).then_some(network)
    });
    if let Some(network) = network {
        put(Setting::Radio, Value::Radio(network));
    }
    let Some((mesh, _)) = master(names, link).filter(|(_, master)| master.is_batadv()) else {
        return;
    };
    put(Setting::Master, Value::Interface(mesh.clone()));
    let mut members = look.meshes.iter().flat_map(|mesh| &mesh.members);
    if let Some(member) = members.find(|member| member.hard_ifindex == link.ifindex) {
        for setting in HardSetting::ALL {
            if let Some(value) = settings::of_hard(setting, member) {
                put(Setting::Hard(setting), value);
            }
        }
    }
}

fn mesh(names: &Names<'_>, name: &IfName, link: &Link, look: &MeshLook, state: &mut State) {
    let target = Target::Mesh(name.clone());
    put(
        state,
        &target,
        Setting::Algorithm,
        Value::Algorithm(look.algorithm.clone()),
    );
    for setting in MeshSetting::ALL {
        if let Some(value) = settings::of_mesh(setting, &look.mesh) {
            put(state, &target, Setting::Mesh(setting), value);
        }
    }
    of_link(&target, link, state);
    if let Some((bridge, _)) = master(names, link) {
        put(state, &target, Setting::Master, Value::Interface(bridge.clone()));
    }
    for vlan in &look.vlans {
        if let Some(value) = settings::of_vlan(vlan) {
            state.knobs.insert(Knob::vlan(name, vlan.vid), value);
        }
    }
}

/// What every interface has.
fn of_link(target: &Target, link: &Link, state: &mut State) {
    put(state, target, Setting::Up, Value::Flag(link.up));
    if let Some(mtu) = link.mtu {
        put(state, target, Setting::Mtu, Value::Number(mtu));
    }
    if let Some(address) = link.address {
        put(state, target, Setting::Address, Value::Address(address));
    }
}

fn put(state: &mut State, target: &Target, setting: Setting, value: Value) {
    let knob = Knob {
        target: target.clone(),
        setting,
    };
    state.knobs.insert(knob, value);
}

fn master<'a>(names: &'a Names<'_>, link: &Link) -> Option<&'a (IfName, &'a Link)> {
    names.get(&link.master?)
}

fn may_be_member(names: &Names<'_>, link: &Link) -> bool {
    if link.is_batadv() {
        return false;
    }
    master(names, link).is_some_and(|(_, master)| master.is_batadv())
        || link.ethernet && link.kind.as_deref() != Some("bridge") && !is_on_a_mesh(names, link)
}

fn is_on_a_mesh(names: &Names<'_>, link: &Link) -> bool {
    let mut below = link;
    for _ in 0..DEPTH {
        let Some((_, parent)) = below.parent.and_then(|parent| names.get(&parent)) else {
            return false;
        };
        if parent.is_batadv() {
            return true;
        }
        below = parent;
    }
    false
}

#[cfg(test)]
mod tests;
