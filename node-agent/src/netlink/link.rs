//! Links: which interfaces there are, and which are members of which (rtnetlink; no privilege needed).

use std::future::Future;
use std::io;

use futures_util::StreamExt;
use mesh_proto::model::MacAddr;
use netlink_packet_route::AddressFamily;
use netlink_packet_route::link::{InfoKind, LinkAttribute, LinkExtentMask, LinkFlags, LinkInfo, LinkMessage};

/// One interface.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Link {
    /// Index; not used twice by a network namespace before the numbers run out.
    pub ifindex: u32,
    /// Name, which can change.
    pub ifname: String,
    /// Hardware address, if it has one of six bytes.
    pub address: Option<MacAddr>,
    /// Bytes.
    pub mtu: Option<u32>,
    /// Index of the interface it is a member of.
    pub master: Option<u32>,
    /// What made it, such as `batadv`, `bridge`, `veth`; none for physical devices.
    pub kind: Option<String>,
    /// Set up by the administrator.
    pub up: bool,
}

/// Why links could not be listed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LinkError {
    /// The kernel refused.
    #[error("asking for links failed in the kernel")]
    Kernel(#[source] io::Error),
    /// The connection's task has ended.
    #[error("the netlink connection is gone: open a new one")]
    Disconnected,
}

/// Asks for links over one connection. Cheap to clone.
#[derive(Debug, Clone)]
pub struct LinkHandle {
    route: rtnetlink::Handle,
}

/// Opens a socket in the network namespace of this thread. The first part is the connection's task: spawn it; it ends
/// with the last handle. Needs a tokio runtime with I/O.
pub fn new_connection() -> io::Result<(impl Future<Output = ()> + Send, LinkHandle)> {
    let (connection, route, _unsolicited) = rtnetlink::new_connection()?;
    Ok((connection, LinkHandle { route }))
}

impl LinkHandle {
    /// Every link. While interfaces come and go the kernel may leave out one that exists: ask [`LinkHandle::by_name`]
    /// before believing that it does not.
    pub async fn list(&self) -> Result<Vec<Link>, LinkError> {
        let request = self
            .route
            .link()
            .get()
            .set_filter_mask(AddressFamily::Unspec, vec![LinkExtentMask::SkipStats]);
        let mut replies = std::pin::pin!(request.execute());
        let mut links = Vec::new();
        while let Some(reply) = replies.next().await {
            links.extend(Link::from_message(reply.map_err(LinkError::new)?));
        }
        Ok(links)
    }

    /// The link of that name, if there is one.
    pub async fn by_name(&self, ifname: &str) -> Result<Option<Link>, LinkError> {
        let request = self.route.link().get().match_name(ifname.to_owned());
        let mut replies = std::pin::pin!(request.execute());
        match replies.next().await {
            Some(Ok(message)) => Ok(Link::from_message(message)),
            // The kernel answers each such question, if only with an error.
            None => Err(LinkError::Disconnected),
            Some(Err(rtnetlink::Error::NetlinkError(error))) if error.raw_code() == -libc::ENODEV => Ok(None),
            Some(Err(error)) => Err(LinkError::new(error)),
        }
    }
}

impl LinkError {
    fn new(error: rtnetlink::Error) -> Self {
        match error {
            rtnetlink::Error::NetlinkError(error) => Self::Kernel(error.to_io()),
            _ => Self::Disconnected,
        }
    }
}

impl Link {
    /// `None`: it has no name, so it is no interface.
    fn from_message(message: LinkMessage) -> Option<Self> {
        let mut ifname = None;
        let mut link = Self {
            ifindex: message.header.index,
            ifname: String::new(),
            address: None,
            mtu: None,
            master: None,
            kind: None,
            up: message.header.flags.contains(LinkFlags::Up),
        };
        for attribute in message.attributes {
            match attribute {
                LinkAttribute::IfName(name) => ifname = Some(name),
                LinkAttribute::Address(bytes) => link.address = MacAddr::from_slice(&bytes),
                LinkAttribute::Mtu(mtu) => link.mtu = Some(mtu),
                LinkAttribute::Controller(master) => link.master = Some(master),
                LinkAttribute::LinkInfo(infos) => link.kind = infos.into_iter().find_map(kind),
                _ => {}
            }
        }
        link.ifname = ifname?;
        Some(link)
    }

    /// A mesh interface.
    pub fn is_batadv(&self) -> bool {
        self.kind.as_deref() == Some("batadv")
    }
}

fn kind(info: LinkInfo) -> Option<String> {
    match info {
        LinkInfo::Kind(InfoKind::Other(kind)) => Some(kind),
        LinkInfo::Kind(kind) => Some(kind.to_string()),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
