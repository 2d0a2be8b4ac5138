//! Distributed ARP table.

use std::net::Ipv4Addr;

use super::{BatadvAttr, BatadvCommand, BatadvEntry, MacAddr};

/// What this node holds of the distributed ARP table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DatEntry {
    /// IPv4 address.
    pub ip4address: Ipv4Addr,
    /// Its hardware address.
    pub hwaddress: MacAddr,
    /// VLAN id with the tag bit (1 << 15: tagged).
    pub vid: u16,
    /// Milliseconds since it was last confirmed.
    pub last_seen_msecs: u32,
}

impl BatadvEntry for DatEntry {
    const COMMAND: BatadvCommand = BatadvCommand::GetDatCache;

    fn from_attributes(attributes: Vec<BatadvAttr>) -> Option<Self> {
        let mut ip4address = None;
        let mut hwaddress = None;
        let mut vid = None;
        let mut last_seen_msecs = None;
        for attribute in attributes {
            match attribute {
                BatadvAttr::DatCacheIp4address(value) => ip4address = Some(value),
                BatadvAttr::DatCacheHwaddress(value) => hwaddress = Some(value),
                BatadvAttr::DatCacheVid(value) => vid = Some(value),
                BatadvAttr::LastSeenMsecs(value) => last_seen_msecs = Some(value),
                _ => {}
            }
        }
        Some(Self {
            ip4address: ip4address?,
            hwaddress: hwaddress?,
            vid: vid?,
            last_seen_msecs: last_seen_msecs?,
        })
    }
}
