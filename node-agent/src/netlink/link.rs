//! Links: which interfaces there are, which are members of which, and how to make, change and remove them (rtnetlink;
//! reading needs no privilege).
//!
//! Invariant: a list the kernel calls inconsistent is asked for again, so a link is not missed because another went.

mod ask;
mod change;
mod events;

use std::collections::BTreeSet;
use std::future::Future;
use std::io;
use std::net::IpAddr;

use mesh_proto::model::MacAddr;
use netlink_packet_core::{NLM_F_DUMP, NLM_F_REQUEST};
use netlink_packet_route::address::{AddressAttribute, AddressMessage};
use netlink_packet_route::link::{
    InfoData, InfoKind, InfoVlan, LinkAttribute, LinkExtentMask, LinkFlags, LinkInfo, LinkLayerType, LinkMessage,
    VlanProtocol,
};
use netlink_packet_route::{AddressFamily, RouteNetlinkMessage};
use netlink_proto::sys::AsyncSocket as _;

use super::extack;

use ask::Answer;
pub use change::LinkChange;
pub use events::{LinkEvent, LinkEvents};

/// One interface.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Link {
    /// Index; not used twice by a network namespace before the numbers run out.
    pub ifindex: u32,
    /// Name, which can change.
    pub ifname: String,
    /// Hardware address, if it has one of six bytes.
    pub address: Option<MacAddr>,
    /// The address it was made with; kernels tell it since 5.6, and of devices that have one of their own.
    pub permanent: Option<MacAddr>,
    /// Bytes.
    pub mtu: Option<u32>,
    /// Index of the interface it is a member of.
    pub master: Option<u32>,
    /// What made it, such as `batadv`, `bridge`, `veth`; none for physical devices.
    pub kind: Option<String>,
    /// Set up by the administrator.
    pub up: bool,
    /// It carries Ethernet frames to somewhere else than itself.
    pub ethernet: bool,
    /// Index of the interface it is on top of, in the same network namespace.
    pub parent: Option<u32>,
    /// Its tag of 802.1Q, if it is a VLAN.
    pub vlan: Option<u16>,
}

/// Why the kernel did not answer about links, or did not do as told.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LinkError {
    /// It refused.
    #[error("the kernel refused: {source}")]
    Kernel {
        /// Number of the error.
        errno: i32,
        /// In the kernel's words.
        source: io::Error,
    },
    /// The list changed each time it was sent, so something may be missing in it.
    #[error("the interfaces change faster than they can be listed: ask again")]
    Unsteady,
    /// The connection's task has ended.
    #[error("the netlink connection is gone: open a new one")]
    Disconnected,
}

/// Asks for links, and changes them, over one connection. Cheap to clone.
#[derive(Debug, Clone)]
pub struct LinkHandle {
    route: rtnetlink::Handle,
}

/// Opens a socket in the network namespace of this thread. The first part is the connection's task: spawn it; it ends
/// with the last handle. Needs a tokio runtime with I/O.
pub fn new_connection() -> io::Result<(impl Future<Output = ()> + Send, LinkHandle)> {
    let (mut connection, route, _unsolicited) = rtnetlink::new_connection()?;
    // Without these the end of an answer and the end of the connection look alike.
    connection.set_forward_done(true);
    connection.set_forward_ack(true);
    extack::enable(connection.socket_mut().socket_ref())?;
    Ok((connection, LinkHandle { route }))
}

impl LinkHandle {
    /// Every link. While interfaces come and go all the time the kernel may leave out one that exists: ask
    /// [`LinkHandle::by_name`] before believing that it does not.
    pub async fn list(&self) -> Result<Vec<Link>, LinkError> {
        Ok(links(self.dump_links().await?))
    }

    /// Every link: what is not in it does not exist.
    ///
    /// # Errors
    /// [`LinkError::Unsteady`] too, where [`LinkHandle::list`] tells what it has.
    pub async fn whole_list(&self) -> Result<Vec<Link>, LinkError> {
        Ok(links(self.dump_links().await?.whole()?))
    }

    async fn dump_links(&self) -> Result<Answer, LinkError> {
        let mut message = LinkMessage::default();
        message.header.interface_family = AddressFamily::Unspec;
        message.attributes = vec![LinkAttribute::ExtMask(vec![LinkExtentMask::SkipStats])];
        self.dump(&RouteNetlinkMessage::GetLink(message)).await
    }

    /// The link of that name, if there is one.
    pub async fn by_name(&self, ifname: &str) -> Result<Option<Link>, LinkError> {
        let mut message = LinkMessage::default();
        message.attributes = vec![LinkAttribute::IfName(ifname.to_owned())];
        match self.ask(RouteNetlinkMessage::GetLink(message), NLM_F_REQUEST).await {
            Ok(answer) => Ok(answer.messages.into_iter().find_map(Link::from_answer)),
            Err(LinkError::Kernel {
                errno: libc::ENODEV, ..
            }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Indices of the interfaces that carry IP addresses, those aside that the kernel gives itself (link-local IPv6).
    pub async fn with_addresses(&self) -> Result<BTreeSet<u32>, LinkError> {
        let request = RouteNetlinkMessage::GetAddress(AddressMessage::default());
        let answer = self.dump(&request).await?;
        Ok(answer.messages.into_iter().filter_map(carrier).collect())
    }

    async fn dump(&self, request: &RouteNetlinkMessage) -> Result<Answer, LinkError> {
        let mut tries = 0;
        loop {
            let answer = self.ask(request.clone(), NLM_F_REQUEST | NLM_F_DUMP).await?;
            tries += 1;
            if !answer.interrupted || tries > ask::RETRIES {
                return Ok(answer);
            }
        }
    }
}

fn links(answer: Answer) -> Vec<Link> {
    answer.messages.into_iter().filter_map(Link::from_answer).collect()
}

impl Link {
    /// `None`: it has no name, so it is no interface.
    fn from_message(message: LinkMessage) -> Option<Self> {
        let mut ifname = None;
        let mut elsewhere = false;
        let mut link = Self {
            ifindex: message.header.index,
            up: message.header.flags.contains(LinkFlags::Up),
            ethernet: message.header.link_layer_type == LinkLayerType::Ether
                && !message.header.flags.contains(LinkFlags::Loopback),
            ..Self::default()
        };
        for attribute in message.attributes {
            match attribute {
                LinkAttribute::IfName(name) => ifname = Some(name),
                LinkAttribute::Address(bytes) => link.address = MacAddr::from_slice(&bytes),
                LinkAttribute::PermAddress(bytes) => link.permanent = MacAddr::from_slice(&bytes),
                LinkAttribute::Mtu(mtu) => link.mtu = Some(mtu),
                LinkAttribute::Controller(master) => link.master = Some(master),
                LinkAttribute::Link(parent) => link.parent = Some(parent),
                LinkAttribute::LinkNetNsId(_) => elsewhere = true,
                LinkAttribute::LinkInfo(infos) => link.made_as(infos),
                _ => {}
            }
        }
        if elsewhere {
            link.parent = None;
        }
        link.ifname = ifname?;
        Some(link)
    }

    fn from_answer(message: RouteNetlinkMessage) -> Option<Self> {
        match message {
            RouteNetlinkMessage::NewLink(link) => Self::from_message(link),
            _ => None,
        }
    }

    fn made_as(&mut self, infos: Vec<LinkInfo>) {
        for info in infos {
            match info {
                LinkInfo::Kind(InfoKind::Other(kind)) => self.kind = Some(kind),
                LinkInfo::Kind(kind) => self.kind = Some(kind.to_string()),
                LinkInfo::Data(InfoData::Vlan(data)) => self.vlan = tag(&data),
                _ => {}
            }
        }
    }

    /// A mesh interface.
    pub fn is_batadv(&self) -> bool {
        self.kind.as_deref() == Some("batadv")
    }
}

/// Of 802.1Q alone; batman-adv knows no other tags.
fn tag(data: &[InfoVlan]) -> Option<u16> {
    let other = |info: &InfoVlan| matches!(info, InfoVlan::Protocol(protocol) if *protocol != VlanProtocol::Ieee8021Q);
    if data.iter().any(other) {
        return None;
    }
    data.iter().find_map(|info| match info {
        InfoVlan::Id(vid) => Some(*vid),
        _ => None,
    })
}

/// The interface an address is on.
fn carrier(message: RouteNetlinkMessage) -> Option<u32> {
    let RouteNetlinkMessage::NewAddress(message) = message else {
        return None;
    };
    let own = message.attributes.iter().any(|attribute| {
        matches!(attribute, AddressAttribute::Address(IpAddr::V6(address)) if address.is_unicast_link_local())
    });
    (!own).then_some(message.header.index)
}

#[cfg(test)]
mod tests;
