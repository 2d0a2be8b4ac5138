//! What the messages mean: one node's view of its meshes, how it changes, and what happened in it.
//!
//! Words are the kernel's (`include/uapi/linux/batman_adv.h`).

pub mod addr;
pub mod churn;
pub mod delta;
pub mod entries;
pub mod hello;
pub mod last_seen;
pub mod managed;
pub mod metric;
pub mod record;
pub mod snapshot;
#[cfg(test)]
pub(crate) mod strategies;

pub use addr::{IfName, InvalidName, MacAddr, MeshId, NodeId};
pub use churn::{Churn, ChurnMethod};
pub use delta::{Changes, Delta, MeshDelta};
pub use hello::{Clock, Epoch, Hello};
pub use last_seen::LastSeen;
pub use managed::{ManagePolicy, Managed};
pub use metric::{Algorithm, Metric, Throughput, Tq};
pub use record::{DriftAction, Event, Record};
pub use snapshot::{
    Direction, Gateway, GatewayMode, HardInterface, MeshSettings, MeshView, Neighbor, NeighborKey, NextHop, Originator,
    ProbeStatus, Snapshot, SvidStatus, TableSizes, Traffic, TrafficKey,
};
