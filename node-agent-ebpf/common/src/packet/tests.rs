use proptest::prelude::*;

use super::*;

/// A frame of ethertype 0x4305 with `tags` between the addresses and the type.
fn frame(tags: &[[u8; 4]], kind: u8, payload_len: usize) -> [u8; 128] {
    let mut bytes = [0_u8; 128];
    let mut at = 12;
    for tag in tags {
        bytes[at..at + 4].copy_from_slice(tag);
        at += 4;
    }
    bytes[at..at + 2].copy_from_slice(&ETHERTYPE_BATADV.to_be_bytes());
    if payload_len > 0 {
        bytes[at + 2] = kind;
    }
    bytes
}

const PRIORITY_TAG: [u8; 4] = [0x81, 0x00, 0xe0, 0x00];
const VLAN_10_TAG: [u8; 4] = [0x81, 0x00, 0x00, 0x0a];

#[test]
fn every_type_of_the_kernel_header_is_named() {
    let wire = [0x00, 0x01, 0x02, 0x03, 0x04, 0x05, 0x40, 0x41, 0x42, 0x43, 0x44];
    for (byte, expected) in wire.into_iter().zip(PacketType::ALL) {
        assert_eq!(classify(&frame(&[], byte, 60)[..74], 74), Head::Packet(expected));
    }
    assert_eq!(
        classify(&frame(&[], 0x77, 60)[..74], 74),
        Head::Packet(PacketType::Other)
    );
}

#[test]
fn types_stand_at_their_index() {
    for (index, kind) in PacketType::ALL.into_iter().enumerate() {
        assert_eq!(kind.index(), index);
    }
}

#[test]
fn a_frame_shorter_than_its_header_counts_as_other() {
    let bytes = frame(&[], 0x00, 24);
    assert_eq!(classify(&bytes[..14 + 24], 14 + 24), Head::Packet(PacketType::IvOgm));
    assert_eq!(classify(&bytes[..14 + 23], 14 + 23), Head::Packet(PacketType::Other));
}

#[test]
fn priority_tags_are_looked_through_and_vlans_left_to_their_interface() {
    let tagged = frame(&[PRIORITY_TAG], 0x40, 60);
    assert_eq!(classify(&tagged[..15], 100), Head::Longer);
    assert_eq!(classify(&tagged[..19], 100), Head::Packet(PacketType::Unicast));
    let twice = frame(&[PRIORITY_TAG, PRIORITY_TAG], 0x03, 60);
    assert_eq!(classify(&twice[..19], 100), Head::Longer);
    assert_eq!(classify(&twice[..23], 100), Head::Packet(PacketType::Elp));
    let vlan = frame(&[VLAN_10_TAG], 0x40, 60);
    assert_eq!(classify(&vlan[..19], 100), Head::Foreign);
    let three = frame(&[PRIORITY_TAG, PRIORITY_TAG, PRIORITY_TAG], 0x40, 60);
    assert_eq!(classify(&three[..23], 100), Head::Foreign);
}

#[test]
fn other_ethertypes_and_stumps_are_foreign() {
    let mut ip = frame(&[], 0x45, 60);
    ip[12..14].copy_from_slice(&[0x08, 0x00]);
    assert_eq!(classify(&ip[..74], 74), Head::Foreign);
    assert_eq!(classify(&frame(&[], 0, 0)[..14], 14), Head::Foreign);
    assert_eq!(classify(&[], 0), Head::Foreign);
}

proptest! {
    #[test]
    fn no_bytes_make_it_panic_or_see_a_packet_without_its_ethertype(head in proptest::collection::vec(any::<u8>(), 0..64), frame_len in any::<usize>()) {
        let marked = head.windows(2).any(|pair| pair == ETHERTYPE_BATADV.to_be_bytes());
        prop_assert!(marked || !matches!(classify(&head, frame_len), Head::Packet(_)));
    }

    #[test]
    fn asking_in_steps_says_the_same_as_the_whole_frame(
        tags in proptest::collection::vec(prop_oneof![Just(PRIORITY_TAG), Just(VLAN_10_TAG)], 0..4),
        kind in any::<u8>(),
        payload_len in 0_usize..90,
    ) {
        let bytes = frame(&tags, kind, payload_len);
        let len = (12 + 4 * tags.len() + 2 + payload_len).min(bytes.len());
        let whole = classify(&bytes[..len], len);
        let steps = HEAD_LENS.into_iter().filter(|&step| step <= len).map(|step| classify(&bytes[..step], len));
        let stepped = steps.into_iter().find(|head| *head != Head::Longer).unwrap_or(Head::Foreign);
        prop_assert_eq!(whole, stepped);
    }
}
