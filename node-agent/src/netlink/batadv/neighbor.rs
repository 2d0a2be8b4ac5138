//! Neighbors: who is heard directly.

use super::{BatadvAttr, BatadvCommand, BatadvEntry, MacAddr};

/// A neighbor's hard interface as heard on one of our members.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Neighbor {
    /// Address of the neighbor's hard interface.
    pub neigh_address: MacAddr,
    /// Index of our member.
    pub hard_ifindex: u32,
    /// Name of our member; older kernels do not say.
    pub hard_ifname: Option<String>,
    /// Milliseconds since its last OGM or ELP.
    pub last_seen_msecs: u32,
    /// kbit/s; BATMAN_V only. BATMAN_IV keeps the link's quality with the originators.
    pub throughput: Option<u32>,
}

impl BatadvEntry for Neighbor {
    const COMMAND: BatadvCommand = BatadvCommand::GetNeighbors;

    fn from_attributes(attributes: Vec<BatadvAttr>) -> Option<Self> {
        let mut neigh_address = None;
        let mut hard_ifindex = None;
        let mut hard_ifname = None;
        let mut last_seen_msecs = None;
        let mut throughput = None;
        for attribute in attributes {
            match attribute {
                BatadvAttr::NeighAddress(value) => neigh_address = Some(value),
                BatadvAttr::HardIfindex(value) => hard_ifindex = Some(value),
                BatadvAttr::HardIfname(value) => hard_ifname = Some(value),
                BatadvAttr::LastSeenMsecs(value) => last_seen_msecs = Some(value),
                BatadvAttr::Throughput(value) => throughput = Some(value),
                _ => {}
            }
        }
        Some(Self {
            neigh_address: neigh_address?,
            hard_ifindex: hard_ifindex?,
            hard_ifname,
            last_seen_msecs: last_seen_msecs?,
            throughput,
        })
    }
}
