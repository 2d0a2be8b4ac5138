//! What is not as it should be, and what a mesh interface is like as a whole. Pure.

use std::collections::BTreeSet;

use mesh_proto::model::IfName;

use crate::actuate::apply::{Report, Why};
use crate::actuate::desired::Resolved;
use crate::actuate::keeper::{Difference, Outcome, Remedy};
use crate::actuate::plan::{Disruption, Plan};
use crate::actuate::{Goal, Knob, Observed, Setting, State, Target, Value, WriteError};

/// What differs from a goal. `plan` leads there.
pub(super) fn of_goal(goal: &Goal, plan: &Plan, now: &Observed, may_recreate: bool) -> Vec<Difference> {
    let anew = !may_recreate && plan.disruption() == Some(Disruption::Recreate);
    let planned: BTreeSet<_> = plan.steps.iter().map(|step| &step.knob).collect();
    let differs = |(knob, wanted): (&Knob, &Option<Value>)| {
        let in_force = now.state.get(knob);
        if in_force == wanted.as_ref() || !planned.contains(knob) {
            return None;
        }
        let remedy = match (anew, knob.setting) {
            (true, Setting::Algorithm) => Remedy::Recreate,
            // It would be set with it.
            (true, _) => Remedy::None,
            (false, _) => {
                let fact = now.facts.interfaces.get(interface(knob));
                Remedy::Write(knob.clone(), fact.map_or(0, |fact| fact.ifindex))
            }
        };
        Some(Difference {
            setting: knob.to_string(),
            wanted: shown(knob, wanted.as_ref()),
            in_force: shown(knob, in_force),
            remedy,
        })
    };
    goal.knobs.iter().filter_map(differs).collect()
}

/// What differs from a resolved wish and cannot be written.
pub(super) fn beside(resolved: &Resolved) -> impl Iterator<Item = Difference> + '_ {
    let problems = resolved.problems.iter().map(ToString::to_string);
    let missing = resolved.missing.iter().map(ToString::to_string);
    problems.chain(missing).map(|setting| Difference {
        setting,
        wanted: String::new(),
        in_force: String::new(),
        remedy: Remedy::None,
    })
}

/// What came of the write to this knob of a goal. What the kernel does not say is not believed: a setting of a member that
/// could not join is not unmet, and was never written.
pub(super) fn outcome(knob: &Knob, goal: &Goal, report: &Report) -> Outcome {
    let Some(unmet) = report.unmet.iter().find(|unmet| unmet.knob == *knob) else {
        let is = report.after.as_ref().map(|after| after.state.get(knob));
        let wanted = goal.knobs.get(knob).and_then(Option::as_ref);
        return match &report.error {
            Some(error) => Outcome::Failed(error.to_string()),
            None if is == Some(wanted) => Outcome::Met,
            None => Outcome::Failed("it waits for another setting".to_owned()),
        };
    };
    let value = shown(knob, unmet.in_force.as_ref());
    match &unmet.why {
        Why::Clamped => Outcome::Refused(value.clone(), format!("the kernel set {value} instead")),
        Why::Ignored => Outcome::Refused(value, "the kernel said yes and left it as it was".to_owned()),
        Why::Failed(error @ WriteError::Unsupported(_)) => Outcome::Refused(value, error.to_string()),
        Why::Failed(error) => Outcome::Failed(error.to_string()),
        Why::NotPermitted => Outcome::Failed("it would have to be made anew".to_owned()),
    }
}

/// All of a mesh interface as it is now, members included, and the interfaces that a goal concerns beside them: what
/// brings it back to a kernel that knows nothing of it.
pub(super) fn whole(mesh: &IfName, concerned: &Goal, state: &State) -> Goal {
    let mut interfaces: BTreeSet<IfName> = state.members(mesh).cloned().collect();
    for knob in concerned.knobs.keys() {
        if let Target::Interface(name) = &knob.target {
            interfaces.insert(name.clone());
        }
    }
    let belongs = |knob: &Knob| match &knob.target {
        Target::Mesh(name) | Target::Vlan(name, _) => name == mesh,
        Target::Interface(name) => interfaces.contains(name),
    };
    let mut whole = Goal::default();
    let mut leave_out = |knob: Knob| {
        whole.knobs.insert(knob, None);
    };
    leave_out(Knob::mesh(mesh, Setting::Algorithm));
    for interface in &interfaces {
        leave_out(Knob::interface(interface, Setting::Master));
    }
    for knob in concerned.knobs.keys().filter(|knob| knob.setting == Setting::Radio) {
        leave_out(knob.clone());
    }
    let there = state.knobs.iter().filter(|(knob, _)| belongs(knob));
    whole
        .knobs
        .extend(there.map(|(knob, value)| (knob.clone(), Some(value.clone()))));
    whole
}

/// Members of a goal that are not there.
pub(super) fn absent(goal: &Goal, now: &Observed) -> Vec<IfName> {
    let members = goal.knobs.iter().filter_map(|(knob, value)| match &knob.target {
        Target::Interface(name) if knob.setting == Setting::Master && value.is_some() => Some(name),
        _ => None,
    });
    members
        .filter(|name| !now.facts.interfaces.contains_key(*name))
        .cloned()
        .collect()
}

/// Without these knobs.
pub(super) fn without(goal: &Goal, knobs: &BTreeSet<Knob>) -> Goal {
    let kept = goal.knobs.iter().filter(|(knob, _)| !knobs.contains(knob));
    Goal {
        knobs: kept.map(|(knob, value)| (knob.clone(), value.clone())).collect(),
    }
}

fn shown(knob: &Knob, value: Option<&Value>) -> String {
    value.map(|value| knob.setting.show(value)).unwrap_or_default()
}

fn interface(knob: &Knob) -> &IfName {
    match &knob.target {
        Target::Mesh(name) | Target::Vlan(name, _) | Target::Interface(name) => name,
    }
}
