//! Bridge loop avoidance.

use super::{BatadvAttr, BatadvCommand, BatadvEntry, MacAddr};

/// A client that one backbone gateway has claimed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BlaClaim {
    /// The client.
    pub address: MacAddr,
    /// VLAN id with the tag bit (1 << 15: tagged).
    pub vid: u16,
    /// Who claimed it.
    pub backbone: MacAddr,
    /// Checksum of that gateway's claims.
    pub crc: Option<u16>,
    /// Claimed by this node.
    pub own: bool,
}

/// A gateway into the same bridged network.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BlaBackbone {
    /// Address of its mesh interface.
    pub backbone: MacAddr,
    /// VLAN id with the tag bit (1 << 15: tagged).
    pub vid: u16,
    /// Checksum of its claims.
    pub crc: Option<u16>,
    /// Milliseconds since it was last heard of.
    pub last_seen_msecs: Option<u32>,
    /// This node.
    pub own: bool,
}

impl BatadvEntry for BlaClaim {
    const COMMAND: BatadvCommand = BatadvCommand::GetBlaClaim;

    fn from_attributes(attributes: Vec<BatadvAttr>) -> Option<Self> {
        let mut address = None;
        let mut vid = None;
        let mut backbone = None;
        let mut crc = None;
        let mut own = false;
        for attribute in attributes {
            match attribute {
                BatadvAttr::BlaAddress(value) => address = Some(value),
                BatadvAttr::BlaVid(value) => vid = Some(value),
                BatadvAttr::BlaBackbone(value) => backbone = Some(value),
                BatadvAttr::BlaCrc(value) => crc = Some(value),
                BatadvAttr::BlaOwn(_) => own = true,
                _ => {}
            }
        }
        Some(Self {
            address: address?,
            vid: vid?,
            backbone: backbone?,
            crc,
            own,
        })
    }
}

impl BatadvEntry for BlaBackbone {
    const COMMAND: BatadvCommand = BatadvCommand::GetBlaBackbone;

    fn from_attributes(attributes: Vec<BatadvAttr>) -> Option<Self> {
        let mut backbone = None;
        let mut vid = None;
        let mut crc = None;
        let mut last_seen_msecs = None;
        let mut own = false;
        for attribute in attributes {
            match attribute {
                BatadvAttr::BlaBackbone(value) => backbone = Some(value),
                BatadvAttr::BlaVid(value) => vid = Some(value),
                BatadvAttr::BlaCrc(value) => crc = Some(value),
                BatadvAttr::LastSeenMsecs(value) => last_seen_msecs = Some(value),
                BatadvAttr::BlaOwn(_) => own = true,
                _ => {}
            }
        }
        Some(Self {
            backbone: backbone?,
            vid: vid?,
            crc,
            last_seen_msecs,
            own,
        })
    }
}
