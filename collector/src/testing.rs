//! Values for tests: meshes small enough to be read.

use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use mesh_proto::model::{
    Algorithm, Churn, ChurnMethod, Clock, Direction, Epoch, HardInterface, Hello, IfName, LastSeen, MacAddr, MeshId,
    MeshSettings, MeshView, Metric, Neighbor, NeighborKey, NextHop, NodeId, Originator, ProbeStatus, Snapshot,
    SvidStatus, TableSizes, Tq, Traffic, TrafficKey,
};

use crate::topology::{Moment, SessionFacts};

pub(crate) fn node(name: &str) -> NodeId {
    NodeId::try_from(name).unwrap()
}

pub(crate) fn ifname(name: &str) -> IfName {
    IfName::try_from(name).unwrap()
}

pub(crate) fn mesh(name: &str) -> MeshId {
    MeshId::try_from(name).unwrap()
}

pub(crate) fn mac(last: u8) -> MacAddr {
    MacAddr([2, 0, 0, 0, 0, last])
}

/// Seconds after an arbitrary beginning, which is 1,000,000,000 s after 1970.
#[expect(
    clippy::disallowed_methods,
    reason = "an Instant can be had from nowhere else; tests only add to it"
)]
pub(crate) fn start() -> Moment {
    Moment {
        instant: Instant::now(),
        wall: SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000_000),
    }
}

pub(crate) fn after(start: Moment, seconds: f64) -> Moment {
    let by = Duration::from_secs_f64(seconds);
    Moment {
        instant: start.instant + by,
        wall: start.wall + by,
    }
}

pub(crate) fn hello(incarnation: u64, connection: u64) -> Hello {
    Hello {
        protocol_min: 1,
        protocol_max: 1,
        features: Vec::new(),
        epoch: Epoch {
            incarnation,
            connection,
        },
        name: "tower".to_owned(),
        site: "old town".to_owned(),
        agent_version: "0.1.0".to_owned(),
        kernel: "6.1.0".to_owned(),
        batman_adv: "2022.3".to_owned(),
        boot_id: "b".to_owned(),
        report_interval: Duration::from_secs(5),
        clock: Clock {
            boottime_ns: 1,
            realtime_ns: None,
        },
    }
}

pub(crate) fn session(name: &str, incarnation: u64, connection: u64) -> Arc<SessionFacts> {
    Arc::new(SessionFacts {
        node: node(name),
        spiffe_id: format!("spiffe://mesh.example/node/{name}"),
        hello: hello(incarnation, connection),
    })
}

/// A mesh interface `bat0` of the mesh `roofs` with one member, `eth0`, whose address is the node's.
pub(crate) fn view(own: MacAddr) -> MeshView {
    MeshView {
        settings: MeshSettings {
            mesh: mesh("roofs"),
            algorithm: Some(Algorithm::BatmanIv),
            mesh_address: None,
            orig_address: Some(own),
            hop_penalty: Some(30),
            orig_interval_ms: Some(1000),
            gw_mode: None,
            gw_bandwidth_down_kbit: None,
            gw_bandwidth_up_kbit: None,
        },
        hard_interfaces: [(ifname("eth0"), hard_interface(own))].into(),
        neighbors: [].into(),
        originators: [].into(),
        gateways: [].into(),
        tables: TableSizes::default(),
        counters_incarnation: 1,
        counters: [].into(),
        traffic_incarnation: 1,
        traffic: [].into(),
        churn: None,
    }
}

pub(crate) fn hard_interface(hard_address: MacAddr) -> HardInterface {
    HardInterface {
        hard_address,
        active: true,
        hop_penalty: None,
        throughput_override_kbit: None,
        mtu: None,
    }
}

pub(crate) fn with_neighbor(mut view: MeshView, neigh_address: MacAddr, tq: u8) -> MeshView {
    let key = NeighborKey {
        hard_ifname: ifname("eth0"),
        neigh_address,
    };
    let neighbor = Neighbor {
        metric: Some(Metric::Tq(Tq(tq))),
        last_seen: LastSeen::default(),
        orig_address: None,
    };
    view.neighbors.insert(key, neighbor);
    view
}

pub(crate) fn with_originator(mut view: MeshView, orig_address: MacAddr, neigh_address: MacAddr) -> MeshView {
    let best = NextHop {
        neigh_address,
        hard_ifname: ifname("eth0"),
        metric: Some(Metric::Tq(Tq(200))),
    };
    let originator = Originator {
        best: Some(best),
        runner_up: None,
        last_seen: LastSeen::default(),
    };
    view.originators.insert(orig_address, originator);
    view
}

pub(crate) fn with_churn(mut view: MeshView, incarnation: u64, path_switches: u64) -> MeshView {
    view.churn = Some(Churn {
        incarnation,
        method: ChurnMethod::Probe,
        path_switches,
        adjacencies_up: 2,
        adjacencies_down: 1,
    });
    view
}

pub(crate) fn with_counters(mut view: MeshView) -> MeshView {
    view.counters = [("tx".to_owned(), 7), ("tx_bytes".to_owned(), 900)].into();
    let key = TrafficKey {
        hard_ifname: ifname("eth0"),
        direction: Direction::Out,
        packet_type: "iv_ogm".to_owned(),
    };
    view.traffic = [(key, Traffic { packets: 3, bytes: 210 })].into();
    view
}

pub(crate) fn snapshot(view: MeshView) -> Snapshot {
    Snapshot {
        meshes: [(ifname("bat0"), view)].into(),
        ..Snapshot::default()
    }
}

pub(crate) fn with_probes(mut snapshot: Snapshot) -> Snapshot {
    let status = |attached| ProbeStatus {
        attached,
        mechanism: "tcx".to_owned(),
        reason: String::new(),
    };
    snapshot.probes = [
        ("route".to_owned(), status(false)),
        ("traffic".to_owned(), status(true)),
    ]
    .into();
    snapshot.svid = Some(SvidStatus {
        expiry_seconds: 1_000_003_600,
        renewals: 2,
    });
    snapshot
}
