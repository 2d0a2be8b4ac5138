//! The probes against the kernel's own batman-adv: every route change once, in its own network namespace only, and
//! every frame on the wire. Needs root, batman-adv, kprobes and `batctl`: run in the VM, one test at a time.
#![expect(
    clippy::expect_used,
    clippy::panic,
    reason = "helpers of tests, which may fail as tests do"
)]

use std::{
    collections::{BTreeMap, BTreeSet},
    fs::{self, File},
    process::Command,
    time::Duration,
};

use mesh_proto::model::MacAddr;
use mesh_tests::kernel as capable;
use nix::sched::{CloneFlags, setns};
use node_agent::ebpf::{
    Direction, PacketType, ProbeConfig, Probes, ProgramLog, ROUTES, RouteChange, RouteChanges, TrafficMechanism,
};
use node_agent_ebpf_common::route::PROGRAM;
use serde_json::Value;
use tokio::runtime::Runtime;

const MESH: &str = "bat0";
/// Nodes, all linked with each other: the namespace's name is the node's.
const NODES: [&str; 3] = ["pa", "pb", "pc"];
const LINKS: [(&str, &str); 3] = [("pa", "pb"), ("pb", "pc"), ("pa", "pc")];
/// Short, so that a dead link is noticed soon.
const ORIGINATOR_INTERVAL_MS: &str = "200";
/// Of looks at the mesh, each of which waits up to [`LOOK`] for route changes: some minutes.
const LOOKS: u32 = 1_500;
const LOOK: Duration = Duration::from_millis(100);
/// Pinned with some room for other kernels' verifiers and another compiler; raise it knowingly.
const MOST_VERIFIED_INSTRUCTIONS: u32 = 7_000;

fn run(command: &str) -> String {
    let mut words = command.split_whitespace();
    let output = Command::new(words.next().expect("a program"))
        .args(words)
        .output()
        .expect("runs");
    assert!(
        output.status.success(),
        "{command}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn within(node: &str, command: &str) -> String {
    run(&format!("ip netns exec {node} {command}"))
}

/// Interface of `node` towards `peer`.
fn interface(node: &str, peer: &str) -> String {
    format!("{node}-{peer}")
}

/// Its address, told from the names: the last two octets are the node and the peer.
fn address(node: &str, peer: &str) -> MacAddr {
    let number = |name: &str| name.bytes().last().expect("a name");
    MacAddr([2, 0, 0, 0, number(node), number(peer)])
}

/// The triangle; removed when dropped.
struct Mesh;

impl Mesh {
    fn up(algorithm: &str) -> Self {
        run("modprobe batman_adv");
        let mesh = Self;
        for node in NODES {
            run(&format!("ip netns add {node}"));
            // Then nothing but batman-adv's frames is on the wire.
            within(
                node,
                "sysctl -qw net.ipv6.conf.all.disable_ipv6=1 net.ipv6.conf.default.disable_ipv6=1",
            );
        }
        for (node, peer) in LINKS {
            run(&format!(
                "ip link add {} netns {node} address {} type veth peer name {} netns {peer} address {}",
                interface(node, peer),
                address(node, peer),
                interface(peer, node),
                address(peer, node),
            ));
        }
        for (number, node) in (1..).zip(NODES) {
            let make = || {
                within(node, &format!("ip link add {MESH} type batadv ra {algorithm}"));
                Ok(())
            };
            make()
                .and_then(|()| mesh_lab::mesh::ensure_algorithm(node, MESH, algorithm, make))
                .expect("a mesh interface");
            within(
                node,
                &format!("batctl meshif {MESH} orig_interval {ORIGINATOR_INTERVAL_MS}"),
            );
            within(node, &format!("ip link set {MESH} up"));
            within(node, &format!("ip addr add 10.1.1.{number}/24 dev {MESH}"));
        }
        mesh
    }

    /// Makes the veth ends members, which is when batman-adv begins to talk on them.
    fn join(&self) {
        for (node, peer) in LINKS.into_iter().flat_map(|(a, b)| [(a, b), (b, a)]) {
            within(node, &format!("ip link set {} master {MESH} up", interface(node, peer)));
        }
    }

    fn ifindex(node: &str, name: &str) -> u32 {
        let link: Value = serde_json::from_str(&within(node, &format!("ip -j link show {name}"))).expect("JSON");
        link[0]["ifindex"]
            .as_u64()
            .and_then(|index| index.try_into().ok())
            .expect("an index")
    }

    /// Frames the kernel says it sent and received on an interface.
    fn frames(node: &str, name: &str) -> (u64, u64) {
        let link: Value = serde_json::from_str(&within(node, &format!("ip -j -s link show {name}"))).expect("JSON");
        let count = |way: &str| link[0]["stats64"][way]["packets"].as_u64().expect("a count");
        (count("tx"), count("rx"))
    }

    /// Next hop and interface to each originator, as batctl has them.
    fn next_hops(node: &str) -> BTreeMap<MacAddr, (MacAddr, String)> {
        let table = mesh_lab::table::rows(node, MESH, "oj").expect("a table");
        let best = table.iter().filter(|entry| entry["best"].as_bool() == Some(true));
        let text = |value: &Value| value.as_str().expect("a string").to_owned();
        let mac = |value: &Value| text(value).parse::<MacAddr>().expect("an address");
        best.map(|entry| {
            (
                mac(&entry["orig_address"]),
                (mac(&entry["neigh_address"]), text(&entry["hard_ifname"])),
            )
        })
        .collect()
    }
}

impl Drop for Mesh {
    fn drop(&mut self) {
        for node in NODES {
            // Interfaces, mesh and filters go with the namespace.
            Command::new("ip").args(["netns", "del", node]).status().ok();
        }
    }
}

/// What an agent on a node has: probes loaded in the node's namespace, and all route changes so far.
struct Agent {
    node: &'static str,
    probes: Probes,
    stream: RouteChanges,
    changes: Vec<RouteChange>,
}

impl Agent {
    fn start(node: &'static str, program_log: ProgramLog) -> Self {
        let home = File::open("/proc/thread-self/ns/net").expect("this namespace");
        enter(node);
        let mut probes = Probes::load(&ProbeConfig {
            program_log,
            ..ProbeConfig::default()
        });
        setns(home, CloneFlags::CLONE_NEWNET).expect("back home");
        let stream = probes
            .take_route_changes()
            .unwrap_or_else(|| panic!("{:?}", probes.states()));
        Self {
            node,
            probes,
            stream,
            changes: Vec::new(),
        }
    }

    fn attach(&mut self) {
        let home = File::open("/proc/thread-self/ns/net").expect("this namespace");
        enter(self.node);
        for peer in NODES.into_iter().filter(|peer| *peer != self.node) {
            let name = interface(self.node, peer);
            self.probes.attach_interface(Mesh::ifindex(self.node, &name), &name);
        }
        setns(home, CloneFlags::CLONE_NEWNET).expect("back home");
    }

    /// Gathers what changed, waiting a little for the first of it.
    fn look(&mut self, runtime: &Runtime) {
        runtime.block_on(async {
            // Running out of time is an answer too: nothing changed.
            if let Ok(result) = tokio::time::timeout(LOOK, self.stream.next(&mut self.changes)).await {
                result.expect("the ring can be read");
            }
        });
        self.probes.heartbeat();
    }

    /// Every next hop as the changes leave it, with each change beginning where the last one ended.
    fn replayed(&self) -> BTreeMap<MacAddr, (MacAddr, u32)> {
        let mut hops: BTreeMap<MacAddr, (MacAddr, u32)> = BTreeMap::new();
        for change in &self.changes {
            let old = change.old.map(|hop| (hop.neighbor, hop.ifindex));
            assert_eq!(
                hops.get(&change.originator).copied(),
                old,
                "{}: a change was missed: {change:?}",
                self.node
            );
            assert_ne!(change.old, change.new, "{}: no change: {change:?}", self.node);
            match change.new {
                Some(hop) => hops.insert(change.originator, (hop.neighbor, hop.ifindex)),
                None => hops.remove(&change.originator),
            };
        }
        hops
    }

    /// What batctl says now, in the same shape.
    fn actual(&self) -> BTreeMap<MacAddr, (MacAddr, u32)> {
        let hops = Mesh::next_hops(self.node).into_iter();
        hops.map(|(originator, (neighbor, name))| (originator, (neighbor, Mesh::ifindex(self.node, &name))))
            .collect()
    }

    fn sent_and_received(&self, name: &str) -> (u64, u64) {
        let ifindex = Mesh::ifindex(self.node, name);
        let counts = self.probes.traffic().expect("readable");
        let sum = |direction| {
            let of_it = counts
                .iter()
                .filter(|count| count.ifindex == ifindex && count.direction == direction);
            of_it.map(|count| count.packets).sum()
        };
        (sum(Direction::Egress), sum(Direction::Ingress))
    }

    fn types(&self) -> BTreeSet<PacketType> {
        self.probes
            .traffic()
            .expect("readable")
            .iter()
            .map(|count| count.packet_type)
            .collect()
    }
}

fn enter(node: &str) {
    let namespace = File::open(format!("/run/netns/{node}")).expect("a namespace");
    setns(namespace, CloneFlags::CLONE_NEWNET).expect("entered");
}

fn runtime() -> Runtime {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime")
}

/// Looks until `reached`, and says what was last seen if it never is.
fn wait_for(what: &str, runtime: &Runtime, agents: &mut [&mut Agent], reached: impl Fn(&[&mut Agent]) -> bool) {
    for _ in 0..LOOKS {
        for agent in &mut *agents {
            agent.look(runtime);
        }
        if reached(agents) {
            return;
        }
    }
    let seen: Vec<_> = agents
        .iter()
        .map(|agent| (agent.node, agent.actual(), agent.replayed()))
        .collect();
    panic!("{what} did not come; batctl's and the probes' next hops: {seen:#?}");
}

fn kernel() -> (u32, u32) {
    let release = fs::read_to_string("/proc/sys/kernel/osrelease").expect("a release");
    let mut numbers = release.split('.').map_while(|number| number.parse().ok());
    (numbers.next().expect("a version"), numbers.next().expect("a version"))
}

#[test]
fn smoke_each_path_switch_is_counted_once_and_in_its_own_namespace_only() {
    let runtime = runtime();
    let _context = runtime.enter();
    let mesh = Mesh::up("BATMAN_IV");
    let mut a = Agent::start("pa", ProgramLog::Off);
    // The verifier must take the programs with their log switched on as well.
    let mut c = Agent::start("pc", ProgramLog::Warn);
    if !capable::describes_batman_adv() {
        let states = a.probes.states();
        let routes = states.iter().find(|state| state.name == ROUTES).expect("a state");
        let reason = routes.reason.as_deref().unwrap_or_default();
        assert!(reason.contains("batman-adv does not describe its types"), "{reason}");
        assert!(!a.probes.sees_routes() && routes.lost.is_some());
        return;
    }
    for agent in [&a, &c] {
        assert!(agent.probes.sees_routes(), "{:?}", agent.probes.states());
    }
    let programs = aya::programs::loaded_programs().filter_map(Result::ok);
    for route in programs.filter(|program| program.name_as_str() == Some(PROGRAM)) {
        let count = route.verified_instruction_count().expect("kernel 5.16 or later");
        eprintln!("{PROGRAM}: {count} verified instructions");
        assert!(
            count <= MOST_VERIFIED_INSTRUCTIONS,
            "{PROGRAM}: {count} verified instructions"
        );
    }
    mesh.join();
    // Each interface of a peer is an originator to its neighbors; all of a peer's are reached one way.
    let via = |agent: &Agent, peer: &str, hop: &str| {
        let hops = agent.replayed();
        let number = address(peer, agent.node).0[4];
        let mut of_peer = hops
            .iter()
            .filter(|(originator, _)| originator.0[4] == number)
            .peekable();
        of_peer.peek().is_some() && of_peer.any(|(_, (neighbor, _))| *neighbor == address(hop, agent.node))
    };
    wait_for("direct routes", &runtime, &mut [&mut a, &mut c], |agents| {
        agents.iter().all(|agent| {
            let mut peers = NODES.into_iter().filter(|peer| *peer != agent.node);
            peers.all(|peer| via(agent, peer, peer)) && agent.replayed() == agent.actual()
        })
    });

    let (before_a, before_c) = (a.changes.len(), c.changes.len());
    // The link between pa and pc dies without a word: frames are lost, the carrier stays.
    for (node, peer) in [("pa", "pc"), ("pc", "pa")] {
        within(
            node,
            &format!("tc qdisc add dev {} root netem loss 100%", interface(node, peer)),
        );
    }
    wait_for("the way around", &runtime, &mut [&mut a, &mut c], |agents| {
        // A peer's second interface may have been reached that way before: its first one has to switch.
        let switched = |agent: &Agent, before: usize| agent.changes[before..].iter().any(RouteChange::is_path_switch);
        via(agents[0], "pc", "pb")
            && via(agents[1], "pa", "pb")
            && switched(agents[0], before_a)
            && switched(agents[1], before_c)
            && agents.iter().all(|a| a.replayed() == a.actual())
    });

    for agent in [&a, &c] {
        let node = agent.node;
        let switches = agent.changes.iter().filter(|change| change.is_path_switch()).count();
        let mesh_ifindex = Mesh::ifindex(node, MESH);
        let counts = agent.probes.route_counts().expect("readable");
        assert_eq!(counts.len(), 1, "{node}: {counts:?}");
        assert_eq!(
            (counts[0].mesh_ifindex, counts[0].switched),
            (mesh_ifindex, switches as u64),
            "{node}: {counts:?}"
        );
        let reported = counts[0].switched + counts[0].added + counts[0].deleted;
        assert_eq!(reported, agent.changes.len() as u64, "{node}: {counts:?}");
        assert_eq!(
            agent.probes.route_losses().expect("readable"),
            node_agent::ebpf::RouteLosses::default()
        );
        // Both meshes have the same interface index, so only addresses tell whose changes these are.
        let neighbors: BTreeSet<_> = NODES.into_iter().map(|peer| address(peer, node)).collect();
        for hop in agent
            .changes
            .iter()
            .flat_map(|change| [change.old, change.new])
            .flatten()
        {
            assert!(
                neighbors.contains(&hop.neighbor),
                "{node}: {hop:?} is another namespace's"
            );
        }
        eprintln!("{node}: {counts:?}");
    }
}

#[test]
fn smoke_frames_counted_are_those_the_interface_counted() {
    let runtime = runtime();
    let _context = runtime.enter();
    let mesh = Mesh::up("BATMAN_IV");
    let mut a = Agent::start("pa", ProgramLog::Off);
    a.attach();
    let name = interface("pa", "pb");
    let expected = if kernel() >= (6, 6) {
        TrafficMechanism::Tcx
    } else {
        TrafficMechanism::Netlink
    };
    assert_eq!(
        a.probes.mechanism_of(Mesh::ifindex("pa", &name)),
        Some(expected),
        "{:?}",
        a.probes.states()
    );
    mesh.join();
    wait_for("a route to pb", &runtime, &mut [&mut a], |agents| {
        agents[0].actual().len() >= 2
    });
    // A route is known before it is good enough for the answer to come back.
    let answered = || {
        Command::new("ip")
            .args("netns exec pa ping -q -c 1 -W 1 10.1.1.2".split(' '))
            .status()
            .expect("runs")
            .success()
    };
    wait_for("an answer from pb", &runtime, &mut [&mut a], |_| answered());
    let types = a.types();
    assert!(types.contains(&PacketType::IvOgm), "{types:?}");
    assert!(
        types.contains(&PacketType::Unicast) || types.contains(&PacketType::Unicast4Addr),
        "{types:?}"
    );
    // Frames go on while both are read: the kernel's counters must lie between two readings of ours.
    let before = a.sent_and_received(&name);
    let kernels = Mesh::frames("pa", &name);
    let after = a.sent_and_received(&name);
    assert!(
        (before.0..=after.0).contains(&kernels.0),
        "sent: {before:?} {kernels:?} {after:?}"
    );
    assert!(
        (before.1..=after.1).contains(&kernels.1),
        "received: {before:?} {kernels:?} {after:?}"
    );
}

#[test]
fn batman_v_speaks_in_its_own_packet_types() {
    if !capable::has_algorithm("BATMAN_V").expect("batctl") {
        return;
    }
    let runtime = runtime();
    let _context = runtime.enter();
    let mesh = Mesh::up("BATMAN_V");
    let mut a = Agent::start("pa", ProgramLog::Off);
    a.attach();
    mesh.join();
    let by_probe = capable::describes_batman_adv();
    wait_for("ELP and OGM2", &runtime, &mut [&mut a], |agents| {
        agents[0]
            .types()
            .is_superset(&[PacketType::Elp, PacketType::Ogm2].into())
            && (!by_probe || !agents[0].replayed().is_empty() && agents[0].replayed() == agents[0].actual())
    });
    assert!(!a.types().contains(&PacketType::IvOgm));
}

#[test]
fn the_probe_follows_the_module_through_a_reload() {
    let runtime = runtime();
    let _context = runtime.enter();
    let mesh = Mesh::up("BATMAN_IV");
    if !capable::describes_batman_adv() {
        return;
    }
    let mut a = Agent::start("pa", ProgramLog::Off);
    mesh.join();
    wait_for("routes", &runtime, &mut [&mut a], |agents| {
        agents[0].replayed().len() >= 2
    });
    for node in NODES {
        within(node, &format!("ip link del {MESH}"));
    }
    run("modprobe -r batman_adv");
    a.look(&runtime);
    let states = a.probes.states();
    let routes = states.iter().find(|state| state.name == ROUTES).expect("a state");
    assert_eq!(
        routes.reason.as_deref(),
        Some("batman-adv is not loaded; the probe attaches itself when it is")
    );
    assert!(!a.probes.sees_routes());

    drop(mesh);
    // The namespace's number is the agent's identity to the kernel, so the agent that follows is a new one.
    let mesh = Mesh::up("BATMAN_IV");
    let mut later = Agent::start("pa", ProgramLog::Off);
    wait_for("both probes", &runtime, &mut [&mut a, &mut later], |agents| {
        agents.iter().all(|agent| agent.probes.sees_routes())
    });
    mesh.join();
    wait_for("routes again", &runtime, &mut [&mut later], |agents| {
        agents[0].replayed().len() >= 2
    });
}
