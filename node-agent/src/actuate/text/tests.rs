use std::path::PathBuf;

use expect_test::{Expect, expect};

use super::*;
use crate::actuate::apply::{Permit, apply};
use crate::actuate::desired::{Missing, Problem};
use crate::actuate::sim::worlds::{ifname, knob};
use crate::actuate::sim::{Sim, SimInterface, SimMesh};
use crate::actuate::{Goal, Knob, Network, Radio, Width, WriteError};
use crate::config::Vid;
use futures_util::FutureExt;

fn number(value: u32) -> Option<Value> {
    Some(Value::Number(value))
}

fn interface(name: &str) -> Option<Value> {
    Some(Value::Interface(ifname(name)))
}

fn algorithm(name: &str) -> Option<Value> {
    Some(Value::Algorithm(name.to_owned()))
}

fn radio() -> Option<Value> {
    Some(Value::Radio(Radio {
        network: Network::Mesh("roofs".to_owned()),
        frequency_mhz: 5180,
        width: Width::Ht20,
    }))
}

/// bat0 with eth2, and eth1 and wlan0 free.
fn sim() -> Sim {
    let mut sim = Sim::default();
    sim.meshes.insert(ifname("bat0"), SimMesh::new("BATMAN_IV", 1));
    for (name, interface) in [
        ("eth1", SimInterface::ethernet(1)),
        ("eth2", SimInterface::ethernet(2)),
        ("wlan0", SimInterface::wireless(3)),
    ] {
        sim.interfaces.insert(ifname(name), interface);
    }
    sim.set(&knob("eth2.master"), interface("bat0").as_ref())
        .expect("it joins");
    sim
}

fn goal<const N: usize>(knobs: [(&str, Option<Value>); N]) -> Goal {
    let knobs = knobs.into_iter().map(|(text, value)| (knob(text), value));
    Goal { knobs: knobs.collect() }
}

fn planned(sim: &Sim, goal: &Goal, resolved: &Resolved, expected: &Expect) {
    expected.assert_eq(&plan(&ifname("bat0"), &Plan::new(&sim.state(), goal), resolved));
}

#[test]
fn a_plan_reads_like_a_diff() {
    let goal = goal([
        ("bat0.hop_penalty", number(15)),
        ("bat0.orig_interval", number(5000)),
        ("bat0.gw_mode", number(2)),
        ("bat0.gw_bandwidth_down_kbit", number(200)),
        ("eth1.master", interface("bat0")),
        ("eth1.mtu", number(1560)),
        ("eth1.hop_penalty", number(10)),
        ("eth2.master", None),
        ("wlan0.radio", radio()),
    ]);
    planned(
        &sim(),
        &goal,
        &Resolved::default(),
        &expect![[r#"
            bat0
              - eth2 leaves bat0                                                                 flap
              + wlan0 joins { type = "mesh", id = "roofs", frequency = 5180, width = "HT20" }    hitless
              ~ eth1.mtu: 1500 → 1560                                                            flap
              ~ bat0.orig_interval: "1s" → "5s"                                                  hitless
              ~ bat0.gw_mode: "off" → "server"                                                   hitless
              ~ bat0.gw_bandwidth_down_kbit: 10000 → 20000                                       hitless
              ~ bat0.hop_penalty: 30 → 15                                                        hitless
              + eth1 joins bat0                                                                  hitless
              + eth1.hop_penalty: 10                                                             hitless
            bat0: 9 steps, 7 hitless, 2 flap
        "#]],
    );
}

#[test]
fn what_comes_back_after_a_mesh_is_made_anew_is_seen() {
    let mut sim = sim();
    sim.set(&knob("bat0.hop_penalty"), number(15).as_ref()).expect("set");
    sim.set(&knob("eth2.hop_penalty"), number(5).as_ref()).expect("set");
    sim.set(&knob("bat0.master"), interface("br0").as_ref()).expect("set");
    planned(
        &sim,
        &goal([("bat0.algorithm", algorithm("BATMAN_V"))]),
        &Resolved::default(),
        &expect![[r#"
            bat0
              ! bat0.algorithm: "BATMAN_IV" → "BATMAN_V"    recreate: its IP addresses and VLANs go with it
              + bat0.orig_interval: "1s"                    hitless
              + bat0.aggregation: true                      hitless
              + bat0.ap_isolation: false                    hitless
              + bat0.isolation_mark: 0x00000000             hitless
              + bat0.isolation_mask: 0x00000000             hitless
              + bat0.bonding: false                         hitless
              + bat0.bridge_loop_avoidance: true            hitless
              + bat0.distributed_arp_table: true            hitless
              + bat0.fragmentation: true                    hitless
              + bat0.gw_mode: "off"                         hitless
              + bat0.gw_bandwidth_down_kbit: 10000          hitless
              + bat0.gw_bandwidth_up_kbit: 2000             hitless
              + bat0.hop_penalty: 15                        hitless
              + bat0.multicast_forceflood: false            hitless
              + bat0.multicast_fanout: 16                   hitless
              + bat0.network_coding: false                  hitless
              + eth2 joins bat0                             hitless
              + eth2.hop_penalty: 5                         hitless
              + eth2.elp_interval: "500ms"                  hitless
              + eth2.throughput_override_kbit: 0            hitless
              + bat0.mac: "aa:bb:00:00:00:01"               hitless
              + bat0.mtu: 1500                              hitless
              + bat0.up: false                              hitless
              + bat0 joins br0                              hitless
            bat0: 25 steps, 24 hitless, 1 recreate
        "#]],
    );
}

#[test]
fn a_mesh_goes_in_one_line() {
    planned(
        &sim(),
        &goal([("bat0.algorithm", None)]),
        &Resolved::default(),
        &expect![[r#"
            bat0
              ! bat0 goes    recreate: its IP addresses and VLANs go with it
            bat0: 1 step, 1 recreate
        "#]],
    );
}

#[test]
fn nothing_to_do_is_said() {
    planned(
        &sim(),
        &goal([("bat0.hop_penalty", number(30))]),
        &Resolved::default(),
        &expect![[r#"
            bat0
            bat0: nothing to do
        "#]],
    );
}

#[test]
fn remarks_say_why_nothing_is_done() {
    let hop_penalty = goal([("bat0.hop_penalty", number(15))]);
    let resolved = Resolved {
        problems: vec![Problem::OtherMaster {
            interface: ifname("eth1"),
            master: ifname("br0"),
        }],
        missing: vec![Missing::Vlan(ifname("bat0"), Vid::try_from(10).expect("a VLAN"))],
        warnings: vec!["eth2 has an MTU of 1500".to_owned()],
        ..Resolved::default()
    };
    planned(
        &sim(),
        &hop_penalty,
        &resolved,
        &expect![[r#"
        bat0
          ~ bat0.hop_penalty: 30 → 15    hitless
          problem: eth1 is a member of br0 and is left to it: take it out there first, or here
          missing: no VLAN 10 on bat0: it is set when it appears
          warning: eth2 has an MTU of 1500
        bat0: nothing is done before that is solved
    "#]],
    );
    let resolved = Resolved {
        missing: vec![Missing::Vlan(ifname("bat0"), Vid::try_from(10).expect("a VLAN"))],
        ..Resolved::default()
    };
    planned(
        &sim(),
        &Goal::default(),
        &resolved,
        &expect![[r#"
        bat0
          missing: no VLAN 10 on bat0: it is set when it appears
        bat0: nothing to do as long as that is missing
    "#]],
    );
    let resolved = Resolved {
        owner: Some(Owner {
            manager: "systemd-networkd",
            file: PathBuf::from("/etc/systemd/network/bat0.netdev"),
        }),
        ..Resolved::default()
    };
    planned(
        &sim(),
        &hop_penalty,
        &resolved,
        &expect![[r#"
        bat0
          ~ bat0.hop_penalty: 30 → 15    hitless
        bat0: systemd-networkd owns it (/etc/systemd/network/bat0.netdev): reported only
    "#]],
    );
}

#[test]
fn a_report_says_what_is_in_force() {
    let mut sim = sim();
    sim.failing
        .insert(knob("eth1.mtu"), WriteError::Unsupported("Invalid argument".to_owned()));
    let goal = goal([
        ("bat0.hop_penalty", number(15)),
        ("bat0.orig_interval", number(10)),
        ("bat0.gw_sel_class", number(300)),
        ("eth1.mtu", number(9000)),
        ("eth1.master", interface("bat0")),
    ]);
    let came = apply(&mut sim, &goal, Permit::default())
        .now_or_never()
        .expect("it ends");
    expect![[r#"
        bat0
          ~ bat0.orig_interval: "1s" → "10ms"    hitless
          ~ bat0.gw_sel_class: 20 → 300          hitless
          ~ bat0.hop_penalty: 30 → 15            hitless
          + eth1 joins bat0                      hitless
          unmet: bat0.orig_interval: asked for "10ms", "40ms" in force: the kernel clamped it
          unmet: bat0.gw_sel_class: asked for 300, 20 in force: the kernel ignored it and said success
          unmet: eth1.mtu: asked for 9000, 1500 in force: this kernel or driver cannot do it: Invalid argument
        bat0: done: 4 steps, 4 hitless; 3 unmet
    "#]]
    .assert_eq(&report(&ifname("bat0"), &came, &Resolved::default()));
}

#[test]
fn a_report_says_what_was_not_permitted() {
    let goal = goal([
        ("bat0.algorithm", algorithm("BATMAN_V")),
        ("bat0.hop_penalty", number(15)),
    ]);
    let came = apply(&mut sim(), &goal, Permit::default())
        .now_or_never()
        .expect("it ends");
    expect![[r#"
        bat0
          unmet: bat0.algorithm: asked for "BATMAN_V", "BATMAN_IV" in force: a mesh interface would have to go or be made anew, which needs --recreate
          unmet: bat0.hop_penalty: asked for 15, 30 in force: a mesh interface would have to go or be made anew, which needs --recreate
        bat0: nothing done; 2 unmet
    "#]].assert_eq(&report(&ifname("bat0"), &came, &Resolved::default()));
}

#[test]
fn every_step_has_words() {
    let mut sim = sim();
    sim.meshes.insert(ifname("bat1"), SimMesh::new("BATMAN_V", 2));
    sim.set(&knob("wlan0.radio"), radio().as_ref()).expect("it joins");
    sim.meshes
        .get_mut(&ifname("bat0"))
        .expect("it is there")
        .vlans
        .insert(10, false);
    let mut goal = goal([
        ("eth2.master", interface("bat1")),
        ("bat2.algorithm", algorithm("BATMAN_V")),
        ("wlan0.radio", None),
        ("wlan0.up", Some(Value::Flag(false))),
    ]);
    goal.knobs
        .insert(Knob::vlan(&ifname("bat0"), 10), Some(Value::Flag(true)));
    planned(
        &sim,
        &goal,
        &Resolved::default(),
        &expect![[r#"
        bat0
          - wlan0 leaves { type = "mesh", id = "roofs", frequency = 5180, width = "HT20" }    flap
          + bat2 is made, BATMAN_V                                                            hitless
          ~ bat0.vlan.10.ap_isolation: false → true                                           hitless
          ~ eth2 moves from bat0 to bat1                                                      flap
          + eth2.hop_penalty: 0                                                               hitless
          + eth2.elp_interval: "500ms"                                                        hitless
          + eth2.throughput_override_kbit: 0                                                  hitless
          ~ wlan0.up: true → false                                                            flap
        bat0: 8 steps, 5 hitless, 3 flap
    "#]],
    );
}
