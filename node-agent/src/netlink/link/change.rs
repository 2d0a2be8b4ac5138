//! Links made, changed and removed; each needs CAP_NET_ADMIN and is acknowledged.

use mesh_proto::model::MacAddr;
use netlink_packet_core::{NLM_F_ACK, NLM_F_CREATE, NLM_F_EXCL, NLM_F_REQUEST};
use netlink_packet_route::RouteNetlinkMessage;
use netlink_packet_route::link::{LinkAttribute, LinkFlags, LinkMessage};
use rtnetlink::LinkBatAdv;

use super::{LinkError, LinkHandle};

/// What is to be changed of a link.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LinkChange {
    /// Set up or down.
    Up(bool),
    /// Bytes.
    Mtu(u32),
    /// Hardware address.
    Address(MacAddr),
    /// Index of the interface it becomes a member of; it leaves the one it is a member of. `None`: of none.
    Master(Option<u32>),
}

impl LinkHandle {
    /// Makes a mesh interface, which loads the module. Kernels before 5.11 do not read the algorithm, and do not say
    /// so: look at what came out.
    pub async fn create_mesh(&self, ifname: &str, algorithm: Option<&str>) -> Result<(), LinkError> {
        let flags = NLM_F_REQUEST | NLM_F_ACK | NLM_F_CREATE | NLM_F_EXCL;
        let request = RouteNetlinkMessage::NewLink(mesh(ifname, algorithm));
        self.ask(request, flags).await.map(drop)
    }

    /// Removes a link; its members become free.
    pub async fn delete(&self, ifindex: u32) -> Result<(), LinkError> {
        let mut message = LinkMessage::default();
        message.header.index = ifindex;
        self.ask(RouteNetlinkMessage::DelLink(message), NLM_F_REQUEST | NLM_F_ACK)
            .await
            .map(drop)
    }

    /// Changes a link.
    pub async fn change(&self, ifindex: u32, change: LinkChange) -> Result<(), LinkError> {
        let request = RouteNetlinkMessage::SetLink(message(ifindex, change));
        self.ask(request, NLM_F_REQUEST | NLM_F_ACK).await.map(drop)
    }
}

fn mesh(ifname: &str, algorithm: Option<&str>) -> LinkMessage {
    let link = LinkBatAdv::new(ifname);
    match algorithm {
        Some(name) => link.algo_name(name.to_owned()).build(),
        None => link.build(),
    }
}

fn message(ifindex: u32, change: LinkChange) -> LinkMessage {
    let mut message = LinkMessage::default();
    message.header.index = ifindex;
    match change {
        LinkChange::Up(up) => {
            message.header.change_mask = LinkFlags::Up;
            message.header.flags = if up { LinkFlags::Up } else { LinkFlags::empty() };
        }
        LinkChange::Mtu(mtu) => message.attributes.push(LinkAttribute::Mtu(mtu)),
        LinkChange::Address(address) => message.attributes.push(LinkAttribute::Address(address.0.to_vec())),
        LinkChange::Master(master) => message.attributes.push(LinkAttribute::Controller(master.unwrap_or(0))),
    }
    message
}

#[cfg(test)]
mod tests;
