//! Originators: who is known, and by which next hops.

use super::{BatadvAttr, BatadvCommand, BatadvEntry, MacAddr};

/// A way to an originator. There is one entry for each next hop it can be reached by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Originator {
    /// To whom: address of the originator's primary hard interface (of any of them, for BATMAN_IV and at most two hops).
    pub orig_address: MacAddr,
    /// Next hop: address of the neighbor's hard interface.
    pub neigh_address: MacAddr,
    /// Index of our member.
    pub hard_ifindex: u32,
    /// Name of our member; older kernels do not say.
    pub hard_ifname: Option<String>,
    /// 0 to 255; BATMAN_IV only.
    pub tq: Option<u8>,
    /// kbit/s; BATMAN_V only.
    pub throughput: Option<u32>,
    /// Milliseconds since the originator's last OGM, by whichever way.
    pub last_seen_msecs: u32,
    /// The way in use.
    pub best: bool,
}

impl BatadvEntry for Originator {
    const COMMAND: BatadvCommand = BatadvCommand::GetOriginators;

    fn from_attributes(attributes: Vec<BatadvAttr>) -> Option<Self> {
        let mut orig_address = None;
        let mut neigh_address = None;
        let mut hard_ifindex = None;
        let mut hard_ifname = None;
        let mut tq = None;
        let mut throughput = None;
        let mut last_seen_msecs = None;
        let mut best = false;
        for attribute in attributes {
            match attribute {
                BatadvAttr::OrigAddress(value) => orig_address = Some(value),
                BatadvAttr::NeighAddress(value) => neigh_address = Some(value),
                BatadvAttr::HardIfindex(value) => hard_ifindex = Some(value),
                BatadvAttr::HardIfname(value) => hard_ifname = Some(value),
                BatadvAttr::Tq(value) => tq = Some(value),
                BatadvAttr::Throughput(value) => throughput = Some(value),
                BatadvAttr::LastSeenMsecs(value) => last_seen_msecs = Some(value),
                BatadvAttr::FlagBest(_) => best = true,
                _ => {}
            }
        }
        Some(Self {
            orig_address: orig_address?,
            neigh_address: neigh_address?,
            hard_ifindex: hard_ifindex?,
            hard_ifname,
            tq,
            throughput,
            last_seen_msecs: last_seen_msecs?,
            best,
        })
    }
}
