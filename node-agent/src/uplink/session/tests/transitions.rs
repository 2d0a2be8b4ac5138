//! Each transition by itself.

use super::*;

fn summary(messages: &[Message]) -> Vec<String> {
    let one = |message: &Message| match message {
        Message::Hello(hello) => format!("hello {}.{}", hello.epoch.incarnation, hello.epoch.connection),
        Message::FullSync { sequence, clock, .. } => format!("full {sequence} of {}", clock.boottime_ns),
        Message::Delta { sequence, clock, delta } => {
            let what = if delta.svid.is_some() { "delta" } else { "sign of life" };
            format!("{what} {sequence} of {}", clock.boottime_ns)
        }
        Message::Records {
            first_sequence,
            records,
        } => format!("records {first_sequence}+{}", records.len()),
    };
    messages.iter().map(one).collect()
}

fn notices(outputs: &[Output]) -> Vec<&Notice> {
    let mut notices = Vec::new();
    for output in outputs {
        if let Output::Notice(notice) = output {
            notices.push(notice);
        }
    }
    notices
}

#[test]
fn the_first_connection_is_tried_within_a_second_and_begins_with_hello() {
    let mut bench = Bench::new();
    assert!(bench.sleep() <= BACKOFF_BASE);
    assert_eq!(bench.give(Input::Tick), [Output::Dial]);
    assert_eq!(bench.session.wakeup(), None);
    let outputs = bench.sent(Input::Dialled(clock(1)));
    assert_eq!(summary(&outputs), ["hello 7.1"]);
}

#[test]
fn a_tick_before_its_time_does_nothing() {
    let mut bench = Bench::new();
    bench.session.phase = Phase::Resting {
        until: bench.now + Duration::from_secs(1),
    };
    assert_eq!(bench.give(Input::Tick), []);
}

#[test]
fn nothing_is_sent_before_the_welcome() {
    let mut bench = Bench::dialled();
    assert_eq!(bench.give(snapshot(1)), []);
    assert_eq!(bench.give(records(1..=3)), []);
}

#[test]
fn the_newest_view_goes_out_whole_after_the_welcome() {
    let mut bench = Bench::dialled();
    bench.give(snapshot(1));
    bench.give(snapshot(2));
    assert_eq!(summary(&bench.sent(Input::Welcome(terms(100, 0)))), ["full 1 of 2"]);
}

#[test]
fn deltas_follow_without_a_gap_and_an_unchanged_view_is_a_sign_of_life() {
    let mut bench = Bench::open();
    assert_eq!(summary(&bench.sent(snapshot(1))), ["full 1 of 1"]);
    bench.give(Input::LiveAck(1));
    assert_eq!(summary(&bench.sent(snapshot(2))), ["delta 2 of 2"]);
    bench.give(Input::LiveAck(2));
    assert_eq!(
        summary(&bench.sent(Input::Snapshot(view(2), clock(3)))),
        ["sign of life 3 of 3"]
    );
}

#[test]
fn while_the_peer_is_slow_only_the_newest_view_is_kept() {
    let mut bench = Bench::open();
    bench.give(snapshot(1));
    bench.give(snapshot(2));
    for n in 3..50 {
        assert_eq!(bench.give(snapshot(n)), []);
    }
    assert_eq!(summary(&bench.sent(Input::LiveAck(1))), ["delta 3 of 49"]);
    assert_eq!(bench.give(Input::LiveAck(3)), []);
}

#[test]
fn a_full_view_is_sent_on_request_with_the_next_number_and_old_reports_are_not_waited_for() {
    let mut bench = Bench::open();
    bench.give(snapshot(1));
    bench.give(snapshot(2));
    let reason = "deltas are missing".to_owned();
    let sent = bench.sent(Input::FullSyncRequest { reason });
    assert_eq!(summary(&sent), ["full 3 of 2"]);
    assert_eq!(summary(&bench.sent(snapshot(3))), ["delta 4 of 3"]);
}

#[test]
fn a_view_that_lost_what_a_delta_cannot_unsay_goes_out_whole() {
    let mut bench = Bench::open();
    bench.give(snapshot(1));
    let sent = bench.sent(Input::Snapshot(Arc::default(), clock(2)));
    assert_eq!(summary(&sent), ["full 2 of 2"]);
}

#[test]
fn records_wait_until_the_live_lane_has_arrived() {
    let mut bench = Bench::dialled();
    bench.give(records(1..=300));
    bench.give(Input::Welcome(terms(1_000, 0)));
    assert_eq!(summary(&bench.sent(snapshot(1))), ["full 1 of 1"]);
    assert_eq!(summary(&bench.sent(Input::LiveAck(1))), ["records 1+256"]);
    assert_eq!(summary(&bench.sent(Input::RecordsAck(256))), ["records 257+44"]);
}

#[test]
fn records_keep_within_the_window_the_collector_granted() {
    let mut bench = Bench::dialled();
    bench.give(Input::Welcome(terms(2, 0)));
    bench.give(snapshot(1));
    bench.give(Input::LiveAck(1));
    assert_eq!(summary(&bench.sent(records(1..=5))), ["records 1+2"]);
    assert_eq!(bench.sent(records(6..=6)), []);
    assert_eq!(bench.sent(Input::RecordsAck(1)), []);
    assert_eq!(summary(&bench.sent(Input::RecordsAck(2))), ["records 3+2"]);
}

#[test]
fn after_a_reconnect_the_records_the_collector_has_are_not_sent_again() {
    let mut bench = Bench::open();
    bench.give(snapshot(1));
    bench.give(Input::LiveAck(1));
    bench.give(records(1..=5));
    bench.give(lost());
    assert_eq!(summary(&[bench.dial()]), ["hello 7.2"]);
    assert_eq!(summary(&bench.sent(Input::Welcome(terms(100, 3)))), ["full 1 of 1"]);
    assert_eq!(summary(&bench.sent(Input::LiveAck(1))), ["records 4+2"]);
}

#[test]
fn records_beyond_the_bound_are_lost_counted_and_told_once() {
    let mut bench = Bench::new();
    let capacity = OUTBOX_CAPACITY as u64;
    assert_eq!(bench.give(records(1..=capacity)), []);
    assert_eq!(bench.give(records(1..=2)), [Output::Notice(Notice::LosingRecords)]);
    assert_eq!(bench.give(records(1..=3)), []);
    assert_eq!(bench.session.lost_records(), 5);
    bench.dial();
    let outputs = bench.give(Input::Welcome(terms(1, 0)));
    let expected = Notice::Welcomed {
        protocol: 1,
        lost_records: 5,
    };
    assert_eq!(notices(&outputs), [&expected]);
}

#[test]
fn waits_grow_until_an_acknowledgement_not_a_connection() {
    let mut bench = Bench::new();
    for _ in 0..10 {
        bench.dial();
        bench.give(Input::Welcome(terms(1, 0)));
        bench.give(lost());
    }
    assert_eq!(bench.session.backoff.ceiling(), BACKOFF_CAP);
    bench.dial();
    bench.give(Input::Welcome(terms(1, 0)));
    bench.give(snapshot(1));
    assert_eq!(bench.session.backoff.ceiling(), BACKOFF_CAP);
    bench.give(Input::LiveAck(1));
    assert_eq!(bench.session.backoff.ceiling(), BACKOFF_BASE);
}

#[test]
fn a_failed_attempt_is_told_with_its_reason() {
    let mut bench = Bench::new();
    bench.sleep();
    bench.give(Input::Tick);
    let outputs = bench.give(lost());
    let [Output::Notice(Notice::Lost { reason, wait })] = &outputs[..] else {
        panic!("{outputs:?}");
    };
    assert_eq!(reason, "broken pipe");
    assert_eq!(bench.sleep(), *wait);
}

#[test]
fn a_collector_that_does_not_answer_hello_is_given_up() {
    let mut bench = Bench::dialled();
    assert_eq!(bench.sleep(), ANSWER_TIMEOUT);
    let outputs = bench.give(Input::Tick);
    assert_eq!(outputs[0], Output::Hangup);
    assert!(matches!(notices(&outputs)[..], [Notice::Lost { .. }]));
    assert!(matches!(bench.session.phase, Phase::Resting { .. }));
}

#[test]
fn a_collector_that_stops_acknowledging_is_given_up_and_an_idle_one_is_not() {
    let mut bench = Bench::open();
    assert_eq!(bench.session.wakeup(), None);
    bench.now += Duration::from_secs(3_600);
    bench.give(snapshot(1));
    assert_eq!(bench.sleep(), ANSWER_TIMEOUT);
    assert_eq!(bench.give(Input::Tick)[0], Output::Hangup);
}

#[test]
fn a_draining_collector_is_left_for_the_time_it_asked() {
    let mut bench = Bench::open();
    let after = Duration::from_secs(30);
    let outputs = bench.give(Input::Drain { after });
    assert!(outputs.contains(&Output::Hangup));
    let slept = bench.sleep();
    assert!((after..=after + BACKOFF_BASE).contains(&slept), "{slept:?}");
    assert_eq!(bench.give(Input::Tick), [Output::Dial]);
}

#[test]
fn an_agent_that_lost_its_number_takes_the_next_one_once() {
    let mut bench = Bench::dialled();
    let outputs = bench.give(Input::Closed(Close::Outdated { newest: Some(41) }));
    assert_eq!(outputs[0], Output::KeepIncarnation(42));
    assert!(bench.sleep() <= BACKOFF_BASE);
    assert_eq!(summary(&[bench.dial()]), ["hello 42.1"]);
    let outputs = bench.give(Input::Closed(Close::Outdated { newest: Some(42) }));
    assert!(matches!(notices(&outputs)[..], [Notice::Rival { .. }]));
    assert!(bench.sleep() >= RIVAL_PAUSE / 2);
}

#[test]
fn an_agent_that_had_been_welcomed_keeps_its_distance_from_a_rival() {
    let mut bench = Bench::open();
    let outputs = bench.give(Input::Closed(Close::Outdated { newest: Some(41) }));
    assert!(
        matches!(outputs[..], [Output::Notice(Notice::Rival { .. })]),
        "{outputs:?}"
    );
    assert!(bench.sleep() >= RIVAL_PAUSE / 2);
    assert_eq!(summary(&[bench.dial()]), ["hello 7.2"]);
}

#[test]
fn a_refusal_that_names_no_number_is_not_guessed_at() {
    let mut bench = Bench::dialled();
    let outputs = bench.give(Input::Closed(Close::Outdated { newest: None }));
    assert!(
        matches!(outputs[..], [Output::Notice(Notice::Rival { .. })]),
        "{outputs:?}"
    );
}

#[test]
fn answers_that_come_too_late_are_ignored() {
    let mut bench = Bench::open();
    bench.give(snapshot(1));
    bench.give(lost());
    for input in [
        Input::Welcome(terms(1, 0)),
        Input::LiveAck(1),
        Input::RecordsAck(9),
        Input::FullSyncRequest { reason: String::new() },
        Input::Drain { after: INTERVAL },
        Input::Dialled(clock(1)),
        lost(),
    ] {
        assert_eq!(bench.give(input.clone()), [], "{input:?}");
    }
}
