//! Radios: joined, read back and left by us, looked at with `iw`. The radios are mac80211_hwsim's, each in a network
//! namespace of its own, and all hear each other. Needs root, `iw`, batman-adv: run in the VM, one test at a time.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use mesh_lab::exec::{in_netns, run};
use mesh_lab::wait::{self, Look};
use nix::sched::{CloneFlags, setns};
use node_agent::actuate::radio::{refusal, use_of};
use node_agent::actuate::{Network, Radio, RadioUse, Width};
use node_agent::netlink::nl80211::{self, InterfaceType, RadioError, RadioHandle, WirelessInterface};

const LIMIT: Duration = Duration::from_secs(120);
/// Network namespaces, one radio each.
const NODES: [&str; 2] = ["radio-a", "radio-b"];

/// Radios, one a namespace; gone when dropped.
struct Air {
    /// Of each node its wireless interface.
    ifnames: Vec<String>,
    /// Where each node keeps what it joined.
    folders: Vec<tempfile::TempDir>,
}

impl Air {
    fn up() -> Result<Self> {
        Self::clear()?;
        run("modprobe", &["mac80211_hwsim", &format!("radios={}", NODES.len())])?;
        let mut air = Self {
            ifnames: Vec::new(),
            folders: Vec::new(),
        };
        for (node, phy) in NODES.iter().zip(phys()?) {
            let mut found = std::fs::read_dir(phy.join("device/net"))?;
            let ifname = found.next().context("a radio without interface")??.file_name();
            air.ifnames.push(ifname.to_string_lossy().into_owned());
            air.folders.push(tempfile::tempdir()?);
            run("ip", &["netns", "add", node])?;
            let phy = phy.file_name().context("no name")?.to_string_lossy().into_owned();
            run("iw", &["phy", &phy, "set", "netns", "name", node])?;
        }
        ensure!(air.ifnames.len() == NODES.len(), "hwsim made too few radios");
        Ok(air)
    }

    /// Whatever an earlier test left.
    /// Fails where nobody brought these tests a kernel of their own: they unload modules and move radios.
    fn clear() -> Result<()> {
        ensure!(
            std::env::var_os("MESH_BIN").is_some(),
            "run these tests with `cargo xtask test`"
        );
        for node in NODES {
            let _not_there = run("ip", &["netns", "del", node]);
        }
        let _not_loaded = run("modprobe", &["-r", "mac80211_hwsim"]);
        Ok(())
    }

    fn exec(&self, node: usize, command: &str) -> Result<String> {
        let mut words = command
            .split_whitespace()
            .map(|word| word.replace("WLAN", &self.ifnames[node]));
        let program = words.next().context("an empty command")?;
        let mut args = in_netns(NODES[node], &program);
        args.extend(words);
        run("nsenter", &args)
    }

    /// Asks in a node's namespace, as a process of its own would: nothing is known but what is in its folder.
    fn radios<T: Send>(&self, node: usize, ask: impl AsyncFnOnce(RadioHandle, u32) -> T + Send) -> Result<T> {
        let ifindex = self.exec(node, "ip -o link show WLAN")?;
        let ifindex = ifindex.split(':').next().context("no index")?.trim().parse()?;
        let folder = self.folders[node].path().join("radio");
        within(NODES[node], async move |handle: RadioHandle| {
            ask(handle.remembering_in(folder), ifindex).await
        })
    }

    fn join(&self, node: usize, radio: &Radio) -> Result<Result<(), RadioError>> {
        self.radios(node, async |radios, ifindex| radios.join(ifindex, radio).await)
    }

    /// What we read of a node's own interface.
    fn look(&self, node: usize) -> Result<WirelessInterface> {
        let (all, ifindex) = self.radios(node, async |radios, ifindex| (radios.list().await, ifindex))?;
        let mut all = all?.into_iter();
        all.find(|radio| radio.ifindex == ifindex).context("it is not listed")
    }

    fn mesh(&self, node: usize, radio: &Radio) -> Result<()> {
        self.join(node, radio)?
            .with_context(|| format!("{} cannot join", NODES[node]))
    }
}

impl Drop for Air {
    fn drop(&mut self) {
        let _not_ours = Self::clear();
    }
}

fn phys() -> Result<Vec<PathBuf>> {
    let mut phys: Vec<PathBuf> = std::fs::read_dir("/sys/class/ieee80211")?
        .map(|entry| Ok(entry?.path()))
        .collect::<Result<_>>()?;
    // Only simulated ones: a machine may have a radio of its own.
    phys.retain(|phy| {
        let driver = std::fs::canonicalize(phy.join("device/driver")).unwrap_or_default();
        driver.ends_with("mac80211_hwsim")
    });
    phys.sort();
    Ok(phys)
}

/// Runs something in a network namespace, in a runtime of its own.
fn within<T: Send>(netns: &str, ask: impl AsyncFnOnce(RadioHandle) -> T + Send) -> Result<T> {
    let netns = File::open(Path::new("/run/netns").join(netns))?;
    std::thread::scope(|scope| {
        scope
            .spawn(move || {
                setns(netns, CloneFlags::CLONE_NEWNET)?;
                let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
                runtime.block_on(async {
                    let (connection, radios) = nl80211::new_connection()?;
                    tokio::spawn(connection);
                    Ok(ask(radios).await)
                })
            })
            .join()
            .map_err(|_| anyhow::anyhow!("the thread in the namespace fell"))?
    })
}

fn mesh(id: &str, frequency_mhz: u32, width: Width) -> Radio {
    Radio {
        network: Network::Mesh(id.to_owned()),
        frequency_mhz,
        width,
    }
}

fn ibss(ssid: &str, frequency_mhz: u32, width: Width) -> Radio {
    Radio {
        network: Network::Ibss(ssid.to_owned()),
        frequency_mhz,
        width,
    }
}

/// As `iw` puts it.
fn shown(width: Width) -> &'static str {
    match width {
        Width::NoHt => "20 MHz (no HT)",
        Width::Ht20 => "20 MHz,",
        Width::Ht40Plus | Width::Ht40Minus => "40 MHz",
        Width::Mhz80 => "80 MHz",
    }
}

#[test]
fn a_bare_radio_joins_a_mesh_that_carries_batman() -> Result<()> {
    let air = Air::up()?;
    let roofs = mesh("roofs", 2437, Width::Ht40Minus);
    for node in 0..NODES.len() {
        air.exec(node, "ip link set WLAN mtu 1532")?;
        let bare = air.look(node)?;
        ensure!(bare.iftype == InterfaceType::Station && !bare.joined, "{bare:?}");
        ensure!(use_of(&bare, &[], Path::new("/")) == RadioUse::Free);
        air.mesh(node, &roofs)?;

        let joined = air.look(node)?;
        ensure!(joined.network.as_ref() == Some(&roofs), "{joined:?}");
        ensure!(joined.forwarding == Some(false), "{joined:?}");
        ensure!(use_of(&joined, &[], Path::new("/")) == RadioUse::Joined);
        let info = air.exec(node, "iw dev WLAN info")?;
        ensure!(info.contains("type mesh point"), "{info}");
        ensure!(info.contains("2437 MHz), width: 40 MHz, center1: 2427 MHz"), "{info}");
        let fwding = air.exec(node, "iw dev WLAN get mesh_param mesh_fwding")?;
        ensure!(fwding.trim() == "0", "mesh_fwding is {fwding}");
        let link = air.exec(node, "ip link show WLAN")?;
        ensure!(link.contains("mtu 1532") && link.contains(",UP"), "{link}");
    }
    wait::until("the radios are each other's peers", LIMIT, || {
        let peers = air.exec(0, "iw dev WLAN station dump")?;
        Ok(match peers.contains("ESTAB") {
            true => Look::Ready(()),
            false => Look::Pending(peers),
        })
    })?;
    for node in 0..NODES.len() {
        air.exec(node, "ip link add bat0 type batadv")?;
        air.exec(node, "ip link set WLAN master bat0")?;
        air.exec(node, "ip link set bat0 up")?;
        air.exec(node, &format!("ip addr add 10.9.0.{}/24 dev bat0", node + 1))?;
    }
    wait::until("a ping is answered over batman-adv", LIMIT, || {
        Ok(match air.exec(0, "ping -c 1 -W 2 10.9.0.2") {
            Ok(_) => Look::Ready(()),
            Err(error) => Look::Pending(error.to_string()),
        })
    })?;
    Ok(())
}

/// The kernel tells no mesh's name: ours holds while nobody else touches the radio, and is not guessed otherwise.
#[test]
fn the_name_of_a_mesh_is_never_wrong() -> Result<()> {
    let air = Air::up()?;
    let roofs = mesh("roofs", 2412, Width::Ht20);
    air.mesh(0, &roofs)?;
    let unknown = within(NODES[0], async |radios: RadioHandle| radios.list().await)??;
    ensure!(unknown[0].joined && unknown[0].network.is_none(), "{unknown:?}");
    ensure!(air.look(0)?.network == Some(roofs.clone()));

    // A setting of the mesh is none of its name.
    air.exec(0, "iw dev WLAN set mesh_param mesh_fwding 1")?;
    let forwards = air.look(0)?;
    ensure!(
        forwards.forwarding == Some(true) && forwards.network == Some(roofs.clone()),
        "{forwards:?}"
    );

    air.exec(0, "iw dev WLAN mesh leave")?;
    let left = air.look(0)?;
    ensure!(!left.joined && left.network.is_none(), "{left:?}");
    air.exec(0, "iw dev WLAN mesh join meadows freq 2412 HT20")?;
    let foreign = air.look(0)?;
    ensure!(foreign.joined && foreign.network.is_none(), "{foreign:?}");

    // Ours again, which it has to leave the other for.
    air.mesh(0, &roofs)?;
    ensure!(air.look(0)?.network == Some(roofs.clone()));
    // Down and up by hand: out of it, and no longer believed in.
    air.exec(0, "ip link set WLAN down")?;
    air.exec(0, "ip link set WLAN up")?;
    let back = air.look(0)?;
    ensure!(back.network.is_none(), "{back:?}");

    air.mesh(0, &roofs)?;
    air.mesh(0, &roofs)?;
    ensure!(air.look(0)?.network == Some(roofs));
    for _ in 0..2 {
        air.radios(0, async |radios, ifindex| radios.leave(ifindex).await)??;
        ensure!(!air.look(0)?.joined);
    }
    Ok(())
}

#[test]
fn every_width_reads_back_in_a_mesh() -> Result<()> {
    let air = Air::up()?;
    for (frequency_mhz, width) in [
        (2412, Width::NoHt),
        (2412, Width::Ht20),
        (2412, Width::Ht40Plus),
        (2462, Width::Ht40Minus),
    ] {
        let radio = mesh("roofs", frequency_mhz, width);
        air.mesh(0, &radio)?;
        let found = air.look(0)?;
        ensure!(found.network == Some(radio), "{found:?}");
        let info = air.exec(0, "iw dev WLAN info")?;
        ensure!(info.contains(shown(width)), "{width:?}: {info}");
    }
    Ok(())
}

#[test]
fn an_ad_hoc_network_reads_back_before_and_after_it_is_formed() -> Result<()> {
    let air = Air::up()?;
    for width in [Width::Ht20, Width::NoHt] {
        let fields = ibss("fields", 2437, width);
        air.mesh(0, &fields)?;
        let joined = air.look(0)?;
        ensure!(joined.joined && joined.network == Some(fields.clone()), "{joined:?}");
        let formed = wait::until("the network is formed", LIMIT, || {
            let found = air.look(0)?;
            Ok(match found.channel {
                Some(_) => Look::Ready(found),
                None => Look::Pending(format!("{found:?}")),
            })
        })?;
        ensure!(formed.network == Some(fields), "{formed:?}");
        let info = air.exec(0, "iw dev WLAN info")?;
        ensure!(info.contains("type IBSS") && info.contains("ssid fields"), "{info}");
        ensure!(info.contains(shown(width)), "{width:?}: {info}");
    }
    // To a mesh and back: the interface becomes what the network needs.
    let roofs = mesh("roofs", 2412, Width::Ht20);
    air.mesh(0, &roofs)?;
    ensure!(air.look(0)?.network == Some(roofs));
    air.radios(0, async |radios, ifindex| radios.leave(ifindex).await)??;
    ensure!(!air.look(0)?.joined);
    Ok(())
}

#[test]
fn an_access_point_is_left_its_radio() -> Result<()> {
    let air = Air::up()?;
    air.exec(0, "iw dev WLAN set type __ap")?;
    let ap = air.look(0)?;
    let RadioUse::Taken(owner) = use_of(&ap, &[], Path::new("/")) else {
        bail!("{ap:?} is not taken")
    };
    ensure!(owner == "an access point", "{owner}");

    // Another interface of a radio that is in use: only where that one is.
    let roofs = mesh("roofs", 2437, Width::Ht20);
    air.mesh(1, &roofs)?;
    air.exec(1, "iw dev WLAN interface add second type managed")?;
    let all = air.radios(1, async |radios, _| radios.list().await)??;
    let second = all.iter().find(|radio| radio.ifname == "second").context("no second")?;
    let of = use_of(second, &all, Path::new("/"));
    ensure!(
        matches!(
            of,
            RadioUse::Shared {
                frequency_mhz: 2437,
                ..
            }
        ),
        "{of:?}"
    );
    ensure!(refusal(&of, &roofs).is_none());
    ensure!(refusal(&of, &mesh("roofs", 2412, Width::Ht20)).is_some());
    Ok(())
}

#[test]
fn what_the_radio_cannot_is_refused_in_words() -> Result<()> {
    let air = Air::up()?;
    // Not allowed to send first where no country is set.
    let refused = air
        .join(0, &mesh("roofs", 5180, Width::Ht20))?
        .err()
        .context("joined")?;
    ensure!(
        matches!(
            refused,
            RadioError::NoSuchChannel {
                frequency_mhz: 5180,
                ..
            }
        ),
        "{refused}"
    );
    let refused = air
        .join(0, &mesh("roofs", 2413, Width::Ht20))?
        .err()
        .context("joined")?;
    ensure!(
        matches!(
            refused,
            RadioError::NoSuchChannel {
                frequency_mhz: 2413,
                ..
            }
        ),
        "{refused}"
    );
    ensure!(!air.look(0)?.joined);
    let refused = air.radios(0, async |radios, _| radios.leave(60_000).await)?;
    ensure!(matches!(refused, Err(RadioError::NoSuchInterface)), "{refused:?}");
    Ok(())
}

/// batman-adv itself needs cfg80211 where that is a module, so it has to go as well.
#[test]
fn asking_loads_no_module() -> Result<()> {
    let loaded = || Ok::<_, anyhow::Error>(std::fs::read_to_string("/proc/modules")?.contains("cfg80211"));
    Air::clear()?;
    wait::until("cfg80211 is unloaded", LIMIT, || {
        // Namespaces of tests before go some time after they are deleted, and their mesh interfaces with them.
        for module in ["batman_adv", "mac80211", "cfg80211"] {
            let _in_use_or_gone = run("modprobe", &["-r", module]);
        }
        Ok(match loaded()? {
            false => Look::Ready(()),
            true => Look::Pending("something uses it".to_owned()),
        })
    })?;
    run("ip", &["netns", "add", NODES[0]])?;
    let found = within(NODES[0], async |radios: RadioHandle| radios.list().await);
    let loaded = loaded();
    Air::clear()?;
    run("modprobe", &["batman_adv"])?;
    ensure!(found??.is_empty());
    ensure!(!loaded?, "asking loaded cfg80211");
    Ok(())
}
