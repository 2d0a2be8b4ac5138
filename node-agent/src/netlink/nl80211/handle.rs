//! Asks the kernel.

use std::future::Future;
use std::io;
use std::path::PathBuf;

use futures_util::StreamExt;
use genetlink::{GenetlinkError, GenetlinkHandle};
use netlink_packet_core::{NLM_F_ACK, NLM_F_DUMP, NLM_F_DUMP_INTR, NLM_F_REQUEST, NetlinkMessage, NetlinkPayload};
use netlink_packet_generic::GenlMessage;
use netlink_packet_generic::ctrl::nlas::GenlCtrlAttrs;
use netlink_packet_generic::ctrl::{GenlCtrl, GenlCtrlCmd};
use netlink_packet_route::link::{LinkAttribute, LinkFlags, LinkMessage};
use netlink_proto::sys::AsyncSocket as _;
use rtnetlink::LinkUnspec;
use wl_nl80211::{Nl80211Attr, Nl80211Command};

use super::join::Join;
use super::memory::Memory;
use super::message::{self, Message};
use super::{InterfaceType, RadioError, WirelessInterface};
use crate::actuate::{Network, Radio};
use crate::netlink::extack;

/// A list that changed while it was sent is asked for so often.
const ATTEMPTS: u32 = 5;

/// Asks the kernel for wireless interfaces, and joins them to networks. Cheap to clone.
#[derive(Debug, Clone)]
pub struct RadioHandle {
    genl: GenetlinkHandle,
    route: rtnetlink::Handle,
    memory: Memory,
}

/// Opens sockets in the network namespace of this thread. The first part is the connections' task: spawn it; it ends
/// with the last handle. Needs a tokio runtime with I/O.
pub fn new_connection() -> io::Result<(impl Future<Output = ()> + Send, RadioHandle)> {
    let (mut connection, genl, _unsolicited) = genetlink::new_connection()?;
    // Without it the end of a list and the end of the connection look alike.
    connection.set_forward_done(true);
    connection.set_forward_ack(true);
    extack::enable(connection.socket_mut().socket_ref())?;
    let (links, route, _unsolicited) = rtnetlink::new_connection()?;
    let task = async {
        futures_util::future::join(connection, links).await;
    };
    let handle = RadioHandle {
        genl,
        route,
        memory: Memory::default(),
    };
    Ok((task, handle))
}

impl RadioHandle {
    /// Keeps what was joined in this folder, made when needed, so that another process knows it: the kernel does not tell
    /// a mesh's name. Without it that is known to this handle and its clones alone.
    #[must_use]
    pub fn remembering_in(self, folder: PathBuf) -> Self {
        Self {
            memory: Memory::in_folder(folder),
            ..self
        }
    }

    /// Every wireless interface of this network namespace. None where there is no wireless at all; asking loads nothing.
    pub async fn list(&self) -> Result<Vec<WirelessInterface>, RadioError> {
        let Some(family) = self.family().await? else {
            return Ok(Vec::new());
        };
        let mut interfaces = self.interfaces(family).await?;
        for interface in &mut interfaces {
            // It may have gone meanwhile; then the next look does not show it.
            if interface.iftype == InterfaceType::MeshPoint && interface.joined {
                interface.forwarding = self.forwarding(family, interface.ifindex).await.ok().flatten();
            }
            if interface.is_told_by_halves()
                && let Ok(Some(count)) = self.carrier_changes(interface.ifindex).await
                && let Some(remembered) = self.memory.recall(interface, count)
            {
                interface.complete(remembered);
            }
        }
        Ok(interfaces)
    }

    /// Joins a network, leaving the one it is in. The interface is made what the network needs, which takes setting it
    /// down, and is up afterwards; its MTU and address stay. After a failure it may be in no network.
    pub async fn join(&self, ifindex: u32, radio: &Radio) -> Result<(), RadioError> {
        let join = Join::new(ifindex, radio)?;
        let family = self.family().await?.ok_or(RadioError::NoWireless)?;
        let interface = self.interface(family, ifindex).await?;
        if interface.iftype != join.iftype {
            self.set_up(ifindex, false).await?;
            let become_it = Message {
                command: Nl80211Command::SetInterface,
                attributes: vec![Nl80211Attr::IfIndex(ifindex), Nl80211Attr::IfType(join.iftype)],
            };
            self.change(family, become_it).await?;
        } else if interface.joined {
            self.leave_as(family, ifindex, join.iftype).await?;
        }
        self.set_up(ifindex, true).await?;
        match self.change(family, join.message.clone()).await {
            // Interfaces that were told a network in another way join it when they are set up.
            Err(error) if error.is(libc::EALREADY) => {
                self.leave_as(family, ifindex, join.iftype).await?;
                self.change(family, join.message).await?;
            }
            // The kernel has one word for most that can be wrong with a channel.
            Err(error) if error.is(libc::EINVAL) || error.is(libc::ERANGE) => {
                tracing::debug!(%error, "the kernel refused a channel");
                return Err(RadioError::NoSuchChannel {
                    frequency_mhz: radio.frequency_mhz,
                    width: radio.width.name(),
                });
            }
            joined => joined?,
        }
        if matches!(radio.network, Network::Mesh(_)) && self.forwarding(family, ifindex).await? != Some(false) {
            return Err(RadioError::Forwards);
        }
        if let Some(count) = self.carrier_changes(ifindex).await? {
            self.memory.keep(&interface, count, radio);
        }
        Ok(())
    }

    /// Leaves the network it is in, if it is in one. It stays up, and what it is.
    pub async fn leave(&self, ifindex: u32) -> Result<(), RadioError> {
        let family = self.family().await?.ok_or(RadioError::NoWireless)?;
        let interface = self.interface(family, ifindex).await?;
        if interface.joined {
            self.leave_as(family, ifindex, interface.iftype).await?;
        }
        Ok(())
    }

    async fn leave_as(&self, family: u16, ifindex: u32, iftype: InterfaceType) -> Result<(), RadioError> {
        if let Some(leave) = Join::leave(ifindex, iftype) {
            match self.change(family, leave).await {
                // It left by itself.
                Err(error) if error.is(libc::ENOTCONN) || error.is(libc::ENOLINK) => {}
                left => left?,
            }
        }
        self.memory.forget(ifindex);
        Ok(())
    }

    async fn interface(&self, family: u16, ifindex: u32) -> Result<WirelessInterface, RadioError> {
        let mut interfaces = self.interfaces(family).await?.into_iter();
        interfaces
            .find(|interface| interface.ifindex == ifindex)
            .ok_or(RadioError::NoSuchInterface)
    }

    async fn interfaces(&self, family: u16) -> Result<Vec<WirelessInterface>, RadioError> {
        for _ in 0..ATTEMPTS {
            let message = Message {
                command: Nl80211Command::GetInterface,
                attributes: Vec::new(),
            };
            let answer = self.exchange(family, message, NLM_F_DUMP).await?;
            if !answer.interrupted {
                let messages = answer.messages.iter();
                return Ok(messages
                    .filter_map(|message| WirelessInterface::from_attributes(&message.attributes))
                    .collect());
            }
        }
        Err(RadioError::Unsteady)
    }

    /// Whether a mesh forwards by itself.
    async fn forwarding(&self, family: u16, ifindex: u32) -> Result<Option<bool>, RadioError> {
        let message = Message {
            command: Nl80211Command::GetMeshConfig,
            attributes: vec![Nl80211Attr::IfIndex(ifindex)],
        };
        let answer = self.exchange(family, message, 0).await?;
        let mut attributes = answer.messages.iter().flat_map(|message| &message.attributes);
        Ok(attributes.find_map(message::is_forwarding))
    }

    async fn change(&self, family: u16, message: Message) -> Result<(), RadioError> {
        self.exchange(family, message, NLM_F_ACK).await.map(drop)
    }

    /// The family's number. Looked up in the list of families: to ask for one by name makes the kernel load modules.
    async fn family(&self) -> Result<Option<u16>, RadioError> {
        let mut request = NetlinkMessage::from(GenlMessage::from_payload(GenlCtrl {
            cmd: GenlCtrlCmd::GetFamily,
            nlas: Vec::new(),
        }));
        request.header.flags = NLM_F_REQUEST | NLM_F_DUMP;
        let mut genl = self.genl.clone();
        let mut replies = genl.send_request(request).map_err(|_| RadioError::Disconnected)?;
        let mut found = None;
        let mut ended = false;
        while let Some(reply) = replies.next().await {
            match reply.map(|reply| reply.payload) {
                Ok(NetlinkPayload::InnerMessage(message)) => found = found.or_else(|| number(&message.payload.nlas)),
                Ok(NetlinkPayload::Done(_)) => ended = true,
                _ => {}
            }
        }
        if ended {
            Ok(found)
        } else {
            Err(RadioError::Disconnected)
        }
    }

    async fn exchange(&self, family: u16, message: Message, flags: u16) -> Result<Answer, RadioError> {
        let command = message.command;
        let mut message = GenlMessage::from_payload(message);
        message.set_resolved_family_id(family);
        let mut request = NetlinkMessage::from(message);
        request.header.flags = NLM_F_REQUEST | flags;
        let mut genl = self.genl.clone();
        let mut replies = genl.request(request).await.map_err(|error| match error {
            GenetlinkError::NetlinkError(error) => {
                RadioError::from_errno(command, error.raw_os_error().unwrap_or(libc::EIO), None)
            }
            _ => RadioError::Disconnected,
        })?;
        let mut answer = Answer::default();
        let mut ended = false;
        while let Some(reply) = replies.next().await {
            // One not understood is no interface of ours to tell of.
            let Ok(reply) = reply else { continue };
            answer.interrupted |= reply.header.flags & NLM_F_DUMP_INTR != 0;
            match reply.payload {
                NetlinkPayload::InnerMessage(message) => {
                    ended |= flags == 0;
                    answer.messages.push(message.payload);
                }
                NetlinkPayload::Done(done) if done.code < 0 => {
                    return Err(RadioError::from_errno(command, done.code, None));
                }
                NetlinkPayload::Done(_) => ended = true,
                NetlinkPayload::Error(error) if error.raw_code() != 0 => {
                    // The family went meanwhile, with the last driver.
                    if error.raw_code() == -libc::ENOENT {
                        return Err(RadioError::NoWireless);
                    }
                    return Err(RadioError::from_errno(
                        command,
                        error.raw_code(),
                        extack::text(&error).as_deref(),
                    ));
                }
                NetlinkPayload::Error(_) => ended = true,
                _ => {}
            }
        }
        if ended {
            Ok(answer)
        } else {
            Err(RadioError::Disconnected)
        }
    }

    async fn set_up(&self, ifindex: u32, up: bool) -> Result<(), RadioError> {
        if self.link(ifindex).await?.header.flags.contains(LinkFlags::Up) == up {
            return Ok(());
        }
        let link = LinkUnspec::new_with_index(ifindex);
        let link = if up { link.up() } else { link.down() };
        let request = self.route.link().set(link.build());
        request.execute().await.map_err(RadioError::from_link)
    }

    /// How often it gained or lost its carrier.
    async fn carrier_changes(&self, ifindex: u32) -> Result<Option<u32>, RadioError> {
        let attributes = self.link(ifindex).await?.attributes;
        Ok(attributes.into_iter().find_map(|attribute| match attribute {
            LinkAttribute::CarrierChanges(count) => Some(count),
            _ => None,
        }))
    }

    async fn link(&self, ifindex: u32) -> Result<LinkMessage, RadioError> {
        let mut replies = std::pin::pin!(self.route.link().get().match_index(ifindex).execute());
        match replies.next().await {
            Some(link) => link.map_err(RadioError::from_link),
            None => Err(RadioError::Disconnected),
        }
    }
}

/// Everything the kernel answered to one question.
#[derive(Debug, Default)]
struct Answer {
    messages: Vec<Message>,
    /// The list changed while it was sent.
    interrupted: bool,
}

fn number(family: &[GenlCtrlAttrs]) -> Option<u16> {
    let is_ours = |attribute: &GenlCtrlAttrs| matches!(attribute, GenlCtrlAttrs::FamilyName(name) if name == "nl80211");
    family.iter().any(is_ours).then_some(())?;
    family.iter().find_map(|attribute| match attribute {
        GenlCtrlAttrs::FamilyId(id) => Some(*id),
        _ => None,
    })
}
