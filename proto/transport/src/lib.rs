//! How agents and collector authenticate each other and talk: SPIFFE identities over mutual TLS 1.3, and the Unix
//! socket for people on the machine.
//!
//! Both ends begin with an [`IdentitySource`], which fetches in the background and never holds anything up.
//!
//! The collector listens, and finds a [`Peer`] in every request's extensions:
//!
//! ```no_run
//! # use std::sync::Arc;
//! # use mesh_transport::*;
//! # async fn serve(router: tonic::service::Routes) -> Result<(), Box<dyn std::error::Error>> {
//! let identity = IdentitySource::start(WorkloadApi::parse("unix:/run/spire/agent/api.sock")?);
//! let observer: Observer = Arc::new(|outcome: &HandshakeOutcome| {
//!     // outcome.result.as_str() is the label, outcome.duration the observation;
//!     // outcome.result.is_denial() counts as a denial.
//! });
//! let listener = tokio::net::TcpListener::bind("[::]:8443").await?;
//! let trust_domain = TrustDomain::new("mesh.example")?;
//! let incoming = listen_tls(listener, identity, trust_domain, HandshakeLimits::default(), observer);
//! server::builder()
//!     .add_routes(router)
//!     .serve_with_incoming_shutdown(incoming, async { /* a signal */ })
//!     .await?;
//! # Ok(())
//! # }
//! ```
//!
//! In a handler: `request.extensions().get::<Peer>()`; then [`Peer::role`] decides. [`listen_unix`] yields the same kind of
//! stream for a second such server over the same routes.
//!
//! The agent calls: [`Dialer::spiffe`], then [`Dialer::connect`] for each attempt, with a [`Backoff`] between them.
//! [`Dialer::new`] is the seam for tests without TCP or TLS.
//!
//! What is authorized here is who may open a connection: any [`Role`] of the trust domain at a server, exactly the
//! configured collector at a client. What a role may call is the server's to decide, call by call.
//!
//! The SPIFFE client libraries log for themselves; [`LOG_DIRECTIVES`] keeps them to errors, since the transitions
//! are logged here.

mod backoff;
pub mod client;
mod handshake;
mod identity;
mod peer;
mod role;
pub mod server;
pub mod settings;
mod unix;

use std::time::Duration;

pub use backoff::Backoff;
pub use client::{DialError, Dialer};
pub use handshake::HandshakeResult;
pub use identity::{IdentitySource, IdentityStatus, InvalidWorkloadApi, NoIdentity, SvidSummary, WorkloadApi};
pub use peer::{ByteStream, Connection, Peer, PeerCertificate, Remote, Stream};
pub use role::{NoRole, Role};
pub use server::{HandshakeLimits, HandshakeOutcome, Incoming, Observer, listen_tls};
pub use spiffe::{SpiffeId, SpiffeIdError, TrustDomain};
pub use unix::{UnixError, UnixSettings, listen_unix};

/// For a subscriber's default filter.
pub const LOG_DIRECTIVES: &str = "spiffe=error,spiffe_rustls=error";

/// HTTP/2 pings where nothing else has been heard: often enough to notice a partition within a minute and to keep NAT
/// entries alive, seldom enough to cost a mesh little.
pub(crate) const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(30);
pub(crate) const KEEPALIVE_TIMEOUT: Duration = Duration::from_secs(15);
