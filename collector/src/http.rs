//! The read-only pages: `/metrics`, `/healthz`, `/readyz`.

use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use mesh_transport::IdentitySource;
use tokio::sync::watch;

use crate::metrics::{self, Instruments};
use crate::topology::TopologySnapshot;

/// What the pages show.
#[derive(Clone)]
pub struct Pages {
    /// The latest topology.
    pub topology: watch::Receiver<Arc<TopologySnapshot>>,
    /// What the process counts.
    pub instruments: Arc<Instruments>,
    /// Whether agents can be let in.
    pub identity: IdentitySource,
}

/// The routes.
pub fn router(pages: Pages) -> Router {
    Router::new()
        .route("/metrics", get(scrape))
        .route("/healthz", get(async || "alive\n"))
        .route("/readyz", get(ready))
        .with_state(pages)
}

async fn scrape(State(pages): State<Pages>) -> Response {
    let topology = Arc::clone(&pages.topology.borrow());
    // A large mesh's page takes milliseconds: not on a thread that streams wait for.
    let page = tokio::task::spawn_blocking(move || pages.instruments.page(&topology)).await;
    match page {
        Ok(Ok(page)) => ([(CONTENT_TYPE, metrics::CONTENT_TYPE)], page).into_response(),
        Ok(Err(error)) => failed(&error),
        Err(error) => failed(&error),
    }
}

fn failed(error: &(dyn std::error::Error + 'static)) -> Response {
    tracing::error!(error, "the metrics could not be written");
    (
        StatusCode::INTERNAL_SERVER_ERROR,
        "the metrics could not be written; see the log\n",
    )
        .into_response()
}

async fn ready(State(pages): State<Pages>) -> (StatusCode, String) {
    let status = pages.identity.status();
    match (status.usable, status.svid) {
        (true, _) => (StatusCode::OK, "ready\n".to_owned()),
        (false, None) => (
            StatusCode::SERVICE_UNAVAILABLE,
            "identity: no SVID received yet, so no agent can be let in; see whether the Workload API's socket is there \
             and has an entry for the collector\n"
                .to_owned(),
        ),
        (false, Some(svid)) => (
            StatusCode::SERVICE_UNAVAILABLE,
            format!(
                "identity: the SVID of {} cannot be used: it ended at {} (Unix time) or was withdrawn, and no other has \
                 come; see the Workload API\n",
                svid.id, svid.expiry_seconds
            ),
        ),
    }
}
