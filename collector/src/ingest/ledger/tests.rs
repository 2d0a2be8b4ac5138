use super::*;

fn node(name: &str) -> NodeId {
    NodeId::try_from(name).unwrap()
}

fn epoch(incarnation: u64, connection: u64) -> Epoch {
    Epoch {
        incarnation,
        connection,
    }
}

#[test]
fn only_a_greater_epoch_is_let_in() {
    let known = epoch(5, 3);
    for (offered, let_in) in [
        (epoch(5, 3), false),
        (epoch(5, 2), false),
        (epoch(4, 9), false),
        (epoch(5, 4), true),
        (epoch(6, 1), true),
    ] {
        let mut ledger = Ledger::default();
        ledger.open(&node("a"), known).unwrap();
        let outcome = ledger.open(&node("a"), offered);
        assert_eq!(outcome.is_ok(), let_in, "{offered:?}");
        assert_eq!(
            ledger.is_current(&node("a"), offered),
            let_in || offered == known,
            "{offered:?}"
        );
        if !let_in {
            assert_eq!(outcome, Err(Outdated { newest: known }));
        }
    }
}

#[test]
fn nodes_do_not_fence_each_other() {
    let mut ledger = Ledger::default();
    ledger.open(&node("a"), epoch(9, 1)).unwrap();
    ledger.open(&node("b"), epoch(1, 1)).unwrap();
    assert!(ledger.is_current(&node("a"), epoch(9, 1)));
}

#[test]
fn a_reconnected_agent_is_told_how_far_its_records_came() {
    let (mut ledger, a) = (Ledger::default(), node("a"));
    assert_eq!(ledger.open(&a, epoch(1, 1)), Ok(0));
    assert_eq!(
        ledger.records(&a, epoch(1, 1), 1, 10),
        Some(Arrival {
            high_water: 10,
            before: 0,
            gap: false
        })
    );
    assert_eq!(ledger.open(&a, epoch(1, 2)), Ok(10));
    assert_eq!(
        ledger.records(&a, epoch(1, 1), 11, 1),
        None,
        "the old session is fenced off"
    );
    assert_eq!(ledger.open(&a, epoch(2, 1)), Ok(0), "a new process numbers anew");
}

#[test]
fn missing_records_are_a_gap_and_repeated_ones_are_not() {
    let (mut ledger, a) = (Ledger::default(), node("a"));
    ledger.open(&a, epoch(1, 1)).unwrap();
    let mut before = 0;
    for (first, count, high_water, gap) in [
        (1, 3, 3, false),
        (2, 3, 4, false),
        (1, 2, 4, false),
        (5, 0, 4, false),
        (9, 0, 4, false),
        (7, 2, 8, true),
        (9, 1, 9, false),
        (u64::MAX, 1, u64::MAX, true),
    ] {
        assert_eq!(
            ledger.records(&a, epoch(1, 1), first, count),
            Some(Arrival {
                high_water,
                before,
                gap
            }),
            "{first} + {count}"
        );
        before = high_water;
    }
}

#[test]
fn records_from_before_the_collector_started_are_no_gap() {
    let (mut ledger, a) = (Ledger::default(), node("a"));
    ledger.open(&a, epoch(4, 7)).unwrap();
    let first = ledger.records(&a, epoch(4, 7), 500, 1);
    assert_eq!(
        first,
        Some(Arrival {
            high_water: 500,
            before: 0,
            gap: false
        })
    );
    let second = ledger.records(&a, epoch(4, 7), 502, 1);
    assert_eq!(
        second,
        Some(Arrival {
            high_water: 502,
            before: 500,
            gap: true
        })
    );
}
