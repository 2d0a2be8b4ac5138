//! The topology as everyone but its writer sees it: immutable, shared, cheap to hold.
//!
//! A watcher compares two of them: nodes whose [`Node::changed_in`] is above the version it knows have changed, and
//! those it knows that are gone have been removed. Times of reports and counters move without raising the version.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;
use std::time::SystemTime;

use mesh_proto::model::{Hello, IfName, LastSeen, MacAddr, MeshId, MeshView, Metric, NodeId, Snapshot};

use super::directory::Directory;
use super::totals::Totals;

/// Names a node: by its SPIFFE ID's last part, or, where it has no agent, by its originator address.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum NodeKey {
    /// Has an agent.
    Observed(NodeId),
    /// Known from others' tables.
    Unobserved(MacAddr),
}

/// How well a node is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum NodeState {
    /// Reported within three intervals, at least [`super::LIVE_AT_LEAST`].
    Live,
    /// Silent for longer; forgotten after [`super::FORGET_AFTER`].
    Stale,
    /// Has no agent.
    Unobserved,
}

/// Everything known of all meshes at one instant.
#[derive(Debug, Clone)]
pub struct TopologySnapshot {
    pub(super) version: u64,
    pub(super) time: SystemTime,
    pub(super) nodes: BTreeMap<NodeKey, Arc<Node>>,
    pub(super) directory: Arc<Directory>,
}

/// A node.
#[derive(Debug, Clone, PartialEq)]
pub struct Node {
    /// Its name.
    pub key: NodeKey,
    /// How well it is known.
    pub state: NodeState,
    /// Version of the topology in which the node or one of its links last changed.
    pub changed_in: u64,
    /// The meshes it is part of; of an observed node one entry per mesh interface, in their order.
    pub meshes: Vec<NodeMesh>,
    /// Links as this node sees them; none where it is unobserved.
    pub links: BTreeMap<LinkKey, Link>,
    /// Its addresses that another node claims as well.
    pub contested: BTreeSet<MacAddr>,
    /// What its agent says; `None` where it is unobserved.
    pub agent: Option<Agent>,
}

/// A node's part in one mesh.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NodeMesh {
    /// The mesh.
    pub mesh: MeshId,
    /// Key of [`Snapshot::meshes`]; `None` where the node is unobserved.
    pub mesh_ifname: Option<IfName>,
    /// The node as an originator.
    pub orig_address: Option<MacAddr>,
    /// Distinct neighbor nodes; of an unobserved node: observed nodes that have it as a neighbor.
    pub degree: u32,
}

/// What is known through a node's agent.
#[derive(Debug, Clone, PartialEq)]
pub struct Agent {
    /// As in its certificate.
    pub spiffe_id: String,
    /// What it said when its latest session began.
    pub hello: Arc<Hello>,
    /// A session is open. Says nothing of liveness: that goes by reports.
    pub connected: bool,
    /// Its latest view: settings, tables, probes, certificate.
    pub view: Arc<Snapshot>,
    /// When it last gave a sign of life.
    pub last_report: SystemTime,
    /// Its wall clock less the collector's, seconds, as of its latest report; `None`: it has none.
    pub clock_offset: Option<f64>,
    /// Its counters since the collector knows it.
    pub totals: Arc<Totals>,
}

/// Names a link within its node.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LinkKey {
    /// In this mesh.
    pub mesh: MeshId,
    /// The node's own end.
    pub hard_ifname: IfName,
    /// The far end.
    pub neigh_address: MacAddr,
}

/// One direction of a link, as the node at its near end measures it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Link {
    /// The mesh interface it belongs to.
    pub mesh_ifname: IfName,
    /// Node of the far end, where any table tells.
    pub neighbor_node: Option<NodeKey>,
    /// Its quality; `None`: the kernel has none yet.
    pub metric: Option<Metric>,
    /// Since the far end was last heard.
    pub last_seen: LastSeen,
}

// === impl NodeKey ===

impl fmt::Display for NodeKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Observed(node) => node.fmt(f),
            Self::Unobserved(address) => address.fmt(f),
        }
    }
}

// === impl TopologySnapshot ===

impl TopologySnapshot {
    /// Nothing known.
    pub fn empty(time: SystemTime) -> Self {
        Self {
            version: 0,
            time,
            nodes: BTreeMap::new(),
            directory: Arc::default(),
        }
    }

    /// Raised with each change of a node or link. Counters and times of reports are none.
    pub fn version(&self) -> u64 {
        self.version
    }

    /// When this was so.
    pub fn time(&self) -> SystemTime {
        self.time
    }

    /// All nodes, the observed ones first.
    pub fn nodes(&self) -> &BTreeMap<NodeKey, Arc<Node>> {
        &self.nodes
    }

    /// One node.
    pub fn node(&self, key: &NodeKey) -> Option<&Arc<Node>> {
        self.nodes.get(key)
    }

    /// All links with the node that reports each.
    pub fn links(&self) -> impl Iterator<Item = (&Node, &LinkKey, &Link)> {
        self.nodes
            .values()
            .flat_map(|node| node.links.iter().map(|(key, link)| (node.as_ref(), key, link)))
    }

    /// The node that has this address in this mesh: its own claim, or else what its neighbors' tables tell.
    pub fn resolve(&self, mesh: &MeshId, address: MacAddr) -> Option<&NodeKey> {
        self.directory.resolve(mesh, address)
    }

    /// All addresses known in this mesh, with their nodes.
    pub fn addresses(&self, mesh: &MeshId) -> impl Iterator<Item = (MacAddr, &NodeKey)> {
        self.directory.addresses(mesh)
    }

    /// Meshes in which any node is.
    pub fn meshes(&self) -> BTreeSet<&MeshId> {
        self.nodes
            .values()
            .flat_map(|node| node.meshes.iter().map(|mesh| &mesh.mesh))
            .collect()
    }
}

// === impl Node ===

impl Node {
    /// The node's part in this mesh and, if it is observed, what it sees there.
    pub fn mesh(&self, mesh: &MeshId) -> Option<(&NodeMesh, Option<&MeshView>)> {
        let part = self.meshes.iter().find(|part| part.mesh == *mesh)?;
        Some((part, self.view(part)))
    }

    /// The mesh of one of the node's mesh interfaces; `None`: the node has not said, or has no agent.
    pub fn mesh_of(&self, mesh_ifname: &IfName) -> Option<&MeshId> {
        super::node::mesh_of(&self.agent.as_ref()?.view, mesh_ifname)
    }

    /// What the node sees in a mesh of its own; `None`: it is unobserved.
    pub fn view(&self, part: &NodeMesh) -> Option<&MeshView> {
        self.agent.as_ref()?.view.meshes.get(part.mesh_ifname.as_ref()?)
    }
}
