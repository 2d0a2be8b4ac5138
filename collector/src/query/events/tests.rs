use std::time::Duration;

use expect_test::expect;
use mesh_proto::model::{ManagePolicy, Managed, NeighborKey, Record, Snapshot};
use tonic::Code;

use super::*;
use crate::testing::{after, ifname, mac, mesh as mesh_id, session, snapshot, start, view, with_neighbor};
use crate::topology::{Moment, SessionFacts, Topology, TopologyEvent};

/// Two nodes of one mesh and their history, as the collector's writer makes it.
struct World {
    topology: Topology,
    history: History,
    start: Moment,
    now: Moment,
}

impl World {
    fn new() -> Self {
        let start = start();
        Self {
            topology: Topology::default(),
            history: History::new(start.wall),
            start,
            now: start,
        }
    }

    fn pair() -> Self {
        let mut world = Self::new();
        for (name, own, other) in [("a", 1, 2), ("b", 2, 1)] {
            let view = snapshot(with_neighbor(view(mac(own)), mac(other), 255));
            world.apply(0.0, TopologyEvent::Opened(session(name, 1, 1)));
            world.report(name, view);
        }
        world
    }

    fn apply(&mut self, seconds: f64, event: TopologyEvent) {
        self.now = after(self.start, seconds);
        let changes = self.topology.apply(event, self.now);
        self.history.note(&changes, self.now);
    }

    fn report(&mut self, name: &str, view: Snapshot) {
        let event = TopologyEvent::Reported {
            session: session(name, 1, 1),
            view: view.into(),
            clock: None,
        };
        self.apply(0.0, event);
    }

    /// These happened at these seconds and are told at the last of them plus one.
    fn tell(&mut self, name: &str, events: impl IntoIterator<Item = (u64, Event)>) {
        let facts = session(name, 1, 1);
        let records: Vec<_> = events
            .into_iter()
            .map(|(at, event)| record(&facts, at, event))
            .collect();
        let told = records.last().map_or(0, |record| record.boottime_ns / 1_000_000_000) + 1;
        let event = TopologyEvent::Recorded {
            session: facts,
            records,
        };
        self.apply(told as f64, event);
    }

    fn ask(&mut self, request: &pb::ListEventsRequest) -> Result<pb::ListEventsResponse, Status> {
        list_events(&self.topology.snapshot(self.now), &self.history, request)
    }

    fn lines(&mut self, request: &pb::ListEventsRequest) -> String {
        let start = self.start.wall;
        let events = self.ask(request).unwrap().events;
        events.iter().map(|event| line(start, event)).collect()
    }
}

/// Its session's Hello is of boot time 1 ns, at second 0.
fn record(facts: &SessionFacts, at: u64, event: Event) -> Record {
    Record {
        boottime_ns: facts.hello.clock.boottime_ns + at * 1_000_000_000,
        event,
    }
}

fn line(start: SystemTime, event: &pb::Event) -> String {
    let seconds = |time: SystemTime| time.duration_since(start).unwrap().as_secs();
    let time = seconds(SystemTime::try_from(event.time.unwrap()).unwrap());
    let observed = seconds(SystemTime::try_from(event.observed_at.unwrap()).unwrap());
    let detail = event
        .detail
        .as_ref()
        .map(|detail| format!("{detail:?}"))
        .unwrap_or_default();
    let kind = event.kind().as_str_name();
    format!(
        "{time}/{observed} {} {}/{} {kind} {detail}\n",
        event.node, event.mesh, event.mesh_ifname
    )
}

fn everything() -> pb::ListEventsRequest {
    pb::ListEventsRequest::default()
}

fn drift() -> Event {
    let action = DriftAction::PutRight;
    Event::config_drift(ifname("bat0"), "bat0 hop_penalty", "15", "30", action)
}

fn adjacency(up: bool) -> Event {
    Event::AdjacencyChange {
        mesh_ifname: ifname("bat0"),
        key: NeighborKey {
            hard_ifname: ifname("eth0"),
            neigh_address: mac(2),
        },
        up,
    }
}

fn gateway(silent: bool, given_up: bool) -> Event {
    Event::GatewaySilent {
        mesh_ifname: ifname("bat0"),
        orig_address: mac(2),
        silent,
        given_up,
        last_seen_msecs: 6_000,
    }
}

#[test]
fn everything_that_happened_is_told_with_its_times_and_nodes() {
    let mut world = World::pair();
    let switch = Event::PathSwitch {
        mesh_ifname: ifname("bat0"),
        orig_address: mac(7),
        old_neigh_address: mac(2),
        new_neigh_address: mac(8),
        method: mesh_proto::model::ChurnMethod::Probe,
    };
    world.tell("a", [(3, adjacency(false)), (4, adjacency(true)), (5, switch)]);
    world.tell("b", [(2, drift())]);
    world.tell(
        "a",
        [
            (10, gateway(true, false)),
            (12, gateway(false, false)),
            (14, gateway(false, true)),
        ],
    );
    world.apply(40.0, TopologyEvent::Tick);
    expect![[r#"
        0/0 a / EVENT_KIND_NODE_JOINED 
        0/0 b / EVENT_KIND_NODE_JOINED 
        3/6 a roofs/bat0 EVENT_KIND_ADJACENCY_DOWN Adjacency(AdjacencyDetail { hard_ifname: "eth0", neigh_address: "02:00:00:00:00:02", neighbor_node: "b" })
        4/6 a roofs/bat0 EVENT_KIND_ADJACENCY_UP Adjacency(AdjacencyDetail { hard_ifname: "eth0", neigh_address: "02:00:00:00:00:02", neighbor_node: "b" })
        5/6 a roofs/bat0 EVENT_KIND_PATH_SWITCH PathSwitch(PathSwitchDetail { orig_address: "02:00:00:00:00:07", orig_node: "", old_neigh_address: "02:00:00:00:00:02", old_neighbor_node: "b", new_neigh_address: "02:00:00:00:00:08", new_neighbor_node: "" })
        2/3 b roofs/bat0 EVENT_KIND_CONFIG_DRIFT ConfigDrift(ConfigDriftDetail { setting: "bat0 hop_penalty", wanted: "15", in_force: "30", action: "put_right" })
        10/15 a roofs/bat0 EVENT_KIND_GATEWAY_SILENT Gateway(GatewayDetail { orig_address: "02:00:00:00:00:02", orig_node: "b", last_seen_msecs: 6000 })
        12/15 a roofs/bat0 EVENT_KIND_GATEWAY_BACK Gateway(GatewayDetail { orig_address: "02:00:00:00:00:02", orig_node: "b", last_seen_msecs: 6000 })
        14/15 a roofs/bat0 EVENT_KIND_GATEWAY_GIVEN_UP Gateway(GatewayDetail { orig_address: "02:00:00:00:00:02", orig_node: "b", last_seen_msecs: 6000 })
        40/40 a / EVENT_KIND_NODE_LOST 
        40/40 b / EVENT_KIND_NODE_LOST 
    "#]]
    .assert_eq(&world.lines(&everything()));
}

#[test]
fn events_are_filtered_by_node_mesh_kind_and_time() {
    let mut world = World::pair();
    world.tell("a", (1..=10).map(|at| (at, adjacency(at % 2 == 0))));
    world.tell("b", [(5, drift())]);
    let mut count = |request: pb::ListEventsRequest| world.ask(&request).unwrap().events.len();
    let at = |seconds: u64| Some((start().wall + Duration::from_secs(seconds)).into());
    assert_eq!(count(everything()), 13);
    let node = |text: &str| pb::ListEventsRequest {
        node: text.to_owned(),
        ..everything()
    };
    assert_eq!(count(node("b")), 2);
    assert_eq!(count(node("02:00:00:00:00:01")), 11, "by one of its addresses");
    let kinds = |kinds: &[pb::EventKind]| pb::ListEventsRequest {
        kinds: kinds.iter().map(|kind| (*kind).into()).collect(),
        ..everything()
    };
    assert_eq!(count(kinds(&[pb::EventKind::AdjacencyUp])), 5);
    assert_eq!(
        count(kinds(&[pb::EventKind::ConfigDrift, pb::EventKind::NodeJoined])),
        3
    );
    let between = pb::ListEventsRequest {
        since: at(3),
        until: at(6),
        ..everything()
    };
    assert_eq!(count(between), 4, "from the third second on, before the sixth");
    let mesh = |mesh: &str| pb::ListEventsRequest {
        mesh: mesh.to_owned(),
        ..everything()
    };
    assert_eq!(count(mesh("roofs")), 13);
    assert_eq!(count(mesh("cellars")), 0);
}

#[test]
fn pages_hold_each_event_once() {
    let mut world = World::pair();
    world.tell("a", (1..=20).map(|at| (at, adjacency(at % 2 == 0))));
    for kinds in [vec![], vec![pb::EventKind::AdjacencyUp.into()]] {
        let mut request = pb::ListEventsRequest { kinds, ..everything() };
        let all: Vec<_> = world.ask(&request).unwrap().events;
        request.page_size = 3;
        let mut seen = Vec::new();
        loop {
            let page = world.ask(&request).unwrap();
            assert!(page.events.len() <= 3);
            seen.extend(page.events);
            request.page_token = page.next_page_token;
            if request.page_token.is_empty() {
                break;
            }
        }
        assert_eq!(seen, all);
        assert!(seen.is_sorted_by_key(|event| event.sequence));
    }
}

/// An agent tells what happened while it had no collector before it tells what it sees.
#[test]
fn events_before_the_first_view_belong_to_the_mesh_it_names() {
    let mut world = World::new();
    world.apply(0.0, TopologyEvent::Opened(session("a", 1, 1)));
    world.tell("a", [(0, drift())]);
    let request = pb::ListEventsRequest {
        mesh: "roofs".to_owned(),
        kinds: vec![pb::EventKind::ConfigDrift.into()],
        ..everything()
    };
    assert_eq!(world.ask(&request).unwrap().events, []);
    // The mesh interface is to exist and does not.
    let managed = Managed {
        mesh: mesh_id("roofs"),
        policy: ManagePolicy::Report,
        drift: 1,
    };
    let view = Snapshot {
        managed: [(ifname("bat0"), managed)].into(),
        ..Snapshot::default()
    };
    world.report("a", view);
    assert_eq!(world.ask(&request).unwrap().events[0].mesh, "roofs");
}

#[test]
fn a_forgotten_node_keeps_its_history() {
    let mut world = World::pair();
    world.tell("a", [(1, drift())]);
    world.apply(10_000.0, TopologyEvent::Tick);
    let request = pb::ListEventsRequest {
        node: "a".to_owned(),
        ..everything()
    };
    let kinds: Vec<_> = world
        .ask(&request)
        .unwrap()
        .events
        .iter()
        .map(pb::Event::kind)
        .collect();
    assert_eq!(
        kinds,
        [
            pb::EventKind::NodeJoined,
            pb::EventKind::ConfigDrift,
            pb::EventKind::NodeLost
        ]
    );
}

/// A clock that makes no sense must not put an event into the future, nor stop anything.
#[test]
fn no_clock_puts_an_event_after_the_time_it_was_told() {
    let mut world = World::pair();
    let facts = session("a", 1, 1);
    let records = [0, u64::MAX]
        .map(|boottime_ns| Record {
            boottime_ns,
            event: drift(),
        })
        .into();
    let event = TopologyEvent::Recorded {
        session: facts,
        records,
    };
    world.apply(7.0, event);
    let answer = world.ask(&everything()).unwrap();
    for event in answer.events {
        let time = |time: Option<_>| SystemTime::try_from(time.unwrap()).unwrap();
        assert!(time(event.time) <= time(event.observed_at));
    }
}

#[test]
fn bad_requests_are_told_what_to_do() {
    let mut world = World::pair();
    let requests = [
        pb::ListEventsRequest {
            kinds: vec![99],
            ..everything()
        },
        pb::ListEventsRequest {
            page_token: "6e61".to_owned(),
            ..everything()
        },
        pb::ListEventsRequest {
            page_size: 5_000,
            ..everything()
        },
    ];
    let messages = requests.map(|request| {
        let status = world.ask(&request).unwrap_err();
        assert_eq!(status.code(), Code::InvalidArgument);
        status.message().to_owned()
    });
    expect![[r#"
        kinds has 99, which is none this release knows: use EVENT_KIND_PATH_SWITCH to EVENT_KIND_ADDRESS_CONTESTED, or none for all
        page_token is none of this list: give next_page_token of its previous page as it was, or none to begin
        page_size is 5000: use 1 to 1000, or 0 for 500"#]]
    .assert_eq(&messages.join("\n"));
    let unknown = pb::ListEventsRequest {
        node: "nobody".to_owned(),
        ..everything()
    };
    assert_eq!(world.ask(&unknown).unwrap_err().code(), Code::NotFound);
}
