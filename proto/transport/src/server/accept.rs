//! The accept loop and one handshake.

use std::error::Error;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use spiffe::TrustDomain;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, mpsc};
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use super::refusals::Refusals;
use super::sources::Sources;
use super::{HandshakeLimits, HandshakeOutcome, Observer};
use crate::handshake::HandshakeResult;
use crate::identity::ServerTls;
use crate::peer::{Connection, Peer, PeerCertificate, Remote, expiry_seconds};
use crate::role::Role;

/// How long a refused peer gets to read why.
const LINGER: Duration = Duration::from_secs(1);

/// What the handshakes of one listener share.
struct Shared {
    tls: ServerTls,
    deadline: Duration,
    observer: Observer,
    refusals: Mutex<Refusals>,
}

/// A connection that came to nothing.
struct Refused {
    result: HandshakeResult,
    error: Box<dyn Error + Send + Sync>,
    /// Still open.
    tcp: Option<TcpStream>,
}

pub(super) async fn tls(
    listener: TcpListener,
    tls: ServerTls,
    limits: HandshakeLimits,
    observer: Observer,
    connections: mpsc::Sender<Connection>,
) {
    let shared = Arc::new(Shared {
        tls,
        deadline: limits.deadline,
        observer,
        refusals: Mutex::new(Refusals::new()),
    });
    let slots = Arc::new(Semaphore::new(limits.concurrent));
    let sources = Arc::new(Sources::new(limits.concurrent_per_source));
    let mut handshakes = JoinSet::new();
    let mut pressure = Pressure::default();
    loop {
        while handshakes.try_join_next().is_some() {}
        let Ok(slot) = Arc::clone(&slots).acquire_owned().await else {
            return;
        };
        let (tcp, remote) = match listener.accept().await {
            Ok(accepted) => accepted,
            Err(error) => {
                pressure.wait(&error).await;
                continue;
            }
        };
        pressure.relieved();
        let started = Instant::now();
        let Some(place) = sources.admit(remote.ip()) else {
            let refused = Refused::without_peer(HandshakeResult::SourceLimit, "too many handshakes at once".into());
            shared.refused(remote, started, &refused);
            continue;
        };
        let (shared, connections) = (Arc::clone(&shared), connections.clone());
        handshakes.spawn(async move {
            match shared.handshake(tcp, remote).await {
                Ok(connection) => {
                    shared.accepted(remote, started, connection.peer());
                    drop((slot, place));
                    // Full only while tonic is not polled; closed when the server is shutting down.
                    connections.send(connection).await.ok();
                }
                Err(refused) => {
                    shared.refused(remote, started, &refused);
                    linger(refused.tcp).await;
                    drop((slot, place));
                }
            }
        });
    }
}

impl Shared {
    async fn handshake(&self, tcp: TcpStream, remote: SocketAddr) -> Result<Connection, Refused> {
        let config = self
            .tls
            .config()
            .map_err(|error| Refused::without_peer(HandshakeResult::Unavailable, error.into()))?;
        let accept = TlsAcceptor::from(config).accept(tcp).into_fallible();
        match timeout(self.deadline, accept).await {
            Err(elapsed) => Err(Refused::without_peer(HandshakeResult::Timeout, elapsed.into())),
            Ok(Err((error, tcp))) => Err(Refused {
                result: HandshakeResult::of_error(&error),
                error: error.into(),
                tcp: Some(tcp),
            }),
            Ok(Ok(stream)) => match peer(&stream, remote, self.tls.trust_domain()) {
                Ok(peer) => Ok(Connection::new(Box::new(stream), peer)),
                Err(error) => Err(Refused::without_peer(HandshakeResult::InvalidCertificate, error)),
            },
        }
    }

    fn accepted(&self, remote: SocketAddr, started: Instant, peer: &Peer) {
        tracing::debug!(%remote, role = %peer.role, "peer connected");
        self.lock_refusals().forget(remote.ip());
        (self.observer)(&HandshakeOutcome {
            result: HandshakeResult::Ok,
            duration: started.elapsed(),
            remote,
            id: peer.certificate.as_ref().map(|certificate| certificate.id.clone()),
        });
    }

    fn refused(&self, remote: SocketAddr, started: Instant, refused: &Refused) {
        let first = self
            .lock_refusals()
            .is_news(remote.ip(), refused.result, started.into_std());
        let (reason, error) = (refused.result.as_str(), &refused.error);
        if first {
            tracing::warn!(source = %remote.ip(), reason, %error, "connections refused; said once for this source and reason");
        } else {
            tracing::debug!(source = %remote.ip(), reason, %error, "connection refused");
        }
        (self.observer)(&HandshakeOutcome {
            result: refused.result,
            duration: started.elapsed(),
            remote,
            id: None,
        });
    }

    fn lock_refusals(&self) -> std::sync::MutexGuard<'_, Refusals> {
        self.refusals.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Refused {
    fn without_peer(result: HandshakeResult, error: Box<dyn Error + Send + Sync>) -> Self {
        Self {
            result,
            error,
            tcp: None,
        }
    }
}

/// A close with unread bytes becomes a reset, which overtakes the alert that says why. So: read what comes, briefly.
async fn linger(tcp: Option<TcpStream>) {
    let Some(mut tcp) = tcp else { return };
    let drain = async {
        tcp.shutdown().await?;
        let mut budget = 64 * 1024_usize;
        let mut buffer = [0; 4096];
        while budget > 0 {
            match tcp.read(&mut buffer).await? {
                0 => break,
                n => budget = budget.saturating_sub(n),
            }
        }
        Ok::<(), io::Error>(())
    };
    timeout(LINGER, drain).await.ok();
}

/// Who the handshake has let in.
fn peer(
    stream: &TlsStream<TcpStream>,
    remote: SocketAddr,
    trust_domain: &TrustDomain,
) -> Result<Peer, Box<dyn Error + Send + Sync>> {
    let leaf = stream
        .get_ref()
        .1
        .peer_certificates()
        .and_then(|chain| chain.first())
        .ok_or("no certificate after the handshake")?;
    let id = spiffe::cert::spiffe_id_from_der(leaf)?;
    let role = Role::of(&id, trust_domain)?;
    let expiry_seconds = expiry_seconds(leaf).ok_or("the certificate's end of validity cannot be read")?;
    Ok(Peer {
        role,
        remote: Remote::Tcp(remote),
        certificate: Some(PeerCertificate { id, expiry_seconds }),
    })
}

/// Waits out a machine that has no descriptors or memory for one more connection.
#[derive(Debug, Default)]
pub(crate) struct Pressure {
    failing: bool,
}

impl Pressure {
    const PAUSE: Duration = Duration::from_millis(200);

    /// After a failed accept.
    pub(crate) async fn wait(&mut self, error: &io::Error) {
        // The peer gave up while it waited: nothing of ours is short.
        if matches!(
            error.kind(),
            io::ErrorKind::ConnectionAborted | io::ErrorKind::ConnectionReset | io::ErrorKind::Interrupted
        ) {
            return;
        }
        if !self.failing {
            tracing::error!(%error, "no new connections can be accepted (too few file descriptors?); trying on");
            self.failing = true;
        }
        tokio::time::sleep(Self::PAUSE).await;
    }

    /// After one that went well.
    pub(crate) fn relieved(&mut self) {
        if std::mem::take(&mut self.failing) {
            tracing::info!("connections are accepted again");
        }
    }
}

#[cfg(test)]
mod tests;
