//! BATMAN_IV's choice of routes over a known mesh, in the kernel's own integer arithmetic.
//!
//! For one destination, [`Network::routes_to`] gives every node's router and TQ once OGMs have settled. What a link does
//! to an OGM (`batadv_iv_ogm_calc_tq`) and what a forwarder does (`batadv_hop_penalty`) truncate exactly as in the kernel.
//! Every step only lowers a TQ and keeps the order of two TQs, so the fixed point of the flooding is what Dijkstra's
//! algorithm finds when it settles the highest TQ first.
//!
//! Not modelled: the five-slot averages (links are taken as steady), the TTL of 50, and the further penalty for an OGM
//! that leaves by the Wi-Fi interface it came in by, since nobody reports the medium of an interface. Where that penalty
//! is at work the kernel's own TQs differ from these; the planner compares the two and then proposes nothing.
//!
//! Invariants: the next hops towards one destination form a tree; equal inputs give equal routes, ties included (fewer
//! hops, then the earlier link). The kernel settles ties by history, so a route with [`Route::margin`] 0 is a guess.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

/// `BATADV_TQ_MAX_VALUE`.
pub const TQ_MAX: u32 = 255;

/// A node by its place in [`Network`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NodeIndex(pub usize);

/// A hard interface by its place in [`Network`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct InterfaceIndex(pub usize);

/// One direction of a link by its place in [`Network`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LinkIndex(pub usize);

/// Own quality times asymmetry penalty, 0 to 255²: what a link does to an OGM before any penalty of an interface.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct LinkQuality(u32);

/// One direction of a link: frames go from the interface's node to `to`, OGMs come the other way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NetworkLink {
    /// Where frames leave and OGMs arrive; its hop penalty applies.
    pub interface: InterfaceIndex,
    /// The neighbor.
    pub to: NodeIndex,
    /// As measured at `interface`.
    pub quality: LinkQuality,
}

/// Nodes, their hard interfaces and the links between them.
#[derive(Debug, Clone, Default)]
pub struct Network {
    /// Hop penalty of each node's mesh interface.
    nodes: Vec<u8>,
    interfaces: Vec<Interface>,
    links: Vec<NetworkLink>,
    /// Links that end at a node, by node.
    links_to: Vec<Vec<LinkIndex>>,
    /// Links that begin at a node, by node.
    links_from: Vec<Vec<LinkIndex>>,
}

#[derive(Debug, Clone, Copy)]
struct Interface {
    node: NodeIndex,
    hop_penalty: u8,
}

/// A node's way on towards one destination.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Route {
    /// The link taken.
    pub link: LinkIndex,
    /// TQ of the whole way, 1 to 255.
    pub tq: u8,
    /// TQ lost by taking the best other link; the whole TQ where there is none.
    pub margin: u8,
}

/// Every node's route towards one destination.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Routes {
    destination: NodeIndex,
    routes: Vec<Option<Route>>,
}

// === impl LinkQuality ===

impl LinkQuality {
    /// The quality behind a link's reported TQ, which already contains the hop penalty of the interface that measured it.
    ///
    /// Truncation hides up to one TQ; the lowest quality that explains the report is taken. `None`: the penalty of 255
    /// cuts the interface off, so nothing is known of the link.
    pub fn from_reported(tq: u8, hop_penalty: u8) -> Option<Self> {
        let passed = TQ_MAX - u32::from(hop_penalty);
        let scaled = u32::from(tq) * TQ_MAX * TQ_MAX;
        (passed > 0).then(|| Self(scaled.div_ceil(passed).min(TQ_MAX * TQ_MAX)))
    }

    /// Expected share of frames that arrive, 0 to 1: own quality, lowered a little by losses on the way back.
    pub fn delivery(self) -> f64 {
        f64::from(self.0) / f64::from(TQ_MAX * TQ_MAX)
    }
}

// === impl Network ===

impl Network {
    /// Adds a node by the hop penalty of its mesh interface.
    pub fn add_node(&mut self, hop_penalty: u8) -> NodeIndex {
        self.nodes.push(hop_penalty);
        self.links_to.push(Vec::new());
        self.links_from.push(Vec::new());
        NodeIndex(self.nodes.len() - 1)
    }

    /// Adds a hard interface to a node.
    pub fn add_interface(&mut self, node: NodeIndex, hop_penalty: u8) -> InterfaceIndex {
        self.interfaces.push(Interface { node, hop_penalty });
        InterfaceIndex(self.interfaces.len() - 1)
    }

    /// Adds one direction of a link.
    pub fn add_link(&mut self, link: NetworkLink) -> LinkIndex {
        let index = LinkIndex(self.links.len());
        let near_end = self.interfaces[link.interface.0].node;
        self.links_to[link.to.0].push(index);
        self.links_from[near_end.0].push(index);
        self.links.push(link);
        index
    }

    /// How many nodes there are.
    pub fn len(&self) -> usize {
        self.nodes.len()
    }

    /// Whether there is no node.
    pub fn is_empty(&self) -> bool {
        self.nodes.is_empty()
    }

    /// The nodes in order.
    pub fn nodes(&self) -> impl Iterator<Item = NodeIndex> {
        (0..self.nodes.len()).map(NodeIndex)
    }

    /// A link.
    pub fn link(&self, link: LinkIndex) -> &NetworkLink {
        &self.links[link.0]
    }

    /// The links by which a node can send.
    pub fn links_from(&self, node: NodeIndex) -> &[LinkIndex] {
        &self.links_from[node.0]
    }

    /// The node at the near end of a link.
    pub fn near_end(&self, link: LinkIndex) -> NodeIndex {
        self.interfaces[self.links[link.0].interface.0].node
    }

    /// The hop penalty of an interface.
    pub fn hop_penalty(&self, interface: InterfaceIndex) -> u8 {
        self.interfaces[interface.0].hop_penalty
    }

    /// The same mesh with another hop penalty on one interface.
    #[must_use]
    pub fn with_hop_penalty(&self, interface: InterfaceIndex, hop_penalty: u8) -> Self {
        let mut changed = self.clone();
        changed.interfaces[interface.0].hop_penalty = hop_penalty;
        changed
    }

    /// Every node's route towards `destination`, which announces itself with TQ 255 on all its interfaces.
    pub fn routes_to(&self, destination: NodeIndex) -> Routes {
        let mut settling = Settling::new(self, destination);
        while settling.step(self) {}
        Routes {
            destination,
            routes: self.nodes().map(|node| settling.route(self, node)).collect(),
        }
    }

    /// TQ of an OGM after it was received over `link`.
    fn received(&self, link: LinkIndex, ogm_tq: u8) -> u8 {
        let NetworkLink { interface, quality, .. } = self.links[link.0];
        let passed = TQ_MAX - u32::from(self.interfaces[interface.0].hop_penalty);
        // At most 255⁴ / 255³: fits u32 before, u8 after the division.
        let tq = u32::from(ogm_tq) * quality.0 * passed / (TQ_MAX * TQ_MAX * TQ_MAX);
        u8::try_from(tq).unwrap_or(u8::MAX)
    }

    /// TQ in the OGM that a node sends on, of what it received.
    fn forwarded(&self, node: NodeIndex, tq: u8) -> u8 {
        let tq = u32::from(tq) * (TQ_MAX - u32::from(self.nodes[node.0])) / TQ_MAX;
        u8::try_from(tq).unwrap_or(u8::MAX)
    }
}

// === impl Routes ===

impl Routes {
    /// Where the routes lead.
    pub fn destination(&self) -> NodeIndex {
        self.destination
    }

    /// A node's route; `None` at the destination and where no OGM of it arrives.
    pub fn route(&self, node: NodeIndex) -> Option<Route> {
        self.routes[node.0]
    }

    /// The links from `node` to the destination; `None` without a route. Empty at the destination.
    pub fn way(&self, network: &Network, node: NodeIndex) -> Option<Vec<LinkIndex>> {
        let mut way = Vec::new();
        let mut here = node;
        while here != self.destination {
            let route = self.route(here)?;
            way.push(route.link);
            here = network.link(route.link).to;
        }
        Some(way)
    }
}

// === the fixed point ===

/// Dijkstra's algorithm over TQs, from the destination outwards.
struct Settling {
    destination: NodeIndex,
    best: Vec<Option<Candidate>>,
    settled: Vec<bool>,
    queue: BinaryHeap<(Candidate, Reverse<NodeIndex>)>,
}

/// Ordered: the greater one is preferred.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Candidate {
    tq: u8,
    hops: Reverse<usize>,
    /// `None` at the destination.
    link: Reverse<Option<LinkIndex>>,
}

impl Settling {
    fn new(network: &Network, destination: NodeIndex) -> Self {
        let start = Candidate {
            tq: u8::MAX,
            hops: Reverse(0),
            link: Reverse(None),
        };
        let mut best = vec![None; network.len()];
        best[destination.0] = Some(start);
        Self {
            destination,
            best,
            settled: vec![false; network.len()],
            queue: BinaryHeap::from([(start, Reverse(destination))]),
        }
    }

    /// Settles one node and tells those that hear it; false when none is left.
    fn step(&mut self, network: &Network) -> bool {
        let Some((candidate, Reverse(node))) = self.queue.pop() else {
            return false;
        };
        if std::mem::replace(&mut self.settled[node.0], true) {
            return true;
        }
        let announced = self.announced(network, node, candidate.tq);
        for &link in &network.links_to[node.0] {
            let listener = network.near_end(link);
            let heard = Candidate {
                tq: network.received(link, announced),
                hops: Reverse(candidate.hops.0 + 1),
                link: Reverse(Some(link)),
            };
            // A link counts as bidirectional from TQ 1 on.
            if heard.tq >= 1 && !self.settled[listener.0] && self.best[listener.0].is_none_or(|best| heard > best) {
                self.best[listener.0] = Some(heard);
                self.queue.push((heard, Reverse(listener)));
            }
        }
        true
    }

    fn announced(&self, network: &Network, node: NodeIndex, tq: u8) -> u8 {
        if node == self.destination {
            tq
        } else {
            network.forwarded(node, tq)
        }
    }

    fn route(&self, network: &Network, node: NodeIndex) -> Option<Route> {
        let best = self.best[node.0]?;
        let link = best.link.0?;
        let second = self.second(network, node, link);
        Some(Route {
            link,
            tq: best.tq,
            margin: best.tq.saturating_sub(second),
        })
    }

    /// TQ of the best OGM that `node` receives by another link than its router's, 0 for none. A neighbor whose router is
    /// `node` itself does not count: the kernel drops its own words when they come back.
    fn second(&self, network: &Network, node: NodeIndex, taken: LinkIndex) -> u8 {
        let router_is = |neighbor: NodeIndex| {
            let link = self.best[neighbor.0].and_then(|best| best.link.0)?;
            Some(network.link(link).to)
        };
        network
            .links_from(node)
            .iter()
            .copied()
            .filter(|&link| link != taken && router_is(network.link(link).to) != Some(node))
            .filter_map(|link| {
                let neighbor = network.link(link).to;
                let tq = self.best[neighbor.0]?.tq;
                Some(network.received(link, self.announced(network, neighbor, tq)))
            })
            .max()
            .unwrap_or(0)
    }
}

#[cfg(test)]
mod tests;
