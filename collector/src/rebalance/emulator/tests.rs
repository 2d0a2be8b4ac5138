use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;

/// A mesh of point-to-point links: each link has an interface of its own at both ends, as over cables.
#[derive(Debug)]
struct Cabled {
    network: Network,
    nodes: Vec<NodeIndex>,
}

impl Cabled {
    fn new(hop_penalties: &[u8]) -> Self {
        let mut network = Network::default();
        let nodes = hop_penalties.iter().map(|&penalty| network.add_node(penalty)).collect();
        Self { network, nodes }
    }

    /// TQs as reported by `a` and by `b`. Returns the two directions.
    fn link(&mut self, a: usize, b: usize, tqs: (u8, u8)) -> (LinkIndex, LinkIndex) {
        (self.direction(a, b, tqs.0), self.direction(b, a, tqs.1))
    }

    fn direction(&mut self, from: usize, to: usize, tq: u8) -> LinkIndex {
        let interface = self.network.add_interface(self.nodes[from], 0);
        self.network.add_link(NetworkLink {
            interface,
            to: self.nodes[to],
            quality: LinkQuality::from_reported(tq, 0).unwrap(),
        })
    }

    fn tq(&self, from: usize, to: usize) -> Option<u8> {
        Some(self.network.routes_to(self.nodes[to]).route(self.nodes[from])?.tq)
    }
}

fn perfect_chain(hop_penalty: u8, length: usize) -> Vec<u8> {
    let mut mesh = Cabled::new(&vec![hop_penalty; length + 1]);
    for node in 0..length {
        mesh.link(node, node + 1, (255, 255));
    }
    (1..=length).map(|node| mesh.tq(node, 0).unwrap()).collect()
}

#[test]
fn perfect_chain_loses_the_hop_penalty_at_each_forwarder() {
    assert_eq!(
        perfect_chain(30, 11),
        [255, 225, 198, 174, 153, 135, 119, 105, 92, 81, 71]
    );
    assert_eq!(
        perfect_chain(15, 11),
        [255, 240, 225, 211, 198, 186, 175, 164, 154, 144, 135]
    );
}

#[test]
fn hop_penalty_of_255_forwards_nothing() {
    let mut mesh = Cabled::new(&[30, 255, 30]);
    mesh.link(0, 1, (255, 255));
    mesh.link(1, 2, (255, 255));
    assert_eq!(mesh.tq(1, 0), Some(255));
    assert_eq!(mesh.tq(2, 0), None);
}

#[test]
fn slightly_lossy_direct_link_beats_a_perfect_detour() {
    let mut mesh = Cabled::new(&[30, 30, 30]);
    let (direct, _) = mesh.link(0, 1, (230, 230));
    mesh.link(0, 2, (255, 255));
    mesh.link(2, 1, (255, 255));
    let route = mesh.network.routes_to(NodeIndex(1)).route(NodeIndex(0)).unwrap();
    assert_eq!(
        route,
        Route {
            link: direct,
            tq: 230,
            margin: 5
        }
    );
}

#[test]
fn hop_penalty_of_the_receiving_interface_moves_the_route() {
    let mut mesh = Cabled::new(&[30, 30, 30]);
    let (direct, _) = mesh.link(0, 1, (230, 230));
    let (detour, _) = mesh.link(0, 2, (255, 255));
    mesh.link(2, 1, (255, 255));
    let interface = mesh.network.link(direct).interface;
    // 255 · (1 − 225 / 230) = 5.5: 5 is just too little (230 · 250 / 255 = 225, a tie that the shorter way wins).
    let before = mesh.network.with_hop_penalty(interface, 5).routes_to(NodeIndex(1));
    let after = mesh.network.with_hop_penalty(interface, 6).routes_to(NodeIndex(1));
    assert_eq!(before.route(NodeIndex(0)).map(|route| route.link), Some(direct));
    assert_eq!(after.route(NodeIndex(0)).map(|route| route.link), Some(detour));
}

#[test]
fn reported_quality_survives_the_way_through_the_emulator() {
    for tq in 0..=255u8 {
        for penalty in [0, 1, 30, 128, 254] {
            let quality = LinkQuality::from_reported(tq, penalty).unwrap();
            let mut network = Network::default();
            let (a, b) = (network.add_node(30), network.add_node(30));
            let interface = network.add_interface(a, penalty);
            network.add_link(NetworkLink {
                interface,
                to: b,
                quality,
            });
            let most = 255 - u32::from(penalty);
            let emulated = network.routes_to(b).route(a).map_or(0, |route| route.tq);
            // No link can be reported with more than its interface lets through.
            assert_eq!(
                u32::from(emulated),
                u32::from(tq).min(most),
                "tq {tq} penalty {penalty}"
            );
        }
    }
    assert_eq!(LinkQuality::from_reported(0, 255), None);
}

#[test]
fn second_best_is_not_what_a_neighbor_learned_from_the_node_itself() {
    let mut mesh = Cabled::new(&[30, 30, 30]);
    mesh.link(0, 1, (255, 255));
    mesh.link(1, 2, (255, 255));
    let route = mesh.network.routes_to(NodeIndex(0)).route(NodeIndex(1)).unwrap();
    assert_eq!(route.margin, 255);
}

/// Up to seven nodes; a pair may have several links.
fn meshes() -> impl Strategy<Value = Cabled> {
    let penalties = proptest::collection::vec(prop_oneof![Just(30u8), Just(0), any::<u8>()], 2..7);
    let links = proptest::collection::vec((0..7usize, 0..7usize, any::<(u8, u8)>(), any::<bool>()), 1..14);
    (penalties, links).prop_map(|(penalties, links)| {
        let mut mesh = Cabled::new(&penalties);
        let n = penalties.len();
        for (a, b, tqs, perfect) in links {
            let (a, b) = (a % n, b % n);
            if a != b {
                mesh.link(a, b, if perfect { (255, 255) } else { tqs });
            }
        }
        mesh
    })
}

/// The highest TQ over all ways without a node twice, tried one by one.
fn best_of_all_ways(network: &Network, here: NodeIndex, to: NodeIndex, seen: &mut BTreeSet<NodeIndex>) -> u8 {
    if here == to {
        return 255;
    }
    seen.insert(here);
    let mut best = 0;
    for &link in network.links_from(here) {
        let next = network.link(link).to;
        if !seen.contains(&next) {
            let rest = best_of_all_ways(network, next, to, seen);
            let announced = if next == to {
                rest
            } else {
                network.forwarded(next, rest)
            };
            best = best.max(network.received(link, announced));
        }
    }
    seen.remove(&here);
    best
}

proptest! {
    #[test]
    fn no_way_is_better_than_the_one_chosen(mesh in meshes()) {
        for to in mesh.network.nodes() {
            let routes = mesh.network.routes_to(to);
            for from in mesh.network.nodes().filter(|&from| from != to) {
                let best = best_of_all_ways(&mesh.network, from, to, &mut BTreeSet::new());
                prop_assert_eq!(routes.route(from).map_or(0, |route| route.tq), best);
            }
        }
    }

    #[test]
    fn the_rest_of_a_way_is_the_next_nodes_own_way(mesh in meshes()) {
        for to in mesh.network.nodes() {
            let routes = mesh.network.routes_to(to);
            for from in mesh.network.nodes() {
                let Some(route) = routes.route(from) else { continue };
                let next = mesh.network.link(route.link).to;
                let announced = match routes.route(next) {
                    Some(rest) => mesh.network.forwarded(next, rest.tq),
                    None => 255,
                };
                prop_assert_eq!(route.tq, mesh.network.received(route.link, announced));
            }
        }
    }

    #[test]
    fn ways_have_no_loops(mesh in meshes()) {
        for to in mesh.network.nodes() {
            let routes = mesh.network.routes_to(to);
            for from in mesh.network.nodes() {
                let mut here = from;
                let mut steps = 0;
                while let Some(route) = routes.route(here) {
                    here = mesh.network.link(route.link).to;
                    steps += 1;
                    prop_assert!(steps < mesh.network.len(), "a loop from {:?} to {:?}", from, to);
                }
            }
        }
    }

    #[test]
    fn a_higher_hop_penalty_helps_nobody(mesh in meshes(), which in any::<prop::sample::Index>(), penalty: u8) {
        let links: Vec<_> = mesh.network.nodes().flat_map(|node| mesh.network.links_from(node).to_vec()).collect();
        prop_assume!(!links.is_empty());
        let interface = mesh.network.link(*which.get(&links)).interface;
        let changed = mesh.network.with_hop_penalty(interface, penalty);
        for to in mesh.network.nodes() {
            let (before, after) = (mesh.network.routes_to(to), changed.routes_to(to));
            for from in mesh.network.nodes() {
                let tq = |routes: &Routes| routes.route(from).map_or(0, |route| route.tq);
                prop_assert!(tq(&after) <= tq(&before));
            }
        }
    }
}
