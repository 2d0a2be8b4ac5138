//! The way to the collector.
//!
//! [`session`] decides, and is pure: what to send when, over both lanes. [`driver`] carries: identity, connection,
//! clock. Neither ever holds the agent up: without an identity or a collector it waits, says so once, and keeps the
//! newest view and a bounded number of records.

pub mod driver;
mod incarnation;
mod outbox;
pub mod session;
mod wire;

pub use driver::{Config, UplinkStatus, run};
pub use session::HelloInfo;
