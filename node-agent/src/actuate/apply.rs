//! Brings the kernel to a goal and says what came of it. The only caller of [`Kernel::write`].
//!
//! Reads, plans, writes in the plan's order until what is written changes which knobs there are, reads and plans again,
//! until nothing is left to write. Then what is wanted is compared with what the kernel says: success is not believed.
//!
//! Invariants:
//! - a knob is written at most once, so it ends;
//! - what a mesh interface that is made anew has lost is put back, though the goal does not name it;
//! - without permission nothing is written that belongs to a mesh interface that would go or be made anew;
//! - what cannot be written is reported and stops nothing else;
//! - nothing is taken from another master.

mod verify;

use std::collections::{BTreeMap, BTreeSet};

use mesh_proto::model::IfName;

use super::plan::{Disruption, Plan, Step};
use super::{Goal, Kernel, Knob, Observed, ReadError, Setting, Target, Value, WriteError};

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
    /// What it should be.
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
    /// It means to make a mesh interface anew or to take it away, or belongs to such a one, and that is not permitted.
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
    /// What was read last; `None`: nothing, or not after the last write.
    pub after: Option<Observed>,
    /// The kernel could not be read, so nothing more was written and nothing is verified.
    pub error: Option<ReadError>,
}

/// What was tried, and what came of it.
#[derive(Debug, Clone)]
struct Attempt {
    step: Step,
    result: Result<(), WriteError>,
}

/// Reads, plans, writes, reads back.
pub async fn apply<K: Kernel>(kernel: &mut K, goal: &Goal, permit: Permit) -> Report {
    let now = match kernel.read().await {
        Ok(now) => now,
        Err(error) => {
            let error = Some(error);
            return Report {
                error,
                ..Report::default()
            };
        }
    };
    let held_back = if permit.recreate {
        BTreeSet::new()
    } else {
        ending(&Plan::new(&now.state, goal))
    };
    let refused = refused(&now, goal, &held_back);
    let mut run = Run::new(&now, without(goal, &now, &held_back), permit);
    let mut report = run.rounds(kernel, now).await;
    if report.error.is_none() {
        report.unmet.extend(refused);
        report.unmet.sort_by(|a, b| a.knob.cmp(&b.knob));
    }
    report
}

/// One application of a goal.
#[derive(Debug)]
struct Run {
    /// The goal, and every value that the way to it must put back.
    goal: Goal,
    permit: Permit,
    undo: Goal,
    first: Observed,
    attempts: BTreeMap<Knob, Attempt>,
    done: Vec<Step>,
    /// Mesh interfaces made on the way: nobody uses them, so nothing of them is a flap.
    made: BTreeSet<IfName>,
}

// === impl Run ===

impl Run {
    fn new(now: &Observed, mut goal: Goal, permit: Permit) -> Self {
        let plan = Plan::new(&now.state, &goal);
        goal.knobs
            .extend(plan.steps.into_iter().map(|step| (step.knob, step.to)));
        Self {
            goal,
            permit,
            undo: plan.undo,
            first: now.clone(),
            attempts: BTreeMap::new(),
            done: Vec::new(),
            made: BTreeSet::new(),
        }
    }

    async fn rounds<K: Kernel>(&mut self, kernel: &mut K, mut now: Observed) -> Report {
        loop {
            let steps = self.left(&now);
            if steps.is_empty() {
                let unmet = verify::unmet(&self.goal, &self.attempts, &now.state);
                return self.report(unmet, Ok(now));
            }
            self.write(kernel, steps, &now).await;
            now = match kernel.read().await {
                Ok(now) => now,
                Err(error) => return self.report(verify::failed(&self.attempts), Err(error)),
            };
        }
    }

    fn report(&mut self, unmet: Vec<Unmet>, after: Result<Observed, ReadError>) -> Report {
        Report {
            done: std::mem::take(&mut self.done),
            unmet,
            undo: std::mem::take(&mut self.undo),
            error: after.as_ref().err().cloned(),
            after: after.ok(),
        }
    }

    /// Steps to what was not yet tried. What was tried in vain stays as it is, and what depends on it with it.
    fn left(&self, now: &Observed) -> Vec<Step> {
        let in_vain = |knob: &Knob, wanted: &Option<Value>| {
            self.attempts.contains_key(knob) && now.state.get(knob) != wanted.as_ref()
        };
        let knobs = self.goal.knobs.iter().filter(|(knob, wanted)| !in_vain(knob, wanted));
        let goal = Goal {
            knobs: knobs.map(|(knob, wanted)| (knob.clone(), wanted.clone())).collect(),
        };
        let mut plan = Plan::new(&now.state, &goal);
        if !self.permit.recreate {
            // Somebody else has made it anew meanwhile, with another algorithm.
            let held_back = ending(&plan);
            if !held_back.is_empty() {
                plan = Plan::new(&now.state, &without(&goal, now, &held_back));
            }
        }
        let mut steps = plan.steps;
        steps.retain(|step| !self.attempts.contains_key(&step.knob));
        for step in &mut steps {
            if matches!(&step.knob.target, Target::Mesh(name) if self.made.contains(name)) {
                step.disruption = Disruption::Hitless;
            }
        }
        steps
    }

    /// Until the knobs there are may have become others.
    async fn write<K: Kernel>(&mut self, kernel: &mut K, steps: Vec<Step>, now: &Observed) {
        let mut written: Option<Setting> = None;
        for step in steps {
            // Several of the same kind, such as members that join, do not need each other.
            if written.is_some_and(|setting| setting != step.knob.setting) {
                return;
            }
            let result = match of_another_master(&step, now) {
                Some(error) => Err(error),
                None => kernel.write(&step.knob, step.to.as_ref(), now).await,
            };
            log(&step, &result);
            if changes_knobs(&step, now) {
                written = Some(step.knob.setting);
            }
            if result.is_ok() {
                self.note_undo(&step);
                if let (Target::Mesh(name), Setting::Algorithm) = (&step.knob.target, step.knob.setting) {
                    self.made.insert(name.clone());
                }
                self.done.push(step.clone());
            }
            self.attempts.insert(step.knob.clone(), Attempt { step, result });
        }
    }

    /// What the first plan did not foresee.
    fn note_undo(&mut self, step: &Step) {
        let before = self.first.state.get(&step.knob).cloned();
        if before.is_some() || step.knob.setting.can_be_taken_away() {
            self.undo.knobs.entry(step.knob.clone()).or_insert(before);
        }
    }
}

/// Mesh interfaces that go or are made anew.
fn ending(plan: &Plan) -> BTreeSet<IfName> {
    let steps = plan.steps.iter().filter(|step| step.disruption == Disruption::Recreate);
    steps
        .filter_map(|step| match &step.knob.target {
            Target::Mesh(name) => Some(name.clone()),
            _ => None,
        })
        .collect()
}

/// The goal less what belongs to those.
fn without(goal: &Goal, now: &Observed, meshes: &BTreeSet<IfName>) -> Goal {
    let mut rest = goal.clone();
    for mesh in meshes {
        for knob in goal.of_mesh(mesh, &now.state).knobs.keys() {
            rest.knobs.remove(knob);
        }
    }
    rest
}

/// What the goal wants of those and is not so.
fn refused(now: &Observed, goal: &Goal, meshes: &BTreeSet<IfName>) -> Vec<Unmet> {
    let plan = Plan::new(&now.state, goal);
    let of_meshes: BTreeSet<_> = meshes
        .iter()
        .flat_map(|mesh| goal.of_mesh(mesh, &now.state).knobs.into_keys())
        .collect();
    let steps = plan.steps.into_iter().filter(|step| of_meshes.contains(&step.knob));
    let differing = steps.filter(|step| now.state.get(&step.knob) != step.to.as_ref());
    differing
        .map(|step| Unmet {
            in_force: now.state.get(&step.knob).cloned(),
            knob: step.knob,
            wanted: step.to,
            why: Why::NotPermitted,
        })
        .collect()
}

/// Other knobs may come, go or change with it. A radio goes down for a new address and leaves its network.
fn changes_knobs(step: &Step, now: &Observed) -> bool {
    match (&step.knob.target, step.knob.setting) {
        (_, Setting::Algorithm | Setting::Master | Setting::Radio) => true,
        (Target::Interface(name), Setting::Address | Setting::Up) => {
            now.state.get(&Knob::interface(name, Setting::Radio)).is_some()
        }
        _ => false,
    }
}

/// A port of a bridge, a slave of a bond: the kernel would take it out there.
fn of_another_master(step: &Step, now: &Observed) -> Option<WriteError> {
    let (Target::Interface(name), Setting::Master, Some(_)) = (&step.knob.target, step.knob.setting, &step.to) else {
        return None;
    };
    let master = now.facts.interfaces.get(name)?.master.as_ref()?;
    let is_mesh = now.state.get(&Knob::mesh(master, Setting::Algorithm)).is_some();
    (!is_mesh).then(|| WriteError::Refused(format!("it belongs to {master}; take it out of there first")))
}

fn log(step: &Step, result: &Result<(), WriteError>) {
    let knob = &step.knob;
    let shown = |value: &Option<Value>| value.as_ref().map(|value| knob.setting.show(value));
    let (from, to) = (shown(&step.from), shown(&step.to));
    match result {
        Ok(()) => tracing::info!(%knob, from, to, "set"),
        Err(error) => tracing::warn!(%knob, from, to, %error, "could not be set"),
    }
}

// === impl Report ===

impl Report {
    /// Everything is as wanted.
    pub fn is_met(&self) -> bool {
        self.unmet.is_empty() && self.error.is_none()
    }
}

#[cfg(test)]
mod tests;
