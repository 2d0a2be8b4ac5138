//! Counts of what changed in a mesh interface's tables.

use serde::{Deserialize, Serialize};

/// How path switches are counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ChurnMethod {
    /// Each one, in the kernel (kprobe on the route update).
    Probe,
    /// By comparing dumps: a switch there and back between two of them is missed.
    Polling,
}

/// Counts since the agent began to watch this mesh interface.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Churn {
    /// Tells one beginning from the next: counts start at zero with each.
    pub incarnation: u64,
    /// How `path_switches` came about.
    pub method: ChurnMethod,
    /// An originator's next hop replaced by another; first routes and lost routes are none.
    pub path_switches: u64,
    /// Neighbors that appeared.
    pub adjacencies_up: u64,
    /// Neighbors that went.
    pub adjacencies_down: u64,
}
