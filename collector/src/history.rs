//! What happened lately: the nodes' records, and what the collector itself saw of the nodes.
//!
//! Kept in memory, bounded, in the order it was learned. Where it is full, the oldest entry of whoever has most of a
//! kind goes, so that a link that flaps pushes out neither other nodes' entries nor its own node's of other kinds. Pure
//! but for the lock. What must outlive the collector is for a later store; numbers rise across restarts so that readers
//! will not notice.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::ops::Bound;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use mesh_proto::model::{Event, IfName, MacAddr, MeshId, NodeId};

use crate::topology::{Changes, Moment, NodeState};

/// Entries kept: some MB, days of a quiet mesh.
const KEPT: usize = 16_384;

/// Something that happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Rises with each.
    pub sequence: u64,
    /// When it happened, by our clock.
    pub time: SystemTime,
    /// When we learned of it.
    pub observed_at: SystemTime,
    /// To whom.
    pub node: NodeId,
    /// In which mesh, if it was known.
    pub mesh: Option<MeshId>,
    /// What.
    pub what: What,
}

/// What can happen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum What {
    /// At the node, by its own word.
    Told(Event),
    /// Heard of for the first time, or again after it was lost.
    Joined,
    /// Fell silent.
    Lost,
    /// Claims an address that another one claims as well.
    Contested {
        /// The address.
        address: MacAddr,
        /// Who claimed it first.
        holder: NodeId,
    },
}

/// What kind of thing happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// A next hop was replaced.
    PathSwitch,
    /// A neighbor appeared.
    AdjacencyUp,
    /// A neighbor went.
    AdjacencyDown,
    /// A setting was not as configured.
    ConfigDrift,
    /// The selected gateway fell silent.
    GatewaySilent,
    /// It was heard again.
    GatewayBack,
    /// It was given up for another one or none.
    GatewayGivenUp,
    /// See [`What::Joined`].
    Joined,
    /// See [`What::Lost`].
    Lost,
    /// See [`What::Contested`].
    Contested,
}

/// The entries, for one writer and many readers.
#[derive(Debug, Clone)]
pub struct History(Arc<Mutex<Store>>);

#[derive(Debug)]
struct Store {
    limit: usize,
    next: u64,
    entries: BTreeMap<u64, Arc<Entry>>,
    /// Numbers of each node's entries of each kind, the oldest first. None is empty.
    shares: BTreeMap<(NodeId, Kind), VecDeque<u64>>,
    /// The shares by their size.
    sizes: BTreeSet<(usize, (NodeId, Kind))>,
}

// === impl History ===

impl History {
    /// Empty. `started` makes the numbers rise from one run of the collector to the next.
    pub fn new(started: SystemTime) -> Self {
        Self(Arc::new(Mutex::new(Store::new(started, KEPT))))
    }

    /// Keeps what of an event's outcome is worth asking for later.
    pub fn note(&self, changes: &Changes, now: Moment) {
        let Changes {
            joined,
            turned,
            left: _,
            contested,
            happened,
        } = changes;
        if joined.is_empty() && turned.is_empty() && contested.is_empty() && happened.is_empty() {
            return;
        }
        let mut store = self.store();
        let mut now_of = |node: &NodeId, mesh: Option<&MeshId>, what| {
            store.add(node.clone(), mesh.cloned(), now.wall, now.wall, what);
        };
        for node in joined {
            now_of(node, None, What::Joined);
        }
        for (node, state) in turned {
            let what = if *state == NodeState::Live {
                What::Joined
            } else {
                What::Lost
            };
            now_of(node, None, what);
        }
        for contest in contested {
            let what = What::Contested {
                address: contest.address,
                holder: contest.holder.clone(),
            };
            now_of(&contest.claimant, Some(&contest.mesh), what);
        }
        for happening in happened {
            let (node, mesh) = (happening.node.clone(), happening.mesh.clone());
            store.add(
                node,
                mesh,
                happening.time,
                now.wall,
                What::Told(happening.event.clone()),
            );
        }
    }

    /// At most `size` entries that are wanted, of those after the number `after`, the newest last; and whether there
    /// are more.
    pub fn page(&self, after: Option<u64>, size: usize, wanted: impl Fn(&Entry) -> bool) -> (Vec<Arc<Entry>>, bool) {
        let from = after.map_or(Bound::Unbounded, Bound::Excluded);
        // The topology's writer waits for this lock: nothing is judged while it is held.
        let rest: Vec<_> = {
            let store = self.store();
            let rest = store.entries.range((from, Bound::Unbounded));
            rest.map(|(_, entry)| Arc::clone(entry)).collect()
        };
        let mut page: Vec<_> = rest.into_iter().filter(|entry| wanted(entry)).take(size + 1).collect();
        let more = page.len() > size;
        page.truncate(size);
        (page, more)
    }

    /// There is an entry of that node.
    pub fn knows(&self, node: &NodeId) -> bool {
        let store = self.store();
        let from = (node.clone(), Kind::PathSwitch);
        store
            .shares
            .range(from..)
            .next()
            .is_some_and(|((first, _), _)| first == node)
    }

    fn store(&self) -> std::sync::MutexGuard<'_, Store> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

// === impl Store ===

impl Store {
    fn new(started: SystemTime, limit: usize) -> Self {
        let since_1970 = started.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        Self {
            limit,
            // No collector learns of more than one thing per microsecond for long.
            next: u64::try_from(since_1970.as_micros()).unwrap_or_default(),
            entries: BTreeMap::new(),
            shares: BTreeMap::new(),
            sizes: BTreeSet::new(),
        }
    }

    fn add(&mut self, node: NodeId, mesh: Option<MeshId>, time: SystemTime, observed_at: SystemTime, what: What) {
        self.next = self.next.saturating_add(1);
        let (sequence, owner) = (self.next, (node.clone(), what.kind()));
        let share = self.shares.entry(owner.clone()).or_default();
        self.sizes.remove(&(share.len(), owner.clone()));
        share.push_back(sequence);
        self.sizes.insert((share.len(), owner));
        let entry = Entry {
            sequence,
            time,
            observed_at,
            node,
            mesh,
            what,
        };
        self.entries.insert(sequence, Arc::new(entry));
        while self.entries.len() > self.limit && self.forget_one() {}
    }

    /// Of the largest share the oldest. False: there is none.
    fn forget_one(&mut self) -> bool {
        let Some((size, owner)) = self.sizes.pop_last() else {
            return false;
        };
        if let Some(share) = self.shares.get_mut(&owner) {
            if let Some(oldest) = share.pop_front() {
                self.entries.remove(&oldest);
            }
            if share.is_empty() {
                self.shares.remove(&owner);
            } else {
                self.sizes.insert((size.saturating_sub(1), owner));
            }
        }
        true
    }
}

// === impl What ===

impl What {
    /// Its kind.
    pub fn kind(&self) -> Kind {
        match self {
            Self::Told(Event::PathSwitch { .. }) => Kind::PathSwitch,
            Self::Told(Event::AdjacencyChange { up: true, .. }) => Kind::AdjacencyUp,
            Self::Told(Event::AdjacencyChange { up: false, .. }) => Kind::AdjacencyDown,
            Self::Told(Event::ConfigDrift { .. }) => Kind::ConfigDrift,
            Self::Told(Event::GatewaySilent { silent: true, .. }) => Kind::GatewaySilent,
            Self::Told(Event::GatewaySilent { given_up: true, .. }) => Kind::GatewayGivenUp,
            Self::Told(Event::GatewaySilent { .. }) => Kind::GatewayBack,
            Self::Joined => Kind::Joined,
            Self::Lost => Kind::Lost,
            Self::Contested { .. } => Kind::Contested,
        }
    }

    /// The node's mesh interface it concerns.
    pub fn mesh_ifname(&self) -> Option<&IfName> {
        match self {
            Self::Told(event) => Some(event.mesh_ifname()),
            Self::Joined | Self::Lost | Self::Contested { .. } => None,
        }
    }
}

#[cfg(test)]
mod tests;
