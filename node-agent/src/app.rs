//! The wiring: every channel and task of the agent, in reading order.
//!
//! | channel | bound | when it is full |
//! | --- | --- | --- |
//! | snapshots (watch) | the latest | who is slow sees fewer |
//! | records (mpsc) | 1,024 | the newest is dropped and counted |
//! | uplink status (watch) | the latest | who is slow sees fewer |
//! | managed, managing (watch) | the latest | who is slow sees fewer |
//! | changes in the kernel (mpsc) | 1 | one that waits says it all |
//! | asked over the socket (mpsc) | 4 | who asks waits |

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use mesh_daemon::Watchdog;
use mesh_proto::model::hello::default_mesh;
use mesh_proto::model::{IfName, InvalidName, MeshId, ProbeStatus, Record, Snapshot};
use mesh_transport::{IdentitySource, SpiffeId, SpiffeIdError, WorkloadApi};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::{JoinError, JoinSet, block_in_place};
use tokio::time::{Instant, MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

use crate::actuate::linux::Linux;
use crate::actuate::reconcile::{self, Channels, Clock, Manager, Wishes};
use crate::collect::{self, host};
use crate::config::Config;
use crate::control::{Answer, Asked, Control, ControlError, Request};
use crate::derive;
use crate::ebpf::{ProbeConfig, Probes};
use crate::observe::{self, Observer, Outputs};
use crate::status::{Managing, Status};
use crate::uplink::{self, HelloInfo, UplinkStatus};

/// Between the observer and the uplink, which takes them at once and keeps more of its own.
const RECORDS_WAITING: usize = 1_024;
/// Asked of the one who writes; they are answered one after the other.
const ASKED_WAITING: usize = 4;
/// For the tasks to end by themselves; a change of the mesh that was begun is ended.
const FAREWELL: Duration = Duration::from_secs(25);
/// The task that keeps the mesh says every 5 s that it lives; a slow kernel may hold it up for as long as this.
const KEEPER_HANGS: Duration = Duration::from_secs(60);
/// Beside three intervals: each table of a slow kernel is waited for.
const OBSERVER_HANGS: Duration = Duration::from_secs(120);

/// Why the agent does not start. Nothing of the mesh is among it.
#[derive(Debug, thiserror::Error)]
pub enum AppError {
    /// Another agent runs here.
    #[error(transparent)]
    Control(#[from] ControlError),
    /// `identity.trust_domain`, too long to be part of an id.
    #[error("identity.trust_domain makes no id for the collector: write a shorter one")]
    CollectorId(#[from] SpiffeIdError),
    /// A defect.
    #[error("a task of the agent fell: please report this")]
    Fallen(#[source] JoinError),
    /// A defect.
    #[error("a task of the agent ended by itself: please report this")]
    Ended,
    /// `mesh.*.name`
    #[error(transparent)]
    MeshName(#[from] InvalidName),
}

/// An agent that can run.
#[derive(Debug)]
pub struct App {
    config: Config,
    wishes: Wishes,
    control: Option<Control>,
    meshes: BTreeMap<IfName, MeshId>,
    reports_to: Option<ReportsTo>,
}

#[derive(Debug)]
struct ReportsTo {
    workload_api: WorkloadApi,
    uplink: uplink::Config,
}

impl App {
    /// Checks what a configuration file alone cannot say. `path`: where the configuration was read, to read it anew.
    ///
    /// # Errors
    /// [`AppError`]
    pub fn new(config: Config, path: &Path) -> Result<Self, AppError> {
        let path = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
        let wishes = Wishes::new(&path, config.clone());
        let mut meshes = BTreeMap::new();
        for (ifname, mesh) in &config.mesh {
            let name = mesh.name.clone().map_or_else(|| default_mesh(ifname), Ok)?;
            meshes.insert(ifname.clone(), name);
        }
        let reports_to = reports_to(&config)?;
        let control = match Control::bind(&config.control.socket) {
            Ok(control) => Some(control),
            Err(error @ ControlError::InUse(_)) => return Err(error.into()),
            Err(error) => {
                let error = &error as &dyn std::error::Error;
                tracing::warn!(error, "`node-agent status` will have nobody to ask");
                None
            }
        };
        Ok(Self {
            config,
            wishes,
            control,
            meshes,
            reports_to,
        })
    }

    /// Runs until told to stop. Needs a multi-threaded runtime.
    ///
    /// # Errors
    /// If a part of it falls.
    pub async fn run(self, stop: CancellationToken) -> Result<(), AppError> {
        let Self {
            config,
            wishes,
            control,
            meshes,
            reports_to,
        } = self;
        let (snapshots, latest) = watch::channel::<Option<Arc<Snapshot>>>(None);
        let (records, recorded) = mpsc::channel::<Record>(RECORDS_WAITING);
        let (uplink_status, uplink_now) = watch::channel(UplinkStatus::default());
        let (managed, managed_now) = watch::channel(BTreeMap::new());
        let (managing, managing_now) = watch::channel(Managing::default());
        let (changes, changed) = mpsc::channel::<()>(1);
        let (ask, asked) = mpsc::channel::<Asked>(ASKED_WAITING);
        let (beats, beating) = watch::channel(());
        let name = config.node.name.clone().unwrap_or_else(|| kernel_text("hostname"));

        let identity = reports_to
            .as_ref()
            .map(|to| IdentitySource::start(to.workload_api.clone()));
        let observer = Observer {
            interval: config.collect.interval.get(),
            collector: collect::Collector::new(meshes.keys().cloned()),
            config: derive::Config {
                meshes,
                boot_id: host::boot_id(),
                // Counts begin with this process; no two of them begin at one nanosecond of one boot.
                churn_incarnation: host::boottime_ns(),
                traffic_incarnation: host::boottime_ns(),
            },
            probes: config
                .probes
                .enabled
                .then(|| block_in_place(|| Probes::load(&probe_config(&config)))),
            identity: identity.as_ref().map(IdentitySource::watch),
            managed: Some(managed_now),
        };

        let folder = config.state.directory.clone();
        let kernel = Linux::new().remembering_in(folder.clone());
        let manager = Manager::new(kernel, Clock::of_this_machine(), folder, wishes);
        let channels = Channels {
            events: changed,
            asked,
            managed,
            managing,
            records: records.clone(),
            beats,
        };

        let mut tasks = JoinSet::new();
        tasks.spawn(reconcile::run(manager, channels, stop.clone()));
        if let Some(watchdog) = Watchdog::asked_for() {
            let observer_hangs = OBSERVER_HANGS + 3 * config.collect.interval.get();
            tasks.spawn(give_signs(
                watchdog,
                beating,
                latest.clone(),
                observer_hangs,
                stop.clone(),
            ));
        }
        let hearing = AbortOnDropHandle::new(tokio::spawn(reconcile::hear(changes)));
        let reloading = AbortOnDropHandle::new(tokio::spawn(reload_when_told(ask.clone())));
        tasks.spawn(observer.run(Outputs { snapshots, records }, stop.clone()));
        match (reports_to, identity.clone()) {
            (Some(to), Some(identity)) => {
                let hello = HelloInfo {
                    name: name.clone(),
                    site: config.node.site.clone(),
                    agent_version: env!("CARGO_PKG_VERSION").to_owned(),
                    kernel: kernel_text("osrelease"),
                    batman_adv: host::module_version().unwrap_or_default(),
                    boot_id: host::boot_id(),
                    report_interval: config.collect.interval.get(),
                };
                let (snapshots, stop) = (latest.clone(), stop.clone());
                tasks.spawn(uplink::run(
                    to.uplink,
                    identity,
                    hello,
                    snapshots,
                    recorded,
                    uplink_status,
                    stop,
                ));
            }
            _ => {
                tracing::info!("no collector is configured; this agent keeps to itself");
                // Nobody asks for records; the observer must not find their queue full.
                tasks.spawn(discard(recorded));
            }
        }
        let answering = control.map(|control| {
            let status = move || Status {
                managing: managing_now.borrow().clone(),
                ..status(
                    &name,
                    identity.as_ref(),
                    &uplink_now.borrow(),
                    latest.borrow().as_deref(),
                )
            };
            AbortOnDropHandle::new(tokio::spawn(control.serve(status, ask)))
        });
        tracing::info!(version = env!("CARGO_PKG_VERSION"), "the agent runs");
        mesh_daemon::notify_ready();

        // Neither end by themselves; one that does has fallen, and an agent without it would only seem to run.
        // Told to stop they end, too, and may be the first to be seen: so the word to stop is asked for first.
        let fallen = tokio::select! {
            biased;
            () = stop.cancelled() => None,
            Some(ended) = tasks.join_next() => Some(ended),
        };
        mesh_daemon::notify_stopping();
        tracing::info!("the agent stops; the mesh stays as it is");
        stop.cancel();
        // These go on for ever.
        drop((answering, hearing, reloading));
        let ended = async { while tasks.join_next().await.is_some() {} };
        if tokio::time::timeout(FAREWELL, ended).await.is_err() {
            tracing::warn!("a task of the agent did not end in time");
        }
        match fallen {
            None => Ok(()),
            Some(Ok(())) => Err(AppError::Ended),
            Some(Err(error)) => Err(AppError::Fallen(error)),
        }
    }
}

/// Loads the probes for a moment and says what works. Members are those of the configured mesh interfaces.
pub async fn try_probes(config: &Config) -> BTreeMap<String, ProbeStatus> {
    let mut probes = block_in_place(|| {
        Probes::load(&ProbeConfig {
            leave_filters: true,
            ..probe_config(config)
        })
    });
    let sample = collect::Collector::new(config.mesh.keys().cloned()).sample().await;
    for member in sample.meshes.values().flatten().flat_map(|mesh| &mesh.members) {
        probes.attach_interface(member.ifindex, &member.ifname);
    }
    probes.states().into_iter().map(observe::status).collect()
}

/// Cancelled by SIGTERM or SIGINT.
///
/// # Errors
/// If the signals cannot be caught.
pub fn until_told_to_stop() -> std::io::Result<CancellationToken> {
    let stop = CancellationToken::new();
    let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    let told = stop.clone();
    tokio::spawn(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        told.cancel();
    });
    Ok(stop)
}

fn reports_to(config: &Config) -> Result<Option<ReportsTo>, AppError> {
    let (Some(trust_domain), false) = (&config.identity.trust_domain, config.collector.addresses.is_empty()) else {
        return Ok(None);
    };
    let addresses = config
        .collector
        .addresses
        .iter()
        .map(|address| address.as_str().to_owned());
    Ok(Some(ReportsTo {
        workload_api: config.identity.workload_api.clone(),
        uplink: uplink::Config {
            addresses: addresses.collect(),
            collector: SpiffeId::new(format!("spiffe://{trust_domain}/collector"))?,
            incarnation_file: config.state.directory.join("incarnation"),
        },
    }))
}

fn status(name: &str, identity: Option<&IdentitySource>, uplink: &UplinkStatus, snapshot: Option<&Snapshot>) -> Status {
    let snapshot = snapshot.cloned().unwrap_or_default();
    Status {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        name: name.to_owned(),
        spiffe_id: identity
            .and_then(|identity| identity.status().svid)
            .map(|svid| svid.id.to_string()),
        uplink: if identity.is_some() {
            uplink.to_string()
        } else {
            "no collector is configured".to_owned()
        },
        managing: Managing::default(),
        snapshot,
    }
}

/// Only while both the observer and the task that keeps the mesh are alive.
async fn give_signs(
    mut watchdog: Watchdog,
    mut beats: watch::Receiver<()>,
    mut views: watch::Receiver<Option<Arc<Snapshot>>>,
    observer_hangs: Duration,
    stop: CancellationToken,
) {
    let mut ticks = interval(watchdog.every());
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let (mut beat, mut view) = (Instant::now(), Instant::now());
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            _ = ticks.tick() => {}
        }
        if beats.has_changed().unwrap_or(false) {
            beats.mark_unchanged();
            beat = Instant::now();
        }
        if views.has_changed().unwrap_or(false) {
            views.mark_unchanged();
            view = Instant::now();
        }
        watchdog.sign(if beat.elapsed() > KEEPER_HANGS {
            Err("the task that keeps the mesh does not answer")
        } else if view.elapsed() > observer_hangs {
            Err("the observer has seen nothing for long")
        } else {
            Ok(())
        });
    }
}

/// SIGHUP asks for what `reload` does.
async fn reload_when_told(ask: mpsc::Sender<Asked>) {
    let mut hangup = match signal(SignalKind::hangup()) {
        Ok(hangup) => hangup,
        Err(error) => {
            tracing::warn!(%error, "SIGHUP does not reload");
            return;
        }
    };
    while hangup.recv().await.is_some() {
        mesh_daemon::notify_reloading();
        let (to, answer) = oneshot::channel();
        if ask.send((Request::Reload, to)).await.is_err() {
            return;
        }
        if let Ok(Answer { code, text, complaint }) = answer.await {
            let answer = text + &complaint;
            tracing::info!(?code, answer = answer.trim_end(), "told to reload");
        }
        mesh_daemon::notify_ready();
    }
}

async fn discard(mut records: mpsc::Receiver<Record>) {
    while records.recv().await.is_some() {}
}

fn probe_config(config: &Config) -> ProbeConfig {
    ProbeConfig {
        program_log: config.probes.log,
        leave_filters: false,
    }
}

/// A line of `/proc/sys/kernel`; empty where there is none.
fn kernel_text(name: &str) -> String {
    let text = std::fs::read_to_string(format!("/proc/sys/kernel/{name}"));
    text.map(|text| text.trim().to_owned()).unwrap_or_default()
}
