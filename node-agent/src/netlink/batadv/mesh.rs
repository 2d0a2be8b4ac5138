//! A mesh interface and its settings.

use super::{BatadvAttr, BatadvCommand, BatadvError, BatadvHandle, BatadvMessage, MacAddr};

/// Settings of a mesh interface in force, and what it is.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Mesh {
    /// Release of the module.
    pub version: Option<String>,
    /// Routing algorithm, such as `BATMAN_IV`.
    pub algo_name: Option<String>,
    /// Index.
    pub mesh_ifindex: u32,
    /// Name.
    pub mesh_ifname: Option<String>,
    /// Address.
    pub mesh_address: Option<MacAddr>,
    /// Address of the primary member, which is this node's as an originator; none while there is no active member.
    pub hard_address: Option<MacAddr>,
    /// Name of the primary member.
    pub hard_ifname: Option<String>,
    /// Index of the primary member.
    pub hard_ifindex: Option<u32>,
    /// Version of this node's translation table.
    pub tt_ttvn: Option<u8>,
    /// 0 to 255.
    pub hop_penalty: Option<u8>,
    /// Milliseconds.
    pub orig_interval: Option<u32>,
    /// 0 off, 1 client, 2 server.
    pub gw_mode: Option<u8>,
    /// 100 kbit/s; means something to servers only.
    pub gw_bandwidth_down: Option<u32>,
    /// 100 kbit/s; means something to servers only.
    pub gw_bandwidth_up: Option<u32>,
    /// When a client changes its gateway; algorithms without gateways have none.
    pub gw_sel_class: Option<u32>,
    /// 0 or 1: OGMs travel together.
    pub aggregated_ogms: Option<u8>,
    /// 0 or 1: wireless clients do not reach each other.
    pub ap_isolation: Option<u8>,
    /// Mark of packets to isolate.
    pub isolation_mark: Option<u32>,
    /// Bits of the mark that matter.
    pub isolation_mask: Option<u32>,
    /// 0 or 1: several ways are used at once.
    pub bonding: Option<u8>,
    /// 0 or 1; where it is compiled in.
    pub bridge_loop_avoidance: Option<u8>,
    /// 0 or 1; where it is compiled in.
    pub distributed_arp_table: Option<u8>,
    /// 0 or 1.
    pub fragmentation: Option<u8>,
    /// Bits; kernels with batman-adv debugging only.
    pub log_level: Option<u32>,
    /// 0 or 1: multicast goes everywhere; where multicast is compiled in.
    pub multicast_forceflood: Option<u8>,
    /// Most receivers of a multicast frame sent as unicast; where multicast is compiled in.
    pub multicast_fanout: Option<u32>,
    /// 0 or 1; releases before 2025.4 with network coding compiled in.
    pub network_coding: Option<u8>,
    /// Every other attribute, as it came.
    pub others: Vec<BatadvAttr>,
}

/// Asks for the settings of mesh interfaces.
#[derive(Debug, Clone)]
pub struct MeshHandle {
    handle: BatadvHandle,
}

impl MeshHandle {
    pub(super) fn new(handle: BatadvHandle) -> Self {
        Self { handle }
    }

    /// Settings of the mesh interface of that index; needs no privilege.
    pub async fn get(&self, mesh_ifindex: u32) -> Result<Mesh, BatadvError> {
        let command = BatadvCommand::GetMesh;
        let request = BatadvMessage {
            command,
            attributes: vec![BatadvAttr::MeshIfindex(mesh_ifindex)],
        };
        let answer = self.handle.ask(request, false).await?;
        let message = answer
            .messages
            .into_iter()
            .next()
            .ok_or(BatadvError::NoAnswer(command))?;
        Mesh::from_attributes(message.attributes).ok_or(BatadvError::NoAnswer(command))
    }
}

impl Mesh {
    /// `None`: no index, so nothing is said of anything.
    pub fn from_attributes(attributes: Vec<BatadvAttr>) -> Option<Self> {
        let mut mesh = Self::default();
        let mut mesh_ifindex = None;
        for attribute in attributes {
            match attribute {
                BatadvAttr::Version(value) => mesh.version = Some(value),
                BatadvAttr::AlgoName(value) => mesh.algo_name = Some(value),
                BatadvAttr::MeshIfindex(value) => mesh_ifindex = Some(value),
                BatadvAttr::MeshIfname(value) => mesh.mesh_ifname = Some(value),
                BatadvAttr::MeshAddress(value) => mesh.mesh_address = Some(value),
                BatadvAttr::HardAddress(value) => mesh.hard_address = Some(value),
                BatadvAttr::HardIfname(value) => mesh.hard_ifname = Some(value),
                BatadvAttr::HardIfindex(value) => mesh.hard_ifindex = Some(value),
                BatadvAttr::TtTtvn(value) => mesh.tt_ttvn = Some(value),
                BatadvAttr::HopPenalty(value) => mesh.hop_penalty = Some(value),
                BatadvAttr::OrigInterval(value) => mesh.orig_interval = Some(value),
                BatadvAttr::GwMode(value) => mesh.gw_mode = Some(value),
                BatadvAttr::GwBandwidthDown(value) => mesh.gw_bandwidth_down = Some(value),
                BatadvAttr::GwBandwidthUp(value) => mesh.gw_bandwidth_up = Some(value),
                BatadvAttr::GwSelClass(value) => mesh.gw_sel_class = Some(value),
                BatadvAttr::AggregatedOgmsEnabled(value) => mesh.aggregated_ogms = Some(value),
                BatadvAttr::ApIsolationEnabled(value) => mesh.ap_isolation = Some(value),
                BatadvAttr::IsolationMark(value) => mesh.isolation_mark = Some(value),
                BatadvAttr::IsolationMask(value) => mesh.isolation_mask = Some(value),
                BatadvAttr::BondingEnabled(value) => mesh.bonding = Some(value),
                BatadvAttr::BridgeLoopAvoidanceEnabled(value) => mesh.bridge_loop_avoidance = Some(value),
                BatadvAttr::DistributedArpTableEnabled(value) => mesh.distributed_arp_table = Some(value),
                BatadvAttr::FragmentationEnabled(value) => mesh.fragmentation = Some(value),
                BatadvAttr::LogLevel(value) => mesh.log_level = Some(value),
                BatadvAttr::MulticastForcefloodEnabled(value) => mesh.multicast_forceflood = Some(value),
                BatadvAttr::MulticastFanout(value) => mesh.multicast_fanout = Some(value),
                BatadvAttr::NetworkCodingEnabled(value) => mesh.network_coding = Some(value),
                other => mesh.others.push(other),
            }
        }
        mesh.mesh_ifindex = mesh_ifindex?;
        Some(mesh)
    }
}
