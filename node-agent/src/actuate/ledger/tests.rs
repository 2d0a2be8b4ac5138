use mesh_proto::model::IfName;

use super::*;
use crate::actuate::{Facts, Goal, InterfaceFact, Knob, MeshSetting, Setting, Value};

fn name(text: &str) -> IfName {
    text.try_into().unwrap()
}

fn facts(interfaces: &[(&str, u32)]) -> Facts {
    let fact = |ifindex| InterfaceFact {
        ifindex,
        ..InterfaceFact::default()
    };
    Facts {
        interfaces: interfaces
            .iter()
            .map(|(ifname, ifindex)| (name(ifname), fact(*ifindex)))
            .collect(),
        ..Facts::default()
    }
}

fn goal(knobs: &[(Knob, Option<Value>)]) -> Goal {
    Goal {
        knobs: knobs.iter().cloned().collect(),
    }
}

fn existence() -> Knob {
    Knob::mesh(&name("bat0"), Setting::Algorithm)
}

fn penalty() -> Knob {
    Knob::mesh(&name("bat0"), Setting::Mesh(MeshSetting::HopPenalty))
}

fn mtu(ifname: &str) -> Knob {
    Knob::interface(&name(ifname), Setting::Mtu)
}

fn number(number: u32) -> Option<Value> {
    Some(Value::Number(number))
}

fn undo(penalty_before: u32) -> Undo {
    Undo {
        undo: goal(&[(penalty(), number(penalty_before))]),
        before: goal(&[(existence(), Some(Value::Algorithm("BATMAN_IV".into())))]),
        wish: format!("before {penalty_before}"),
    }
}

fn pending() -> Pending {
    Pending {
        boot_id: "one".into(),
        since_ns: 1,
        deadline_ns: 2,
        in_flight: true,
        meshes: [(name("bat0"), undo(30))].into(),
    }
}

#[test]
fn what_was_written_is_there_for_the_next() {
    let folder = tempfile::tempdir().unwrap();
    let mut ledger = Ledger::open(folder.path(), "one").unwrap();
    ledger
        .change(|entries| {
            entries.pending = Some(pending());
            entries.made.note(&name("bat0"), &undo(30).undo, &facts(&[("bat0", 7)]));
        })
        .unwrap();
    let entries = ledger.entries().clone();
    assert_eq!(read(folder.path()), entries);
    drop(ledger);
    assert_eq!(*Ledger::open(folder.path(), "one").unwrap().entries(), entries);

    let rebooted = Ledger::open(folder.path(), "two").unwrap();
    assert_eq!(
        rebooted.entries().pending,
        Some(pending()),
        "what is to be undone stays"
    );
    assert_eq!(
        rebooted.entries().made.meshes().count(),
        0,
        "what was made is gone with the boot"
    );
}

#[test]
fn only_one_holds_it() {
    let folder = tempfile::tempdir().unwrap();
    let held = Ledger::open(folder.path(), "one").unwrap();
    assert!(matches!(Ledger::open(folder.path(), "one"), Err(LedgerError::Busy(_))));
    drop(held);
    Ledger::open(folder.path(), "one").unwrap();
}

#[test]
fn a_ledger_that_is_not_understood_is_set_aside() {
    for text in ["", "{", "[]", "{\"version\":99}", "\u{0}\u{0}\u{0}"] {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join(FILE), text).unwrap();
        assert_eq!(read(folder.path()), Entries::default());
        let ledger = Ledger::open(folder.path(), "").unwrap();
        assert_eq!(*ledger.entries(), Entries::default(), "{text:?}");
        let aside = std::fs::read_to_string(folder.path().join("ledger.json.corrupt"));
        assert_eq!(aside.unwrap(), text);
    }
}

#[test]
fn what_cannot_be_written_did_not_happen() {
    let folder = tempfile::tempdir().unwrap();
    let mut ledger = Ledger::open(folder.path(), "one").unwrap();
    // Even root cannot write a file where a folder is.
    std::fs::create_dir(folder.path().join("ledger.json.new")).unwrap();
    let error = ledger
        .change(|entries| entries.pending = Some(pending()))
        .unwrap_err()
        .to_string();
    assert!(error.contains("state.directory"), "{error}");
    assert_eq!(ledger.entries().pending, None);
}

#[test]
fn a_change_given_up_becomes_the_wish_until_another_one_comes() {
    let mut entries = Entries::default();
    entries.pending = Some(pending());
    entries.reject_pending();
    assert_eq!(entries.pending, None);
    let rejected = &entries.rejected[&name("bat0")];
    assert!(!rejected.reached);
    assert_eq!(rejected.goal("one"), &undo(30).undo);
    assert_eq!(rejected.goal("two"), &undo(30).before);
}

#[test]
fn the_way_back_of_two_changes_leads_to_before_the_first() {
    let mut first = undo(30);
    let later = Undo {
        undo: goal(&[(penalty(), number(40)), (mtu("eth1"), number(1500))]),
        ..undo(40)
    };
    first.and_then(later);
    assert_eq!(
        first.undo,
        goal(&[(penalty(), number(30)), (mtu("eth1"), number(1500))])
    );
    assert_eq!(first.wish, "before 40");
}

#[test]
fn the_first_value_is_what_teardown_brings_back() {
    let mut made = Made::default();
    let there = facts(&[("bat0", 7), ("eth1", 2)]);
    made.note(&name("bat0"), &goal(&[(penalty(), number(30))]), &there);
    made.note(
        &name("bat0"),
        &goal(&[(penalty(), number(40)), (mtu("eth1"), number(1500))]),
        &there,
    );
    let expected = goal(&[(penalty(), number(30)), (mtu("eth1"), number(1500))]);
    assert_eq!(made.teardown(&name("bat0"), &there), expected);
    made.forget(&name("bat0"));
    assert_eq!(made, Made::default());
}

#[test]
fn another_interface_of_the_same_name_is_not_ours() {
    let mut made = Made::default();
    let before = facts(&[("eth1", 2)]);
    let way_back = goal(&[
        (existence(), None),
        (penalty(), number(30)),
        (mtu("eth1"), number(1500)),
    ]);
    made.note(&name("bat0"), &way_back, &before);
    let after = facts(&[("bat0", 7), ("eth1", 2)]);
    assert_eq!(
        made.teardown(&name("bat0"), &after),
        goal(&[(mtu("eth1"), number(1500))]),
        "killed before the index was noted, it may be anybody's"
    );
    made.settle(&name("bat0"), true, &after);
    let ours = made.teardown(&name("bat0"), &after);
    assert_eq!(ours, goal(&[(existence(), None), (mtu("eth1"), number(1500))]));

    // Somebody made another bat0, and another eth1 was plugged in.
    let others = facts(&[("bat0", 8), ("eth1", 3)]);
    assert_eq!(made.teardown(&name("bat0"), &others), Goal::default());
    made.note(&name("bat0"), &goal(&[(penalty(), number(50))]), &others);
    assert_eq!(
        made.teardown(&name("bat0"), &others),
        goal(&[(penalty(), number(50))]),
        "what is touched of the other one is noted anew"
    );
}

#[test]
fn what_was_another_s_and_is_made_anew_by_us_is_ours() {
    let mut made = Made::default();
    let there = facts(&[("bat0", 7)]);
    made.note(&name("bat0"), &goal(&[(penalty(), number(30))]), &there);
    // It was deleted by hand, and the agent makes it.
    made.note(&name("bat0"), &goal(&[(existence(), None)]), &facts(&[]));
    let again = facts(&[("bat0", 9)]);
    made.settle(&name("bat0"), true, &again);
    assert_eq!(made.teardown(&name("bat0"), &again), goal(&[(existence(), None)]));
}

#[test]
fn what_we_failed_to_make_is_another_s_when_it_appears() {
    let later = facts(&[("bat0", 7)]);
    // Another one was faster; or it failed, or the agent was killed, and another one made it later.
    for seen in [Some(facts(&[("bat0", 7)])), Some(facts(&[])), None] {
        let mut made = Made::default();
        made.note(&name("bat0"), &goal(&[(existence(), None)]), &facts(&[]));
        if let Some(seen) = seen {
            made.settle(&name("bat0"), false, &seen);
        }
        made.note(&name("bat0"), &goal(&[(penalty(), number(30))]), &later);
        made.settle(&name("bat0"), false, &later);
        assert_eq!(made.teardown(&name("bat0"), &later), goal(&[(penalty(), number(30))]));
    }
}
