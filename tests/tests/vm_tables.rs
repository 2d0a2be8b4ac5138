//! Every table we read from the kernel against what batctl reads from it at the same moment, on both algorithms; and
//! what becomes of the tables on a live mesh. Needs root, batman-adv and `batctl`: run in the VM, one test at a time.

use std::collections::BTreeMap;
use std::fs::File;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use mesh_lab::wait::{self, Look};
use mesh_lab::{Lab, Options, Topology};
use mesh_proto::model::{Algorithm, IfName, MacAddr, MeshView};
use mesh_tests::kernel;
use nix::sched::{CloneFlags, setns};
use node_agent::collect::Collector;
use node_agent::derive::{self, derive};
use node_agent::netlink::batadv::{self, BatadvEntry, BatadvError, BatadvHandle, Dump};
use node_agent::netlink::ethtool::Ethtool;
use node_agent::netlink::link;
use node_agent::sample::{Fault, Sample};
use serde_json::Value;

/// Shared with the recorded replies' test, so that both mean the same by "as batctl reads it".
#[path = "../../node-agent/src/netlink/batadv/tests/batctl.rs"]
mod batctl;

use batctl::{Batctl, normal};

const LIMIT: Duration = Duration::from_secs(180);
/// Tells the child of a test from its parent.
const CHILD: &str = "MESH_TABLES_CHILD";

/// Ends bridge `bat0` into one LAN, the middle has two hard interfaces, the far end is a gateway.
struct Chain {
    lab: Lab,
}

impl Chain {
    fn up(algorithm: Algorithm, test: &str) -> Result<Self> {
        let text = serde_json::json!({
            "name": "chain",
            "algorithm": algorithm.name(),
            "nodes": [
                { "id": "near", "agent": false },
                { "id": "middle", "agent": false },
                { "id": "far", "agent": false, "gateway": { "down_kbit": 20000, "up_kbit": 5000 } },
            ],
            "links": [{ "a": "near", "b": "middle" }, { "a": "middle", "b": "far" }],
        });
        let topology = Topology::parse("chain.json".as_ref(), &text.to_string())?;
        let lab = Lab::mesh_only(&topology, Options::for_test(test)?)?;
        Ok(Self { lab })
    }

    fn exec(&self, node: &str, command: &str) -> Result<String> {
        let words: Vec<&str> = command.split_whitespace().collect();
        let (program, args) = words.split_first().context("an empty command")?;
        self.lab.exec(node, program, args)
    }

    /// Fills the tables of bridge loop avoidance, gateways and the distributed ARP table.
    fn bridge_the_ends(&self) -> Result<()> {
        self.exec("near", "ip link add lan netns near type veth peer name lan netns far")?;
        for node in ["near", "far"] {
            let address = self.lab.address(node)?;
            for command in [
                "batctl meshif bat0 bridge_loop_avoidance 1",
                "ip link add br0 type bridge",
                "ip link set bat0 master br0",
                "ip link set lan master br0",
                "ip link set lan up",
                "ip link set br0 up",
                "ip addr flush dev bat0",
            ] {
                self.exec(node, command)?;
            }
            self.exec(node, &format!("ip addr add {address}/16 dev br0"))?;
        }
        self.exec("near", "batctl meshif bat0 gw_mode client")?;
        Ok(())
    }

    /// Traffic from both ends to the middle; whether it is answered is not the question here.
    fn traffic(&self) -> Result<()> {
        let middle = self.lab.address("middle")?;
        for node in ["near", "far"] {
            let _unanswered = self.exec(node, &format!("ping -c 1 -W 1 {middle}"));
        }
        Ok(())
    }

    fn batctl(&self, node: &str, table: &str) -> Result<Value> {
        let text = self.lab.batctl(node, &["meshif", "bat0", table])?;
        serde_json::from_str(&text).with_context(|| format!("batctl {table} printed {text:?}"))
    }

    /// Runs something in a node's network namespace, in a runtime of its own.
    fn within<T: Send>(&self, node: &str, work: impl AsyncFnOnce() -> T + Send) -> Result<T> {
        let netns = File::open(self.lab.netns(node))?;
        std::thread::scope(|scope| {
            scope
                .spawn(move || {
                    setns(netns, CloneFlags::CLONE_NEWNET)?;
                    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
                    Ok(runtime.block_on(work()))
                })
                .join()
                .map_err(|_| anyhow::anyhow!("the thread in the namespace fell"))?
        })
    }

    /// Waits for a moment at which our reading of a table and batctl's agree, and the table is not empty. batctl is
    /// asked before and after; what moves meanwhile may be anywhere between.
    fn agree<E: BatadvEntry + Batctl + Send>(
        &self,
        node: &str,
        table: &str,
        ask: impl AsyncFn(BatadvHandle, u32) -> Result<Dump<E>, BatadvError> + Sync,
    ) -> Result<()> {
        wait::until(&format!("batctl {table} and we agree"), LIMIT, || {
            let before = self.batctl(node, table)?;
            let dump = self.within(node, async || {
                let (handle, ifindex) = batadv_handle().await?;
                anyhow::Ok(ask(handle, ifindex).await?)
            })??;
            let after = self.batctl(node, table)?;
            ensure!(dump.malformed == 0, "{} entries not understood", dump.malformed);
            let ours = by_key(dump.entries.iter().map(Batctl::batctl));
            let theirs = [before, after].map(|table| {
                let entries = table.as_array().cloned().unwrap_or_default();
                by_key(entries.iter().map(normal))
            });
            let difference = difference(&ours, &theirs[0], &theirs[1]);
            if ours.is_empty() || difference.is_some() {
                self.traffic()?;
                return Ok(Look::Pending(difference.unwrap_or_else(|| "it is empty".to_owned())));
            }
            wait::say(&format!("    {table}: {} entries as batctl reads them", ours.len()));
            Ok(Look::Ready(()))
        })
    }
}

async fn batadv_handle() -> Result<(BatadvHandle, u32)> {
    let (connection, links) = link::new_connection()?;
    tokio::spawn(connection);
    let bat0 = links.by_name("bat0").await?.context("no bat0")?;
    let (connection, handle) = batadv::new_connection()?;
    tokio::spawn(connection);
    Ok((handle, bat0.ifindex))
}

/// What tells one entry of a table from the next: its addresses, interfaces, VLAN.
fn by_key(entries: impl Iterator<Item = Value>) -> BTreeMap<String, Value> {
    const KEYS: [&str; 10] = [
        "orig_address",
        "neigh_address",
        "router",
        "hard_ifname",
        "tt_address",
        "tt_vid",
        "bla_address",
        "bla_backbone",
        "bla_vid",
        "dat_cache_ip4address",
    ];
    entries
        .map(|entry| {
            let key: Vec<String> = KEYS.iter().map(|key| entry[key].to_string()).collect();
            (key.join(" "), entry)
        })
        .collect()
}

/// Where ours is neither of theirs nor between them.
fn difference(
    ours: &BTreeMap<String, Value>,
    before: &BTreeMap<String, Value>,
    after: &BTreeMap<String, Value>,
) -> Option<String> {
    if !ours.keys().eq(before.keys()) || !ours.keys().eq(after.keys()) {
        return Some(format!("entries differ: {ours:?}, batctl {before:?} and {after:?}"));
    }
    ours.iter().find_map(|(key, ours)| {
        let fields = |value: &Value| value.as_object().cloned().unwrap_or_default();
        let (ours, before, after) = (fields(ours), fields(&before[key]), fields(&after[key]));
        if !ours.keys().eq(before.keys()) || !ours.keys().eq(after.keys()) {
            return Some(format!("fields of {key} differ: {ours:?}, batctl {before:?}"));
        }
        ours.iter()
            .find(|(field, value)| !possible(field, value, &before[*field], &after[*field]))
            .map(|(field, value)| {
                format!(
                    "{key}: {field} is {value}, batctl {} and {}",
                    before[field], after[field]
                )
            })
    })
}

fn possible(field: &str, ours: &Value, before: &Value, after: &Value) -> bool {
    if ours == before || ours == after {
        return true;
    }
    let (Some(ours), Some(before), Some(after)) = (ours.as_u64(), before.as_u64(), after.as_u64()) else {
        return false;
    };
    // A time since something grows until that something happens again.
    if field == "last_seen_msecs" && after < before {
        return ours > before || ours < after;
    }
    (before.min(after)..=before.max(after)).contains(&ours)
}

fn every_table_reads_as_batctl_reads_it(algorithm: Algorithm, test: &str) -> Result<()> {
    let chain = Chain::up(algorithm, test)?;
    chain.bridge_the_ends()?;
    chain.agree("near", "oj", async |h, i| h.originators().dump(i).await)?;
    chain.agree("middle", "oj", async |h, i| h.originators().dump(i).await)?;
    chain.agree("middle", "nj", async |h, i| h.neighbors().dump(i).await)?;
    chain.agree("near", "gwj", async |h, i| h.gateways().dump(i).await)?;
    chain.agree("near", "tlj", async |h, i| h.translation_local().dump(i).await)?;
    chain.agree("near", "tgj", async |h, i| h.translation_global().dump(i).await)?;
    chain.agree("near", "bbj", async |h, i| h.bla_backbones().dump(i).await)?;
    chain.agree("near", "clj", async |h, i| h.bla_claims().dump(i).await)?;
    chain.agree("near", "dcj", async |h, i| h.dat_cache().dump(i).await)?;
    chain.agree("near", "mfj", async |h, i| h.mcast_flags().dump(i).await)?;
    settings(&chain)?;
    members(&chain)?;
    counters(&chain)?;
    chain.lab.stop()
}

fn settings(chain: &Chain) -> Result<()> {
    for node in ["near", "far"] {
        wait::until("batctl mj and we agree", LIMIT, || {
            let ours = chain.within(node, async || {
                let (handle, ifindex) = batadv_handle().await?;
                anyhow::Ok(handle.mesh().get(ifindex).await?.batctl())
            })??;
            let theirs = chain.batctl(node, "mj")?;
            let ours = ours.as_object().context("no object")?;
            // The table's version rises with each client that comes or goes.
            let differs = ours.iter().find(|(key, value)| theirs[key] != **value);
            Ok(match differs {
                None => Look::Ready(()),
                Some((key, value)) => Look::Pending(format!("{key} is {value}, batctl {}", theirs[key])),
            })
        })?;
    }
    Ok(())
}

fn members(chain: &Chain) -> Result<()> {
    let ours = chain.within("middle", async || {
        let (handle, ifindex) = batadv_handle().await?;
        anyhow::Ok(handle.hard_interfaces().dump(ifindex).await?)
    })??;
    assert_eq!(ours.entries.len(), 2);
    for member in ours.entries {
        let text = chain.lab.batctl("middle", &["hardif", &member.hard_ifname, "hj"])?;
        assert_eq!(member.batctl(), normal(&serde_json::from_str(&text)?));
    }
    Ok(())
}

fn counters(chain: &Chain) -> Result<()> {
    let theirs = || -> Result<BTreeMap<String, u64>> {
        let text = chain.lab.batctl("near", &["meshif", "bat0", "s"])?;
        text.lines()
            .map(|line| {
                let (name, value) = line.split_once(':').context("a line without a colon")?;
                Ok((name.trim().to_owned(), value.trim().parse()?))
            })
            .collect()
    };
    let before = theirs()?;
    let name: IfName = "bat0".parse()?;
    let ours = chain.within("near", async || anyhow::Ok(Ethtool::open()?.statistics(&name)?))??;
    let after = theirs()?;
    assert!(ours.len() >= 37, "6.1 has 37 counters: {ours:?}");
    assert!(ours["tx"] > 0 && ours["mgmt_tx"] > 0, "{ours:?}");
    assert!(ours.keys().eq(before.keys()), "{ours:?}\n{before:?}");
    for (name, value) in &ours {
        assert!((before[name]..=after[name]).contains(value), "{name}: {value}");
    }
    Ok(())
}

#[test]
fn smoke_every_table_reads_as_batctl_reads_it_on_batman_iv() -> Result<()> {
    every_table_reads_as_batctl_reads_it(Algorithm::BatmanIv, "tables_iv")
}

#[test]
fn smoke_every_table_reads_as_batctl_reads_it_on_batman_v() -> Result<()> {
    if !kernel::has_algorithm("BATMAN_V")? {
        return Ok(());
    }
    every_table_reads_as_batctl_reads_it(Algorithm::BatmanV, "tables_v")
}

/// Samples of one node, judged one after the other.
struct Watch {
    collector: Collector,
    state: derive::State,
    config: derive::Config,
}

impl Watch {
    fn new() -> Result<Self> {
        let bat0: IfName = "bat0".parse()?;
        Ok(Self {
            collector: Collector::new([bat0.clone()]),
            state: derive::State::default(),
            config: derive::Config {
                meshes: BTreeMap::from([(bat0, "chain".parse()?)]),
                boot_id: node_agent::collect::host::boot_id(),
                churn_incarnation: 1,
                traffic_incarnation: 1,
            },
        })
    }

    async fn look(&mut self) -> (Sample, derive::Derived) {
        let sample = self.collector.sample().await;
        let derived = derive(&mut self.state, &sample, &self.config);
        (sample, derived)
    }

    /// Looks, some times a second at most, until a view is as wanted.
    async fn until(&mut self, what: &str, wanted: impl Fn(Option<&MeshView>) -> bool) -> Result<derive::Derived> {
        let began = wait::now();
        loop {
            let (_, derived) = self.look().await;
            if wanted(derived.meshes.values().next()) {
                return Ok(derived);
            }
            ensure!(began.elapsed() < LIMIT, "{what}: not in time; last seen: {derived:?}");
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    }
}

fn a_secondary_interface_is_attributed(algorithm: Algorithm, test: &str) -> Result<()> {
    let chain = Chain::up(algorithm, test)?;
    let plan = chain.lab.plan()?;
    let middle = &plan.nodes[1];
    let primary: MacAddr = middle.interfaces[0].mac.parse()?;
    let secondary: MacAddr = middle.interfaces[1].mac.parse()?;
    for (node, heard) in [("near", primary), ("far", secondary)] {
        let view = chain.within(node, async || {
            let mut watch = Watch::new()?;
            let attributed = |view: &MeshView| {
                let one = view.neighbors.iter().next();
                one.is_some_and(|(key, neighbor)| key.neigh_address == heard && neighbor.orig_address == Some(primary))
            };
            watch
                .until("the neighbor is its originator", |view| view.is_some_and(attributed))
                .await?;
            // It stays so, whatever the metric does.
            for _ in 0..20 {
                let (_, derived) = watch.look().await;
                let view = derived.meshes.values().next().context("the mesh interface went")?;
                assert!(attributed(view), "{:?}", view.neighbors);
            }
            let derived = watch.until("the link has a metric", |view| {
                view.is_some_and(|view| view.neighbors.values().all(|neighbor| neighbor.metric.is_some()))
            });
            anyhow::Ok(derived.await?)
        })??;
        let view = &view.meshes[&"bat0".parse::<IfName>()?];
        assert_eq!(view.settings.algorithm, Some(algorithm));
        assert_eq!(view.settings.hop_penalty, Some(30));
    }
    chain.lab.stop()
}

#[test]
fn a_secondary_interface_is_attributed_to_its_primary_on_batman_iv() -> Result<()> {
    a_secondary_interface_is_attributed(Algorithm::BatmanIv, "secondary_iv")
}

#[test]
fn a_secondary_interface_is_attributed_to_its_primary_on_batman_v() -> Result<()> {
    if !kernel::has_algorithm("BATMAN_V")? {
        return Ok(());
    }
    a_secondary_interface_is_attributed(Algorithm::BatmanV, "secondary_v")
}

#[test]
fn a_mesh_interface_may_go_and_come_back() -> Result<()> {
    let chain = Chain::up(Algorithm::BatmanIv, "come_back")?;
    let ip = |command: &str| chain.exec("near", command).map(drop);
    chain.within("near", async || {
        let mut watch = Watch::new()?;
        let met = |view: Option<&MeshView>| view.is_some_and(|view| view.neighbors.len() == 1);
        let before = watch.until("a neighbor", met).await?;
        ip("ip link del bat0")?;
        let (sample, gone) = watch.look().await;
        let fault = sample.meshes.values().next().and_then(|mesh| mesh.as_ref().err());
        assert_eq!(fault, Some(&Fault::NoInterface));
        assert!(gone.meshes.is_empty());
        assert_eq!(gone.records.len(), 1, "the neighbor went: {:?}", gone.records);
        ip("ip link add bat0 type batadv ra BATMAN_IV")?;
        let (_, empty) = watch.look().await;
        let view = empty.meshes.values().next().context("bat0 is there")?;
        assert!(view.neighbors.is_empty() && view.originators.is_empty());
        assert!(
            view.churn.is_some(),
            "no member is no fault: nobody is known, and that is known"
        );
        ip("ip link set to-middle master bat0")?;
        ip("ip link set bat0 up")?;
        let after = watch.until("the neighbor again", met).await?;
        let (before, after) = (&before.meshes, &after.meshes);
        for (name, view) in after {
            assert_ne!(view.counters_incarnation, before[name].counters_incarnation);
            let churn = view.churn.context("it is counted")?;
            assert_eq!((churn.adjacencies_up, churn.adjacencies_down), (1, 1));
        }
        anyhow::Ok(())
    })??;
    chain.lab.stop()
}

/// Runs itself again without the capability.
#[test]
fn without_cap_net_admin_settings_and_counters_remain() -> Result<()> {
    const NAME: &str = "without_cap_net_admin_settings_and_counters_remain";
    if std::env::var_os(CHILD).is_some() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        return runtime.block_on(unprivileged());
    }
    let chain = Chain::up(Algorithm::BatmanIv, "unprivileged")?;
    let output = Command::new("nsenter")
        .arg(format!("--net={}", chain.lab.netns("near").display()))
        .args(["setpriv", "--bounding-set=-net_admin", "--inh-caps=-net_admin"])
        .arg(std::env::current_exe()?)
        .args([NAME, "--exact", "--nocapture"])
        .env(CHILD, "1")
        .output()?;
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && said.contains("1 passed"), "{output:?}");
    chain.lab.stop()
}

async fn unprivileged() -> Result<()> {
    let mut watch = Watch::new()?;
    let (sample, derived) = watch.look().await;
    let mesh = sample.meshes.values().next().context("a mesh interface")?;
    let mesh = mesh.as_ref().map_err(|fault| anyhow::anyhow!("{fault}"))?;
    assert_eq!(mesh.originators, Err(Fault::Denied));
    assert_eq!(mesh.neighbors, Err(Fault::Denied));
    assert_eq!(mesh.dat_cache, Err(Fault::Denied));
    assert!(mesh.counters.as_ref().is_ok_and(|counters| counters.len() >= 37));
    let view = derived.meshes.values().next().context("a view")?;
    assert!(view.settings.orig_address.is_some());
    assert_eq!(view.hard_interfaces.len(), 1);
    assert_eq!(view.churn, None);
    let status = &derived.sources["batadv_neighbors"];
    assert!(
        !status.attached && status.reason.contains("CAP_NET_ADMIN"),
        "{status:?}"
    );
    Ok(())
}
