use expect_test::{Expect, expect};
use proptest::prelude::*;

use super::*;
use crate::actuate::{HardSetting, InterfaceFact, MeshFact, RadioUse, State};
use crate::config::Config;

fn name(text: &str) -> IfName {
    IfName::try_from(text).unwrap()
}

fn mac(last: u8) -> MacAddr {
    MacAddr([2, 0, 0, 0, 0, last])
}

/// A machine with `bat0` (BATMAN_IV, members eth1 and eth2, VLAN 10), a bridge with eth3 in it, and free interfaces.
struct Machine(Observed);

impl Machine {
    fn new() -> Self {
        let mut machine = Self(Observed::default());
        machine.0.facts.algorithms = Some(["BATMAN_IV".to_owned()].into());
        machine.mesh("bat0", "BATMAN_IV");
        for (number, name) in ["eth1", "eth2", "eth3", "eth4", "eth5", "eth4.7", "wlan0"]
            .into_iter()
            .enumerate()
        {
            machine.interface(name, u8::try_from(number).unwrap() + 1);
        }
        machine.member("eth1", "bat0");
        machine.member("eth2", "bat0");
        machine.other("br-lan", "bridge");
        machine.other("lo", "loopback");
        machine.fact("eth3").master = Some(name("br-lan"));
        machine.fact("eth4.7").kind = Some("vlan".to_owned());
        machine.fact("wlan0").radio = Some(RadioUse::Free);
        let vlan = Knob::vlan(&name("bat0"), 10);
        machine.0.state.knobs.insert(vlan, Value::Flag(false));
        machine.0.facts.meshes.get_mut(&name("bat0")).unwrap().vlans = [10].into();
        machine
    }

    fn other(&mut self, interface: &str, kind: &str) {
        let fact = InterfaceFact {
            kind: Some(kind.to_owned()),
            ..InterfaceFact::default()
        };
        self.0.facts.interfaces.insert(name(interface), fact);
    }

    fn fact(&mut self, interface: &str) -> &mut InterfaceFact {
        self.0.facts.interfaces.get_mut(&name(interface)).unwrap()
    }

    fn mesh(&mut self, mesh: &str, algorithm: &str) {
        self.other(mesh, "batadv");
        self.0.facts.meshes.insert(name(mesh), MeshFact::default());
        let mut put = |setting, value| self.0.state.knobs.insert(Knob::mesh(&name(mesh), setting), value);
        put(Setting::Algorithm, Value::Algorithm(algorithm.to_owned()));
        for setting in MeshSetting::ALL {
            let value = if setting.is_flag() {
                Value::Flag(false)
            } else {
                Value::Number(1)
            };
            // Debian's kernel is built without debugging.
            if setting != MeshSetting::LogLevel {
                put(Setting::Mesh(setting), value);
            }
        }
    }

    fn interface(&mut self, interface: &str, last: u8) {
        let fact = InterfaceFact {
            address: Some(mac(last)),
            ..InterfaceFact::default()
        };
        self.0.facts.interfaces.insert(name(interface), fact);
        self.put(interface, Setting::Up, Value::Flag(false));
        self.put(interface, Setting::Mtu, Value::Number(1560));
        self.put(interface, Setting::Address, Value::Address(mac(last)));
    }

    fn member(&mut self, interface: &str, mesh: &str) {
        self.fact(interface).master = Some(name(mesh));
        self.put(interface, Setting::Master, Value::Interface(name(mesh)));
        for setting in HardSetting::ALL {
            self.put(interface, Setting::Hard(setting), Value::Number(0));
        }
    }

    fn put(&mut self, interface: &str, setting: Setting, value: Value) {
        self.0
            .state
            .knobs
            .insert(Knob::interface(&name(interface), setting), value);
    }

    fn take(&mut self, interface: &str, setting: Setting) {
        self.0.state.knobs.remove(&Knob::interface(&name(interface), setting));
    }
}

fn resolved(machine: &Machine, text: &str) -> BTreeMap<IfName, Resolved> {
    let config: Config = mesh_daemon::config::parse(std::path::Path::new("agent.toml"), text).unwrap();
    resolve(&config.mesh, &machine.0)
}

/// All of a result, as people would say it.
fn say(resolved: &BTreeMap<IfName, Resolved>) -> String {
    let mut said = String::new();
    for (mesh, resolved) in resolved {
        let mut line = |text: String| said.push_str(&format!("{mesh}: {text}\n"));
        for (knob, value) in &resolved.goal.knobs {
            let value = value
                .as_ref()
                .map_or("none".to_owned(), |value| knob.setting.show(value));
            line(format!("{knob} = {value}"));
        }
        resolved
            .problems
            .iter()
            .for_each(|problem| line(format!("problem: {problem}")));
        resolved
            .missing
            .iter()
            .for_each(|missing| line(format!("missing: {missing}")));
        resolved
            .warnings
            .iter()
            .for_each(|warning| line(format!("warning: {warning}")));
        resolved
            .owner
            .iter()
            .for_each(|owner| line(format!("owner: {}", owner.manager)));
    }
    said
}

#[track_caller]
fn check(machine: &Machine, text: &str, expected: Expect) {
    expected.assert_eq(&say(&resolved(machine, text)));
}

#[test]
fn what_is_only_observed_has_no_goal() {
    check(
        &Machine::new(),
        "[mesh.bat0]\nname = \"roofs\"\n[mesh.bat7]\n",
        expect![[""]],
    );
}

#[test]
fn what_is_not_written_is_left_as_it_is() {
    check(
        &Machine::new(),
        "[mesh.bat0]\nhop_penalty = 15\n",
        expect![[r#"
        bat0: bat0.algorithm = "BATMAN_IV"
        bat0: bat0.hop_penalty = 15
        bat0: bat0.up = true
    "#]],
    );
}

#[test]
fn a_mesh_interface_that_is_not_there_is_made_with_the_kernel_s_own_algorithm() {
    check(
        &Machine::new(),
        "[mesh.bat7]\npolicy = \"enforce\"\nmtu = 1500\n",
        expect![[r#"
            bat7: bat7.algorithm = "BATMAN_IV"
            bat7: bat7.mtu = 1500
            bat7: bat7.up = true
        "#]],
    );
}

#[test]
fn what_the_kernel_lacks_is_named() {
    let mut machine = Machine::new();
    machine.take("eth1", Setting::Hard(HardSetting::HopPenalty));
    check(
        &machine,
        "[mesh.bat0]\nalgorithm = \"BATMAN_V\"\nlog_level = 1\n[[mesh.bat0.member]]\nname = \"eth1\"\nhop_penalty = 1\n\
         [[mesh.bat0.member]]\nname = \"eth2\"\n",
        expect![[r#"
            bat0: bat0.algorithm = "BATMAN_V"
            bat0: bat0.up = true
            bat0: eth1.master = "bat0"
            bat0: eth1.up = true
            bat0: eth2.master = "bat0"
            bat0: eth2.up = true
            bat0: problem: this kernel's batman-adv has no BATMAN_V, only BATMAN_IV: take another algorithm
            bat0: problem: this kernel's batman-adv has no bat0.log_level: take it out of the configuration
            bat0: problem: this kernel's batman-adv has no eth1.hop_penalty: take it out of the configuration
        "#]],
    );
    // Another mesh interface of this kernel tells what one to be made will lack.
    check(
        &Machine::new(),
        "[mesh.bat7]\nlog_level = 1\n",
        expect![[r#"
        bat7: bat7.algorithm = "BATMAN_IV"
        bat7: bat7.up = true
        bat7: problem: this kernel's batman-adv has no bat7.log_level: take it out of the configuration
    "#]],
    );
}

#[test]
fn members_that_no_table_means_are_released_and_absent_ones_are_missing() {
    check(
        &Machine::new(),
        "[mesh.bat0]\n[[mesh.bat0.member]]\nname = \"eth1\"\nmtu = 1532\nup = false\n[[mesh.bat0.member]]\nname = \"usb0\"\n",
        expect![[r#"
            bat0: bat0.algorithm = "BATMAN_IV"
            bat0: bat0.up = true
            bat0: eth1.master = "bat0"
            bat0: eth1.mtu = 1532
            bat0: eth1.up = false
            bat0: eth2.master = none
            bat0: missing: no interface with name = "usb0": it joins when it appears
        "#]],
    );
    check(
        &Machine::new(),
        "[mesh.bat0]\nmember = []\n",
        expect![[r#"
        bat0: bat0.algorithm = "BATMAN_IV"
        bat0: bat0.up = true
        bat0: eth1.master = none
        bat0: eth2.master = none
    "#]],
    );
}

#[test]
fn names_and_addresses_come_before_patterns() {
    check(
        &Machine::new(),
        "[[mesh.bat0.member]]\npattern = \"eth*\"\nmtu = 1600\n[[mesh.bat0.member]]\nname = \"eth1\"\nmtu = 1601\n\
         [[mesh.bat0.member]]\nmac = \"02:00:00:00:00:02\"\nmtu = 1602\n\
         [[mesh.bat1.member]]\nname = \"eth5\"\nmtu = 1605\n",
        expect![[r#"
            bat0: bat0.algorithm = "BATMAN_IV"
            bat0: bat0.up = true
            bat0: eth1.master = "bat0"
            bat0: eth1.mtu = 1601
            bat0: eth1.up = true
            bat0: eth2.master = "bat0"
            bat0: eth2.mtu = 1602
            bat0: eth2.up = true
            bat0: eth4.master = "bat0"
            bat0: eth4.mtu = 1600
            bat0: eth4.up = true
            bat0: warning: eth3 is a member of br-lan and is left to it: take it out there first, or here
            bat1: bat1.algorithm = "BATMAN_IV"
            bat1: bat1.up = true
            bat1: eth5.master = "bat1"
            bat1: eth5.mtu = 1605
            bat1: eth5.up = true
        "#]],
    );
}

#[test]
fn an_interface_that_two_tables_name_is_a_problem() {
    check(
        &Machine::new(),
        "[[mesh.bat0.member]]\nmac = \"02:00:00:00:00:01\"\n[[mesh.bat0.member]]\nname = \"eth1\"\nmtu = 1600\n\
         [[mesh.bat0.member]]\npattern = \"eth2\"\n",
        expect![[r#"
            bat0: bat0.algorithm = "BATMAN_IV"
            bat0: bat0.up = true
            bat0: eth1.master = "bat0"
            bat0: eth1.mtu = 1600
            bat0: eth1.up = true
            bat0: eth2.master = "bat0"
            bat0: eth2.up = true
            bat0: problem: eth1 is said by two member tables: leave one of them
        "#]],
    );
}

#[test]
fn an_interface_that_two_mesh_interfaces_claim_is_a_problem_of_both_and_left_where_it_is() {
    check(
        &Machine::new(),
        "[[mesh.bat0.member]]\nname = \"eth1\"\n[[mesh.bat0.member]]\nname = \"eth2\"\n[[mesh.bat1.member]]\nmac = \"02:00:00:00:00:02\"\n",
        expect![[r#"
            bat0: bat0.algorithm = "BATMAN_IV"
            bat0: bat0.up = true
            bat0: eth1.master = "bat0"
            bat0: eth1.up = true
            bat0: problem: eth2 is claimed by bat1 too: let only one of the two name it
            bat1: bat1.algorithm = "BATMAN_IV"
            bat1: bat1.up = true
            bat1: problem: eth2 is claimed by bat0 too: let only one of the two name it
        "#]],
    );
}

#[test]
fn a_member_of_a_bridge_is_left_to_it() {
    check(
        &Machine::new(),
        "[[mesh.bat1.member]]\nname = \"eth3\"\n",
        expect![[r#"
            bat1: bat1.algorithm = "BATMAN_IV"
            bat1: bat1.up = true
            bat1: problem: eth3 is a member of br-lan and is left to it: take it out there first, or here
        "#]],
    );
    check(
        &Machine::new(),
        "[[mesh.bat1.member]]\npattern = \"eth3*\"\n",
        expect![[r#"
            bat1: bat1.algorithm = "BATMAN_IV"
            bat1: bat1.up = true
            bat1: warning: eth3 is a member of br-lan and is left to it: take it out there first, or here
        "#]],
    );
}

#[test]
fn a_member_of_another_mesh_interface_moves_only_if_that_one_lists_its_members_without_it() {
    let both = "[[mesh.bat0.member]]\nname = \"eth1\"\n[[mesh.bat1.member]]\nname = \"eth2\"\n";
    check(
        &Machine::new(),
        both,
        expect![[r#"
        bat0: bat0.algorithm = "BATMAN_IV"
        bat0: bat0.up = true
        bat0: eth1.master = "bat0"
        bat0: eth1.up = true
        bat1: bat1.algorithm = "BATMAN_IV"
        bat1: bat1.up = true
        bat1: eth2.master = "bat1"
        bat1: eth2.up = true
    "#]],
    );
    check(
        &Machine::new(),
        "[mesh.bat0]\n[[mesh.bat1.member]]\nname = \"eth2\"\n",
        expect![[r#"
            bat1: bat1.algorithm = "BATMAN_IV"
            bat1: bat1.up = true
            bat1: problem: eth2 is a member of bat0 and is left to it: take it out there first, or here
        "#]],
    );
}

#[test]
fn what_cannot_carry_a_mesh_is_named() {
    let tables = ["lo", "br-lan", "bat0"].map(|name| format!("[[mesh.bat1.member]]\nname = \"{name}\"\n"));
    check(
        &Machine::new(),
        &tables.concat(),
        expect![[r#"
        bat1: bat1.algorithm = "BATMAN_IV"
        bat1: bat1.up = true
        bat1: problem: lo cannot carry a mesh: the loopback, bridges and mesh interfaces cannot be members; name another
        bat1: problem: br-lan cannot carry a mesh: the loopback, bridges and mesh interfaces cannot be members; name another
        bat1: problem: bat0 cannot carry a mesh: the loopback, bridges and mesh interfaces cannot be members; name another
    "#]],
    );
}

#[test]
fn a_radio_in_use_is_left_to_its_user() {
    let radio = "radio = { type = \"mesh\", id = \"roofs\", frequency = 2412 }\n";
    let mut machine = Machine::new();
    let text = |select: &str, radio: &str| format!("[[mesh.bat1.member]]\n{select}\n{radio}");
    check(
        &machine,
        &text("name = \"wlan0\"", radio),
        expect![[r#"
        bat1: bat1.algorithm = "BATMAN_IV"
        bat1: bat1.up = true
        bat1: wlan0.master = "bat1"
        bat1: wlan0.radio = { type = "mesh", id = "roofs", frequency = 2412, width = "HT20" }
        bat1: wlan0.up = true
    "#]],
    );
    check(
        &machine,
        &text("name = \"eth5\"", radio),
        expect![[r#"
        bat1: bat1.algorithm = "BATMAN_IV"
        bat1: bat1.up = true
        bat1: problem: eth5 is no wireless interface, or the kernel cannot be asked (nl80211): take `radio` out
    "#]],
    );
    machine.fact("wlan0").radio = Some(RadioUse::Taken("wpa_supplicant".to_owned()));
    check(
        &machine,
        &text("name = \"wlan0\"", radio),
        expect![[r#"
        bat1: bat1.algorithm = "BATMAN_IV"
        bat1: bat1.up = true
        bat1: problem: the radio of wlan0 is used by wpa_supplicant and is left to it: end that first, or take `radio` out here
    "#]],
    );
    check(
        &machine,
        &text("name = \"wlan0\"", ""),
        expect![[r#"
        bat1: bat1.algorithm = "BATMAN_IV"
        bat1: bat1.up = true
        bat1: wlan0.master = "bat1"
        bat1: wlan0.up = true
        bat1: warning: the radio of wlan0 is used by wpa_supplicant; nothing is done to it
    "#]],
    );
    check(
        &machine,
        &text("pattern = \"wlan*\"", radio),
        expect![[r#"
        bat1: bat1.algorithm = "BATMAN_IV"
        bat1: bat1.up = true
        bat1: warning: the radio of wlan0 is used by wpa_supplicant and is left to it: end that first, or take `radio` out here
    "#]],
    );
}

#[test]
fn what_a_network_manager_owns_is_reported_to_be_its() {
    let owner = Owner {
        manager: "systemd-networkd",
        file: "/etc/systemd/network/10-mesh.network".into(),
    };
    let mut machine = Machine::new();
    machine.fact("eth5").owner = Some(owner.clone());
    check(
        &machine,
        "[[mesh.bat1.member]]\nname = \"eth5\"\n",
        expect![[r#"
        bat1: bat1.algorithm = "BATMAN_IV"
        bat1: bat1.up = true
        bat1: problem: eth5 is managed by systemd-networkd (/etc/systemd/network/10-mesh.network) and is left to it: take it out there first, or here
    "#]],
    );
    check(
        &machine,
        "[[mesh.bat1.member]]\npattern = \"eth5*\"\n",
        expect![[r#"
        bat1: bat1.algorithm = "BATMAN_IV"
        bat1: bat1.up = true
        bat1: warning: eth5 is managed by systemd-networkd (/etc/systemd/network/10-mesh.network) and is left to it: take it out there first, or here
    "#]],
    );
    machine.fact("bat0").owner = Some(owner);
    check(
        &machine,
        "[mesh.bat0]\nhop_penalty = 15\n",
        expect![[r#"
        bat0: bat0.algorithm = "BATMAN_IV"
        bat0: bat0.hop_penalty = 15
        bat0: bat0.up = true
        bat0: owner: systemd-networkd
    "#]],
    );
}

#[test]
fn a_mesh_interface_that_its_manager_has_yet_to_make_is_its_own() {
    let mut machine = Machine::new();
    let owner = Owner {
        manager: "systemd-networkd",
        file: "/etc/systemd/network/20-bat.netdev".into(),
    };
    for mesh in ["bat0", "bat1"] {
        machine.0.facts.claimed.insert(name(mesh), owner.clone());
    }
    let resolved = resolved(
        &machine,
        "[mesh.bat0]\nup = true\n[mesh.bat1]\nup = true\n[mesh.bat2]\nup = true\n",
    );
    assert_eq!(resolved[&name("bat1")].owner, Some(owner));
    assert_eq!(resolved[&name("bat2")].owner, None);
    assert_eq!(
        resolved[&name("bat0")].owner,
        None,
        "it is there: what is seen of it counts"
    );
}

#[test]
fn an_interface_whose_address_is_changed_is_found_by_both() {
    let text = "[[mesh.bat1.member]]\nmac = \"02:00:00:00:00:05\"\nset_mac = \"02:00:00:00:00:55\"\n";
    let mut machine = Machine::new();
    let before = resolved(&machine, text);
    machine.fact("eth5").address = Some(mac(0x55));
    machine.put("eth5", Setting::Address, Value::Address(mac(0x55)));
    assert_eq!(resolved(&machine, text), before);
    machine.fact("eth4").address = Some(mac(0x55));
    check(
        &machine,
        text,
        expect![[r#"
        bat1: bat1.algorithm = "BATMAN_IV"
        bat1: bat1.up = true
        bat1: problem: several interfaces have the address 02:00:00:00:00:05, eth4, eth5: say the member by name
    "#]],
    );
}

#[test]
fn settings_without_effect_and_short_mtus_are_said() {
    let mut machine = Machine::new();
    machine.put("eth1", Setting::Mtu, Value::Number(1500));
    check(
        &machine,
        "[mesh.bat0]\n[[mesh.bat0.member]]\nname = \"eth1\"\nelp_interval = \"100ms\"\n[[mesh.bat0.member]]\nname = \"eth2\"\n",
        expect![[r#"
            bat0: bat0.algorithm = "BATMAN_IV"
            bat0: bat0.up = true
            bat0: eth1.master = "bat0"
            bat0: eth1.elp_interval = "100ms"
            bat0: eth1.up = true
            bat0: eth2.master = "bat0"
            bat0: eth2.up = true
            bat0: warning: eth1.elp_interval means nothing with BATMAN_IV
            bat0: warning: the MTU of eth1 is 1500, below 1532: full packets of clients go over it in two fragments, or not at all
        "#]],
    );
}

#[test]
fn a_vlan_that_is_not_there_is_missing() {
    check(
        &Machine::new(),
        "[mesh.bat0.vlan.10]\nap_isolation = true\n[mesh.bat0.vlan.20]\nap_isolation = true\n",
        expect![[r#"
            bat0: bat0.algorithm = "BATMAN_IV"
            bat0: bat0.up = true
            bat0: bat0.vlan.10.ap_isolation = true
            bat0: missing: no VLAN 20 on bat0: it is set when it appears
        "#]],
    );
}

#[test]
fn another_interface_of_that_name_is_named() {
    check(
        &Machine::new(),
        "[mesh.br-lan]\nhop_penalty = 1\n",
        expect![[r#"
        br-lan: problem: br-lan is there and is no mesh interface: name another, or remove it
    "#]],
    );
}

#[test]
fn a_pattern_takes_no_vlan_of_the_mesh_and_no_bundle() {
    let mut machine = Machine::new();
    for (number, (interface, kind)) in [("bat0.10", "vlan"), ("bond.10", "bond"), ("tap.10", "tun")]
        .into_iter()
        .enumerate()
    {
        machine.interface(interface, 0x80 + u8::try_from(number).unwrap());
        machine.fact(interface).kind = Some(kind.to_owned());
    }
    check(
        &machine,
        "[[mesh.bat1.member]]\npattern = \"*.10\"\n",
        expect![[r#"
        bat1: bat1.algorithm = "BATMAN_IV"
        bat1: bat1.up = true
        bat1: tap.10.master = "bat1"
        bat1: tap.10.up = true
    "#]],
    );
}

const TABLES: [&str; 9] = [
    "name = \"eth1\"",
    "name = \"eth2\"\nmtu = 1540",
    "name = \"eth5\"\nset_mac = \"02:00:00:00:00:66\"",
    "name = \"wlan0\"\nradio = { type = \"ibss\", id = \"x\", frequency = 2412 }",
    "name = \"eth3\"",
    "mac = \"02:00:00:00:00:05\"\nset_mac = \"02:00:00:00:00:77\"",
    "mac = \"02:00:00:00:00:01\"",
    "pattern = \"eth*\"",
    "pattern = \"wlan*\"\nelp_interval = \"1s\"",
];

/// Two mesh interfaces, each with some of the tables, or none at all.
fn wishes() -> impl Strategy<Value = String> {
    let members = || prop::option::of(prop::collection::vec(0..TABLES.len(), 0..4));
    (members(), members()).prop_map(|both| {
        let mut text = String::new();
        for (mesh, members) in [("bat0", both.0), ("bat1", both.1)] {
            text.push_str(&format!("[mesh.{mesh}]\npolicy = \"enforce\"\nhop_penalty = 3\n"));
            match members {
                Some(members) if members.is_empty() => text.push_str("member = []\n"),
                members => {
                    for table in members.into_iter().flatten() {
                        text.push_str(&format!("[[mesh.{mesh}.member]]\n{}\n", TABLES[table]));
                    }
                }
            }
        }
        text
    })
}

/// What the machine is after a goal was reached, facts and all.
fn reach(machine: &mut Machine, goal: &Goal) {
    for (knob, value) in &goal.knobs {
        let crate::actuate::Target::Interface(interface) = &knob.target else {
            if let (Setting::Algorithm, Some(Value::Algorithm(algorithm)), crate::actuate::Target::Mesh(mesh)) =
                (knob.setting, value, &knob.target)
                && machine.0.state.get(knob).is_none()
            {
                machine.mesh(mesh.as_str(), algorithm);
            }
            continue;
        };
        match (knob.setting, value) {
            (Setting::Master, Some(Value::Interface(master))) => machine.member(interface.as_str(), master.as_str()),
            (Setting::Master, None) => {
                machine.fact(interface.as_str()).master = None;
                machine.take(interface.as_str(), Setting::Master);
                for setting in HardSetting::ALL {
                    machine.take(interface.as_str(), Setting::Hard(setting));
                }
            }
            (Setting::Address, Some(Value::Address(address))) => {
                machine.fact(interface.as_str()).address = Some(*address);
                machine.put(interface.as_str(), knob.setting, Value::Address(*address));
            }
            (Setting::Radio, Some(_)) => machine.fact(interface.as_str()).radio = Some(RadioUse::Joined),
            _ => {}
        }
    }
}

proptest! {
    #[test]
    fn no_interface_is_wanted_by_two_and_none_is_taken_from_a_bridge(text in wishes()) {
        let machine = Machine::new();
        let resolved = resolved(&machine, &text);
        let mut wanted = BTreeMap::new();
        for (mesh, resolved) in &resolved {
            for (knob, value) in &resolved.goal.knobs {
                if let (Setting::Master, Some(Value::Interface(master))) = (knob.setting, value) {
                    prop_assert_eq!(master, mesh);
                    prop_assert_eq!(wanted.insert(knob.clone(), master.clone()), None);
                }
                // Nothing is done to what stays elsewhere.
                prop_assert!(!knob.to_string().starts_with("eth3."), "{}", knob);
            }
        }
        // What one releases, no other wants: the order in which they are applied does not matter.
        for resolved in resolved.values() {
            for (knob, value) in &resolved.goal.knobs {
                prop_assert!(value.is_some() || !wanted.contains_key(knob), "{}", knob);
            }
        }
    }

    #[test]
    fn a_goal_that_is_reached_stays_the_goal(text in wishes()) {
        let mut machine = Machine::new();
        let before = resolved(&machine, &text);
        prop_assume!(before.values().all(|resolved| resolved.problems.is_empty()));
        for resolved in before.values() {
            reach(&mut machine, &resolved.goal);
        }
        let after = resolved(&machine, &text);
        for (mesh, resolved) in &before {
            let mut expected = resolved.clone();
            // Who was released is nobody's now.
            expected.goal.knobs.retain(|_, value| value.is_some());
            prop_assert_eq!(&after[mesh], &expected);
        }
    }

    #[test]
    fn the_trouble_of_one_mesh_interface_is_in_no_other_s_result(text in wishes()) {
        let machine = Machine::new();
        let alone = resolved(&machine, &text);
        let with_more = resolved(&machine, &format!("{text}\n[mesh.bat7]\nlog_level = 1\n[[mesh.bat7.member]]\nname = \"lo\"\n"));
        for (mesh, resolved) in &alone {
            prop_assert_eq!(resolved, &with_more[mesh]);
        }
    }
}

#[test]
fn an_empty_machine_and_an_empty_configuration_are_no_trouble() {
    let nothing = Machine(Observed {
        state: State::default(),
        facts: crate::actuate::Facts::default(),
    });
    assert!(resolve(&BTreeMap::new(), &Machine::new().0).is_empty());
    check(
        &nothing,
        "[[mesh.bat0.member]]\npattern = \"eth*\"\n",
        expect![[r#"
        bat0: bat0.algorithm = "BATMAN_IV"
        bat0: bat0.up = true
    "#]],
    );
}

#[test]
fn a_mesh_interface_that_could_not_be_read_is_not_planned() {
    let mut machine = Machine::new();
    machine.0.state.knobs.retain(|knob, _| match &knob.target {
        crate::actuate::Target::Mesh(mesh) | crate::actuate::Target::Vlan(mesh, _) => mesh != &name("bat0"),
        crate::actuate::Target::Interface(_) => true,
    });
    machine.0.facts.meshes.clear();
    machine.0.facts.unread = [(name("bat0"), "GetMesh failed".to_owned())].into();
    check(
        &machine,
        "[mesh.bat0]\nalgorithm = \"BATMAN_IV\"\n[[mesh.bat0.member]]\nname = \"eth1\"\n",
        expect![[r#"
            bat0: problem: bat0 could not be read: GetMesh failed; nothing is done to it until it can
        "#]],
    );
}

#[test]
fn a_member_is_found_by_the_address_it_was_made_with() {
    let text = "[[mesh.bat0.member]]\nmac = \"02:00:00:00:00:01\"\n[[mesh.bat0.member]]\nname = \"eth2\"\n";
    let mut machine = Machine::new();
    machine.fact("eth1").permanent = Some(mac(1));
    let before = resolved(&machine, text);
    machine.fact("eth1").address = Some(mac(0x99));
    machine.put("eth1", Setting::Address, Value::Address(mac(0x99)));
    assert_eq!(resolved(&machine, text), before);
    // It has the address, too: nobody is thrown out for it, and nobody joins.
    machine.fact("eth4").address = Some(mac(1));
    let both = &resolved(&machine, text)[&name("bat0")];
    assert!(
        matches!(both.problems.as_slice(), [Problem::Ambiguous { .. }]),
        "{both:?}"
    );
    assert!(!both.goal.knobs.values().any(Option::is_none), "{both:?}");
}

#[test]
fn nobody_is_released_while_an_address_is_nobodys() {
    let text = "[[mesh.bat0.member]]\nmac = \"02:00:00:00:00:01\"\n";
    let mut machine = Machine::new();
    let released = |machine: &Machine| {
        let resolved = resolved(machine, text);
        let knobs = &resolved[&name("bat0")].goal.knobs;
        knobs.values().filter(|value| value.is_none()).count()
    };
    assert_eq!(released(&machine), 1, "eth2 is meant by none");
    // No permanent address is known of eth1.
    machine.fact("eth1").address = Some(mac(0x99));
    assert_eq!(released(&machine), 0);
    let kept = &resolved(&machine, text)[&name("bat0")];
    assert_eq!(kept.missing.len(), 1);
    assert!(
        kept.warnings.iter().any(|said| said.starts_with("eth1 stays a member")),
        "{kept:?}"
    );
    // Nor does a pattern of another mesh interface take it.
    let text = format!("{text}[[mesh.bat1.member]]\npattern = \"eth1\"\n");
    let other = &resolved(&machine, &text)[&name("bat1")];
    let master = Knob::interface(&name("eth1"), Setting::Master);
    assert_eq!(other.goal.knobs.get(&master), None, "{other:?}");
}
