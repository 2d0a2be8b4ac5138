//! How a session begins.

use std::time::Duration;

use super::{InvalidName, MeshId};

/// The protocol this release speaks; both ends agree on one in both ranges.
pub const PROTOCOL: std::ops::RangeInclusive<u32> = 1..=1;

/// Orders the sessions of one node: the greater one fences the others off.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Epoch {
    /// Raised at each start of the agent. At least 1.
    pub incarnation: u64,
    /// Raised with each connection of that process. At least 1.
    pub connection: u64,
}

/// An agent's clocks at one instant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Clock {
    /// CLOCK_BOOTTIME, nanoseconds.
    pub boottime_ns: u64,
    /// CLOCK_REALTIME, nanoseconds since 1970, if the node has an idea of it.
    pub realtime_ns: Option<u64>,
}

/// What an agent says of itself before anything else. Its id is not in it: that is in its certificate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hello {
    /// Oldest protocol it speaks.
    pub protocol_min: u32,
    /// Newest protocol it speaks.
    pub protocol_max: u32,
    /// Optional abilities, by name.
    pub features: Vec<String>,
    /// This session's place among the node's sessions.
    pub epoch: Epoch,
    /// For people.
    pub name: String,
    /// For people.
    pub site: String,
    /// Release of the agent.
    pub agent_version: String,
    /// Release of the kernel.
    pub kernel: String,
    /// Release of the module; empty while it is not loaded.
    pub batman_adv: String,
    /// Tells one boot from another.
    pub boot_id: String,
    /// Time between two live reports.
    pub report_interval: Duration,
    /// Its clocks when it said this.
    pub clock: Clock,
}

/// A label that names a mesh where nothing is configured: its interface.
pub fn default_mesh(mesh_ifname: &super::IfName) -> Result<MeshId, InvalidName> {
    MeshId::try_from(mesh_ifname.as_str())
}
