//! Members of a mesh interface.

use super::{BatadvAttr, BatadvCommand, BatadvEntry, MacAddr};

/// A member of a mesh interface.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HardInterface {
    /// Index.
    pub hard_ifindex: u32,
    /// Name.
    pub hard_ifname: String,
    /// Address, by which neighbors know this node.
    pub hard_address: MacAddr,
    /// In use now.
    pub active: bool,
    /// 0 to 255; kernels before 5.9 have none.
    pub hop_penalty: Option<u8>,
    /// Milliseconds; BATMAN_V compiled in only.
    pub elp_interval: Option<u32>,
    /// 100 kbit/s, 0: measured; BATMAN_V compiled in only.
    pub throughput_override: Option<u32>,
}

impl BatadvEntry for HardInterface {
    const COMMAND: BatadvCommand = BatadvCommand::GetHardif;

    fn from_attributes(attributes: Vec<BatadvAttr>) -> Option<Self> {
        let mut hard_ifindex = None;
        let mut hard_ifname = None;
        let mut hard_address = None;
        let mut active = false;
        let mut hop_penalty = None;
        let mut elp_interval = None;
        let mut throughput_override = None;
        for attribute in attributes {
            match attribute {
                BatadvAttr::HardIfindex(value) => hard_ifindex = Some(value),
                BatadvAttr::HardIfname(value) => hard_ifname = Some(value),
                BatadvAttr::HardAddress(value) => hard_address = Some(value),
                BatadvAttr::Active(_) => active = true,
                BatadvAttr::HopPenalty(value) => hop_penalty = Some(value),
                BatadvAttr::ElpInterval(value) => elp_interval = Some(value),
                BatadvAttr::ThroughputOverride(value) => throughput_override = Some(value),
                _ => {}
            }
        }
        Some(Self {
            hard_ifindex: hard_ifindex?,
            hard_ifname: hard_ifname?,
            hard_address: hard_address?,
            active,
            hop_penalty,
            elp_interval,
            throughput_override,
        })
    }
}
