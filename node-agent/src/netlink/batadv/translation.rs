//! Translation tables: which client is behind which originator.

use super::{BatadvAttr, BatadvCommand, BatadvEntry, MacAddr};

/// A client this node announces.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LocalEntry {
    /// The client.
    pub address: MacAddr,
    /// VLAN id with the tag bit (1 << 15: tagged).
    pub vid: u16,
    /// Checksum of this node's table in that VLAN.
    pub crc32: Option<u32>,
    /// State.
    pub flags: TtFlags,
    /// Milliseconds since its last frame; none for entries that do not age.
    pub last_seen_msecs: Option<u32>,
}

/// A client another node announces. There is one entry for each originator that announces it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GlobalEntry {
    /// The client.
    pub address: MacAddr,
    /// Who announces it.
    pub orig_address: MacAddr,
    /// VLAN id with the tag bit (1 << 15: tagged).
    pub vid: u16,
    /// Version of the table that announced it.
    pub ttvn: Option<u8>,
    /// Newest version seen of that originator's table.
    pub last_ttvn: Option<u8>,
    /// Checksum of that originator's table in that VLAN.
    pub crc32: Option<u32>,
    /// State.
    pub flags: TtFlags,
    /// The originator in use for it.
    pub best: bool,
}

/// Flags of a client's entry: bits 0 to 7 travel between nodes, 8 to 15 are this node's own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct TtFlags(pub u32);

impl TtFlags {
    /// Being removed.
    pub const DEL: u32 = 1 << 0;
    /// Roamed to another originator a moment ago.
    pub const ROAM: u32 = 1 << 1;
    /// Connected by Wi-Fi.
    pub const WIFI: u32 = 1 << 4;
    /// Isolated from other isolated clients.
    pub const ISOLA: u32 = 1 << 5;
    /// The node's own interface, or a multicast group it listens to.
    pub const NOPURGE: u32 = 1 << 8;
    /// Not announced yet.
    pub const NEW: u32 = 1 << 9;
    /// To be removed with the next announcement.
    pub const PENDING: u32 = 1 << 10;
    /// Learned from traffic, not announced yet.
    pub const TEMP: u32 = 1 << 11;

    /// All of these bits are set.
    pub fn contains(self, bits: u32) -> bool {
        self.0 & bits == bits
    }
}

impl BatadvEntry for LocalEntry {
    const COMMAND: BatadvCommand = BatadvCommand::GetTranstableLocal;

    fn from_attributes(attributes: Vec<BatadvAttr>) -> Option<Self> {
        let mut address = None;
        let mut vid = None;
        let mut crc32 = None;
        let mut flags = None;
        let mut last_seen_msecs = None;
        for attribute in attributes {
            match attribute {
                BatadvAttr::TtAddress(value) => address = Some(value),
                BatadvAttr::TtVid(value) => vid = Some(value),
                BatadvAttr::TtCrc32(value) => crc32 = Some(value),
                BatadvAttr::TtFlags(value) => flags = Some(TtFlags(value)),
                BatadvAttr::LastSeenMsecs(value) => last_seen_msecs = Some(value),
                _ => {}
            }
        }
        Some(Self {
            address: address?,
            vid: vid?,
            crc32,
            flags: flags?,
            last_seen_msecs,
        })
    }
}

impl BatadvEntry for GlobalEntry {
    const COMMAND: BatadvCommand = BatadvCommand::GetTranstableGlobal;

    fn from_attributes(attributes: Vec<BatadvAttr>) -> Option<Self> {
        let mut address = None;
        let mut orig_address = None;
        let mut vid = None;
        let mut ttvn = None;
        let mut last_ttvn = None;
        let mut crc32 = None;
        let mut flags = None;
        let mut best = false;
        for attribute in attributes {
            match attribute {
                BatadvAttr::TtAddress(value) => address = Some(value),
                BatadvAttr::OrigAddress(value) => orig_address = Some(value),
                BatadvAttr::TtVid(value) => vid = Some(value),
                BatadvAttr::TtTtvn(value) => ttvn = Some(value),
                BatadvAttr::TtLastTtvn(value) => last_ttvn = Some(value),
                BatadvAttr::TtCrc32(value) => crc32 = Some(value),
                BatadvAttr::TtFlags(value) => flags = Some(TtFlags(value)),
                BatadvAttr::FlagBest(_) => best = true,
                _ => {}
            }
        }
        Some(Self {
            address: address?,
            orig_address: orig_address?,
            vid: vid?,
            ttvn,
            last_ttvn,
            crc32,
            flags: flags?,
            best,
        })
    }
}
