//! How one [`Snapshot`] becomes the next.
//!
//! Law, tested as a property: `apply(prev, &diff(prev, next)) == next`. A delta says nothing about what did not change;
//! an empty one is a sign of life. Deltas are not commutative: they are applied in the order of their numbers.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    Churn, Gateway, HardInterface, IfName, MacAddr, Managed, MeshSettings, MeshView, Neighbor, NeighborKey, Originator,
    ProbeStatus, Snapshot, SvidStatus, TableSizes, Traffic, TrafficKey,
};

/// What changed in a whole view.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Delta {
    /// Mesh interfaces that changed or appeared.
    pub meshes: BTreeMap<IfName, MeshDelta>,
    /// Mesh interfaces that went.
    pub removed_meshes: BTreeSet<IfName>,
    /// Probes.
    pub probes: Changes<String, ProbeStatus>,
    /// The certificate, where it changed.
    pub svid: Option<SvidStatus>,
    /// What the agent looks after.
    pub managed: Changes<IfName, Managed>,
}

/// What changed in one mesh interface. `None`: as before.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct MeshDelta {
    /// Given whole; always, where the mesh interface is new.
    pub settings: Option<MeshSettings>,
    /// Members.
    pub hard_interfaces: Changes<IfName, HardInterface>,
    /// Neighbors.
    pub neighbors: Changes<NeighborKey, Neighbor>,
    /// Originators.
    pub originators: Changes<MacAddr, Originator>,
    /// Gateways.
    pub gateways: Changes<MacAddr, Gateway>,
    /// Given whole.
    pub tables: Option<TableSizes>,
    /// See [`MeshView::counters_incarnation`].
    pub counters_incarnation: Option<u64>,
    /// Counters.
    pub counters: Changes<String, u64>,
    /// See [`MeshView::traffic_incarnation`].
    pub traffic_incarnation: Option<u64>,
    /// Traffic.
    pub traffic: Changes<TrafficKey, Traffic>,
    /// Given whole.
    pub churn: Option<Churn>,
}

/// What changed in one table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Changes<K: Ord, V> {
    /// Entries that are new or have changed, whole.
    pub upserts: BTreeMap<K, V>,
    /// Entries that went.
    pub removals: BTreeSet<K>,
}

/// A delta that does not fit the view it is applied to: the sender must begin again with a full one.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Misfit {
    /// A new mesh interface came without its settings.
    #[error("the delta brings the unknown mesh interface {0} without its settings")]
    UnknownMesh(IfName),
}

// === impl Delta ===

impl Delta {
    /// What must be said to one who knows `prev` so that it knows `next`.
    ///
    /// A certificate or a churn count once known is never unknown again within a session; if `next` lacks one that
    /// `prev` has, there is no delta and the answer is `None`: send a full view.
    pub fn diff(prev: &Snapshot, next: &Snapshot) -> Option<Self> {
        if prev.svid.is_some() && next.svid.is_none() {
            return None;
        }
        let mut meshes = BTreeMap::new();
        for (name, view) in &next.meshes {
            let delta = match prev.meshes.get(name) {
                Some(before) => MeshDelta::diff(before, view)?,
                None => MeshDelta::whole(view),
            };
            if delta != MeshDelta::default() {
                meshes.insert(name.clone(), delta);
            }
        }
        Some(Self {
            meshes,
            removed_meshes: prev
                .meshes
                .keys()
                .filter(|name| !next.meshes.contains_key(*name))
                .cloned()
                .collect(),
            probes: Changes::diff(&prev.probes, &next.probes),
            svid: changed(&prev.svid, &next.svid),
            managed: Changes::diff(&prev.managed, &next.managed),
        })
    }

    /// Brings `view` up to date.
    ///
    /// # Errors
    /// [`Misfit`] when the delta was made for another view; `view` is then part old, part new and must be discarded.
    pub fn apply(&self, view: &mut Snapshot) -> Result<(), Misfit> {
        for name in &self.removed_meshes {
            view.meshes.remove(name);
        }
        for (name, delta) in &self.meshes {
            match view.meshes.get_mut(name) {
                Some(mesh) => delta.apply(mesh),
                None => {
                    let mesh = delta.found().ok_or_else(|| Misfit::UnknownMesh(name.clone()))?;
                    view.meshes.insert(name.clone(), mesh);
                }
            }
        }
        self.probes.apply(&mut view.probes);
        self.managed.apply(&mut view.managed);
        if let Some(svid) = self.svid {
            view.svid = Some(svid);
        }
        Ok(())
    }
}

// === impl MeshDelta ===

impl MeshDelta {
    fn diff(prev: &MeshView, next: &MeshView) -> Option<Self> {
        if prev.churn.is_some() && next.churn.is_none() {
            return None;
        }
        Some(Self {
            settings: (prev.settings != next.settings).then(|| next.settings.clone()),
            hard_interfaces: Changes::diff(&prev.hard_interfaces, &next.hard_interfaces),
            neighbors: Changes::diff(&prev.neighbors, &next.neighbors),
            originators: Changes::diff(&prev.originators, &next.originators),
            gateways: Changes::diff(&prev.gateways, &next.gateways),
            tables: (prev.tables != next.tables).then_some(next.tables),
            counters_incarnation: (prev.counters_incarnation != next.counters_incarnation)
                .then_some(next.counters_incarnation),
            counters: Changes::diff(&prev.counters, &next.counters),
            traffic_incarnation: (prev.traffic_incarnation != next.traffic_incarnation)
                .then_some(next.traffic_incarnation),
            traffic: Changes::diff(&prev.traffic, &next.traffic),
            churn: changed(&prev.churn, &next.churn),
        })
    }

    fn whole(view: &MeshView) -> Self {
        Self {
            settings: Some(view.settings.clone()),
            hard_interfaces: Changes::all(&view.hard_interfaces),
            neighbors: Changes::all(&view.neighbors),
            originators: Changes::all(&view.originators),
            gateways: Changes::all(&view.gateways),
            tables: Some(view.tables),
            counters_incarnation: Some(view.counters_incarnation),
            counters: Changes::all(&view.counters),
            traffic_incarnation: Some(view.traffic_incarnation),
            traffic: Changes::all(&view.traffic),
            churn: view.churn,
        }
    }

    fn apply(&self, view: &mut MeshView) {
        if let Some(settings) = &self.settings {
            view.settings = settings.clone();
        }
        self.hard_interfaces.apply(&mut view.hard_interfaces);
        self.neighbors.apply(&mut view.neighbors);
        self.originators.apply(&mut view.originators);
        self.gateways.apply(&mut view.gateways);
        view.tables = self.tables.unwrap_or(view.tables);
        view.counters_incarnation = self.counters_incarnation.unwrap_or(view.counters_incarnation);
        self.counters.apply(&mut view.counters);
        view.traffic_incarnation = self.traffic_incarnation.unwrap_or(view.traffic_incarnation);
        self.traffic.apply(&mut view.traffic);
        view.churn = self.churn.or(view.churn);
    }

    /// The mesh interface this delta founds, if it says enough.
    fn found(&self) -> Option<MeshView> {
        let mut view = MeshView {
            settings: self.settings.clone()?,
            hard_interfaces: BTreeMap::new(),
            neighbors: BTreeMap::new(),
            originators: BTreeMap::new(),
            gateways: BTreeMap::new(),
            tables: TableSizes::default(),
            counters_incarnation: 0,
            counters: BTreeMap::new(),
            traffic_incarnation: 0,
            traffic: BTreeMap::new(),
            churn: None,
        };
        self.apply(&mut view);
        Some(view)
    }
}

// === impl Changes ===

impl<K: Ord, V> Default for Changes<K, V> {
    fn default() -> Self {
        Self {
            upserts: BTreeMap::new(),
            removals: BTreeSet::new(),
        }
    }
}

impl<K: Ord + Clone, V: Clone + PartialEq> Changes<K, V> {
    /// What turns `prev` into `next`.
    pub fn diff(prev: &BTreeMap<K, V>, next: &BTreeMap<K, V>) -> Self {
        Self {
            upserts: next
                .iter()
                .filter(|(key, value)| prev.get(key) != Some(value))
                .map(|(key, value)| (key.clone(), value.clone()))
                .collect(),
            removals: prev.keys().filter(|key| !next.contains_key(key)).cloned().collect(),
        }
    }

    /// Turns nothing into `table`.
    pub fn all(table: &BTreeMap<K, V>) -> Self {
        Self {
            upserts: table.clone(),
            removals: BTreeSet::new(),
        }
    }

    /// Brings `table` up to date.
    pub fn apply(&self, table: &mut BTreeMap<K, V>) {
        for key in &self.removals {
            table.remove(key);
        }
        for (key, value) in &self.upserts {
            table.insert(key.clone(), value.clone());
        }
    }

    /// Nothing changed.
    pub fn is_empty(&self) -> bool {
        self.upserts.is_empty() && self.removals.is_empty()
    }
}

fn changed<T: Copy + PartialEq>(prev: &Option<T>, next: &Option<T>) -> Option<T> {
    next.filter(|_| prev != next)
}

#[cfg(test)]
mod tests;
