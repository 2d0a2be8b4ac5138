use netlink_packet_core::{ErrorBuffer, Parseable};

use super::*;

/// As Linux answers to a hop penalty of four bytes: `EINVAL`, the request's header, a text, the place in the request.
fn answer(tail: &[u8]) -> ErrorMessage {
    let mut bytes = (-22_i32).to_ne_bytes().to_vec();
    bytes.extend([0; REQUEST_HEADER]);
    bytes.extend(tail);
    ErrorMessage::parse(&ErrorBuffer::new_checked(&bytes).unwrap()).unwrap()
}

fn attribute(kind: u16, value: &[u8]) -> Vec<u8> {
    let mut bytes = u16::try_from(4 + value.len()).unwrap().to_ne_bytes().to_vec();
    bytes.extend(kind.to_ne_bytes());
    bytes.extend(value);
    bytes.resize(bytes.len().next_multiple_of(4), 0);
    bytes
}

#[test]
fn the_kernels_words_are_kept() {
    let mut tail = attribute(2, &40_u32.to_ne_bytes());
    tail.extend(attribute(MESSAGE, b"Attribute failed policy validation\0"));
    let said = text(&answer(&tail));
    assert_eq!(said.as_deref(), Some("Attribute failed policy validation"));
    assert_eq!(
        source(-22, said.as_deref()).to_string(),
        "Attribute failed policy validation (Invalid argument (os error 22))"
    );
}

#[test]
fn an_answer_without_words_or_cut_off_has_none() {
    assert_eq!(text(&answer(&[])), None);
    assert_eq!(text(&answer(&attribute(MESSAGE, b"\0"))), None);
    assert_eq!(text(&answer(&[200, 0, 1, 0, b'x'])), None);
    assert_eq!(source(-22, None).raw_os_error(), Some(22));
}
