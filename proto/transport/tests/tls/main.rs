//! Both ends over real TLS on loopback, with identities from a real Workload API server.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a helper that fails is a test that fails"
)]

mod client;
mod server;
mod support;
