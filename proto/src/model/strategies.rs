//! Arbitrary views over small domains, so that two of them share keys.

use proptest::collection::btree_map;
use proptest::option;
use proptest::prelude::*;

use super::*;

fn mac() -> impl Strategy<Value = MacAddr> {
    (0..6u8).prop_map(|last| MacAddr([2, 0, 0, 0, 0, last]))
}

fn ifname() -> impl Strategy<Value = IfName> {
    "[ab][0-2]".prop_map(|name| IfName::try_from(name).unwrap())
}

fn metric() -> impl Strategy<Value = Metric> {
    prop_oneof![
        any::<u8>().prop_map(|tq| Metric::Tq(Tq(tq))),
        any::<u32>().prop_map(|t| Metric::Throughput(Throughput(t)))
    ]
}

fn last_seen() -> impl Strategy<Value = LastSeen> {
    (0..300_000u32).prop_map(LastSeen::from_millis)
}

fn next_hop() -> impl Strategy<Value = NextHop> {
    (mac(), ifname(), option::of(metric())).prop_map(|(neigh_address, hard_ifname, metric)| NextHop {
        neigh_address,
        hard_ifname,
        metric,
    })
}

fn settings() -> impl Strategy<Value = MeshSettings> {
    let gw_mode = prop_oneof![
        Just(None),
        Just(Some(GatewayMode::Off)),
        Just(Some(GatewayMode::Client)),
        Just(Some(GatewayMode::Server))
    ];
    let algorithm = prop_oneof![
        Just(None),
        Just(Some(Algorithm::BatmanIv)),
        Just(Some(Algorithm::BatmanV))
    ];
    (
        "[a-z]{1,4}",
        algorithm,
        option::of(mac()),
        option::of(mac()),
        any::<Option<u8>>(),
        any::<Option<u32>>(),
        gw_mode,
        any::<Option<u32>>(),
        any::<Option<u32>>(),
    )
        .prop_map(
            |(mesh, algorithm, mesh_address, orig_address, hop_penalty, orig_interval_ms, gw_mode, down, up)| {
                MeshSettings {
                    mesh: MeshId::try_from(mesh).unwrap(),
                    algorithm,
                    mesh_address,
                    orig_address,
                    hop_penalty,
                    orig_interval_ms,
                    gw_mode,
                    gw_bandwidth_down_kbit: down,
                    gw_bandwidth_up_kbit: up,
                }
            },
        )
}

fn hard_interface() -> impl Strategy<Value = HardInterface> {
    (
        mac(),
        any::<bool>(),
        any::<Option<u8>>(),
        any::<Option<u32>>(),
        any::<Option<u32>>(),
    )
        .prop_map(
            |(hard_address, active, hop_penalty, throughput_override_kbit, mtu)| HardInterface {
                hard_address,
                active,
                hop_penalty,
                throughput_override_kbit,
                mtu,
            },
        )
}

fn neighbor() -> impl Strategy<Value = Neighbor> {
    (option::of(metric()), last_seen(), option::of(mac())).prop_map(|(metric, last_seen, orig_address)| Neighbor {
        metric,
        last_seen,
        orig_address,
    })
}

fn neighbor_key() -> impl Strategy<Value = NeighborKey> {
    (ifname(), mac()).prop_map(|(hard_ifname, neigh_address)| NeighborKey {
        hard_ifname,
        neigh_address,
    })
}

fn originator() -> impl Strategy<Value = Originator> {
    (option::of(next_hop()), option::of(next_hop()), last_seen()).prop_map(|(best, runner_up, last_seen)| Originator {
        best,
        runner_up,
        last_seen,
    })
}

fn gateway() -> impl Strategy<Value = Gateway> {
    let numbers = any::<(bool, u32, u32, bool)>();
    (numbers, option::of(next_hop())).prop_map(|((best, down, up, silent), router)| Gateway {
        best,
        router,
        bandwidth_down_kbit: down,
        bandwidth_up_kbit: up,
        silent,
    })
}

fn traffic_key() -> impl Strategy<Value = TrafficKey> {
    let direction = prop_oneof![Just(Direction::In), Just(Direction::Out)];
    (ifname(), direction, "(bcast|unicast|other)").prop_map(|(hard_ifname, direction, packet_type)| TrafficKey {
        hard_ifname,
        direction,
        packet_type,
    })
}

fn churn() -> impl Strategy<Value = Churn> {
    let method = prop_oneof![Just(ChurnMethod::Probe), Just(ChurnMethod::Polling)];
    (any::<u64>(), method, any::<u64>(), any::<u64>(), any::<u64>()).prop_map(
        |(incarnation, method, path_switches, adjacencies_up, adjacencies_down)| Churn {
            incarnation,
            method,
            path_switches,
            adjacencies_up,
            adjacencies_down,
        },
    )
}

fn tables() -> impl Strategy<Value = TableSizes> {
    any::<(Option<u32>, Option<u32>, Option<u32>, Option<u32>, Option<u32>)>().prop_map(|(a, b, c, d, e)| TableSizes {
        local_clients: a,
        global_clients: b,
        bla_claims: c,
        bla_backbones: d,
        dat_entries: e,
    })
}

fn mesh_view() -> impl Strategy<Value = MeshView> {
    let tables_of = (
        btree_map(ifname(), hard_interface(), 0..3),
        btree_map(neighbor_key(), neighbor(), 0..4),
        btree_map(mac(), originator(), 0..4),
        btree_map(mac(), gateway(), 0..3),
        btree_map("[a-c]", any::<u64>(), 0..3),
        btree_map(traffic_key(), (any::<u64>(), any::<u64>()), 0..4),
    );
    (
        settings(),
        tables_of,
        tables(),
        any::<u64>(),
        any::<u64>(),
        option::of(churn()),
    )
        .prop_map(
            |(settings, of, tables, counters_incarnation, traffic_incarnation, churn)| MeshView {
                settings,
                hard_interfaces: of.0,
                neighbors: of.1,
                originators: of.2,
                gateways: of.3,
                tables,
                counters_incarnation,
                counters: of.4,
                traffic_incarnation,
                traffic: of
                    .5
                    .into_iter()
                    .map(|(key, (packets, bytes))| (key, Traffic { packets, bytes }))
                    .collect(),
                churn,
            },
        )
}

pub(crate) fn snapshot() -> impl Strategy<Value = Snapshot> {
    let probe = (any::<bool>(), "[a-z]{0,3}", "[a-z ]{0,9}").prop_map(|(attached, mechanism, reason)| ProbeStatus {
        attached,
        mechanism,
        reason,
    });
    let svid = option::of(any::<(u64, u64)>()).prop_map(|svid| {
        svid.map(|(expiry_seconds, renewals)| SvidStatus {
            expiry_seconds,
            renewals,
        })
    });
    (
        btree_map(ifname(), mesh_view(), 0..3),
        btree_map("[a-c]", probe, 0..3),
        svid,
        btree_map(ifname(), managed(), 0..3),
    )
        .prop_map(|(meshes, probes, svid, managed)| Snapshot {
            meshes,
            probes,
            svid,
            managed,
        })
}

fn managed() -> impl Strategy<Value = Managed> {
    let policy = prop_oneof![
        Just(ManagePolicy::Report),
        Just(ManagePolicy::Enforce),
        Just(ManagePolicy::LeftToOwner)
    ];
    ("[a-z]{1,4}", policy, 0..5u32).prop_map(|(mesh, policy, drift)| Managed {
        mesh: MeshId::try_from(mesh).unwrap(),
        policy,
        drift,
    })
}

pub(crate) fn record() -> impl Strategy<Value = Record> {
    let method = prop_oneof![Just(ChurnMethod::Probe), Just(ChurnMethod::Polling)];
    let action = prop_oneof![
        Just(DriftAction::Reported),
        Just(DriftAction::PutRight),
        Just(DriftAction::HeldBack),
        Just(DriftAction::Refused)
    ];
    let text = "[a-zü ]{0,400}";
    let event = prop_oneof![
        (ifname(), mac(), mac(), mac(), method).prop_map(|(mesh_ifname, orig_address, old, new, method)| {
            Event::PathSwitch {
                mesh_ifname,
                orig_address,
                old_neigh_address: old,
                new_neigh_address: new,
                method,
            }
        }),
        (ifname(), neighbor_key(), any::<bool>()).prop_map(|(mesh_ifname, key, up)| Event::AdjacencyChange {
            mesh_ifname,
            key,
            up
        }),
        (ifname(), text, text, text, action).prop_map(|(mesh_ifname, setting, wanted, in_force, action)| {
            Event::config_drift(mesh_ifname, &setting, &wanted, &in_force, action)
        }),
        (ifname(), mac(), any::<(bool, bool)>(), any::<u64>()).prop_map(
            |(mesh_ifname, orig_address, (silent, given_up), last_seen_msecs)| Event::GatewaySilent {
                mesh_ifname,
                orig_address,
                silent,
                given_up,
                last_seen_msecs,
            }
        ),
    ];
    (any::<u64>(), event).prop_map(|(boottime_ns, event)| Record { boottime_ns, event })
}
