//! Behaviour of the writer, event by event; the laws are in [`laws`].

use std::collections::BTreeSet;

use super::*;
use crate::testing::*;

mod laws;

/// A topology and the beginning of its time.
struct World {
    topology: Topology,
    start: Moment,
}

impl World {
    fn new() -> Self {
        Self {
            topology: Topology::default(),
            start: start(),
        }
    }

    fn open(&mut self, seconds: f64, session: &Arc<SessionFacts>) -> Changes {
        let event = TopologyEvent::Opened(Arc::clone(session));
        self.topology.apply(event, after(self.start, seconds))
    }

    fn report(&mut self, seconds: f64, session: &Arc<SessionFacts>, view: Snapshot) -> Changes {
        let event = TopologyEvent::Reported {
            session: Arc::clone(session),
            view: Arc::new(view),
            clock: None,
        };
        self.topology.apply(event, after(self.start, seconds))
    }

    fn tick(&mut self, seconds: f64) -> Changes {
        self.topology.apply(TopologyEvent::Tick, after(self.start, seconds))
    }

    fn snapshot(&mut self, seconds: f64) -> TopologySnapshot {
        self.topology.snapshot(after(self.start, seconds))
    }
}

fn observed(name: &str) -> NodeKey {
    NodeKey::Observed(node(name))
}

fn states(snapshot: &TopologySnapshot) -> Vec<String> {
    let word = |node: &Node| format!("{} {:?}", node.key, node.state);
    snapshot.nodes().values().map(|node| word(node)).collect()
}

fn switches(snapshot: &TopologySnapshot, name: &str) -> [u64; 4] {
    let agent = snapshot.node(&observed(name)).unwrap().agent.as_ref().unwrap();
    let mesh = &agent.totals.meshes[&(mesh("roofs"), ifname("bat0"))];
    mesh.churn.unwrap().path_switches
}

fn churn(own: u8, incarnation: u64, path_switches: u64) -> Snapshot {
    snapshot(with_churn(view(mac(own)), incarnation, path_switches))
}

// === liveness ===

#[test]
fn a_silent_node_turns_stale_after_15_s_and_is_forgotten_after_10_min() {
    let (mut world, a) = (World::new(), session("a", 1, 1));
    assert_eq!(world.open(0.0, &a).joined, [node("a")]);
    world.report(1.0, &a, snapshot(view(mac(1))));
    for (seconds, expected) in [(2.0, "a Live"), (16.0, "a Live"), (16.1, "a Stale"), (601.0, "a Stale")] {
        world.tick(seconds);
        assert_eq!(states(&world.snapshot(seconds)), [expected], "at {seconds} s");
    }
    assert_eq!(world.tick(601.1).left, [node("a")]);
    let gone = world.snapshot(601.1);
    assert!(gone.nodes().is_empty());
    assert_eq!(gone.resolve(&mesh("roofs"), mac(1)), None);
    assert_eq!(world.report(700.0, &a, snapshot(view(mac(1)))).joined, [node("a")]);
    assert_eq!(states(&world.snapshot(700.0)), ["a Live"]);
}

#[test]
fn a_slow_reporter_is_given_three_of_its_intervals() {
    let mut facts = (*session("a", 1, 1)).clone();
    facts.hello.report_interval = Duration::from_secs(60);
    let (mut world, a) = (World::new(), Arc::new(facts));
    world.open(0.0, &a);
    world.tick(180.0);
    assert_eq!(states(&world.snapshot(180.0)), ["a Live"]);
    assert_eq!(world.tick(180.1).turned, [(node("a"), NodeState::Stale)]);
    assert_eq!(
        world.report(181.0, &a, Snapshot::default()).turned,
        [(node("a"), NodeState::Live)]
    );
}

#[test]
fn a_closed_stream_changes_nothing_but_that_it_is_closed() {
    let (mut world, a) = (World::new(), session("a", 1, 1));
    world.open(0.0, &a);
    world.report(1.0, &a, snapshot(view(mac(1))));
    let before = world.snapshot(1.0);
    world.topology.apply(TopologyEvent::Closed(a), after(world.start, 2.0));
    let now = world.snapshot(2.0);
    assert_eq!(now.version(), before.version());
    let agent = now.node(&observed("a")).unwrap().agent.as_ref().unwrap();
    assert!(!agent.connected);
}

#[test]
fn what_a_fenced_session_still_says_is_not_heard() {
    let (mut world, old, new) = (World::new(), session("a", 1, 1), session("a", 1, 2));
    world.open(0.0, &old);
    world.open(1.0, &new);
    world.report(2.0, &new, snapshot(view(mac(1))));
    world.report(3.0, &old, snapshot(view(mac(9))));
    world
        .topology
        .apply(TopologyEvent::Closed(Arc::clone(&old)), after(world.start, 3.0));
    world.open(3.0, &old);
    let now = world.snapshot(3.0);
    assert_eq!(now.resolve(&mesh("roofs"), mac(9)), None);
    let agent = now.node(&observed("a")).unwrap().agent.as_ref().unwrap();
    assert!(agent.connected);
    assert_eq!((agent.totals.reports, agent.hello.epoch.connection), (1, 2));
}

// === nodes and links ===

/// a — b — (c, without an agent, two interfaces)
fn chain(world: &mut World) {
    let a = with_originator(with_neighbor(view(mac(1)), mac(2), 250), mac(3), mac(2));
    let mut b = with_neighbor(with_neighbor(view(mac(2)), mac(1), 240), mac(33), 99);
    for neighbor in b.neighbors.values_mut().skip(1) {
        neighbor.orig_address = Some(mac(3));
    }
    let b = with_originator(with_originator(b, mac(3), mac(33)), mac(33), mac(33));
    for (name, view) in [("a", a), ("b", b)] {
        world.open(0.0, &session(name, 1, 2));
        world.report(0.0, &session(name, 1, 2), snapshot(view));
    }
}

#[test]
fn a_node_without_an_agent_is_one_node_under_its_primary_address() {
    let mut world = World::new();
    chain(&mut world);
    let now = world.snapshot(1.0);
    assert_eq!(states(&now), ["a Live", "b Live", "02:00:00:00:00:03 Unobserved"]);
    let roofs = mesh("roofs");
    assert_eq!(now.resolve(&roofs, mac(33)), Some(&NodeKey::Unobserved(mac(3))));
    let degrees: Vec<_> = now.nodes().values().map(|node| node.meshes[0].degree).collect();
    assert_eq!(degrees, [1, 2, 1]);
    let links: Vec<_> = now
        .links()
        .map(|(node, key, link)| {
            let far = link.neighbor_node.as_ref().unwrap();
            format!(
                "{} {} → {far} {:?}",
                node.key,
                key.hard_ifname,
                link.metric.unwrap().tq().unwrap().0
            )
        })
        .collect();
    assert_eq!(
        links,
        ["a eth0 → b 250", "b eth0 → a 240", "b eth0 → 02:00:00:00:00:03 99"]
    );
}

#[test]
fn only_live_tables_make_a_node_without_an_agent() {
    let mut world = World::new();
    chain(&mut world);
    let before = world.snapshot(1.0).version();
    world.tick(20.0);
    let now = world.snapshot(20.0);
    assert_eq!(states(&now), ["a Stale", "b Stale"]);
    assert!(now.version() > before);
    let unknown = now.links().filter(|(_, _, link)| link.neighbor_node.is_none()).count();
    assert_eq!(unknown, 1, "b's link to an address nobody speaks for any more");
}

#[test]
fn a_node_whose_agent_appears_is_no_longer_unobserved() {
    let mut world = World::new();
    chain(&mut world);
    world.snapshot(1.0);
    let mut own = view(mac(3));
    own.hard_interfaces.insert(ifname("eth1"), hard_interface(mac(33)));
    world.open(2.0, &session("c", 1, 1));
    world.report(2.0, &session("c", 1, 1), snapshot(own));
    let now = world.snapshot(2.0);
    assert_eq!(states(&now), ["a Live", "b Live", "c Live"]);
    assert_eq!(now.resolve(&mesh("roofs"), mac(33)), Some(&observed("c")));
    assert!(
        now.links()
            .all(|(_, _, link)| matches!(link.neighbor_node, Some(NodeKey::Observed(_))))
    );
}

#[test]
fn attributions_that_lead_in_circles_or_on_and_on_are_not_followed() {
    let mut looped = view(mac(1));
    for (address, primary) in [
        (10, 11),
        (11, 10),
        (20, 21),
        (21, 22),
        (22, 23),
        (23, 24),
        (24, 25),
        (25, 26),
    ] {
        looped = with_neighbor(looped, mac(address), 200);
        let key = looped
            .neighbors
            .keys()
            .find(|key| key.neigh_address == mac(address))
            .unwrap()
            .clone();
        looped.neighbors.get_mut(&key).unwrap().orig_address = Some(mac(primary));
    }
    let mut world = World::new();
    world.report(0.0, &session("a", 1, 1), snapshot(looped));
    let now = world.snapshot(0.0);
    let roofs = mesh("roofs");
    for (address, primary) in [(10, 10), (11, 11), (20, 20), (21, 21), (23, 26), (25, 26)] {
        assert_eq!(
            now.resolve(&roofs, mac(address)),
            Some(&NodeKey::Unobserved(mac(primary))),
            "{address}"
        );
    }
}

#[test]
fn two_nodes_that_claim_one_address_are_both_kept_flagged_and_told_once() {
    let (mut world, a, b) = (World::new(), session("b", 1, 1), session("a", 1, 1));
    world.report(0.0, &a, snapshot(view(mac(1))));
    let contest = Contest {
        mesh: mesh("roofs"),
        address: mac(1),
        holder: node("b"),
        claimant: node("a"),
    };
    assert_eq!(world.report(1.0, &b, snapshot(view(mac(1)))).contested, [contest]);
    assert_eq!(world.report(2.0, &b, snapshot(view(mac(1)))).contested, []);
    let now = world.snapshot(2.0);
    for name in ["a", "b"] {
        assert_eq!(now.node(&observed(name)).unwrap().contested, BTreeSet::from([mac(1)]));
    }
    assert_eq!(
        now.resolve(&mesh("roofs"), mac(1)),
        Some(&observed("b")),
        "the first claim answers"
    );
    world.report(16.5, &b, snapshot(view(mac(1))));
    world.tick(17.0);
    let later = world.snapshot(17.0);
    assert_eq!(
        later.resolve(&mesh("roofs"), mac(1)),
        Some(&observed("a")),
        "unless it is a silent node's"
    );
    world.report(18.0, &b, snapshot(view(mac(2))));
    assert_eq!(
        world.snapshot(18.0).node(&observed("b")).unwrap().contested,
        BTreeSet::new()
    );
}

#[test]
fn addresses_of_one_mesh_mean_nothing_in_another() {
    let mut fields = with_neighbor(view(mac(2)), mac(1), 200);
    fields.settings.mesh = mesh("fields");
    let mut world = World::new();
    world.report(0.0, &session("a", 1, 1), snapshot(view(mac(1))));
    world.report(0.0, &session("b", 1, 1), snapshot(fields));
    let now = world.snapshot(0.0);
    assert_eq!(states(&now), ["a Live", "b Live", "02:00:00:00:00:01 Unobserved"]);
    assert_eq!(now.resolve(&mesh("roofs"), mac(1)), Some(&observed("a")));
    assert_eq!(now.resolve(&mesh("fields"), mac(1)), Some(&NodeKey::Unobserved(mac(1))));
}

// === versions ===

#[test]
fn the_version_rises_with_nodes_and_links_and_not_with_counters_or_time() {
    let (mut world, a) = (World::new(), session("a", 1, 1));
    world.report(0.0, &a, snapshot(with_neighbor(view(mac(1)), mac(2), 200)));
    let first = world.snapshot(0.0);
    world.report(
        1.0,
        &a,
        snapshot(with_counters(with_neighbor(view(mac(1)), mac(2), 200))),
    );
    let counted = world.snapshot(1.0);
    assert_eq!(counted.version(), first.version());
    let agent = counted.node(&observed("a")).unwrap().agent.as_ref().unwrap();
    assert_eq!(agent.totals.meshes.len(), 1);
    assert_eq!(agent.last_report, after(world.start, 1.0).wall);
    world.report(2.0, &a, snapshot(with_neighbor(view(mac(1)), mac(2), 201)));
    let changed = world.snapshot(2.0);
    assert!(changed.version() > counted.version());
    assert_eq!(changed.node(&observed("a")).unwrap().changed_in, changed.version());
    let other = changed.node(&NodeKey::Unobserved(mac(2))).unwrap();
    assert_eq!(
        other.changed_in,
        first.version(),
        "what did not change keeps its version"
    );
    assert!(!world.topology.is_dirty());
}

// === path switches and their causes ===

#[test]
fn switches_of_a_settled_mesh_are_organic() {
    let (mut world, a) = (World::new(), session("a", 1, 2));
    world.report(0.0, &a, churn(1, 1, 0));
    world.report(5.0, &a, churn(1, 1, 3));
    assert_eq!(switches(&world.snapshot(5.0), "a"), [3, 0, 0, 0]);
}

#[test]
fn switches_counted_before_the_collector_knew_the_node_have_no_known_cause() {
    let (mut world, a) = (World::new(), session("a", 7, 2));
    world.open(0.0, &a);
    world.report(1.0, &a, churn(1, 7, 40));
    assert_eq!(switches(&world.snapshot(1.0), "a"), [0, 0, 0, 40]);
}

#[test]
fn switches_within_a_minute_of_any_restart_in_the_mesh_are_put_down_to_it() {
    let (mut world, a, b) = (World::new(), session("a", 1, 2), session("b", 1, 2));
    world.report(0.0, &a, churn(1, 1, 0));
    world.open(0.0, &b);
    world.report(0.0, &b, churn(2, 1, 0));
    world.open(10.0, &session("b", 2, 1));
    world.report(12.0, &a, churn(1, 1, 1));
    world.report(13.0, &session("b", 2, 1), churn(2, 2, 5));
    for seconds in [25.0, 40.0, 55.0] {
        world.report(seconds, &a, churn(1, 1, 1));
    }
    world.report(69.9, &a, churn(1, 1, 2));
    world.report(70.1, &a, churn(1, 1, 4));
    let now = world.snapshot(70.1);
    assert_eq!(switches(&now, "a"), [2, 0, 2, 0]);
    assert_eq!(switches(&now, "b"), [0, 0, 5, 0]);
}

#[test]
fn a_reconnection_is_no_restart_and_a_mesh_interface_made_anew_is_one() {
    let (mut world, a) = (World::new(), session("a", 1, 1));
    world.report(0.0, &a, churn(1, 1, 0));
    let again = session("a", 1, 2);
    world.open(1.0, &again);
    world.report(2.0, &again, churn(1, 1, 1));
    assert_eq!(switches(&world.snapshot(2.0), "a"), [1, 0, 0, 0]);
    let mut anew = churn(1, 2, 2);
    anew.meshes.get_mut(&ifname("bat0")).unwrap().counters_incarnation = 2;
    world.report(3.0, &again, anew);
    assert_eq!(switches(&world.snapshot(3.0), "a"), [1, 0, 2, 0]);
}

#[test]
fn switches_told_after_a_long_silence_have_no_known_cause() {
    let (mut world, a) = (World::new(), session("a", 1, 2));
    world.report(0.0, &a, churn(1, 1, 0));
    world.report(15.0, &a, churn(1, 1, 1));
    world.report(30.1, &a, churn(1, 1, 3));
    assert_eq!(switches(&world.snapshot(31.0), "a"), [1, 0, 0, 2]);
}

#[test]
fn series_unreported_for_ten_minutes_are_dropped() {
    let (mut world, a) = (World::new(), session("a", 1, 1));
    world.report(0.0, &a, snapshot(with_counters(view(mac(1)))));
    for minute in 1..=11 {
        world.report(f64::from(minute) * 60.0, &a, snapshot(view(mac(1))));
    }
    world.tick(661.0);
    let now = world.snapshot(661.0);
    let agent = now.node(&observed("a")).unwrap().agent.as_ref().unwrap();
    let totals = &agent.totals.meshes[&(mesh("roofs"), ifname("bat0"))];
    assert!(totals.counters.is_empty() && totals.packets.is_empty() && totals.bytes.is_empty());
    assert_eq!(agent.totals.reports, 12);
}
