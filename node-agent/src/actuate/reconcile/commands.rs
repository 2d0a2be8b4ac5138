//! `plan`, `apply`, `confirm`, `teardown` and the reload, by the agent that runs or in a command of their own.

use std::fmt::Write as _;
use std::ops::RangeInclusive;
use std::time::Duration;

use mesh_daemon::Span;
use mesh_proto::model::IfName;

use super::clock::nanos;
use super::differences;
use super::manager::{Manager, chain};
use super::wishes::Wishes;
use crate::actuate::apply::Permit;
use crate::actuate::desired::{self, Resolved};
use crate::actuate::ledger::{Pending, Undo};
use crate::actuate::plan::Plan;
use crate::actuate::{Kernel, Observed, text};
use crate::control::{Answer, Code};

/// How to apply.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct How {
    /// Mesh interfaces may be made anew.
    pub recreate: bool,
    /// Undone unless confirmed within.
    pub confirm_within: Option<Duration>,
}

impl How {
    /// Within a shorter time nobody could confirm; a change that nobody confirms for longer is not being watched.
    pub const CONFIRM_WITHIN: RangeInclusive<Duration> = Duration::from_secs(1)..=Duration::from_secs(86_400);
}

impl<K: Kernel> Manager<K> {
    /// What `apply` of these wishes would do. Changes nothing.
    pub async fn plan(&mut self, wishes: &Wishes) -> Answer {
        self.read().await;
        if let Some(error) = &self.seen.error {
            return Answer::failed(format!("nothing is known of the mesh: {error}\n"));
        }
        let observed = &self.seen.observed;
        let resolved = desired::resolve(&wishes.meshes, observed);
        let mut answer = Answer::done(String::new());
        if wishes.meshes.is_empty() {
            answer.text = "no mesh table wishes anything: there is nothing to plan\n".to_owned();
        }
        for (mesh, resolved) in &resolved {
            let plan = Plan::new(&observed.state, &resolved.goal);
            answer.text += &text::plan(mesh, &plan, resolved);
            if !resolved.problems.is_empty() {
                answer.code = Code::Failed;
            } else if answer.code == Code::Done && !(plan.is_empty() && resolved.missing.is_empty()) {
                answer.code = Code::Differs;
            }
        }
        if let Some(waiting) = self.managing().pending {
            let _infallible = writeln!(
                answer.text,
                "A change waits to be confirmed; it is undone in {} s.",
                waiting.seconds_left
            );
        }
        answer
    }

    /// Brings the mesh interfaces to these wishes, once, and makes them the wishes from now on: until a reload or a restart,
    /// which follow the agent's own file again.
    pub async fn apply_wishes(&mut self, wishes: Wishes, how: How) -> Answer {
        if let Err(why) = &self.ledger {
            return Answer::failed(format!("nothing is written: {why}\n"));
        }
        if let Some(within) = how.confirm_within
            && !How::CONFIRM_WITHIN.contains(&within)
        {
            return Answer::failed("--confirm-within: allowed: 1s to 1d\n".to_owned());
        }
        if let (Some(waiting), None) = (self.managing().pending, how.confirm_within) {
            return Answer::failed(format!(
                "an earlier change waits to be confirmed, for another {} s: run `node-agent confirm` first, or give \
                 --confirm-within, too\n",
                waiting.seconds_left
            ));
        }
        self.read().await;
        if let Some(error) = &self.seen.error {
            return Answer::failed(format!(
                "nothing is known of the mesh, so nothing is written: {error}\n"
            ));
        }
        let observed = self.seen.observed.clone();
        let resolved = desired::resolve(&wishes.meshes, &observed);
        let earlier = self.pending().cloned();
        if let Err(answer) = self.note_before(&wishes, &resolved, &observed, how) {
            return answer;
        }
        // What is written from here on is of these wishes, also if the caller dies.
        let before = self.wishes.take(wishes);
        self.torn_down = false;
        let mut answer = Answer::done(String::new());
        let mut written = false;
        let mut tried = Vec::new();
        for (mesh, resolved) in &resolved {
            if self.stop.is_cancelled() {
                let _infallible = writeln!(answer.text, "{mesh}: nothing is written: the agent stops");
                answer.code = Code::Failed;
                continue;
            }
            written |= self.apply_one(mesh, resolved, &observed, how, &mut answer).await;
            if hindrance(resolved).is_none() {
                tried.push(mesh.clone());
            }
        }
        self.settle(earlier, how, written, before, &tried, &mut answer);
        self.start_anew();
        answer
    }

    /// The way back, on the disk before the first write.
    fn note_before(
        &mut self,
        wishes: &Wishes,
        resolved: &std::collections::BTreeMap<IfName, Resolved>,
        observed: &Observed,
        how: How,
    ) -> Result<(), Answer> {
        let now = self.clock.now();
        let mut meshes = self.pending().map(|pending| pending.meshes.clone()).unwrap_or_default();
        let since_ns = self.pending().map_or(nanos(now), |pending| pending.since_ns);
        let mut notes = Vec::new();
        for (mesh, resolved) in resolved {
            let plan = Plan::new(&observed.state, &resolved.goal);
            if hindrance(resolved).is_some() || plan.is_empty() {
                continue;
            }
            let undo = Undo {
                undo: plan.undo.clone(),
                before: differences::whole(mesh, &plan.undo, &observed.state),
                wish: wishes.digest(mesh).unwrap_or_default(),
            };
            match meshes.get_mut(mesh) {
                Some(first) => first.and_then(undo),
                None => {
                    meshes.insert(mesh.clone(), undo);
                }
            }
            notes.push((mesh.clone(), plan.undo));
        }
        let pending = Pending {
            boot_id: self.clock.boot_id.clone(),
            since_ns,
            deadline_ns: nanos(now + how.confirm_within.unwrap_or_default()),
            in_flight: true,
            meshes,
        };
        let Ok(ledger) = &mut self.ledger else {
            return Ok(());
        };
        let written = ledger.change(|entries| {
            if !notes.is_empty() {
                entries.pending = Some(pending);
            }
            for (mesh, undo) in &notes {
                entries.made.note(mesh, undo, &observed.facts);
            }
        });
        written.map_err(|error| {
            Answer::failed(format!(
                "nothing is written, since it could not be undone: {}\n",
                chain(&error)
            ))
        })
    }

    /// Whether anything was written.
    async fn apply_one(
        &mut self,
        mesh: &IfName,
        resolved: &Resolved,
        observed: &Observed,
        how: How,
        answer: &mut Answer,
    ) -> bool {
        let plan = Plan::new(&observed.state, &resolved.goal);
        if let Some(why) = hindrance(resolved) {
            answer.text += &text::plan(mesh, &plan, resolved);
            let _infallible = writeln!(answer.text, "{mesh}: nothing is written: {why}");
            answer.code = Code::Failed;
            return false;
        }
        if !resolved.missing.is_empty() {
            answer.code = Code::Failed;
        }
        let permit = Permit { recreate: how.recreate };
        let Some(report) = self.apply(mesh, &resolved.goal, permit).await else {
            let _infallible = writeln!(
                answer.text,
                "{mesh}: the kernel takes too long; run `node-agent plan` to see"
            );
            answer.code = Code::Failed;
            return true;
        };
        answer.text += &text::report(mesh, &report, resolved);
        if !report.is_met() {
            answer.code = Code::Failed;
        }
        !report.done.is_empty() || report.error.is_some()
    }

    /// The change is made: it waits to be confirmed, or it stands. What was rejected of the mesh interfaces that were `tried`
    /// was just asked for; of others nothing was done, so what was undone stays undone.
    fn settle(
        &mut self,
        earlier: Option<Pending>,
        how: How,
        written: bool,
        before: Wishes,
        tried: &[IfName],
        answer: &mut Answer,
    ) {
        self.remember(|entries| {
            match (how.confirm_within, written) {
                (Some(_), true) => {
                    if let Some(pending) = &mut entries.pending {
                        pending.in_flight = false;
                    }
                }
                _ => entries.pending = earlier,
            }
            for mesh in tried {
                entries.rejected.remove(mesh);
            }
        });
        match how.confirm_within {
            Some(within) if written => {
                self.before.get_or_insert(before);
                let _infallible = writeln!(
                    answer.text,
                    "Run `node-agent confirm` within {}, or it is undone.",
                    Span(within)
                );
            }
            Some(_) => answer.text += "Nothing was changed, so there is nothing to confirm.\n",
            None => self.before = None,
        }
    }

    /// The last change stays.
    pub fn confirm(&mut self) -> Answer {
        let Ok(ledger) = &mut self.ledger else {
            let why = self.ledger.as_ref().err().cloned().unwrap_or_default();
            return Answer::failed(format!("it cannot be confirmed: {why}\n"));
        };
        let Some(pending) = &ledger.entries().pending else {
            let undone = if ledger.entries().rejected.is_empty() {
                ""
            } else {
                ": the last change was undone"
            };
            return Answer::failed(format!("nothing waits to be confirmed{undone}\n"));
        };
        let meshes: Vec<String> = pending.meshes.keys().map(ToString::to_string).collect();
        if let Err(error) = ledger.change(|entries| entries.pending = None) {
            return Answer::failed(format!("it cannot be confirmed: {}\n", chain(&error)));
        }
        self.before = None;
        let meshes = meshes.join(", ");
        tracing::info!(meshes, "the last change is confirmed");
        Answer::done(format!("confirmed: {meshes}\n"))
    }

    /// Takes away what the agent made and sets back what it changed since the machine's start.
    pub async fn teardown(&mut self) -> Answer {
        let Ok(ledger) = &self.ledger else {
            let why = self.ledger.as_ref().err().cloned().unwrap_or_default();
            return Answer::failed(format!("nothing is written: {why}\n"));
        };
        let made = ledger.entries().made.clone();
        self.read().await;
        if let Some(error) = &self.seen.error {
            return Answer::failed(format!(
                "nothing is known of the mesh, so nothing is written: {error}\n"
            ));
        }
        self.torn_down = true;
        self.before = None;
        self.remember(|entries| (entries.pending, entries.rejected) = (None, [].into()));
        let mut answer = Answer::done(String::new());
        let meshes: Vec<IfName> = made.meshes().cloned().collect();
        if meshes.is_empty() {
            answer.text = "the agent changed nothing since the machine's start\n".to_owned();
        }
        for mesh in meshes {
            if self.stop.is_cancelled() {
                let _infallible = writeln!(answer.text, "{mesh}: left: the agent stops; run it again");
                answer.code = Code::Failed;
                continue;
            }
            let goal = made.teardown(&mesh, &self.seen.observed.facts);
            let permit = Permit { recreate: true };
            match self.apply(&mesh, &goal, permit).await {
                Some(report) => {
                    answer.text += &text::report(&mesh, &report, &Resolved::default());
                    if report.is_met() {
                        self.remember(|entries| entries.made.forget(&mesh));
                    } else {
                        answer.code = Code::Failed;
                    }
                }
                None => {
                    let _infallible = writeln!(answer.text, "{mesh}: the kernel takes too long; run it again");
                    answer.code = Code::Failed;
                }
            }
        }
        answer
    }

    /// Takes these wishes from now on: those of the agent's own file, also if another one was applied since.
    pub fn reload(&mut self, wishes: Wishes) -> Answer {
        if self.pending().is_some() {
            return Answer::failed("a change waits to be confirmed: reload after that\n".to_owned());
        }
        let mut answer = Answer::done("reloaded\n".to_owned());
        if self.wishes.needs_restart(&wishes) {
            tracing::warn!("only the mesh tables are read anew; restart to apply the others");
            answer.text = "the mesh tables are reloaded; restart to apply the others\n".to_owned();
        }
        self.wishes.take(wishes);
        (self.torn_down, self.went_back) = (false, false);
        self.start_anew();
        answer
    }
}

/// Why nothing of a mesh interface is applied.
fn hindrance(resolved: &Resolved) -> Option<String> {
    let owner = resolved.owner.as_ref().map(|owner| {
        format!(
            "{} owns the interface ({}): take it out there first",
            owner.manager,
            owner.file.display()
        )
    });
    let problem = (!resolved.problems.is_empty()).then(|| "see the problems above".to_owned());
    owner.or(problem)
}
