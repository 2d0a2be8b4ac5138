//! The topology's one writer: applies events as they come, hands out snapshots at a bounded pace.
//!
//! A burst of events costs one snapshot, and a lone event waits for none. What came of each event goes to the log and into
//! the history.

use std::sync::Arc;
use std::time::Duration;

use mesh_proto::model::Event;
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, MissedTickBehavior};

use super::{Changes, Happening, Moment, Topology, TopologyEvent, TopologySnapshot};
use crate::history::History;

/// Two snapshots are at least this far apart: within the 50 ms from receipt to sight that are promised, with room for
/// the work itself.
const PACE: Duration = Duration::from_millis(20);
/// Silence is judged this often.
const TICK: Duration = Duration::from_secs(1);
/// Events applied between two looks at the clock.
const BATCH: usize = 256;

/// Runs until all senders of events are gone.
pub async fn run(
    mut events: mpsc::Receiver<TopologyEvent>,
    snapshots: watch::Sender<Arc<TopologySnapshot>>,
    history: History,
    now: impl Fn() -> Moment,
) {
    let mut topology = Topology::default();
    let mut tick = tokio::time::interval(TICK);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut batch = Vec::with_capacity(BATCH);
    let mut due = Instant::now();
    loop {
        // Cancel-safe: recv_many takes nothing when it loses, the others hold nothing.
        tokio::select! {
            received = events.recv_many(&mut batch, BATCH) => if received == 0 {
                return;
            },
            _ = tick.tick() => batch.push(TopologyEvent::Tick),
            () = tokio::time::sleep_until(due), if topology.is_dirty() => {}
        }
        for event in batch.drain(..) {
            let now = now();
            let changes = topology.apply(event, now);
            history.note(&changes, now);
            log(changes);
        }
        if topology.is_dirty() && due <= Instant::now() {
            snapshots.send_replace(Arc::new(topology.snapshot(now())));
            due = Instant::now() + PACE;
        }
    }
}

fn log(changes: Changes) {
    for node in changes.joined {
        tracing::info!(%node, "node joined");
    }
    for (node, state) in changes.turned {
        tracing::info!(%node, ?state, "node changed its state");
    }
    for node in changes.left {
        tracing::info!(%node, "node forgotten after long silence");
    }
    for contest in changes.contested {
        tracing::warn!(
            mesh = %contest.mesh, address = %contest.address, holder = %contest.holder, claimant = %contest.claimant,
            "two nodes claim one address"
        );
    }
    for happening in changes.happened {
        log_happening(&happening);
    }
}

/// Churn is counted and kept; here are told the events that somebody may have to act on.
fn log_happening(happening: &Happening) {
    let (node, mesh) = (&happening.node, happening.mesh.as_ref().map(tracing::field::display));
    match &happening.event {
        Event::ConfigDrift {
            mesh_ifname,
            setting,
            wanted,
            in_force,
            action,
        } => tracing::warn!(
            %node, mesh, %mesh_ifname, setting, wanted, in_force, action = action.as_str(),
            "a setting was not as configured"
        ),
        Event::GatewaySilent {
            mesh_ifname,
            orig_address,
            silent: true,
            last_seen_msecs,
            ..
        } => tracing::warn!(%node, mesh, %mesh_ifname, %orig_address, last_seen_msecs, "a node's gateway is silent"),
        Event::GatewaySilent {
            mesh_ifname,
            orig_address,
            given_up,
            last_seen_msecs,
            ..
        } => tracing::info!(
            %node, mesh, %mesh_ifname, %orig_address, given_up, last_seen_msecs,
            "a node's silent gateway is heard again, or given up"
        ),
        Event::PathSwitch { .. } | Event::AdjacencyChange { .. } => {}
    }
}
