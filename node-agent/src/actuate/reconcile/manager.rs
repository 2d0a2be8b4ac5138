//! What the agent knows and does about all mesh interfaces it manages, without tasks and channels: `run` and the commands
//! use the same.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::time::Duration;

use mesh_proto::model::{IfName, Record};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::clock::Clock;
use super::differences;
use super::wishes::Wishes;
use crate::actuate::apply::{Permit, Report, apply};
use crate::actuate::confirm::{Because, Due, due};
use crate::actuate::desired::{self, Resolved};
use crate::actuate::keeper::{Keeper, Outcome};
use crate::actuate::ledger::{Entries, Ledger, LedgerError};
use crate::actuate::plan::Plan;
use crate::actuate::{Goal, Kernel, Knob, Observed, ReadError, Setting};

/// For one mesh interface. Others wait meanwhile.
const APPLY_WITHIN: Duration = Duration::from_secs(20);
/// For one look at everything.
const READ_WITHIN: Duration = Duration::from_secs(10);

/// Reads, judges and writes. The one owner of the kernel, of the ledger and of what the keepers remember.
#[derive(Debug)]
pub struct Manager<K> {
    pub(super) kernel: K,
    pub(super) clock: Clock,
    pub(super) folder: PathBuf,
    pub(super) ledger: Result<Ledger, String>,
    pub(super) wishes: Wishes,
    /// What was wished before a change that is not confirmed.
    pub(super) before: Option<Wishes>,
    /// The wishes are no file's: what was undone is undone for the file still.
    pub(super) went_back: bool,
    pub(super) keepers: BTreeMap<IfName, Keeper>,
    pub(super) torn_down: bool,
    /// Ways back that were tried by this process.
    pub(super) tried: BTreeSet<IfName>,
    /// Ways back that this process has gone as far as they go.
    pub(super) walked: BTreeSet<IfName>,
    /// The last apply of these took too long; they come last.
    slow: BTreeSet<IfName>,
    pub(super) seen: Seen,
    pub(super) records: Vec<Record>,
    /// Told before each mesh interface that is written: the kernel may be slow, but this lives.
    pub(super) beats: Option<watch::Sender<()>>,
    /// Told to stop: the mesh interface at hand is finished, and no other begun.
    pub(super) stop: CancellationToken,
    ledger_fails: bool,
}

/// The last look.
#[derive(Debug, Default)]
pub(super) struct Seen {
    pub(super) observed: Observed,
    pub(super) resolved: BTreeMap<IfName, Resolved>,
    pub(super) error: Option<ReadError>,
}

/// What is to be written to one mesh interface.
#[derive(Debug)]
pub(super) struct Job {
    pub(super) mesh: IfName,
    pub(super) goal: Goal,
    pub(super) permit: Permit,
    /// What it is about, by setting.
    pub(super) write: BTreeMap<String, Knob>,
    /// It is a way back.
    pub(super) back: bool,
}

/// A look, and what follows from it.
#[derive(Debug, Default)]
pub struct Survey {
    jobs: Vec<Job>,
    /// When to look again at the latest, CLOCK_BOOTTIME.
    pub wake: Option<Duration>,
}

impl<K: Kernel> Manager<K> {
    /// Nothing is read yet. `folder` is `state.directory`.
    pub fn new(kernel: K, clock: Clock, folder: PathBuf, wishes: Wishes) -> Self {
        Self {
            kernel,
            clock,
            folder,
            ledger: Err("its ledger is not open yet".to_owned()),
            wishes,
            before: None,
            went_back: false,
            keepers: BTreeMap::new(),
            torn_down: false,
            tried: BTreeSet::new(),
            walked: BTreeSet::new(),
            slow: BTreeSet::new(),
            seen: Seen::default(),
            records: Vec::new(),
            beats: None,
            stop: CancellationToken::new(),
            ledger_fails: false,
        }
    }

    /// Takes the ledger and with it the right to write, if it is to be had.
    ///
    /// # Errors
    /// [`LedgerError`]; until it comes, nothing is written.
    pub fn take_ledger(&mut self) -> Result<(), LedgerError> {
        if self.ledger.is_ok() {
            return Ok(());
        }
        match Ledger::open(&self.folder, &self.clock.boot_id) {
            Ok(ledger) => {
                self.ledger = Ok(ledger);
                Ok(())
            }
            Err(error) => {
                self.ledger = Err(chain(&error));
                Err(error)
            }
        }
    }

    /// Lets another one have it. Nothing is written until it is taken again.
    pub fn release_ledger(&mut self) {
        self.ledger = Err("its ledger is released".to_owned());
    }

    /// A change waits to be confirmed.
    pub fn waits(&self) -> bool {
        self.pending().is_some()
    }

    /// What is in the ledger is to be undone now.
    pub fn is_due(&self, entries: &Entries) -> bool {
        let pending = entries.pending.as_ref();
        pending.is_some_and(|pending| {
            let due = due(pending, self.clock.now(), &self.clock.boot_id);
            matches!(due, Due::Undo(_))
        })
    }

    /// Undoes the change that waits, without waiting any longer. The ways back are still to be gone.
    pub fn give_up(&mut self) {
        if self.waits() {
            self.undo(Because::GivenUp);
        }
    }

    /// No way back is left to be gone.
    pub fn is_back(&self) -> bool {
        let mut rejected = self.ledger.iter().flat_map(|ledger| ledger.entries().rejected.values());
        rejected.all(|rejected| rejected.reached)
    }

    /// What happened since it was asked last, in order.
    pub fn take_records(&mut self) -> Vec<Record> {
        std::mem::take(&mut self.records)
    }

    /// Undoes a change whose time is up. Says when the next one's is.
    pub(super) fn undo_what_is_due(&mut self) -> Option<Duration> {
        let Ok(ledger) = &self.ledger else {
            return None;
        };
        let pending = ledger.entries().pending.as_ref()?;
        match due(pending, self.clock.now(), &self.clock.boot_id) {
            Due::Wait(until) => Some(until),
            Due::Undo(because) => {
                self.undo(because);
                None
            }
        }
    }

    /// From here on the way back is the wish; the next look goes it.
    fn undo(&mut self, because: Because) {
        tracing::warn!(why = because.text(), "the last change is undone");
        self.remember(Entries::reject_pending);
        if let Some(before) = self.before.take() {
            self.wishes = before;
            self.went_back = true;
        }
        self.start_anew();
    }

    /// Refusals and fights are forgotten.
    pub(super) fn start_anew(&mut self) {
        self.tried.clear();
        self.walked.clear();
        for keeper in self.keepers.values_mut() {
            keeper.start_anew();
        }
    }

    /// Reads and judges. Writes nothing to the kernel.
    pub async fn look(&mut self) -> Survey {
        let until = self.undo_what_is_due();
        self.read().await;
        if self.seen.error.is_some() {
            return Survey {
                wake: until,
                ..Survey::default()
            };
        }
        self.forget_what_is_over();
        let mut survey = Survey {
            wake: until,
            ..Survey::default()
        };
        let back = self.ways_back();
        for mesh in self.concerned() {
            let (job, wake) = self.judge(&mesh);
            survey.jobs.extend(job);
            survey.wake = [survey.wake, wake].into_iter().flatten().min();
        }
        self.tried.extend(back);
        survey.jobs.sort_by_key(|job| self.slow.contains(&job.mesh));
        survey
    }

    /// Goes the ways back that are due, and nothing else.
    pub async fn go_back(&mut self) {
        self.undo_what_is_due();
        // Once to go, once to see.
        for _ in 0..2 {
            let meshes = self.ways_back();
            if meshes.is_empty() {
                return;
            }
            self.read().await;
            if self.seen.error.is_some() {
                return;
            }
            let mut survey = Survey::default();
            for mesh in meshes {
                survey.jobs.extend(self.judge(&mesh).0);
            }
            self.carry_out(survey, |_| {}).await;
        }
    }

    /// Does what follows from a look, mesh interface by mesh interface. `between` is called after each. Told to stop, it
    /// leaves the others to the next start.
    pub async fn carry_out(&mut self, survey: Survey, mut between: impl FnMut(&mut Self)) {
        for job in survey.jobs {
            if self.stop.is_cancelled() {
                return;
            }
            let plan = Plan::new(&self.seen.observed.state, &job.goal);
            let facts = self.seen.observed.facts.clone();
            self.remember(|entries| entries.made.note(&job.mesh, &plan.undo, &facts));
            let report = self.apply(&job.mesh, &job.goal, job.permit).await;
            if job.back && report.as_ref().is_some_and(|report| report.error.is_none()) {
                self.walked.insert(job.mesh.clone());
            }
            let now = self.clock.now();
            let keeper = self.keepers.entry(job.mesh.clone()).or_default();
            let outcomes = job.write.iter().map(|(setting, knob)| {
                let outcome = match &report {
                    Some(report) => differences::outcome(knob, &job.goal, report),
                    None => Outcome::Failed(format!("it was not done within {} s", APPLY_WITHIN.as_secs())),
                };
                (setting.clone(), outcome)
            });
            let events = keeper.written(outcomes.collect::<Vec<_>>(), now);
            self.tell(&job.mesh, events);
            between(self);
        }
    }

    /// Brings one mesh interface to a goal and takes note of what came of it. `None`: it took too long.
    pub(super) async fn apply(&mut self, mesh: &IfName, goal: &Goal, permit: Permit) -> Option<Report> {
        self.beat();
        let done = tokio::time::timeout(APPLY_WITHIN, apply(&mut self.kernel, goal, permit)).await;
        let Ok(report) = done else {
            tracing::warn!(%mesh, "the kernel takes too long; the other mesh interfaces go on");
            self.slow.insert(mesh.clone());
            return None;
        };
        self.slow.remove(mesh);
        if let Some(after) = &report.after {
            self.seen.observed = after.clone();
            let facts = after.facts.clone();
            let existence = Knob::mesh(mesh, Setting::Algorithm);
            let made = report
                .done
                .iter()
                .any(|step| step.knob == existence && step.to.is_some());
            self.remember(|entries| entries.made.settle(mesh, made, &facts));
        }
        Some(report)
    }

    fn beat(&self) {
        if let Some(beats) = &self.beats {
            beats.send_replace(());
        }
    }

    pub(super) async fn read(&mut self) {
        self.beat();
        let read = match tokio::time::timeout(READ_WITHIN, self.kernel.read()).await {
            Ok(read) => read,
            Err(_) => Err(ReadError::TimedOut(READ_WITHIN.as_secs())),
        };
        match read {
            Ok(observed) => {
                self.seen.resolved = desired::resolve(&self.wishes.meshes, &observed);
                self.seen.observed = observed;
                if self.seen.error.take().is_some() {
                    tracing::info!("the kernel can be read again");
                }
            }
            Err(error) => {
                if self.seen.error.as_ref() != Some(&error) {
                    tracing::warn!(%error, "the managed mesh interfaces cannot be read");
                }
                self.seen.error = Some(error);
            }
        }
    }

    /// Changes the ledger, even if the disk does not take it: an undo must not wait for space.
    pub(super) fn remember(&mut self, change: impl FnOnce(&mut Entries)) {
        let Ok(ledger) = &mut self.ledger else {
            return;
        };
        match ledger.change_anyway(change) {
            Ok(()) => self.ledger_fails = false,
            Err(error) if !self.ledger_fails => {
                self.ledger_fails = true;
                let error = &error as &dyn std::error::Error;
                tracing::warn!(
                    error,
                    "the ledger cannot be written: what is done now is forgotten by a restart"
                );
            }
            Err(_) => {}
        }
    }
}

impl Survey {
    /// Something is to be written.
    pub fn writes(&self) -> bool {
        !self.jobs.is_empty()
    }
}

/// With its causes.
pub(super) fn chain(error: &(dyn std::error::Error + 'static)) -> String {
    let causes = std::iter::successors(Some(error), |error| error.source());
    causes.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}
