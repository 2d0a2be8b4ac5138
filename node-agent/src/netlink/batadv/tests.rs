//! `tests/batman_iv.json` and `tests/batman_v.json` are recordings of a real kernel; how they were made stands in them.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;

use netlink_packet_core::{DefaultNla, Emitable, ParseableParametrized};
use netlink_packet_generic::GenlHeader;
use proptest::prelude::*;
use serde_json::Value as Json;

use super::attr::known;
use super::value::VlanId;
use super::*;
use crate::netlink::batadv;

mod batctl;
mod ids;

use batctl::{Batctl, normal};

/// A recording: what the kernel answered to each question, and what batctl made of that same answer.
#[derive(serde::Deserialize)]
struct Recording {
    tables: BTreeMap<String, Table>,
}

#[derive(serde::Deserialize)]
struct Table {
    command: u8,
    messages: Vec<Vec<String>>,
    batctl: Json,
}

fn recordings() -> [Recording; 2] {
    [
        include_str!("tests/batman_iv.json"),
        include_str!("tests/batman_v.json"),
    ]
    .map(|text| serde_json::from_str(text).unwrap())
}

fn unhex(attributes: &[String]) -> Vec<u8> {
    let digits: String = attributes.concat().split(' ').collect();
    (0..digits.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(&digits[at..at + 2], 16).unwrap())
        .collect()
}

fn parse(command: u8, bytes: &[u8]) -> Result<BatadvMessage, netlink_packet_core::DecodeError> {
    BatadvMessage::parse_with_param(
        bytes,
        GenlHeader {
            cmd: command,
            version: 1,
        },
    )
}

fn emit(message: &BatadvMessage) -> Vec<u8> {
    let mut bytes = vec![0; message.buffer_len()];
    message.emit(&mut bytes);
    bytes
}

#[track_caller]
fn check<E: BatadvEntry + Batctl>(recording: &Recording, name: &str) {
    let table = &recording.tables[name];
    assert_eq!(BatadvCommand::from(table.command), E::COMMAND);
    let ours: Vec<Json> = table
        .messages
        .iter()
        .map(|message| parse(table.command, &unhex(message)).unwrap().attributes)
        .map(|attributes| E::from_attributes(attributes).unwrap().batctl())
        .collect();
    let theirs: Vec<Json> = match &table.batctl {
        Json::Array(entries) => entries.iter().map(normal).collect(),
        one => vec![normal(one)],
    };
    assert_eq!(ours, theirs, "{name}");
}

#[test]
fn recorded_tables_read_as_batctl_reads_them() {
    for recording in recordings() {
        check::<HardInterface>(&recording, "hard_interfaces");
        check::<LocalEntry>(&recording, "translation_local");
        check::<GlobalEntry>(&recording, "translation_global");
        check::<Originator>(&recording, "originators");
        check::<Neighbor>(&recording, "neighbors");
        check::<Gateway>(&recording, "gateways");
        check::<BlaClaim>(&recording, "bla_claims");
        check::<BlaBackbone>(&recording, "bla_backbones");
        check::<DatEntry>(&recording, "dat_cache");
        check::<McastFlags>(&recording, "mcast_flags");
    }
}

#[test]
fn recorded_settings_read_as_batctl_reads_them() {
    for recording in recordings() {
        let table = &recording.tables["mesh"];
        let message = parse(table.command, &unhex(&table.messages[0])).unwrap();
        let mesh = Mesh::from_attributes(message.attributes).unwrap();
        let left: Vec<_> = mesh.others.iter().map(netlink_packet_core::Nla::kind).collect();
        // BLA_CRC, MCAST_FLAGS and MCAST_FLAGS_PRIV: not settings.
        assert!(
            left.iter().all(|kind| [34, 38, 39].contains(kind)),
            "a setting is not read: {left:?}"
        );
        let ours = mesh.batctl();
        for (key, value) in ours.as_object().unwrap() {
            assert_eq!(value, &table.batctl[key], "{key}");
        }
    }
}

#[test]
fn recorded_messages_are_written_as_the_kernel_wrote_them() {
    for table in recordings().iter().flat_map(|recording| recording.tables.values()) {
        for message in &table.messages {
            let bytes = unhex(message);
            let parsed = parse(table.command, &bytes).unwrap();
            assert!(
                !parsed
                    .attributes
                    .iter()
                    .any(|attribute| matches!(attribute, BatadvAttr::Other(_))),
                "{parsed:?}"
            );
            assert_eq!(emit(&parsed), bytes);
        }
    }
}

/// Gluon's kernels have 61 and 62.
#[test]
fn unknown_attributes_are_kept_and_fail_nothing() {
    let message = BatadvMessage {
        command: BatadvCommand::GetMesh,
        attributes: vec![
            BatadvAttr::Other(DefaultNla::new(61, vec![1, 2, 3, 4])),
            BatadvAttr::MeshIfindex(7),
        ],
    };
    let parsed = parse(1, &emit(&message)).unwrap();
    assert_eq!(parsed, message);
    let mesh = Mesh::from_attributes(parsed.attributes).unwrap();
    assert_eq!(mesh.mesh_ifindex, 7);
    assert_eq!(mesh.others.len(), 1);
}

#[test]
fn a_value_of_the_wrong_length_is_kept_as_it_came() {
    let attribute = BatadvAttr::Other(DefaultNla::new(25, vec![1, 2, 3]));
    let message = BatadvMessage {
        command: BatadvCommand::GetOriginators,
        attributes: vec![attribute.clone()],
    };
    assert_eq!(parse(8, &emit(&message)).unwrap().attributes, [attribute]);
}

#[test]
fn an_entry_without_its_key_is_no_entry() {
    assert_eq!(Neighbor::from_attributes(vec![BatadvAttr::LastSeenMsecs(1)]), None);
}

/// The kernel answers with 32 bits and takes 16.
#[test]
fn a_vlan_id_is_read_by_its_length() {
    for (bytes, expected) in [
        (0x8005_u16.to_ne_bytes().to_vec(), Some(VlanId(0x8005))),
        (0x8005_u32.to_ne_bytes().to_vec(), Some(VlanId(0x8005))),
        (0x1_0005_u32.to_ne_bytes().to_vec(), None),
        (vec![5], None),
    ] {
        assert_eq!(VlanId::parse(&bytes), expected);
    }
    assert_eq!(VlanId(5).value_len(), 2);
}

#[test]
fn a_vlan_is_known_without_its_tag_bit() {
    let attributes = vec![
        BatadvAttr::MeshIfindex(7),
        BatadvAttr::Vlanid(VlanId(0x800a)),
        BatadvAttr::ApIsolationEnabled(1),
    ];
    let vlan = Vlan::from_attributes(attributes).unwrap();
    assert_eq!((vlan.vid, vlan.ap_isolation), (10, Some(1)));
    assert_eq!(Vlan::from_attributes(vec![BatadvAttr::ApIsolationEnabled(1)]), None);
}

#[test]
fn errors_are_told_apart_by_what_was_asked() {
    let error = |command| BatadvError::from_errno(command, -libc::ENOENT, None);
    assert!(matches!(error(BatadvCommand::SetVlan), BatadvError::NoSuchVlan(_)));
    assert!(matches!(
        error(BatadvCommand::GetNeighbors),
        BatadvError::NoActiveMember(_)
    ));
    let refused = BatadvError::from_errno(BatadvCommand::SetMesh, -libc::ERANGE, Some("integer out of range"));
    assert!(refused.to_string().contains("integer out of range"), "{refused}");
}

fn mac() -> impl Strategy<Value = MacAddr> {
    any::<[u8; 6]>().prop_map(MacAddr)
}

fn attribute() -> impl Strategy<Value = BatadvAttr> {
    prop_oneof![
        "[^\0]{0,40}".prop_map(BatadvAttr::Version),
        any::<u32>().prop_map(BatadvAttr::MeshIfindex),
        mac().prop_map(BatadvAttr::OrigAddress),
        any::<u8>().prop_map(BatadvAttr::Tq),
        any::<u16>().prop_map(BatadvAttr::BlaVid),
        any::<u64>().prop_map(BatadvAttr::TpmeterBytes),
        any::<u16>().prop_map(|vid| BatadvAttr::Vlanid(VlanId(vid))),
        any::<[u8; 4]>().prop_map(|ip| BatadvAttr::DatCacheIp4address(Ipv4Addr::from(ip))),
        Just(BatadvAttr::FlagBest(Flag)),
        (61_u16..0x3fff, any::<Vec<u8>>()).prop_map(|(kind, value)| BatadvAttr::Other(DefaultNla::new(kind, value))),
    ]
}

proptest! {
    #[test]
    fn what_is_written_reads_back(command: u8, attributes in prop::collection::vec(attribute(), 0..20)) {
        let message = BatadvMessage { command: command.into(), attributes };
        prop_assert_eq!(parse(command, &emit(&message)).unwrap(), message);
    }

    #[test]
    fn no_bytes_panic(command: u8, bytes: Vec<u8>) {
        if let Ok(message) = parse(command, &bytes) {
            emit(&message);
            Mesh::from_attributes(message.attributes.clone());
            Originator::from_attributes(message.attributes);
        }
    }

    /// Cut anywhere, a message is refused or loses attributes; it never turns into others.
    #[test]
    fn cut_messages_never_panic(attributes in prop::collection::vec(attribute(), 1..8), cut: prop::sample::Index) {
        let bytes = emit(&BatadvMessage { command: BatadvCommand::GetMesh, attributes: attributes.clone() });
        if let Ok(message) = parse(1, &bytes[..cut.index(bytes.len())]) {
            prop_assert!(message.attributes.len() <= attributes.len());
            prop_assert_eq!(&message.attributes[..], &attributes[..message.attributes.len()]);
        }
    }
}
