//! What happened, for the history lane: each record is complete in itself.

use serde::{Deserialize, Serialize};

use super::{ChurnMethod, IfName, MacAddr, NeighborKey};
use crate::convert::{limits, shortened};

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
    /// A setting of a managed mesh interface is not as configured. Made by [`Event::config_drift`].
    ConfigDrift {
        /// The mesh interface.
        mesh_ifname: IfName,
        /// Of what, and which.
        setting: String,
        /// As configured; empty: should not be.
        wanted: String,
        /// As it was found; empty: is not.
        in_force: String,
        /// What was done about it.
        action: DriftAction,
    },
    /// The gateway selected by this node fell silent, or was heard again or given up.
    GatewaySilent {
        /// The mesh interface.
        mesh_ifname: IfName,
        /// The gateway.
        orig_address: MacAddr,
        /// Fell silent.
        silent: bool,
        /// Not silent any more because it is not this node's gateway any more.
        given_up: bool,
        /// Since its last OGM.
        last_seen_msecs: u64,
    },
}

/// What was done about a difference.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DriftAction {
    /// It was said, by policy.
    Reported,
    /// It was set anew, and read back.
    PutRight,
    /// Nothing for now: somebody else sets it again and again.
    HeldBack,
    /// The kernel did not take it, or took another value.
    Refused,
}

// === impl Event ===

impl Event {
    /// A [`Event::ConfigDrift`] whose texts are short enough to be sent.
    pub fn config_drift(mesh_ifname: IfName, setting: &str, wanted: &str, in_force: &str, action: DriftAction) -> Self {
        Self::ConfigDrift {
            mesh_ifname,
            setting: shortened(setting, limits::VALUE),
            wanted: shortened(wanted, limits::VALUE),
            in_force: shortened(in_force, limits::VALUE),
            action,
        }
    }

    /// On which mesh interface.
    pub fn mesh_ifname(&self) -> &IfName {
        match self {
            Self::PathSwitch { mesh_ifname, .. }
            | Self::AdjacencyChange { mesh_ifname, .. }
            | Self::ConfigDrift { mesh_ifname, .. }
            | Self::GatewaySilent { mesh_ifname, .. } => mesh_ifname,
        }
    }
}

// === impl DriftAction ===

impl DriftAction {
    /// As it stands in answers and logs.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Reported => "reported",
            Self::PutRight => "put_right",
            Self::HeldBack => "held_back",
            Self::Refused => "refused",
        }
    }
}
