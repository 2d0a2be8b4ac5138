//! Puts [`Access`] before every method of every server.

use std::collections::HashSet;
use std::convert::Infallible;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use futures_util::future::Either;
use mesh_transport::Peer;
use tonic::Status;
use tonic::codegen::Service;
use tonic::codegen::http::{Request, Response};
use tower::Layer;

use super::Access;
use crate::metrics::Instruments;

/// Denials remembered as already logged; beyond that all are forgotten, and may be said again.
const SAID: usize = 1_024;

/// Wraps services so that only who may call them does.
#[derive(Clone)]
pub struct AccessLayer {
    shared: Arc<Shared>,
}

struct Shared {
    instruments: Arc<Instruments>,
    said: Mutex<HashSet<(String, Access)>>,
}

/// A service behind [`AccessLayer`].
#[derive(Clone)]
pub struct Guarded<S> {
    inner: S,
    shared: Arc<Shared>,
}

impl AccessLayer {
    /// Denials are counted in `instruments`.
    pub fn new(instruments: Arc<Instruments>) -> Self {
        Self {
            shared: Arc::new(Shared {
                instruments,
                said: Mutex::default(),
            }),
        }
    }
}

impl<S> Layer<S> for AccessLayer {
    type Service = Guarded<S>;

    fn layer(&self, inner: S) -> Guarded<S> {
        Guarded {
            inner,
            shared: Arc::clone(&self.shared),
        }
    }
}

impl<S, B> Service<Request<B>> for Guarded<S>
where
    S: Service<Request<B>, Response = Response<tonic::body::Body>, Error = Infallible>,
{
    type Response = S::Response;
    type Error = Infallible;
    type Future = Either<S::Future, std::future::Ready<Result<S::Response, Infallible>>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        match self
            .shared
            .check(request.extensions().get::<Peer>(), request.uri().path())
        {
            Ok(()) => Either::Left(self.inner.call(request)),
            Err(status) => Either::Right(std::future::ready(Ok(status.into_http()))),
        }
    }
}

impl Shared {
    fn check(&self, peer: Option<&Peer>, path: &str) -> Result<(), Status> {
        let access = Access::of(path);
        if peer.is_some_and(|peer| access.allows(&peer.role)) {
            return Ok(());
        }
        self.instruments.denied(access.denial());
        let who = peer.map_or_else(|| "nobody".to_owned(), |peer| peer.role.to_string());
        let mut said = self.said.lock().unwrap_or_else(PoisonError::into_inner);
        if said.len() >= SAID {
            said.clear();
        }
        if said.insert((who.clone(), access)) {
            let remote = peer.map(|peer| peer.remote.to_string());
            tracing::warn!(
                role = %who, remote, method = path, reason = access.denial(),
                "call denied; said once for this peer and reason"
            );
        }
        Err(Status::permission_denied(access.needed()))
    }
}
