//! Brings up a real batman-adv mesh of a topology file on this machine: a network namespace per node, a veth pair
//! with a real queue per link, `bat0` in each, agents and a collector on top.
//!
//! [`Lab`] is the way in, for tests and for `cargo xtask lab`. It needs root, a kernel with batman-adv, and the
//! tools `ip`, `tc`, `nsenter`, `batctl`. It waits for states and never for a guessed time; what it made it removes.
//!
//! ```no_run
//! use mesh_lab::{Impairment, Lab, Options, Topology};
//!
//! # fn main() -> anyhow::Result<()> {
//! let topology = Topology::load("tests/topologies/demo.json".as_ref())?;
//! let mut lab = Lab::start(&topology, Options::for_test("a_lossy_link_is_seen")?)?;
//! lab.set_link("north", "east", Impairment { loss: 0.6, ..Impairment::default() })?;
//! println!("{}", lab.batctl("gate", &["meshif", "bat0", "oj"])?);
//! lab.restart_agent("north")?;
//! lab.stop()
//! # }
//! ```

pub mod converge;
pub mod daemons;
pub mod exec;
pub mod forward;
pub mod http;
pub mod interrupt;
pub mod lab;
pub mod mesh;
pub mod metrics;
pub mod plan;
pub mod processes;
pub mod run;
pub mod table;
pub mod topology;
pub mod wait;

pub use lab::{Lab, Options};
pub use topology::{Impairment, Topology};
