use proptest::prelude::*;
use prost::Message as _;

use super::*;
use crate::model::strategies::{record, snapshot};
use crate::model::{Delta, DriftAction, Event, Hello, ManagePolicy, ProbeStatus, Record, Snapshot};
use crate::pb;

proptest! {
    #[test]
    fn a_view_survives_the_wire(view in snapshot()) {
        let bytes = pb::NodeView::from(&view).encode_to_vec();
        let message = pb::NodeView::decode(bytes.as_slice()).unwrap();
        prop_assert_eq!(Snapshot::try_from(message), Ok(view));
    }

    #[test]
    fn a_delta_survives_the_wire(prev in snapshot(), next in snapshot()) {
        if let Some(delta) = Delta::diff(&prev, &next) {
            let bytes = pb::NodeDelta::from(&delta).encode_to_vec();
            let message = pb::NodeDelta::decode(bytes.as_slice()).unwrap();
            prop_assert_eq!(Delta::try_from(message), Ok(delta));
        }
    }

    #[test]
    fn records_survive_the_wire(records in proptest::collection::vec(record(), 0..5)) {
        let message = pb::Records {
            first_sequence: 3,
            records: records.iter().map(pb::Record::from).collect(),
        };
        let message = pb::Records::decode(message.encode_to_vec().as_slice()).unwrap();
        prop_assert_eq!(message.into_model(), Ok((3..).zip(records).collect()));
    }

    #[test]
    fn no_bytes_make_the_edge_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        if let Ok(message) = pb::StreamRequest::decode(bytes.as_slice()) {
            match message.kind {
                Some(pb::stream_request::Kind::Hello(hello)) => drop(Hello::try_from(hello)),
                Some(pb::stream_request::Kind::FullSync(sync)) => drop(sync.view.map(Snapshot::try_from)),
                Some(pb::stream_request::Kind::Delta(delta)) => drop(delta.delta.map(Delta::try_from)),
                Some(pb::stream_request::Kind::Records(records)) => drop(records.into_model()),
                None => {}
            }
        }
    }

    #[test]
    fn a_damaged_view_is_refused_or_read_never_a_panic(view in snapshot(), at: usize, to: u8) {
        let mut bytes = pb::NodeView::from(&view).encode_to_vec();
        if !bytes.is_empty() {
            let at = at % bytes.len();
            bytes[at] = to;
        }
        if let Ok(message) = pb::NodeView::decode(bytes.as_slice()) {
            drop(Snapshot::try_from(message));
        }
    }
}

#[test]
fn an_address_of_five_bytes_is_refused_by_name() {
    let view = pb::NodeView {
        meshes: vec![pb::MeshView {
            mesh_ifname: "bat0".into(),
            settings: Some(pb::MeshSettings {
                mesh: "m".into(),
                mesh_address: vec![1; 5],
                ..Default::default()
            }),
            ..Default::default()
        }],
        ..Default::default()
    };
    let error = Snapshot::try_from(view).unwrap_err();
    assert_eq!(
        error.to_string(),
        "field settings.mesh_address: an address has 6 bytes, not 5"
    );
}

#[test]
fn a_table_larger_than_any_kernels_is_refused() {
    let entry = pb::Counter {
        name: "x".into(),
        value: 1,
    };
    let view = pb::NodeView {
        meshes: vec![pb::MeshView {
            mesh_ifname: "bat0".into(),
            settings: Some(pb::MeshSettings {
                mesh: "m".into(),
                ..Default::default()
            }),
            counters: vec![entry; limits::COUNTERS + 1],
            ..Default::default()
        }],
        ..Default::default()
    };
    assert_eq!(Snapshot::try_from(view).unwrap_err().field, "mesh.counters");
}

#[test]
fn a_record_of_unknown_kind_keeps_its_number() {
    let unknown = pb::Record {
        boottime_ns: 1,
        kind: None,
    };
    let known = pb::Record {
        boottime_ns: 2,
        kind: Some(pb::record::Kind::AdjacencyChange(pb::AdjacencyChange {
            mesh_ifname: "bat0".into(),
            key: Some(pb::NeighborKey {
                hard_ifname: "eth0".into(),
                neigh_address: vec![2; 6],
            }),
            up: true,
        })),
    };
    let records = pb::Records {
        first_sequence: 7,
        records: vec![unknown, known],
    }
    .into_model()
    .unwrap();
    assert_eq!(records.iter().map(|(sequence, _)| *sequence).collect::<Vec<_>>(), [8]);
}

#[test]
fn a_probe_with_a_long_reason_does_not_cost_the_report() {
    let probe = ProbeStatus {
        attached: false,
        mechanism: String::new(),
        reason: "ü".repeat(5_000),
    };
    let view = Snapshot {
        probes: [("routes".to_owned(), probe)].into(),
        ..Snapshot::default()
    };
    let received = Snapshot::try_from(pb::NodeView::from(&view)).unwrap();
    assert!(received.probes["routes"].reason.starts_with("üü"));
}

proptest! {
    #[test]
    fn what_a_message_can_carry_is_within_limits(view in snapshot()) {
        prop_assert_eq!(within_limits(&view), Ok(()));
    }
}

#[test]
fn a_kind_of_event_from_a_later_release_costs_only_itself() {
    let known = Record {
        boottime_ns: 9,
        event: Event::GatewaySilent {
            mesh_ifname: "bat0".try_into().unwrap(),
            orig_address: MacAddr([2; 6]),
            silent: true,
            given_up: false,
            last_seen_msecs: 6_000,
        },
    };
    // Field 99 of a Record, length-delimited, after its time: what a later release might send.
    let later = [0x08, 0x07, 0x9a, 0x06, 0x03, b'n', b'e', b'w'];
    let mut bytes = vec![0x08, 0x01, 0x12, later.len() as u8];
    bytes.extend(later);
    let known_bytes = pb::Record::from(&known).encode_to_vec();
    bytes.extend([0x12, known_bytes.len() as u8]);
    bytes.extend(known_bytes);
    let records = pb::Records::decode(bytes.as_slice()).unwrap();
    assert_eq!(records.records.len(), 2);
    assert_eq!(records.into_model(), Ok(vec![(2, known)]));
}

#[test]
fn a_policy_from_a_later_release_promises_nothing() {
    let view = pb::NodeView {
        managed: vec![pb::ManagedMesh {
            mesh_ifname: "bat0".into(),
            mesh: "roofs".into(),
            policy: 77,
            drift: 2,
        }],
        ..Default::default()
    };
    let view = Snapshot::try_from(view).unwrap();
    let managed = view.managed.values().next().unwrap();
    assert_eq!((managed.policy, managed.drift), (ManagePolicy::Report, 2));
}

#[test]
fn more_managed_mesh_interfaces_than_a_node_has_are_refused() {
    let entries = (0..=limits::MANAGED).map(|n| pb::ManagedMesh {
        mesh_ifname: format!("bat{n}"),
        mesh: "roofs".into(),
        ..Default::default()
    });
    let view = pb::NodeView {
        managed: entries.collect(),
        ..Default::default()
    };
    assert_eq!(Snapshot::try_from(view).unwrap_err().field, "view.managed");
}

#[test]
fn a_long_value_of_a_setting_is_cut_where_it_is_made() {
    let event = Event::config_drift(
        "bat0".try_into().unwrap(),
        "bat0 mtu",
        &"ü".repeat(limits::VALUE),
        "",
        DriftAction::Refused,
    );
    let record = Record { boottime_ns: 1, event };
    let Event::ConfigDrift { wanted, .. } = &record.event else {
        unreachable!()
    };
    assert_eq!(wanted.len(), limits::VALUE);
    let records = pb::Records {
        first_sequence: 1,
        records: vec![pb::Record::from(&record)],
    };
    assert_eq!(records.into_model(), Ok(vec![(1, record)]));
}
