//! This process's own identity, from the SPIFFE Workload API, kept fresh in the background.
//!
//! Nothing waits for it: a daemon starts without one, watches [`IdentityStatus`], and goes on with what needs none. An
//! SVID once received stays in use while the Workload API is away, until it expires or is withdrawn. The task says
//! once that it waits, and one line per change.

mod tls;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use spiffe::transport::{Endpoint, EndpointError};
use spiffe::{SpiffeId, X509Source};
use tokio::sync::watch;
use tokio_util::task::AbortOnDropHandle;

pub(crate) use self::tls::{ClientTls, ServerTls};
use crate::peer::expiry_seconds;

/// A start that takes longer than this is worth a line.
const SAY_WAITING_AFTER: Duration = Duration::from_secs(1);
/// How soon an expiry nobody renewed is noticed.
const RECHECK: Duration = Duration::from_secs(5);
/// After a failure that the client library takes for final (the API says UNIMPLEMENTED).
const START_AGAIN_AFTER: Duration = Duration::from_secs(30);

/// Where the Workload API is: `unix:/path`, `unix:///path` or `tcp://address:port`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WorkloadApi(String);

/// A text that names no Workload API.
#[derive(Debug, thiserror::Error)]
#[error("{text:?} is no Workload API endpoint: expected unix:/path/to/socket or tcp://ADDRESS:PORT")]
pub struct InvalidWorkloadApi {
    text: String,
    source: EndpointError,
}

/// What is known of the identity now.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct IdentityStatus {
    /// The SVID last received, perhaps expired or withdrawn since; `None`: none yet.
    pub svid: Option<SvidSummary>,
    /// It can be used.
    pub usable: bool,
    /// SVIDs received after the first, in this process.
    pub renewals: u64,
}

/// What matters of an SVID.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SvidSummary {
    /// Who we are.
    pub id: SpiffeId,
    /// Unix time, seconds.
    pub expiry_seconds: u64,
}

/// The identity of this process. Clones share it; the last one dropped ends its task.
#[derive(Clone)]
pub struct IdentitySource {
    source: watch::Receiver<Option<X509Source>>,
    status: watch::Receiver<IdentityStatus>,
    _task: Arc<AbortOnDropHandle<()>>,
}

/// No TLS without an SVID of our own.
#[derive(Debug, thiserror::Error)]
pub enum NoIdentity {
    /// None yet.
    #[error("no SVID received yet; see whether the Workload API's socket is there and knows this process")]
    Waiting,
    /// Received, but of no use now.
    #[error("the SVID cannot be used: expired, withdrawn, or being replaced")]
    Unusable(#[source] Box<spiffe_rustls::Error>),
}

impl WorkloadApi {
    /// Checked, but not connected to.
    pub fn parse(text: &str) -> Result<Self, InvalidWorkloadApi> {
        match Endpoint::parse(text) {
            Ok(_) => Ok(Self(text.to_owned())),
            Err(source) => Err(InvalidWorkloadApi {
                text: text.to_owned(),
                source,
            }),
        }
    }
}

/// SPIRE's usual place.
impl Default for WorkloadApi {
    fn default() -> Self {
        Self("unix:/run/spire/agent/public/api.sock".to_owned())
    }
}

impl fmt::Display for WorkloadApi {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl IdentitySource {
    /// Begins to fetch. Returns at once; needs a tokio runtime.
    pub fn start(api: WorkloadApi) -> Self {
        let (source_tx, source) = watch::channel(None);
        let (status_tx, status) = watch::channel(IdentityStatus::default());
        let task = tokio::spawn(async move {
            loop {
                let source = fetch(&api).await;
                source_tx.send_replace(Some(source.clone()));
                follow(&source, &status_tx).await;
                tracing::warn!("the client of the Workload API ended; starting it again");
            }
        });
        Self {
            source,
            status,
            _task: Arc::new(AbortOnDropHandle::new(task)),
        }
    }

    /// What is known now.
    pub fn status(&self) -> IdentityStatus {
        self.status.borrow().clone()
    }

    /// Follows what is known. The sender lives as long as any clone of this source.
    pub fn watch(&self) -> watch::Receiver<IdentityStatus> {
        self.status.clone()
    }

    /// Waits until there is a usable SVID.
    pub async fn usable(&self) {
        let mut status = self.status.clone();
        if status.wait_for(|status| status.usable).await.is_err() {
            // The task never ends by itself; while the runtime shuts down there is nothing to wait for.
            std::future::pending::<()>().await;
        }
    }

    fn current(&self) -> Result<X509Source, NoIdentity> {
        self.source.borrow().clone().ok_or(NoIdentity::Waiting)
    }
}

impl fmt::Debug for IdentitySource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("IdentitySource")
            .field("status", &*self.status.borrow())
            .finish_non_exhaustive()
    }
}

/// Tries until the Workload API has given an SVID.
async fn fetch(api: &WorkloadApi) -> X509Source {
    let mut said = false;
    loop {
        let build = X509Source::builder().endpoint(&api.0).build();
        tokio::pin!(build);
        let result = tokio::select! {
            result = &mut build => result,
            () = tokio::time::sleep(SAY_WAITING_AFTER), if !said => {
                tracing::info!(workload_api = %api, "waiting for an identity from the Workload API");
                said = true;
                build.await
            }
        };
        match result {
            Ok(source) => return source,
            Err(error) => {
                tracing::warn!(
                    error = &error as &dyn std::error::Error,
                    workload_api = %api,
                    "the Workload API gives no identity; trying again"
                );
                tokio::time::sleep(START_AGAIN_AFTER).await;
            }
        }
    }
}

/// Publishes every change until the source ends.
async fn follow(source: &X509Source, status: &watch::Sender<IdentityStatus>) {
    let mut updates = source.updated();
    let mut certificate: Option<Vec<u8>> = None;
    loop {
        let state = source.state();
        let svid = state.svid();
        let usable = svid.is_ok();
        if let Ok(svid) = svid {
            let leaf = svid.cert_chain().first().map(|leaf| leaf.as_bytes().to_vec());
            if leaf != certificate {
                let summary = SvidSummary {
                    id: svid.spiffe_id().clone(),
                    expiry_seconds: leaf.as_deref().and_then(expiry_seconds).unwrap_or(0),
                };
                received(status, summary);
                certificate = leaf;
            }
        }
        status.send_if_modified(|status| {
            let changed = status.usable != usable;
            if changed && !usable {
                let withdrawn = state.withdrawal().is_some();
                tracing::warn!(
                    withdrawn,
                    "the SVID can no longer be used: withdrawn or expired; waiting for another"
                );
            } else if changed && status.renewals > 0 {
                tracing::info!("an SVID can be used again");
            }
            status.usable = usable;
            changed
        });
        tokio::select! {
            update = updates.changed() => if update.is_err() { return },
            () = tokio::time::sleep(RECHECK) => {}
        }
    }
}

fn received(status: &watch::Sender<IdentityStatus>, svid: SvidSummary) {
    status.send_modify(|status| {
        match &status.svid {
            None => tracing::info!(id = %svid.id, expiry_seconds = svid.expiry_seconds, "identity received"),
            Some(before) if before.id != svid.id => {
                tracing::warn!(before = %before.id, id = %svid.id, "the Workload API gives another identity now");
            }
            Some(_) => tracing::debug!(expiry_seconds = svid.expiry_seconds, "identity renewed"),
        }
        if status.svid.is_some() {
            status.renewals += 1;
        }
        status.svid = Some(svid);
    });
}
