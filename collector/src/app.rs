//! The wiring: every channel, task and server of the collector is made here, in reading order.
//!
//! ```text
//! agents ─TLS─► TelemetryIngest ─EVENTS─► topology::publish ─latest─┬─► /metrics, TopologyService
//!                                                 │                 └─► rebalance ─latest─► RebalanceService
//!                                                 └─► history ─► TopologyService
//! ```
//!
//! HTTP and the Unix socket serve at once; TLS needs an identity, which is waited for in the background.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use mesh_proto::pb;
use mesh_proto::pb::rebalance_service_server::RebalanceServiceServer;
use mesh_proto::pb::telemetry_service_server::TelemetryServiceServer;
use mesh_proto::pb::topology_service_server::TopologyServiceServer;
use mesh_transport::{
    HandshakeLimits, HandshakeOutcome, IdentitySource, Incoming, Observer, UnixError, UnixSettings, listen_tls,
    listen_unix,
};
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tonic::service::Routes;

use crate::access::layer::AccessLayer;
use crate::clock;
use crate::config::{Config, Grpc};
use crate::history::History;
use crate::http::{self, Pages};
use crate::ingest::service::TelemetryIngest;
use crate::metrics::Instruments;
use crate::query::TopologyQueries;
use crate::rebalance::{self, Decisions, Plan, Policy};
use crate::topology::{TopologySnapshot, publish};
use crate::watchdog::{self, Pulse};

/// Events on their way to the topology. Where it is full, streams wait, and with them their agents: nothing is lost.
const EVENTS: usize = 1_024;
/// Streams one connection may have open: an agent needs one, an engineer's tool a handful.
const STREAMS_PER_CONNECTION: u32 = 32;
/// How long servers may take to end after SIGTERM; a little more than agents get to leave.
const STOP_WITHIN: Duration = Duration::from_secs(4);

/// Runs until SIGTERM or SIGINT.
///
/// # Errors
/// When something it needs cannot be had: an address, the Unix socket.
pub async fn run(config: Config) -> anyhow::Result<()> {
    let stop = CancellationToken::new();
    let instruments = Arc::new(Instruments::new().context("the metrics registry cannot be made")?);
    let identity = IdentitySource::start(config.identity.workload_api.clone());

    // Must-see, bounded: see EVENTS.
    let (events_tx, events) = mpsc::channel(EVENTS);
    // Latest wins: a slow reader skips snapshots.
    let (topology_tx, topology) = watch::channel(Arc::new(TopologySnapshot::empty(clock::now().wall)));
    // Latest wins: a slow reader skips plans.
    let (plans_tx, plans) = watch::channel(Arc::new(Plan::default()));

    // Bounded; what is old gives way to what is new, fairly among nodes.
    let history = History::new(clock::now().wall);

    let mut tasks = JoinSet::new();
    let pulse = Pulse::default();
    tasks.spawn(publish::run(
        events,
        topology_tx,
        history.clone(),
        pulse.counted(clock::now),
    ));
    tasks.spawn(rebalance::run(
        topology.clone(),
        Policy::default(),
        plans_tx,
        Arc::clone(&instruments),
        clock::now,
        stop.clone(),
    ));

    let http = http::router(Pages {
        topology: topology.clone(),
        instruments: Arc::clone(&instruments),
        identity: identity.clone(),
    });
    let mut servers = JoinSet::new();
    for address in &config.http.listen {
        let listener = bind(*address, "http.listen").await?;
        let server = axum::serve(listener, http.clone()).with_graceful_shutdown(stop.clone().cancelled_owned());
        servers.spawn(async move { server.await.context("the HTTP server failed") });
    }

    let telemetry = TelemetryServiceServer::new(TelemetryIngest::new(events_tx, stop.clone()))
        .max_decoding_message_size(config.limits.message_bytes);
    let routes = routes(
        telemetry,
        TopologyQueries::new(topology, history, stop.clone()),
        Decisions::new(plans),
    )
    .await?;
    let access = AccessLayer::new(Arc::clone(&instruments));
    let serve = |incoming: Incoming| {
        let server = mesh_transport::server::builder()
            .max_concurrent_streams(STREAMS_PER_CONNECTION)
            .layer(access.clone())
            .add_routes(routes.clone())
            .serve_with_incoming_shutdown(incoming, stop.clone().cancelled_owned());
        async move { server.await.context("a gRPC server failed") }
    };
    servers.spawn(serve(unix_socket(&config.grpc)?));
    let observer: Observer = Arc::new(move |outcome: &HandshakeOutcome| {
        instruments.handshake(outcome.result, outcome.duration);
    });
    for address in &config.grpc.listen {
        let listener = bind(*address, "grpc.listen").await?;
        let limits = HandshakeLimits::default();
        let (identity, observer) = (identity.clone(), Arc::clone(&observer));
        let incoming = listen_tls(listener, identity, config.trust_domain.clone(), limits, observer);
        servers.spawn(serve(incoming));
    }

    tracing::info!(
        grpc = ?config.grpc.listen, socket = %config.grpc.socket.display(), http = ?config.http.listen,
        "collector is up"
    );
    mesh_daemon::notify_ready();
    if let Some(watchdog) = mesh_daemon::Watchdog::asked_for() {
        tasks.spawn(watchdog::run(watchdog, pulse, config.grpc.socket.clone()));
    }
    let failure = tokio::select! {
        () = told_to_stop() => None,
        Some(ended) = servers.join_next() => Some(ended),
        // Without the topology's writer everything would look well and be old.
        Some(ended) = tasks.join_next() => Some(ended.map(|()| Err(anyhow::anyhow!("a task ended by itself")))),
    };
    mesh_daemon::notify_stopping();
    tracing::info!("collector is stopping: agents are asked to come back later");
    stop.cancel();
    let ended = async { while servers.join_next().await.is_some() {} };
    if tokio::time::timeout(STOP_WITHIN, ended).await.is_err() {
        tracing::info!("some streams did not end in time and are cut off");
    }
    match failure {
        None => Ok(()),
        Some(ended) => ended.context("a server failed")?.context("a server ended by itself"),
    }
}

async fn bind(address: SocketAddr, key: &'static str) -> anyhow::Result<TcpListener> {
    TcpListener::bind(address)
        .await
        .with_context(|| format!("{key}: cannot listen on {address}"))
}

/// Everything gRPC, the same for TLS and the Unix socket.
async fn routes(
    telemetry: TelemetryServiceServer<TelemetryIngest>,
    topology: TopologyQueries,
    decisions: Decisions,
) -> anyhow::Result<Routes> {
    let (health, health_service) = tonic_health::server::health_reporter();
    health.set_serving::<TelemetryServiceServer<TelemetryIngest>>().await;
    health.set_serving::<TopologyServiceServer<TopologyQueries>>().await;
    health.set_serving::<RebalanceServiceServer<Decisions>>().await;
    let reflection = || {
        tonic_reflection::server::Builder::configure()
            .register_encoded_file_descriptor_set(pb::FILE_DESCRIPTOR_SET)
            .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
    };
    Ok(Routes::new(telemetry)
        .add_service(TopologyServiceServer::new(topology))
        .add_service(RebalanceServiceServer::new(decisions))
        .add_service(health_service)
        .add_service(reflection().build_v1().context("reflection v1")?)
        .add_service(reflection().build_v1alpha().context("reflection v1alpha")?))
}

/// Without its group the socket is root's and our own alone.
fn unix_socket(grpc: &Grpc) -> anyhow::Result<Incoming> {
    let mut settings = UnixSettings {
        path: grpc.socket.clone(),
        mode: 0o660,
        group: Some(grpc.socket_group.clone()),
    };
    let listening = match listen_unix(&settings) {
        Err(error @ UnixError::NoGroup(_)) => {
            tracing::warn!(%error, "only root and the collector's own user may use the Unix socket");
            (settings.mode, settings.group) = (0o600, None);
            listen_unix(&settings)
        }
        other => other,
    };
    listening.context("grpc.socket: the Unix socket cannot be opened")
}

async fn told_to_stop() {
    let wait = |kind| async move {
        match signal(kind) {
            Ok(mut signal) => {
                signal.recv().await;
            }
            Err(error) => {
                tracing::error!(%error, "a signal cannot be listened for");
                std::future::pending::<()>().await;
            }
        }
    };
    tokio::select! {
        () = wait(SignalKind::terminate()) => {}
        () = wait(SignalKind::interrupt()) => {}
    }
}
