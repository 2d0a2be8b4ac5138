//! What goes into the session and what comes out of it.

use std::sync::Arc;
use std::time::Duration;

use mesh_proto::convert::WelcomeTerms;
use mesh_proto::model::hello::PROTOCOL;
use mesh_proto::model::{Clock, Delta, Epoch, Hello, Record, Snapshot};

/// What the agent says of itself; the same for all connections.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HelloInfo {
    /// For people.
    pub name: String,
    /// For people.
    pub site: String,
    /// Release of the agent.
    pub agent_version: String,
    /// Release of the kernel.
    pub kernel: String,
    /// Release of the batman-adv module; empty while it is not loaded.
    pub batman_adv: String,
    /// Tells one boot from another.
    pub boot_id: String,
    /// Time between two views that the application publishes.
    pub report_interval: Duration,
}

/// What happened.
#[derive(Debug, Clone)]
pub enum Input {
    /// The application has a new view, taken at this time.
    Snapshot(Arc<Snapshot>, Clock),
    /// Something happened in the mesh.
    Records(Vec<Record>),
    /// [`Session::wakeup`](super::Session::wakeup) has passed.
    Tick,
    /// A connection stands; the clock is for Hello.
    Dialled(Clock),
    /// The collector has let us in.
    Welcome(WelcomeTerms),
    /// A report has arrived, and all before it.
    LiveAck(u64),
    /// Records have arrived, up to this number.
    RecordsAck(u64),
    /// The collector needs a full view.
    FullSyncRequest {
        /// Why.
        reason: String,
    },
    /// The collector goes away.
    Drain {
        /// When to come back.
        after: Duration,
    },
    /// There is no connection, or no longer.
    Closed(Close),
}

/// Why there is no connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Close {
    /// Not reached, refused, broken.
    Lost {
        /// In words.
        reason: String,
    },
    /// The collector knows a session of this identity that is not older.
    Outdated {
        /// Its incarnation, if the collector said.
        newest: Option<u64>,
    },
}

/// What to do.
#[derive(Debug, Clone, PartialEq)]
pub enum Output {
    /// Open a connection; answer with [`Input::Dialled`] or [`Input::Closed`].
    Dial,
    /// To the collector.
    Send(Message),
    /// Drop the connection; no answer is expected.
    Hangup,
    /// Keep this number on the disk.
    KeepIncarnation(u64),
    /// For the log and the status.
    Notice(Notice),
}

/// What goes to the collector.
#[derive(Debug, Clone, PartialEq)]
pub enum Message {
    /// First of all.
    Hello(Hello),
    /// A whole view.
    FullSync {
        /// Its number.
        sequence: u64,
        /// When it was so.
        clock: Clock,
        /// The view.
        snapshot: Arc<Snapshot>,
    },
    /// What changed since the report before.
    Delta {
        /// Its number.
        sequence: u64,
        /// When it was so.
        clock: Clock,
        /// The change.
        delta: Delta,
    },
    /// What happened.
    Records {
        /// Number of the first.
        first_sequence: u64,
        /// The records, numbered without a gap.
        records: Vec<Record>,
    },
}

/// A transition worth a line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Notice {
    /// The collector has let us in.
    Welcomed {
        /// The protocol spoken.
        protocol: u32,
        /// Records lost since the last time.
        lost_records: u64,
    },
    /// There was no connection, or it broke.
    Lost {
        /// Why.
        reason: String,
        /// Until the next attempt.
        wait: Duration,
    },
    /// The collector goes away.
    Drained {
        /// Until the next attempt.
        wait: Duration,
    },
    /// The kept incarnation was lost; the collector knew better.
    Adopted {
        /// Taken now.
        incarnation: u64,
        /// Until the next attempt.
        wait: Duration,
    },
    /// Another agent uses this identity.
    Rival {
        /// Until the next attempt.
        wait: Duration,
    },
    /// The collector asked for a full view.
    FullSyncRequested {
        /// Why.
        reason: String,
    },
    /// The collector has been away for so long that the oldest records go.
    LosingRecords,
}

impl HelloInfo {
    pub(super) fn at(&self, epoch: Epoch, clock: Clock) -> Hello {
        Hello {
            protocol_min: *PROTOCOL.start(),
            protocol_max: *PROTOCOL.end(),
            features: Vec::new(),
            epoch,
            name: self.name.clone(),
            site: self.site.clone(),
            agent_version: self.agent_version.clone(),
            kernel: self.kernel.clone(),
            batman_adv: self.batman_adv.clone(),
            boot_id: self.boot_id.clone(),
            report_interval: self.report_interval,
            clock,
        }
    }
}

impl Input {
    pub(super) fn is_from_collector(&self) -> bool {
        matches!(
            self,
            Self::Welcome(_)
                | Self::LiveAck(_)
                | Self::RecordsAck(_)
                | Self::FullSyncRequest { .. }
                | Self::Drain { .. }
        )
    }
}
