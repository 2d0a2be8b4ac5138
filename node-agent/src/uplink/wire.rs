//! Between the session's words and the messages of `mesh.v1`.

use std::time::Duration;

use mesh_proto::convert::{Reject, WelcomeTerms};
use mesh_proto::pb;
use mesh_transport::HandshakeResult;
use tonic::{Code, Status};

use super::session::{Close, Input, Message};

/// Where the collector's refusal says which incarnation is the newest it knows.
const LAST_INCARNATION: &str = "mesh-last-incarnation";

pub(super) fn request(message: &Message) -> pb::StreamRequest {
    use pb::stream_request::Kind;
    let kind = match message {
        Message::Hello(hello) => Kind::Hello(hello.into()),
        Message::FullSync {
            sequence,
            clock,
            snapshot,
        } => Kind::FullSync(pb::FullSync {
            sequence: *sequence,
            clock: Some((*clock).into()),
            view: Some(snapshot.as_ref().into()),
        }),
        Message::Delta { sequence, clock, delta } => Kind::Delta(pb::Delta {
            sequence: *sequence,
            clock: Some((*clock).into()),
            delta: Some(delta.into()),
        }),
        Message::Records {
            first_sequence,
            records,
        } => Kind::Records(pb::Records {
            first_sequence: *first_sequence,
            records: records.iter().map(Into::into).collect(),
        }),
    };
    pb::StreamRequest { kind: Some(kind) }
}

/// `None`: a kind of message that a newer collector sends and this release need not understand.
pub(super) fn input(response: pb::StreamResponse) -> Result<Option<Input>, Reject> {
    use pb::stream_response::Kind;
    Ok(Some(match response.kind {
        None => return Ok(None),
        Some(Kind::Welcome(welcome)) => Input::Welcome(WelcomeTerms::try_from(welcome)?),
        Some(Kind::LiveAck(ack)) => Input::LiveAck(ack.sequence),
        Some(Kind::RecordsAck(ack)) => Input::RecordsAck(ack.sequence),
        Some(Kind::FullSyncRequest(request)) => Input::FullSyncRequest { reason: request.reason },
        Some(Kind::Drain(drain)) => Input::Drain {
            after: Duration::from_millis(drain.reconnect_after_ms.into()),
        },
    }))
}

/// What the end of a stream means.
pub(super) fn close(status: &Status) -> Close {
    let newest = status
        .metadata()
        .get(LAST_INCARNATION)
        .and_then(|value| value.to_str().ok())
        .and_then(|text| text.parse().ok());
    match status.code() {
        Code::FailedPrecondition if newest.is_some() => Close::Outdated { newest },
        // A newer session took this one's place.
        Code::Aborted => Close::Outdated { newest },
        code => {
            let reason = match HandshakeResult::of_error(status) {
                HandshakeResult::Rejected => {
                    format!("the collector refuses this agent's certificate: {}", causes(status))
                }
                _ if std::error::Error::source(status).is_some() => causes(status),
                _ => format!("{code:?}: {}", status.message()),
            };
            Close::Lost { reason }
        }
    }
}

/// An error and its causes on one line; those that only repeat what was said are left out.
pub(super) fn causes(error: &(dyn std::error::Error + 'static)) -> String {
    let mut text = match error.downcast_ref::<Status>() {
        Some(status) => status.message().to_owned(),
        None => error.to_string(),
    };
    let mut cause = error.source();
    while let Some(error) = cause {
        let more = error.to_string();
        if !text.contains(&more) {
            text = format!("{text}: {more}");
        }
        cause = error.source();
    }
    text
}

#[cfg(test)]
mod tests;
