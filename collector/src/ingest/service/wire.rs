//! Messages of the stream, and what they are to a [`super::super::session`].

use mesh_proto::convert::{Reason, Reject};
use mesh_proto::model::Delta;
use mesh_proto::pb;
use mesh_proto::pb::stream_request::Kind;

use crate::ingest::session::Input;

/// A valid message.
///
/// # Errors
/// [`Reject`] names the field that cannot be believed.
pub(super) fn input(request: pb::StreamRequest) -> Result<Input, Reject> {
    Ok(match request.kind {
        None => Input::Unknown,
        Some(Kind::Hello(hello)) => Input::Hello(hello.try_into()?),
        Some(Kind::FullSync(full)) => Input::FullSync {
            sequence: full.sequence,
            clock: full.clock.map(Into::into),
            view: full.view.ok_or(missing("full_sync.view"))?.try_into()?,
        },
        Some(Kind::Delta(delta)) => Input::Delta {
            sequence: delta.sequence,
            clock: delta.clock.map(Into::into),
            // Nothing changed: a sign of life.
            delta: delta.delta.map_or_else(|| Ok(Delta::default()), TryInto::try_into)?,
        },
        Some(Kind::Records(records)) => {
            let (first, count) = (records.first_sequence, records.records.len() as u64);
            Input::Records {
                first,
                count,
                known: records.into_model()?,
            }
        }
    })
}

fn missing(field: &'static str) -> Reject {
    Reject {
        field,
        reason: Reason::Missing,
    }
}

pub(super) fn response(kind: pb::stream_response::Kind) -> pb::StreamResponse {
    pb::StreamResponse { kind: Some(kind) }
}
