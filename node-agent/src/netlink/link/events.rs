//! Links that come, go and change.

use std::io;

use netlink_packet_core::{NetlinkBuffer, NlasIterator};
use netlink_sys::protocols::NETLINK_ROUTE;

use crate::netlink::listen::{Heard, Listener};

/// `RTNLGRP_LINK`.
const GROUP: u32 = 1;
/// `RTM_NEWLINK`, `RTM_DELLINK`.
const NEW_LINK: u16 = 16;
const DEL_LINK: u16 = 17;
/// Length of `struct ifinfomsg`, and where its index is.
const HEADER: usize = 16;
const INDEX: std::ops::Range<usize> = 4..8;
/// `IFLA_WIRELESS`: what the driver tells of a scan or an association, beside the link itself.
const WIRELESS: u16 = 11;

/// Something became of a link.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum LinkEvent {
    /// It is new, or something of it changed.
    Changed {
        /// Its index.
        ifindex: u32,
    },
    /// It is gone.
    Gone {
        /// The index it had.
        ifindex: u32,
    },
    /// Events were lost: read everything again.
    Lost,
}

/// Hears the events of the network namespace it was opened in.
#[derive(Debug)]
pub struct LinkEvents {
    listener: Listener,
}

impl LinkEvents {
    /// What happens after this returns is heard. Needs no privilege, but a tokio runtime with I/O.
    pub fn open() -> io::Result<Self> {
        let listener = Listener::open(NETLINK_ROUTE)?;
        listener.join(GROUP)?;
        Ok(Self { listener })
    }

    /// The next event. Cancel-safe. After an error the socket is of no more use: open another.
    pub async fn next(&mut self) -> io::Result<LinkEvent> {
        loop {
            let event = match self.listener.next().await? {
                Heard::Lost => Some(LinkEvent::Lost),
                Heard::Messages(bytes) => read(bytes),
            };
            if let Some(event) = event {
                return Ok(event);
            }
        }
    }
}

/// The kernel announces one link per datagram.
fn read(bytes: &[u8]) -> Option<LinkEvent> {
    let message = NetlinkBuffer::new_checked(bytes).ok()?;
    let payload = message.payload();
    let ifindex = u32::from_ne_bytes(payload.get(INDEX)?.try_into().ok()?);
    match message.message_type() {
        DEL_LINK => Some(LinkEvent::Gone { ifindex }),
        NEW_LINK if !of_the_driver(payload) => Some(LinkEvent::Changed { ifindex }),
        _ => None,
    }
}

fn of_the_driver(payload: &[u8]) -> bool {
    NlasIterator::new(payload.get(HEADER..).unwrap_or_default())
        .map_while(Result::ok)
        .any(|attribute| attribute.kind() == WIRELESS)
}

#[cfg(test)]
mod tests;
