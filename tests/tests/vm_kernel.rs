//! What the actuator sets in the kernel against what batctl and `ip` read from it, and what these set against what the
//! actuator reads, for every setting there is and both algorithms; and that changes are heard, across a reload of the
//! module too. Needs root, batman-adv and `batctl`: run in the VM, one test at a time.
#![expect(clippy::expect_used, reason = "a test's helpers fail the test")]

use std::collections::BTreeMap;
use std::fs::File;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use mesh_lab::exec;
use mesh_lab::mesh::{netns_exists, remove_netns};
use mesh_proto::model::{IfName, MacAddr};
use mesh_tests::kernel;
use nix::sched::{CloneFlags, setns};
use node_agent::actuate::linux::{Change, Events, Linux};
use node_agent::actuate::{
    HardSetting, Kernel as _, Knob, MeshSetting, Observed, Setting, State, Target, Value, WriteError,
};
use node_agent::netlink::batadv::{ConfigEvent, ConfigEvents};
use serde_json::{Value as Json, json};

const LIMIT: Duration = Duration::from_secs(30);
/// Without an event for so long none is on its way; everything in the VM is slow.
const QUIET: Duration = Duration::from_secs(2);
const VID: u16 = 10;

/// What batctl can set, and the knob that is to change.
const BY_BATCTL: [(&str, &str); 19] = [
    ("meshif bat0 aggregation 1", "bat0.aggregation"),
    ("meshif bat0 ap_isolation 0", "bat0.ap_isolation"),
    ("meshif bat0 isolation_mark 0x100/0x300", "bat0.isolation_mark"),
    ("meshif bat0 isolation_mark 0x100/0x700", "bat0.isolation_mask"),
    ("meshif bat0 bonding 0", "bat0.bonding"),
    ("meshif bat0 bridge_loop_avoidance 1", "bat0.bridge_loop_avoidance"),
    ("meshif bat0 distributed_arp_table 1", "bat0.distributed_arp_table"),
    ("meshif bat0 fragmentation 1", "bat0.fragmentation"),
    ("meshif bat0 gw_mode client 60", "bat0.gw_mode"),
    ("meshif bat0 gw_mode client 40", "bat0.gw_sel_class"),
    ("meshif bat0 gw_mode server 30mbit/4mbit", "bat0.gw_bandwidth_down_kbit"),
    ("meshif bat0 gw_mode server 30mbit/8mbit", "bat0.gw_bandwidth_up_kbit"),
    ("meshif bat0 hop_penalty 44", "bat0.hop_penalty"),
    ("meshif bat0 multicast_forceflood 0", "bat0.multicast_forceflood"),
    ("meshif bat0 multicast_fanout 3", "bat0.multicast_fanout"),
    ("meshif bat0 orig_interval 4000", "bat0.orig_interval"),
    ("hardif one elp_interval 900", "one.elp_interval"),
    ("hardif one throughput_override 90mbit", "one.throughput_override_kbit"),
    ("vlan bat0.10 ap_isolation 0", "bat0.vlan.10.ap_isolation"),
];

/// A namespace with a cable between two interfaces, `one` and `two`. Removed on drop.
struct Node(&'static str);

impl Node {
    fn up(name: &'static str) -> Result<Self> {
        // One of them unloads the module, and with it whatever mesh the machine has.
        ensure!(
            std::env::var_os("MESH_BIN").is_some(),
            "run these tests with `cargo xtask test`"
        );
        ensure!(
            !netns_exists(name),
            "a network namespace {name} exists and is not the test's"
        );
        exec::run("ip", &["netns", "add", name])?;
        let node = Self(name);
        node.ip("link add one type veth peer name two")?;
        node.ip("link set one up")?;
        node.ip("link set two up")?;
        Ok(node)
    }

    fn ip(&self, words: &str) -> Result<String> {
        let words = ["-n", self.0].into_iter().chain(words.split(' '));
        exec::run("ip", &words.collect::<Vec<_>>())
    }

    fn batctl(&self, words: &str) -> Result<String> {
        exec::batctl(self.0, &words.split(' ').collect::<Vec<_>>())
    }

    /// Runs something in the namespace, in a runtime of its own.
    fn within(&self, work: impl AsyncFnOnce() -> Result<()> + Send) -> Result<()> {
        let netns = File::open(format!("/run/netns/{}", self.0))?;
        std::thread::scope(|scope| {
            scope
                .spawn(move || {
                    setns(netns, CloneFlags::CLONE_NEWNET)?;
                    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
                    runtime.block_on(work())
                })
                .join()
                .map_err(|_| anyhow::anyhow!("the thread in the namespace fell"))?
        })
    }

    /// Every knob has the value that batctl or `ip` gives it.
    fn agrees(&self, state: &State) -> Result<()> {
        let read = |words: &str| -> Result<Json> { Ok(serde_json::from_str(&self.batctl(words)?)?) };
        let mesh = read("meshif bat0 mj")?;
        let hard = read("hardif one hj")?;
        let vlan = read("meshif bat0 vid 10 vj")?;
        let links: Vec<Json> = serde_json::from_str(&self.ip("-d -j link show")?)?;
        let links: BTreeMap<&str, &Json> = links.iter().filter_map(|l| Some((l["ifname"].as_str()?, l))).collect();
        for (knob, value) in &state.knobs {
            let name = match &knob.target {
                Target::Mesh(name) | Target::Interface(name) | Target::Vlan(name, _) => name.as_str(),
            };
            let link = *links.get(name).context("ip does not know it")?;
            let theirs = match knob.setting {
                Setting::Algorithm => mesh["algo_name"].clone(),
                Setting::Mesh(setting) => mesh[batctl_key(setting)].clone(),
                Setting::Hard(HardSetting::ThroughputOverride) => hard["throughput_override"].clone(),
                Setting::Hard(setting) => hard[setting.name()].clone(),
                Setting::VlanApIsolation => vlan["ap_isolation_enabled"].clone(),
                Setting::Master => link["master"].clone(),
                Setting::Mtu => link["mtu"].clone(),
                Setting::Address => link["address"].clone(),
                Setting::Up => json!(link["flags"].as_array().context("no flags")?.contains(&json!("UP"))),
                Setting::Radio => continue,
            };
            let ours = match (knob.setting, value) {
                (Setting::Mesh(MeshSetting::GwMode), Value::Number(mode)) => {
                    json!(["off", "client", "server"][*mode as usize])
                }
                (_, Value::Flag(flag)) => json!(flag),
                (_, Value::Number(number)) => json!(number),
                (_, value) => serde_json::from_str(&value.to_string())?,
            };
            ensure!(ours == theirs, "{knob}: we read {ours}, they {theirs}");
        }
        Ok(())
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        // What remains is removed with the VM.
        let _left = remove_netns(&[self.0]);
    }
}

fn batctl_key(setting: MeshSetting) -> String {
    match setting {
        MeshSetting::Aggregation => "aggregated_ogms_enabled".to_owned(),
        MeshSetting::GwBandwidthDown => "gw_bandwidth_down".to_owned(),
        MeshSetting::GwBandwidthUp => "gw_bandwidth_up".to_owned(),
        setting if setting.is_flag() => format!("{}_enabled", setting.name()),
        setting => setting.name().to_owned(),
    }
}

/// Another value for a knob, one that no kernel clamps; none for those that are set apart.
fn another(knob: &Knob, now: &Value) -> Option<Value> {
    Some(match (knob.setting, now) {
        (Setting::Algorithm | Setting::Master | Setting::Radio, _) => return None,
        (Setting::Mesh(MeshSetting::GwMode), _) => Value::Number(2),
        (Setting::Mtu, Value::Number(mtu)) => Value::Number(mtu - 100),
        (_, Value::Flag(flag)) => Value::Flag(!flag),
        (_, Value::Number(number)) => Value::Number(number + 7),
        (_, Value::Address(MacAddr([a, b, c, d, e, f]))) => Value::Address(MacAddr([*a, *b, *c, *d, *e, f ^ 0x55])),
        _ => return None,
    })
}

fn name(text: &str) -> IfName {
    text.parse().expect("a name")
}

fn in_force(observed: &Observed, knob: &str) -> Option<Value> {
    let mut knobs = observed.state.knobs.iter();
    knobs
        .find(|(known, _)| known.to_string() == knob)
        .map(|(_, value)| value.clone())
}

async fn set(linux: &mut Linux, knob: &Knob, value: Option<&Value>) -> Result<Observed> {
    let now = linux.read().await?;
    linux
        .write(knob, value, &now)
        .await
        .with_context(|| format!("setting {knob}"))?;
    Ok(linux.read().await?)
}

fn every_knob_and_batctl_mean_the_same(algorithm: &str, node: &Node) -> Result<()> {
    node.within(async || {
        let mut linux = Linux::new();
        let (bat0, one, two) = (name("bat0"), name("one"), name("two"));
        let mesh = Knob::mesh(&bat0, Setting::Algorithm);
        let made = Value::Algorithm(algorithm.to_owned());
        set(&mut linux, &mesh, Some(&made)).await?;
        let master = Knob::interface(&one, Setting::Master);
        set(&mut linux, &master, Some(&Value::Interface(bat0.clone()))).await?;
        set(&mut linux, &Knob::mesh(&bat0, Setting::Up), Some(&Value::Flag(true))).await?;
        node.ip(&format!("link add link bat0 name bat0.10 type vlan id {VID}"))?;
        let before = linux.read().await?;
        assert_eq!(before.state.get(&mesh), Some(&made));
        assert!(before.facts.meshes[&bat0].vlans.contains(&VID));
        assert!(
            before
                .facts
                .algorithms
                .as_ref()
                .is_some_and(|known| known.contains(algorithm))
        );
        node.agrees(&before.state)?;

        let mut wanted = before.state.clone();
        // The MTU of a mesh interface follows its members' and fragmentation, so its own comes last.
        let (of_mesh, of_others): (Vec<_>, Vec<_>) =
            (before.state.knobs.iter()).partition(|(knob, _)| matches!(knob.target, Target::Mesh(_)));
        for (knob, now) in of_others.into_iter().chain(of_mesh) {
            if let Some(value) = another(knob, now) {
                linux
                    .write(knob, Some(&value), &before)
                    .await
                    .with_context(|| format!("setting {knob}"))?;
                wanted.knobs.insert(knob.clone(), value);
            }
        }
        let after = linux.read().await?;
        for (knob, value) in &wanted.knobs {
            assert_eq!(after.state.get(knob), Some(value), "{knob}");
        }
        node.agrees(&after.state)?;

        let mut before = after;
        for (words, knob) in BY_BATCTL {
            // In BATMAN_V the class of a gateway is a throughput.
            let words = match words.strip_prefix("meshif bat0 gw_mode client") {
                Some(_) if algorithm == "BATMAN_V" => format!("{words}mbit"),
                _ => words.to_owned(),
            };
            node.batctl(&words).with_context(|| format!("batctl {words}"))?;
            let after = linux.read().await?;
            let (was, is) = (in_force(&before, knob), in_force(&after, knob));
            ensure!(
                is.is_some() && was != is,
                "batctl {words}: {knob} is {is:?}, was {was:?}"
            );
            node.agrees(&after.state)?;
            before = after;
        }

        // A member of a bridge is left to it; a member of the mesh leaves it; an algorithm that is not there is said so.
        node.ip("link add br0 type bridge")?;
        node.ip("link set two master br0")?;
        let now = linux.read().await?;
        let taken = Knob::interface(&two, Setting::Master);
        assert_eq!(now.state.get(&taken), None);
        let refused = linux.write(&taken, Some(&Value::Interface(bat0.clone())), &now).await;
        assert!(
            matches!(&refused, Err(WriteError::Refused(why)) if why.contains("br0")),
            "{refused:?}"
        );
        assert_eq!(set(&mut linux, &master, None).await?.state.get(&master), None);
        set(&mut linux, &mesh, None).await?;
        let none = Value::Algorithm("BATMAN_X".to_owned());
        let refused = linux.write(&mesh, Some(&none), &now).await;
        assert!(matches!(refused, Err(WriteError::Unsupported(_))), "{refused:?}");
        // Made anew with the other one.
        for other in ["BATMAN_V", "BATMAN_IV"] {
            if !kernel::has_algorithm(other)? {
                continue;
            }
            let other = Value::Algorithm(other.to_owned());
            assert_eq!(
                set(&mut linux, &mesh, Some(&other)).await?.state.get(&mesh),
                Some(&other)
            );
        }
        assert_eq!(set(&mut linux, &mesh, None).await?.state.get(&mesh), None);
        Ok(())
    })
}

#[test]
fn smoke_every_knob_and_batctl_mean_the_same_on_batman_iv() -> Result<()> {
    every_knob_and_batctl_mean_the_same("BATMAN_IV", &Node::up("knobs_iv")?)
}

#[test]
fn smoke_every_knob_and_batctl_mean_the_same_on_batman_v() -> Result<()> {
    if !kernel::has_algorithm("BATMAN_V")? {
        return Ok(());
    }
    every_knob_and_batctl_mean_the_same("BATMAN_V", &Node::up("knobs_v")?)
}

/// Takes what is on its way.
async fn drain(events: &mut Events) {
    while tokio::time::timeout(QUIET, events.next()).await.is_ok() {}
}

async fn hear(events: &mut Events, wanted: &Change) -> Result<()> {
    let heard = async { while events.next().await != *wanted {} };
    tokio::time::timeout(LIMIT, heard)
        .await
        .with_context(|| format!("{wanted:?} was not heard"))
}

#[test]
fn smoke_changes_by_others_are_heard_across_a_reload_of_the_module() -> Result<()> {
    let node = Node::up("heard")?;
    node.within(async || {
        let mut events = Events::open()?;
        let mut linux = Linux::new();
        for load in 0..2 {
            let mesh = Knob::mesh(&name("bat0"), Setting::Algorithm);
            let seen = set(&mut linux, &mesh, Some(&Value::Algorithm("BATMAN_IV".to_owned()))).await?;
            hear(&mut events, &Change::Links).await?;
            let master = Knob::interface(&name("one"), Setting::Master);
            set(&mut linux, &master, Some(&Value::Interface(name("bat0")))).await?;
            node.ip(&format!("link add link bat0 name bat0.10 type vlan id {VID}"))?;
            let mut settings = ConfigEvents::open()?;
            let mesh_ifindex = seen.facts.interfaces[&name("bat0")].ifindex;
            let hard_ifindex = seen.facts.interfaces[&name("one")].ifindex;
            for (words, expected) in [
                ("meshif bat0 hop_penalty 9", ConfigEvent::Mesh { mesh_ifindex }),
                (
                    "hardif one elp_interval 600",
                    ConfigEvent::HardInterface {
                        mesh_ifindex,
                        hard_ifindex,
                    },
                ),
                (
                    "vlan bat0.10 ap_isolation 1",
                    ConfigEvent::Vlan { mesh_ifindex, vid: VID },
                ),
            ] {
                drain(&mut events).await;
                node.batctl(words)?;
                let event = tokio::time::timeout(LIMIT, settings.next()).await;
                assert_eq!(event.with_context(|| format!("load {load}: {words}"))??, expected);
                hear(&mut events, &Change::Config)
                    .await
                    .with_context(|| format!("load {load}: {words}"))?;
            }
            set(&mut linux, &mesh, None).await?;
            drain(&mut events).await;
            exec::run("rmmod", &["batman_adv"])?;
            hear(&mut events, &Change::Config).await.context("the module went")?;
            assert_eq!(linux.read().await?.facts.algorithms, None, "reading loads no module");
            exec::run("modprobe", &["batman_adv"])?;
            hear(&mut events, &Change::Config).await.context("the module came")?;
        }
        Ok(())
    })
}
