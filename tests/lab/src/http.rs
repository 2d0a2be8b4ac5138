//! A GET over plain HTTP to loopback: enough for `/metrics`, `/readyz` and Prometheus's own API.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use anyhow::{Context as _, Result};

/// A page that takes longer is given up; the next look tries again.
const LIMIT: Duration = Duration::from_secs(20);
/// The largest page taken.
const MAX_BYTES: u64 = 64 << 20;

/// A page as the server gave it.
#[derive(Debug, Clone)]
pub struct Page {
    /// The status code.
    pub status: u16,
    /// The body.
    pub body: String,
}

/// Gets `http://ADDRESS/PATH`.
///
/// # Errors
/// If the server cannot be reached, is too slow, or does not speak HTTP.
pub fn get(address: SocketAddr, path: &str) -> Result<Page> {
    let mut stream = TcpStream::connect_timeout(&address, LIMIT).with_context(|| format!("cannot reach {address}"))?;
    stream.set_read_timeout(Some(LIMIT))?;
    stream.set_write_timeout(Some(LIMIT))?;
    // 1.0: the body ends with the connection and comes in one piece.
    write!(stream, "GET {path} HTTP/1.0\r\nHost: {address}\r\nAccept: */*\r\n\r\n")?;
    let mut bytes = Vec::new();
    stream
        .take(MAX_BYTES)
        .read_to_end(&mut bytes)
        .with_context(|| format!("no answer from {address}{path}"))?;
    let text = String::from_utf8_lossy(&bytes);
    let (head, body) = text.split_once("\r\n\r\n").context("the answer is not HTTP")?;
    let status = head
        .split_whitespace()
        .nth(1)
        .and_then(|code| code.parse().ok())
        .context("the answer has no status")?;
    Ok(Page {
        status,
        body: body.to_owned(),
    })
}
