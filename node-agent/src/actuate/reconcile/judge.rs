//! What to do about one mesh interface after a look, and who is told of it.

use std::collections::BTreeSet;
use std::time::Duration;

use mesh_proto::model::{DriftAction, Event, IfName, Record};

use super::clock::nanos;
use super::differences;
use super::manager::{Job, Manager};
use crate::actuate::apply::Permit;
use crate::actuate::keeper::{Action, Drift, Stance};
use crate::actuate::ledger::{Pending, Rejected};
use crate::actuate::plan::Plan;
use crate::actuate::{Goal, Kernel};
use crate::config::Policy;

/// What one mesh interface is to be brought to.
struct Aim {
    goal: Goal,
    stance: Stance,
    permit: Permit,
    /// It is a way back.
    back: bool,
}

impl<K: Kernel> Manager<K> {
    /// Mesh interfaces with a wish or with a way back.
    pub(super) fn concerned(&self) -> BTreeSet<IfName> {
        let back = self.ledger.iter().flat_map(|ledger| ledger.entries().rejected.keys());
        self.wishes.meshes.keys().chain(back).cloned().collect()
    }

    /// Ways back that are still to be gone.
    pub(super) fn ways_back(&self) -> Vec<IfName> {
        let rejected = self.ledger.iter().flat_map(|ledger| &ledger.entries().rejected);
        let left = rejected.filter(|(_, rejected)| !rejected.reached);
        left.map(|(mesh, _)| mesh.clone()).collect()
    }

    /// Ways back that were gone, or at least tried, and the file says something else; keepers of what is nobody's wish.
    pub(super) fn forget_what_is_over(&mut self) {
        let over = |(mesh, rejected): (&IfName, &Rejected)| {
            let other = self.wishes.digest(mesh).as_ref() != Some(&rejected.undo.wish);
            let gone = rejected.reached || self.tried.contains(mesh);
            (other && gone && !self.went_back).then(|| mesh.clone())
        };
        let rejected = self.ledger.iter().flat_map(|ledger| &ledger.entries().rejected);
        let over: BTreeSet<_> = rejected.filter_map(over).collect();
        if !over.is_empty() {
            self.remember(|entries| entries.rejected.retain(|mesh, _| !over.contains(mesh)));
        }
        let concerned = self.concerned();
        self.keepers.retain(|mesh, _| concerned.contains(mesh));
    }

    /// Judges one mesh interface: what is to be written now, and when to look again.
    pub(super) fn judge(&mut self, mesh: &IfName) -> (Option<Job>, Option<Duration>) {
        let aim = self.aim(mesh);
        let observed = &self.seen.observed;
        let plan = Plan::new(&observed.state, &aim.goal);
        let mut differences = differences::of_goal(&aim.goal, &plan, observed, aim.permit.recreate);
        if aim.back {
            // Members that are not there cannot be waited for.
            if plan.is_empty() {
                self.remember(|entries| {
                    if let Some(rejected) = entries.rejected.get_mut(mesh) {
                        rejected.reached = true;
                    }
                });
            }
        } else if let Some(resolved) = self.seen.resolved.get(mesh) {
            differences.extend(differences::beside(resolved));
        }
        let now = self.clock.now();
        let keeper = self.keepers.entry(mesh.clone()).or_default();
        let verdict = keeper.look(&differences, aim.stance, now);
        self.tell(mesh, verdict.events);
        let job = (!verdict.write.is_empty()).then(|| Job {
            mesh: mesh.clone(),
            goal: differences::without(&aim.goal, &verdict.hold),
            permit: aim.permit,
            write: verdict.write,
            back: aim.back,
        });
        (job, verdict.wake)
    }

    fn aim(&self, mesh: &IfName) -> Aim {
        let policy = self.wishes.meshes.get(mesh).map(|wish| wish.policy).unwrap_or_default();
        let by_policy = match policy {
            Policy::Enforce => Stance::Enforce,
            Policy::Report => Stance::Report,
        };
        if let Some(rejected) = self.rejected(mesh) {
            // Gone once whatever the policy. What could not be reached then is as any other difference.
            let first = !(rejected.reached || self.walked.contains(mesh));
            return Aim {
                goal: rejected.goal(&self.clock.boot_id).clone(),
                stance: if first { Stance::Enforce } else { by_policy },
                permit: Permit { recreate: first },
                back: true,
            };
        }
        let resolved = self.seen.resolved.get(mesh);
        let hindered = resolved.is_some_and(|resolved| resolved.owner.is_some() || !resolved.problems.is_empty());
        let idle = self.ledger.is_err() || self.torn_down || hindered || self.waits_for_another(mesh);
        Aim {
            goal: resolved.map(|resolved| resolved.goal.clone()).unwrap_or_default(),
            stance: if idle { Stance::Report } else { by_policy },
            permit: Permit::default(),
            back: false,
        }
    }

    /// The way back, if it is what stands for the wish now.
    pub(super) fn rejected(&self, mesh: &IfName) -> Option<&Rejected> {
        let rejected = self.ledger.as_ref().ok()?.entries().rejected.get(mesh)?;
        let same = self.wishes.digest(mesh).as_ref() == Some(&rejected.undo.wish);
        let tried = self.tried.contains(mesh) && !self.went_back;
        (same || !(rejected.reached || tried)).then_some(rejected)
    }

    pub(super) fn pending(&self) -> Option<&Pending> {
        self.ledger.as_ref().ok()?.entries().pending.as_ref()
    }

    /// A change for another wish is not confirmed: what will be wished is not known yet.
    pub(super) fn waits_for_another(&self, mesh: &IfName) -> bool {
        let changed = self.pending().and_then(|pending| pending.meshes.get(mesh));
        changed.is_some_and(|undo| self.wishes.digest(mesh).as_ref() != Some(&undo.wish))
    }

    /// One log line and one record each.
    pub(super) fn tell(&mut self, mesh: &IfName, events: Vec<Drift>) {
        for event in events {
            let Drift {
                setting,
                wanted,
                in_force,
                action,
            } = &event;
            let action = match action {
                Action::Reported => {
                    tracing::warn!(%mesh, setting, wanted, in_force, "not as configured");
                    DriftAction::Reported
                }
                Action::PutRight => {
                    tracing::info!(%mesh, setting, wanted, in_force, "was not as configured and was put right");
                    DriftAction::PutRight
                }
                Action::HeldBack(span) => {
                    let seconds = span.as_secs();
                    tracing::warn!(
                        %mesh, setting, wanted, in_force, seconds,
                        "held back for a while: somebody else sets it again and again"
                    );
                    DriftAction::HeldBack
                }
                Action::Refused(why) => {
                    tracing::warn!(%mesh, setting, wanted, in_force, why, "not as configured, and could not be put right");
                    DriftAction::Refused
                }
                Action::Gone => {
                    tracing::info!(%mesh, setting, wanted, "as configured again");
                    continue;
                }
            };
            self.records.push(Record {
                boottime_ns: nanos(self.clock.now()),
                event: Event::config_drift(mesh.clone(), setting, wanted, in_force, action),
            });
        }
    }
}
