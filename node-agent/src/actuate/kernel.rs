//! The kernel as the actuator sees it: it can be read, and a knob can be set.

use std::future::Future;

use super::{Knob, Observed, Value};

/// Reads and writes. What is written is not believed before it was read back.
pub trait Kernel {
    /// Everything, at one instant.
    ///
    /// # Errors
    /// [`ReadError`]; nothing is known then.
    fn read(&mut self) -> impl Future<Output = Result<Observed, ReadError>> + Send;

    /// Sets one knob. `None` takes away what can be taken away; see [`super::Goal`]. `now` is what was read last.
    ///
    /// # Errors
    /// [`WriteError`]; the knob may have any value then.
    fn write(
        &mut self,
        knob: &Knob,
        value: Option<&Value>,
        now: &Observed,
    ) -> impl Future<Output = Result<(), WriteError>> + Send;
}

/// Why nothing is known of the kernel.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ReadError {
    /// No socket, or it failed; the next read opens another.
    #[error("no socket to the kernel: {0}")]
    Socket(String),
    /// No answer in time.
    #[error("the kernel did not answer within {0} s")]
    TimedOut(u64),
    /// It says no.
    #[error("the kernel refused to be read: {0}")]
    Refused(String),
}

/// Why a knob could not be set.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum WriteError {
    /// The interface went away meanwhile.
    #[error("the interface is gone")]
    Gone,
    /// No privilege.
    #[error("CAP_NET_ADMIN is missing")]
    Denied,
    /// This kernel or driver cannot do it.
    #[error("this kernel or driver cannot do it: {0}")]
    Unsupported(String),
    /// No answer in time.
    #[error("the kernel did not answer within {0} s")]
    TimedOut(u64),
    /// Anything else, in the kernel's words.
    #[error("the kernel refused: {0}")]
    Refused(String),
}
