//! One agent's stream, without the stream: what each message means, in the order they come.
//!
//! ```text
//!            Hello, newer than all before            FullSync                     next Delta
//!  Waiting ───────────────────────────────► Unsynced ─────────► Synced(sequence) ───────────┐
//!     │                                         ▲                    │   ▲                  │
//!     │ anything else                           └────────────────────┘   └──────────────────┘
//!     ▼                                          a Delta out of order,
//!    end                                         or for another view: FullSyncRequest, gap
//! ```
//!
//! Once a newer session of the node has begun, whatever comes ends this one. Does not: authenticate, convert or send.

use std::sync::Arc;

use mesh_proto::convert::{Reject, WelcomeTerms, within_limits};
use mesh_proto::model::hello::PROTOCOL;
use mesh_proto::model::{Clock, Delta, Epoch, Hello, NodeId, Record, Snapshot};

use super::ledger::{Ledger, Outdated};
use crate::topology::{SessionFacts, TopologyEvent};

/// Records an agent may have unacknowledged. Each batch is acknowledged when it arrives, so this only bounds what is
/// sent twice after a broken stream.
pub const RECORDS_WINDOW: u32 = 1_024;

/// A message of the agent, valid in itself.
#[derive(Debug, Clone, PartialEq)]
pub enum Input {
    /// Who speaks.
    Hello(Hello),
    /// A whole view.
    FullSync {
        /// Its number.
        sequence: u64,
        /// When it was so.
        clock: Option<Clock>,
        /// The view.
        view: Snapshot,
    },
    /// What changed since.
    Delta {
        /// Its number: one more than the last.
        sequence: u64,
        /// When it was so.
        clock: Option<Clock>,
        /// The change.
        delta: Delta,
    },
    /// A batch of records.
    Records {
        /// Number of the first.
        first: u64,
        /// How many, those of unknown kind among them.
        count: u64,
        /// Those of known kind, with their numbers.
        known: Vec<(u64, Record)>,
    },
    /// A kind of message this release does not know.
    Unknown,
}

/// What comes of a message.
#[derive(Debug, Clone)]
pub enum Output {
    /// To the agent: let in.
    Welcome(WelcomeTerms),
    /// To the agent: this report has arrived.
    LiveAck(u64),
    /// To the agent: records up to this have arrived.
    RecordsAck(u64),
    /// To the agent: begin again with a whole view.
    FullSyncRequest(&'static str),
    /// To the topology.
    Event(TopologyEvent),
}

/// Why a stream ends.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum End {
    /// Out of order.
    #[error("the first message must be hello")]
    NoHello,
    /// Out of order.
    #[error("hello may only come once")]
    SecondHello,
    /// No common language.
    #[error(
        "this collector speaks protocol {} to {}, the agent {min} to {max}: bring the older one up to date",
        PROTOCOL.start(), PROTOCOL.end()
    )]
    Protocol {
        /// Oldest the agent speaks.
        min: u32,
        /// Newest the agent speaks.
        max: u32,
    },
    /// Refused at once.
    #[error(
        "this node's newest session is incarnation {}, connection {}: an older or equal one is not let in",
        .newest.incarnation, .newest.connection
    )]
    Outdated {
        /// The greatest epoch known.
        newest: Epoch,
    },
    /// Ended later.
    #[error("a newer session of this node exists")]
    Fenced,
    /// Not to be believed.
    #[error(transparent)]
    Malformed(#[from] Reject),
}

/// One stream.
#[derive(Debug)]
pub struct Session {
    node: NodeId,
    spiffe_id: String,
    stage: Stage,
}

#[derive(Debug)]
enum Stage {
    Waiting,
    Open { facts: Arc<SessionFacts>, live: Live },
}

#[derive(Debug)]
enum Live {
    /// No view yet, or none that can be trusted.
    Unsynced {
        /// The agent has been told so.
        asked: bool,
    },
    Synced {
        sequence: u64,
        view: Arc<Snapshot>,
    },
}

// === impl Session ===

impl Session {
    /// A stream of the peer with this id.
    pub fn new(node: NodeId, spiffe_id: String) -> Self {
        Self {
            node,
            spiffe_id,
            stage: Stage::Waiting,
        }
    }

    /// Whose stream it is.
    pub fn node(&self) -> &NodeId {
        &self.node
    }

    /// Known once Hello has been accepted.
    pub fn facts(&self) -> Option<&Arc<SessionFacts>> {
        match &self.stage {
            Stage::Waiting => None,
            Stage::Open { facts, .. } => Some(facts),
        }
    }

    /// Takes a message.
    ///
    /// # Errors
    /// [`End`]: the stream is over.
    pub fn handle(&mut self, input: Input, ledger: &mut Ledger) -> Result<Vec<Output>, End> {
        match (&mut self.stage, input) {
            (Stage::Waiting, Input::Hello(hello)) => self.open(hello, ledger),
            (Stage::Waiting, _) => Err(End::NoHello),
            (Stage::Open { facts, .. }, _) if !ledger.is_current(&facts.node, facts.hello.epoch) => Err(End::Fenced),
            (Stage::Open { .. }, Input::Hello(_)) => Err(End::SecondHello),
            (Stage::Open { .. }, Input::Unknown) => Ok(Vec::new()),
            (Stage::Open { facts, live }, Input::FullSync { sequence, clock, view }) => {
                Ok(live.full_sync(facts, sequence, clock, view))
            }
            (Stage::Open { facts, live }, Input::Delta { sequence, clock, delta }) => {
                live.delta(facts, sequence, clock, &delta)
            }
            (Stage::Open { facts, .. }, Input::Records { first, count, known }) => {
                let arrival = ledger
                    .records(&facts.node, facts.hello.epoch, first, count)
                    .ok_or(End::Fenced)?;
                // What was under way when a stream broke comes again.
                let new = known.into_iter().filter(|(number, _)| *number > arrival.before);
                let records: Vec<_> = new.map(|(_, record)| record).collect();
                let recorded = (!records.is_empty()).then(|| {
                    Output::Event(TopologyEvent::Recorded {
                        session: Arc::clone(facts),
                        records,
                    })
                });
                let gap = arrival
                    .gap
                    .then(|| Output::Event(TopologyEvent::Gap(Arc::clone(facts))));
                let ack = Output::RecordsAck(arrival.high_water);
                Ok(gap.into_iter().chain(recorded).chain([ack]).collect())
            }
        }
    }

    fn open(&mut self, hello: Hello, ledger: &mut Ledger) -> Result<Vec<Output>, End> {
        let (min, max) = (hello.protocol_min, hello.protocol_max);
        let protocol = max.min(*PROTOCOL.end());
        if protocol < min.max(*PROTOCOL.start()) {
            return Err(End::Protocol { min, max });
        }
        let records_high_water = ledger
            .open(&self.node, hello.epoch)
            .map_err(|Outdated { newest }| End::Outdated { newest })?;
        let facts = Arc::new(SessionFacts {
            node: self.node.clone(),
            spiffe_id: self.spiffe_id.clone(),
            hello,
        });
        let opened = TopologyEvent::Opened(Arc::clone(&facts));
        self.stage = Stage::Open {
            facts,
            live: Live::Unsynced { asked: false },
        };
        let terms = WelcomeTerms {
            protocol,
            // None is defined yet.
            features: Vec::new(),
            records_window: RECORDS_WINDOW,
            records_high_water,
        };
        Ok(vec![Output::Event(opened), Output::Welcome(terms)])
    }
}

// === impl Live ===

impl Live {
    fn full_sync(
        &mut self,
        facts: &Arc<SessionFacts>,
        sequence: u64,
        clock: Option<Clock>,
        view: Snapshot,
    ) -> Vec<Output> {
        let gap = match self {
            // A gap was counted when it was found.
            Self::Unsynced { .. } => false,
            Self::Synced { sequence: last, .. } => last.checked_add(1) != Some(sequence),
        };
        let gap = gap.then(|| Output::Event(TopologyEvent::Gap(Arc::clone(facts))));
        let view = Arc::new(view);
        let arrived = reported(facts, sequence, clock, &view);
        *self = Self::Synced { sequence, view };
        gap.into_iter().chain(arrived).collect()
    }

    fn delta(
        &mut self,
        facts: &Arc<SessionFacts>,
        sequence: u64,
        clock: Option<Clock>,
        delta: &Delta,
    ) -> Result<Vec<Output>, End> {
        let problem = match self {
            Self::Unsynced { asked: true } => return Ok(Vec::new()),
            Self::Unsynced { asked: false } => "a delta came before any full view",
            Self::Synced { sequence: last, .. } if last.checked_add(1) != Some(sequence) => "deltas are missing",
            Self::Synced { sequence: last, view } => match delta.apply(Arc::make_mut(view)) {
                Ok(()) => {
                    // Each delta is bounded; many of them must be, too.
                    within_limits(view)?;
                    *last = sequence;
                    return Ok(reported(facts, sequence, clock, view).into());
                }
                Err(_) => "a delta was made for another view",
            },
        };
        *self = Self::Unsynced { asked: true };
        Ok(vec![
            Output::Event(TopologyEvent::Gap(Arc::clone(facts))),
            Output::FullSyncRequest(problem),
        ])
    }
}

fn reported(facts: &Arc<SessionFacts>, sequence: u64, clock: Option<Clock>, view: &Arc<Snapshot>) -> [Output; 2] {
    let event = TopologyEvent::Reported {
        session: Arc::clone(facts),
        view: Arc::clone(view),
        clock,
    };
    [Output::Event(event), Output::LiveAck(sequence)]
}

#[cfg(test)]
mod tests;
