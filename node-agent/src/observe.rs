//! Looks at the kernel once per interval and publishes what it sees: the data's way from collect to derive.
//!
//! The one owner of the probes, of the netlink sockets and of what derive remembers. Snapshots are published latest-wins:
//! who is slow sees fewer of them. Records go into a bounded queue; what does not fit is dropped and counted here.
//!
//! In between it looks at the selected gateways alone, so that one that falls silent is noticed soon; and what others in
//! this process know better (the mesh interfaces it manages) is published as soon as they say it, without a look.
//!
//! The probes vouch for themselves every few seconds, whatever the interval: without that they stop counting, so that
//! a dead agent costs no packet anything.

mod between;
mod frames;

use std::collections::BTreeMap;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use mesh_proto::model::{IfName, Managed, ProbeStatus, Record, Snapshot, SvidStatus};
use mesh_transport::IdentityStatus;
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, Interval, MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;

use crate::collect::Collector;
use crate::derive::{self, Derived, derive};
use crate::ebpf::{ProbeState, Probes, ROUTES, RouteChange, RouteChanges, RouteLosses, VOUCHED_FOR};
use crate::sample::{Fault, ProbeSwitches, ProbedSwitch, Read, Sample};
use between::{ManagedNow, changed, latest, log, publish_managed, publish_views};
use frames::Frames;

/// Twice within the time the probes go on without.
const HEARTBEAT: Duration = Duration::from_secs(VOUCHED_FOR.as_secs() / 3);
/// Route changes kept between two samples; they are counted in the kernel all the same.
const CHANGES_KEPT: usize = 10_000;

/// What there is to observe, and with what.
#[derive(Debug)]
pub struct Observer {
    /// How often.
    pub interval: Duration,
    /// Takes samples.
    pub collector: Collector,
    /// What derive must know.
    pub config: derive::Config,
    /// eBPF, unless switched off.
    pub probes: Option<Probes>,
    /// The agent's own certificate; `None`: it reports to nobody.
    pub identity: Option<watch::Receiver<IdentityStatus>>,
    /// The mesh interfaces this agent manages; `None`: it only looks.
    pub managed: Option<watch::Receiver<BTreeMap<IfName, Managed>>>,
}

/// Where it goes.
#[derive(Debug)]
pub struct Outputs {
    /// The latest view.
    pub snapshots: watch::Sender<Option<Arc<Snapshot>>>,
    /// What happened.
    pub records: mpsc::Sender<Record>,
}

struct Observing {
    observer: Observer,
    state: derive::State,
    frames: Frames,
    /// Members by mesh interface, as last read.
    members: BTreeMap<IfName, BTreeMap<u32, String>>,
    /// The route probe's counts, as last read.
    switched: BTreeMap<u32, u64>,
    changes: Vec<RouteChange>,
    dropped: u64,
    /// When to look at the selected gateways; `None`: there are none.
    glance_at: Option<Instant>,
}

impl Observer {
    /// Observes until `stop`. Must run in the network namespace of the mesh, in a multi-threaded runtime.
    pub async fn run(mut self, outputs: Outputs, stop: CancellationToken) {
        let mut ring = self.probes.as_mut().and_then(Probes::take_route_changes);
        let mut look = interval(self.interval);
        look.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut heartbeat = interval(HEARTBEAT);
        heartbeat.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut observing = Observing {
            observer: self,
            state: derive::State::default(),
            frames: Frames::default(),
            members: BTreeMap::new(),
            switched: BTreeMap::new(),
            changes: Vec::new(),
            dropped: 0,
            glance_at: None,
        };
        loop {
            // Cancel-safe: ticks are, `next` keeps in the ring what it has not handed over, and a change of what is
            // managed counts as seen only once it has been awaited to its end.
            tokio::select! {
                () = stop.cancelled() => return,
                _ = heartbeat.tick() => vouch(&mut observing.observer.probes),
                _ = look.tick() => observing.look(&outputs, &mut heartbeat, &stop).await,
                () = until(observing.glance_at) => observing.glance(&outputs, &mut heartbeat, &stop).await,
                () = changed(&mut observing.observer.managed) => {
                    publish_managed(&mut observing.observer.managed, &outputs);
                }
                read = next(&mut ring, &mut observing.changes) => observing.gathered(read, &mut ring),
            }
        }
    }
}

impl Observing {
    fn gathered(&mut self, read: std::io::Result<()>, ring: &mut Option<RouteChanges>) {
        if let Err(error) = read {
            tracing::warn!(%error, "route changes are no longer reported one by one; they are still counted");
            *ring = None;
        }
        let surplus = self.changes.len().saturating_sub(CHANGES_KEPT);
        self.changes.drain(..surplus);
    }

    async fn look(&mut self, outputs: &Outputs, heartbeat: &mut Interval, stop: &CancellationToken) {
        let Observer {
            collector,
            probes,
            managed,
            ..
        } = &mut self.observer;
        let Some(mut sample) = attended(collector.sample(), probes, managed, outputs, heartbeat, stop).await else {
            return;
        };
        self.probe(&mut sample);
        let derived = derive(&mut self.state, &sample, &self.observer.config);
        let mut probes = derived.sources;
        probes.extend(self.probe_statuses());
        outputs.snapshots.send_replace(Some(Arc::new(Snapshot {
            meshes: derived.meshes,
            probes,
            svid: self
                .observer
                .identity
                .as_ref()
                .and_then(|identity| svid(&identity.borrow())),
            managed: latest(&mut self.observer.managed),
        })));
        self.tell(derived.records, outputs);
        self.glance_at = self.next_glance();
    }

    /// Looks at the selected gateways alone.
    async fn glance(&mut self, outputs: &Outputs, heartbeat: &mut Interval, stop: &CancellationToken) {
        let Observer {
            collector,
            probes,
            managed,
            ..
        } = &mut self.observer;
        let meshes = self.state.with_gateways();
        let Some(glance) = attended(collector.glance(&meshes), probes, managed, outputs, heartbeat, stop).await else {
            return;
        };
        let Derived { meshes, records, .. } = derive::glance(&mut self.state, &glance);
        publish_views(meshes, outputs);
        self.tell(records, outputs);
        self.glance_at = self.next_glance();
    }

    fn next_glance(&self) -> Option<Instant> {
        Some(Instant::now() + self.state.glance_after()?)
    }

    fn tell(&mut self, records: Vec<Record>, outputs: &Outputs) {
        for record in records {
            log(&record.event);
            if outputs.records.try_send(record).is_err() {
                self.dropped += 1;
                if self.dropped.is_power_of_two() {
                    tracing::warn!(dropped = self.dropped, "events are dropped: their queue is full");
                }
            }
        }
    }

    /// The members to count frames on: those of a mesh interface that could not be read are still there.
    fn members(&mut self, sample: &Sample) -> BTreeMap<u32, String> {
        for (name, mesh) in &sample.meshes {
            match mesh {
                Ok(mesh) => {
                    let members = mesh.members.iter().map(|link| (link.ifindex, link.ifname.clone()));
                    self.members.insert(name.clone(), members.collect());
                }
                Err(fault) if fault.is_absence() => {
                    self.members.remove(name);
                }
                Err(_) => {}
            }
        }
        self.members
            .values()
            .flatten()
            .map(|(ifindex, name)| (*ifindex, name.clone()))
            .collect()
    }

    /// Adds what the probes saw, and has them follow the members.
    fn probe(&mut self, sample: &mut Sample) {
        let members = self.members(sample);
        let Some(probes) = &mut self.observer.probes else {
            return;
        };
        for gone in self.frames.follow(&members) {
            probes.detach_interface(gone);
        }
        for (ifindex, name) in &members {
            probes.attach_interface(*ifindex, name);
        }
        sample.traffic = probes
            .traffic()
            .inspect_err(|error| tracing::debug!(%error, "traffic counters could not be read"))
            .ok()
            .map(|counts| self.frames.add_up(&counts));
        if !probes.sees_routes() {
            return;
        }
        match probes.route_counts() {
            Ok(counts) => {
                self.switched = counts
                    .iter()
                    .map(|count| (count.mesh_ifindex, count.switched))
                    .collect()
            }
            // The counts go on in the kernel; the next look has them.
            Err(error) => tracing::debug!(%error, "path switch counters could not be read"),
        }
        // What happened on a mesh interface that could not be read waits until it can be.
        let unread = |mesh: &Read<_>| mesh.as_ref().is_err_and(|fault: &Fault| !fault.is_absence());
        let events = if sample.meshes.values().any(unread) {
            Vec::new()
        } else {
            self.changes.drain(..).filter_map(switch).collect()
        };
        sample.path_switches = Some(ProbeSwitches {
            counts: self.switched.clone(),
            events,
        });
    }

    /// What the probes' list says of each. Losses of the route probe are named there, not hidden.
    fn probe_statuses(&self) -> BTreeMap<String, ProbeStatus> {
        let Some(probes) = &self.observer.probes else {
            return BTreeMap::new();
        };
        let mut statuses: BTreeMap<_, _> = probes.states().into_iter().map(status).collect();
        let losses = probes.route_losses().unwrap_or_default();
        if let Some(routes) = statuses.get_mut(ROUTES)
            && losses != RouteLosses::default()
        {
            let RouteLosses {
                ring_full,
                unreadable,
                uncounted,
            } = losses;
            routes.reason = format!(
                "{}{} route changes not reported one by one, {unreadable} neither counted nor reported, {uncounted} not \
                 counted",
                if routes.reason.is_empty() {
                    String::new()
                } else {
                    format!("{}; ", routes.reason)
                },
                ring_full,
            );
        }
        statuses
    }
}

/// A kernel that is slow to answer must not make the probes think that the agent is dead, nor keep to itself what others
/// say. `None`: told to stop.
async fn attended<T>(
    work: impl Future<Output = T>,
    probes: &mut Option<Probes>,
    managed: &mut ManagedNow,
    outputs: &Outputs,
    heartbeat: &mut Interval,
    stop: &CancellationToken,
) -> Option<T> {
    let mut work = std::pin::pin!(work);
    loop {
        // Cancel-safe: the work goes on where it was.
        tokio::select! {
            done = &mut work => return Some(done),
            _ = heartbeat.tick() => vouch(probes),
            () = changed(managed) => publish_managed(managed, outputs),
            () = stop.cancelled() => return None,
        }
    }
}

async fn until(instant: Option<Instant>) {
    match instant {
        Some(instant) => tokio::time::sleep_until(instant).await,
        None => std::future::pending().await,
    }
}

fn vouch(probes: &mut Option<Probes>) {
    if let Some(probes) = probes {
        // Attaching anew reads the kernel's type information: too long for other tasks to wait.
        tokio::task::block_in_place(|| probes.heartbeat());
    }
}

async fn next(ring: &mut Option<RouteChanges>, changes: &mut Vec<RouteChange>) -> std::io::Result<()> {
    match ring {
        Some(ring) => ring.next(changes).await,
        None => std::future::pending().await,
    }
}

fn switch(change: RouteChange) -> Option<ProbedSwitch> {
    Some(ProbedSwitch {
        boottime_ns: change.boottime_ns,
        mesh_ifindex: change.mesh_ifindex,
        orig_address: change.originator,
        old_neigh_address: change.old?.neighbor,
        new_neigh_address: change.new?.neighbor,
    })
}

pub(crate) fn status(state: ProbeState) -> (String, ProbeStatus) {
    let reason = match (state.reason, state.lost) {
        (Some(reason), Some(lost)) => format!("{reason}: {lost}"),
        (reason, _) => reason.unwrap_or_default(),
    };
    let status = ProbeStatus {
        attached: state.mechanism.is_some(),
        mechanism: state.mechanism.unwrap_or_default().to_owned(),
        reason,
    };
    (state.name.to_owned(), status)
}

fn svid(status: &IdentityStatus) -> Option<SvidStatus> {
    let svid = status.svid.as_ref()?;
    Some(SvidStatus {
        expiry_seconds: svid.expiry_seconds,
        renewals: status.renewals,
    })
}

#[cfg(test)]
mod tests;
