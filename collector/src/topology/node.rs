//! What the writer keeps of one node with an agent.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use mesh_proto::model::{Clock, Hello, IfName, MeshId, MeshView, NodeId, Snapshot};

use super::directory::{Claims, Directory, Mentioned, Place, claimed};
use super::event::{Moment, SessionFacts};
use super::snapshot::{Agent, Link, LinkKey, Node, NodeKey, NodeMesh, NodeState};
use super::totals::Totals;
use super::{FORGET_AFTER, LIVE_AT_LEAST, LIVE_INTERVALS};

#[derive(Debug)]
pub(super) struct Observed {
    pub(super) session: Arc<SessionFacts>,
    hello: Arc<Hello>,
    pub(super) connected: bool,
    /// Reported at least once.
    pub(super) reported: bool,
    pub(super) live: bool,
    /// Version in which the node last changed.
    pub(super) changed_in: u64,
    pub(super) view: Arc<Snapshot>,
    heard: Moment,
    /// One instant by our wall clock and by the node's boot clock.
    clocks: (SystemTime, u64),
    clock_offset: Option<f64>,
    pub(super) totals: Arc<Totals>,
    pub(super) claims: BTreeSet<Place>,
    pub(super) mentioned: Mentioned,
}

impl Observed {
    pub(super) fn new(session: Arc<SessionFacts>, now: Moment) -> Self {
        Self {
            hello: Arc::new(session.hello.clone()),
            connected: true,
            reported: false,
            live: true,
            changed_in: 0,
            view: Arc::default(),
            heard: now,
            clocks: (now.wall, session.hello.clock.boottime_ns),
            clock_offset: None,
            totals: Arc::default(),
            claims: BTreeSet::new(),
            mentioned: Mentioned::default(),
            session,
        }
    }

    pub(super) fn begin(&mut self, session: Arc<SessionFacts>, now: Moment) {
        self.hello = Arc::new(session.hello.clone());
        self.clocks = (now.wall, session.hello.clock.boottime_ns);
        self.session = session;
        self.connected = true;
        self.heard = now;
    }

    /// True when the view differs in more than counters.
    pub(super) fn hear(&mut self, view: Arc<Snapshot>, clock: Option<Clock>, now: Moment) -> bool {
        self.heard = now;
        self.reported = true;
        if let Some(clock) = clock {
            self.clocks = (now.wall, clock.boottime_ns);
        }
        self.clock_offset = clock.and_then(|clock| offset(clock, now.wall)).or(self.clock_offset);
        let changed = !same_but_for_counters(&self.view, &view);
        if changed {
            self.claims = claimed(&view);
            self.mentioned = Mentioned::new(&view);
        }
        self.view = view;
        changed
    }

    pub(super) fn live_for(&self) -> Duration {
        (self.hello.report_interval * LIVE_INTERVALS).max(LIVE_AT_LEAST)
    }

    pub(super) fn silent(&self, now: Instant) -> Duration {
        now.saturating_duration_since(self.heard.instant)
    }

    pub(super) fn forgotten(&self, now: Instant) -> bool {
        self.silent(now) > FORGET_AFTER.max(self.live_for())
    }

    pub(super) fn meshes(&self) -> impl Iterator<Item = &MeshId> {
        self.view.meshes.values().map(|mesh| &mesh.settings.mesh)
    }

    /// The mesh of a mesh interface, as last reported.
    pub(super) fn mesh_of(&self, mesh_ifname: &IfName) -> Option<&MeshId> {
        mesh_of(&self.view, mesh_ifname)
    }

    /// A time of the node's boot clock by our wall clock. Nodes' own wall clocks are not trusted: many have none.
    pub(super) fn wall_time(&self, boottime_ns: u64) -> Option<SystemTime> {
        let (wall, at) = self.clocks;
        match boottime_ns.checked_sub(at) {
            Some(later) => wall.checked_add(Duration::from_nanos(later)),
            None => wall.checked_sub(Duration::from_nanos(at - boottime_ns)),
        }
    }

    /// As readers see it.
    pub(super) fn publish(&self, id: &NodeId, directory: &Directory, claims: &Claims) -> Node {
        let own = NodeKey::Observed(id.clone());
        let mut links = BTreeMap::new();
        let mut meshes = Vec::with_capacity(self.view.meshes.len());
        for (mesh_ifname, view) in &self.view.meshes {
            let mesh = &view.settings.mesh;
            let mut known = BTreeSet::new();
            let mut nameless = BTreeSet::new();
            for (key, neighbor) in &view.neighbors {
                let node = directory.resolve(mesh, key.neigh_address);
                match node {
                    Some(node) if *node != own => {
                        known.insert(node);
                    }
                    Some(_) => {}
                    None => {
                        nameless.insert(key.neigh_address);
                    }
                }
                let link = Link {
                    mesh_ifname: mesh_ifname.clone(),
                    neighbor_node: node.cloned(),
                    metric: neighbor.metric,
                    last_seen: neighbor.last_seen,
                };
                links.insert(link_key(mesh, key), link);
            }
            meshes.push(NodeMesh {
                mesh: mesh.clone(),
                mesh_ifname: Some(mesh_ifname.clone()),
                orig_address: view.settings.orig_address,
                degree: u32::try_from(known.len() + nameless.len()).unwrap_or(u32::MAX),
            });
        }
        Node {
            key: own,
            state: self.state(),
            changed_in: self.changed_in,
            meshes,
            links,
            contested: self
                .claims
                .iter()
                .filter(|place| claims.contested(place))
                .map(|(_, address)| *address)
                .collect(),
            agent: Some(self.agent()),
        }
    }

    /// What moves without changing the topology.
    pub(super) fn agent(&self) -> Agent {
        Agent {
            spiffe_id: self.session.spiffe_id.clone(),
            hello: Arc::clone(&self.hello),
            connected: self.connected,
            view: Arc::clone(&self.view),
            last_report: self.heard.wall,
            clock_offset: self.clock_offset,
            totals: Arc::clone(&self.totals),
        }
    }

    pub(super) fn state(&self) -> NodeState {
        if self.live { NodeState::Live } else { NodeState::Stale }
    }
}

/// The mesh of a mesh interface that exists, or that the agent is to look after.
pub(super) fn mesh_of<'a>(view: &'a Snapshot, mesh_ifname: &IfName) -> Option<&'a MeshId> {
    let seen = view.meshes.get(mesh_ifname).map(|mesh| &mesh.settings.mesh);
    seen.or_else(|| view.managed.get(mesh_ifname).map(|managed| &managed.mesh))
}

fn link_key(mesh: &MeshId, key: &mesh_proto::model::NeighborKey) -> LinkKey {
    LinkKey {
        mesh: mesh.clone(),
        hard_ifname: key.hard_ifname.clone(),
        neigh_address: key.neigh_address,
    }
}

/// The node's wall clock less ours, in seconds.
fn offset(clock: Clock, wall: SystemTime) -> Option<f64> {
    let theirs = Duration::from_nanos(clock.realtime_ns?);
    let ours = wall.duration_since(SystemTime::UNIX_EPOCH).ok()?;
    Some(theirs.as_secs_f64() - ours.as_secs_f64())
}

fn same_but_for_counters(a: &Snapshot, b: &Snapshot) -> bool {
    a.probes == b.probes
        && a.svid == b.svid
        && a.managed == b.managed
        && a.meshes.len() == b.meshes.len()
        && a.meshes
            .iter()
            .zip(&b.meshes)
            .all(|((a_name, a), (b_name, b))| a_name == b_name && same_mesh(a, b))
}

fn same_mesh(a: &MeshView, b: &MeshView) -> bool {
    a.settings == b.settings
        && a.hard_interfaces == b.hard_interfaces
        && a.neighbors == b.neighbors
        && a.originators == b.originators
        && a.gateways == b.gateways
        && a.tables == b.tables
}
