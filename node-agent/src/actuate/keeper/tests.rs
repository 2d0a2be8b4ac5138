use proptest::prelude::*;

use super::super::{MeshSetting, Setting};
use super::*;

fn at(seconds: u64) -> Duration {
    Duration::from_secs(1_000 + seconds)
}

fn knob(mesh: &str) -> Knob {
    Knob::mesh(&mesh.try_into().unwrap(), Setting::Mesh(MeshSetting::HopPenalty))
}

fn differs(in_force: &str) -> Difference {
    Difference {
        setting: "bat0.hop_penalty".into(),
        wanted: "15".into(),
        in_force: in_force.into(),
        remedy: Remedy::Write(knob("bat0"), 7),
    }
}

fn met() -> [(String, Outcome); 1] {
    [("bat0.hop_penalty".into(), Outcome::Met)]
}

fn actions(events: &[Drift]) -> Vec<&Action> {
    events.iter().map(|event| &event.action).collect()
}

/// What was done at each look: `w`rite, `h`eld back, `r`efused, `s`aid.
fn done(keeper: &mut Keeper, difference: &Difference, stance: Stance, now: Duration, outcome: &Outcome) -> char {
    let verdict = keeper.look(std::slice::from_ref(difference), stance, now);
    if verdict.write.is_empty() {
        let why = &keeper.standing(now)[0].why;
        return why.chars().next().unwrap_or('?');
    }
    keeper.written([(difference.setting.clone(), outcome.clone())], now);
    'w'
}

#[test]
fn what_is_only_reported_is_told_once_and_never_written() {
    let mut keeper = Keeper::default();
    let first = keeper.look(&[differs("30")], Stance::Report, at(0));
    assert_eq!(actions(&first.events), [&Action::Reported]);
    assert!(first.write.is_empty() && first.hold.contains(&knob("bat0")));
    let second = keeper.look(&[differs("30")], Stance::Report, at(1));
    assert_eq!(second.events, []);
    let changed = keeper.look(&[differs("31")], Stance::Report, at(2));
    assert_eq!(
        (actions(&changed.events), changed.events[0].in_force.as_str()),
        (vec![&Action::Reported], "31")
    );
    assert_eq!(keeper.drift(), 1);
    let gone = keeper.look(&[], Stance::Report, at(3));
    assert_eq!(actions(&gone.events), [&Action::Gone]);
    assert_eq!(keeper.drift(), 0);
    assert_eq!(keeper.look(&[], Stance::Report, at(4)), Verdict::default());
}

#[test]
fn what_is_enforced_is_written_at_once_and_told_when_it_is_known() {
    let mut keeper = Keeper::default();
    let verdict = keeper.look(&[differs("30")], Stance::Enforce, at(0));
    assert_eq!(verdict.write.len(), 1);
    assert_eq!((verdict.events, keeper.drift()), (vec![], 1));
    assert_eq!(actions(&keeper.written(met(), at(0))), [&Action::PutRight]);
    assert_eq!(keeper.drift(), 0);
}

#[test]
fn a_fight_is_held_back_from_for_longer_and_longer_and_said_once_each() {
    let mut keeper = Keeper::default();
    let mut writes = Vec::new();
    let mut told = Vec::new();
    for second in 0..2_400 {
        let verdict = keeper.look(&[differs("30")], Stance::Enforce, at(second));
        told.extend(verdict.events.iter().filter_map(|event| match event.action {
            Action::HeldBack(span) => Some(span.as_secs()),
            _ => None,
        }));
        if !verdict.write.is_empty() {
            writes.push(second);
            keeper.written(met(), at(second));
        } else if second == 10 {
            assert_eq!(
                keeper.standing(at(second))[0].why,
                "held back for 23 s: somebody else sets it again and again"
            );
            assert_eq!(verdict.wake, Some(at(33)));
        }
    }
    assert_eq!(told, [30, 60, 120, 240, 480, 600, 600, 600]);
    assert_eq!(writes, [0, 1, 2, 33, 94, 215, 456, 937, 1_538, 2_139]);
}

#[test]
fn ten_quiet_minutes_forget_a_fight() {
    let mut keeper = Keeper::default();
    let fight = |keeper: &mut Keeper, from: u64| -> String {
        (from..from + 5)
            .map(|second| done(keeper, &differs("30"), Stance::Enforce, at(second), &Outcome::Met))
            .collect()
    };
    assert_eq!(fight(&mut keeper, 0), "wwwhh");
    keeper.look(&[], Stance::Enforce, at(5));
    assert_eq!(fight(&mut keeper, 100), "whhhh", "not forgotten yet");
    keeper.look(&[], Stance::Enforce, at(110));
    keeper.look(&[], Stance::Enforce, at(800));
    assert_eq!(fight(&mut keeper, 801), "wwwhh");
    keeper.start_anew();
    assert_eq!(fight(&mut keeper, 810), "wwwhh", "somebody said that it is to be tried");
}

#[test]
fn what_the_kernel_does_not_take_is_not_written_again_until_something_changes() {
    let mut keeper = Keeper::default();
    let clamped = Outcome::Refused("40".into(), "the kernel set another value".into());
    assert_eq!(
        done(&mut keeper, &differs("1000"), Stance::Enforce, at(0), &clamped),
        'w'
    );
    for second in 1..2_000 {
        assert_eq!(
            done(&mut keeper, &differs("40"), Stance::Enforce, at(second), &clamped),
            'r'
        );
    }
    assert_eq!(
        keeper.standing(at(2_000))[0].why,
        "refused: the kernel set another value"
    );
    assert_eq!(
        done(&mut keeper, &differs("1000"), Stance::Enforce, at(2_000), &clamped),
        'w',
        "another value is in force"
    );
    let wish = Difference {
        wanted: "50".into(),
        ..differs("40")
    };
    assert_eq!(
        done(&mut keeper, &wish, Stance::Enforce, at(2_001), &Outcome::Met),
        'w',
        "another wish"
    );
}

#[test]
fn a_write_that_failed_is_tried_again_later_and_later() {
    let mut keeper = Keeper::default();
    let failed = Outcome::Failed("the interface is gone".into());
    let mut writes = Vec::new();
    let mut told = 0;
    for second in 0..500 {
        let verdict = keeper.look(&[differs("30")], Stance::Enforce, at(second));
        told += verdict.events.len();
        if !verdict.write.is_empty() {
            writes.push(second);
            told += keeper
                .written([("bat0.hop_penalty".into(), failed.clone())], at(second))
                .len();
        }
    }
    assert_eq!(writes, [0, 30, 90, 210, 450]);
    assert_eq!(told, 1, "the same reason is told once");
}

#[test]
fn an_interface_that_vanished_and_came_back_is_another_one() {
    let mut keeper = Keeper::default();
    let plugged = |index| Difference {
        remedy: Remedy::Write(knob("bat0"), index),
        ..differs("30")
    };
    for index in 1..20 {
        assert_eq!(
            done(&mut keeper, &plugged(index), Stance::Enforce, at(1), &Outcome::Met),
            'w'
        );
    }
}

#[test]
fn a_mesh_interface_is_not_made_anew_by_itself() {
    let mut keeper = Keeper::default();
    let other = Difference {
        remedy: Remedy::Recreate,
        ..differs("BATMAN_V")
    };
    let verdict = keeper.look(&[other], Stance::Enforce, at(0));
    assert!(verdict.write.is_empty());
    let Action::Refused(why) = &verdict.events[0].action else {
        panic!("{verdict:?}");
    };
    assert!(why.contains("--recreate"), "{why}");
}

#[test]
fn what_cannot_be_written_is_said_whatever_the_policy() {
    let mut keeper = Keeper::default();
    let missing = Difference {
        remedy: Remedy::None,
        ..differs("")
    };
    let verdict = keeper.look(&[missing], Stance::Enforce, at(0));
    assert_eq!(actions(&verdict.events), [&Action::Reported]);
    assert_eq!((verdict.write.len(), keeper.drift()), (0, 1));
}

#[derive(Debug, Clone)]
struct Look {
    after: u64,
    differs: Option<u8>,
    outcome: u8,
}

fn looks() -> impl Strategy<Value = Vec<Look>> {
    let look = (0..40u64, proptest::option::of(0..3u8), 0..6u8).prop_map(|(after, differs, outcome)| Look {
        after,
        differs,
        outcome,
    });
    proptest::collection::vec(look, 0..120)
}

proptest! {
    /// Whatever the kernel and others do, one knob costs few writes and few events.
    #[test]
    fn no_knob_is_written_or_told_without_end(looks in looks()) {
        let mut keeper = Keeper::default();
        let mut now = Duration::from_secs(5);
        let (mut writes, mut told) = (Vec::new(), Vec::new());
        for look in looks {
            now += Duration::from_millis(look.after * 700);
            let differences: Vec<_> = look.differs.iter().map(|value| differs(&value.to_string())).collect();
            let verdict = keeper.look(&differences, Stance::Enforce, now);
            let mut events = verdict.events;
            if !verdict.write.is_empty() {
                writes.push(now);
                let outcome = match look.outcome {
                    0 => Outcome::Refused("9".into(), "clamped".into()),
                    1 => Outcome::Failed("busy".into()),
                    _ => Outcome::Met,
                };
                events.extend(keeper.written([("bat0.hop_penalty".into(), outcome)], now));
            }
            prop_assert!(verdict.write.is_empty() || !verdict.hold.contains(&knob("bat0")));
            told.extend(events.iter().map(|_| now));
            for (instants, limit) in [(&writes, WRITES_IN_WINDOW + 1), (&told, TOLD_IN_WINDOW)] {
                let recent = instants.iter().filter(|instant| **instant + WINDOW > now).count();
                prop_assert!(recent <= limit, "{recent} in a minute");
            }
        }
    }

    /// A fight over one setting leaves the verdict on another as it would be without.
    #[test]
    fn one_setting_s_trouble_is_not_another_s(looks in looks(), others in looks()) {
        let other = |value: u8| Difference {
            setting: "bat0.orig_interval".into(),
            remedy: Remedy::Write(Knob::mesh(&"bat0".try_into().unwrap(), Setting::Mesh(MeshSetting::OrigInterval)), 7),
            ..differs(&value.to_string())
        };
        let (mut both, mut alone) = (Keeper::default(), Keeper::default());
        let mut now = Duration::from_secs(5);
        for (look, beside) in looks.iter().zip(&others) {
            now += Duration::from_millis(look.after * 700);
            let one: Vec<_> = look.differs.map(other).into_iter().collect();
            let two: Vec<_> = one.iter().cloned().chain(beside.differs.map(|value| differs(&value.to_string()))).collect();
            let (alone_says, both_say) =
                (alone.look(&one, Stance::Enforce, now), both.look(&two, Stance::Enforce, now));
            let writes = |verdict: &Verdict| verdict.write.contains_key("bat0.orig_interval");
            prop_assert_eq!(writes(&alone_says), writes(&both_say));
            for keeper in [&mut alone, &mut both] {
                keeper.written(
                    ["bat0.orig_interval", "bat0.hop_penalty"].map(|setting| (setting.to_owned(), Outcome::Met)),
                    now,
                );
            }
        }
    }
}
