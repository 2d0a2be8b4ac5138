//! The session with the collector, without the network: what to send when, over both lanes.
//!
//! ```text
//!           retry time            dialled: send Hello          Welcome
//!  Resting ───────────► Dialling ────────────────────► Greeting ───────► Open
//!     ▲                    │                              │               │
//!     └────────────────────┴────────── closed ────────────┴───────────────┘
//! ```
//!
//! Invariants: the live lane of each connection is a full sync, then deltas against what was sent last, numbered
//! without a gap from 1; at most `LIVE_WINDOW` (two) reports are unacknowledged, and while they are, only the newest view
//! is kept. The history lane waits for the first live acknowledgement. The wait before the next connection shrinks
//! again only after an acknowledgement.
//!
//! A report goes out for each view the application publishes, changed or not: it is the sign of life, and where the
//! application sees nothing any more there must be none.

mod live;
mod message;

use std::sync::Arc;
use std::time::{Duration, Instant};

use mesh_proto::convert::WelcomeTerms;
use mesh_proto::model::{Clock, Epoch, Record, Snapshot};
use mesh_transport::Backoff;
use rand::{Rng as _, RngCore};

use self::live::Live;
pub use self::message::{Close, HelloInfo, Input, Message, Notice, Output};
use super::outbox::Outbox;

/// Live reports under way: two, so that a long round trip costs no report.
pub(crate) const LIVE_WINDOW: u64 = 2;
/// Records kept while the collector is away.
pub(crate) const OUTBOX_CAPACITY: usize = 10_000;
/// Messages that can be under way at once: Hello, twice the live window (a request for a full view forgets one), and
/// the outbox in batches.
pub(crate) const MESSAGES: usize = 2 + 2 * LIVE_WINDOW as usize + OUTBOX_CAPACITY.div_ceil(BATCH);
/// Records in one message.
const BATCH: usize = 256;
/// A collector that says nothing for this long, while it owes an answer, is given up.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(60);
const BACKOFF_BASE: Duration = Duration::from_secs(1);
const BACKOFF_CAP: Duration = Duration::from_secs(120);
/// Two agents with one identity must not chase each other off.
const RIVAL_PAUSE: Duration = Duration::from_secs(600);

/// The state machine. Pure: time, randomness and everything else come in with [`Session::handle`].
#[derive(Debug)]
pub struct Session {
    hello: HelloInfo,
    /// `connection`: of the last that was begun.
    epoch: Epoch,
    phase: Phase,
    latest: Option<(Arc<Snapshot>, Clock)>,
    outbox: Outbox,
    /// Records lost before the last Welcome.
    lost_before: u64,
    /// It has been told that records are being lost.
    losing: bool,
    backoff: Backoff,
    ever_welcomed: bool,
    adopted: bool,
}

#[derive(Debug)]
enum Phase {
    Resting { until: Instant },
    Dialling,
    Greeting { since: Instant },
    Open(Open),
}

#[derive(Debug)]
struct Open {
    live: Live,
    records_window: u64,
    acknowledged: bool,
    /// When it last said anything, or began to owe an answer.
    heard: Instant,
}

impl Session {
    /// Of a process whose start has the number `incarnation`. The first connection is tried within a second: after a
    /// power cut all nodes start at once.
    pub fn new(hello: HelloInfo, incarnation: u64, now: Instant, rng: &mut dyn RngCore) -> Self {
        let mut backoff = Backoff::new(BACKOFF_BASE, BACKOFF_CAP);
        let until = now + backoff.next(rng);
        backoff.reset();
        Self {
            hello,
            epoch: Epoch {
                incarnation,
                connection: 0,
            },
            phase: Phase::Resting { until },
            latest: None,
            outbox: Outbox::new(OUTBOX_CAPACITY),
            lost_before: 0,
            losing: false,
            backoff,
            ever_welcomed: false,
            adopted: false,
        }
    }

    /// When [`Input::Tick`] is due, if nothing else comes first.
    pub fn wakeup(&self) -> Option<Instant> {
        match &self.phase {
            Phase::Resting { until } => Some(*until),
            Phase::Dialling => None,
            Phase::Greeting { since } => Some(*since + ANSWER_TIMEOUT),
            Phase::Open(open) => open.live.awaits_ack().then(|| open.heard + ANSWER_TIMEOUT),
        }
    }

    /// Takes what happened; answers what to do, in order.
    pub fn handle(&mut self, input: Input, now: Instant, rng: &mut dyn RngCore) -> Vec<Output> {
        let mut out = Vec::new();
        if let Phase::Open(open) = &mut self.phase
            && input.is_from_collector()
        {
            open.heard = now;
        }
        match input {
            Input::Snapshot(snapshot, clock) => {
                self.latest = Some((snapshot, clock));
                if let Phase::Open(open) = &mut self.phase {
                    open.live.news();
                }
            }
            Input::Records(records) => self.keep(records, &mut out),
            Input::Tick => self.tick(now, rng, &mut out),
            Input::Dialled(clock) => self.greet(clock, now, &mut out),
            Input::Welcome(terms) => self.welcome(&terms, now, &mut out),
            Input::LiveAck(sequence) => {
                if let Phase::Open(open) = &mut self.phase {
                    open.live.acknowledged(sequence);
                    open.acknowledged = true;
                    self.backoff.reset();
                }
            }
            Input::RecordsAck(sequence) => {
                if let Phase::Open(_) = &self.phase {
                    self.outbox.acknowledge(sequence);
                    self.backoff.reset();
                }
            }
            Input::FullSyncRequest { reason } => {
                if let Phase::Open(open) = &mut self.phase {
                    open.live.begin_again();
                    out.push(Output::Notice(Notice::FullSyncRequested { reason }));
                }
            }
            Input::Drain { after } => self.drain(after, now, rng, &mut out),
            Input::Closed(close) => self.closed(close, now, rng, &mut out),
        }
        self.pump(now, &mut out);
        out
    }

    /// Records the application gave and the collector will never get.
    pub fn lost_records(&self) -> u64 {
        self.outbox.lost()
    }

    fn keep(&mut self, records: Vec<Record>, out: &mut Vec<Output>) {
        for record in records {
            self.outbox.push(record);
        }
        // Once per outage, not per record.
        if self.outbox.lost() > self.lost_before && !self.losing {
            self.losing = true;
            out.push(Output::Notice(Notice::LosingRecords));
        }
    }

    fn tick(&mut self, now: Instant, rng: &mut dyn RngCore, out: &mut Vec<Output>) {
        if self.wakeup().is_none_or(|due| now < due) {
            return;
        }
        match &self.phase {
            Phase::Resting { .. } => {
                self.phase = Phase::Dialling;
                out.push(Output::Dial);
            }
            Phase::Dialling => {}
            Phase::Greeting { .. } | Phase::Open(_) => {
                out.push(Output::Hangup);
                let reason = format!("the collector said nothing for {ANSWER_TIMEOUT:?}");
                self.closed(Close::Lost { reason }, now, rng, out);
            }
        }
    }

    fn greet(&mut self, clock: Clock, now: Instant, out: &mut Vec<Output>) {
        if !matches!(self.phase, Phase::Dialling) {
            return;
        }
        self.epoch.connection += 1;
        self.phase = Phase::Greeting { since: now };
        out.push(Output::Send(Message::Hello(self.hello.at(self.epoch, clock))));
    }

    fn welcome(&mut self, terms: &WelcomeTerms, now: Instant, out: &mut Vec<Output>) {
        if !matches!(self.phase, Phase::Greeting { .. }) {
            return;
        }
        self.ever_welcomed = true;
        self.outbox.resume(terms.records_high_water);
        self.phase = Phase::Open(Open {
            live: Live::new(),
            records_window: terms.records_window.into(),
            acknowledged: false,
            heard: now,
        });
        let lost = self.outbox.lost();
        out.push(Output::Notice(Notice::Welcomed {
            protocol: terms.protocol,
            lost_records: lost - self.lost_before,
        }));
        self.lost_before = lost;
        self.losing = false;
    }

    fn drain(&mut self, after: Duration, now: Instant, rng: &mut dyn RngCore, out: &mut Vec<Output>) {
        if !matches!(self.phase, Phase::Greeting { .. } | Phase::Open(_)) {
            return;
        }
        let wait = after.saturating_add(BACKOFF_BASE.mul_f64(rng.random_range(0.0..=1.0)));
        self.rest(wait, now, out, |wait| Notice::Drained { wait });
        out.push(Output::Hangup);
    }

    fn closed(&mut self, close: Close, now: Instant, rng: &mut dyn RngCore, out: &mut Vec<Output>) {
        match close {
            // The driver reports the end of a connection that was hung up already.
            _ if matches!(self.phase, Phase::Resting { .. }) => {}
            Close::Lost { reason } => {
                let wait = self.backoff.next(rng);
                self.rest(wait, now, out, |wait| Notice::Lost { reason, wait });
            }
            Close::Outdated { newest: Some(newest) } if !self.ever_welcomed && !self.adopted => {
                // This node's number was lost or set back; nobody else is known to use the identity.
                self.adopted = true;
                self.epoch = Epoch {
                    incarnation: newest.saturating_add(1),
                    connection: 0,
                };
                let incarnation = self.epoch.incarnation;
                out.push(Output::KeepIncarnation(incarnation));
                let wait = self.backoff.next(rng);
                self.rest(wait, now, out, |wait| Notice::Adopted { incarnation, wait });
            }
            Close::Outdated { .. } => {
                let wait = RIVAL_PAUSE.mul_f64(rng.random_range(0.5..=1.0));
                self.rest(wait, now, out, |wait| Notice::Rival { wait });
            }
        }
    }

    fn rest(&mut self, wait: Duration, now: Instant, out: &mut Vec<Output>, notice: impl FnOnce(Duration) -> Notice) {
        self.phase = Phase::Resting { until: now + wait };
        out.push(Output::Notice(notice(wait)));
    }

    /// Sends whatever may go out now.
    fn pump(&mut self, now: Instant, out: &mut Vec<Output>) {
        let Phase::Open(open) = &mut self.phase else { return };
        if let Some((snapshot, clock)) = &self.latest {
            let owed = open.live.awaits_ack();
            if let Some(message) = open.live.next(snapshot, *clock) {
                if !owed {
                    open.heard = now;
                }
                out.push(Output::Send(message));
            }
        }
        if !open.acknowledged {
            return;
        }
        while let Some((first_sequence, records)) = self.outbox.take(open.records_window, BATCH) {
            out.push(Output::Send(Message::Records {
                first_sequence,
                records,
            }));
        }
    }
}

#[cfg(test)]
mod tests;
