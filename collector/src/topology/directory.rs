//! Whose address is this? Claims of observed nodes come first, what tables of others say second.
//!
//! Does: keep who claims what since when, count who mentions what, and derive from both which addresses belong to which
//! node and which nodes exist without an agent. Does not: judge whether a claim is honest; two claims of one address
//! are both kept, the earlier one of a live node answers.

use std::collections::{BTreeMap, BTreeSet};

use mesh_proto::model::{MacAddr, MeshId, NodeId, Snapshot};

use super::event::Contest;
use super::snapshot::NodeKey;

/// More steps than any honest chain of attributions has.
const MAX_STEPS: usize = 4;

/// Address in a mesh.
pub(super) type Place = (MeshId, MacAddr);

/// Answers, ready made.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Directory {
    by_mesh: BTreeMap<MeshId, BTreeMap<MacAddr, NodeKey>>,
}

/// Who claims which address, in the order of first claims.
#[derive(Debug, Default)]
pub(super) struct Claims {
    by_place: BTreeMap<Place, BTreeMap<u64, NodeId>>,
    next: u64,
}

/// What live nodes' tables mention, and how many of them do.
#[derive(Debug, Default)]
pub(super) struct Mentions {
    addresses: BTreeMap<Place, u32>,
    /// Address → the primary address its owner is said to have → by how many.
    primaries: BTreeMap<Place, BTreeMap<MacAddr, u32>>,
}

/// What one node's tables mention.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Mentioned {
    addresses: BTreeSet<Place>,
    primaries: BTreeSet<(Place, MacAddr)>,
}

// === impl Directory ===

impl Directory {
    pub(super) fn resolve(&self, mesh: &MeshId, address: MacAddr) -> Option<&NodeKey> {
        self.by_mesh.get(mesh)?.get(&address)
    }

    pub(super) fn addresses(&self, mesh: &MeshId) -> impl Iterator<Item = (MacAddr, &NodeKey)> {
        self.by_mesh
            .get(mesh)
            .into_iter()
            .flatten()
            .map(|(address, key)| (*address, key))
    }

    /// Nodes without an agent, with the meshes they are in.
    pub(super) fn unobserved(&self) -> BTreeMap<MacAddr, BTreeSet<MeshId>> {
        let mut nodes: BTreeMap<MacAddr, BTreeSet<MeshId>> = BTreeMap::new();
        for (mesh, addresses) in &self.by_mesh {
            for key in addresses.values() {
                if let NodeKey::Unobserved(address) = key {
                    nodes.entry(*address).or_default().insert(mesh.clone());
                }
            }
        }
        nodes
    }

    /// `live` says whose claims come first.
    pub(super) fn new(claims: &Claims, mentions: &Mentions, live: impl Fn(&NodeId) -> bool) -> Self {
        let mut directory = Self::default();
        for (place, claimants) in &claims.by_place {
            let holder = claimants
                .values()
                .find(|node| live(node))
                .or_else(|| claimants.values().next());
            if let Some(holder) = holder {
                directory.insert(place, NodeKey::Observed(holder.clone()));
            }
        }
        let claimed = |mesh: &MeshId, address| claims.by_place.contains_key(&(mesh.clone(), address));
        for place in mentions.addresses.keys() {
            let (mesh, address) = place;
            if claimed(mesh, *address) {
                continue;
            }
            let primary = mentions.root(place, |at| claimed(mesh, at));
            let key = match directory.resolve(mesh, primary) {
                Some(known) if claimed(mesh, primary) => known.clone(),
                _ => NodeKey::Unobserved(primary),
            };
            directory.insert(&(mesh.clone(), primary), key.clone());
            directory.insert(place, key);
        }
        directory
    }

    fn insert(&mut self, (mesh, address): &Place, key: NodeKey) {
        match self.by_mesh.get_mut(mesh) {
            Some(addresses) => {
                addresses.insert(*address, key);
            }
            None => {
                self.by_mesh.insert(mesh.clone(), BTreeMap::from([(*address, key)]));
            }
        }
    }
}

// === impl Claims ===

impl Claims {
    /// Replaces the claims `before` of a node by those it makes `now`. Returns contests that begin with it.
    pub(super) fn replace(&mut self, node: &NodeId, before: &BTreeSet<Place>, now: &BTreeSet<Place>) -> Vec<Contest> {
        for place in before.difference(now) {
            if let Some(claimants) = self.by_place.get_mut(place) {
                claimants.retain(|_, claimant| claimant != node);
                if claimants.is_empty() {
                    self.by_place.remove(place);
                }
            }
        }
        let mut contests = Vec::new();
        for place in now.difference(before) {
            let claimants = self.by_place.entry(place.clone()).or_default();
            if let Some(holder) = claimants.values().next() {
                contests.push(Contest {
                    mesh: place.0.clone(),
                    address: place.1,
                    holder: holder.clone(),
                    claimant: node.clone(),
                });
            }
            claimants.insert(self.next, node.clone());
            self.next += 1;
        }
        contests
    }

    /// Others than `node` claim this too.
    pub(super) fn contested(&self, place: &Place) -> bool {
        self.by_place.get(place).is_some_and(|claimants| claimants.len() > 1)
    }
}

/// Addresses by which others may know the node that sees this.
pub(super) fn claimed(view: &Snapshot) -> BTreeSet<Place> {
    view.meshes
        .values()
        .flat_map(|mesh| {
            let own = [mesh.settings.orig_address, mesh.settings.mesh_address];
            let hard = mesh.hard_interfaces.values().map(|hard| hard.hard_address);
            let name = &mesh.settings.mesh;
            own.into_iter()
                .flatten()
                .chain(hard)
                .filter(|address| names_a_node(*address))
                .map(|address| (name.clone(), address))
        })
        .collect()
}

// === impl Mentions ===

impl Mentions {
    pub(super) fn add(&mut self, mentioned: &Mentioned) {
        for place in &mentioned.addresses {
            *self.addresses.entry(place.clone()).or_default() += 1;
        }
        for (place, primary) in &mentioned.primaries {
            let votes = self.primaries.entry(place.clone()).or_default();
            *votes.entry(*primary).or_default() += 1;
        }
    }

    pub(super) fn remove(&mut self, mentioned: &Mentioned) {
        for place in &mentioned.addresses {
            if count_down(&mut self.addresses, place) {
                self.addresses.remove(place);
            }
        }
        for (place, primary) in &mentioned.primaries {
            if let Some(votes) = self.primaries.get_mut(place) {
                if count_down(votes, primary) {
                    votes.remove(primary);
                }
                if votes.is_empty() {
                    self.primaries.remove(place);
                }
            }
        }
    }

    /// Where the attributions from this address end: at one that is `known`, or that has no other primary. Real ones
    /// take one step; ones that go on and on, or in circles, lead nowhere.
    fn root(&self, (mesh, address): &Place, known: impl Fn(MacAddr) -> bool) -> MacAddr {
        let mut at = *address;
        for _ in 0..MAX_STEPS {
            match self.primary(&(mesh.clone(), at)) {
                Some(primary) if primary != at && !known(at) => at = primary,
                _ => return at,
            }
        }
        *address
    }

    /// The primary address most nodes say the owner of this one has; the lowest of several.
    fn primary(&self, place: &Place) -> Option<MacAddr> {
        let votes = self.primaries.get(place)?;
        let most = votes.values().max()?;
        votes
            .iter()
            .find(|(_, count)| *count == most)
            .map(|(primary, _)| *primary)
    }
}

/// True when nothing is left.
fn count_down<K: Ord>(counts: &mut BTreeMap<K, u32>, key: &K) -> bool {
    match counts.get_mut(key) {
        Some(count) => {
            *count = count.saturating_sub(1);
            *count == 0
        }
        None => false,
    }
}

// === impl Mentioned ===

impl Mentioned {
    pub(super) fn new(view: &Snapshot) -> Self {
        let mut mentioned = Self::default();
        for mesh in view.meshes.values() {
            let name = &mesh.settings.mesh;
            let place = |address: MacAddr| names_a_node(address).then(|| (name.clone(), address));
            mentioned
                .addresses
                .extend(mesh.originators.keys().filter_map(|address| place(*address)));
            for (key, neighbor) in &mesh.neighbors {
                let Some(at) = place(key.neigh_address) else {
                    continue;
                };
                let primary = neighbor.orig_address.filter(|primary| names_a_node(*primary));
                mentioned.primaries.extend(primary.map(|primary| (at.clone(), primary)));
                mentioned.addresses.insert(at);
            }
        }
        mentioned
    }
}

fn names_a_node(address: MacAddr) -> bool {
    !address.is_zero() && !address.is_group()
}
