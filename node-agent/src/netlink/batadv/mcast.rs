//! Multicast flags.

use super::{BatadvAttr, BatadvCommand, BatadvEntry, MacAddr};

/// What an originator wants of multicast.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct McastFlags {
    /// Whose flags.
    pub orig_address: MacAddr,
    /// `None`: it does not announce any.
    pub flags: Option<u32>,
}

impl BatadvEntry for McastFlags {
    const COMMAND: BatadvCommand = BatadvCommand::GetMcastFlags;

    fn from_attributes(attributes: Vec<BatadvAttr>) -> Option<Self> {
        let mut orig_address = None;
        let mut flags = None;
        for attribute in attributes {
            match attribute {
                BatadvAttr::OrigAddress(value) => orig_address = Some(value),
                BatadvAttr::McastFlags(value) => flags = Some(value),
                _ => {}
            }
        }
        Some(Self {
            orig_address: orig_address?,
            flags,
        })
    }
}
