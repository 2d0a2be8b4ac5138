//! The driver against a small collector, over real TLS with identities of a real Workload API server.

mod collector;

use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use mesh_devca::{DevCa, IdentitySpec, Settings};
use mesh_proto::model::{Epoch, Event as MeshEvent, IfName, MacAddr, NeighborKey, SvidStatus};
use mesh_transport::WorkloadApi;

use self::collector::{Collector, Said};
use super::*;

const PATIENCE: Duration = Duration::from_secs(30);

/// An agent's uplink and the application's ends of its channels.
struct Agent {
    snapshots: watch::Sender<Option<Arc<Snapshot>>>,
    records: mpsc::Sender<Record>,
    status: watch::Receiver<UplinkStatus>,
    shutdown: CancellationToken,
    task: tokio::task::JoinHandle<()>,
}

fn settings(folder: &Path, identities: &[&str]) -> Settings {
    Settings {
        trust_domain: "mesh.test".to_owned(),
        socket_dir: folder.to_owned(),
        identities: identities
            .iter()
            .map(|text| text.parse().unwrap())
            .collect::<Vec<IdentitySpec>>(),
        ttl: Duration::from_secs(3_600),
        exports: Vec::new(),
        bundle: None,
    }
}

fn ca(folder: &Path) -> DevCa {
    DevCa::start(&settings(folder, &["node/gate", "node/liar", "collector"])).unwrap()
}

fn identity(folder: &Path, socket: &str) -> IdentitySource {
    let endpoint = format!("unix:{}", folder.join(socket).display());
    IdentitySource::start(WorkloadApi::parse(&endpoint).unwrap())
}

fn agent(folder: &Path, addresses: &[SocketAddr]) -> Agent {
    let (snapshots, snapshots_rx) = watch::channel(None);
    let (records, records_rx) = mpsc::channel(16);
    let (status_tx, status) = watch::channel(UplinkStatus::default());
    let shutdown = CancellationToken::new();
    let config = Config {
        addresses: addresses.iter().map(ToString::to_string).collect(),
        collector: "spiffe://mesh.test/collector".parse().unwrap(),
        incarnation_file: folder.join("incarnation"),
    };
    let hello = HelloInfo {
        name: "gate".to_owned(),
        site: String::new(),
        agent_version: "0.1.0".to_owned(),
        kernel: String::new(),
        batman_adv: String::new(),
        boot_id: "boot".to_owned(),
        report_interval: Duration::from_secs(1),
    };
    let task = tokio::spawn(run(
        config,
        identity(folder, "node-gate.sock"),
        hello,
        snapshots_rx,
        records_rx,
        status_tx,
        shutdown.clone(),
    ));
    Agent {
        snapshots,
        records,
        status,
        shutdown,
        task,
    }
}

impl Agent {
    fn publish(&self, n: u64) {
        self.snapshots.send_replace(Some(view(n)));
    }

    async fn reaches(&mut self, wanted: impl FnMut(&UplinkStatus) -> bool) -> UplinkStatus {
        soon("a status", self.status.wait_for(wanted)).await.unwrap().clone()
    }
}

fn view(n: u64) -> Arc<Snapshot> {
    Arc::new(Snapshot {
        svid: Some(SvidStatus {
            expiry_seconds: n,
            renewals: 0,
        }),
        ..Snapshot::default()
    })
}

fn record(n: u64) -> Record {
    let key = NeighborKey {
        hard_ifname: IfName::try_from("eth0").unwrap(),
        neigh_address: MacAddr([2, 0, 0, 0, 0, 1]),
    };
    let event = MeshEvent::AdjacencyChange {
        mesh_ifname: IfName::try_from("bat0").unwrap(),
        key,
        up: true,
    };
    Record { boottime_ns: n, event }
}

async fn soon<F: Future>(what: &str, future: F) -> F::Output {
    tokio::time::timeout(PATIENCE, future)
        .await
        .unwrap_or_else(|_| panic!("{what} did not come within {PATIENCE:?}"))
}

fn epoch(incarnation: u64, connection: u64) -> Epoch {
    Epoch {
        incarnation,
        connection,
    }
}

#[tokio::test]
async fn both_lanes_arrive_and_a_stop_ends_the_stream_in_order() {
    let folder = tempfile::tempdir().unwrap();
    let _ca = ca(folder.path());
    let mut collector = Collector::start(identity(folder.path(), "collector.sock"), 0).await;
    let mut agent = agent(folder.path(), &[collector.address]);
    agent.publish(1);
    agent.records.send(record(11)).await.unwrap();
    assert_eq!(collector.next().await, Said::Hello("gate".to_owned(), epoch(1, 1)));
    assert_eq!(collector.next().await, Said::View(1, view(1)));
    assert_eq!(collector.next().await, Said::Records(1, vec![11]));
    agent.publish(2);
    assert_eq!(collector.next().await, Said::View(2, view(2)));
    let connected = agent
        .reaches(|status| matches!(status, UplinkStatus::Connected { .. }))
        .await;
    assert_eq!(connected.to_string(), format!("connected to {}", collector.address));
    agent.shutdown.cancel();
    assert_eq!(collector.next().await, Said::Ended(Ok(())));
    soon("the end", agent.task).await.unwrap();
}

#[tokio::test]
async fn without_a_workload_api_it_waits_and_goes_on_when_there_is_one() {
    let folder = tempfile::tempdir().unwrap();
    let identity = identity(folder.path(), "collector.sock");
    let mut collector = Collector::start(identity, 0).await;
    let mut agent = agent(folder.path(), &[collector.address]);
    agent.publish(1);
    agent
        .reaches(|status| *status == UplinkStatus::WaitingForIdentity)
        .await;
    let _ca = ca(folder.path());
    assert!(matches!(collector.next().await, Said::Hello(..)));
    assert_eq!(collector.next().await, Said::View(1, view(1)));
}

#[tokio::test]
async fn the_next_address_is_tried_when_nobody_is_at_the_first() {
    let folder = tempfile::tempdir().unwrap();
    let _ca = ca(folder.path());
    let mut collector = Collector::start(identity(folder.path(), "collector.sock"), 0).await;
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let nobody = free.local_addr().unwrap();
    drop(free);
    let _agent = agent(folder.path(), &[nobody, collector.address]);
    assert!(matches!(collector.next().await, Said::Hello(..)));
}

#[tokio::test]
async fn a_server_that_is_not_the_collector_hears_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let _ca = ca(folder.path());
    let mut liar = Collector::start(identity(folder.path(), "node-liar.sock"), 0).await;
    let mut agent = agent(folder.path(), &[liar.address]);
    agent.publish(1);
    let resting = agent
        .reaches(|status| matches!(status, UplinkStatus::Resting { .. }))
        .await;
    assert!(resting.to_string().contains("wrong_id"), "{resting}");
    assert!(liar.said.try_recv().is_err());
}

#[tokio::test]
async fn an_agent_that_lost_its_count_goes_on_after_the_collectors_and_keeps_that() {
    let folder = tempfile::tempdir().unwrap();
    let _ca = ca(folder.path());
    let mut collector = Collector::start(identity(folder.path(), "collector.sock"), 41).await;
    let first = agent(folder.path(), &[collector.address]);
    assert_eq!(collector.next().await, Said::Hello("gate".to_owned(), epoch(1, 1)));
    assert_eq!(collector.next().await, Said::Hello("gate".to_owned(), epoch(42, 1)));
    first.shutdown.cancel();
    soon("the end", first.task).await.unwrap();
    let _second = agent(folder.path(), &[collector.address]);
    loop {
        if let Said::Hello(_, epoch) = collector.next().await {
            assert_eq!(epoch.incarnation, 43);
            break;
        }
    }
}

#[tokio::test]
async fn a_broken_stream_is_taken_up_again_with_a_full_view_and_the_records_that_are_missing() {
    let folder = tempfile::tempdir().unwrap();
    let _ca = ca(folder.path());
    let mut collector = Collector::start(identity(folder.path(), "collector.sock"), 0).await;
    let agent = agent(folder.path(), &[collector.address]);
    agent.publish(1);
    agent.records.send(record(11)).await.unwrap();
    assert!(matches!(collector.next().await, Said::Hello(..)));
    assert_eq!(collector.next().await, Said::View(1, view(1)));
    assert_eq!(collector.next().await, Said::Records(1, vec![11]));
    collector.break_streams();
    agent.records.send(record(12)).await.unwrap();
    loop {
        match collector.next().await {
            Said::Hello(_, again) => {
                assert_eq!(again, epoch(1, 2));
                break;
            }
            Said::Ended(_) | Said::Records(2, _) => {}
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(collector.next().await, Said::View(1, view(1)));
    match collector.next().await {
        Said::Records(first, records) => assert_eq!(first + records.len() as u64, 3, "{records:?}"),
        other => panic!("{other:?}"),
    }
}
