//! Echolot's collector: knows the whole mesh, answers for it, and proposes what to rebalance.
//!
//! A synchronous core ([`topology`], the sessions of [`ingest`], the planner of [`rebalance`]) in an asynchronous shell
//! that only [`app`] wires together.

pub mod access;
pub mod app;
pub mod clock;
pub mod config;
pub mod history;
pub mod http;
pub mod ingest;
pub mod metrics;
pub mod query;
pub mod rebalance;
#[cfg(test)]
mod testing;
pub mod topology;
pub mod watchdog;
