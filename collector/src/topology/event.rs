//! What can happen to the topology, and what came of it.

use std::sync::Arc;
use std::time::{Instant, SystemTime};

use mesh_proto::model::{Clock, Event, Hello, MacAddr, MeshId, NodeId, Record, Snapshot};

use super::NodeState;

/// One instant, by both clocks: ages are taken by the first, people are told the second.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Moment {
    /// Never goes back.
    pub instant: Instant,
    /// May be set at any time.
    pub wall: SystemTime,
}

/// Who speaks: established once, when the session opens. Each event carries it, so that a node forgotten after long
/// silence is known again with its next word.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SessionFacts {
    /// From the certificate, never from a message.
    pub node: NodeId,
    /// The whole id.
    pub spiffe_id: String,
    /// What the agent says of itself.
    pub hello: Hello,
}

/// An input of [`super::Topology::apply`].
#[derive(Debug, Clone)]
pub enum TopologyEvent {
    /// An agent said Hello and was let in.
    Opened(Arc<SessionFacts>),
    /// A whole view, as it stands after a FullSync or a Delta.
    Reported {
        /// Whose.
        session: Arc<SessionFacts>,
        /// What it sees.
        view: Arc<Snapshot>,
        /// Its clocks when it saw this.
        clock: Option<Clock>,
    },
    /// Something happened at a node.
    Recorded {
        /// Whose.
        session: Arc<SessionFacts>,
        /// What, in the order it happened; none of it was told before.
        records: Vec<Record>,
    },
    /// Reports or records are missing.
    Gap(Arc<SessionFacts>),
    /// The stream ended, for whatever reason.
    Closed(Arc<SessionFacts>),
    /// Time went by.
    Tick,
}

/// What an event changed or brought, for the log and for who asks later.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Changes {
    /// Nodes that were not known before.
    pub joined: Vec<NodeId>,
    /// Nodes that went from live to stale or back.
    pub turned: Vec<(NodeId, NodeState)>,
    /// Nodes forgotten.
    pub left: Vec<NodeId>,
    /// Addresses that more than one node claims since now.
    pub contested: Vec<Contest>,
    /// What happened at nodes.
    pub happened: Vec<Happening>,
}

/// Something that happened at a node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Happening {
    /// Where.
    pub node: NodeId,
    /// In which mesh, if the node has said so much yet.
    pub mesh: Option<MeshId>,
    /// When, by our clock; never later than it was told.
    pub time: SystemTime,
    /// What.
    pub event: Event,
}

/// Two nodes claim one address.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Contest {
    /// In this mesh.
    pub mesh: MeshId,
    /// The address.
    pub address: MacAddr,
    /// Who claimed it first.
    pub holder: NodeId,
    /// Who claims it too.
    pub claimant: NodeId,
}
