//! Agents' streams become events of the topology.
//!
//! What a stream means is decided by [`session`] and [`ledger`], both pure; [`service`] carries messages to and fro.

pub mod admission;
pub mod ledger;
pub mod service;
pub mod session;
