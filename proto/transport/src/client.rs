//! The calling half: dials a collector, makes sure that it is the collector, and hands out a gRPC channel.
//!
//! A channel stands on one connection that has been dialled already: its errors come out here, named, not as some
//! later request's. Who wants to come back after it has failed dials again, after a [`Backoff`](crate::Backoff).

use std::fmt;
use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures_util::future::BoxFuture;
use hyper_util::rt::TokioIo;
use rustls::pki_types::ServerName;
use spiffe::SpiffeId;
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tonic::transport::{Channel, Endpoint};

use crate::handshake::HandshakeResult;
use crate::identity::{ClientTls, IdentitySource, NoIdentity};
use crate::peer::Stream;

/// Name resolution, TCP and TLS together.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// Opens authenticated byte streams to `HOST:PORT`.
#[derive(Clone)]
pub struct Dialer(Arc<Dial>);

type Dial = dyn Fn(String) -> BoxFuture<'static, Result<Stream, DialError>> + Send + Sync;

/// Why there is no connection.
#[derive(Debug, thiserror::Error)]
pub enum DialError {
    /// We have no SVID of our own.
    #[error("no identity of our own")]
    NoIdentity(#[from] NoIdentity),
    /// Not a host and port.
    #[error("{0:?} is no address: expected HOST:PORT")]
    Address(String),
    /// No TCP connection.
    #[error("{address} cannot be reached")]
    Tcp {
        /// The collector's.
        address: String,
        /// What the system said.
        source: io::Error,
    },
    /// Reached, but no TLS came of it.
    #[error("TLS handshake with {address}: {result}", result = result.as_str())]
    Handshake {
        /// The collector's.
        address: String,
        /// How it ended.
        result: HandshakeResult,
        /// What the TLS layer said.
        source: io::Error,
    },
    /// Nothing within the time allowed.
    #[error("{address} did not answer within {CONNECT_TIMEOUT:?}")]
    Timeout {
        /// The collector's.
        address: String,
    },
    /// No HTTP/2 on the connection.
    #[error("no gRPC on the connection")]
    Http2(#[source] tonic::transport::Error),
}

impl Dialer {
    /// By mutual TLS: as `identity`, to exactly `collector`.
    pub fn spiffe(identity: IdentitySource, collector: SpiffeId) -> Self {
        let tls = Arc::new(ClientTls::new(identity, collector));
        Self::new(move |address| {
            let tls = Arc::clone(&tls);
            Box::pin(async move { dial(&tls, address).await })
        })
    }

    /// By whatever `dial` does; for tests over memory or a simulated network.
    pub fn new(dial: impl Fn(String) -> BoxFuture<'static, Result<Stream, DialError>> + Send + Sync + 'static) -> Self {
        Self(Arc::new(dial))
    }

    /// A gRPC channel over a new connection. It does not come back by itself.
    pub async fn connect(&self, address: &str) -> Result<Channel, DialError> {
        let stream = (self.0)(address.to_owned()).await?;
        let stream = Arc::new(Mutex::new(Some(stream)));
        // TLS is done already, and the name in requests is for nobody.
        Endpoint::from_static("http://collector")
            .http2_keep_alive_interval(crate::KEEPALIVE_INTERVAL)
            .keep_alive_timeout(crate::KEEPALIVE_TIMEOUT)
            .keep_alive_while_idle(true)
            .connect_with_connector(tower::service_fn(move |_| {
                let stream = stream.lock().unwrap_or_else(PoisonError::into_inner).take();
                async move {
                    stream
                        .map(TokioIo::new)
                        .ok_or_else(|| io::Error::new(io::ErrorKind::NotConnected, "the connection is gone"))
                }
            }))
            .await
            .map_err(DialError::Http2)
    }
}

impl fmt::Debug for Dialer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Dialer")
    }
}

async fn dial(tls: &ClientTls, address: String) -> Result<Stream, DialError> {
    let config = tls.config()?;
    let name = server_name(&address)?;
    let connect = async {
        let tcp = TcpStream::connect(&address)
            .await
            .and_then(|tcp| tcp.set_nodelay(true).map(|()| tcp))
            .map_err(|source| DialError::Tcp {
                address: address.clone(),
                source,
            })?;
        let stream = TlsConnector::from(config)
            .connect(name, tcp)
            .await
            .map_err(|source| DialError::Handshake {
                address: address.clone(),
                result: HandshakeResult::of_error(&source),
                source,
            })?;
        Ok::<Stream, DialError>(Box::new(stream))
    };
    match timeout(CONNECT_TIMEOUT, connect).await {
        Ok(result) => result,
        Err(_) => Err(DialError::Timeout {
            address: address.clone(),
        }),
    }
}

/// For the server's eyes only: whom we accept is decided by SPIFFE ID.
fn server_name(address: &str) -> Result<ServerName<'static>, DialError> {
    let invalid = || DialError::Address(address.to_owned());
    let (host, port) = address.rsplit_once(':').ok_or_else(invalid)?;
    port.parse::<u16>().map_err(|_| invalid())?;
    let host = host
        .strip_prefix('[')
        .and_then(|host| host.strip_suffix(']'))
        .unwrap_or(host);
    ServerName::try_from(host.to_owned()).map_err(|_| invalid())
}

#[cfg(test)]
mod tests;
