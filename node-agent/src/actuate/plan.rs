//! What to do to get from what is to what should be, in order, and how to get back. Pure.

use serde::{Deserialize, Serialize};

use super::{Goal, Knob, State, Value};

/// What a step does to the mesh while it is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Disruption {
    /// No frame is lost because of it.
    Hitless,
    /// A link or the traffic of some clients is interrupted, for seconds, and comes back.
    Flap,
    /// A mesh interface goes: what is on top of it, its addresses and VLANs, goes with it.
    Recreate,
}

/// One write to the kernel.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Step {
    /// What is set.
    pub knob: Knob,
    /// What it is before; `None`: it does not exist, or nobody knows yet.
    pub from: Option<Value>,
    /// What it becomes; `None`: it is taken away.
    pub to: Option<Value>,
    /// What it does to the mesh.
    pub disruption: Disruption,
}

/// Steps in order, and the way back.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Plan {
    /// To be taken in this order.
    pub steps: Vec<Step>,
    /// Brings back what the steps change.
    pub undo: Goal,
}

// === impl Plan ===

impl Plan {
    /// From `now` to `goal`. What the goal does not name stays.
    #[must_use]
    pub fn new(_now: &State, _goal: &Goal) -> Self {
        Self::default()
    }

    /// The worst of its steps; `None`: there are none.
    pub fn disruption(&self) -> Option<Disruption> {
        self.steps.iter().map(|step| step.disruption).max()
    }

    /// Nothing is to be done.
    pub fn is_empty(&self) -> bool {
        self.steps.is_empty()
    }
}

// === impl Disruption ===

impl Disruption {
    /// As it is written.
    pub fn name(self) -> &'static str {
        match self {
            Self::Hitless => "hitless",
            Self::Flap => "flap",
            Self::Recreate => "recreate",
        }
    }
}
