//! Asks the kernel.

use std::future::Future;
use std::io;

use futures_util::StreamExt;
use genetlink::{GenetlinkError, GenetlinkHandle};
use netlink_packet_core::{NLM_F_ACK, NLM_F_DUMP, NLM_F_DUMP_INTR, NLM_F_REQUEST, NetlinkMessage, NetlinkPayload};
use netlink_packet_generic::GenlMessage;
use netlink_proto::sys::AsyncSocket as _;

use super::mesh::MeshHandle;
use super::table::TableHandle;
use super::{
    BatadvCommand, BatadvError, BatadvMessage, BlaBackbone, BlaClaim, DatEntry, Gateway, GlobalEntry, HardInterface,
    LocalEntry, McastFlags, Neighbor, Originator,
};
use crate::netlink::extack;

/// Asks the kernel over one shared connection. Cheap to clone.
#[derive(Debug, Clone)]
pub struct BatadvHandle {
    genl: GenetlinkHandle,
}

/// Everything the kernel answered to one question.
#[derive(Debug, Default)]
pub(super) struct Answer {
    pub(super) messages: Vec<BatadvMessage>,
    /// The table changed while it was being sent (`NLM_F_DUMP_INTR`).
    pub(super) interrupted: bool,
    /// Messages not understood.
    pub(super) malformed: u32,
}

/// Opens a socket in the network namespace of this thread. The first part is the connection's task: spawn it; it ends
/// with the last handle. Needs a tokio runtime with I/O.
pub fn new_connection() -> io::Result<(impl Future<Output = ()> + Send, BatadvHandle)> {
    let (mut connection, genl, _unsolicited) = genetlink::new_connection()?;
    // Without it the end of a dump and the end of the connection look alike, and errors at a dump's end are lost.
    connection.set_forward_done(true);
    connection.set_forward_ack(true);
    extack::enable(connection.socket_mut().socket_ref())?;
    Ok((connection, BatadvHandle { genl }))
}

impl BatadvHandle {
    /// Settings of a mesh interface (`batctl meshif IF mj`).
    pub fn mesh(&self) -> MeshHandle {
        MeshHandle::new(self.clone())
    }

    /// Members of a mesh interface (`batctl meshif IF hj` for each).
    pub fn hard_interfaces(&self) -> TableHandle<HardInterface> {
        TableHandle::new(self.clone())
    }

    /// `batctl meshif IF oj`.
    pub fn originators(&self) -> TableHandle<Originator> {
        TableHandle::new(self.clone())
    }

    /// `batctl meshif IF nj`.
    pub fn neighbors(&self) -> TableHandle<Neighbor> {
        TableHandle::new(self.clone())
    }

    /// `batctl meshif IF gwj`.
    pub fn gateways(&self) -> TableHandle<Gateway> {
        TableHandle::new(self.clone())
    }

    /// `batctl meshif IF tlj`.
    pub fn translation_local(&self) -> TableHandle<LocalEntry> {
        TableHandle::new(self.clone())
    }

    /// `batctl meshif IF tgj`.
    pub fn translation_global(&self) -> TableHandle<GlobalEntry> {
        TableHandle::new(self.clone())
    }

    /// `batctl meshif IF clj`.
    pub fn bla_claims(&self) -> TableHandle<BlaClaim> {
        TableHandle::new(self.clone())
    }

    /// `batctl meshif IF bbj`.
    pub fn bla_backbones(&self) -> TableHandle<BlaBackbone> {
        TableHandle::new(self.clone())
    }

    /// `batctl meshif IF dcj`.
    pub fn dat_cache(&self) -> TableHandle<DatEntry> {
        TableHandle::new(self.clone())
    }

    /// `batctl meshif IF mfj`.
    pub fn mcast_flags(&self) -> TableHandle<McastFlags> {
        TableHandle::new(self.clone())
    }

    /// Asks for the family's number anew: it changes when the module is loaded again.
    ///
    /// On a kernel without the family this makes the kernel try to load `batman_adv`; ask only where a mesh interface
    /// is known to exist if that is not wanted.
    pub async fn refresh_family(&self) -> Result<(), BatadvError> {
        self.genl.clear_family_cache().await;
        match self.genl.resolve_family::<BatadvMessage>().await {
            Ok(_) => Ok(()),
            Err(GenetlinkError::NetlinkError(error)) if error.raw_os_error() == Some(libc::ENOENT) => {
                Err(BatadvError::FamilyMissing)
            }
            Err(error) => Err(unanswered(BatadvCommand::Other(0), error)),
        }
    }

    /// Asks for something; `dump`: for all there is of it.
    pub(super) async fn ask(&self, message: BatadvMessage, dump: bool) -> Result<Answer, BatadvError> {
        self.exchange(message, if dump { NLM_F_DUMP } else { 0 }).await
    }

    /// Changes something; returns when the kernel has acknowledged it.
    pub(super) async fn change(&self, message: BatadvMessage) -> Result<(), BatadvError> {
        self.exchange(message, NLM_F_ACK).await.map(drop)
    }

    async fn exchange(&self, message: BatadvMessage, flags: u16) -> Result<Answer, BatadvError> {
        let command = message.command;
        let mut request = NetlinkMessage::from(GenlMessage::from_payload(message));
        request.header.flags = NLM_F_REQUEST | flags;
        let mut genl = self.genl.clone();
        let mut replies = genl
            .request(request)
            .await
            .map_err(|error| unanswered(command, error))?;
        let mut answer = Answer::default();
        let mut ended = false;
        while let Some(reply) = replies.next().await {
            let Ok(reply) = reply else {
                answer.malformed += 1;
                continue;
            };
            answer.interrupted |= reply.header.flags & NLM_F_DUMP_INTR != 0;
            match reply.payload {
                NetlinkPayload::InnerMessage(message) => {
                    ended |= flags == 0;
                    answer.messages.push(message.payload);
                }
                // Errors that appear in the middle of a dump come with its end.
                NetlinkPayload::Done(done) if done.code < 0 => {
                    return Err(BatadvError::from_errno(command, done.code, None));
                }
                NetlinkPayload::Done(_) => ended = true,
                NetlinkPayload::Error(error) if error.raw_code() != 0 => {
                    let text = extack::text(&error);
                    return Err(BatadvError::from_errno(command, error.raw_code(), text.as_deref()));
                }
                NetlinkPayload::Error(_acknowledged) => ended = true,
                _ => {}
            }
        }
        if ended {
            Ok(answer)
        } else {
            Err(BatadvError::Disconnected)
        }
    }
}

fn unanswered(command: BatadvCommand, error: GenetlinkError) -> BatadvError {
    match error {
        GenetlinkError::NetlinkError(error) => match error.raw_os_error() {
            Some(libc::ENOENT) => BatadvError::FamilyMissing,
            Some(errno) => BatadvError::from_errno(command, errno, None),
            None => BatadvError::Kernel { command, source: error },
        },
        GenetlinkError::ProtocolError(_) | GenetlinkError::NoMessageReceived => BatadvError::Disconnected,
        GenetlinkError::DecodeError(_) | GenetlinkError::AttributeNotFound(_) => BatadvError::NoAnswer(command),
    }
}
