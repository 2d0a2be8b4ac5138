//! What the eBPF programs and the agent share: how a frame is classified and how the maps between them look.
//!
//! The programs in the kernel run this very code, so a test of it on the host is a test of what counts frames.
//! It does no I/O, allocates nothing, and never panics, whatever the bytes are.
#![no_std]

mod packet;
pub mod route;
pub mod traffic;
#[cfg(feature = "user")]
mod user;

pub use packet::{ETHERTYPE_BATADV, HEAD_LENS, Head, PacketType, classify};
