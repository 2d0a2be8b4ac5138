use std::collections::BTreeMap;

use expect_test::expect;
use mesh_proto::model::{
    LastSeen, MacAddr, ManagePolicy, MeshSettings, MeshView, Neighbor, NeighborKey, ProbeStatus, TableSizes, Tq,
};

use super::*;

fn status() -> Status {
    let key = NeighborKey {
        hard_ifname: "eth0".try_into().unwrap(),
        neigh_address: MacAddr([2, 0, 0, 0, 0, 1]),
    };
    let neighbor = Neighbor {
        metric: Some(Metric::Tq(Tq(255))),
        last_seen: LastSeen::default(),
        orig_address: None,
    };
    let mesh = MeshView {
        settings: MeshSettings {
            mesh: "roofs".try_into().unwrap(),
            algorithm: Some(mesh_proto::model::Algorithm::BatmanIv),
            mesh_address: None,
            orig_address: None,
            hop_penalty: None,
            orig_interval_ms: None,
            gw_mode: None,
            gw_bandwidth_down_kbit: None,
            gw_bandwidth_up_kbit: None,
        },
        hard_interfaces: BTreeMap::new(),
        neighbors: [(key, neighbor)].into(),
        originators: BTreeMap::new(),
        gateways: BTreeMap::new(),
        tables: TableSizes::default(),
        counters_incarnation: 1,
        counters: BTreeMap::new(),
        traffic_incarnation: 1,
        traffic: BTreeMap::new(),
        churn: None,
    };
    let probe = ProbeStatus {
        attached: false,
        mechanism: String::new(),
        reason: "no kprobes in this kernel".into(),
    };
    Status {
        version: "0.1.0".into(),
        name: "tower".into(),
        spiffe_id: None,
        uplink: "waiting for an identity".into(),
        managing: managing(),
        snapshot: Snapshot {
            meshes: [("bat0".try_into().unwrap(), mesh)].into(),
            probes: [("routes".to_owned(), probe)].into(),
            ..Snapshot::default()
        },
    }
}

fn managing() -> Managing {
    let line = |setting: &str, wanted: &str, in_force: &str, why: &str| Line {
        setting: setting.into(),
        wanted: wanted.into(),
        in_force: in_force.into(),
        why: why.into(),
    };
    let enforced = Managed {
        policy: ManagePolicy::Enforce,
        owner: None,
        drift: vec![
            line(
                "bat0.hop_penalty",
                "15",
                "30",
                "held back for 23 s: somebody else sets it again and again",
            ),
            line("no VLAN 10 on bat0: it is set when it appears", "", "", "reported"),
        ],
        notes: vec!["eth1.mtu is below 1532".into()],
    };
    let owned = Managed {
        policy: ManagePolicy::LeftToOwner,
        owner: Some("systemd-networkd (/etc/systemd/network/bat1.netdev)".into()),
        drift: vec![],
        notes: vec![],
    };
    Managing {
        idle: None,
        pending: Some(Waiting {
            seconds_left: 73,
            meshes: vec!["bat0".try_into().unwrap()],
        }),
        meshes: [
            ("bat0".try_into().unwrap(), enforced),
            ("bat1".try_into().unwrap(), owned),
        ]
        .into(),
    }
}

#[test]
fn what_works_and_what_does_not_is_said_in_a_few_lines() {
    expect![[r#"
        node-agent 0.1.0 on tower (no identity yet)
        uplink: waiting for an identity
        confirmation pending: the change of bat0 is undone in 73 s unless `node-agent confirm` is run
        managed bat0: policy enforce, 2 differences
          bat0.hop_penalty: 30 instead of 15; held back for 23 s: somebody else sets it again and again
          no VLAN 10 on bat0: it is set when it appears
          eth1.mtu is below 1532
        managed bat1: only reported, since it is owned by systemd-networkd (/etc/systemd/network/bat1.netdev); as configured
        probe routes: not attached: no kprobes in this kernel
        mesh interface bat0 of mesh roofs: BATMAN_IV, 0 originators, 0 gateways
          neighbor 02:00:00:00:00:01 on eth0: TQ 255
    "#]]
    .assert_eq(&status().text());
}

#[test]
fn a_status_survives_its_json() {
    let json = serde_json::to_string(&status()).unwrap();
    assert_eq!(serde_json::from_str::<Status>(&json).unwrap(), status());
}
