//! Streams of real clients over memory: real HTTP/2, real protobuf, no TLS.

use std::convert::Infallible;

use mesh_proto::model::{DriftAction, Event, Record, Snapshot};
use mesh_proto::pb::stream_request::Kind as Ask;
use mesh_proto::pb::telemetry_service_client::TelemetryServiceClient;
use mesh_proto::pb::telemetry_service_server::TelemetryServiceServer;
use mesh_transport::{Connection, Dialer, PeerCertificate, Remote, Role, SpiffeId};
use tokio::sync::watch;
use tonic::Code;
use tonic::transport::Channel;

use super::*;
use crate::access::layer::AccessLayer;
use crate::clock;
use crate::history::{History, Kind as HistoryKind, What};
use crate::metrics::Instruments;
use crate::testing::{hello, ifname, mac, node, snapshot, view, with_originator};
use crate::topology::{NodeKey, TopologySnapshot, publish};

const MESSAGE_BYTES: usize = 64 * 1024;

/// A collector that clients reach over memory.
struct Collector {
    connections: mpsc::Sender<Result<Connection, Infallible>>,
    topology: watch::Receiver<Arc<TopologySnapshot>>,
    history: History,
    instruments: Arc<Instruments>,
    drain: CancellationToken,
}

/// A node's open stream.
struct Agent {
    asks: mpsc::Sender<pb::StreamRequest>,
    answers: Streaming<pb::StreamResponse>,
}

impl Collector {
    fn start() -> Self {
        let (connections, incoming) = mpsc::channel(4);
        let (events_tx, events) = mpsc::channel(16);
        let (topology_tx, topology) = watch::channel(Arc::new(TopologySnapshot::empty(clock::now().wall)));
        let history = History::new(clock::now().wall);
        tokio::spawn(publish::run(events, topology_tx, history.clone(), clock::now));
        let drain = CancellationToken::new();
        let service = TelemetryServiceServer::new(TelemetryIngest::new(events_tx, drain.clone()))
            .max_decoding_message_size(MESSAGE_BYTES);
        let instruments = Arc::new(Instruments::new().unwrap());
        let server = mesh_transport::server::builder()
            .layer(AccessLayer::new(Arc::clone(&instruments)))
            .add_service(service)
            .serve_with_incoming(ReceiverStream::new(incoming));
        tokio::spawn(async move { server.await.unwrap() });
        Self {
            connections,
            topology,
            history,
            instruments,
            drain,
        }
    }

    /// A connection of somebody whose SPIFFE ID is `spiffe://mesh.example/` and this.
    async fn dial(&self, who: &str) -> Channel {
        let id = SpiffeId::new(format!("spiffe://mesh.example/{who}")).unwrap();
        let role = Role::of(&id, &"mesh.example".try_into().unwrap()).unwrap();
        let peer = Peer {
            role,
            remote: Remote::Tcp(([127, 0, 0, 1], 1).into()),
            certificate: Some(PeerCertificate { id, expiry_seconds: 0 }),
        };
        let connections = self.connections.clone();
        let dialer = Dialer::new(move |_| {
            let (connections, peer) = (connections.clone(), peer.clone());
            Box::pin(async move {
                let (near, far) = tokio::io::duplex(64 * 1024);
                let connection = Connection::new(Box::new(far), peer);
                connections.send(Ok(connection)).await.unwrap();
                Ok(Box::new(near) as mesh_transport::Stream)
            })
        });
        dialer.connect("memory").await.unwrap()
    }

    async fn agent(&self, name: &str) -> Agent {
        let mut client = TelemetryServiceClient::new(self.dial(&format!("node/{name}")).await);
        let (asks, stream) = mpsc::channel(4);
        let answers = client.stream(ReceiverStream::new(stream)).await.unwrap().into_inner();
        Agent { asks, answers }
    }

    /// An agent that has been let in.
    async fn session(&self, name: &str, incarnation: u64, connection: u64) -> Agent {
        let mut agent = self.agent(name).await;
        agent.ask(Ask::Hello((&hello(incarnation, connection)).into())).await;
        assert!(matches!(agent.answer().await, Ok(Some(Kind::Welcome(_)))));
        agent
    }

    async fn until(&mut self, state: impl Fn(&TopologySnapshot) -> bool) {
        self.topology.wait_for(|snapshot| state(snapshot)).await.unwrap();
    }

    fn page(&self) -> String {
        self.instruments.page(&self.topology.borrow()).unwrap()
    }
}

impl Agent {
    async fn ask(&self, kind: Ask) {
        self.asks.send(pb::StreamRequest { kind: Some(kind) }).await.unwrap();
    }

    async fn answer(&mut self) -> Result<Option<Kind>, Status> {
        Ok(self.answers.message().await?.and_then(|answer| answer.kind))
    }

    /// The status the stream ends with.
    async fn end(&mut self) -> Status {
        loop {
            match self.answer().await {
                Ok(Some(_)) => {}
                Ok(None) => panic!("the stream ended without a status"),
                Err(status) => return status,
            }
        }
    }

    async fn lives(&mut self, sequence: u64) {
        self.ask(full_sync(sequence, &snapshot(view(mac(1))))).await;
        let answer = self.answer().await.unwrap();
        assert_eq!(answer, Some(Kind::LiveAck(pb::LiveAck { sequence })));
    }
}

fn full_sync(sequence: u64, view: &Snapshot) -> Ask {
    Ask::FullSync(pb::FullSync {
        sequence,
        clock: None,
        view: Some(view.into()),
    })
}

fn key(name: &str) -> NodeKey {
    NodeKey::Observed(node(name))
}

/// Records under way when a connection breaks are sent again by the next one.
#[tokio::test]
async fn what_happened_is_kept_once_however_often_it_is_told() {
    let mut collector = Collector::start();
    let records = |numbers: std::ops::RangeInclusive<u64>| {
        let drift = |number: u64| {
            let setting = format!("setting {number}");
            let bat0 = ifname("bat0");
            pb::Record::from(&Record {
                boottime_ns: number,
                event: Event::config_drift(bat0, &setting, "1", "2", DriftAction::Reported),
            })
        };
        Ask::Records(pb::Records {
            first_sequence: *numbers.start(),
            records: numbers.map(drift).collect(),
        })
    };
    let mut a = collector.session("a", 1, 1).await;
    a.ask(records(1..=3)).await;
    assert!(matches!(a.answer().await, Ok(Some(Kind::RecordsAck(_)))));
    drop(a);
    let mut a = collector.session("a", 1, 2).await;
    a.ask(records(2..=5)).await;
    assert!(matches!(a.answer().await, Ok(Some(Kind::RecordsAck(_)))));
    // Events are applied in their order, so what came before this report is there when the report is.
    a.lives(1).await;
    let reported = |snapshot: &TopologySnapshot| {
        let agent = snapshot.node(&key("a")).and_then(|node| node.agent.as_ref());
        agent.is_some_and(|agent| agent.totals.reports == 1)
    };
    collector.until(reported).await;
    let (entries, _) = collector
        .history
        .page(None, 100, |entry| entry.what.kind() == HistoryKind::ConfigDrift);
    let settings: Vec<_> = entries
        .iter()
        .filter_map(|entry| match &entry.what {
            What::Told(Event::ConfigDrift { setting, .. }) => Some(setting.as_str()),
            _ => None,
        })
        .collect();
    assert_eq!(
        settings,
        ["setting 1", "setting 2", "setting 3", "setting 4", "setting 5"]
    );
}

#[tokio::test]
async fn what_an_agent_reports_is_seen_under_the_id_of_its_certificate() {
    let mut collector = Collector::start();
    let mut a = collector.session("a", 1, 1).await;
    a.lives(7).await;
    a.ask(Ask::Delta(pb::Delta {
        sequence: 8,
        clock: None,
        delta: None,
    }))
    .await;
    assert_eq!(
        a.answer().await.unwrap(),
        Some(Kind::LiveAck(pb::LiveAck { sequence: 8 }))
    );
    let reports = |snapshot: &TopologySnapshot, name: &str| {
        let agent = snapshot.node(&key(name))?.agent.as_ref()?;
        Some(agent.totals.reports)
    };
    collector.until(|snapshot| reports(snapshot, "a") == Some(2)).await;
    a.ask(Ask::Records(pb::Records {
        first_sequence: 3,
        records: vec![pb::Record::default(), pb::Record::default()],
    }))
    .await;
    assert_eq!(
        a.answer().await.unwrap(),
        Some(Kind::RecordsAck(pb::RecordsAck { sequence: 4 }))
    );
    let gaps = |snapshot: &TopologySnapshot| snapshot.node(&key("a")).unwrap().agent.as_ref().unwrap().totals.gaps;
    collector.until(|snapshot| gaps(snapshot) == 1).await;
    drop(a);
    let connected = |snapshot: &TopologySnapshot| snapshot.node(&key("a")).unwrap().agent.as_ref().unwrap().connected;
    collector.until(|snapshot| !connected(snapshot)).await;
}

#[tokio::test]
async fn a_newer_session_ends_the_older_and_an_older_one_is_told_the_newest_incarnation() {
    let collector = Collector::start();
    let mut old = collector.session("a", 5, 1).await;
    let mut new = collector.session("a", 5, 2).await;
    let status = old.end().await;
    assert_eq!(
        (status.code(), status.message()),
        (Code::Aborted, "a newer session of this node exists")
    );
    let mut late = collector.agent("a").await;
    late.ask(Ask::Hello((&hello(4, 9)).into())).await;
    let status = late.end().await;
    assert_eq!(status.code(), Code::FailedPrecondition);
    assert_eq!(status.metadata().get(LAST_INCARNATION).unwrap(), "5");
    new.lives(1).await;
}

#[tokio::test]
async fn a_malformed_message_ends_its_own_stream_and_names_the_field() {
    let collector = Collector::start();
    let mut other = collector.session("b", 1, 1).await;
    let mut a = collector.session("a", 1, 1).await;
    let mut bad: pb::NodeView = (&snapshot(view(mac(1)))).into();
    bad.meshes[0].hard_interfaces[0].hard_address.push(7);
    a.ask(Ask::FullSync(pb::FullSync {
        sequence: 1,
        clock: None,
        view: Some(bad),
    }))
    .await;
    let status = a.end().await;
    assert_eq!(status.code(), Code::InvalidArgument);
    assert_eq!(
        status.message(),
        "field hard_interface.hard_address: an address has 6 bytes, not 7"
    );
    other.lives(1).await;
}

#[tokio::test]
async fn an_oversized_message_ends_its_own_stream() {
    let collector = Collector::start();
    let mut other = collector.session("b", 1, 1).await;
    let mut a = collector.session("a", 1, 1).await;
    let mut large = view(mac(1));
    for number in 0..u16::MAX / 16 {
        let [high, low] = number.to_be_bytes();
        large = with_originator(large, mesh_proto::model::MacAddr([2, 1, 0, 0, high, low]), mac(2));
    }
    a.ask(full_sync(1, &snapshot(large))).await;
    assert_eq!(a.end().await.code(), Code::OutOfRange);
    other.lives(1).await;
}

#[tokio::test]
async fn bytes_that_are_no_message_end_their_own_stream() {
    let collector = Collector::start();
    let mut other = collector.session("b", 1, 1).await;
    let mut client = tonic::client::Grpc::new(collector.dial("node/a").await);
    client.ready().await.unwrap();
    // What stands as the text of field 1 there is a message here, and ends too soon.
    let settings = pb::MeshSettings {
        mesh: "zz".to_owned(),
        ..pb::MeshSettings::default()
    };
    let codec = tonic_prost::ProstCodec::<pb::MeshSettings, pb::StreamResponse>::default();
    let path = tonic::codegen::http::uri::PathAndQuery::from_static("/mesh.v1.TelemetryService/Stream");
    let request = Request::new(tokio_stream::iter([settings]));
    let mut answers = client.streaming(request, path, codec).await.unwrap().into_inner();
    assert_eq!(answers.message().await.unwrap_err().code(), Code::InvalidArgument);
    other.lives(1).await;
}

#[tokio::test]
async fn a_collector_that_goes_asks_its_agents_to_come_back() {
    let collector = Collector::start();
    let mut a = collector.session("a", 1, 1).await;
    collector.drain.cancel();
    match a.answer().await.unwrap() {
        Some(Kind::Drain(pb::Drain { reconnect_after_ms })) => assert!(RECONNECT_MS.contains(&reconnect_after_ms)),
        other => panic!("no drain but {other:?}"),
    }
    a.lives(1).await;
    assert_eq!(a.end().await.code(), Code::Unavailable);
}

#[tokio::test]
async fn nobody_but_a_node_streams_telemetry_and_denials_are_counted() {
    let collector = Collector::start();
    for who in ["operator/o", "viewer/v", "collector"] {
        let mut client = TelemetryServiceClient::new(collector.dial(who).await);
        let status = client.stream(tokio_stream::empty()).await.unwrap_err();
        assert_eq!(status.code(), Code::PermissionDenied);
        assert!(status.message().contains("role node"), "{}", status.message());
    }
    assert!(
        collector
            .page()
            .contains("mesh_authorization_denials_total{reason=\"needs_node\"} 3\n")
    );
}
