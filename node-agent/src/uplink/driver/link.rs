//! One connection attempt, from the wait for an identity to the end of the stream.

use std::time::Duration;

use futures_util::future::BoxFuture;
use mesh_proto::pb;
use mesh_proto::pb::telemetry_service_client::TelemetryServiceClient;
use mesh_transport::{DialError, Dialer, IdentitySource};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::transport::Channel;
use tonic::{Status, Streaming};

use crate::uplink::session::MESSAGES;

/// How long a stream that ends well may take.
const FAREWELL: Duration = Duration::from_secs(1);

/// Dropped, it hangs up.
pub(super) enum Link {
    Idle,
    Identity(BoxFuture<'static, ()>),
    Dialling(BoxFuture<'static, Result<Channel, DialError>>),
    /// The collector need not answer before it has read Hello.
    Opening {
        call: BoxFuture<'static, Result<Streaming<pb::StreamResponse>, Status>>,
        outgoing: mpsc::Sender<pb::StreamRequest>,
    },
    Open {
        incoming: Box<Streaming<pb::StreamResponse>>,
        outgoing: mpsc::Sender<pb::StreamRequest>,
    },
}

/// What a link comes to.
pub(super) enum Event {
    /// There is a usable SVID.
    Identity,
    Dialled(Result<Channel, DialError>),
    Opened,
    Message(pb::StreamResponse),
    Ended(Option<Status>),
}

impl Link {
    pub(super) fn wait_for(identity: IdentitySource) -> Self {
        Self::Identity(Box::pin(async move { identity.usable().await }))
    }

    pub(super) fn dial(dialer: Dialer, address: String) -> Self {
        Self::Dialling(Box::pin(async move { dialer.connect(&address).await }))
    }

    pub(super) fn open(channel: Channel) -> Self {
        // The session has no more than this under way; a connection that does not even take that is given up.
        let (outgoing, messages) = mpsc::channel(MESSAGES);
        let mut client = TelemetryServiceClient::new(channel);
        Self::Opening {
            call: Box::pin(async move {
                let response = client.stream(ReceiverStream::new(messages)).await?;
                Ok(response.into_inner())
            }),
            outgoing,
        }
    }

    /// Waits for the next event; cancel safe. An idle link has none.
    pub(super) async fn next(&mut self) -> Event {
        match self {
            Self::Idle => std::future::pending().await,
            Self::Identity(usable) => {
                usable.await;
                *self = Self::Idle;
                Event::Identity
            }
            Self::Dialling(channel) => {
                let channel = channel.await;
                *self = Self::Idle;
                Event::Dialled(channel)
            }
            Self::Opening { call, outgoing } => match call.await {
                Ok(incoming) => {
                    *self = Self::Open {
                        incoming: Box::new(incoming),
                        outgoing: outgoing.clone(),
                    };
                    Event::Opened
                }
                Err(status) => {
                    *self = Self::Idle;
                    Event::Ended(Some(status))
                }
            },
            Self::Open { incoming, .. } => match incoming.message().await {
                Ok(Some(message)) => Event::Message(message),
                Ok(None) => {
                    *self = Self::Idle;
                    Event::Ended(None)
                }
                Err(status) => {
                    *self = Self::Idle;
                    Event::Ended(Some(status))
                }
            },
        }
    }

    /// False: the connection does not take it.
    pub(super) fn send(&self, message: pb::StreamRequest) -> bool {
        match self {
            // Its end is an event that has not been looked at yet.
            Self::Idle | Self::Identity(_) | Self::Dialling(_) => true,
            Self::Opening { outgoing, .. } | Self::Open { outgoing, .. } => {
                !matches!(outgoing.try_send(message), Err(mpsc::error::TrySendError::Full(_)))
            }
        }
    }

    /// Ends an open stream in order, so that the collector need not find it broken.
    pub(super) async fn finish(self) {
        if let Self::Open { mut incoming, outgoing } = self {
            drop(outgoing);
            let drained = async { while let Ok(Some(_)) = incoming.message().await {} };
            tokio::time::timeout(FAREWELL, drained).await.ok();
        }
    }
}
