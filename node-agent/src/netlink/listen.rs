//! Hears what the kernel announces to multicast groups.
//!
//! Memory is bounded: nothing is queued here, the kernel's own buffer is the queue. When that overflows, announcements
//! are lost and the listener says so; whoever listens reads everything again.

use std::fmt;
use std::io;

use netlink_sys::{AsyncSocket, AsyncSocketExt, TokioSocket};

/// The kernel's announcements are seldom longer than 32 KiB; one that fills the room may be cut off, and counts as lost.
const ROOM: usize = 64 * 1024;

/// A socket that is a member of groups.
pub(super) struct Listener {
    socket: TokioSocket,
    room: Vec<u8>,
}

/// What was heard.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Heard<'a> {
    /// A datagram: one message or several.
    Messages(&'a [u8]),
    /// Some were lost.
    Lost,
}

impl Listener {
    /// In the network namespace of this thread. Needs a tokio runtime with I/O.
    pub(super) fn open(protocol: isize) -> io::Result<Self> {
        let mut socket = TokioSocket::new(protocol)?;
        socket.socket_mut().bind_auto()?;
        Ok(Self {
            socket,
            room: Vec::with_capacity(ROOM),
        })
    }

    /// One more group. To join twice does no harm.
    pub(super) fn join(&self, group: u32) -> io::Result<()> {
        self.socket.socket_ref().add_membership(group)
    }

    /// Asks something through the same socket.
    pub(super) fn send(&self, request: &[u8]) -> io::Result<()> {
        self.socket.socket_ref().send(request, 0).map(drop)
    }

    /// What is there now; `None`: nothing. The kernel puts an answer there before it returns from the question.
    pub(super) fn now(&mut self) -> io::Result<Option<Heard<'_>>> {
        self.room.clear();
        match self.socket.socket_ref().recv(&mut self.room, 0).map(drop) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(None),
            received => self.heard(received).map(Some),
        }
    }

    /// The next. Cancel-safe: what is taken from the socket is returned.
    pub(super) async fn next(&mut self) -> io::Result<Heard<'_>> {
        self.room.clear();
        let received = self.socket.recv(&mut self.room).await;
        self.heard(received)
    }

    fn heard(&self, received: io::Result<()>) -> io::Result<Heard<'_>> {
        match received {
            Ok(()) if self.room.len() >= ROOM => Ok(Heard::Lost),
            Ok(()) => Ok(Heard::Messages(&self.room)),
            Err(error) if error.raw_os_error() == Some(libc::ENOBUFS) => Ok(Heard::Lost),
            Err(error) => Err(error),
        }
    }
}

impl fmt::Debug for Listener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Listener").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
