use proptest::prelude::*;

use super::*;

fn pending(in_flight: bool) -> Pending {
    Pending {
        boot_id: "one".into(),
        since_ns: 100_000_000_000,
        deadline_ns: 220_000_000_000,
        in_flight,
        meshes: [].into(),
    }
}

#[test]
fn a_change_is_undone_when_its_time_is_up_when_its_maker_died_and_after_a_restart() {
    let cases = [
        (false, 100, "one", Due::Wait(Duration::from_secs(220))),
        (false, 219, "one", Due::Wait(Duration::from_secs(220))),
        (false, 220, "one", Due::Undo(Because::Lapsed)),
        (false, 9_999, "one", Due::Undo(Because::Lapsed)),
        (true, 101, "one", Due::Undo(Because::Unfinished)),
        (false, 101, "two", Due::Undo(Because::Restarted)),
        (true, 101, "two", Due::Undo(Because::Restarted)),
        (false, 101, "", Due::Undo(Because::Restarted)),
        // The same boot by its name, and a clock that has not come so far.
        (false, 99, "one", Due::Undo(Because::Restarted)),
    ];
    for (in_flight, now, boot_id, expected) in cases {
        let found = due(&pending(in_flight), Duration::from_secs(now), boot_id);
        assert_eq!(found, expected, "in flight {in_flight}, {now} s, boot {boot_id:?}");
    }
}

proptest! {
    #[test]
    fn waiting_ends_and_stays_ended(now in 0..400u64, later in 0..400u64, in_flight: bool) {
        let at = |seconds| due(&pending(in_flight), Duration::from_secs(seconds), "one");
        if let Due::Wait(until) = at(now) {
            prop_assert!(until > Duration::from_secs(now));
        } else if now >= 100 {
            prop_assert!(matches!(at(now + later), Due::Undo(_)));
        }
    }
}
