//! What the collector knows of all meshes, and the one place that changes it.
//!
//! Does: keep each node's latest view under the id its certificate proves, judge who is live, find the nodes that have
//! no agent in others' tables, resolve addresses to nodes, add up counters across restarts. Does not: read clocks,
//! sockets or messages, decide what to do about any of it.
//!
//! Invariants: one writer ([`publish`]); readers get immutable [`TopologySnapshot`]s; a node's state comes from its own
//! session alone; the version rises with each change of a node or link.
//!
//! Events are cheap to apply; what follows from them across nodes (addresses, links, unobserved nodes) is worked out
//! once for many of them, when [`Topology::snapshot`] is asked for.

mod derived;
mod directory;
mod event;
mod node;
pub mod publish;
mod snapshot;
mod totals;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use mesh_proto::model::{Clock, Epoch, IfName, MeshId, NodeId, Record, Snapshot};

use derived::Derived;
use directory::{Claims, Mentions};
pub use event::{Changes, Contest, Happening, Moment, SessionFacts, TopologyEvent};
use node::Observed;
pub use snapshot::{Agent, Link, LinkKey, Node, NodeKey, NodeMesh, NodeState, TopologySnapshot};
pub use totals::{Cause, ChurnTotals, MeshTotals, Total, Totals};

/// Report intervals after which a silent node is stale (contract).
pub const LIVE_INTERVALS: u32 = 3;
/// A silent node is never stale before this (contract).
pub const LIVE_AT_LEAST: Duration = Duration::from_secs(15);
/// A silent node is forgotten after this (contract).
pub const FORGET_AFTER: Duration = Duration::from_secs(600);
/// For how long after a node of a mesh started path switches in that mesh are put down to it: batman-adv needs 20 to
/// 40 s to settle at its default interval of 1 s (measured).
pub const RESTART_WINDOW: Duration = Duration::from_secs(60);

/// The writer's state.
#[derive(Debug, Default)]
pub struct Topology {
    version: u64,
    observed: BTreeMap<NodeId, Observed>,
    claims: Claims,
    mentions: Mentions,
    /// When a node or mesh interface of the mesh last started.
    restarts: BTreeMap<MeshId, Instant>,
    /// Nodes whose session began a new incarnation that has not reported yet.
    starting: BTreeMap<NodeId, Instant>,
    derived: Derived,
}

// === impl Topology ===

impl Topology {
    /// Takes note of an event.
    pub fn apply(&mut self, event: TopologyEvent, now: Moment) -> Changes {
        let mut changes = Changes::default();
        match event {
            TopologyEvent::Opened(session) => self.open(session, now, &mut changes),
            TopologyEvent::Reported { session, view, clock } => self.report(&session, view, clock, now, &mut changes),
            TopologyEvent::Recorded { session, records } => self.recorded(&session, records, now, &mut changes),
            TopologyEvent::Gap(session) => {
                if let Some(node) = self.current(&session) {
                    Arc::make_mut(&mut node.totals).gaps += 1;
                    self.derived.moved.insert(session.node.clone());
                }
            }
            TopologyEvent::Closed(session) => {
                if let Some(node) = self.current(&session) {
                    node.connected = false;
                    self.derived.moved.insert(session.node.clone());
                }
            }
            TopologyEvent::Tick => self.tick(now.instant, &mut changes),
        }
        changes
    }

    /// True when [`Self::snapshot`] would differ from the last one.
    pub fn is_dirty(&self) -> bool {
        self.derived.is_dirty()
    }

    /// The node of that session, unless a newer session has taken its place or the node has been forgotten.
    fn current(&mut self, session: &SessionFacts) -> Option<&mut Observed> {
        self.observed
            .get_mut(&session.node)
            .filter(|node| epoch(&node.session) == epoch(session))
    }

    fn open(&mut self, session: Arc<SessionFacts>, now: Moment, changes: &mut Changes) {
        let id = session.node.clone();
        let started = match self.observed.get_mut(&id) {
            Some(node) if epoch(&node.session) > epoch(&session) => return,
            Some(node) => {
                let started = epoch(&node.session).incarnation < epoch(&session).incarnation;
                node.begin(session, now);
                started
            }
            None => {
                // A process's first connection means that it has just started. Any later one is an agent that was
                // there before the collector knew it.
                let started = epoch(&session).connection == 1;
                self.observed.insert(id.clone(), Observed::new(session, now));
                changes.joined.push(id.clone());
                started
            }
        };
        if started {
            let known = self.observed.get(&id).into_iter().flat_map(Observed::meshes);
            self.restarts.extend(known.map(|mesh| (mesh.clone(), now.instant)));
            self.starting.insert(id.clone(), now.instant);
        }
        self.derived.changed.insert(id.clone());
        self.derived.structure = true;
        self.revive(&id, changes);
    }

    fn report(
        &mut self,
        session: &Arc<SessionFacts>,
        view: Arc<Snapshot>,
        clock: Option<Clock>,
        now: Moment,
        changes: &mut Changes,
    ) {
        let id = &session.node;
        match self.observed.get(id).map(|node| epoch(&node.session)) {
            Some(known) if known == epoch(session) => {}
            Some(known) if known > epoch(session) => return,
            Some(_) => self.open(Arc::clone(session), now, changes),
            None => {
                self.observed
                    .insert(id.clone(), Observed::new(Arc::clone(session), now));
                self.derived.structure = true;
                changes.joined.push(id.clone());
            }
        }
        self.note_restarts(id, &view, now.instant);
        let restarts = &self.restarts;
        let Some(node) = self.observed.get_mut(id) else { return };
        let first = !node.reported;
        let late = node.silent(now.instant) > node.live_for();
        let totals = Arc::make_mut(&mut node.totals);
        totals.reports += 1;
        for (ifname, mesh) in &view.meshes {
            let restarted = restarts
                .get(&mesh.settings.mesh)
                .is_some_and(|at| now.instant.saturating_duration_since(*at) < RESTART_WINDOW);
            totals.add(ifname, mesh, now.instant, |goes_on| {
                match (goes_on, late, restarted, first) {
                    (true, true, _, _) => Cause::Unknown,
                    (_, _, true, _) => Cause::Restart,
                    (_, _, _, true) => Cause::Unknown,
                    _ => Cause::Organic,
                }
            });
        }
        let claims = node.claims.clone();
        let mentioned = node.mentioned.clone();
        let was_live = node.live;
        self.derived.moved.insert(id.clone());
        if node.hear(view, clock, now) {
            self.derived.changed.insert(id.clone());
            if node.claims != claims {
                changes.contested = self.claims.replace(id, &claims, &node.claims);
                self.derived.structure = true;
            }
            if node.mentioned != mentioned {
                if was_live {
                    self.mentions.remove(&mentioned);
                    self.mentions.add(&node.mentioned);
                }
                self.derived.structure = true;
            }
        }
        self.revive(id, changes);
    }

    fn recorded(&mut self, session: &SessionFacts, records: Vec<Record>, now: Moment, changes: &mut Changes) {
        let node = self.current(session);
        changes.happened.extend(records.into_iter().map(|record| {
            Happening {
                node: session.node.clone(),
                mesh: node
                    .as_ref()
                    .and_then(|node| node.mesh_of(record.event.mesh_ifname()))
                    .cloned(),
                time: node
                    .as_ref()
                    .and_then(|node| node.wall_time(record.boottime_ns))
                    .map_or(now.wall, |time| time.min(now.wall)),
                event: record.event,
            }
        }));
    }

    /// A mesh interface that is new or was made anew has an empty table; so has one whose node has just started.
    fn note_restarts(&mut self, id: &NodeId, view: &Snapshot, now: Instant) {
        let started = self.starting.remove(id);
        let Some(node) = self.observed.get(id) else { return };
        for (ifname, mesh) in &view.meshes {
            let made_anew = node.reported && is_new(&node.view, ifname, mesh.counters_incarnation);
            let at = if made_anew { Some(now) } else { started };
            if let Some(at) = at {
                let latest = self.restarts.entry(mesh.settings.mesh.clone()).or_insert(at);
                *latest = at.max(*latest);
            }
        }
    }

    fn revive(&mut self, id: &NodeId, changes: &mut Changes) {
        let Some(node) = self.observed.get_mut(id).filter(|node| !node.live) else {
            return;
        };
        node.live = true;
        self.mentions.add(&node.mentioned);
        self.derived.changed.insert(id.clone());
        self.derived.structure = true;
        changes.turned.push((id.clone(), NodeState::Live));
    }

    fn tick(&mut self, now: Instant, changes: &mut Changes) {
        for (id, node) in &mut self.observed {
            if node.live && node.silent(now) > node.live_for() {
                node.live = false;
                self.mentions.remove(&node.mentioned);
                changes.turned.push((id.clone(), NodeState::Stale));
            }
            if node.forgotten(now) {
                // Nothing can be contested by claiming nothing.
                let _none = self.claims.replace(id, &node.claims, &BTreeSet::new());
                changes.left.push(id.clone());
            } else {
                Totals::forget(&mut node.totals, now);
            }
        }
        for id in &changes.left {
            self.observed.remove(id);
            self.starting.remove(id);
        }
        self.restarts
            .retain(|_, at| now.saturating_duration_since(*at) < RESTART_WINDOW);
        self.derived.structure |= !changes.turned.is_empty() || !changes.left.is_empty();
        self.derived
            .changed
            .extend(changes.turned.iter().map(|(id, _)| id.clone()));
    }

    /// The topology as of now.
    pub fn snapshot(&mut self, now: Moment) -> TopologySnapshot {
        let next = self.version + 1;
        if self
            .derived
            .refresh(&mut self.observed, &self.claims, &self.mentions, next)
        {
            self.version = next;
        }
        TopologySnapshot {
            version: self.version,
            time: now.wall,
            nodes: self.derived.nodes.clone(),
            directory: Arc::clone(&self.derived.directory),
        }
    }
}

fn epoch(session: &SessionFacts) -> Epoch {
    session.hello.epoch
}

fn is_new(known: &Snapshot, ifname: &IfName, counters_incarnation: u64) -> bool {
    known
        .meshes
        .get(ifname)
        .is_none_or(|mesh| mesh.counters_incarnation != counters_incarnation)
}

#[cfg(test)]
mod tests;
