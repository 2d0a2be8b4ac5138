use proptest::prelude::*;

use super::*;

proptest! {
    #[test]
    fn an_address_survives_its_text(bytes: [u8; 6]) {
        let address = MacAddr(bytes);
        prop_assert_eq!(address.to_string().parse::<MacAddr>(), Ok(address));
    }

    #[test]
    fn no_text_makes_a_parser_panic(text in ".{0,40}") {
        drop(text.parse::<MacAddr>());
        drop(text.parse::<IfName>());
        drop(text.parse::<MeshId>());
        drop(text.parse::<NodeId>());
    }
}

#[test]
fn near_misses_of_an_address_are_refused() {
    for text in [
        "",
        "02:00:00:00:00",
        "02:00:00:00:00:01:02",
        "02:00:00:00:00:+1",
        "2:0:0:0:0:1",
        "02-00-00-00-00-01",
    ] {
        assert!(text.parse::<MacAddr>().is_err(), "{text:?}");
    }
}

#[test]
fn names_keep_to_what_kernel_and_spiffe_allow() {
    assert!("wlan0.12".parse::<IfName>().is_ok());
    for text in ["", ".", "..", "sixteen-bytes-xx", "a b", "a/b", "a:b"] {
        assert!(text.parse::<IfName>().is_err(), "{text:?}");
    }
    assert!("gate-1.example_x".parse::<NodeId>().is_ok());
    for text in ["", "..", "a/b", "ä", "a b"] {
        assert!(text.parse::<NodeId>().is_err(), "{text:?}");
    }
}
