//! Waiting for a ring buffer of the kernel's.
#![expect(
    unsafe_code,
    reason = "tokio asks for the promise that a file descriptor stays what it is"
)]

use std::{io, os::fd::AsRawFd};

use tokio::io::{Interest, unix::AsyncFd};

/// Registers a ring buffer's file descriptor with the runtime. Must be called within a tokio runtime that has its
/// I/O driver.
pub(super) fn watch<T: AsRawFd>(ring: T) -> io::Result<AsyncFd<T>> {
    // SAFETY: both callers hand over a ring that owns its descriptor, never exchanges it, and closes it when it is
    // dropped, which the `AsyncFd` does after deregistering it.
    Ok(unsafe { AsyncFd::register_with_interest(ring, Interest::READABLE) }?)
}
