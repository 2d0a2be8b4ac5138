//! `TelemetryService`: a task for each stream that carries messages between tonic, a [`Session`] and the topology.
//!
//! A stream that goes wrong ends alone, with a status that says why. Where the topology falls behind, streams wait for
//! it, and HTTP/2's windows make the agents wait: they then send fewer, larger deltas.

mod wire;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use mesh_proto::model::NodeId;
use mesh_proto::pb;
use mesh_proto::pb::stream_response::Kind;
use mesh_proto::pb::telemetry_service_server::TelemetryService;
use mesh_transport::Peer;
use rand::Rng as _;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tokio_util::sync::CancellationToken;
use tonic::metadata::MetadataValue;
use tonic::{Request, Response, Status, Streaming};

use super::admission;
use super::ledger::Ledger;
use super::session::{End, Output, Session};
use crate::topology::TopologyEvent;

/// Answers of one stream that tonic has not taken yet. Where an agent does not read, its stream waits.
const ANSWERS: usize = 16;
/// Agents get this long to end their streams after a Drain.
const DRAIN_GRACE: Duration = Duration::from_secs(2);
/// Agents come back after a Drain at a random time within this many milliseconds, so that they do not come at once.
const RECONNECT_MS: std::ops::Range<u32> = 500..5_000;
/// Metadata of a refused Hello: the greatest incarnation known.
const LAST_INCARNATION: &str = "mesh-last-incarnation";

/// The service.
#[derive(Clone)]
pub struct TelemetryIngest {
    registry: Arc<Mutex<Registry>>,
    events: mpsc::Sender<TopologyEvent>,
    drain: CancellationToken,
}

/// All nodes' sessions, and how to end the current ones.
#[derive(Default)]
struct Registry {
    ledger: Ledger,
    fences: BTreeMap<NodeId, CancellationToken>,
}

/// One stream, while it lasts.
struct Stream {
    service: TelemetryIngest,
    session: Session,
    fence: CancellationToken,
    answers: mpsc::Sender<Result<pb::StreamResponse, Status>>,
}

/// Why a stream is over.
#[derive(Debug, thiserror::Error)]
enum Over {
    /// By the protocol.
    #[error(transparent)]
    End(#[from] End),
    /// The agent ended it, or its connection broke.
    #[error("the agent left")]
    Left,
    /// tonic could not read a message.
    #[error("{}", .0.message())]
    Unreadable(Status),
    /// We are going.
    #[error("the collector is shutting down")]
    Drained,
}

// === impl TelemetryIngest ===

impl TelemetryIngest {
    /// Sends `events`; ends all streams once `drain` is cancelled.
    pub fn new(events: mpsc::Sender<TopologyEvent>, drain: CancellationToken) -> Self {
        Self {
            registry: Arc::default(),
            events,
            drain,
        }
    }

    fn registry(&self) -> std::sync::MutexGuard<'_, Registry> {
        self.registry.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[tonic::async_trait]
impl TelemetryService for TelemetryIngest {
    type StreamStream = ReceiverStream<Result<pb::StreamResponse, Status>>;

    async fn stream(
        &self,
        request: Request<Streaming<pb::StreamRequest>>,
    ) -> Result<Response<Self::StreamStream>, Status> {
        let (node, spiffe_id) = admission::node(request.extensions().get::<Peer>())
            .map_err(|error| Status::permission_denied(error.to_string()))?;
        let (answers, stream) = mpsc::channel(ANSWERS);
        let task = Stream {
            service: self.clone(),
            session: Session::new(node, spiffe_id),
            fence: CancellationToken::new(),
            answers,
        };
        tokio::spawn(task.run(request.into_inner()));
        Ok(Response::new(ReceiverStream::new(stream)))
    }
}

// === impl Stream ===

impl Stream {
    async fn run(mut self, mut messages: Streaming<pb::StreamRequest>) {
        let over = match self.serve(&mut messages).await {
            Ok(never) => match never {},
            Err(over) => over,
        };
        if let Some(facts) = self.session.facts() {
            let epoch = facts.hello.epoch;
            tracing::info!(
                node = %facts.node, incarnation = epoch.incarnation, connection = epoch.connection, reason = %over,
                "session ended"
            );
            let closed = TopologyEvent::Closed(Arc::clone(facts));
            // Closed while the collector shuts down: then nobody needs to know.
            self.service.events.send(closed).await.ok();
        } else {
            tracing::info!(node = %self.session.node(), reason = %over, "session refused");
        }
        if let Some(status) = over.status() {
            // The agent may be gone.
            self.answers.send(Err(status)).await.ok();
        }
    }

    async fn serve(&mut self, messages: &mut Streaming<pb::StreamRequest>) -> Result<std::convert::Infallible, Over> {
        let drain = self.service.drain.clone();
        let mut draining = false;
        let grace = tokio::time::sleep(DRAIN_GRACE);
        tokio::pin!(grace);
        loop {
            // Cancel-safe: a message half received stays in the Streaming; nothing is awaited in an arm's body.
            let message = tokio::select! {
                biased;
                () = self.fence.cancelled() => return Err(End::Fenced.into()),
                () = drain.cancelled(), if !draining => None,
                () = &mut grace, if draining => return Err(Over::Drained),
                message = messages.message() => Some(message),
            };
            match message {
                None => {
                    draining = true;
                    grace.as_mut().reset(tokio::time::Instant::now() + DRAIN_GRACE);
                    let reconnect_after_ms = rand::rng().random_range(RECONNECT_MS);
                    self.answer(Kind::Drain(pb::Drain { reconnect_after_ms })).await?;
                }
                Some(Ok(Some(request))) => self.take(request).await?,
                Some(Ok(None)) => return Err(Over::Left),
                Some(Err(status)) => return Err(Over::of(status)),
            }
        }
    }

    async fn take(&mut self, request: pb::StreamRequest) -> Result<(), Over> {
        let input = wire::input(request).map_err(End::Malformed)?;
        for output in self.handle(input)? {
            let kind = match output {
                Output::Event(event) => {
                    // The topology's task ends only with the collector.
                    self.service.events.send(event).await.map_err(|_| Over::Drained)?;
                    continue;
                }
                Output::Welcome(terms) => Kind::Welcome(terms.into()),
                Output::LiveAck(sequence) => Kind::LiveAck(pb::LiveAck { sequence }),
                Output::RecordsAck(sequence) => Kind::RecordsAck(pb::RecordsAck { sequence }),
                Output::FullSyncRequest(reason) => {
                    tracing::info!(node = %self.session.node(), reason, "asking for a full view");
                    let reason = reason.to_owned();
                    Kind::FullSyncRequest(pb::FullSyncRequest { reason })
                }
            };
            self.answer(kind).await?;
        }
        Ok(())
    }

    /// The session's verdict; where it opens, the node's older stream is fenced off.
    fn handle(&mut self, input: super::session::Input) -> Result<Vec<Output>, End> {
        let was_open = self.session.facts().is_some();
        let mut registry = self.service.registry();
        let outputs = self.session.handle(input, &mut registry.ledger)?;
        if !was_open && let Some(facts) = self.session.facts() {
            let older = registry.fences.insert(facts.node.clone(), self.fence.clone());
            drop(registry);
            if let Some(older) = older {
                older.cancel();
            }
            let hello = &facts.hello;
            tracing::info!(
                node = %facts.node, name = hello.name, agent_version = hello.agent_version,
                incarnation = hello.epoch.incarnation, connection = hello.epoch.connection, "session began"
            );
        }
        Ok(outputs)
    }

    async fn answer(&self, kind: Kind) -> Result<(), Over> {
        let answer = Ok(wire::response(kind));
        tokio::select! {
            () = self.fence.cancelled() => Err(End::Fenced.into()),
            sent = self.answers.send(answer) => sent.map_err(|_| Over::Left),
        }
    }
}

// === impl Over ===

impl Over {
    fn of(status: Status) -> Self {
        match status.code() {
            tonic::Code::OutOfRange | tonic::Code::ResourceExhausted | tonic::Code::Unimplemented => {
                Self::Unreadable(status)
            }
            // What tonic makes of bytes that are no StreamRequest; prost names the field.
            tonic::Code::Internal => Self::Unreadable(Status::invalid_argument(status.message())),
            _ => Self::Left,
        }
    }

    fn status(self) -> Option<Status> {
        match self {
            Self::Left => None,
            Self::Unreadable(status) => Some(status),
            Self::Drained => Some(Status::unavailable(
                "the collector is shutting down: come back in a while",
            )),
            Self::End(end) => Some(refusal(&end)),
        }
    }
}

fn refusal(end: &End) -> Status {
    let text = end.to_string();
    match end {
        End::NoHello | End::SecondHello | End::Malformed(_) => Status::invalid_argument(text),
        End::Protocol { .. } => Status::failed_precondition(text),
        End::Fenced => Status::aborted(text),
        End::Outdated { newest } => {
            let mut status = Status::failed_precondition(text);
            let value = MetadataValue::from(newest.incarnation);
            status.metadata_mut().insert(LAST_INCARNATION, value);
            status
        }
    }
}

#[cfg(test)]
mod tests;
