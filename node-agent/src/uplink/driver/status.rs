//! How it stands with the collector, for people.

use std::fmt;

/// Where the uplink is.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum UplinkStatus {
    /// Nothing tried yet.
    #[default]
    Starting,
    /// The Workload API has given none yet, or what it gave has expired.
    WaitingForIdentity,
    /// On the way.
    Connecting {
        /// To there.
        address: String,
    },
    /// Let in by the collector.
    Connected {
        /// Of this address.
        address: String,
    },
    /// Not connected, and not trying at this moment.
    Resting {
        /// Why.
        reason: String,
    },
}

impl fmt::Display for UplinkStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Starting => f.write_str("starting"),
            Self::WaitingForIdentity => f.write_str("waiting for an identity from the Workload API"),
            Self::Connecting { address } => write!(f, "connecting to {address}"),
            Self::Connected { address } => write!(f, "connected to {address}"),
            Self::Resting { reason } => write!(f, "not connected, trying again soon: {reason}"),
        }
    }
}
