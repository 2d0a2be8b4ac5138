//! What follows from all nodes together: addresses, links, nodes without an agent. Worked out again only where an event
//! has touched it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use mesh_proto::model::{MacAddr, MeshId, NodeId};

use super::directory::{Claims, Directory, Mentions};
use super::node::Observed;
use super::snapshot::{Node, NodeKey, NodeMesh, NodeState};

/// The latest snapshot's parts, and what has changed since.
#[derive(Debug, Default)]
pub(super) struct Derived {
    pub(super) directory: Arc<Directory>,
    pub(super) nodes: BTreeMap<NodeKey, Arc<Node>>,
    /// Their state or tables changed.
    pub(super) changed: BTreeSet<NodeId>,
    /// At least their counters or times did.
    pub(super) moved: BTreeSet<NodeId>,
    /// Addresses, mentions, liveness or the set of nodes changed.
    pub(super) structure: bool,
}

// === impl Derived ===

impl Derived {
    pub(super) fn is_dirty(&self) -> bool {
        self.structure || !self.changed.is_empty() || !self.moved.is_empty()
    }

    /// Brings everything up to date. True when a node or link changed; those that did carry `version`.
    pub(super) fn refresh(
        &mut self,
        observed: &mut BTreeMap<NodeId, Observed>,
        claims: &Claims,
        mentions: &Mentions,
        version: u64,
    ) -> bool {
        let structure = std::mem::take(&mut self.structure);
        let changed = std::mem::take(&mut self.changed);
        let moved = std::mem::take(&mut self.moved);
        let before = self.nodes.len();
        if structure {
            let live = |id: &NodeId| observed.get(id).is_some_and(|node| node.live);
            let directory = Directory::new(claims, mentions, live);
            if directory != *self.directory {
                self.directory = Arc::new(directory);
            }
            self.nodes.retain(|key, _| match key {
                NodeKey::Observed(id) => observed.contains_key(id),
                NodeKey::Unobserved(_) => true,
            });
        }
        let mut raised = self.nodes.len() != before;
        for (id, node) in observed {
            let own_change = changed.contains(id);
            if structure || own_change {
                let published = node.publish(id, &self.directory, claims);
                raised |= self.put(published, own_change, version, |changed_in| {
                    node.changed_in = changed_in
                });
            } else if moved.contains(id) {
                self.touch(id, node);
            }
        }
        if structure || !changed.is_empty() {
            raised |= self.infer(version);
        }
        raised
    }

    /// True when the node differs from what was known of it.
    fn put(&mut self, mut node: Node, changed: bool, version: u64, mark: impl FnOnce(u64)) -> bool {
        let known = self.nodes.get(&node.key);
        let changed = changed || known.is_none_or(|known| !same_shape(known, &node));
        if changed {
            node.changed_in = version;
            mark(version);
        }
        self.nodes.insert(node.key.clone(), Arc::new(node));
        changed
    }

    fn touch(&mut self, id: &NodeId, node: &Observed) {
        if let Some(known) = self.nodes.get_mut(&NodeKey::Observed(id.clone())) {
            let agent = Some(node.agent());
            *known = Arc::new(Node {
                agent,
                ..Node::clone(known)
            });
        }
    }

    /// Brings the nodes without an agent up to date. True when any changed.
    fn infer(&mut self, version: u64) -> bool {
        let mut neighbors: BTreeMap<(MacAddr, MeshId), BTreeSet<NodeKey>> = BTreeMap::new();
        for node in self.nodes.values().filter(|node| node.state == NodeState::Live) {
            for (key, link) in &node.links {
                if let Some(NodeKey::Unobserved(address)) = link.neighbor_node {
                    let place = (address, key.mesh.clone());
                    neighbors.entry(place).or_default().insert(node.key.clone());
                }
            }
        }
        let found = self.directory.unobserved();
        let before = self.nodes.len();
        self.nodes.retain(|key, _| match key {
            NodeKey::Observed(_) => true,
            NodeKey::Unobserved(address) => found.contains_key(address),
        });
        let mut raised = self.nodes.len() != before;
        for (address, meshes) in found {
            let degree = |mesh: &MeshId| neighbors.get(&(address, mesh.clone())).map_or(0, BTreeSet::len);
            let meshes = meshes.into_iter().map(|mesh| NodeMesh {
                degree: u32::try_from(degree(&mesh)).unwrap_or(u32::MAX),
                mesh,
                mesh_ifname: None,
                orig_address: Some(address),
            });
            let node = Node {
                key: NodeKey::Unobserved(address),
                state: NodeState::Unobserved,
                changed_in: version,
                meshes: meshes.collect(),
                links: BTreeMap::new(),
                contested: BTreeSet::new(),
                agent: None,
            };
            let known = self.nodes.get(&node.key);
            if known.is_none_or(|known| !same_shape(known, &node)) {
                self.nodes.insert(node.key.clone(), Arc::new(node));
                raised = true;
            }
        }
        raised
    }
}

fn same_shape(a: &Node, b: &Node) -> bool {
    a.state == b.state && a.meshes == b.meshes && a.links == b.links && a.contested == b.contested
}
