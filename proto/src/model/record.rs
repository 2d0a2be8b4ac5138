//! What happened, for the history lane: each record is complete in itself.

use serde::{Deserialize, Serialize};

use super::{ChurnMethod, IfName, MacAddr, NeighborKey};

/// One event and when it was, by the node's own boot clock.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// CLOCK_BOOTTIME, nanoseconds.
    pub boottime_ns: u64,
    /// What happened.
    pub event: Event,
}

/// What can happen.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Event {
    /// An originator's next hop was replaced by another.
    PathSwitch {
        /// The mesh interface.
        mesh_ifname: IfName,
        /// Towards whom.
        orig_address: MacAddr,
        /// The next hop before.
        old_neigh_address: MacAddr,
        /// The next hop since.
        new_neigh_address: MacAddr,
        /// How it was seen.
        method: ChurnMethod,
    },
    /// A neighbor appeared or went.
    AdjacencyChange {
        /// The mesh interface.
        mesh_ifname: IfName,
        /// The neighbor.
        key: NeighborKey,
        /// Appeared.
        up: bool,
    },
}
