use mesh_proto::convert::limits;
use mesh_proto::model::{Changes, Event, ProbeStatus, Snapshot};

use super::*;
use crate::testing::*;

/// Messages, written short.
fn hello_of(incarnation: u64, connection: u64) -> Input {
    Input::Hello(hello(incarnation, connection))
}

fn full(sequence: u64) -> Input {
    Input::FullSync {
        sequence,
        clock: None,
        view: snapshot(view(mac(1))),
    }
}

fn delta(sequence: u64) -> Input {
    Input::Delta {
        sequence,
        clock: None,
        delta: Delta::default(),
    }
}

fn misfit(sequence: u64) -> Input {
    let whole = Delta::diff(&Snapshot::default(), &snapshot(view(mac(1)))).unwrap();
    let mut mesh = whole.meshes.into_values().next().unwrap();
    mesh.settings = None;
    Input::Delta {
        sequence,
        clock: None,
        delta: Delta {
            meshes: [(ifname("bat7"), mesh)].into(),
            ..Delta::default()
        },
    }
}

fn records(first: u64, count: u64) -> Input {
    let known = (first..first + count).map(|number| (number, record(number))).collect();
    Input::Records { first, count, known }
}

/// Carries its number as its time.
fn record(number: u64) -> Record {
    let event = Event::GatewaySilent {
        mesh_ifname: ifname("bat0"),
        orig_address: mac(9),
        silent: true,
        given_up: false,
        last_seen_msecs: 6_000,
    };
    Record {
        boottime_ns: number,
        event,
    }
}

/// What came of a message, written short.
fn told(outcome: Result<Vec<Output>, End>) -> String {
    match outcome {
        Err(end) => format!("end: {end}"),
        Ok(outputs) => outputs.iter().map(word).collect::<Vec<_>>().join(", "),
    }
}

fn word(output: &Output) -> String {
    match output {
        Output::Welcome(terms) => format!("welcome {}", terms.records_high_water),
        Output::LiveAck(sequence) => format!("live {sequence}"),
        Output::RecordsAck(sequence) => format!("records {sequence}"),
        Output::FullSyncRequest(reason) => format!("full sync please: {reason}"),
        Output::Event(TopologyEvent::Opened(_)) => "opened".to_owned(),
        Output::Event(TopologyEvent::Reported { view, .. }) => format!("reported {}", view.meshes.len()),
        Output::Event(TopologyEvent::Gap(_)) => "gap".to_owned(),
        Output::Event(TopologyEvent::Recorded { records, .. }) => {
            let numbers: Vec<_> = records.iter().map(|record| record.boottime_ns).collect();
            format!("recorded {numbers:?}")
        }
        Output::Event(other) => format!("{other:?}"),
    }
}

fn begin() -> (Session, Ledger) {
    let name = "a";
    (
        Session::new(node(name), format!("spiffe://mesh.example/node/{name}")),
        Ledger::default(),
    )
}

#[track_caller]
fn check(steps: impl IntoIterator<Item = (Input, &'static str)>) {
    let (mut session, mut ledger) = begin();
    for (number, (input, expected)) in steps.into_iter().enumerate() {
        assert_eq!(told(session.handle(input, &mut ledger)), expected, "step {number}");
    }
}

#[test]
fn nothing_comes_before_hello() {
    for input in [full(1), delta(1), records(1, 1), Input::Unknown] {
        check([(input, "end: the first message must be hello")]);
    }
}

#[test]
fn hello_comes_once() {
    check([
        (hello_of(1, 1), "opened, welcome 0"),
        (hello_of(1, 2), "end: hello may only come once"),
    ]);
}

#[test]
fn deltas_follow_a_full_view_without_a_gap() {
    check([
        (hello_of(1, 1), "opened, welcome 0"),
        (full(4), "reported 1, live 4"),
        (delta(5), "reported 1, live 5"),
        (delta(6), "reported 1, live 6"),
    ]);
}

#[test]
fn a_missing_delta_is_counted_once_and_asks_for_a_full_view() {
    check([
        (hello_of(1, 1), "opened, welcome 0"),
        (full(1), "reported 1, live 1"),
        (delta(3), "gap, full sync please: deltas are missing"),
        (delta(4), ""),
        (full(5), "reported 1, live 5"),
        (delta(6), "reported 1, live 6"),
        (delta(6), "gap, full sync please: deltas are missing"),
    ]);
}

#[test]
fn a_delta_before_any_view_or_for_another_one_asks_for_a_full_view() {
    check([
        (hello_of(1, 1), "opened, welcome 0"),
        (delta(1), "gap, full sync please: a delta came before any full view"),
        (full(2), "reported 1, live 2"),
        (misfit(3), "gap, full sync please: a delta was made for another view"),
        (delta(4), ""),
        (full(5), "reported 1, live 5"),
    ]);
}

#[test]
fn a_full_view_out_of_turn_is_taken_and_the_hole_before_it_counted() {
    check([
        (hello_of(1, 1), "opened, welcome 0"),
        (full(1), "reported 1, live 1"),
        (full(2), "reported 1, live 2"),
        (full(9), "gap, reported 1, live 9"),
    ]);
}

#[test]
fn the_last_number_there_is_has_no_next() {
    check([
        (hello_of(1, 1), "opened, welcome 0"),
        (full(u64::MAX), "reported 1, live 18446744073709551615"),
        (delta(0), "gap, full sync please: deltas are missing"),
    ]);
}

#[test]
fn records_are_acknowledged_whatever_the_live_lane_does() {
    check([
        (hello_of(1, 1), "opened, welcome 0"),
        (records(1, 3), "recorded [1, 2, 3], records 3"),
        (delta(1), "gap, full sync please: a delta came before any full view"),
        (records(3, 2), "recorded [4], records 4"),
        (records(2, 2), "records 4"),
        (records(9, 1), "gap, recorded [9], records 9"),
        (Input::Unknown, ""),
    ]);
}

#[test]
fn a_protocol_without_overlap_is_refused() {
    let mut later = hello(1, 1);
    (later.protocol_min, later.protocol_max) = (2, 3);
    check([(
        Input::Hello(later),
        "end: this collector speaks protocol 1 to 1, the agent 2 to 3: bring the older one up to date",
    )]);
    let mut wider = hello(1, 1);
    wider.protocol_max = 3;
    check([(Input::Hello(wider), "opened, welcome 0")]);
}

#[test]
fn a_refused_protocol_fences_nobody() {
    let (mut session, mut ledger) = begin();
    let mut later = hello(9, 1);
    (later.protocol_min, later.protocol_max) = (2, 3);
    session.handle(Input::Hello(later), &mut ledger).unwrap_err();
    let (mut other, _) = begin();
    other.handle(hello_of(1, 1), &mut ledger).unwrap();
}

#[test]
fn a_newer_session_ends_the_older_one_and_an_older_one_is_not_let_in() {
    let (mut old, mut ledger) = begin();
    assert_eq!(told(old.handle(hello_of(2, 1), &mut ledger)), "opened, welcome 0");
    assert_eq!(told(old.handle(full(1), &mut ledger)), "reported 1, live 1");
    assert_eq!(told(old.handle(records(1, 1), &mut ledger)), "recorded [1], records 1");
    assert_eq!(
        told(old.handle(records(2, 4), &mut ledger)),
        "recorded [2, 3, 4, 5], records 5"
    );
    let (mut new, _) = begin();
    assert_eq!(told(new.handle(hello_of(2, 2), &mut ledger)), "opened, welcome 5");
    for input in [delta(2), full(2), records(6, 1), Input::Unknown] {
        assert_eq!(
            told(old.handle(input, &mut ledger)),
            "end: a newer session of this node exists"
        );
    }
    for (incarnation, connection) in [(2, 2), (2, 1), (1, 9)] {
        let (mut late, _) = begin();
        let outcome = late.handle(hello_of(incarnation, connection), &mut ledger);
        let newest = Epoch {
            incarnation: 2,
            connection: 2,
        };
        assert_eq!(outcome.err(), Some(End::Outdated { newest }));
    }
    assert_eq!(told(new.handle(full(1), &mut ledger)), "reported 1, live 1");
}

/// Each delta is small; together they would make a view that no single message may carry.
#[test]
fn a_view_that_grows_without_end_ends_the_stream() {
    let growing = |sequence: u64| {
        let probe = ProbeStatus {
            attached: true,
            mechanism: String::new(),
            reason: String::new(),
        };
        let upserts = [(format!("probe {sequence}"), probe)].into();
        let delta = Delta {
            probes: Changes {
                upserts,
                ..Changes::default()
            },
            ..Delta::default()
        };
        Input::Delta {
            sequence,
            clock: None,
            delta,
        }
    };
    let (mut session, mut ledger) = begin();
    session.handle(hello_of(1, 1), &mut ledger).unwrap();
    session.handle(full(1), &mut ledger).unwrap();
    let taken = (2..10_000).take_while(|sequence| session.handle(growing(*sequence), &mut ledger).is_ok());
    assert_eq!(taken.count(), limits::PROBES);
}
