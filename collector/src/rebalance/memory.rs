//! What the planner remembers from cycle to cycle: for how long each cause has held, and what was proposed for it.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, SystemTime};

use super::decision::{Cause, Decision, DecisionState};
use super::policy::Policy;

/// The planner's memory. A new one is empty.
#[derive(Debug, Clone, Default)]
pub struct Memory {
    causes: BTreeMap<Cause, Remembered>,
}

#[derive(Debug, Clone)]
struct Remembered {
    /// The latest cycle in the lowest bit: the link was lossy.
    lossy: u32,
    /// The same: and something could be done about it.
    held: u32,
    lossy_since: SystemTime,
    last_change: SystemTime,
    decision: Option<Decision>,
}

// === impl Memory ===

impl Memory {
    /// All decisions, by cause.
    pub fn decisions(&self) -> impl Iterator<Item = &Decision> {
        self.causes
            .values()
            .filter_map(|remembered| remembered.decision.as_ref())
    }

    /// The proposal that stands for this cause.
    pub(super) fn proposed(&self, cause: &Cause) -> Option<&Decision> {
        let decision = self.causes.get(cause)?.decision.as_ref()?;
        (decision.state == DecisionState::Proposed).then_some(decision)
    }

    /// Takes note of one cycle for a lossy link. Returns for how many cycles of the window the cause has held.
    pub(super) fn note(&mut self, cause: &Cause, held: bool, policy: &Policy, now: SystemTime) -> u32 {
        let remembered = self.causes.entry(cause.clone()).or_insert_with(|| Remembered {
            lossy: 0,
            held: 0,
            lossy_since: now,
            last_change: now,
            decision: None,
        });
        remembered.turn(true, held, policy, now);
        remembered.held.count_ones()
    }

    /// For how long the link has been lossy.
    pub(super) fn lossy_for(&self, cause: &Cause, now: SystemTime) -> Duration {
        self.causes
            .get(cause)
            .and_then(|remembered| now.duration_since(remembered.lossy_since).ok())
            .unwrap_or_default()
    }

    /// Puts a proposal down, or brings the one that stands up to date. Returns its generation.
    pub(super) fn propose(&mut self, mut decision: Decision, now: SystemTime) -> u64 {
        let Some(remembered) = self.causes.get_mut(&decision.cause) else {
            return decision.generation;
        };
        if let Some(known) = &remembered.decision {
            let changed = !known.same_content(&decision);
            decision.generation = known.generation + u64::from(changed);
            if known.state == DecisionState::Proposed {
                decision.proposed_at = known.proposed_at;
            }
        }
        remembered.last_change = now;
        remembered.decision.insert(decision).generation
    }

    /// Ends a cycle: causes not seen in it have not held; proposals without a cause are withdrawn, old ones forgotten.
    pub(super) fn end_cycle(&mut self, seen: &BTreeSet<Cause>, policy: &Policy, now: SystemTime) {
        for (cause, remembered) in &mut self.causes {
            if !seen.contains(cause) {
                remembered.turn(false, false, policy, now);
            }
            if remembered.held == 0
                && let Some(decision) = &mut remembered.decision
                && decision.state == DecisionState::Proposed
            {
                decision.state = DecisionState::Withdrawn;
                decision.generation += 1;
                remembered.last_change = now;
            }
        }
        self.causes.retain(|_, remembered| {
            let age = now.duration_since(remembered.last_change).unwrap_or_default();
            match &remembered.decision {
                Some(decision) if decision.state == DecisionState::Proposed => true,
                Some(_) => remembered.lossy != 0 || age <= policy.keep_withdrawn,
                None => remembered.lossy != 0,
            }
        });
        self.forget_oldest(policy);
    }

    fn forget_oldest(&mut self, policy: &Policy) {
        let mut withdrawn: Vec<_> = self
            .causes
            .iter()
            .filter(|(_, remembered)| {
                let decision = remembered.decision.as_ref();
                decision.is_some_and(|decision| decision.state == DecisionState::Withdrawn)
            })
            .map(|(cause, remembered)| (remembered.last_change, cause.clone()))
            .collect();
        withdrawn.sort();
        let surplus = withdrawn.len().saturating_sub(policy.max_withdrawn);
        for (_, cause) in withdrawn.into_iter().take(surplus) {
            self.causes.remove(&cause);
        }
    }
}

// === impl Remembered ===

impl Remembered {
    fn turn(&mut self, lossy: bool, held: bool, policy: &Policy, now: SystemTime) {
        let window = u32::MAX
            .checked_shr(32 - policy.window.clamp(1, 32))
            .unwrap_or(u32::MAX);
        if self.lossy & window == 0 {
            self.lossy_since = now;
        }
        self.lossy = (self.lossy << 1 | u32::from(lossy)) & window;
        self.held = (self.held << 1 | u32::from(held)) & window;
    }
}

#[cfg(test)]
mod tests;
