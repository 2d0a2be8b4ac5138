use super::*;
use crate::actuate::sim::worlds::{ifname, knob};
use crate::actuate::sim::{Sim, SimInterface, SimMesh};
use crate::actuate::{Network, Radio, Width};

fn flag(on: bool) -> Option<Value> {
    Some(Value::Flag(on))
}

fn number(value: u32) -> Option<Value> {
    Some(Value::Number(value))
}

fn bat0() -> Option<Value> {
    Some(Value::Interface(ifname("bat0")))
}

fn radio() -> Option<Value> {
    Some(Value::Radio(Radio {
        network: Network::Mesh("roofs".to_owned()),
        frequency_mhz: 5180,
        width: Width::Ht20,
    }))
}

/// bat0 with eth0 of this MTU, and wlan0.
fn sim(mtu: u32) -> Sim {
    let mut sim = Sim::default();
    sim.meshes.insert(ifname("bat0"), SimMesh::new("BATMAN_IV", 1));
    let eth0 = SimInterface {
        mtu,
        ..SimInterface::ethernet(1)
    };
    sim.interfaces.insert(ifname("eth0"), eth0);
    sim.interfaces.insert(ifname("wlan0"), SimInterface::wireless(2));
    sim.set(&knob("eth0.master"), bat0().as_ref()).expect("it joins");
    sim
}

fn plan<const N: usize>(sim: &Sim, knobs: [(&str, Option<Value>); N]) -> Plan {
    let knobs = knobs.into_iter().map(|(text, value)| (knob(text), value)).collect();
    Plan::new(&sim.state(), &Goal { knobs })
}

fn knobs(plan: &Plan) -> Vec<String> {
    plan.steps.iter().map(|step| step.knob.to_string()).collect()
}

#[test]
fn a_radio_that_joins_stays_up_and_is_down_after_the_undo() {
    let plan = plan(&sim(1500), [("wlan0.radio", radio()), ("wlan0.master", bat0())]);
    assert_eq!(knobs(&plan), ["wlan0.radio", "wlan0.master"]);
    assert_eq!(plan.disruption(), Some(Disruption::Hitless));
    assert_eq!(plan.undo.knobs[&knob("wlan0.radio")], None);
    assert_eq!(plan.undo.knobs[&knob("wlan0.up")], flag(false));
}

#[test]
fn a_radio_with_a_new_address_joins_again() {
    let mut sim = sim(1500);
    sim.set(&knob("wlan0.radio"), radio().as_ref()).expect("it joins");
    let address = Some(Value::Address(mesh_proto::model::MacAddr([2, 0, 0, 0, 0, 9])));
    let plan = plan(&sim, [("wlan0.mac", address)]);
    assert_eq!(knobs(&plan), ["wlan0.mac", "wlan0.radio"]);
}

#[test]
fn fragmentation_goes_off_unseen_where_every_member_is_large_enough() {
    let off = [("bat0.fragmentation", flag(false))];
    assert_eq!(plan(&sim(1500), off.clone()).disruption(), Some(Disruption::Flap));
    assert_eq!(plan(&sim(1560), off).disruption(), Some(Disruption::Hitless));
}

#[test]
fn loop_avoidance_holds_broadcasts_back_when_it_begins() {
    let mut sim = sim(1500);
    let off = [("bat0.bridge_loop_avoidance", flag(false))];
    assert_eq!(plan(&sim, off.clone()).disruption(), Some(Disruption::Hitless));
    let bridge = Some(Value::Interface(ifname("br0")));
    sim.set(&knob("bat0.master"), bridge.as_ref()).expect("it joins");
    assert_eq!(plan(&sim, off.clone()).disruption(), Some(Disruption::Flap));
    sim.set(&knob("bat0.bridge_loop_avoidance"), flag(false).as_ref())
        .expect("set");
    let on = [("bat0.bridge_loop_avoidance", flag(true))];
    assert_eq!(plan(&sim, on).disruption(), Some(Disruption::Flap));
}

#[test]
fn what_cannot_be_is_no_step() {
    let sim = sim(1500);
    let absent = plan(&sim, [("eth9.master", bat0()), ("eth9.mtu", number(1560))]);
    assert_eq!(knobs(&absent), Vec::<String>::new());
    let no_member = plan(&sim, [("wlan0.hop_penalty", number(5))]);
    assert_eq!(knobs(&no_member), Vec::<String>::new());
    let no_mesh = plan(&sim, [("eth0.master", Some(Value::Interface(ifname("bat9"))))]);
    assert_eq!(knobs(&no_mesh), Vec::<String>::new());
    let no_vlan = Goal {
        knobs: [(Knob::vlan(&ifname("bat0"), 10), flag(true))].into(),
    };
    assert!(Plan::new(&sim.state(), &no_vlan).is_empty());
}

#[test]
fn the_gateway_class_is_not_carried_to_another_algorithm() {
    let algorithm = || Some(Value::Algorithm("BATMAN_V".to_owned()));
    let plain = plan(&sim(1500), [("bat0.algorithm", algorithm())]);
    assert!(!knobs(&plain).contains(&"bat0.gw_sel_class".to_owned()));
    assert_eq!(plain.undo.knobs[&knob("bat0.gw_sel_class")], number(20));
    let named = plan(
        &sim(1500),
        [("bat0.algorithm", algorithm()), ("bat0.gw_sel_class", number(20))],
    );
    assert!(knobs(&named).contains(&"bat0.gw_sel_class".to_owned()));
}
