//! What could be better in the mesh, found in cycles and offered to operators. This release applies nothing.
//!
//! [`emulator`] knows how BATMAN_IV chooses, [`planner`] what to propose, `guard` what must not come of it; all three are
//! pure. [`run`] turns topology and time into cycles, [`Decisions`] answers for the latest one.

mod candidate;
mod convert;
pub mod decision;
pub mod emulator;
mod guard;
pub mod input;
pub mod memory;
pub mod planner;
pub mod policy;
pub mod report;
mod service;

use std::sync::Arc;
use std::time::SystemTime;

use tokio::sync::watch;
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;

pub use decision::{Decision, DecisionState};
pub use policy::Policy;
pub use service::Decisions;

use crate::metrics::Instruments;
use crate::topology::{Moment, TopologySnapshot};
use input::PlanningInput;
use memory::Memory;
use report::PlanningReport;

/// The outcome of the latest cycle.
#[derive(Debug, Clone, Default)]
pub struct Plan {
    /// When it ran; `None`: none has yet.
    pub time: Option<SystemTime>,
    /// Proposals, and those withdrawn lately, in the order of their causes.
    pub decisions: Vec<Decision>,
    /// Why there are no others.
    pub report: PlanningReport,
}

/// Plans once an interval until told to stop or until nobody writes the topology any more. Whoever listens to `plans`
/// sees the latest plan; missed ones are of no interest.
pub async fn run(
    topology: watch::Receiver<Arc<TopologySnapshot>>,
    policy: Policy,
    plans: watch::Sender<Arc<Plan>>,
    instruments: Arc<Instruments>,
    now: impl Fn() -> Moment,
    shutdown: CancellationToken,
) {
    let policy = Arc::new(policy);
    let mut memory = Memory::default();
    let mut tick = tokio::time::interval(policy.interval);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        // Cancel-safe: neither holds anything.
        tokio::select! {
            () = shutdown.cancelled() => return,
            _ = tick.tick() => {}
        }
        if topology.has_changed().is_err() {
            return;
        }
        let began = now();
        let (frozen, policy, at) = (Arc::clone(&topology.borrow()), Arc::clone(&policy), began.wall);
        let mut remembered = memory.clone();
        // A large mesh takes up to a second, which the runtime's own threads cannot spare.
        let cycle = tokio::task::spawn_blocking(move || {
            let input = PlanningInput::new(&frozen);
            let (decisions, report) = planner::plan(&input, &policy, &mut remembered, at);
            (
                remembered,
                Plan {
                    time: Some(at),
                    decisions,
                    report,
                },
            )
        });
        match cycle.await {
            Ok((remembered, plan)) => {
                memory = remembered;
                instruments.control_cycle(now().instant.saturating_duration_since(began.instant));
                let before = plans.send_replace(Arc::new(plan));
                tell(&before, &plans.borrow(), &instruments);
            }
            Err(error) => tracing::error!(%error, "planning cycle failed; its memory is as before"),
        }
    }
}

/// One line per proposal made, changed or withdrawn; each made or withdrawn is counted.
fn tell(before: &Plan, after: &Plan, instruments: &Instruments) {
    for decision in &after.decisions {
        let known = before.decisions.iter().find(|known| known.cause == decision.cause);
        if known.map(|known| known.state) != Some(decision.state) {
            let outcome = match decision.state {
                DecisionState::Proposed => "proposed",
                DecisionState::Withdrawn => "withdrawn",
            };
            instruments.decision("hop_penalty", outcome);
        }
        let generation = known.map(|known| known.generation);
        if generation != Some(decision.generation) {
            let id = decision.cause.decision_id();
            let state = decision.state;
            tracing::info!(%id, ?state, generation = decision.generation, summary = decision.summary(), "decision changed");
        }
    }
    if before.report != after.report {
        tracing::debug!(report = %after.report, "planning report");
    }
}
