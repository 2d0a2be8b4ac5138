//! What is, and what should be.

use std::collections::BTreeMap;

use mesh_proto::model::IfName;
use serde::{Deserialize, Serialize};

use super::observed::Facts;
use super::{Knob, Setting, Target, Value};

/// The value of every knob there is. A knob that is not in it does not exist: settings of a mesh interface that is not
/// there, of an interface that is no member, or that this kernel does not know.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct State {
    /// By knob.
    pub knobs: BTreeMap<Knob, Value>,
}

/// What some knobs should be; those not in it are left as they are. `None`: it should not be. That means something
/// for what can be taken away, [`Setting::Algorithm`] (no such mesh interface), [`Setting::Master`] (no member) and
/// [`Setting::Radio`] (no network joined); for others it means nothing.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Goal {
    /// By knob. As a list of pairs where it is written: JSON's keys are texts.
    #[serde(with = "mesh_proto::model::entries")]
    pub knobs: BTreeMap<Knob, Option<Value>>,
}

/// One look at the kernel: what can be set, and what must be known to do it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Observed {
    /// What can be set.
    pub state: State,
    /// What can only be seen.
    pub facts: Facts,
}

impl State {
    /// The value of a knob, if it exists.
    pub fn get(&self, knob: &Knob) -> Option<&Value> {
        self.knobs.get(knob)
    }

    /// The interface this one is a member of.
    pub fn master(&self, interface: &IfName) -> Option<&IfName> {
        match self.get(&Knob::interface(interface, Setting::Master)) {
            Some(Value::Interface(master)) => Some(master),
            _ => None,
        }
    }

    /// Members of a mesh interface.
    pub fn members<'a>(&'a self, mesh: &'a IfName) -> impl Iterator<Item = &'a IfName> {
        self.knobs.iter().filter_map(move |(knob, value)| match (knob, value) {
            (
                Knob {
                    target: Target::Interface(name),
                    setting: Setting::Master,
                },
                Value::Interface(master),
            ) if master == mesh => Some(name),
            _ => None,
        })
    }
}

impl Goal {
    /// What belongs to one mesh interface: its own knobs, its VLANs', and those of interfaces that are or become its
    /// members.
    #[must_use]
    pub fn of_mesh(&self, mesh: &IfName, state: &State) -> Self {
        let belongs = |knob: &Knob| match &knob.target {
            Target::Mesh(name) | Target::Vlan(name, _) => name == mesh,
            Target::Interface(name) => {
                let wanted = self.knobs.get(&Knob::interface(name, Setting::Master));
                match wanted {
                    Some(Some(Value::Interface(master))) => master == mesh,
                    _ => state.master(name) == Some(mesh),
                }
            }
        };
        let knobs = self.knobs.iter().filter(|(knob, _)| belongs(knob));
        Self {
            knobs: knobs.map(|(knob, value)| (knob.clone(), value.clone())).collect(),
        }
    }
}
