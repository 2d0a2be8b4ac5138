use std::io::Write as _;
use std::process::{Command, Stdio};
use std::sync::Arc;

use expect_test::expect_file;
use mesh_proto::model::{Clock, Gateway, ManagePolicy, Managed, Metric, Snapshot, Throughput};

use super::*;
use crate::testing::*;
use crate::topology::{SessionFacts, Topology, TopologyEvent};

/// A mesh of two agents and a node without one, with everything a page can show; one name needs escapes.
fn world() -> TopologySnapshot {
    let start = start();
    let mut topology = Topology::default();
    let mut report = |seconds: f64, session: &Arc<SessionFacts>, view: Snapshot, realtime_ns: Option<u64>| {
        let clock = Clock {
            boottime_ns: 5,
            realtime_ns,
        };
        topology.apply(TopologyEvent::Opened(Arc::clone(session)), after(start, seconds));
        let event = TopologyEvent::Reported {
            session: Arc::clone(session),
            view: Arc::new(view),
            clock: Some(clock),
        };
        topology.apply(event, after(start, seconds));
    };
    let tower = {
        let mut facts = SessionFacts::clone(&session("tower", 3, 1));
        facts.hello.name = "the \"old\" tower\\\nback".to_owned();
        Arc::new(facts)
    };
    let mut roofs = with_churn(with_counters(with_neighbor(view(mac(1)), mac(2), 251)), 1, 4);
    roofs = with_originator(with_originator(roofs, mac(2), mac(2)), mac(3), mac(2));
    roofs.tables.local_clients = Some(12);
    let gateway = Gateway {
        best: true,
        router: None,
        bandwidth_down_kbit: 10_000,
        bandwidth_up_kbit: 2_000,
        silent: false,
    };
    roofs.gateways.insert(mac(2), gateway);
    // Two mesh interfaces of one mesh, of which one does not exist.
    let managed = |mut snapshot: Snapshot| {
        for (name, drift) in [("bat0", 2), ("bat1", 1)] {
            let managed = Managed {
                mesh: mesh("roofs"),
                policy: ManagePolicy::Enforce,
                drift,
            };
            snapshot.managed.insert(ifname(name), managed);
        }
        snapshot
    };
    report(
        0.0,
        &tower,
        with_probes(snapshot(roofs.clone())),
        Some(1_000_000_000_250_000_000),
    );
    let mut fields = with_neighbor(with_neighbor(view(mac(2)), mac(1), 0), mac(3), 0);
    for (neighbor, kbit) in fields.neighbors.values_mut().zip([1_000, u32::MAX]) {
        neighbor.metric = Some(Metric::Throughput(Throughput(kbit)));
    }
    report(0.0, &session("barn", 1, 2), snapshot(fields), None);
    report(
        20.0,
        &tower,
        managed(with_probes(snapshot(roofs))),
        Some(1_000_000_020_250_000_000),
    );
    report(20.0, &session("bare", 1, 1), Snapshot::default(), None);
    topology.apply(TopologyEvent::Gap(tower), after(start, 20.0));
    topology.apply(TopologyEvent::Tick, after(start, 20.0));
    topology.snapshot(after(start, 20.0))
}

#[test]
fn the_page_is_as_written_down() {
    expect_file!["golden/metrics.prom"].assert_eq(&topology::page(&world()));
}

#[test]
fn no_series_stands_twice_even_if_a_node_has_one_mesh_twice() {
    let start = start();
    let mut topology = Topology::default();
    let view = with_churn(with_counters(with_neighbor(view(mac(1)), mac(2), 251)), 1, 4);
    let mut twice = snapshot(view.clone());
    twice.meshes.insert(ifname("bat1"), view);
    let event = TopologyEvent::Reported {
        session: session("tower", 1, 1),
        view: Arc::new(twice),
        clock: None,
    };
    topology.apply(event, start);
    let page = topology::page(&topology.snapshot(start));
    let mut series: Vec<_> = page.lines().filter_map(|line| Some(line.rsplit_once(' ')?.0)).collect();
    series.retain(|line| !line.starts_with('#'));
    let all = series.len();
    series.sort_unstable();
    series.dedup();
    assert_eq!(series.len(), all, "{page}");
    assert!(page.contains("mesh_batadv_events_total{mesh=\"roofs\",node=\"tower\",counter=\"tx\"} 14\n"));
}

#[test]
fn promtool_finds_nothing_wrong_with_the_page() {
    let instruments = Instruments::new().unwrap();
    instruments.handshake(HandshakeResult::Ok, Duration::from_millis(3));
    instruments.handshake(HandshakeResult::WrongId, Duration::from_millis(1));
    let page = instruments.page(&world()).unwrap();
    assert!(page.contains("mesh_authorization_denials_total{reason=\"wrong_id\"} 1\n"));
    assert!(page.contains("mesh_mtls_handshake_seconds_count{result=\"ok\"} 1\n"));
    assert!(page.contains("\nprocess_resident_memory_bytes "));
    let mut promtool = Command::new("promtool")
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("promtool is part of Debian's package prometheus");
    promtool.stdin.take().unwrap().write_all(page.as_bytes()).unwrap();
    let outcome = promtool.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&outcome.stderr);
    assert!(outcome.status.success() && said.is_empty(), "{said}");
}
