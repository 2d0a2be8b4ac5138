//! The listening half: accepts, shakes hands within bounds, and yields authenticated connections.
//!
//! A peer can cost us no more than one of a bounded number of handshakes, for a bounded time, and few of those from one
//! address; what it did wrong is told to an observer each time and logged once. A machine out of file descriptors is
//! waited for, not spun on. The stream never ends by itself and never yields an error.

mod accept;
mod refusals;
mod sources;

use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use futures_util::Stream;
use spiffe::{SpiffeId, TrustDomain};
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio_util::task::AbortOnDropHandle;

pub(crate) use accept::Pressure;

use crate::handshake::HandshakeResult;
use crate::identity::{IdentitySource, ServerTls};
use crate::peer::Connection;

/// Bounds of the handshakes.
#[derive(Debug, Clone, Copy)]
pub struct HandshakeLimits {
    /// From accept to the end of the handshake.
    pub deadline: Duration,
    /// At once, of all peers. More wait in the listen queue.
    pub concurrent: usize,
    /// At once, from one address (IPv6: one /64). More are closed.
    pub concurrent_per_source: usize,
}

impl Default for HandshakeLimits {
    fn default() -> Self {
        Self {
            deadline: Duration::from_secs(10),
            concurrent: 64,
            concurrent_per_source: 16,
        }
    }
}

/// What became of one handshake.
#[derive(Debug, Clone)]
pub struct HandshakeOutcome {
    /// How it ended.
    pub result: HandshakeResult,
    /// From accept to its end.
    pub duration: Duration,
    /// With whom.
    pub remote: SocketAddr,
    /// The peer's identity, where the handshake succeeded.
    pub id: Option<SpiffeId>,
}

/// Told of every handshake; must not block.
pub type Observer = Arc<dyn Fn(&HandshakeOutcome) + Send + Sync>;

/// Authenticated connections, for `serve_with_incoming_shutdown`. Dropped, it stops listening.
#[derive(Debug)]
pub struct Incoming {
    connections: mpsc::Receiver<Connection>,
    _task: AbortOnDropHandle<()>,
}

/// Accepts TLS connections of peers that have a role in `trust_domain`. While `identity` has no usable SVID,
/// connections are closed at once, so that agents back off.
pub fn listen_tls(
    listener: TcpListener,
    identity: IdentitySource,
    trust_domain: TrustDomain,
    limits: HandshakeLimits,
    observer: Observer,
) -> Incoming {
    let tls = ServerTls::new(identity, trust_domain);
    Incoming::spawn(|connections| accept::tls(listener, tls, limits, observer, connections))
}

/// A tonic server that notices dead peers, as [`crate::client`] does on the other end.
pub fn builder() -> tonic::transport::Server {
    tonic::transport::Server::builder()
        .tcp_nodelay(true)
        .http2_keepalive_interval(Some(crate::KEEPALIVE_INTERVAL))
        .http2_keepalive_timeout(Some(crate::KEEPALIVE_TIMEOUT))
}

impl Incoming {
    pub(crate) fn spawn<F>(accept: impl FnOnce(mpsc::Sender<Connection>) -> F) -> Self
    where
        F: Future<Output = ()> + Send + 'static,
    {
        // Small: tonic takes each at once; what waits here holds a descriptor.
        let (tx, connections) = mpsc::channel(16);
        Self {
            connections,
            _task: AbortOnDropHandle::new(tokio::spawn(accept(tx))),
        }
    }
}

impl Stream for Incoming {
    type Item = Result<Connection, std::convert::Infallible>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.connections.poll_recv(cx).map(|connection| connection.map(Ok))
    }
}
