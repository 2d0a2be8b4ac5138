//! Transitions of whole mesh interfaces, sample by sample.

use std::collections::BTreeMap;

use mesh_proto::model::{
    Algorithm, ChurnMethod, Direction, Event, GatewayMode, MacAddr, Metric, NeighborKey, Throughput, Tq,
};

use super::*;
use crate::netlink::batadv::{self, Dump};
use crate::netlink::link::Link;
use crate::sample::{Fault, GatewayGlance, MeshSample, ProbeSwitches, ProbedSwitch, TrafficCount};

const OWN: MacAddr = MacAddr([2, 0, 0, 0, 0xa, 1]);
const B: MacAddr = MacAddr([2, 0, 0, 0, 0xb, 1]);
const C: MacAddr = MacAddr([2, 0, 0, 0, 0xc, 1]);
const D: MacAddr = MacAddr([2, 0, 0, 0, 0xd, 1]);
/// Index of the only member.
const ETH: u32 = 3;

/// One mesh interface, sample after sample.
struct Node {
    state: State,
    config: Config,
    sample: Sample,
}

impl Node {
    fn new(algorithm: Algorithm) -> Self {
        let mesh = MeshSample {
            ifindex: 7,
            settings: Ok(batadv::Mesh {
                algo_name: Some(algorithm.name().to_owned()),
                mesh_ifindex: 7,
                hard_address: Some(OWN),
                hop_penalty: Some(30),
                ..batadv::Mesh::default()
            }),
            members: vec![Link {
                ifindex: ETH,
                ifname: "eth1".to_owned(),
                address: Some(OWN),
                mtu: Some(1532),
                master: Some(7),
                up: true,
                ..Link::default()
            }],
            hard_interfaces: dump([batadv::HardInterface {
                hard_ifindex: ETH,
                hard_ifname: "eth1".to_owned(),
                hard_address: OWN,
                active: true,
                hop_penalty: Some(0),
                elp_interval: Some(500),
                throughput_override: Some(0),
            }]),
            originators: dump([]),
            neighbors: dump([]),
            gateways: dump([]),
            translation_local: dump([]),
            translation_global: dump([]),
            bla_claims: dump([]),
            bla_backbones: dump([]),
            dat_cache: dump([]),
            counters: Ok(BTreeMap::new()),
        };
        Self {
            state: State::default(),
            config: Config {
                meshes: BTreeMap::from([(bat0(), "field".parse().unwrap())]),
                boot_id: "boot".to_owned(),
                churn_incarnation: 1,
                traffic_incarnation: 2,
            },
            sample: Sample {
                meshes: BTreeMap::from([(bat0(), Ok(mesh))]),
                ..Sample::default()
            },
        }
    }

    fn mesh(&mut self) -> &mut MeshSample {
        self.sample.meshes.get_mut(&bat0()).unwrap().as_mut().unwrap()
    }

    fn step(&mut self) -> Derived {
        self.sample.boottime_ns += 1_000_000_000;
        derive(&mut self.state, &self.sample, &self.config)
    }

    /// The next sample, which must have a mesh interface.
    fn view(&mut self) -> MeshView {
        self.step().meshes.remove(&bat0()).unwrap()
    }

    fn neighbors(&mut self, addresses: &[MacAddr]) {
        self.mesh().neighbors = dump(addresses.iter().map(|address| neighbor(*address)));
    }

    /// Rows of (originator, next hop, tq, in use).
    fn originators(&mut self, rows: &[(MacAddr, MacAddr, u8, bool)]) {
        self.mesh().originators = dump(
            rows.iter()
                .map(|(orig, neigh, tq, best)| row(*orig, *neigh, *tq, *best)),
        );
    }
}

fn bat0() -> IfName {
    "bat0".parse().unwrap()
}

fn dump<E>(entries: impl IntoIterator<Item = E>) -> crate::sample::Read<Dump<E>> {
    Ok(Dump {
        entries: entries.into_iter().collect(),
        ..Dump::default()
    })
}

fn neighbor(address: MacAddr) -> batadv::Neighbor {
    batadv::Neighbor {
        neigh_address: address,
        hard_ifindex: ETH,
        hard_ifname: Some("eth1".to_owned()),
        last_seen_msecs: 100,
        throughput: None,
    }
}

fn row(orig_address: MacAddr, neigh_address: MacAddr, tq: u8, best: bool) -> batadv::Originator {
    batadv::Originator {
        orig_address,
        neigh_address,
        hard_ifindex: ETH,
        hard_ifname: Some("eth1".to_owned()),
        tq: Some(tq),
        throughput: None,
        last_seen_msecs: 5000,
        best,
    }
}

fn key(address: MacAddr) -> NeighborKey {
    NeighborKey {
        hard_ifname: "eth1".parse().unwrap(),
        neigh_address: address,
    }
}

fn adjacencies(records: &[Record]) -> Vec<(MacAddr, bool)> {
    records
        .iter()
        .filter_map(|record| match &record.event {
            Event::AdjacencyChange { key, up, .. } => Some((key.neigh_address, *up)),
            _ => None,
        })
        .collect()
}

fn switched(records: &[Record]) -> Vec<(MacAddr, MacAddr, MacAddr, ChurnMethod)> {
    records
        .iter()
        .filter_map(|record| match record.event {
            Event::PathSwitch {
                orig_address,
                old_neigh_address,
                new_neigh_address,
                method,
                ..
            } => Some((orig_address, old_neigh_address, new_neigh_address, method)),
            _ => None,
        })
        .collect()
}

/// Gateway B, selected, last heard so many milliseconds ago.
fn gateway_heard(node: &mut Node, millis: u32) {
    node.mesh().settings.as_mut().unwrap().orig_interval = Some(1_000);
    node.originators(&[(B, B, 255, true)]);
    node.mesh().originators.as_mut().unwrap().entries[0].last_seen_msecs = millis;
    node.mesh().gateways = dump([gateway(B)]);
}

fn gateway(orig_address: MacAddr) -> batadv::Gateway {
    batadv::Gateway {
        orig_address,
        router: Some(orig_address),
        hard_ifindex: Some(ETH),
        hard_ifname: None,
        tq: Some(255),
        throughput: None,
        bandwidth_down: 100,
        bandwidth_up: 20,
        best: true,
    }
}

fn silences(records: &[Record]) -> Vec<(bool, bool)> {
    records
        .iter()
        .filter_map(|record| match record.event {
            Event::GatewaySilent { silent, given_up, .. } => Some((silent, given_up)),
            _ => None,
        })
        .collect()
}

#[test]
fn a_silent_gateway_is_seen_by_a_glance_between_two_samples() {
    let mut node = Node::new(Algorithm::BatmanIv);
    node.sample.boottime_ns = 1_000_000_000_000;
    assert_eq!(node.state.glance_after(), None);
    gateway_heard(&mut node, 100);
    let derived = node.step();
    assert!(!derived.meshes[&bat0()].gateways[&B].silent);
    assert_eq!(node.state.with_gateways(), BTreeMap::from([(bat0(), 7)]));
    let glance_at = |node: &mut Node, millis: u32| {
        gateway_heard(node, millis);
        let mesh = node.mesh();
        let seen = GatewayGlance {
            gateways: mesh.gateways.clone(),
            originators: mesh.originators.clone(),
        };
        node.sample.boottime_ns += 10_000_000_000;
        let glanced = Glance {
            boottime_ns: node.sample.boottime_ns,
            meshes: BTreeMap::from([(bat0(), seen)]),
        };
        glance(&mut node.state, &glanced)
    };
    assert_eq!(glance_at(&mut node, 4_000), Derived::default());
    let silent = glance_at(&mut node, 6_000);
    assert_eq!(silences(&silent.records), [(true, false)]);
    assert!(silent.meshes[&bat0()].gateways[&B].silent);
    // The sample that follows says it still, and no second time.
    let derived = node.step();
    assert_eq!(silences(&derived.records), []);
    assert!(derived.meshes[&bat0()].gateways[&B].silent);
    let heard = glance_at(&mut node, 10);
    assert_eq!(silences(&heard.records), [(false, false)]);
    assert!(!heard.meshes[&bat0()].gateways[&B].silent);
}

#[test]
fn a_silent_gateway_is_given_up_with_its_mesh_interface() {
    let mut node = Node::new(Algorithm::BatmanV);
    node.sample.boottime_ns = 1_000_000_000_000;
    gateway_heard(&mut node, 60_000);
    assert_eq!(silences(&node.step().records), [(true, false)]);
    node.sample.meshes.insert(bat0(), Err(Fault::NoInterface));
    assert_eq!(silences(&node.step().records), [(false, true)]);
    assert_eq!(node.state.glance_after(), None);
}

#[test]
fn a_torn_dump_does_not_flap() {
    let mut node = Node::new(Algorithm::BatmanIv);
    let rows = [(B, B, 255, true), (C, C, 200, false), (C, B, 222, true)];
    node.neighbors(&[B, C]);
    node.originators(&rows);
    let whole = node.view();
    node.neighbors(&[B]);
    node.originators(&rows[..1]);
    let torn = node.step();
    assert_eq!(torn.meshes[&bat0()], whole);
    assert_eq!(torn.records, []);
    node.neighbors(&[B, C]);
    node.originators(&rows);
    let again = node.step();
    assert_eq!(again.meshes[&bat0()], whole);
    assert_eq!(again.records, []);
}

#[test]
fn a_neighbor_appears_at_once_and_goes_at_its_second_absence() {
    let mut node = Node::new(Algorithm::BatmanIv);
    node.neighbors(&[B]);
    assert_eq!(node.step().records, [], "it was there before us");
    node.neighbors(&[B, C]);
    assert_eq!(adjacencies(&node.step().records), [(C, true)]);
    node.neighbors(&[C]);
    assert_eq!(node.step().records, []);
    let gone = node.step();
    assert_eq!(adjacencies(&gone.records), [(B, false)]);
    let view = &gone.meshes[&bat0()];
    assert_eq!(view.neighbors.keys().collect::<Vec<_>>(), [&key(C)]);
    let churn = view.churn.unwrap();
    assert_eq!((churn.adjacencies_up, churn.adjacencies_down), (1, 1));
}

#[test]
fn a_path_switch_is_counted_when_it_has_held() {
    let mut node = Node::new(Algorithm::BatmanIv);
    node.originators(&[(D, B, 200, true), (D, C, 190, false)]);
    node.step();
    node.originators(&[(D, B, 180, false), (D, C, 190, true)]);
    let first = node.step();
    let shown = &first.meshes[&bat0()].originators[&D];
    assert_eq!(
        shown.best.as_ref().unwrap().neigh_address,
        C,
        "what is shown is the kernel's word"
    );
    assert_eq!(shown.runner_up.as_ref().unwrap().neigh_address, B);
    assert_eq!(first.records, []);
    let second = node.step();
    assert_eq!(switched(&second.records), [(D, B, C, ChurnMethod::Polling)]);
    assert_eq!(node.view().churn.unwrap().path_switches, 1);
}

#[test]
fn a_switch_there_and_back_between_samples_is_missed_by_polling_and_not_by_the_probe() {
    for probe in [false, true] {
        let mut node = Node::new(Algorithm::BatmanIv);
        node.originators(&[(D, B, 200, true), (D, C, 190, false)]);
        node.sample.path_switches = probe.then(ProbeSwitches::default);
        node.step();
        if probe {
            let event = |old_neigh_address, new_neigh_address| ProbedSwitch {
                boottime_ns: 5,
                mesh_ifindex: 7,
                orig_address: D,
                old_neigh_address,
                new_neigh_address,
            };
            node.sample.path_switches = Some(ProbeSwitches {
                counts: BTreeMap::from([(7, 2), (8, 40)]),
                events: vec![event(B, C), event(C, B)],
            });
        }
        let derived = node.step();
        let churn = derived.meshes[&bat0()].churn.unwrap();
        if probe {
            assert_eq!((churn.method, churn.path_switches), (ChurnMethod::Probe, 2));
            assert_eq!(switched(&derived.records).len(), 2);
        } else {
            assert_eq!((churn.method, churn.path_switches), (ChurnMethod::Polling, 0));
        }
    }
}

#[test]
fn a_switch_the_probe_saw_is_not_counted_by_polling_too() {
    let mut node = Node::new(Algorithm::BatmanIv);
    node.sample.path_switches = Some(ProbeSwitches::default());
    node.originators(&[(D, B, 200, true)]);
    node.step();
    node.originators(&[(D, C, 200, true)]);
    node.sample.path_switches = Some(ProbeSwitches {
        counts: BTreeMap::from([(7, 1)]),
        events: Vec::new(),
    });
    for _ in 0..3 {
        let derived = node.step();
        assert_eq!(derived.records, []);
        assert_eq!(derived.meshes[&bat0()].churn.unwrap().path_switches, 1);
    }
}

#[test]
fn a_mesh_interface_made_anew_is_another_incarnation_and_its_links_come_up_again() {
    let mut node = Node::new(Algorithm::BatmanIv);
    node.neighbors(&[B]);
    node.originators(&[(D, B, 200, true)]);
    node.sample.path_switches = Some(ProbeSwitches {
        counts: BTreeMap::from([(7, 3)]),
        events: Vec::new(),
    });
    let before = node.view();
    node.mesh().ifindex = 9;
    node.originators(&[(D, C, 200, true)]);
    node.sample.path_switches = Some(ProbeSwitches {
        counts: BTreeMap::from([(7, 3), (9, 1)]),
        events: Vec::new(),
    });
    let derived = node.step();
    let after = &derived.meshes[&bat0()];
    assert_ne!(after.counters_incarnation, before.counters_incarnation);
    assert_eq!(adjacencies(&derived.records), [(B, false), (B, true)]);
    let churn = after.churn.unwrap();
    assert_eq!(churn.incarnation, before.churn.unwrap().incarnation);
    assert_eq!(churn.path_switches, 4, "counts of one incarnation never fall");
}

#[test]
fn a_route_found_by_a_new_mesh_interface_is_no_switch() {
    let mut node = Node::new(Algorithm::BatmanIv);
    node.originators(&[(D, B, 200, true)]);
    node.step();
    node.mesh().ifindex = 9;
    node.originators(&[(D, C, 200, true)]);
    for _ in 0..3 {
        assert_eq!(switched(&node.step().records), []);
    }
}

#[test]
fn a_mesh_interface_that_goes_takes_its_links_down() {
    let mut node = Node::new(Algorithm::BatmanIv);
    node.neighbors(&[B]);
    let there = node.sample.meshes.clone();
    node.step();
    node.sample.meshes.insert(bat0(), Err(Fault::NoInterface));
    let gone = node.step();
    assert_eq!(adjacencies(&gone.records), [(B, false)]);
    assert!(gone.meshes.is_empty());
    assert!(!gone.sources["mesh_interface"].attached);
    node.sample.meshes = there;
    let back = node.step();
    assert_eq!(adjacencies(&back.records), [(B, true)]);
    assert!(back.sources["mesh_interface"].attached);
}

#[test]
fn a_mesh_interface_that_could_not_be_asked_for_is_held_then_left_out() {
    let mut node = Node::new(Algorithm::BatmanIv);
    node.neighbors(&[B]);
    let there = node.sample.meshes.clone();
    let view = node.view();
    node.sample.meshes.insert(bat0(), Err(Fault::TimedOut(5)));
    for _ in 0..3 {
        assert_eq!(node.view(), view);
    }
    let left_out = node.step();
    assert!(left_out.meshes.is_empty());
    assert_eq!(left_out.records, [], "not knowing is no event");
    node.sample.meshes = there;
    assert_eq!(node.step().records, []);
}

#[test]
fn without_privilege_settings_and_counters_remain_and_the_rest_says_what_is_lost() {
    let mut node = Node::new(Algorithm::BatmanIv);
    let mesh = node.mesh();
    mesh.originators = Err(Fault::Denied);
    mesh.neighbors = Err(Fault::Denied);
    mesh.translation_local = Err(Fault::Denied);
    mesh.counters = Ok(BTreeMap::from([("tx".to_owned(), 4)]));
    let derived = node.step();
    let view = &derived.meshes[&bat0()];
    assert_eq!(view.settings.orig_address, Some(OWN));
    assert_eq!(view.counters["tx"], 4);
    assert_eq!(view.churn, None, "what cannot be seen is absent, not zero");
    assert_eq!(view.tables.local_clients, None);
    assert_eq!(view.tables.global_clients, Some(0));
    let status = &derived.sources["batadv_originators"];
    assert!(!status.attached);
    assert!(
        status.reason.contains("CAP_NET_ADMIN") && status.reason.contains("routes"),
        "{}",
        status.reason
    );
    assert!(derived.sources["batadv_settings"].attached);
}

#[test]
fn batman_iv_takes_a_links_metric_from_the_originator_of_the_neighbors_own_address() {
    let mut node = Node::new(Algorithm::BatmanIv);
    node.neighbors(&[B, C]);
    // C is heard, but not by its own address yet: only what it passes on.
    node.originators(&[(B, B, 251, true), (B, C, 180, false), (D, C, 120, true)]);
    let view = node.view();
    assert_eq!(view.neighbors[&key(B)].metric, Some(Metric::Tq(Tq(251))));
    assert_eq!(view.neighbors[&key(C)].metric, None);
}

#[test]
fn batman_v_takes_a_links_metric_from_the_neighbor() {
    let mut node = Node::new(Algorithm::BatmanV);
    node.mesh().neighbors = dump([batadv::Neighbor {
        throughput: Some(54_000),
        ..neighbor(B)
    }]);
    assert_eq!(
        node.view().neighbors[&key(B)].metric,
        Some(Metric::Throughput(Throughput(54_000)))
    );
}

#[test]
fn an_agentless_neighbors_secondary_interface_is_attributed_to_its_primary() {
    let secondary = MacAddr([2, 0, 0, 0, 0xb, 2]);
    let mut node = Node::new(Algorithm::BatmanIv);
    node.neighbors(&[secondary]);
    node.originators(&[
        (secondary, secondary, 240, true),
        (B, secondary, 238, true),
        (C, secondary, 210, true),
    ]);
    assert_eq!(node.view().neighbors[&key(secondary)].orig_address, Some(B));
}

/// On 6.1 this table has it in 100 kbit/s, the others in kbit/s.
#[test]
fn a_gateways_throughput_is_its_originators() {
    let mut node = Node::new(Algorithm::BatmanV);
    let throughput = |mut row: batadv::Originator| {
        (row.tq, row.throughput) = (None, Some(8_823_500));
        row
    };
    node.mesh().originators = dump([throughput(row(C, B, 0, true))]);
    node.mesh().gateways = dump([batadv::Gateway {
        orig_address: C,
        router: Some(B),
        hard_ifindex: Some(ETH),
        hard_ifname: Some("eth1".to_owned()),
        tq: None,
        throughput: Some(88_235),
        bandwidth_down: 200,
        bandwidth_up: 50,
        best: true,
    }]);
    let gateway = node.view().gateways[&C].clone();
    assert_eq!(
        gateway.router.unwrap().metric,
        Some(Metric::Throughput(Throughput(8_823_500)))
    );
    assert_eq!(
        (gateway.bandwidth_down_kbit, gateway.bandwidth_up_kbit),
        (20_000, 5_000)
    );
    assert!(gateway.best);
}

#[test]
fn gateway_bandwidths_mean_something_to_servers_only() {
    let mut node = Node::new(Algorithm::BatmanIv);
    for (mode, expected, down) in [
        (0, Some(GatewayMode::Off), None),
        (1, Some(GatewayMode::Client), None),
        (2, Some(GatewayMode::Server), Some(10_000)),
        (9, None, None),
    ] {
        let settings = node.mesh().settings.as_mut().unwrap();
        settings.gw_mode = Some(mode);
        settings.gw_bandwidth_down = Some(100);
        let view = node.view();
        assert_eq!(view.settings.gw_mode, expected);
        assert_eq!(view.settings.gw_bandwidth_down_kbit, down);
    }
}

#[test]
fn clients_are_counted_once_and_listeners_not_at_all() {
    let client = MacAddr([2, 0, 0, 0, 0xee, 1]);
    let group = MacAddr([0x33, 0x33, 0, 0, 0, 1]);
    let local = |address, vid, flags| batadv::LocalEntry {
        address,
        vid,
        crc32: None,
        flags: batadv::TtFlags(flags),
        last_seen_msecs: None,
    };
    let global = |address, vid, orig_address| batadv::GlobalEntry {
        address,
        orig_address,
        vid,
        ttvn: None,
        last_ttvn: None,
        crc32: None,
        flags: batadv::TtFlags(0),
        best: true,
    };
    let mut node = Node::new(Algorithm::BatmanIv);
    node.mesh().translation_local = dump([
        local(OWN, 0, batadv::TtFlags::NOPURGE),
        local(group, 0, batadv::TtFlags::NOPURGE),
        local(client, 0, 0),
        local(client, 0x8001, batadv::TtFlags::WIFI),
    ]);
    node.mesh().translation_global = dump([global(client, 0, B), global(client, 0, C), global(group, 0, B)]);
    let tables = node.view().tables;
    assert_eq!((tables.local_clients, tables.global_clients), (Some(1), Some(1)));
}

/// 6.1 has no `mcast_*`, 6.18 no `nc_*`: whatever there is goes by its name.
#[test]
fn counters_go_by_the_names_the_kernel_gives() {
    let mut node = Node::new(Algorithm::BatmanIv);
    for names in [["tx", "nc_code"], ["tx", "mcast_tx"]] {
        node.mesh().counters = Ok(names.map(|name| (name.to_owned(), 1)).into());
        assert_eq!(node.view().counters.keys().collect::<Vec<_>>(), {
            let mut sorted = names;
            sorted.sort_unstable();
            sorted
        });
    }
    node.mesh().counters = Err(Fault::Unsupported);
    assert!(node.view().counters.is_empty());
}

#[test]
fn traffic_of_other_meshes_members_is_not_this_ones() {
    let mut node = Node::new(Algorithm::BatmanIv);
    let count = |hard_ifindex, packets| TrafficCount {
        hard_ifindex,
        direction: Direction::In,
        packet_type: "unicast".to_owned(),
        packets,
        bytes: packets * 100,
    };
    node.sample.traffic = Some(vec![count(ETH, 3), count(ETH + 1, 50)]);
    let view = node.view();
    assert_eq!(view.traffic_incarnation, 2);
    assert_eq!(
        view.traffic.values().map(|count| count.packets).collect::<Vec<_>>(),
        [3]
    );
}

#[test]
fn an_override_of_zero_is_none() {
    let mut node = Node::new(Algorithm::BatmanV);
    assert_eq!(
        node.view()
            .hard_interfaces
            .values()
            .next()
            .unwrap()
            .throughput_override_kbit,
        None
    );
    node.mesh().hard_interfaces.as_mut().unwrap().entries[0].throughput_override = Some(540);
    let interface = node.view().hard_interfaces.values().next().unwrap().clone();
    assert_eq!(interface.throughput_override_kbit, Some(54_000));
    assert_eq!(interface.mtu, Some(1532));
}
