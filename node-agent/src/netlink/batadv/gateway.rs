//! Gateways announced in the mesh.

use super::{BatadvAttr, BatadvCommand, BatadvEntry, MacAddr};

/// A gateway.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Gateway {
    /// The originator that is one.
    pub orig_address: MacAddr,
    /// Next hop towards it.
    pub router: Option<MacAddr>,
    /// Member the next hop is heard on.
    pub hard_ifindex: Option<u32>,
    /// Name of that member.
    pub hard_ifname: Option<String>,
    /// 0 to 255; BATMAN_IV only.
    pub tq: Option<u8>,
    /// kbit/s; BATMAN_V only.
    pub throughput: Option<u32>,
    /// As announced, 100 kbit/s.
    pub bandwidth_down: u32,
    /// As announced, 100 kbit/s.
    pub bandwidth_up: u32,
    /// Selected by this node.
    pub best: bool,
}

impl BatadvEntry for Gateway {
    const COMMAND: BatadvCommand = BatadvCommand::GetGateways;

    fn from_attributes(attributes: Vec<BatadvAttr>) -> Option<Self> {
        let mut orig_address = None;
        let mut router = None;
        let mut hard_ifindex = None;
        let mut hard_ifname = None;
        let mut tq = None;
        let mut throughput = None;
        let mut bandwidth_down = None;
        let mut bandwidth_up = None;
        let mut best = false;
        for attribute in attributes {
            match attribute {
                BatadvAttr::OrigAddress(value) => orig_address = Some(value),
                BatadvAttr::Router(value) => router = Some(value),
                BatadvAttr::HardIfindex(value) => hard_ifindex = Some(value),
                BatadvAttr::HardIfname(value) => hard_ifname = Some(value),
                BatadvAttr::Tq(value) => tq = Some(value),
                BatadvAttr::Throughput(value) => throughput = Some(value),
                BatadvAttr::BandwidthDown(value) => bandwidth_down = Some(value),
                BatadvAttr::BandwidthUp(value) => bandwidth_up = Some(value),
                BatadvAttr::FlagBest(_) => best = true,
                _ => {}
            }
        }
        Some(Self {
            orig_address: orig_address?,
            router,
            hard_ifindex,
            hard_ifname,
            tq,
            throughput,
            bandwidth_down: bandwidth_down?,
            bandwidth_up: bandwidth_up?,
            best,
        })
    }
}
