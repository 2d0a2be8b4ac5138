//! `plan`, `apply`, `adopt`, `confirm` and `teardown` on the kernel's batman-adv, against what batctl and `ip` say. Needs
//! root and batman-adv: run in the VM.
#![expect(clippy::unwrap_used, reason = "a test's helpers fail the test")]

use std::io::Read as _;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Duration;

use mesh_lab::exec;
use mesh_lab::wait::{self, Look};
use mesh_tests::kernel;
use mesh_tests::owned::{LIMIT, NODE, Owned};
use serde_json::{Value, json};

/// Everything there is to set, and none of it the kernel's default.
fn everything(algorithm: &str, network_coding: bool) -> String {
    let coding = if network_coding { "network_coding = true\n" } else { "" };
    let of_v = if algorithm == "BATMAN_V" {
        "elp_interval = \"300ms\"\nthroughput_override_kbit = 20000\n"
    } else {
        ""
    };
    format!(
        r#"[mesh.bat0]
name = "owned"
policy = "enforce"
algorithm = "{algorithm}"
orig_interval = "1500ms"
aggregation = false
ap_isolation = true
isolation_mark = "0x10/0xff"
bonding = true
bridge_loop_avoidance = false
distributed_arp_table = false
fragmentation = false
gw_mode = "server"
gw_bandwidth_down_kbit = 25000
gw_bandwidth_up_kbit = 5000
gw_sel_class = 30
hop_penalty = 42
multicast_forceflood = true
multicast_fanout = 8
{coding}mac = "02:aa:00:00:00:01"
mtu = 1400
up = true

[[mesh.bat0.member]]
name = "to-far"
hop_penalty = 7
mtu = 1570
set_mac = "02:bb:00:00:00:01"
up = true
{of_v}
[[mesh.bat0.member]]
pattern = "to-e*"
hop_penalty = 9

[mesh.bat0.vlan.10]
ap_isolation = true
"#
    )
}

/// What batctl must say of it.
fn everything_by_batctl(network_coding: bool) -> Value {
    let mut wanted = json!({
        "orig_interval": 1500,
        "aggregated_ogms_enabled": false,
        "ap_isolation_enabled": true,
        "isolation_mark": 0x10,
        "isolation_mask": 0xff,
        "bonding_enabled": true,
        "bridge_loop_avoidance_enabled": false,
        "distributed_arp_table_enabled": false,
        "fragmentation_enabled": false,
        "gw_mode": "server",
        "gw_bandwidth_down": 250,
        "gw_bandwidth_up": 50,
        "gw_sel_class": 30,
        "hop_penalty": 42,
        "multicast_forceflood_enabled": true,
        "multicast_fanout": 8,
    });
    if network_coding {
        wanted["network_coding_enabled"] = true.into();
    }
    wanted
}

/// Whether this kernel's batman-adv still has it: gone since 2025.4. What it lacks is a problem that `plan` names.
fn network_coding(owned: &Owned) -> bool {
    let has = owned
        .table("meshif bat0 mj")
        .unwrap()
        .get("network_coding_enabled")
        .is_some();
    if !has {
        let config = owned.configure("[mesh.bat0]\nnetwork_coding = true\n").unwrap();
        let planned = owned.command(&["plan"], &config).unwrap();
        assert_eq!(planned.code, 1, "{planned:#?}");
        let said = planned.out + &planned.err;
        assert!(said.contains("network_coding"), "{said}");
    }
    has
}

#[track_caller]
fn holds(found: &Value, wanted: &Value) {
    for (key, wanted) in wanted.as_object().unwrap() {
        assert_eq!(&found[key], wanted, "{key} in {found:#}");
    }
}

/// Everything set, VLAN included, from nothing.
fn set_everything(owned: &Owned, algorithm: &str, network_coding: bool) -> PathBuf {
    let config = owned.configure(&everything(algorithm, network_coding)).unwrap();
    let planned = owned.command(&["plan"], &config).unwrap();
    assert_eq!(planned.code, 3, "{planned:#?}");
    assert!(owned.link("bat0").unwrap().is_none(), "`plan` changes nothing");
    // The VLAN is not there yet, so not all could be done.
    let applied = owned.command(&["apply"], &config).unwrap();
    assert_eq!(applied.code, 1, "{applied:#?}");
    assert!(applied.out.contains("no VLAN 10 on bat0"), "{applied:#?}");
    owned.ip("link add link bat0 name bat0.10 type vlan id 10").unwrap();
    owned.must(&["apply"], &config).unwrap();
    config
}

fn set_by_us_reads_back_equal(algorithm: &str, test: &str) {
    let owned = Owned::beside(algorithm, test).unwrap();
    let coding = network_coding(&owned);
    owned.ip("link del bat0").unwrap();
    let config = set_everything(&owned, algorithm, coding);

    let mesh = owned.table("meshif bat0 mj").unwrap();
    let mut wanted = everything_by_batctl(coding);
    wanted["algo_name"] = algorithm.into();
    holds(&mesh, &wanted);
    let mut member = json!({ "hop_penalty": 7 });
    if algorithm == "BATMAN_V" {
        member["elp_interval"] = 300.into();
        member["throughput_override"] = 200.into();
    }
    holds(&owned.table("hardif to-far hj").unwrap(), &member);
    holds(&owned.table("hardif to-east hj").unwrap(), &json!({ "hop_penalty": 9 }));
    holds(
        &owned.table("meshif bat0 vid 10 vj").unwrap(),
        &json!({ "ap_isolation_enabled": true }),
    );

    let link = |name: &str| owned.link(name).unwrap().unwrap();
    let up = |link: &Value| link["flags"].as_array().unwrap().contains(&"UP".into());
    let bat0 = link("bat0");
    assert!(up(&bat0), "{bat0:#}");
    assert_eq!(
        (&bat0["mtu"], &bat0["address"]),
        (&1400.into(), &"02:aa:00:00:00:01".into())
    );
    let far = link("to-far");
    assert_eq!(
        (&far["mtu"], &far["address"]),
        (&1570.into(), &"02:bb:00:00:00:01".into())
    );
    assert_eq!(
        (&far["master"], &link("to-east")["master"]),
        (&"bat0".into(), &"bat0".into())
    );

    assert_eq!(owned.command(&["plan"], &config).unwrap().code, 0);
    writes_nothing(&owned, || {
        owned.must(&["apply"], &config).unwrap();
    });
}

/// batctl listens on the family's `config` group meanwhile; that it does hear is tried before and after.
fn writes_nothing(owned: &Owned, work: impl FnOnce()) {
    let mut words = exec::in_netns(NODE, "stdbuf");
    // Without it batctl keeps what it prints until it ends.
    words.extend(["-oL", "batctl", "event"].map(str::to_owned));
    let mut listener = Command::new("nsenter")
        .args(words)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut out = listener.stdout.take().unwrap();
    let (sender, heard) = std::sync::mpsc::channel();
    let reader = std::thread::spawn(move || {
        let mut buffer = [0; 4096];
        while let Ok(count @ 1..) = out.read(&mut buffer) {
            let _ended = sender.send(String::from_utf8_lossy(&buffer[..count]).into_owned());
        }
    });
    let all_heard = || {
        let next = || heard.recv_timeout(Duration::from_secs(2)).ok();
        std::iter::from_fn(next).collect::<String>()
    };
    let mark = || {
        wait::until("batctl hears a change of the configuration", LIMIT, || {
            owned.batctl("hardif to-far hop_penalty 7")?;
            let text = all_heard();
            Ok(if text.contains("to-far") {
                Look::Ready(())
            } else {
                Look::Pending(format!("heard {text:?}"))
            })
        })
        .unwrap();
    };
    mark();
    work();
    let written = all_heard();
    mark();
    listener.kill().unwrap();
    listener.wait().unwrap();
    reader.join().unwrap();
    assert_eq!(written, "", "written by the second apply");
}

#[test]
fn smoke_every_setting_set_by_us_reads_back_equal_on_batman_iv() {
    set_by_us_reads_back_equal("BATMAN_IV", "every_setting_set_by_us_on_batman_iv");
}

#[test]
fn smoke_every_setting_set_by_us_reads_back_equal_on_batman_v() {
    if !kernel::has_algorithm("BATMAN_V").unwrap() {
        return;
    }
    set_by_us_reads_back_equal("BATMAN_V", "every_setting_set_by_us_on_batman_v");
}

fn set_by_batctl_is_adopted(algorithm: &str, test: &str) {
    let owned = Owned::beside(algorithm, test).unwrap();
    for words in [
        "meshif bat0 orig_interval 1700",
        "meshif bat0 aggregation 0",
        "meshif bat0 ap_isolation 1",
        "meshif bat0 isolation_mark 0x20/0xf0",
        "meshif bat0 bonding 1",
        "meshif bat0 bridge_loop_avoidance 0",
        "meshif bat0 distributed_arp_table 0",
        "meshif bat0 fragmentation 0",
        "meshif bat0 gw_mode server 30MBit/6MBit",
        "meshif bat0 hop_penalty 44",
        "meshif bat0 multicast_forceflood 1",
        "meshif bat0 multicast_fanout 5",
        "hardif to-far hop_penalty 11",
    ] {
        owned.batctl(words).unwrap();
    }
    let coding = network_coding(&owned);
    if coding {
        owned.batctl("meshif bat0 network_coding 1").unwrap();
    }
    if algorithm == "BATMAN_V" {
        owned.batctl("hardif to-far elp_interval 250").unwrap();
        owned.batctl("hardif to-far throughput_override 15mbit").unwrap();
    }
    owned.ip("link add link bat0 name bat0.20 type vlan id 20").unwrap();
    owned.batctl("meshif bat0 vid 20 ap_isolation 1").unwrap();

    let empty = owned.configure("[mesh.bat0]\n").unwrap();
    let adopted = owned.must(&["adopt"], &empty).unwrap();
    for line in [
        &format!("algorithm = \"{algorithm}\"") as &str,
        "orig_interval = \"1700ms\"",
        "aggregation = false",
        "ap_isolation = true",
        "bonding = true",
        "bridge_loop_avoidance = false",
        "distributed_arp_table = false",
        "fragmentation = false",
        "gw_mode = \"server\"",
        "gw_bandwidth_down_kbit = 30000",
        "gw_bandwidth_up_kbit = 6000",
        "hop_penalty = 44",
        "multicast_forceflood = true",
        "multicast_fanout = 5",
        "name = \"to-far\"",
        "hop_penalty = 11",
        "vlan.20]",
    ] {
        assert!(adopted.contains(line), "{line} in:\n{adopted}");
    }
    assert_eq!(adopted.contains("network_coding = true"), coding);
    let config = owned.configure_as("adopted.toml", &adopted).unwrap();
    let planned = owned.command(&["plan"], &config).unwrap();
    assert_eq!(planned.code, 0, "{planned:#?}\n{adopted}");

    // And it is a configuration: from nothing it brings all of it back.
    let before = (
        owned.table("meshif bat0 mj").unwrap(),
        owned.table("hardif to-far hj").unwrap(),
    );
    owned.ip("link del bat0.20").unwrap();
    owned.ip("link del bat0").unwrap();
    let again = owned.command(&["apply"], &config).unwrap();
    assert_eq!(again.code, 1, "the VLAN is missing: {again:#?}");
    let mesh = owned.table("meshif bat0 mj").unwrap();
    for (key, value) in before.0.as_object().unwrap() {
        // Its own index and the state of its tables are another's, and so is the member that joined first.
        let own = ["mesh_ifindex", "tt_ttvn", "bla_crc", "mcast_flags", "mcast_flags_priv"];
        if !own.contains(&key.as_str()) && !key.starts_with("hard_") {
            assert_eq!(&mesh[key], value, "{key}");
        }
    }
    assert_eq!(
        owned.table("hardif to-far hj").unwrap()["hop_penalty"],
        before.1["hop_penalty"]
    );
}

#[test]
fn smoke_every_setting_set_by_batctl_is_adopted_on_batman_iv() {
    set_by_batctl_is_adopted("BATMAN_IV", "every_setting_set_by_batctl_on_batman_iv");
}

#[test]
fn every_setting_set_by_batctl_is_adopted_on_batman_v() {
    if !kernel::has_algorithm("BATMAN_V").unwrap() {
        return;
    }
    set_by_batctl_is_adopted("BATMAN_V", "every_setting_set_by_batctl_on_batman_v");
}

#[test]
fn what_the_kernel_clamps_or_ignores_is_named_with_the_value_in_force() {
    let owned = Owned::up("BATMAN_IV", "what_the_kernel_clamps").unwrap();
    let config = owned
        .configure("[mesh.bat0]\norig_interval = \"10ms\"\ngw_sel_class = 300\nhop_penalty = 12\n")
        .unwrap();
    let applied = owned.command(&["apply"], &config).unwrap();
    assert_eq!(applied.code, 1, "{applied:#?}");
    let text = applied.out + &applied.err;
    let unmet = |setting: &str| {
        let mut lines = text
            .lines()
            .filter(|line| line.contains("unmet") && line.contains(setting));
        lines.next().unwrap_or_default().to_owned()
    };
    assert!(unmet("orig_interval").contains("\"40ms\" in force"), "{text}");
    assert!(unmet("gw_sel_class").contains("20 in force"), "{text}");
    assert_eq!(
        owned.table("meshif bat0 mj").unwrap()["hop_penalty"],
        12,
        "the others are set"
    );
}

#[test]
fn another_algorithm_needs_the_flag_and_brings_everything_back() {
    if !kernel::has_algorithm("BATMAN_V").unwrap() {
        return;
    }
    let owned = Owned::up("BATMAN_IV", "another_algorithm").unwrap();
    let tables = |algorithm: &str| {
        format!(
            "[mesh.bat0]\nalgorithm = \"{algorithm}\"\nhop_penalty = 21\n[[mesh.bat0.member]]\npattern = \"to-*\"\n"
        )
    };
    owned
        .must(&["apply"], &owned.configure(&tables("BATMAN_IV")).unwrap())
        .unwrap();
    // Not the configuration's: kept all the same.
    owned.batctl("meshif bat0 bonding 1").unwrap();
    owned.ip("link add br0 type bridge").unwrap();
    owned.ip("link set bat0 master br0").unwrap();

    let config = owned.configure(&tables("BATMAN_V")).unwrap();
    let planned = owned.command(&["plan"], &config).unwrap();
    assert_eq!(planned.code, 3);
    assert!(planned.out.contains("recreate"), "{planned:#?}");
    let refused = owned.command(&["apply"], &config).unwrap();
    assert_eq!(refused.code, 1, "{refused:#?}");
    assert_eq!(owned.table("meshif bat0 mj").unwrap()["algo_name"], "BATMAN_IV");
    owned.must(&["apply", "--recreate"], &config).unwrap();
    holds(
        &owned.table("meshif bat0 mj").unwrap(),
        &json!({ "algo_name": "BATMAN_V", "hop_penalty": 21, "bonding_enabled": true }),
    );
    let master = |name: &str| owned.link(name).unwrap().unwrap()["master"].clone();
    assert_eq!(
        (master("to-far"), master("to-east"), master("bat0")),
        ("bat0".into(), "bat0".into(), "br0".into())
    );
}

#[test]
fn an_unconfirmed_change_undoes_itself_and_a_confirmed_one_stays_on_batman_iv() {
    an_unconfirmed_change_undoes_itself("BATMAN_IV", "an_unconfirmed_change_on_batman_iv");
}

#[test]
fn an_unconfirmed_change_undoes_itself_and_a_confirmed_one_stays_on_batman_v() {
    if kernel::has_algorithm("BATMAN_V").unwrap() {
        an_unconfirmed_change_undoes_itself("BATMAN_V", "an_unconfirmed_change_on_batman_v");
    }
}

fn an_unconfirmed_change_undoes_itself(algorithm: &str, test: &str) {
    let owned = Owned::up(algorithm, test).unwrap();
    let tables = |penalty: u8, members: &str| {
        format!(
            "[mesh.bat0]\nalgorithm = \"{algorithm}\"\nhop_penalty = {penalty}\n\
             [[mesh.bat0.member]]\npattern = \"{members}\"\n"
        )
    };
    owned
        .must(&["apply"], &owned.configure(&tables(15, "to-*")).unwrap())
        .unwrap();
    owned.address().unwrap();
    owned.reachable().unwrap();

    // Cuts the node off, and brings it back by itself.
    let config = owned.configure(&tables(99, "none-*")).unwrap();
    let undone = owned.command(&["apply", "--confirm-within", "5s"], &config).unwrap();
    assert_eq!(undone.code, 1, "{undone:#?}");
    for said in ["hop_penalty: 15 → 99", "to-far leaves bat0", "not confirmed, undone"] {
        assert!(
            undone.out.contains(said) || undone.err.contains(said),
            "{said}: {undone:#?}"
        );
    }
    assert_eq!(owned.table("meshif bat0 mj").unwrap()["hop_penalty"], 15);
    assert_eq!(owned.link("to-far").unwrap().unwrap()["master"], "bat0");
    owned.reachable().unwrap();

    let config = owned.configure(&tables(77, "to-*")).unwrap();
    let mut applying = owned
        .start_command(&["apply", "--confirm-within", "10m"], &config)
        .unwrap();
    wait::until("the change is made", LIMIT, || {
        let penalty = owned.table("meshif bat0 mj")?["hop_penalty"].clone();
        Ok(if penalty == 77 {
            Look::Ready(())
        } else {
            Look::Pending(penalty.to_string())
        })
    })
    .unwrap();
    owned.must(&["confirm"], &config).unwrap();
    let status = applying.wait().unwrap();
    assert!(status.success(), "{status}");
    assert_eq!(owned.table("meshif bat0 mj").unwrap()["hop_penalty"], 77);
    assert_eq!(owned.command(&["plan"], &config).unwrap().code, 0);
}

#[test]
fn a_change_whose_command_was_killed_is_undone_by_the_next_start() {
    let owned = Owned::up("BATMAN_IV", "a_change_whose_command_was_killed").unwrap();
    let before = owned
        .configure("[mesh.bat0]\npolicy = \"enforce\"\nhop_penalty = 15\n")
        .unwrap();
    owned.must(&["apply"], &before).unwrap();
    let config = owned
        .configure("[mesh.bat0]\npolicy = \"enforce\"\nhop_penalty = 77\n")
        .unwrap();
    let mut applying = owned
        .start_command(&["apply", "--confirm-within", "30s"], &config)
        .unwrap();
    let penalty = |wanted: u64| {
        wait::until("the hop penalty is as it should be", LIMIT, || {
            let penalty = owned.table("meshif bat0 mj")?["hop_penalty"].clone();
            Ok(if penalty == wanted {
                Look::Ready(())
            } else {
                Look::Pending(penalty.to_string())
            })
        })
        .unwrap();
    };
    penalty(77);
    // The command's process is nsenter's own: it became the agent.
    applying.kill().unwrap();
    applying.wait().unwrap();
    assert_eq!(
        owned.table("meshif bat0 mj").unwrap()["hop_penalty"],
        77,
        "nobody is there to undo it"
    );

    let agent = owned.run(&config).unwrap();
    penalty(15);
    // The configuration that was not confirmed is not enforced, until somebody says so.
    let planned = owned.command(&["plan"], &config).unwrap();
    assert_eq!(planned.code, 3, "{planned:#?}");
    owned.must(&["apply"], &config).unwrap();
    penalty(77);
    agent.stop().unwrap();
}

#[test]
fn teardown_removes_what_the_agent_made_and_nothing_else() {
    let owned = Owned::beside("BATMAN_IV", "teardown").unwrap();
    owned.ip("link add dummy7 type veth peer name dummy8").unwrap();
    owned.ip("link set to-east nomaster").unwrap();
    let penalty = owned.table("meshif bat0 mj").unwrap()["hop_penalty"].clone();
    let config = owned
        .configure(
            "[mesh.bat0]\nhop_penalty = 51\n[[mesh.bat0.member]]\npattern = \"to-*\"\n\
             [mesh.bat7]\nhop_penalty = 52\n[[mesh.bat7.member]]\nname = \"dummy7\"\n",
        )
        .unwrap();
    owned.must(&["apply"], &config).unwrap();
    assert_eq!(owned.link("to-east").unwrap().unwrap()["master"], "bat0");
    assert_eq!(owned.table("meshif bat7 mj").unwrap()["hop_penalty"], 52);

    owned.must(&["teardown"], &config).unwrap();
    assert!(owned.link("bat7").unwrap().is_none());
    assert!(owned.link("dummy7").unwrap().is_some());
    assert_eq!(owned.table("meshif bat0 mj").unwrap()["hop_penalty"], penalty);
    assert_eq!(owned.link("to-far").unwrap().unwrap()["master"], "bat0");
    assert_eq!(owned.link("to-east").unwrap().unwrap()["master"], Value::Null);
}

#[test]
fn hitless_changes_lose_no_packet() {
    let owned = Owned::up("BATMAN_IV", "hitless_changes").unwrap();
    let tables = |penalty: u8, interval: u16| {
        format!(
            "[mesh.bat0]\nhop_penalty = {penalty}\norig_interval = \"{interval}ms\"\nmulticast_fanout = {penalty}\n\
             [[mesh.bat0.member]]\npattern = \"to-*\"\nhop_penalty = {penalty}\n"
        )
    };
    let config = owned.configure(&tables(10, 1000)).unwrap();
    owned.must(&["apply"], &config).unwrap();
    owned.address().unwrap();
    owned.reachable().unwrap();
    let train = owned.ping_train().unwrap();
    for (penalty, interval) in [(10, 1000), (11, 900), (12, 1100), (10, 1000)] {
        let config = owned.configure(&tables(penalty, interval)).unwrap();
        let planned = owned.command(&["plan"], &config).unwrap();
        assert!(
            !planned.out.contains("flap") && !planned.out.contains("recreate"),
            "{planned:#?}"
        );
        owned.must(&["apply"], &config).unwrap();
    }
    let (sent, lost) = train.end().unwrap();
    assert!(sent > 10, "{sent} sent");
    assert_eq!(lost, 0, "of {sent}");
}
