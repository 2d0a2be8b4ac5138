mod law;

use futures_util::FutureExt;

use super::*;
use crate::actuate::sim::worlds::{ifname, knob};
use crate::actuate::sim::{Sim, SimInterface, SimMesh};

fn number(value: u32) -> Option<Value> {
    Some(Value::Number(value))
}

fn bat0() -> Option<Value> {
    Some(Value::Interface(ifname("bat0")))
}

/// bat0 without members, eth0 and eth1.
fn sim() -> Sim {
    let mut sim = Sim::default();
    sim.meshes.insert(ifname("bat0"), SimMesh::new("BATMAN_IV", 1));
    sim.interfaces.insert(ifname("eth0"), SimInterface::ethernet(1));
    sim.interfaces.insert(ifname("eth1"), SimInterface::ethernet(2));
    sim
}

fn run<const N: usize>(sim: &mut Sim, knobs: [(&str, Option<Value>); N]) -> Report {
    let knobs = knobs.into_iter().map(|(text, value)| (knob(text), value)).collect();
    let report = apply(sim, &Goal { knobs }, Permit::default()).now_or_never();
    report.expect("it ends")
}

#[test]
fn what_fails_is_tried_once_and_stops_nothing_else() {
    let mut sim = sim();
    sim.failing.insert(knob("eth0.master"), WriteError::Gone);
    let report = run(
        &mut sim,
        [
            ("eth0.master", bat0()),
            ("eth0.hop_penalty", number(5)),
            ("eth1.master", bat0()),
            ("bat0.hop_penalty", number(15)),
        ],
    );
    let unmet: Vec<_> = report
        .unmet
        .iter()
        .map(|unmet| (unmet.knob.to_string(), unmet.why.clone()))
        .collect();
    assert_eq!(unmet, [("eth0.master".to_owned(), Why::Failed(WriteError::Gone))]);
    assert_eq!(
        sim.writes
            .iter()
            .filter(|(written, _)| *written == knob("eth0.master"))
            .count(),
        1
    );
    assert_eq!(
        sim.meshes[&ifname("bat0")].settings[&crate::actuate::MeshSetting::HopPenalty],
        Value::Number(15)
    );
    assert_eq!(sim.interfaces[&ifname("eth1")].master, Some(ifname("bat0")));
}

#[test]
fn nothing_is_taken_from_another_master() {
    let mut sim = sim();
    sim.interfaces
        .get_mut(&ifname("eth0"))
        .expect("it is there")
        .other_master = Some(ifname("br0"));
    let report = run(&mut sim, [("eth0.master", bat0())]);
    assert!(
        matches!(&report.unmet[..], [Unmet { why: Why::Failed(WriteError::Refused(why)), .. }] if why.contains("br0"))
    );
    assert_eq!(sim.writes, vec![]);
}

#[test]
fn an_unreadable_kernel_is_not_written_to() {
    let mut sim = sim();
    sim.unreadable = Some(ReadError::TimedOut(5));
    let report = run(&mut sim, [("bat0.hop_penalty", number(15))]);
    assert_eq!(report.error, Some(ReadError::TimedOut(5)));
    assert!(!report.is_met());
    assert_eq!(sim.writes, vec![]);
}

#[test]
fn members_that_join_together_cost_one_look() {
    let mut sim = sim();
    run(&mut sim, [("eth0.master", bat0()), ("eth1.master", bat0())]);
    assert_eq!((sim.writes.len(), sim.reads), (2, 2));
}
