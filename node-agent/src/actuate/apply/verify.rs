//! What was wanted, compared with what the kernel says. Pure.

use std::collections::BTreeMap;

use super::{Attempt, Unmet, Why};
use crate::actuate::{Goal, Knob, State, Target, Value, WriteError};

/// What was tried and is not so. What was not tried is so, cannot be on this machine, or waits for something that was tried.
pub(super) fn unmet(goal: &Goal, attempts: &BTreeMap<Knob, Attempt>, after: &State) -> Vec<Unmet> {
    let tried = attempts.iter().filter_map(|(knob, attempt)| {
        let wanted = goal.knobs.get(knob).unwrap_or(&attempt.step.to);
        let in_force = after.get(knob);
        (in_force != wanted.as_ref()).then(|| Unmet {
            knob: knob.clone(),
            wanted: wanted.clone(),
            in_force: in_force.cloned(),
            why: why(attempt, in_force, after),
        })
    });
    tried.collect()
}

/// What is known where nothing could be read back.
pub(super) fn failed(attempts: &BTreeMap<Knob, Attempt>) -> Vec<Unmet> {
    let failed = attempts.iter().filter_map(|(knob, attempt)| {
        let error = attempt.result.as_ref().err()?;
        Some(Unmet {
            knob: knob.clone(),
            wanted: attempt.step.to.clone(),
            in_force: None,
            why: Why::Failed(error.clone()),
        })
    });
    failed.collect()
}

fn why(attempt: &Attempt, in_force: Option<&Value>, after: &State) -> Why {
    if let Err(error) = &attempt.result {
        return Why::Failed(error.clone());
    }
    let target = &attempt.step.knob.target;
    let is_there = match target {
        // Everything else of it is a consequence.
        Target::Mesh(_) | Target::Vlan(..) if attempt.step.to.is_none() => true,
        _ => after.knobs.keys().any(|knob| knob.target == *target),
    };
    if !is_there {
        return Why::Failed(WriteError::Gone);
    }
    if in_force == attempt.step.from.as_ref() || in_force.is_none() {
        Why::Ignored
    } else {
        Why::Clamped
    }
}
