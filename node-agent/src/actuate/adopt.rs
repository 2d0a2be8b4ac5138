//! Writes the configuration that says what already is: it plans to nothing, and from nothing brings all of it back. Pure.
//!
//! Members are said by name, with what is set on them, but for their hardware address, which is usually the device's own.
//! What belongs to others is not in it: addresses, bridges, what is on top of the mesh interface. What the configuration
//! has no words for is left out and named in a comment.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use mesh_proto::model::IfName;
use serde::Serialize;

use super::{HardSetting, Knob, Observed, Setting, Target, Value};
use crate::config::{Algorithm, Member, Mesh, Select, Vid, Vlan};

/// Why there is nothing to write.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AdoptError {
    /// Of that name, or at all.
    #[error("there is no mesh interface {0}: name one of those that `ip link show type batadv` lists")]
    NoSuchMesh(IfName),
    /// None at all.
    #[error("there is no mesh interface to adopt")]
    NoMesh,
    /// A defect.
    #[error("the configuration cannot be written down: please report this")]
    Written(#[from] toml::ser::Error),
}

#[derive(Serialize)]
struct Tables {
    mesh: BTreeMap<IfName, Mesh>,
}

/// The mesh tables of these mesh interfaces, or of all.
///
/// # Errors
/// [`AdoptError`]
pub fn adopt(observed: &Observed, chosen: &BTreeSet<IfName>) -> Result<String, AdoptError> {
    let there: BTreeSet<IfName> = observed.state.knobs.keys().filter_map(mesh_of).cloned().collect();
    if let Some(missing) = chosen.iter().find(|name| !there.contains(*name)) {
        return Err(AdoptError::NoSuchMesh(missing.clone()));
    }
    if there.is_empty() {
        return Err(AdoptError::NoMesh);
    }
    let mut text = String::from("# As the kernel has it; it plans to nothing. `policy = \"enforce\"` keeps it so.\n");
    for name in there.iter().filter(|name| chosen.is_empty() || chosen.contains(*name)) {
        let mut unsaid = Vec::new();
        let table = table(name, observed, &mut unsaid);
        text.push('\n');
        if let Some(owner) = observed.facts.interfaces.get(name).and_then(|fact| fact.owner.as_ref()) {
            let file = owner.file.display();
            let _infallible = writeln!(
                text,
                "# {} owns {name} ({file}): the agent only reports.",
                owner.manager
            );
        }
        for knob in unsaid {
            let _infallible = writeln!(text, "# Left out, since there are no words for it: {knob}");
        }
        text += &toml::to_string(&Tables {
            mesh: [(name.clone(), table)].into(),
        })?;
    }
    Ok(text)
}

fn mesh_of(knob: &Knob) -> Option<&IfName> {
    match &knob.target {
        Target::Mesh(name) if knob.setting == Setting::Algorithm => Some(name),
        _ => None,
    }
}

fn table(name: &IfName, observed: &Observed, unsaid: &mut Vec<String>) -> Mesh {
    let mut mesh = Mesh::default();
    let members = observed.state.members(name);
    let mut members: BTreeMap<&IfName, Member> = members
        .map(|member| (member, Member::new(Select::Name(member.clone()))))
        .collect();
    let is_v = observed.state.get(&Knob::mesh(name, Setting::Algorithm)) == Some(&Value::Algorithm("BATMAN_V".into()));
    for (knob, value) in &observed.state.knobs {
        if !is_v && means_nothing(knob.setting, value) {
            continue;
        }
        let said = match &knob.target {
            Target::Mesh(of) if of == name => put_mesh(&mut mesh, knob.setting, value),
            Target::Vlan(of, vid) if of == name => put_vlan(&mut mesh, *vid, value),
            Target::Interface(of) => members
                .get_mut(of)
                .is_none_or(|member| put_member(member, knob.setting, value)),
            _ => true,
        };
        if !said {
            unsaid.push(format!("{knob} = {}", knob.setting.show(value)));
        }
    }
    if !members.is_empty() {
        mesh.member = Some(members.into_values().collect());
    }
    mesh
}

/// The kernel's default of what only BATMAN_V reads.
fn means_nothing(setting: Setting, value: &Value) -> bool {
    matches!(
        (setting, value),
        (Setting::Hard(HardSetting::ElpInterval), Value::Number(500))
            | (Setting::Hard(HardSetting::ThroughputOverride), Value::Number(0))
    )
}

/// False: the configuration has no words for it.
fn put_mesh(mesh: &mut Mesh, setting: Setting, value: &Value) -> bool {
    match (setting, value) {
        (Setting::Algorithm, Value::Algorithm(name)) => {
            mesh.algorithm = Algorithm::by_name(name);
            mesh.algorithm.is_some()
        }
        (Setting::Mesh(setting), value) => mesh.put(setting, value),
        (Setting::Mtu, Value::Number(mtu)) => {
            mesh.mtu = Some(*mtu);
            true
        }
        (Setting::Address, Value::Address(address)) => {
            mesh.mac = Some(*address);
            true
        }
        (Setting::Up, Value::Flag(up)) => {
            mesh.up = Some(*up);
            true
        }
        // The bridge's, whoever made it.
        (Setting::Master, _) => true,
        _ => false,
    }
}

fn put_vlan(mesh: &mut Mesh, vid: u16, value: &Value) -> bool {
    let (Ok(vid), Value::Flag(isolated)) = (Vid::try_from(vid), value) else {
        return false;
    };
    let ap_isolation = Some(*isolated);
    mesh.vlan.insert(vid, Vlan { ap_isolation });
    true
}

fn put_member(member: &mut Member, setting: Setting, value: &Value) -> bool {
    match (setting, value) {
        (Setting::Hard(setting), value) => member.put(setting, value),
        (Setting::Mtu, Value::Number(mtu)) => {
            member.mtu = Some(*mtu);
            true
        }
        (Setting::Up, Value::Flag(up)) => {
            member.up = Some(*up);
            true
        }
        (Setting::Radio, Value::Radio(radio)) => {
            member.radio = Some(radio.clone());
            true
        }
        // It is in the table, and its address is its own.
        (Setting::Master | Setting::Address, _) => true,
        _ => false,
    }
}

#[cfg(test)]
mod tests;
