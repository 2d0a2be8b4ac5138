use proptest::prelude::*;

use super::*;

fn strings(names: &[&str]) -> Vec<u8> {
    let mut bytes = vec![0; STRINGS_HEADER];
    for name in names {
        let mut field = [0; NAME_LEN];
        field[..name.len()].copy_from_slice(name.as_bytes());
        bytes.extend(field);
    }
    bytes
}

fn stats(values: &[u64]) -> Vec<u8> {
    let mut bytes = vec![0; STATS_HEADER];
    for value in values {
        bytes.extend(value.to_ne_bytes());
    }
    bytes
}

#[test]
fn counters_are_known_by_name_and_not_by_place() {
    let one = decode(&strings(&["tx", "mcast_tx"]), &stats(&[1, 2]), 2);
    let other = decode(&strings(&["mcast_tx", "tx"]), &stats(&[2, 1]), 2);
    assert_eq!(one, other);
    assert_eq!(one["tx"], 1);
}

/// batman-adv names `\tmgmt_tx` with a tab before it, for batctl's columns.
#[test]
fn white_space_around_a_name_is_not_part_of_it() {
    assert_eq!(decode(&strings(&["\tmgmt_tx"]), &stats(&[7]), 1)["mgmt_tx"], 7);
}

#[test]
fn a_missing_interface_is_named() {
    let name: IfName = "no-such-if".parse().unwrap();
    let error = Ethtool::open().unwrap().statistics(&name).unwrap_err();
    assert!(matches!(error, EthtoolError::NoSuchInterface(missing) if missing == name));
}

#[test]
fn loopback_has_no_statistics_of_its_own() {
    let error = Ethtool::open().unwrap().statistics(&"lo".parse().unwrap()).unwrap_err();
    assert!(matches!(error, EthtoolError::Unsupported(_)), "{error}");
}

proptest! {
    #[test]
    fn any_bytes_decode(strings: Vec<u8>, stats: Vec<u8>, count: usize) {
        decode(&strings, &stats, count);
    }

    #[test]
    fn a_header_reads_back(words in prop::collection::vec(any::<u32>(), 1..6)) {
        let buffer = Buffer::new(64, &words);
        for (index, word) in words.iter().enumerate() {
            prop_assert_eq!(buffer.word(index), *word);
        }
    }
}
