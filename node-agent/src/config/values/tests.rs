use proptest::prelude::*;

use super::*;

/// The plainest way to say what a pattern matches.
fn matches(pattern: &[char], name: &[char]) -> bool {
    match (pattern, name) {
        ([], []) => true,
        (['*', rest @ ..], _) => {
            matches(rest, name)
                || name
                    .split_first()
                    .is_some_and(|(c, left)| *c != '.' && matches(pattern, left))
        }
        (['?', rest @ ..], [c, left @ ..]) => *c != '.' && matches(rest, left),
        ([wanted, rest @ ..], [c, left @ ..]) => wanted == c && matches(rest, left),
        _ => false,
    }
}

proptest! {
    #[test]
    fn a_pattern_matches_what_its_words_say(pattern in "[a*?.]{0,7}a", name in "[ab.]{0,9}") {
        let chars = |text: &str| text.chars().collect::<Vec<_>>();
        let expected = matches(&chars(&pattern), &chars(&name));
        prop_assert_eq!(Pattern::try_from(pattern).unwrap().matches(&name), expected);
    }

    #[test]
    fn a_mark_survives_its_text(mark: u32, mask: u32) {
        let mark = IsolationMark { mark, mask };
        prop_assert_eq!(IsolationMark::try_from(String::from(mark)), Ok(mark));
    }

    #[test]
    fn a_bandwidth_survives_its_number(hundreds: u32) {
        let kbit = Kbit { hundreds };
        prop_assert_eq!(Kbit::try_from(u64::from(kbit)), Ok(kbit));
    }

    #[test]
    fn no_text_makes_a_value_panic(text in ".{0,70}") {
        drop(IsolationMark::try_from(text.clone()));
        drop(Pattern::try_from(text.clone()).map(|pattern| pattern.matches(&text)));
        drop(Vid::try_from(text));
    }
}

#[test]
fn a_pattern_means_interfaces_and_not_their_vlans() {
    let pattern = |text: &str| Pattern::try_from(text.to_owned()).unwrap();
    assert!(pattern("eth*").matches("eth0") && pattern("eth*").matches("eth"));
    assert!(!pattern("eth*").matches("eth0.10") && !pattern("eth0?10").matches("eth0.10"));
    assert!(pattern("eth*.10").matches("eth0.10") && pattern("wlan?-mesh").matches("wlan1-mesh"));
}

#[test]
fn a_mark_is_written_as_batctl_writes_it() {
    let mark = |text: &str| IsolationMark::try_from(text.to_owned()).map(|mark| (mark.mark, mark.mask));
    assert_eq!(mark("0x1/0x3"), Ok((1, 3)));
    assert_eq!(mark("7"), Ok((7, u32::MAX)));
    for text in ["", "/", "0x", "0x1/", "+1", "0x+1", "0x100000000", "1/2/3", "one"] {
        assert!(mark(text).is_err(), "{text:?}");
    }
}

#[test]
fn a_vlan_has_one_name() {
    assert_eq!("10".parse::<Vid>().map(Vid::get), Ok(10));
    for text in ["0", "4095", "010", "+10", "ten", ""] {
        assert!(text.parse::<Vid>().is_err(), "{text:?}");
    }
}
