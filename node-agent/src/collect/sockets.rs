//! The sockets of one collector, opened together and dropped together.

use std::io;

use crate::netlink::batadv::{self, BatadvHandle};
use crate::netlink::ethtool::Ethtool;
use crate::netlink::link::{self, LinkHandle};

#[derive(Debug)]
pub(super) struct Sockets {
    pub(super) batadv: BatadvHandle,
    pub(super) link: LinkHandle,
    pub(super) ethtool: Ethtool,
}

impl Sockets {
    /// The connections' tasks end with the handles.
    pub(super) fn open() -> io::Result<Self> {
        let (connection, batadv) = batadv::new_connection()?;
        tokio::spawn(connection);
        let (connection, link) = link::new_connection()?;
        tokio::spawn(connection);
        Ok(Self {
            batadv,
            link,
            ethtool: Ethtool::open()?,
        })
    }
}
