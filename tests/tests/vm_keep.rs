//! `run` keeps the mesh as it was told, on the kernel's batman-adv: drift, hot-plug, module reload, fights, its own death,
//! silent gateways; as root and as its own user. Needs root and batman-adv: run in the VM.
#![expect(clippy::unwrap_used, reason = "a test's helpers fail the test")]

use std::time::Duration;

use mesh_lab::wait::{self, Look};
use mesh_lab::{Lab, Options, Topology, exec, metrics};
use mesh_tests::owned::{LIMIT, NODE, Owned};
use mesh_tests::{grpcurl, kernel};
use serde_json::{Value, json};

fn tables(algorithm: &str) -> String {
    format!(
        "[mesh.bat0]\npolicy = \"enforce\"\nalgorithm = \"{algorithm}\"\nhop_penalty = 15\norig_interval = \"1s\"\n\
         [[mesh.bat0.member]]\npattern = \"to-*\"\nhop_penalty = 3\n"
    )
}

fn mesh_setting(owned: &Owned, mesh: &str, key: &str, wanted: &Value) -> Duration {
    let began = wait::now();
    wait::until(&format!("{mesh}.{key} is {wanted}"), LIMIT, || {
        // Without the module, or the interface, batctl fails: that is a state, too.
        let found = owned
            .table(&format!("meshif {mesh} mj"))
            .map(|table| table[key].clone());
        Ok(match found {
            Ok(found) if found == *wanted => Look::Ready(()),
            Ok(found) => Look::Pending(found.to_string()),
            Err(error) => Look::Pending(format!("{error:#}")),
        })
    })
    .unwrap();
    began.elapsed()
}

fn member(owned: &Owned, name: &str, mesh: &str) {
    wait::until(&format!("{name} is a member of {mesh}"), LIMIT, || {
        let master = owned.link(name)?.map(|link| link["master"].clone());
        Ok(match master {
            Some(master) if master == mesh => Look::Ready(()),
            other => Look::Pending(format!("{other:?}")),
        })
    })
    .unwrap();
}

/// Deletes a link of the node and makes it anew, as a stick that is pulled out and put in again.
fn replug(owned: &Owned, peer: &str) {
    owned.ip(&format!("link del to-{peer}")).unwrap();
    exec::run(
        "ip",
        &[
            "link",
            "add",
            "name",
            &format!("to-{peer}"),
            "netns",
            NODE,
            "mtu",
            "1560",
            "type",
            "veth",
            "peer",
            "name",
            &format!("to-{NODE}"),
            "netns",
            peer,
            "mtu",
            "1560",
        ],
    )
    .unwrap();
    for words in ["link set to-near master bat0", "link set to-near up"] {
        let words: Vec<&str> = ["-n", peer].into_iter().chain(words.split(' ')).collect();
        exec::run("ip", &words).unwrap();
    }
}

fn reload_the_module(owned: &Owned) {
    // Every bat0 goes with it, the peers' too.
    for node in [NODE, "far", "east"] {
        let _gone = exec::run("ip", &["-n", node, "link", "del", "bat0"]);
    }
    wait::until("the module is unloaded", LIMIT, || {
        let _again = exec::run("ip", &["-n", NODE, "link", "del", "bat0"]);
        Ok(match exec::run("rmmod", &["batman_adv"]) {
            Ok(_) => Look::Ready(()),
            Err(error) => Look::Pending(format!("{error:#}")),
        })
    })
    .unwrap();
    exec::run("modprobe", &["batman_adv"]).unwrap();
    let plan = owned.lab.plan().unwrap();
    for node in plan.nodes.iter().filter(|node| node.id != NODE) {
        exec::run_with_input("ip", &["-n", &node.id, "-batch", "-"], &node.ip_batch(plan.algorithm)).unwrap();
        exec::run_with_input("ip", &["-n", &node.id, "-force", "-batch", "-"], &node.up_batch()).unwrap();
    }
}

#[test]
fn smoke_what_is_changed_by_hand_is_put_right_while_traffic_flows_on_batman_iv() {
    what_is_changed_by_hand_is_put_right("BATMAN_IV", "what_is_changed_by_hand_on_batman_iv");
}

#[test]
fn what_is_changed_by_hand_is_put_right_while_traffic_flows_on_batman_v() {
    if kernel::has_algorithm("BATMAN_V").unwrap() {
        what_is_changed_by_hand_is_put_right("BATMAN_V", "what_is_changed_by_hand_on_batman_v");
    }
}

fn what_is_changed_by_hand_is_put_right(algorithm: &str, test: &str) {
    let owned = Owned::up(algorithm, test).unwrap();
    let config = owned.configure(&tables(algorithm)).unwrap();
    let agent = owned.run(&config).unwrap();
    mesh_setting(&owned, "bat0", "hop_penalty", &15.into());
    member(&owned, "to-far", "bat0");
    owned.address().unwrap();
    owned.reachable().unwrap();

    let train = owned.ping_train().unwrap();
    owned.batctl("meshif bat0 hop_penalty 200").unwrap();
    let took = mesh_setting(&owned, "bat0", "hop_penalty", &15.into());
    wait::say(&format!("    put right after {} ms, under emulation", took.as_millis()));
    owned.batctl("hardif to-far hop_penalty 99").unwrap();
    wait::until("the member's penalty is put right", LIMIT, || {
        let penalty = owned.table("hardif to-far hj")?["hop_penalty"].clone();
        Ok(if penalty == 3 {
            Look::Ready(())
        } else {
            Look::Pending(penalty.to_string())
        })
    })
    .unwrap();
    // What nobody asked for is nobody's to change.
    owned.batctl("meshif bat0 bonding 1").unwrap();
    owned.batctl("meshif bat0 hop_penalty 201").unwrap();
    mesh_setting(&owned, "bat0", "hop_penalty", &15.into());
    assert_eq!(owned.table("meshif bat0 mj").unwrap()["bonding_enabled"], true);
    let (sent, lost) = train.end().unwrap();
    assert!(sent > 5, "{sent} sent");
    assert_eq!(lost, 0, "of {sent}");

    let log = std::fs::read_to_string(agent.log()).unwrap();
    assert!(log.contains("hop_penalty"), "{log}");
    agent.stop().unwrap();
    assert_eq!(
        owned.table("meshif bat0 mj").unwrap()["hop_penalty"],
        15,
        "stopping changes nothing"
    );
    assert_eq!(owned.link("to-far").unwrap().unwrap()["master"], "bat0");
}

#[test]
fn smoke_its_own_user_reloads_the_module_and_takes_a_hot_plugged_member() {
    let owned = Owned::up("BATMAN_IV", "its_own_user").unwrap();
    let config = owned.configure(&tables("BATMAN_IV")).unwrap();
    let agent = owned.run_unprivileged(&config).unwrap();
    mesh_setting(&owned, "bat0", "hop_penalty", &15.into());
    member(&owned, "to-far", "bat0");

    let status = std::fs::read_to_string(format!("/proc/{}/status", agent.pid())).unwrap();
    let line = |key: &str| {
        status
            .lines()
            .find_map(|line| line.strip_prefix(key))
            .unwrap()
            .trim()
            .to_owned()
    };
    assert_eq!(line("Uid:").split_whitespace().next(), Some("65533"));
    // NET_ADMIN 12, PERFMON 38, BPF 39.
    let three = format!("{:016x}", 1u64 << 12 | 1 << 38 | 1 << 39);
    assert_eq!((line("CapPrm:"), line("CapEff:")), (three.clone(), three));

    replug(&owned, "far");
    member(&owned, "to-far", "bat0");
    let names: &[&str] = if kernel::describes_batman_adv() {
        &["traffic", "routes"]
    } else {
        &["traffic"]
    };
    let attached = |what: &str| {
        wait::until(what, LIMIT, || {
            let status = owned.status(&config)?;
            let probes = status["snapshot"]["probes"].clone();
            let on = names.iter().all(|name| {
                let probe = &probes[name];
                probe["attached"] == true && probe["reason"].as_str().is_some_and(str::is_empty)
            });
            Ok(if on {
                Look::Ready(())
            } else {
                Look::Pending(probes.to_string())
            })
        })
        .unwrap();
    };
    attached("the probes are on the new member");

    reload_the_module(&owned);
    mesh_setting(&owned, "bat0", "hop_penalty", &15.into());
    member(&owned, "to-far", "bat0");
    member(&owned, "to-east", "bat0");
    owned.address().unwrap();
    owned.reachable().unwrap();
    attached("the probes are on the new module");
    // And a foreign change of the new interface is seen: its family is another one.
    owned.batctl("meshif bat0 hop_penalty 200").unwrap();
    mesh_setting(&owned, "bat0", "hop_penalty", &15.into());
    agent.stop().unwrap();
}

#[test]
fn an_interface_that_vanishes_and_returns_is_a_member_again() {
    let algorithm = if kernel::has_algorithm("BATMAN_V").unwrap() {
        "BATMAN_V"
    } else {
        "BATMAN_IV"
    };
    let owned = Owned::up(algorithm, "an_interface_that_vanishes").unwrap();
    let config = owned.configure(&tables(algorithm)).unwrap();
    let agent = owned.run(&config).unwrap();
    member(&owned, "to-far", "bat0");
    replug(&owned, "far");
    member(&owned, "to-far", "bat0");
    // The mesh interface itself, and a member taken away by hand.
    owned.ip("link set to-east nomaster").unwrap();
    member(&owned, "to-east", "bat0");
    owned.ip("link del bat0").unwrap();
    mesh_setting(&owned, "bat0", "hop_penalty", &15.into());
    member(&owned, "to-east", "bat0");
    assert!(owned.link("to-far").unwrap().unwrap()["master"] == "bat0");
    agent.stop().unwrap();
}

#[test]
fn killed_before_a_change_was_confirmed_the_agent_undoes_it_after_its_start() {
    let owned = Owned::up("BATMAN_IV", "killed_in_the_middle").unwrap();
    let config = owned.configure(&tables("BATMAN_IV")).unwrap();
    let agent = owned.run(&config).unwrap();
    mesh_setting(&owned, "bat0", "hop_penalty", &15.into());
    let other = owned
        .configure_as(
            "other.toml",
            &tables("BATMAN_IV").replace("hop_penalty = 15", "hop_penalty = 66"),
        )
        .unwrap();
    let mut applying = owned
        .start_command(&["apply", "--confirm-within", "30s"], &other)
        .unwrap();
    mesh_setting(&owned, "bat0", "hop_penalty", &66.into());
    agent.kill().unwrap();
    let _status = applying.wait().unwrap();
    assert_eq!(
        owned.table("meshif bat0 mj").unwrap()["hop_penalty"],
        66,
        "nobody is there to undo it"
    );
    // Its configuration wants 66 and is the one that nobody confirmed.
    let agent = owned.run(&other).unwrap();
    mesh_setting(&owned, "bat0", "hop_penalty", &15.into());
    agent.stop().unwrap();
}

#[test]
fn two_managers_that_fight_are_told_and_the_other_mesh_is_kept_all_the_same() {
    let owned = Owned::up("BATMAN_IV", "two_managers_that_fight").unwrap();
    let config = owned
        .configure(
            "[mesh.bat0]\npolicy = \"enforce\"\nhop_penalty = 15\n[[mesh.bat0.member]]\nname = \"to-far\"\n\
             [mesh.bat1]\npolicy = \"enforce\"\nhop_penalty = 16\n[[mesh.bat1.member]]\nname = \"to-east\"\n",
        )
        .unwrap();
    let agent = owned.run(&config).unwrap();
    mesh_setting(&owned, "bat0", "hop_penalty", &15.into());
    mesh_setting(&owned, "bat1", "hop_penalty", &16.into());
    // The other manager insists, until it is left alone.
    wait::until("the agent holds back", LIMIT, || {
        if owned.table("meshif bat0 mj")?["hop_penalty"] == 15 {
            owned.batctl("meshif bat0 hop_penalty 100")?;
        }
        let text = owned.must(&["status"], &config)?;
        Ok(if text.contains("held back") {
            Look::Ready(())
        } else {
            Look::Pending(text)
        })
    })
    .unwrap();
    owned.batctl("meshif bat1 hop_penalty 101").unwrap();
    mesh_setting(&owned, "bat1", "hop_penalty", &16.into());
    assert_eq!(
        owned.table("meshif bat0 mj").unwrap()["hop_penalty"],
        100,
        "it is still held back"
    );
    agent.stop().unwrap();
}

#[test]
fn drift_of_a_mesh_that_is_only_reported_reaches_the_collector_and_is_left() {
    let topology = Topology::parse(
        "drift.json".as_ref(),
        &json!({
            "name": "drift",
            "nodes": [{ "id": "a", "agent": true }, { "id": "b", "agent": false }],
            "links": [{ "a": "a", "b": "b" }],
        })
        .to_string(),
    )
    .unwrap();
    let mut options = Options::for_test("drift_of_a_mesh_that_is_only_reported").unwrap();
    options.agent_config = Some("[mesh.bat0]\npolicy = \"report\"\nhop_penalty = 30\n".to_owned());
    let lab = Lab::start(&topology, options).unwrap();
    let drift = |wanted: f64| {
        wait::until("the collector tells the drift", LIMIT, || {
            let samples = lab.metrics()?;
            let drift = metrics::sum(&samples, "mesh_config_drift", &[("mesh", "drift"), ("node", "a")]);
            Ok(if drift == Some(wanted) {
                Look::Ready(())
            } else {
                Look::Pending(format!("{drift:?}"))
            })
        })
        .unwrap();
    };
    drift(0.0);
    lab.batctl("a", &["meshif", "bat0", "hop_penalty", "77"]).unwrap();
    drift(1.0);
    let table: Value = serde_json::from_str(&lab.batctl("a", &["meshif", "bat0", "mj"]).unwrap()).unwrap();
    assert_eq!(table["hop_penalty"], 77);
    let events = wait::until("the event is listed", LIMIT, || {
        let events = grpcurl::call(&lab, "mesh.v1.TopologyService/ListEvents", &json!({ "node": "a" }))?.to_string();
        Ok(if events.contains("hop_penalty") {
            Look::Ready(events)
        } else {
            Look::Pending(events)
        })
    })
    .unwrap();
    assert!(events.contains("77") && events.contains("30"), "{events}");
    lab.batctl("a", &["meshif", "bat0", "hop_penalty", "30"]).unwrap();
    drift(0.0);
    lab.stop().unwrap();
}

#[test]
fn smoke_a_gateway_that_falls_silent_is_noticed_long_before_the_kernel_does() {
    let topology = Topology::parse(
        "silent.json".as_ref(),
        &json!({
            "name": "silent",
            "nodes": [
                { "id": "a", "agent": true },
                { "id": "gate", "agent": false, "gateway": { "down_kbit": 20000, "up_kbit": 5000 } },
            ],
            "links": [{ "a": "a", "b": "gate" }],
        })
        .to_string(),
    )
    .unwrap();
    let lab = Lab::start(&topology, Options::for_test("a_gateway_that_falls_silent").unwrap()).unwrap();
    lab.batctl("a", &["meshif", "bat0", "gw_mode", "client"]).unwrap();
    let gateways =
        || -> anyhow::Result<Vec<Value>> { Ok(serde_json::from_str(&lab.batctl("a", &["meshif", "bat0", "gwj"])?)?) };
    wait::until("a gateway is selected", LIMIT, || {
        let gateways = gateways()?;
        Ok(if gateways.iter().any(|gateway| gateway["best"] == true) {
            Look::Ready(())
        } else {
            Look::Pending(format!("{gateways:?}"))
        })
    })
    .unwrap();
    // Its end stays up, so that nothing but silence tells.
    lab.exec(
        "gate",
        "tc",
        &["qdisc", "replace", "dev", "to-a", "root", "netem", "loss", "100%"],
    )
    .unwrap();
    let began = wait::now();
    let told = |kind: &str| {
        wait::until(&format!("the collector is told {kind}"), LIMIT, || {
            let request = json!({ "node": "a", "kinds": ["EVENT_KIND_GATEWAY_SILENT", "EVENT_KIND_GATEWAY_BACK"] });
            let events = grpcurl::events(&lab, &request)?;
            let last = events.last().map(|event| event["kind"].clone());
            Ok(if last == Some(kind.into()) {
                Look::Ready(())
            } else {
                Look::Pending(format!("{last:?}"))
            })
        })
        .unwrap();
    };
    told("EVENT_KIND_GATEWAY_SILENT");
    wait::say(&format!(
        "    told after {:.1} s; the kernel waits for 200 s",
        began.elapsed().as_secs_f64()
    ));
    assert!(began.elapsed() < Duration::from_secs(60));
    assert_eq!(gateways().unwrap().len(), 1, "the kernel still lists it");
    lab.exec("gate", "tc", &["qdisc", "del", "dev", "to-a", "root"])
        .unwrap();
    told("EVENT_KIND_GATEWAY_BACK");
    lab.stop().unwrap();
}
