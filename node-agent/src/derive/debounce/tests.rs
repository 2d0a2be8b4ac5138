use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;

fn read(table: &mut Debounced<u8, ()>, keys: &[u8]) -> Changes<u8> {
    table.read(keys.iter().map(|key| (*key, ())), false)
}

fn keys(table: &Debounced<u8, ()>) -> Vec<u8> {
    table.iter().map(|(key, (), _)| *key).collect()
}

#[test]
fn what_is_there_at_the_first_read_did_not_appear() {
    let mut table = Debounced::default();
    assert_eq!(read(&mut table, &[1, 2]), Changes::default());
    assert_eq!(read(&mut table, &[1, 2, 3]).appeared, [3]);
}

#[test]
fn an_entry_absent_once_is_held() {
    let mut table = Debounced::default();
    read(&mut table, &[1, 2]);
    assert_eq!(read(&mut table, &[1]), Changes::default());
    assert_eq!(keys(&table), [1, 2]);
    assert_eq!(read(&mut table, &[1, 2]), Changes::default());
}

#[test]
fn an_entry_absent_twice_in_a_row_is_gone() {
    let mut table = Debounced::default();
    read(&mut table, &[1, 2]);
    read(&mut table, &[1]);
    assert_eq!(read(&mut table, &[1]).gone, [2]);
    assert_eq!(keys(&table), [1]);
}

#[test]
fn a_read_known_to_be_torn_proves_no_absence() {
    let mut table = Debounced::default();
    read(&mut table, &[1, 2]);
    for _ in 0..10 {
        assert_eq!(table.read([(1, ())], true), Changes::default());
    }
    assert_eq!(keys(&table), [1, 2]);
}

#[test]
fn a_table_that_cannot_be_read_is_held_then_forgotten_without_an_event() {
    let mut table = Debounced::default();
    read(&mut table, &[1]);
    for _ in 0..HELD_READS {
        table.failed();
        assert_eq!(keys(&table), [1]);
    }
    table.failed();
    assert!(!table.known());
    assert_eq!(read(&mut table, &[1, 2]), Changes::default());
}

#[test]
fn what_appears_after_a_certain_emptiness_is_new() {
    let mut table = Debounced::default();
    assert!(table.emptied().is_empty());
    assert_eq!(read(&mut table, &[1]).appeared, [1]);
    assert_eq!(table.emptied(), [1]);
}

proptest! {
    /// Appeared minus gone is what is there, whatever the reads say.
    #[test]
    fn changes_add_up(reads in prop::collection::vec((prop::collection::btree_set(0_u8..6, 0..6), any::<bool>()), 1..40)) {
        let mut table = Debounced::default();
        let mut expected: Option<BTreeSet<u8>> = None;
        for (read, torn) in reads {
            let changes = table.read(read.iter().map(|key| (*key, ())), torn);
            let mut now = expected.unwrap_or(read);
            for key in changes.gone {
                prop_assert!(now.remove(&key));
            }
            for key in changes.appeared {
                prop_assert!(now.insert(key));
            }
            prop_assert_eq!(keys(&table), now.iter().copied().collect::<Vec<_>>());
            expected = Some(now);
        }
    }

    /// An entry missing from single reads only, however many, never flaps.
    #[test]
    fn single_absences_never_flap(absent in prop::collection::vec(any::<bool>(), 1..60)) {
        let mut table = Debounced::default();
        read(&mut table, &[1]);
        let mut before = false;
        for absent in absent {
            let now = absent && !before;
            before = now;
            prop_assert_eq!(read(&mut table, if now { &[] } else { &[1] }), Changes::default());
        }
    }
}
