//! What all knobs shall be: what is, overlaid with the goal, less what cannot exist there.

use std::collections::BTreeSet;

use mesh_proto::model::IfName;

use crate::actuate::{Goal, Knob, MeshSetting, Setting, State, Target, Value};

/// The target of a plan.
pub(super) fn of(now: &State, goal: &Goal) -> State {
    let mut target = overlay(now, goal);
    raise_radios(&mut target, goal);
    let meshes: BTreeSet<_> = meshes(&target).cloned().collect();
    undo_impossible_moves(now, &mut target, &meshes);
    let target_now = target.clone();
    target.knobs.retain(|knob, value| match (&knob.target, knob.setting) {
        (Target::Mesh(_), Setting::Algorithm) => true,
        (Target::Mesh(name), Setting::Mesh(MeshSetting::GwSelClass)) => {
            let kept = !goal.knobs.contains_key(knob);
            meshes.contains(name) && !(kept && is_made_anew(now, &target_now, name))
        }
        (Target::Mesh(name), _) => meshes.contains(name),
        // It goes with its mesh interface, and is not ours to make.
        (Target::Vlan(name, _), _) => {
            now.get(knob).is_some() && meshes.contains(name) && !is_made_anew(now, &target_now, name)
        }
        (Target::Interface(name), _) if !exists(now, name) => false,
        (Target::Interface(_), Setting::Master) => matches!(value, Value::Interface(mesh) if meshes.contains(mesh)),
        (Target::Interface(name), Setting::Hard(_)) => {
            target_now.master(name).is_some_and(|mesh| meshes.contains(mesh))
        }
        (Target::Interface(_), _) => true,
    });
    target
}

fn overlay(now: &State, goal: &Goal) -> State {
    let mut target = now.clone();
    for (knob, wanted) in &goal.knobs {
        match wanted {
            Some(value) => {
                target.knobs.insert(knob.clone(), value.clone());
            }
            None if knob.setting.can_be_taken_away() => {
                target.knobs.remove(knob);
            }
            None => {}
        }
    }
    target
}

/// A network is joined by going up; to keep the radio down would leave it again.
fn raise_radios(target: &mut State, goal: &Goal) {
    let joined = target.knobs.keys().filter(|knob| knob.setting == Setting::Radio);
    let ups = joined.map(|knob| Knob {
        target: knob.target.clone(),
        setting: Setting::Up,
    });
    let ups: Vec<_> = ups.filter(|up| !goal.knobs.contains_key(up)).collect();
    target.knobs.extend(ups.into_iter().map(|up| (up, Value::Flag(true))));
}

/// Who shall join a mesh interface that will not be there stays where it is.
fn undo_impossible_moves(now: &State, target: &mut State, meshes: &BTreeSet<IfName>) {
    for (knob, value) in &mut target.knobs {
        let (Target::Interface(name), Setting::Master, Value::Interface(mesh)) = (&knob.target, knob.setting, &value)
        else {
            continue;
        };
        if let (false, Some(master)) = (meshes.contains(mesh), now.master(name)) {
            *value = Value::Interface(master.clone());
        }
    }
}

fn meshes(state: &State) -> impl Iterator<Item = &IfName> {
    state.knobs.keys().filter_map(|knob| match knob {
        Knob {
            target: Target::Mesh(name),
            setting: Setting::Algorithm,
        } => Some(name),
        _ => None,
    })
}

fn is_made_anew(now: &State, target: &State, mesh: &IfName) -> bool {
    let algorithm = Knob::mesh(mesh, Setting::Algorithm);
    now.get(&algorithm) != target.get(&algorithm)
}

/// Every interface has it.
fn exists(now: &State, interface: &IfName) -> bool {
    now.get(&Knob::interface(interface, Setting::Up)).is_some()
}
