//! The agent on each mesh node: keeps the mesh interfaces it is told to own, observes batman-adv and streams what it sees to
//! the collector.
//!
//! ```text
//! kernel: batadv genl, ethtool ─┐
//!         rtnetlink             ├─ collect ─► Sample ─ derive(prev) ─► Snapshot ─► uplink session ─► tonic over mTLS
//!         eBPF maps, ring       ┘   shell     value       pure            └► Record ─┘ (pure)           shell
//! ```
//!
//! [`actuate`] is the other way, from the configuration to the kernel; it alone writes there.
//!
//! The mesh comes first: no fault here changes or stops forwarding, with or without a collector, an identity, a probe.

pub mod actuate;
pub mod app;
pub mod collect;
pub mod command;
pub mod config;
pub mod control;
pub mod derive;
pub mod ebpf;
pub mod netlink;
pub mod observe;
pub mod privilege;
pub mod sample;
pub mod status;
pub mod uplink;
