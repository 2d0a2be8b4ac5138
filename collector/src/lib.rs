//! Echolot's collector: knows the whole mesh, answers for it, and proposes what to rebalance.
//!
//! A synchronous core ([`topology`], the sessions of [`ingest`], the planner) in an asynchronous shell that only
//! [`app`] wires together.

pub mod clock;
pub mod ingest;
#[cfg(test)]
mod testing;
pub mod topology;
