//! What a plan is made from: a frozen copy of what live nodes report, as a [`Network`] with names to its indices.
//!
//! Nodes that are not live (stale, or without an agent) are in it as their neighbors see them. What such a node itself
//! sees is not known; its links are *assumed* to be as good its way as they are the other way, its hop penalty to be the
//! one most live nodes have. Routes through it can be emulated by that, but nothing may be promised of them:
//! [`MeshInput::is_assumed`] tells.

use std::collections::{BTreeMap, BTreeSet};

use mesh_proto::model::{Algorithm, IfName, MacAddr, MeshId, MeshView, NextHop};

use super::emulator::{InterfaceIndex, LinkIndex, LinkQuality, Network, NetworkLink, NodeIndex};
use crate::topology::{LinkKey, Node, NodeKey, NodeState, TopologySnapshot};

/// The kernel's default where nobody's hop penalty is known.
const DEFAULT_HOP_PENALTY: u8 = 30;
/// The kernel's default, milliseconds.
const DEFAULT_ORIG_INTERVAL: u32 = 1_000;
/// Originator intervals after which a silent neighbor's link is not counted on: its TQ is a memory.
const SILENT_INTERVALS: u32 = 8;

/// All meshes, at one instant.
#[derive(Debug, Clone, Default)]
pub struct PlanningInput {
    /// By name.
    pub meshes: BTreeMap<MeshId, MeshInput>,
}

/// One mesh.
#[derive(Debug, Clone, Default)]
pub struct MeshInput {
    /// What live nodes say they run; `None`: an algorithm this release does not know.
    pub algorithms: BTreeSet<Option<Algorithm>>,
    /// Links and penalties. Indices into the other fields are its own.
    pub network: Network,
    /// By node, in the order of their keys.
    pub nodes: Vec<InputNode>,
    /// By interface.
    pub interfaces: Vec<InputInterface>,
    /// By link.
    pub links: Vec<InputLink>,
    /// The kernel's own routes, by node and destination.
    pub routes: BTreeMap<(NodeIndex, NodeIndex), KernelRoute>,
}

/// A node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InputNode {
    /// Its name.
    pub key: NodeKey,
    /// It reports: its links and penalties are its own words.
    pub live: bool,
}

/// A hard interface.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InputInterface {
    /// Where it is.
    pub node: NodeIndex,
    /// `None`: stands for all interfaces of a node that is not live.
    pub hard_ifname: Option<IfName>,
    /// As reported; `None`: this kernel has no such setting, or nobody reports it.
    pub hop_penalty: Option<u8>,
}

/// One direction of a link.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InputLink {
    /// The far end; `None`: assumed from the other direction.
    pub neigh_address: Option<MacAddr>,
    /// As reported, the interface's hop penalty included.
    pub tq: u8,
}

/// What a node's own table says of a destination.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KernelRoute {
    /// The way taken.
    pub best: KernelHop,
    /// The best of the others.
    pub runner_up: Option<KernelHop>,
}

/// A next hop with its TQ.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KernelHop {
    /// The member it is heard on.
    pub hard_ifname: IfName,
    /// The neighbor's interface.
    pub neigh_address: MacAddr,
    /// Of the whole way.
    pub tq: u8,
}

// === impl PlanningInput ===

impl PlanningInput {
    /// Freezes what live nodes report.
    pub fn new(topology: &TopologySnapshot) -> Self {
        let meshes = topology.meshes().into_iter();
        Self {
            meshes: meshes
                .map(|mesh| (mesh.clone(), MeshInput::new(topology, mesh)))
                .collect(),
        }
    }
}

// === impl MeshInput ===

impl MeshInput {
    fn new(topology: &TopologySnapshot, mesh: &MeshId) -> Self {
        let members: Vec<&Node> = topology
            .nodes()
            .values()
            .map(AsRef::as_ref)
            .filter(|node| node.mesh(mesh).is_some())
            .collect();
        let index: BTreeMap<&NodeKey, NodeIndex> = members
            .iter()
            .enumerate()
            .map(|(at, node)| (&node.key, NodeIndex(at)))
            .collect();
        let mut input = Self::default();
        let usual = usual_hop_penalty(&members, mesh);
        for node in &members {
            let view = live_view(node, mesh);
            input.algorithms.extend(view.map(|view| view.settings.algorithm));
            let reported = view.and_then(|view| view.settings.hop_penalty);
            input.network.add_node(reported.unwrap_or(usual));
            input.nodes.push(InputNode {
                key: node.key.clone(),
                live: view.is_some(),
            });
        }
        let mut assumed = BTreeMap::new();
        for (node, at) in members.iter().zip((0..).map(NodeIndex)) {
            if let Some(view) = live_view(node, mesh) {
                input.add_links(node, mesh, view, at, &index, &mut assumed);
                input.add_routes(topology, mesh, view, at, &index);
            }
        }
        input
    }

    /// True where a link's quality is not its near end's own word.
    pub fn is_assumed(&self, link: LinkIndex) -> bool {
        self.links[link.0].neigh_address.is_none()
    }

    /// A node's name.
    pub fn key(&self, node: NodeIndex) -> &NodeKey {
        &self.nodes[node.0].key
    }

    /// The kernel's hop is this link.
    pub fn is_hop(&self, hop: &KernelHop, link: LinkIndex) -> bool {
        let interface = &self.interfaces[self.network.link(link).interface.0];
        self.links[link.0].neigh_address == Some(hop.neigh_address)
            && interface.hard_ifname.as_ref() == Some(&hop.hard_ifname)
    }

    fn add_links(
        &mut self,
        node: &Node,
        mesh: &MeshId,
        view: &MeshView,
        at: NodeIndex,
        index: &BTreeMap<&NodeKey, NodeIndex>,
        assumed: &mut BTreeMap<NodeIndex, InterfaceIndex>,
    ) {
        let interval = view.settings.orig_interval_ms.unwrap_or(DEFAULT_ORIG_INTERVAL);
        let silent = interval.saturating_mul(SILENT_INTERVALS);
        for (hard_ifname, hard) in view.hard_interfaces.iter().filter(|(_, hard)| hard.active) {
            let interface = self.add_interface(at, Some(hard_ifname.clone()), hard.hop_penalty);
            let links = node.links.iter().filter(|(key, link)| {
                let LinkKey {
                    mesh: of,
                    hard_ifname: by,
                    ..
                } = key;
                of == mesh && by == hard_ifname && link.last_seen.as_millis() < silent
            });
            for (key, link) in links {
                let neighbor = link.neighbor_node.as_ref().and_then(|node| index.get(node)).copied();
                let tq = link.metric.and_then(|metric| metric.tq());
                let (Some(to), Some(tq)) = (neighbor, tq) else { continue };
                let quality = LinkQuality::from_reported(tq.0, hard.hop_penalty.unwrap_or(0));
                let Some(quality) = quality.filter(|_| to != at) else {
                    continue;
                };
                self.add_link(NetworkLink { interface, to, quality }, Some(key.neigh_address), tq.0);
                if !self.nodes[to.0].live {
                    let back = *assumed.entry(to).or_insert_with(|| self.add_interface(to, None, None));
                    self.add_link(
                        NetworkLink {
                            interface: back,
                            to: at,
                            quality,
                        },
                        None,
                        tq.0,
                    );
                }
            }
        }
    }

    fn add_interface(
        &mut self,
        node: NodeIndex,
        hard_ifname: Option<IfName>,
        hop_penalty: Option<u8>,
    ) -> InterfaceIndex {
        self.interfaces.push(InputInterface {
            node,
            hard_ifname,
            hop_penalty,
        });
        self.network.add_interface(node, hop_penalty.unwrap_or(0))
    }

    fn add_link(&mut self, link: NetworkLink, neigh_address: Option<MacAddr>, tq: u8) {
        self.network.add_link(link);
        self.links.push(InputLink { neigh_address, tq });
    }

    /// Originators are nodes by their primary interface; entries of other interfaces say nothing of routes.
    fn add_routes(
        &mut self,
        topology: &TopologySnapshot,
        mesh: &MeshId,
        view: &MeshView,
        at: NodeIndex,
        index: &BTreeMap<&NodeKey, NodeIndex>,
    ) {
        for (orig_address, originator) in &view.originators {
            let Some(key) = topology.resolve(mesh, *orig_address) else {
                continue;
            };
            let part = topology.node(key).and_then(|node| node.mesh(mesh));
            let primary = part.and_then(|(part, _)| part.orig_address);
            let (Some(&to), Some(best)) = (index.get(key), &originator.best) else {
                continue;
            };
            if primary == Some(*orig_address)
                && let Some(best) = kernel_hop(best)
            {
                let runner_up = originator.runner_up.as_ref().and_then(kernel_hop);
                self.routes.insert((at, to), KernelRoute { best, runner_up });
            }
        }
    }
}

fn kernel_hop(hop: &NextHop) -> Option<KernelHop> {
    Some(KernelHop {
        hard_ifname: hop.hard_ifname.clone(),
        neigh_address: hop.neigh_address,
        tq: hop.metric?.tq()?.0,
    })
}

fn live_view<'a>(node: &'a Node, mesh: &MeshId) -> Option<&'a MeshView> {
    let (_, view) = node.mesh(mesh)?;
    view.filter(|_| node.state == NodeState::Live)
}

/// The hop penalty most live nodes have, the higher of several.
fn usual_hop_penalty(members: &[&Node], mesh: &MeshId) -> u8 {
    let mut votes: BTreeMap<u8, usize> = BTreeMap::new();
    for penalty in members
        .iter()
        .filter_map(|node| live_view(node, mesh)?.settings.hop_penalty)
    {
        *votes.entry(penalty).or_default() += 1;
    }
    votes
        .into_iter()
        .max_by_key(|&(penalty, count)| (count, penalty))
        .map_or(DEFAULT_HOP_PENALTY, |(penalty, _)| penalty)
}

#[cfg(test)]
mod tests;
