//! The maps of the traffic program: frames and bytes by direction and packet type, one table per hard interface.
//!
//! User space creates the entry of an interface before it attaches to it and removes it afterwards: the program
//! never inserts, so it counts on no interface it was not told of.

use crate::PacketType;

/// Name of the map from interface index (`u32`) to [`Table`], per CPU.
pub const TABLES_MAP: &str = "TRAFFIC";
/// Name of the one-entry array that holds, in nanoseconds of `CLOCK_MONOTONIC`, until when the agent has vouched
/// for itself; [`FOREVER`] where its death detaches the program anyway.
pub const ALIVE_UNTIL_MAP: &str = "ALIVE_UNTIL";
/// In [`ALIVE_UNTIL_MAP`]: no clock is asked.
pub const FOREVER: u64 = u64::MAX;
/// Name of the program for received frames; also the filter's name where it is attached over netlink.
pub const INGRESS_PROGRAM: &str = "echolot_ingress";
/// Name of the program for sent frames.
pub const EGRESS_PROGRAM: &str = "echolot_egress";
/// Most hard interfaces counted on one node.
pub const MAX_INTERFACES: u32 = 64;

/// Which way a frame went, seen from the node.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Direction {
    /// Received on the interface.
    Ingress = 0,
    /// Sent on the interface.
    Egress = 1,
}

impl Direction {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Ingress, Self::Egress];

    /// Its name as a metric label.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::Ingress => "rx",
            Self::Egress => "tx",
        }
    }
}

/// One counter pair.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[repr(C)]
pub struct Counter {
    /// Frames.
    pub packets: u64,
    /// Bytes, Ethernet header included, preamble and checksum not.
    pub bytes: u64,
}

/// Counters per cell of a [`Table`].
pub const CELLS: usize = 2 * PacketType::COUNT;

/// All counters of one interface on one CPU.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[repr(C)]
pub struct Table {
    /// At [`cell`].
    pub cells: [Counter; CELLS],
}

/// Where in a [`Table`] the counters of a direction and a type stand.
#[must_use]
#[inline(always)]
pub const fn cell(direction: Direction, kind: PacketType) -> usize {
    direction as usize * PacketType::COUNT + kind.index()
}
