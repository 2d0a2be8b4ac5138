use super::*;

/// A message of rtnetlink about the link of index 9.
fn message(kind: u16, attributes: &[u8]) -> Vec<u8> {
    let length = u32::try_from(16 + HEADER + attributes.len()).unwrap();
    let mut bytes = length.to_ne_bytes().to_vec();
    bytes.extend(kind.to_ne_bytes());
    bytes.extend([0; 10]);
    bytes.extend([0; 4]);
    bytes.extend(9_u32.to_ne_bytes());
    bytes.extend([0; 8]);
    bytes.extend(attributes);
    bytes
}

#[test]
fn links_that_change_and_go_are_named() {
    assert_eq!(read(&message(NEW_LINK, &[])), Some(LinkEvent::Changed { ifindex: 9 }));
    assert_eq!(read(&message(DEL_LINK, &[])), Some(LinkEvent::Gone { ifindex: 9 }));
}

#[test]
fn a_scan_is_no_change_of_the_link() {
    let wireless = [8, 0, WIRELESS.to_ne_bytes()[0], WIRELESS.to_ne_bytes()[1], 1, 2, 3, 4];
    assert_eq!(read(&message(NEW_LINK, &wireless)), None);
}

#[test]
fn other_messages_and_cut_ones_are_nothing() {
    assert_eq!(read(&message(20, &[])), None);
    let whole = message(NEW_LINK, &[]);
    for cut in 0..24 {
        assert_eq!(read(&whole[..cut]), None);
    }
}
