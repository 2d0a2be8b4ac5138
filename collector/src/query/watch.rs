//! The topology as it changes: the whole first, then differences between what was told and what is.
//!
//! A watcher that reads slowly misses states in between, never a change: the next difference is taken to what it was told
//! last. One that is very far behind gets the whole again, since by then it is no larger. Messages are bounded in size; a
//! large change comes in several. Nothing queues: what a watcher costs is one old topology.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use mesh_proto::model::MeshId;
use mesh_proto::pb;

use super::{convert, list};
use crate::topology::{Node, NodeKey, TopologySnapshot};

/// Nodes in one message, with their links: some 200 KB.
const MAX_NODES: usize = 500;
/// Versions after which nearly every node has changed: a mesh under way makes some ten a second.
const MAX_BEHIND: u64 = 1_000;

/// What one watcher was told.
#[derive(Debug)]
pub(super) struct Watcher {
    mesh: Option<MeshId>,
    told: Option<Arc<TopologySnapshot>>,
}

// === impl Watcher ===

impl Watcher {
    /// Interested in one mesh, or in all.
    pub(super) fn new(mesh: Option<MeshId>) -> Self {
        Self { mesh, told: None }
    }

    /// What to tell now; nothing if nothing changed.
    pub(super) fn tell(&mut self, now: Arc<TopologySnapshot>) -> VecDeque<pb::WatchTopologyResponse> {
        let told = self.told.replace(Arc::clone(&now));
        match told {
            Some(told) if told.version() == now.version() => VecDeque::new(),
            Some(told) if now.version().saturating_sub(told.version()) <= MAX_BEHIND => self.difference(&told, &now),
            _ => self.whole(&now),
        }
    }

    fn whole(&self, now: &TopologySnapshot) -> VecDeque<pb::WatchTopologyResponse> {
        let mut messages = Messages::new(now);
        messages.current.full = true;
        for node in now
            .nodes()
            .values()
            .filter(|node| list::in_mesh(node, self.mesh.as_ref()))
        {
            let links = convert::links(node, self.mesh.as_ref()).map(|(_, link)| link);
            messages.add(Some(convert::node(now, node, self.mesh.as_ref())), links.collect());
        }
        messages.finish()
    }

    fn difference(&self, told: &TopologySnapshot, now: &TopologySnapshot) -> VecDeque<pb::WatchTopologyResponse> {
        let mut messages = Messages::new(now);
        let gone = told.nodes().keys().filter(|key| now.node(key).is_none());
        let changed = now.nodes().values().filter(|node| node.changed_in > told.version());
        let keys: BTreeSet<&NodeKey> = gone.chain(changed.map(|node| &node.key)).collect();
        for key in keys {
            let (was, is) = (self.known(told, key), self.known(now, key));
            let mut links_was: BTreeMap<_, _> = self.links(was);
            let mut links = Vec::new();
            for (link, is) in self.links(is) {
                if links_was.remove(&link).as_ref() != Some(&is) {
                    links.push(is);
                }
            }
            let removed = links_was.into_keys().map(|link| convert::link_key(key, link));
            messages.current.removed_links.extend(removed);
            match (was, is) {
                (Some(_), None) => messages.current.removed_nodes.push(key.to_string()),
                (_, Some(is)) => {
                    let differs = was.is_none_or(|was| self.shown(told, was) != self.shown(now, is));
                    messages.add(differs.then(|| convert::node(now, is, self.mesh.as_ref())), links);
                }
                (None, None) => {}
            }
        }
        messages.finish()
    }

    fn known<'a>(&self, topology: &'a TopologySnapshot, key: &NodeKey) -> Option<&'a Node> {
        let node = topology.node(key)?;
        list::in_mesh(node, self.mesh.as_ref()).then_some(node)
    }

    fn links<'a>(&'a self, node: Option<&'a Node>) -> BTreeMap<&'a crate::topology::LinkKey, pb::Link> {
        node.into_iter()
            .flat_map(|node| convert::links(node, self.mesh.as_ref()))
            .collect()
    }

    /// A node as far as its changes matter: the time of its last report moves all the time.
    fn shown(&self, topology: &TopologySnapshot, node: &Node) -> pb::Node {
        pb::Node {
            last_report: None,
            ..convert::node(topology, node, self.mesh.as_ref())
        }
    }
}

/// One change, in messages of bounded size. No key is in it twice, so their order does not matter.
struct Messages {
    current: pb::WatchTopologyResponse,
    entries: usize,
    done: VecDeque<pb::WatchTopologyResponse>,
}

// === impl Messages ===

impl Messages {
    fn new(now: &TopologySnapshot) -> Self {
        Self {
            current: pb::WatchTopologyResponse {
                time: Some(now.time().into()),
                version: now.version(),
                ..pb::WatchTopologyResponse::default()
            },
            entries: 0,
            done: VecDeque::new(),
        }
    }

    fn add(&mut self, node: Option<pb::Node>, links: Vec<pb::Link>) {
        if node.is_none() && links.is_empty() {
            return;
        }
        if self.entries == MAX_NODES {
            self.turn();
        }
        self.entries += 1;
        self.current.nodes.extend(node);
        self.current.links.extend(links);
    }

    fn turn(&mut self) {
        let next = pb::WatchTopologyResponse {
            time: self.current.time,
            version: self.current.version,
            ..pb::WatchTopologyResponse::default()
        };
        self.done.push_back(std::mem::replace(&mut self.current, next));
        self.entries = 0;
    }

    fn finish(mut self) -> VecDeque<pb::WatchTopologyResponse> {
        let pb::WatchTopologyResponse {
            full,
            nodes,
            links,
            removed_nodes,
            removed_links,
            ..
        } = &self.current;
        let removals = !removed_nodes.is_empty() || !removed_links.is_empty();
        if *full || removals || !nodes.is_empty() || !links.is_empty() {
            self.turn();
        }
        self.done
    }
}

#[cfg(test)]
mod tests;
