//! One node's view of its meshes at one instant.
//!
//! Absolute state and cumulative counters only: a lost report costs resolution, not truth. What could not be read is
//! `None`, never zero.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{Algorithm, Churn, IfName, LastSeen, MacAddr, Managed, MeshId, Metric};

/// Everything one node sees.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Snapshot {
    /// By mesh interface.
    pub meshes: BTreeMap<IfName, MeshView>,
    /// By probe name.
    pub probes: BTreeMap<String, ProbeStatus>,
    /// The agent's own certificate, once it has one.
    pub svid: Option<SvidStatus>,
    /// The mesh interfaces whose settings the agent looks after, whether they exist or not.
    #[serde(default)]
    pub managed: BTreeMap<IfName, Managed>,
}

/// One mesh interface and its tables.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MeshView {
    /// The mesh interface itself.
    pub settings: MeshSettings,
    /// Its members.
    pub hard_interfaces: BTreeMap<IfName, HardInterface>,
    /// Who is heard directly.
    #[serde(with = "super::entries")]
    pub neighbors: BTreeMap<NeighborKey, Neighbor>,
    /// Who is known, and by which way.
    pub originators: BTreeMap<MacAddr, Originator>,
    /// Gateways announced.
    pub gateways: BTreeMap<MacAddr, Gateway>,
    /// Sizes of the tables whose entries do not leave the node.
    pub tables: TableSizes,
    /// Tells one mesh interface from the next of the same name: `counters` start at zero with each.
    pub counters_incarnation: u64,
    /// The kernel's own counters by ethtool name.
    pub counters: BTreeMap<String, u64>,
    /// Tells one set of traffic probes from the next: `traffic` starts at zero with each.
    pub traffic_incarnation: u64,
    /// Frames by hard interface, direction and packet type.
    #[serde(with = "super::entries")]
    pub traffic: BTreeMap<TrafficKey, Traffic>,
    /// What changed, counted.
    pub churn: Option<Churn>,
}

/// Settings of a mesh interface in force.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MeshSettings {
    /// The configured name of the mesh.
    pub mesh: MeshId,
    /// `None`: an algorithm this release does not know.
    pub algorithm: Option<Algorithm>,
    /// The mesh interface's own address.
    pub mesh_address: Option<MacAddr>,
    /// Address of the primary hard interface: this node as an originator.
    pub orig_address: Option<MacAddr>,
    /// 0 to 255.
    pub hop_penalty: Option<u8>,
    /// Milliseconds.
    pub orig_interval_ms: Option<u32>,
    /// Gateway role.
    pub gw_mode: Option<GatewayMode>,
    /// kbit/s announced as a gateway.
    pub gw_bandwidth_down_kbit: Option<u32>,
    /// kbit/s announced as a gateway.
    pub gw_bandwidth_up_kbit: Option<u32>,
}

/// `BATADV_ATTR_GW_MODE`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum GatewayMode {
    /// Neither.
    Off,
    /// Uses a gateway.
    Client,
    /// Is one.
    Server,
}

/// A member of a mesh interface.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HardInterface {
    /// Its address, by which neighbors know this node.
    pub hard_address: MacAddr,
    /// The kernel uses it now.
    pub active: bool,
    /// 0 to 255; kernels before 5.9 have none.
    pub hop_penalty: Option<u8>,
    /// kbit/s; `None`: not overridden, or BATMAN_IV.
    pub throughput_override_kbit: Option<u32>,
    /// Bytes.
    pub mtu: Option<u32>,
}

/// A neighbor on one hard interface.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct NeighborKey {
    /// Our member.
    pub hard_ifname: IfName,
    /// The neighbor's hard interface.
    pub neigh_address: MacAddr,
}

/// What is known of a direct link, as this end measures it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Neighbor {
    /// `None`: the kernel has none yet.
    pub metric: Option<Metric>,
    /// Since its last OGM or ELP.
    pub last_seen: LastSeen,
    /// The originator this neighbor most likely is.
    pub orig_address: Option<MacAddr>,
}

/// A way on towards an originator.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NextHop {
    /// The neighbor.
    pub neigh_address: MacAddr,
    /// The member it is heard on.
    pub hard_ifname: IfName,
    /// Of the whole way.
    pub metric: Option<Metric>,
}

/// A node known to the kernel, and the two best ways to it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Originator {
    /// The way taken; `None`: known, but no route.
    pub best: Option<NextHop>,
    /// The best of the others.
    pub runner_up: Option<NextHop>,
    /// Since its last OGM.
    pub last_seen: LastSeen,
}

/// A gateway announced in the mesh.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Gateway {
    /// Selected by this node.
    pub best: bool,
    /// The way to it.
    pub router: Option<NextHop>,
    /// kbit/s
    pub bandwidth_down_kbit: u32,
    /// kbit/s
    pub bandwidth_up_kbit: u32,
    /// Selected, and not heard for several originator intervals.
    #[serde(default)]
    pub silent: bool,
}

/// `None`: could not be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct TableSizes {
    /// Clients announced by this node, its own interfaces not counted.
    pub local_clients: Option<u32>,
    /// Clients announced by others.
    pub global_clients: Option<u32>,
    /// Bridge loop avoidance.
    pub bla_claims: Option<u32>,
    /// Bridge loop avoidance.
    pub bla_backbones: Option<u32>,
    /// Distributed ARP table.
    pub dat_entries: Option<u32>,
}

/// Which way a frame went, as the hard interface sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Direction {
    /// Received.
    In,
    /// Sent.
    Out,
}

/// One counter of frames.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct TrafficKey {
    /// The member.
    pub hard_ifname: IfName,
    /// Received or sent.
    pub direction: Direction,
    /// batman-adv packet type by name, or `other`.
    pub packet_type: String,
}

/// Frames and their bytes, the Ethernet header included.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Traffic {
    /// Frames.
    pub packets: u64,
    /// Bytes.
    pub bytes: u64,
}

/// Whether a probe works here, and if not, what is lost.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProbeStatus {
    /// It counts.
    pub attached: bool,
    /// By what: `tcx`, `tc`, `kprobe` …
    pub mechanism: String,
    /// Why not, and what is lost by it.
    pub reason: String,
}

/// The agent's own certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct SvidStatus {
    /// Unix time, seconds.
    pub expiry_seconds: u64,
    /// Certificates received after the first, in this process.
    pub renewals: u64,
}
