//! Generic-netlink family `batadv`, version 1 (`include/uapi/linux/batman_adv.h`).
//!
//! In the shape of the `rust-netlink` family crates, so that it can become one: [`BatadvMessage`] is what travels,
//! [`BatadvHandle`] asks and sets, [`ConfigEvents`] hears what others set, and each table has a module with the entry it yields. Nothing of Echolot is used but
//! [`MacAddr`].
//!
//! Invariants: nothing from the kernel panics; an attribute this release does not know, or whose length is not the one
//! it should have, is kept as [`BatadvAttr::Other`] and fails nothing.
//!
//! ```no_run
//! # async fn example(ifindex: u32) -> Result<(), Box<dyn std::error::Error>> {
//! use node_agent::netlink::batadv;
//! let (connection, handle) = batadv::new_connection()?;
//! tokio::spawn(connection);
//! for originator in handle.originators().dump(ifindex).await?.entries {
//!     println!("{} via {}", originator.orig_address, originator.neigh_address);
//! }
//! # Ok(())
//! # }
//! ```

mod attr;
mod bla;
mod change;
mod command;
mod dat;
mod error;
mod events;
mod gateway;
mod handle;
mod hard_interface;
mod mcast;
mod mesh;
mod message;
mod neighbor;
mod originator;
mod table;
mod translation;
mod value;
mod vlan;

pub use mesh_proto::model::MacAddr;

pub use attr::BatadvAttr;
pub use bla::{BlaBackbone, BlaClaim};
pub use command::BatadvCommand;
pub use dat::DatEntry;
pub use error::BatadvError;
pub use events::{ConfigEvent, ConfigEvents};
pub use gateway::Gateway;
pub use handle::{BatadvHandle, new_connection};
pub use hard_interface::HardInterface;
pub use mcast::McastFlags;
pub use mesh::{Mesh, MeshHandle};
pub use message::BatadvMessage;
pub use neighbor::Neighbor;
pub use originator::Originator;
pub use table::{BatadvEntry, Dump, TableHandle};
pub use translation::{GlobalEntry, LocalEntry, TtFlags};
pub use value::{Flag, Value};
pub use vlan::Vlan;

#[cfg(test)]
mod tests;
