//! Keeps the mesh as it is wished: one task that owns the kernel, the ledger and what is remembered of both.
//!
//! ```text
//! events ─┐                                ┌─► managed, managing (watch), records
//! asked  ─┼─► look: read, resolve, plan, judge ─► carry out: note, apply, take note ─┐
//! time   ─┘        ▲                                                                 │
//!                  └────────────────────────── once more, to see ◄───────────────────┘
//! ```
//!
//! Something changed in the kernel: 50 ms later it is looked at, at most five times a second. Nothing changed: it is looked
//! at every 30 s, in case nobody said so. The first look of all undoes what is left to be undone.
//!
//! Mesh interfaces are judged and written one by one, each with its own keeper and a time limit; one that took too long
//! comes last the next time. Told to stop, the task ends the mesh interface it is at and leaves the mesh as it is. Without the ledger's
//! lock it only reports, and asks for the lock at every look.

mod clock;
mod commands;
mod differences;
mod judge;
mod manager;
mod standing;
mod wishes;

use std::collections::BTreeMap;
use std::time::Duration;

use mesh_proto::model::{IfName, Managed, Record};
use tokio::sync::{mpsc, watch};
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use super::Kernel;
use super::linux::Events;
use crate::control::{Answer, Asked, Request, Written};
use crate::status::Managing;

pub use clock::Clock;
pub use commands::How;
pub use manager::{Manager, Survey};
pub use wishes::Wishes;

/// Changes seldom come alone.
const COALESCE: Duration = Duration::from_millis(50);
/// Between two looks, whatever is heard.
const LEAST_BETWEEN: Duration = Duration::from_millis(200);
/// Between two looks, if nothing is heard.
const MOST_BETWEEN: Duration = Duration::from_secs(30);
/// What was written is looked at once more.
const SEE_AGAIN: Duration = Duration::from_millis(500);
/// Without sockets to hear changes; looking every [`MOST_BETWEEN`] goes on.
const EVENTS_AGAIN: Duration = Duration::from_secs(10);
/// For whoever watches that the task lives.
const BEAT: Duration = Duration::from_secs(5);

/// What goes in and out.
#[derive(Debug)]
pub struct Channels {
    /// Something changed in the kernel. One of them waiting says it all.
    pub events: mpsc::Receiver<()>,
    /// From the control socket.
    pub asked: mpsc::Receiver<Asked>,
    /// For the collector.
    pub managed: watch::Sender<BTreeMap<IfName, Managed>>,
    /// For `status`.
    pub managing: watch::Sender<Managing>,
    /// Drift, for the collector; dropped if it does not fit, since the state says the same.
    pub records: mpsc::Sender<Record>,
    /// Sent on again and again while the task lives.
    pub beats: watch::Sender<()>,
}

/// Keeps it so until `stop`.
pub async fn run<K: Kernel>(mut manager: Manager<K>, mut channels: Channels, stop: CancellationToken) {
    let mut locked_out = false;
    manager.beats = Some(channels.beats.clone());
    manager.stop = stop.clone();
    loop {
        if let Err(error) = manager.take_ledger() {
            if !locked_out {
                let error = &error as &dyn std::error::Error;
                tracing::warn!(error, "nothing is written to the mesh for now");
            }
            locked_out = true;
        } else if std::mem::take(&mut locked_out) {
            tracing::info!("the mesh can be written to again");
        }
        let wake = look(&mut manager, &mut channels).await;
        if !wait(&mut manager, &mut channels, wake, &stop).await || stop.is_cancelled() {
            return;
        }
    }
}

/// Until when to wait, CLOCK_BOOTTIME.
async fn look<K: Kernel>(manager: &mut Manager<K>, channels: &mut Channels) -> Duration {
    channels.beats.send_replace(());
    let survey = manager.look().await;
    let wake = survey.wake;
    let writes = survey.writes();
    channels.publish(manager);
    manager.carry_out(survey, |manager| channels.publish(manager)).await;
    let now = manager.clock.now();
    let latest = now + if writes { SEE_AGAIN } else { MOST_BETWEEN };
    wake.map_or(latest, |wake| wake.clamp(now, latest))
}

/// Until there is reason to look. False: told to stop.
async fn wait<K: Kernel>(
    manager: &mut Manager<K>,
    channels: &mut Channels,
    until: Duration,
    stop: &CancellationToken,
) -> bool {
    let since = manager.clock.now();
    loop {
        let left = until.saturating_sub(manager.clock.now());
        channels.beats.send_replace(());
        // Cancel-safe: receiving and sleeping are, and an answer is given before the next turn.
        tokio::select! {
            biased;
            () = stop.cancelled() => return false,
            Some((request, to)) = channels.asked.recv() => {
                let answer = manager.answer(request).await;
                channels.publish(manager);
                if to.send(answer).is_err() {
                    tracing::debug!("who asked is gone; it was done all the same");
                }
                return true;
            }
            Some(()) = channels.events.recv() => {
                let early = LEAST_BETWEEN.saturating_sub(manager.clock.now().saturating_sub(since));
                sleep(COALESCE.max(early)).await;
                while channels.events.try_recv().is_ok() {}
                return true;
            }
            () = sleep(left.min(BEAT)) => {
                if left <= BEAT {
                    return true;
                }
                // What is left of a hold or of the time to confirm goes on.
                channels.publish(manager);
            }
        }
    }
}

/// Hears changes in the kernel and passes on that there were some. Ends when nobody listens.
pub async fn hear(events: mpsc::Sender<()>) {
    let mut heard = loop {
        match Events::open() {
            Ok(heard) => break heard,
            Err(error) => tracing::warn!(%error, "changes in the kernel are not heard"),
        }
        sleep(EVENTS_AGAIN).await;
    };
    loop {
        let change = tokio::select! {
            () = events.closed() => return,
            change = heard.next() => change,
        };
        tracing::trace!(?change, "heard");
        // Full: a look is about to come.
        if let Err(mpsc::error::TrySendError::Closed(())) = events.try_send(()) {
            return;
        }
    }
}

impl Channels {
    fn publish<K: Kernel>(&mut self, manager: &mut Manager<K>) {
        let changed = |managed: &mut BTreeMap<IfName, Managed>| {
            let now = manager.managed();
            let changed = *managed != now;
            *managed = now;
            changed
        };
        self.managed.send_if_modified(changed);
        self.managing.send_replace(manager.managing());
        for record in manager.take_records() {
            if self.records.try_send(record).is_err() {
                tracing::debug!("an event of drift is dropped: their queue is full");
            }
        }
    }
}

impl<K: Kernel> Manager<K> {
    /// Does what was asked.
    pub async fn answer(&mut self, request: Request) -> Answer {
        let parsed = |config: &Written| {
            Wishes::parse(&config.path, &config.text).map_err(|error| Answer::config(format!("{error}\n")))
        };
        match request {
            Request::Plan { config } => match parsed(&config) {
                Ok(wishes) => self.plan(&wishes).await,
                Err(answer) => answer,
            },
            Request::Apply {
                config,
                recreate,
                confirm_within_ms,
            } => {
                let how = How {
                    recreate,
                    confirm_within: confirm_within_ms.map(Duration::from_millis),
                };
                match parsed(&config) {
                    Ok(wishes) => {
                        self.go_back().await;
                        self.apply_wishes(wishes, how).await
                    }
                    Err(answer) => answer,
                }
            }
            Request::Confirm => {
                self.go_back().await;
                self.confirm()
            }
            Request::Teardown => self.teardown().await,
            Request::Reload => match Wishes::load(&self.wishes.path) {
                Ok(wishes) => self.reload(wishes),
                Err(error) => Answer::config(format!("{}; the earlier tables stay in use\n", manager::chain(&error))),
            },
            Request::Status => Answer::failed("the status is answered by the agent itself\n".to_owned()),
        }
    }
}

#[cfg(test)]
mod tests;
