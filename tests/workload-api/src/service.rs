//! The Workload API on one socket: whoever opens it gets that socket's identity.

use std::collections::HashMap;
use std::sync::Arc;

use futures_util::StreamExt as _;
use futures_util::stream::BoxStream;
use tokio::sync::watch;
use tokio_stream::wrappers::WatchStream;
use tonic::{Request, Response, Status};

use crate::pb::spiffe_workload_api_server::SpiffeWorkloadApi;
use crate::pb::{X509BundlesRequest, X509BundlesResponse, X509svid, X509svidRequest, X509svidResponse};

/// What a socket hands out at present; `None`: nothing is registered for it.
pub(crate) type Current = Option<Arc<Material>>;

/// An SVID with all the bundles its holder needs.
pub(crate) struct Material {
    pub(crate) spiffe_id: String,
    pub(crate) certificate: Vec<u8>,
    pub(crate) key: Vec<u8>,
    /// Of its own trust domain: its SPIFFE ID and its certificates.
    pub(crate) bundle: (String, Vec<u8>),
    pub(crate) federated: HashMap<String, Vec<u8>>,
}

pub(crate) struct WorkloadApi {
    current: watch::Receiver<Current>,
}

impl WorkloadApi {
    pub(crate) fn new(current: watch::Receiver<Current>) -> Self {
        Self { current }
    }

    /// The specification makes every call carry it, so that a browser's or proxy's stray request gets no key.
    fn checked<T: 'static>(
        &self,
        metadata: &tonic::metadata::MetadataMap,
        answer: fn(&Material) -> T,
    ) -> Result<Response<BoxStream<'static, Result<T, Status>>>, Status> {
        if metadata.get("workload.spiffe.io").is_none_or(|value| value != "true") {
            return Err(Status::invalid_argument(
                "the metadata must carry workload.spiffe.io: true (SPIFFE Workload Endpoint, section 4)",
            ));
        }
        if self.current.borrow().is_none() {
            return Err(no_identity());
        }
        let updates = WatchStream::new(self.current.clone())
            .map(move |current| current.map(|material| answer(&material)).ok_or_else(no_identity));
        Ok(Response::new(updates.boxed()))
    }
}

fn no_identity() -> Status {
    Status::permission_denied("no identity issued")
}

#[tonic::async_trait]
impl SpiffeWorkloadApi for WorkloadApi {
    type FetchX509SVIDStream = BoxStream<'static, Result<X509svidResponse, Status>>;
    type FetchX509BundlesStream = BoxStream<'static, Result<X509BundlesResponse, Status>>;

    async fn fetch_x509svid(
        &self,
        request: Request<X509svidRequest>,
    ) -> Result<Response<Self::FetchX509SVIDStream>, Status> {
        self.checked(request.metadata(), |material| X509svidResponse {
            svids: vec![X509svid {
                spiffe_id: material.spiffe_id.clone(),
                x509_svid: material.certificate.clone(),
                x509_svid_key: material.key.clone(),
                bundle: material.bundle.1.clone(),
                hint: String::new(),
            }],
            crl: Vec::new(),
            federated_bundles: material.federated.clone(),
        })
    }

    async fn fetch_x509_bundles(
        &self,
        request: Request<X509BundlesRequest>,
    ) -> Result<Response<Self::FetchX509BundlesStream>, Status> {
        self.checked(request.metadata(), |material| {
            let mut bundles = material.federated.clone();
            bundles.insert(material.bundle.0.clone(), material.bundle.1.clone());
            X509BundlesResponse {
                crl: Vec::new(),
                bundles,
            }
        })
    }
}
