//! What people read of a plan and of what came of it, like a diff. Pure; the same input is the same text.
//!
//! ```text
//! bat0
//!   ~ bat0.hop_penalty: 30 → 15    hitless
//!   + eth1 joins bat0              hitless
//! bat0: 2 steps, 2 hitless
//! ```
//!
//! Signs: `+` comes, `-` goes, `~` changes, `!` a mesh interface goes or is made anew.

use std::fmt::Write;

use mesh_proto::model::IfName;

use super::apply::{Report, Unmet, Why};
use super::desired::Resolved;
use super::plan::{Disruption, Plan, Step};
use super::{Owner, Setting, Target, Value};

/// The difference between what is and what should be.
pub fn plan(mesh: &IfName, plan: &Plan, resolved: &Resolved) -> String {
    let mut text = format!("{mesh}\n");
    lines(&mut text, &plan.steps);
    remarks(&mut text, resolved);
    let last = match &resolved.owner {
        Some(owner) => reported_only(owner),
        None if !resolved.problems.is_empty() => "nothing is done before that is solved".to_owned(),
        None if plan.is_empty() && resolved.missing.is_empty() => "nothing to do".to_owned(),
        None if plan.is_empty() => "nothing to do as long as that is missing".to_owned(),
        None => counts(&plan.steps),
    };
    line(&mut text, format_args!("{mesh}: {last}"));
    text
}

/// What was done and what is not as wanted.
pub fn report(mesh: &IfName, report: &Report, resolved: &Resolved) -> String {
    let mut text = format!("{mesh}\n");
    lines(&mut text, &report.done);
    for unmet in &report.unmet {
        line(&mut text, format_args!("  unmet: {}: {}", unmet.knob, words(unmet)));
    }
    remarks(&mut text, resolved);
    if let Some(error) = &report.error {
        line(&mut text, format_args!("  {error}, so what was done is not verified"));
    }
    let last = match &resolved.owner {
        Some(owner) if report.done.is_empty() => reported_only(owner),
        _ if report.done.is_empty() => "nothing done".to_owned(),
        _ => format!("done: {}", counts(&report.done)),
    };
    let unmet = match report.unmet.len() {
        0 => String::new(),
        count => format!("; {count} unmet"),
    };
    line(&mut text, format_args!("{mesh}: {last}{unmet}"));
    text
}

fn remarks(text: &mut String, resolved: &Resolved) {
    for problem in &resolved.problems {
        line(text, format_args!("  problem: {problem}"));
    }
    for missing in &resolved.missing {
        line(text, format_args!("  missing: {missing}"));
    }
    for warning in &resolved.warnings {
        line(text, format_args!("  warning: {warning}"));
    }
}

fn reported_only(owner: &Owner) -> String {
    format!("{} owns it ({}): reported only", owner.manager, owner.file.display())
}

/// Why a knob is not as wanted, with the value in force.
pub fn words(unmet: &Unmet) -> String {
    let show = |value: &Option<Value>| match value {
        Some(value) => unmet.knob.setting.show(value),
        None => "nothing".to_owned(),
    };
    let why = match &unmet.why {
        Why::Clamped => "the kernel clamped it".to_owned(),
        Why::Ignored => "the kernel ignored it and said success".to_owned(),
        Why::Failed(error) => error.to_string(),
        Why::NotPermitted => "a mesh interface would have to go or be made anew, which needs --recreate".to_owned(),
    };
    format!(
        "asked for {}, {} in force: {why}",
        show(&unmet.wanted),
        show(&unmet.in_force)
    )
}

/// A step without its disruption, as in `+ eth1 joins bat0`.
pub fn step(step: &Step) -> String {
    let knob = &step.knob;
    let name = match &knob.target {
        Target::Mesh(name) | Target::Interface(name) | Target::Vlan(name, _) => name,
    };
    let show = |value: &Value| knob.setting.show(value);
    match (knob.setting, &step.from, &step.to) {
        (Setting::Algorithm, None, Some(Value::Algorithm(algorithm))) => format!("+ {name} is made, {algorithm}"),
        (Setting::Algorithm, Some(_), None) => format!("! {name} goes"),
        (Setting::Algorithm, Some(from), Some(to)) => format!("! {knob}: {} → {}", show(from), show(to)),
        (Setting::Master, Some(Value::Interface(from)), Some(Value::Interface(to))) => {
            format!("~ {name} moves from {from} to {to}")
        }
        (Setting::Master, None, Some(Value::Interface(to))) => format!("+ {name} joins {to}"),
        (Setting::Master, Some(Value::Interface(from)), None) => format!("- {name} leaves {from}"),
        (Setting::Radio, None, Some(to)) => format!("+ {name} joins {}", show(to)),
        (Setting::Radio, Some(from), None) => format!("- {name} leaves {}", show(from)),
        (_, None, Some(to)) => format!("+ {knob}: {}", show(to)),
        (_, Some(from), Some(to)) => format!("~ {knob}: {} → {}", show(from), show(to)),
        (_, _, None) => format!("- {knob}"),
    }
}

fn lines(text: &mut String, steps: &[Step]) {
    let steps: Vec<_> = steps.iter().map(|it| (step(it), disruption(it))).collect();
    let width = steps.iter().map(|(words, _)| words.chars().count()).max().unwrap_or(0);
    for (words, disruption) in steps {
        line(text, format_args!("  {words:width$}    {disruption}"));
    }
}

fn disruption(step: &Step) -> &'static str {
    match step.disruption {
        Disruption::Recreate => "recreate: its IP addresses and VLANs go with it",
        other => other.name(),
    }
}

fn counts(steps: &[Step]) -> String {
    let mut text = match steps.len() {
        1 => "1 step".to_owned(),
        count => format!("{count} steps"),
    };
    for kind in Disruption::ALL {
        match steps.iter().filter(|step| step.disruption == kind).count() {
            0 => {}
            count => append(&mut text, format_args!(", {count} {}", kind.name())),
        }
    }
    text
}

fn line(text: &mut String, line: std::fmt::Arguments<'_>) {
    append(text, line);
    text.push('\n');
}

fn append(text: &mut String, words: std::fmt::Arguments<'_>) {
    // Writing to a String cannot fail.
    text.write_fmt(words).unwrap_or_default();
}

#[cfg(test)]
mod tests;
