use netlink_packet_core::{Emitable, ParseableParametrized};
use netlink_packet_generic::GenlHeader;
use proptest::prelude::*;
use wl_nl80211::{Nl80211Attr, Nl80211ChannelWidth, Nl80211Command};

use super::join::Join;
use super::memory::Memory;
use super::message::{DECODED, Message, forwarding, is_forwarding};
use super::*;
use crate::actuate::{Network, Width};

const WIDTHS: [Width; 5] = [
    Width::NoHt,
    Width::Ht20,
    Width::Ht40Plus,
    Width::Ht40Minus,
    Width::Mhz80,
];

fn radio(network: Network, frequency_mhz: u32, width: Width) -> Radio {
    Radio {
        network,
        frequency_mhz,
        width,
    }
}

fn emit(message: &Message) -> Vec<u8> {
    let mut bytes = vec![0; message.buffer_len()];
    message.emit(&mut bytes);
    bytes
}

fn parse(bytes: &[u8]) -> Option<Message> {
    let command = Nl80211Command::NewInterface.into();
    Message::parse_with_param(
        bytes,
        GenlHeader {
            cmd: command,
            version: 1,
        },
    )
    .ok()
}

/// What a kernel tells of an interface, with what else it tells besides.
fn told(iftype: InterfaceType, more: Vec<Nl80211Attr>) -> WirelessInterface {
    let mut attributes = vec![
        Nl80211Attr::IfIndex(3),
        Nl80211Attr::IfName("wlan0".to_owned()),
        Nl80211Attr::Wiphy(1),
        Nl80211Attr::IfType(iftype),
    ];
    attributes.extend(more);
    let command = Nl80211Command::NewInterface;
    let message = parse(&emit(&Message { command, attributes })).unwrap();
    WirelessInterface::from_attributes(&message.attributes).unwrap()
}

fn channel(channel: Channel) -> Vec<Nl80211Attr> {
    vec![
        Nl80211Attr::WiphyFreq(channel.frequency_mhz),
        Nl80211Attr::ChannelWidth(channel.width),
        Nl80211Attr::CenterFreq1(channel.center_mhz),
    ]
}

#[test]
fn channels_are_where_iw_says() {
    for (frequency, width, kernel, center) in [
        (2412, Width::NoHt, Nl80211ChannelWidth::NoHt20, 2412),
        (2412, Width::Ht20, Nl80211ChannelWidth::Mhz(20), 2412),
        (2412, Width::Ht40Plus, Nl80211ChannelWidth::Mhz(40), 2422),
        (2437, Width::Ht40Minus, Nl80211ChannelWidth::Mhz(40), 2427),
        (5180, Width::Mhz80, Nl80211ChannelWidth::Mhz(80), 5210),
        (5240, Width::Mhz80, Nl80211ChannelWidth::Mhz(80), 5210),
        (5260, Width::Mhz80, Nl80211ChannelWidth::Mhz(80), 5290),
        (5500, Width::Mhz80, Nl80211ChannelWidth::Mhz(80), 5530),
        (5640, Width::Mhz80, Nl80211ChannelWidth::Mhz(80), 5610),
        (5700, Width::Mhz80, Nl80211ChannelWidth::Mhz(80), 5690),
        (5805, Width::Mhz80, Nl80211ChannelWidth::Mhz(80), 5775),
        (5825, Width::Mhz80, Nl80211ChannelWidth::Mhz(80), 5855),
        (5975, Width::Mhz80, Nl80211ChannelWidth::Mhz(80), 5985),
        (7055, Width::Mhz80, Nl80211ChannelWidth::Mhz(80), 7025),
    ] {
        let channel = Channel::new(frequency, width).unwrap();
        assert_eq!(
            (channel.width, channel.center_mhz),
            (kernel, center),
            "{frequency} {width:?}"
        );
    }
}

#[test]
fn there_is_no_block_of_80_mhz_everywhere() {
    for frequency in [
        0,
        2412,
        2484,
        5170,
        5190,
        5320 + 20,
        5720 + 20,
        5745 + 10,
        5905,
        7075,
        u32::MAX,
    ] {
        assert_eq!(Channel::new(frequency, Width::Mhz80), None, "{frequency}");
    }
}

#[test]
fn a_wider_channel_is_none_of_ours() {
    let wide = Channel {
        frequency_mhz: 5180,
        width: Nl80211ChannelWidth::Mhz(160),
        center_mhz: 5250,
    };
    assert_eq!(wide.width(), None);
}

#[test]
fn an_ad_hoc_network_reads_back_as_it_was_joined() {
    let wanted = radio(Network::Ibss("fields".to_owned()), 2437, Width::Ht40Minus);
    let join = Join::new(3, &wanted).unwrap();
    assert_eq!(join.iftype, InterfaceType::Adhoc);
    assert_eq!(join.message.command, Nl80211Command::JoinIbss);
    // The kernel tells what it was told.
    let found = told(InterfaceType::Adhoc, join.message.attributes);
    assert!(found.joined);
    assert_eq!(found.network, Some(wanted));
}

#[test]
fn a_mesh_reads_back_as_it_was_joined_once_its_name_is_known() {
    let wanted = radio(Network::Mesh("roofs".to_owned()), 5180, Width::Mhz80);
    let mut found = told(
        InterfaceType::MeshPoint,
        channel(Channel::new(5180, Width::Mhz80).unwrap()),
    );
    assert!(found.joined);
    assert_eq!(found.network, None);
    assert!(found.is_told_by_halves());
    // The name is the one remembered, the channel the kernel's: it may have been switched.
    found.complete(radio(Network::Mesh("roofs".to_owned()), 5200, Width::Ht20));
    assert_eq!(found.network, Some(wanted));
}

#[test]
fn an_ad_hoc_network_that_is_not_formed_yet_is_where_it_was_joined() {
    let wanted = radio(Network::Ibss("fields".to_owned()), 2412, Width::Ht20);
    let named = |name: &str| vec![Nl80211Attr::SsidRaw(name.as_bytes().to_vec())];
    let mut forming = told(InterfaceType::Adhoc, named("fields"));
    assert_eq!(forming.network, None);
    assert!(forming.is_told_by_halves());
    forming.complete(wanted.clone());
    assert_eq!(forming.network, Some(wanted.clone()));
    let mut another = told(InterfaceType::Adhoc, named("meadows"));
    another.complete(wanted.clone());
    assert_eq!(another.network, None);
    let mut mesh = told(
        InterfaceType::MeshPoint,
        channel(Channel::new(2412, Width::Ht20).unwrap()),
    );
    mesh.complete(wanted);
    assert_eq!(mesh.network, None, "of another kind");
}

#[test]
fn a_mesh_is_joined_without_forwarding_and_open() {
    let join = Join::new(3, &radio(Network::Mesh("roofs".to_owned()), 2412, Width::Ht20)).unwrap();
    assert_eq!(join.message.command, Nl80211Command::JoinMesh);
    let sent = parse(&emit(&join.message)).unwrap();
    assert_eq!(sent.attributes.iter().find_map(is_forwarding), Some(false));
    assert!(sent.attributes.contains(&message::other(message::MESH_ID, b"roofs")));
    // NL80211_ATTR_MESH_SETUP would hold authentication.
    assert!(
        join.message
            .attributes
            .iter()
            .all(|attribute| netlink_packet_core::Nla::kind(attribute) != 112)
    );
}

#[test]
fn a_configuration_of_a_mesh_tells_whether_it_forwards() {
    assert_eq!(is_forwarding(&forwarding(true)), Some(true));
    assert_eq!(is_forwarding(&forwarding(false)), Some(false));
    assert_eq!(is_forwarding(&message::other(message::MESH_CONFIG, &[])), None);
    assert_eq!(is_forwarding(&message::other(message::MESH_CONFIG, &[5, 0, 19])), None);
    assert_eq!(is_forwarding(&Nl80211Attr::IfIndex(1)), None);
}

#[test]
fn names_have_1_to_32_bytes() {
    for (name, len) in [(String::new(), 0), ("é".repeat(17), 34)] {
        for network in [Network::Mesh(name.clone()), Network::Ibss(name.clone())] {
            let refused = Join::new(3, &radio(network, 2412, Width::Ht20)).map(drop).unwrap_err();
            assert!(matches!(refused, RadioError::Name(found) if found == len));
        }
    }
    assert!(Join::new(3, &radio(Network::Mesh("é".repeat(16)), 2412, Width::Ht20)).is_ok());
}

#[test]
fn one_that_is_in_no_network_is_not_joined() {
    for iftype in [InterfaceType::MeshPoint, InterfaceType::Adhoc, InterfaceType::Station] {
        let found = told(iftype, Vec::new());
        assert!(!found.joined);
        assert_eq!(found.network, None);
    }
    // An access point has a channel and a name, and is in no network of ours.
    let mut more = channel(Channel::new(2412, Width::Ht20).unwrap());
    more.push(Nl80211Attr::SsidRaw(b"ap".to_vec()));
    let found = told(InterfaceType::Ap, more);
    assert!(!found.joined);
    assert_eq!(found.network, None);
    assert_eq!(found.channel.unwrap().frequency_mhz, 2412);
}

#[test]
fn a_name_that_is_no_text_is_joined_and_not_known() {
    let mut more = channel(Channel::new(2412, Width::Ht20).unwrap());
    more.push(Nl80211Attr::SsidRaw(vec![0xff, 0xfe]));
    let found = told(InterfaceType::Adhoc, more);
    assert!(found.joined);
    assert_eq!(found.network, None);
}

#[test]
fn what_has_no_name_is_no_interface() {
    let attributes = [Nl80211Attr::Wiphy(1), Nl80211Attr::IfType(InterfaceType::P2pDevice)];
    assert_eq!(WirelessInterface::from_attributes(&attributes), None);
}

#[test]
fn one_odd_attribute_costs_no_more_than_itself() {
    let command = Nl80211Command::NewInterface;
    let attributes = vec![
        message::other(38, &[1, 2, 3]),
        // Capabilities, which the crate reads with its fingers crossed.
        message::other(166, &[1]),
        Nl80211Attr::IfIndex(3),
    ];
    let found = parse(&emit(&Message { command, attributes })).unwrap();
    assert_eq!(found.attributes, [Nl80211Attr::IfIndex(3)]);
}

#[test]
fn what_was_joined_is_known_while_the_carrier_s_count_stands() {
    let folder = tempfile::tempdir().unwrap();
    let roofs = radio(Network::Mesh("roofs".to_owned()), 2412, Width::Ht20);
    let here = Memory::in_folder(folder.path().join("radio"));
    let interface = told(InterfaceType::MeshPoint, Vec::new());
    assert_eq!(here.recall(&interface, 4), None);
    here.keep(&interface, 4, &roofs);
    let other = WirelessInterface {
        ifindex: 4,
        ..interface.clone()
    };
    let elsewhere = WirelessInterface {
        wiphy: 2,
        ..interface.clone()
    };
    for memory in [here.clone(), Memory::in_folder(folder.path().join("radio"))] {
        assert_eq!(memory.recall(&interface, 4).as_ref(), Some(&roofs));
        assert_eq!(memory.recall(&interface, 6), None, "left and joined by somebody else");
        assert_eq!(memory.recall(&other, 4), None);
        assert_eq!(memory.recall(&elsewhere, 4), None);
    }
    here.forget(3);
    assert_eq!(here.recall(&interface, 4), None);
    assert_eq!(
        Memory::in_folder(folder.path().join("radio")).recall(&interface, 4),
        None
    );
}

#[test]
fn what_was_joined_before_a_boot_is_not_known() {
    let folder = tempfile::tempdir().unwrap();
    let roofs = radio(Network::Mesh("roofs".to_owned()), 2412, Width::Ht20);
    let interface = told(InterfaceType::MeshPoint, Vec::new());
    Memory::in_folder(folder.path().to_owned()).keep(&interface, 4, &roofs);
    let file = folder.path().join("3.json");
    let mut written: serde_json::Value = serde_json::from_slice(&std::fs::read(&file).unwrap()).unwrap();
    written["boot"] = "another".into();
    std::fs::write(&file, written.to_string()).unwrap();
    assert_eq!(Memory::in_folder(folder.path().to_owned()).recall(&interface, 4), None);
    std::fs::write(&file, "{").unwrap();
    assert_eq!(Memory::in_folder(folder.path().to_owned()).recall(&interface, 4), None);
}

#[test]
fn without_a_folder_what_was_joined_is_known_to_one_process() {
    let roofs = radio(Network::Mesh("roofs".to_owned()), 2412, Width::Ht20);
    let memory = Memory::default();
    let interface = told(InterfaceType::MeshPoint, Vec::new());
    memory.keep(&interface, 4, &roofs);
    assert_eq!(memory.clone().recall(&interface, 4), Some(roofs));
}

/// On a machine with wireless it lists that; neither may be an error.
#[tokio::test]
async fn a_machine_without_wireless_has_no_wireless_interfaces() {
    let (connection, radios) = new_connection().unwrap();
    tokio::spawn(connection);
    let found = radios.list().await.unwrap();
    if !std::path::Path::new("/sys/class/ieee80211").exists() {
        assert_eq!(found, []);
        let refused = radios.leave(1).await.unwrap_err();
        assert!(matches!(refused, RadioError::NoWireless), "{refused}");
    }
}

proptest! {
    #[test]
    fn a_channel_reads_back(frequency: u32, usual in 2400u32..7200, width in prop::sample::select(WIDTHS.to_vec())) {
        for frequency in [frequency, usual] {
            if let Some(channel) = Channel::new(frequency, width) {
                prop_assert_eq!(channel.width(), Some(width));
            }
        }
    }

    #[test]
    fn any_bytes_decode(bytes: Vec<u8>) {
        parse(&bytes);
    }

    /// Of each kind we decode, any value.
    #[test]
    fn any_value_decodes(kind in prop::sample::select(DECODED.to_vec()), value in prop::collection::vec(any::<u8>(), 0..80)) {
        let command = Nl80211Command::NewInterface;
        let attributes = vec![message::other(kind, &value), Nl80211Attr::IfIndex(1)];
        let found = parse(&emit(&Message { command, attributes })).unwrap();
        prop_assert!(found.attributes.contains(&Nl80211Attr::IfIndex(1)) || kind == 3);
        WirelessInterface::from_attributes(&found.attributes);
        found.attributes.iter().find_map(is_forwarding);
    }
}
