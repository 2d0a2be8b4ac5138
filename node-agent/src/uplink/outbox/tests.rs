use mesh_proto::model::{Event, IfName, MacAddr, NeighborKey};

use super::*;

fn record(n: u64) -> Record {
    let key = NeighborKey {
        hard_ifname: IfName::try_from("eth0").unwrap(),
        neigh_address: MacAddr([2, 0, 0, 0, 0, 1]),
    };
    let event = Event::AdjacencyChange {
        mesh_ifname: IfName::try_from("bat0").unwrap(),
        key,
        up: true,
    };
    Record { boottime_ns: n, event }
}

fn outbox(capacity: usize, records: std::ops::RangeInclusive<u64>) -> Outbox {
    let mut outbox = Outbox::new(capacity);
    for n in records {
        outbox.push(record(n));
    }
    outbox
}

/// Number of the first, and what is in the batch.
fn taken(outbox: &mut Outbox, window: u64, most: usize) -> Option<(u64, Vec<u64>)> {
    let (first, batch) = outbox.take(window, most)?;
    Some((first, batch.iter().map(|record| record.boottime_ns).collect()))
}

#[test]
fn records_go_out_once_within_the_window() {
    let mut outbox = outbox(10, 1..=9);
    assert_eq!(taken(&mut outbox, 5, 2), Some((1, vec![1, 2])));
    assert_eq!(taken(&mut outbox, 5, 2), Some((3, vec![3, 4])));
    assert_eq!(taken(&mut outbox, 5, 2), None);
    outbox.acknowledge(1);
    assert_eq!(taken(&mut outbox, 5, 2), Some((5, vec![5, 6])));
}

#[test]
fn a_batch_that_is_not_full_waits_while_others_are_under_way() {
    let mut outbox = outbox(10, 1..=3);
    assert_eq!(taken(&mut outbox, 10, 2), Some((1, vec![1, 2])));
    assert_eq!(taken(&mut outbox, 10, 2), None);
    outbox.acknowledge(2);
    assert_eq!(taken(&mut outbox, 10, 2), Some((3, vec![3])));
}

#[test]
fn what_was_not_acknowledged_goes_out_again_on_the_next_connection() {
    let mut outbox = outbox(10, 1..=4);
    outbox.take(10, 10);
    outbox.acknowledge(1);
    outbox.resume(2);
    assert_eq!(taken(&mut outbox, 10, 10), Some((3, vec![3, 4])));
}

#[test]
fn the_oldest_go_when_it_is_full_and_their_numbers_with_them() {
    let mut outbox = outbox(3, 1..=5);
    assert_eq!(outbox.lost(), 2);
    assert_eq!(taken(&mut outbox, 10, 10), Some((3, vec![3, 4, 5])));
}

#[test]
fn records_lost_while_under_way_do_not_go_out_twice() {
    let mut outbox = outbox(3, 1..=3);
    outbox.take(2, 2);
    outbox.push(record(4));
    outbox.push(record(5));
    outbox.push(record(6));
    assert_eq!(taken(&mut outbox, 10, 3), Some((4, vec![4, 5, 6])));
}

#[test]
fn numbers_go_on_after_those_the_collector_remembers() {
    let mut outbox = outbox(10, 1..=2);
    outbox.resume(40);
    outbox.push(record(3));
    assert_eq!(taken(&mut outbox, 10, 10), Some((41, vec![3])));
}

#[test]
fn an_acknowledgement_of_what_was_never_sent_is_harmless() {
    let mut outbox = outbox(10, 1..=2);
    outbox.acknowledge(u64::MAX);
    outbox.push(record(3));
    assert_eq!(taken(&mut outbox, 10, 10), Some((3, vec![3])));
}
