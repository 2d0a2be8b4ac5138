//! Questions over rtnetlink, and what comes back.
//!
//! The crate's own requests do not tell an answer's end from the connection's, so these are not used.

use futures_util::StreamExt;
use netlink_packet_core::{NLM_F_ACK, NLM_F_DUMP, NLM_F_DUMP_INTR, NetlinkMessage, NetlinkPayload};
use netlink_packet_route::RouteNetlinkMessage;

use super::{LinkError, LinkHandle};
use crate::netlink::extack;

/// How often a list is asked for again when it changed while it was being sent.
pub(super) const RETRIES: u32 = 3;

/// Everything the kernel answered to one question.
#[derive(Debug, Default)]
pub(super) struct Answer {
    pub(super) messages: Vec<RouteNetlinkMessage>,
    /// The list changed while it was being sent.
    pub(super) interrupted: bool,
}

impl Answer {
    /// Nothing is missing in it.
    pub(super) fn whole(self) -> Result<Self, LinkError> {
        if self.interrupted {
            return Err(LinkError::Unsteady);
        }
        Ok(self)
    }
}

impl LinkHandle {
    pub(super) async fn ask(&self, message: RouteNetlinkMessage, flags: u16) -> Result<Answer, LinkError> {
        let mut request = NetlinkMessage::from(message);
        request.header.flags = flags;
        let mut route = self.route.clone();
        let mut replies = route.request(request).map_err(|_| LinkError::Disconnected)?;
        let mut answer = Answer::default();
        let mut ended = false;
        while let Some(reply) = replies.next().await {
            answer.interrupted |= reply.header.flags & NLM_F_DUMP_INTR != 0;
            match reply.payload {
                NetlinkPayload::InnerMessage(message) => {
                    ended |= flags & (NLM_F_DUMP | NLM_F_ACK) == 0;
                    answer.messages.push(message);
                }
                NetlinkPayload::Done(done) if done.code < 0 => return Err(LinkError::new(done.code, None)),
                NetlinkPayload::Error(error) if error.raw_code() != 0 => {
                    return Err(LinkError::new(error.raw_code(), extack::text(&error).as_deref()));
                }
                NetlinkPayload::Done(_) | NetlinkPayload::Error(_) => ended = true,
                _ => {}
            }
        }
        if ended {
            Ok(answer)
        } else {
            Err(LinkError::Disconnected)
        }
    }
}

impl LinkError {
    pub(super) fn new(code: i32, text: Option<&str>) -> Self {
        Self::Kernel {
            errno: code.abs(),
            source: extack::source(code, text),
        }
    }
}
