//! Manages the mesh interfaces the agent is told to own: the data's way from a configuration to the kernel and back.
//!
//! ```text
//! config ─► desired::resolve ─► Goal ─┐
//! kernel ─► Kernel::read ─► Observed ─┴► Plan::new ─► steps ─► apply: write, read again, verify ─► Report
//!                  pure: everything but the Kernel                              └─► undo Goal ─► ledger
//! ```
//!
//! Everything that can be set is a [`Knob`]; a [`State`] is the value of each knob there is, a [`Goal`] what some of them
//! should be. The wish of a configuration, the way back after an unconfirmed change and `teardown` are all goals, so one
//! planner serves them all.
//!
//! Invariants: only [`apply`] writes to the kernel, through [`Kernel`]; nothing is believed set before it was read back;
//! nothing is taken from another master; the mesh interfaces are independent of each other.

pub mod adopt;
pub mod apply;
pub mod confirm;
pub mod desired;
pub mod keeper;
pub mod kernel;
pub mod knob;
pub mod ledger;
pub mod linux;
pub mod observed;
pub mod owner;
pub mod plan;
pub mod radio;
pub mod reconcile;
#[cfg(test)]
pub(crate) mod sim;
pub mod state;
pub mod text;

pub use kernel::{Kernel, ReadError, WriteError};
pub use knob::{HardSetting, Knob, MeshSetting, Network, Radio, Setting, Target, Value, Width};
pub use observed::{Facts, InterfaceFact, MeshFact, Owner, RadioUse};
pub use state::{Goal, Observed, State};
