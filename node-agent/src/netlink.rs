//! What the kernel says over netlink and ethtool, decoded. No judgement, no state, no process spawned.
//!
//! Sockets belong to the network namespace of the thread that opens them, and keep it.

pub mod batadv;
pub mod ethtool;
mod extack;
pub mod link;
mod listen;
pub mod nl80211;
