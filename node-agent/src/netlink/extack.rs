//! Why the kernel refuses, in its own words (`NETLINK_EXT_ACK`).

use std::io;

use netlink_packet_core::{ErrorMessage, NlasIterator};
use netlink_sys::Socket;

/// `struct nlmsghdr` of the request, which the answer begins with.
const REQUEST_HEADER: usize = 16;
/// `NLMSGERR_ATTR_MSG`.
const MESSAGE: u16 = 1;

/// Has the socket's answers carry the kernel's words, and no more of the request than its header.
pub(super) fn enable(socket: &Socket) -> io::Result<()> {
    socket.set_cap_ack(true)?;
    socket.set_ext_ack(true)
}

/// What the kernel says, if it says anything. Only for sockets this was enabled for.
pub(super) fn text(error: &ErrorMessage) -> Option<String> {
    NlasIterator::new(error.header.get(REQUEST_HEADER..)?)
        .map_while(Result::ok)
        .find(|attribute| attribute.kind() == MESSAGE)
        .map(|attribute| {
            let text = attribute.value().split(|&byte| byte == 0).next().unwrap_or_default();
            String::from_utf8_lossy(text).into_owned()
        })
        .filter(|text| !text.is_empty())
}

/// An error number, and what the kernel says besides.
pub(super) fn source(errno: i32, text: Option<&str>) -> io::Error {
    let plain = io::Error::from_raw_os_error(errno.abs());
    match text {
        None => plain,
        Some(text) => io::Error::new(plain.kind(), format!("{text} ({plain})")),
    }
}

#[cfg(test)]
mod tests;
