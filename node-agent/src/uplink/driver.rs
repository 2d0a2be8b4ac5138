//! Carries the session's messages: waits for an identity, dials, streams, and logs a line per transition.
//!
//! Runs until it is told to stop, whatever is missing. What it cannot deliver is the session's to keep or drop.

mod link;
mod status;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use mesh_proto::model::{Clock, Record, Snapshot};
use mesh_transport::{Dialer, IdentitySource, SpiffeId};
use nix::time::{ClockId, clock_gettime};
use rand::SeedableRng as _;
use rand::rngs::StdRng;
use tokio::sync::{mpsc, watch};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use self::link::{Event, Link};
pub use self::status::UplinkStatus;
use super::incarnation::IncarnationFile;
use super::session::{Close, HelloInfo, Input, Notice, Output, Session};
use super::wire;

/// A clock that says less has never been set: this software is younger.
const CLOCK_WAS_SET_AFTER: Duration = Duration::from_secs(1_700_000_000);

/// Where to report.
#[derive(Debug, Clone)]
pub struct Config {
    /// `host:port`, at least one. After a failure the next is tried; one that let us in is kept.
    pub addresses: Vec<String>,
    /// Who is to be found there.
    pub collector: SpiffeId,
    /// Keeps the number of this start.
    pub incarnation_file: PathBuf,
}

/// Reports until `shutdown`.
///
/// `snapshots`: the newest view, published at least once per interval, changed or not, since each publication is the sign
/// of life; `None` until there is one. `records`: what happened, each once. `status` is for people.
pub async fn run(
    config: Config,
    identity: IdentitySource,
    hello: HelloInfo,
    mut snapshots: watch::Receiver<Option<Arc<Snapshot>>>,
    mut records: mpsc::Receiver<Record>,
    status: watch::Sender<UplinkStatus>,
    shutdown: CancellationToken,
) {
    let file = IncarnationFile::new(config.incarnation_file);
    let raised = {
        let file = file.clone();
        tokio::task::spawn_blocking(move || file.raise()).await
    };
    let Ok(incarnation) = raised else { return };
    let mut rng = StdRng::from_os_rng();
    let mut session = Session::new(hello, incarnation, now(), &mut rng);
    let mut shell = Shell {
        dialer: Dialer::spiffe(identity.clone(), config.collector),
        identity,
        addresses: config.addresses,
        at: 0,
        file,
        status,
        link: Link::Idle,
        told: None,
    };
    let (mut publishing, mut recording) = (true, true);
    // One that is there already is news, too.
    snapshots.mark_changed();
    loop {
        let wakeup = session.wakeup();
        let mut batch = Vec::new();
        let input = tokio::select! {
            biased;
            () = shutdown.cancelled() => break,
            event = shell.link.next() => shell.input(event),
            changed = snapshots.changed(), if publishing => match changed {
                Ok(()) => snapshots.borrow_and_update().clone().map(|view| Input::Snapshot(view, clock())),
                Err(_) => { publishing = false; None }
            },
            count = records.recv_many(&mut batch, 256), if recording => {
                recording = count > 0;
                Some(Input::Records(batch))
            },
            () = sleep_until(wakeup) => Some(Input::Tick),
        };
        let mut next = input;
        while let Some(input) = next.take() {
            for output in session.handle(input, now(), &mut rng) {
                if let Some(failed) = shell.carry_out(output).await {
                    next = Some(failed);
                }
            }
        }
    }
    shell.link.finish().await;
}

/// The effects of one process's uplink.
struct Shell {
    dialer: Dialer,
    identity: IdentitySource,
    addresses: Vec<String>,
    /// The address to dial next, modulo their number.
    at: usize,
    file: IncarnationFile,
    status: watch::Sender<UplinkStatus>,
    link: Link,
    /// Why there is no connection, as it was logged last.
    told: Option<String>,
}

impl Shell {
    /// What an event of the link means to the session.
    fn input(&mut self, event: Event) -> Option<Input> {
        match event {
            Event::Identity => {
                self.dial();
                None
            }
            Event::Dialled(Ok(channel)) => {
                self.link = Link::open(channel);
                Some(Input::Dialled(clock()))
            }
            Event::Dialled(Err(error)) => Some(self.lost(wire::causes(&error))),
            Event::Opened => None,
            Event::Message(message) => match wire::input(message) {
                Ok(input) => input,
                Err(reject) => Some(self.lost(format!("the collector sent what cannot be believed: {reject}"))),
            },
            Event::Ended(None) => Some(self.lost("the collector ended the stream".to_owned())),
            Event::Ended(Some(status)) => {
                self.link = Link::Idle;
                Some(Input::Closed(wire::close(&status)))
            }
        }
    }

    /// Does what the session wants; a failure is its next input.
    async fn carry_out(&mut self, output: Output) -> Option<Input> {
        match output {
            Output::Dial if self.identity.status().usable => {
                self.dial();
                None
            }
            Output::Dial => {
                self.say(UplinkStatus::WaitingForIdentity);
                self.link = Link::wait_for(self.identity.clone());
                None
            }
            Output::Send(message) => (!self.link.send(wire::request(&message)))
                .then(|| self.lost("the connection takes no more messages".to_owned())),
            Output::Hangup => {
                self.link = Link::Idle;
                None
            }
            Output::KeepIncarnation(incarnation) => {
                let file = self.file.clone();
                // Err: the runtime is shutting down, and with it the need.
                tokio::task::spawn_blocking(move || file.save(incarnation)).await.ok();
                None
            }
            Output::Notice(notice) => {
                self.note(notice);
                None
            }
        }
    }

    fn address(&self) -> String {
        let at = self.at.checked_rem(self.addresses.len()).unwrap_or(0);
        self.addresses.get(at).cloned().unwrap_or_default()
    }

    fn dial(&mut self) {
        let address = self.address();
        self.say(UplinkStatus::Connecting {
            address: address.clone(),
        });
        self.link = Link::dial(self.dialer.clone(), address);
    }

    fn lost(&mut self, reason: String) -> Input {
        self.link = Link::Idle;
        Input::Closed(Close::Lost { reason })
    }

    fn note(&mut self, notice: Notice) {
        let address = self.address();
        match notice {
            Notice::Welcomed { protocol, lost_records } => {
                tracing::info!(%address, protocol, lost_records, "connected to the collector");
                self.told = None;
                self.say(UplinkStatus::Connected { address });
            }
            Notice::Lost { reason, wait } => {
                // Again and again for the same reason is one line.
                if self.told.as_ref() == Some(&reason) {
                    tracing::debug!(%address, reason, ?wait, "no connection to the collector");
                } else {
                    tracing::warn!(%address, reason, "no connection to the collector; trying on");
                    self.told = Some(reason.clone());
                }
                if !matches!(*self.status.borrow(), UplinkStatus::Connected { .. }) {
                    self.at = self.at.wrapping_add(1);
                }
                self.say(UplinkStatus::Resting { reason });
            }
            Notice::Drained { wait } => {
                tracing::info!(%address, ?wait, "the collector goes away; coming back");
                let reason = "the collector goes away".to_owned();
                self.say(UplinkStatus::Resting { reason });
            }
            Notice::Adopted { incarnation, .. } => {
                tracing::warn!(
                    incarnation,
                    "the collector knows later starts of this node than its disk does; going on after them"
                );
                let reason = "this node's count of starts was too low".to_owned();
                self.say(UplinkStatus::Resting { reason });
            }
            Notice::Rival { wait } => {
                tracing::error!(
                    ?wait,
                    "another agent uses this node's identity, or did since this one started: give each node its own, or \
                     restart this agent if the other is gone; keeping away for a while"
                );
                let reason = "another agent uses this node's identity".to_owned();
                self.say(UplinkStatus::Resting { reason });
            }
            Notice::FullSyncRequested { reason } => {
                tracing::debug!(reason, "the collector asked for a full view");
            }
            Notice::LosingRecords => {
                tracing::warn!("the collector has been away for too long: the oldest records are dropped");
            }
        }
    }

    fn say(&self, status: UplinkStatus) {
        if status == UplinkStatus::WaitingForIdentity {
            tracing::info!("the uplink waits for an identity");
        }
        self.status.send_replace(status);
    }
}

async fn sleep_until(wakeup: Option<std::time::Instant>) {
    match wakeup {
        Some(wakeup) => tokio::time::sleep_until(wakeup.into()).await,
        None => std::future::pending().await,
    }
}

fn now() -> std::time::Instant {
    Instant::now().into_std()
}

fn clock() -> Clock {
    let read = |id| {
        clock_gettime(id).map_or(Duration::ZERO, |time| {
            let seconds = u64::try_from(time.tv_sec()).unwrap_or(0);
            let nanos = u32::try_from(time.tv_nsec()).unwrap_or(0);
            Duration::new(seconds, nanos)
        })
    };
    let nanos = |time: Duration| u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
    let realtime = read(ClockId::CLOCK_REALTIME);
    Clock {
        boottime_ns: nanos(read(ClockId::CLOCK_BOOTTIME)),
        realtime_ns: (realtime > CLOCK_WAS_SET_AFTER).then(|| nanos(realtime)),
    }
}

#[cfg(test)]
mod tests;
