//! How a question to the family can fail.

use super::BatadvCommand;
use crate::netlink::extack;

/// Why the kernel gave no answer.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BatadvError {
    /// The family is not registered.
    #[error("the kernel has no generic-netlink family batadv: load the module batman_adv")]
    FamilyMissing,
    /// `EPERM`.
    #[error("{0:?} refused: it needs CAP_NET_ADMIN, before Linux 5.17 that of the initial user namespace")]
    Denied(BatadvCommand),
    /// `ENODEV`: the index is no mesh interface's.
    #[error("{0:?}: no such mesh interface")]
    NoSuchInterface(BatadvCommand),
    /// `ENOENT`: the mesh interface has no active member, so its tables cannot be asked for.
    #[error("{0:?}: the mesh interface has no active member; add one and bring it up")]
    NoActiveMember(BatadvCommand),
    /// `ENOENT`: no interface with that tag is on top of the mesh interface.
    #[error("{0:?}: no such VLAN on the mesh interface")]
    NoSuchVlan(BatadvCommand),
    /// `EOPNOTSUPP`: not compiled in.
    #[error("{0:?}: not compiled into this kernel's batman-adv")]
    Unsupported(BatadvCommand),
    /// Any other error of the kernel.
    #[error("{command:?} failed in the kernel: {source}")]
    Kernel {
        /// What was asked.
        command: BatadvCommand,
        /// What the kernel said.
        source: std::io::Error,
    },
    /// The answer lacks what makes it one.
    #[error("{0:?}: the kernel's answer was empty or not understood")]
    NoAnswer(BatadvCommand),
    /// The connection's task has ended.
    #[error("the netlink connection is gone: open a new one")]
    Disconnected,
}

impl BatadvError {
    pub(super) fn from_errno(command: BatadvCommand, error: i32, text: Option<&str>) -> Self {
        match error.abs() {
            libc::EPERM | libc::EACCES => Self::Denied(command),
            libc::ENODEV => Self::NoSuchInterface(command),
            libc::ENOENT if matches!(command, BatadvCommand::GetVlan | BatadvCommand::SetVlan) => {
                Self::NoSuchVlan(command)
            }
            libc::ENOENT => Self::NoActiveMember(command),
            libc::EOPNOTSUPP => Self::Unsupported(command),
            errno => Self::Kernel {
                command,
                source: extack::source(errno, text),
            },
        }
    }
}
