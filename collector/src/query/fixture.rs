//! Meshes of cables for tests: each cable has a hard interface of its own at both ends, `eth0`, `eth1` … in the order
//! they are laid. Kernel tables are filled as the emulator routes, unless a test says otherwise.

use std::collections::BTreeMap;
use std::sync::Arc;

use mesh_proto::model::{
    Algorithm, HardInterface, LastSeen, MacAddr, MeshView, Metric, Neighbor, NeighborKey, NextHop, Originator, Tq,
};

use crate::rebalance::emulator::{LinkQuality, Network, NetworkLink, NodeIndex};
use crate::testing::{after, ifname, session, snapshot, start, view};
use crate::topology::{Moment, Topology, TopologyEvent, TopologySnapshot};

#[derive(Debug, Clone)]
pub(crate) struct Cables {
    stations: Vec<Station>,
    cables: Vec<Cable>,
    /// Node, originator, neighbor.
    routes: Vec<(usize, usize, usize)>,
    pub(crate) algorithm: Algorithm,
}

#[derive(Debug, Clone)]
struct Station {
    name: &'static str,
    agent: bool,
    silent: bool,
    hop_penalty: u8,
    interfaces: u8,
}

#[derive(Debug, Clone, Copy)]
struct Cable {
    from: usize,
    to: usize,
    from_interface: u8,
    to_interface: u8,
    tq: u8,
    hop_penalty: u8,
}

impl Cables {
    /// Nodes with agents.
    pub(crate) fn new(names: &[&'static str]) -> Self {
        let none = Self {
            stations: Vec::new(),
            cables: Vec::new(),
            routes: Vec::new(),
            algorithm: Algorithm::BatmanIv,
        };
        names.iter().fold(none, |cables, name| cables.station(name))
    }

    /// One more node with an agent.
    pub(crate) fn station(mut self, name: &'static str) -> Self {
        self.stations.push(Station {
            name,
            agent: true,
            silent: false,
            hop_penalty: 30,
            interfaces: 0,
        });
        self
    }

    /// A cable with the TQs that its ends report, the first one's first.
    pub(crate) fn cable(mut self, a: &str, b: &str, a_tq: u8, b_tq: u8) -> Self {
        let (a, b) = (self.at(a), self.at(b));
        let (i, j) = (self.plug(a), self.plug(b));
        let end = |from, to, from_interface, to_interface, tq| Cable {
            from,
            to,
            from_interface,
            to_interface,
            tq,
            hop_penalty: 0,
        };
        self.cables.push(end(a, b, i, j, a_tq));
        self.cables.push(end(b, a, j, i, b_tq));
        self
    }

    /// Another TQ at one end, with the hop penalty set there now.
    pub(crate) fn set(mut self, a: &str, b: &str, tq: u8, hop_penalty: u8) -> Self {
        let (a, b) = (self.at(a), self.at(b));
        let cable = self
            .cables
            .iter_mut()
            .find(|cable| cable.from == a && cable.to == b)
            .unwrap();
        (cable.tq, cable.hop_penalty) = (tq, hop_penalty);
        self
    }

    /// A node without an agent.
    pub(crate) fn without_agent(mut self, name: &str) -> Self {
        let at = self.at(name);
        self.stations[at].agent = false;
        self
    }

    /// A node that has fallen silent.
    pub(crate) fn stale(mut self, name: &str) -> Self {
        let at = self.at(name);
        self.stations[at].silent = true;
        self
    }

    /// The kernel of this node sends what is for `to` by `via`, whatever the links say.
    pub(crate) fn route(mut self, node: &str, to: &str, via: &str) -> Self {
        self.routes.push((self.at(node), self.at(to), self.at(via)));
        self
    }

    /// The primary address of a node, by which others know it.
    pub(crate) fn address(&self, name: &str) -> MacAddr {
        address(self.at(name), 0)
    }

    pub(crate) fn snapshot(&self) -> Arc<TopologySnapshot> {
        let start = start();
        let mut topology = Topology::default();
        for at in 0..self.stations.len() {
            self.report(&mut topology, at, start);
        }
        let later = after(start, 20.0);
        topology.apply(TopologyEvent::Tick, later);
        for (at, station) in self.stations.iter().enumerate() {
            if !station.silent {
                self.report(&mut topology, at, later);
            }
        }
        Arc::new(topology.snapshot(later))
    }

    /// Reports of this state of the mesh, into a topology that has seen others.
    pub(crate) fn report_all(&self, topology: &mut Topology, now: Moment) -> Arc<TopologySnapshot> {
        for at in 0..self.stations.len() {
            self.report(topology, at, now);
        }
        topology.apply(TopologyEvent::Tick, now);
        Arc::new(topology.snapshot(now))
    }

    fn report(&self, topology: &mut Topology, at: usize, now: Moment) {
        if self.stations[at].agent {
            let session = session(self.stations[at].name, 1, 1);
            let view = Arc::new(snapshot(self.view(at)));
            topology.apply(
                TopologyEvent::Reported {
                    session,
                    view,
                    clock: None,
                },
                now,
            );
        }
    }

    fn view(&self, at: usize) -> MeshView {
        let mut view = view(address(at, 0));
        view.settings.algorithm = Some(self.algorithm);
        view.settings.hop_penalty = Some(self.stations[at].hop_penalty);
        for interface in 0..self.stations[at].interfaces {
            let cable = self
                .cables
                .iter()
                .find(|c| c.from == at && c.from_interface == interface)
                .unwrap();
            let hard = HardInterface {
                hard_address: address(at, interface),
                active: true,
                hop_penalty: Some(cable.hop_penalty),
                throughput_override_kbit: None,
                mtu: None,
            };
            view.hard_interfaces.insert(name(interface), hard);
            let key = NeighborKey {
                hard_ifname: name(interface),
                neigh_address: address(cable.to, cable.to_interface),
            };
            let neighbor = Neighbor {
                metric: Some(Metric::Tq(Tq(cable.tq))),
                last_seen: LastSeen::default(),
                orig_address: Some(address(cable.to, 0)),
            };
            view.neighbors.insert(key, neighbor);
        }
        view.originators = self.originators(at);
        view
    }

    fn originators(&self, at: usize) -> BTreeMap<MacAddr, Originator> {
        let mut network = Network::default();
        for station in &self.stations {
            network.add_node(station.hop_penalty);
        }
        for cable in &self.cables {
            let interface = network.add_interface(NodeIndex(cable.from), cable.hop_penalty);
            let quality = LinkQuality::from_reported(cable.tq, cable.hop_penalty).unwrap();
            network.add_link(NetworkLink {
                interface,
                to: NodeIndex(cable.to),
                quality,
            });
        }
        let mut originators = BTreeMap::new();
        for to in (0..self.stations.len()).filter(|&to| to != at) {
            let route = network.routes_to(NodeIndex(to)).route(NodeIndex(at));
            let chosen = route.map(|route| (&self.cables[route.link.0], route.tq));
            let told = self.routes.iter().find(|route| (route.0, route.1) == (at, to));
            let told = told.and_then(|route| self.cables.iter().find(|c| (c.from, c.to) == (at, route.2)));
            let best = told.map(|cable| (cable, 100)).or(chosen);
            if let Some((cable, tq)) = best {
                let best = Some(NextHop {
                    neigh_address: address(cable.to, cable.to_interface),
                    hard_ifname: name(cable.from_interface),
                    metric: Some(Metric::Tq(Tq(tq))),
                });
                let originator = Originator {
                    best,
                    runner_up: None,
                    last_seen: LastSeen::default(),
                };
                originators.insert(address(to, 0), originator);
            }
        }
        originators
    }

    fn at(&self, name: &str) -> usize {
        self.stations.iter().position(|station| station.name == name).unwrap()
    }

    fn plug(&mut self, station: usize) -> u8 {
        self.stations[station].interfaces += 1;
        self.stations[station].interfaces - 1
    }
}

fn name(interface: u8) -> mesh_proto::model::IfName {
    ifname(&format!("eth{interface}"))
}

fn address(station: usize, interface: u8) -> MacAddr {
    MacAddr([2, 0, 0, 0, u8::try_from(station).unwrap() + 0x0a, interface])
}
