//! As much of a collector as an agent can tell from a real one: welcomes, acknowledges, refuses what is too old.

use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex};

use futures_util::Stream;
use mesh_proto::convert::WelcomeTerms;
use mesh_proto::model::{Delta, Epoch, Hello, Snapshot};
use mesh_proto::pb;
use mesh_proto::pb::stream_request::Kind;
use mesh_proto::pb::telemetry_service_server::{TelemetryService, TelemetryServiceServer};
use mesh_transport::{HandshakeLimits, IdentitySource, Observer, Peer, Role, TrustDomain, listen_tls, server};
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tokio_util::sync::CancellationToken;
use tonic::{Request, Response, Status, Streaming};

use super::soon;

/// What an agent said, as it is after all that came before.
#[derive(Debug, PartialEq)]
pub(super) enum Said {
    Hello(String, Epoch),
    View(u64, Arc<Snapshot>),
    Records(u64, Vec<u64>),
    Ended(Result<(), String>),
}

pub(super) struct Collector {
    pub(super) address: SocketAddr,
    pub(super) said: mpsc::UnboundedReceiver<Said>,
    shared: Arc<Shared>,
}

struct Shared {
    newest: Mutex<u64>,
    high_water: Mutex<u64>,
    said: mpsc::UnboundedSender<Said>,
    breaking: Mutex<CancellationToken>,
}

impl Collector {
    /// `newest`: the greatest incarnation it says it knows.
    pub(super) async fn start(identity: IdentitySource, newest: u64) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let observer: Observer = Arc::new(|_| {});
        let trust_domain = TrustDomain::new("mesh.test").unwrap();
        let incoming = listen_tls(listener, identity, trust_domain, HandshakeLimits::default(), observer);
        let (said_tx, said) = mpsc::unbounded_channel();
        let shared = Arc::new(Shared {
            newest: Mutex::new(newest),
            high_water: Mutex::new(0),
            said: said_tx,
            breaking: Mutex::default(),
        });
        let service = TelemetryServiceServer::new(Service(Arc::clone(&shared)));
        tokio::spawn(server::builder().add_service(service).serve_with_incoming(incoming));
        Self { address, said, shared }
    }

    pub(super) async fn next(&mut self) -> Said {
        soon("a message", self.said.recv()).await.unwrap()
    }

    pub(super) fn break_streams(&self) {
        let breaking = std::mem::take(&mut *self.shared.breaking.lock().unwrap());
        breaking.cancel();
    }
}

struct Service(Arc<Shared>);

#[tonic::async_trait]
impl TelemetryService for Service {
    type StreamStream = Pin<Box<dyn Stream<Item = Result<pb::StreamResponse, Status>> + Send>>;

    async fn stream(
        &self,
        request: Request<Streaming<pb::StreamRequest>>,
    ) -> Result<Response<Self::StreamStream>, Status> {
        let peer = request.extensions().get::<Peer>().unwrap();
        assert!(matches!(&peer.role, Role::Node(node) if node.as_str() == "gate"));
        let mut incoming = request.into_inner();
        let Some(Kind::Hello(hello)) = incoming.message().await?.and_then(|message| message.kind) else {
            panic!("the first message must be hello");
        };
        let hello = Hello::try_from(hello).unwrap();
        let epoch = hello.epoch;
        self.0.said.send(Said::Hello(hello.name, epoch)).ok();
        let newest = std::mem::replace(&mut *self.0.newest.lock().unwrap(), 0);
        if epoch.incarnation <= newest {
            let mut status = Status::failed_precondition("too old");
            let newest = newest.to_string().parse().unwrap();
            status.metadata_mut().insert("mesh-last-incarnation", newest);
            return Err(status);
        }
        let (answers, answers_rx) = mpsc::channel(16);
        let terms = WelcomeTerms {
            protocol: 1,
            features: Vec::new(),
            records_window: 100,
            records_high_water: *self.0.high_water.lock().unwrap(),
        };
        let welcome = pb::stream_response::Kind::Welcome(terms.into());
        answers.send(answer(welcome)).await.unwrap();
        let shared = Arc::clone(&self.0);
        let broken = shared.breaking.lock().unwrap().clone();
        tokio::spawn(async move {
            let mut view = Snapshot::default();
            loop {
                let message = tokio::select! {
                    message = incoming.message() => message,
                    () = broken.cancelled() => {
                        answers.send(Err(Status::unavailable("broken on purpose"))).await.ok();
                        return;
                    }
                };
                let (said, kind) = match message {
                    Ok(Some(message)) => shared.take(message, &mut view),
                    Ok(None) => {
                        shared.said.send(Said::Ended(Ok(()))).ok();
                        return;
                    }
                    Err(status) => {
                        shared.said.send(Said::Ended(Err(status.to_string()))).ok();
                        return;
                    }
                };
                shared.said.send(said).ok();
                answers.send(answer(kind)).await.ok();
            }
        });
        Ok(Response::new(Box::pin(ReceiverStream::new(answers_rx))))
    }
}

impl Shared {
    fn take(&self, message: pb::StreamRequest, view: &mut Snapshot) -> (Said, pb::stream_response::Kind) {
        let sequence = match message.kind.unwrap() {
            Kind::FullSync(full) => {
                *view = full.view.unwrap().try_into().unwrap();
                full.sequence
            }
            Kind::Delta(delta) => {
                Delta::try_from(delta.delta.unwrap()).unwrap().apply(view).unwrap();
                delta.sequence
            }
            Kind::Records(records) => {
                let first = records.first_sequence;
                let records = records.into_model().unwrap();
                let high_water = first + records.len() as u64 - 1;
                *self.high_water.lock().unwrap() = high_water;
                let said = records.into_iter().map(|(_, record)| record.boottime_ns).collect();
                let ack = pb::RecordsAck { sequence: high_water };
                return (Said::Records(first, said), pb::stream_response::Kind::RecordsAck(ack));
            }
            Kind::Hello(_) => panic!("hello may only come once"),
        };
        let ack = pb::LiveAck { sequence };
        let said = Said::View(sequence, Arc::new(view.clone()));
        (said, pb::stream_response::Kind::LiveAck(ack))
    }
}

fn answer(kind: pb::stream_response::Kind) -> Result<pb::StreamResponse, Status> {
    Ok(pb::StreamResponse { kind: Some(kind) })
}
