//! Carries TCP connections from the lab's own namespace to the collector's.
//!
//! One listener per port; a connection costs two threads, and there are never more than 64 per
//! listener: further ones are closed at once. Connections are cut on drop.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use anyhow::{Context as _, Result};

/// Connections carried at a time.
const MAX_CONNECTIONS: usize = 64;
/// To reach the other side.
const CONNECT_LIMIT: Duration = Duration::from_secs(10);

/// A listening port whose connections go elsewhere.
#[derive(Debug)]
pub struct Forward {
    local: SocketAddr,
    shared: Arc<Shared>,
    acceptor: Option<JoinHandle<()>>,
}

#[derive(Debug, Default)]
struct Shared {
    stop: AtomicBool,
    open: Mutex<Vec<Arc<TcpStream>>>,
}

impl Forward {
    /// Listens on `listen` (port 0: any free one) and carries each connection to `target`.
    ///
    /// # Errors
    /// If the port is taken.
    pub fn start(listen: SocketAddr, target: SocketAddr) -> Result<Self> {
        let listener = TcpListener::bind(listen).with_context(|| format!("cannot listen on {listen}"))?;
        let local = listener.local_addr()?;
        let shared = Arc::new(Shared::default());
        let acceptor = std::thread::spawn({
            let shared = Arc::clone(&shared);
            move || shared.accept(&listener, target)
        });
        Ok(Self {
            local,
            shared,
            acceptor: Some(acceptor),
        })
    }

    /// The port listened on.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.local.port()
    }
}

impl Drop for Forward {
    fn drop(&mut self) {
        self.shared.stop.store(true, Ordering::SeqCst);
        for stream in self.shared.open().drain(..) {
            // Already closed by its peer is as good.
            let _closed = stream.shutdown(Shutdown::Both);
        }
        // Wakes the acceptor, which then sees the flag.
        let woken = TcpStream::connect_timeout(&wake_address(self.local), CONNECT_LIMIT);
        if let (Ok(_), Some(acceptor)) = (woken, self.acceptor.take()) {
            // A panic there ends with it.
            let _panicked = acceptor.join();
        }
    }
}

/// Where a listener on this address is reached from the machine itself.
fn wake_address(mut local: SocketAddr) -> SocketAddr {
    if local.ip().is_unspecified() {
        local.set_ip(std::net::Ipv4Addr::LOCALHOST.into());
    }
    local
}

impl Shared {
    fn open(&self) -> std::sync::MutexGuard<'_, Vec<Arc<TcpStream>>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn accept(self: &Arc<Self>, listener: &TcpListener, target: SocketAddr) {
        for stream in listener.incoming() {
            if self.stop.load(Ordering::SeqCst) {
                return;
            }
            let Ok(stream) = stream else { continue };
            let mut open = self.open();
            // The list and the connection's two threads hold one each.
            open.retain(|stream| Arc::strong_count(stream) > 1);
            if open.len() >= MAX_CONNECTIONS {
                continue;
            }
            let stream = Arc::new(stream);
            open.push(Arc::clone(&stream));
            drop(open);
            std::thread::spawn(move || carry(&stream, target));
        }
    }
}

fn carry(near: &Arc<TcpStream>, target: SocketAddr) {
    if let Ok(far) = TcpStream::connect_timeout(&target, CONNECT_LIMIT) {
        let far = Arc::new(far);
        let back = std::thread::spawn({
            let (near, far) = (Arc::clone(near), Arc::clone(&far));
            move || copy(&far, &near)
        });
        copy(near, &far);
        // A panic there ends with it.
        let _panicked = back.join();
    }
    let _closed = near.shutdown(Shutdown::Both);
}

/// Copies one direction to its end and passes the end on.
fn copy(from: &TcpStream, to: &TcpStream) {
    let (mut reader, mut writer) = (from, to);
    let mut buffer = vec![0; 16 * 1024];
    loop {
        match reader.read(&mut buffer) {
            Ok(0) => {
                // The other direction may go on; a peer that is gone is as good.
                let _gone = to.shutdown(Shutdown::Write);
                return;
            }
            Ok(n) if writer.write_all(&buffer[..n]).is_ok() => {}
            _ => {
                let _gone = (from.shutdown(Shutdown::Both), to.shutdown(Shutdown::Both));
                return;
            }
        }
    }
}

#[cfg(test)]
mod tests;
