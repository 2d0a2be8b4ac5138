//! How wireless interfaces can refuse.

use std::io;

use wl_nl80211::Nl80211Command;

use crate::netlink::extack;

/// Why a radio could not be read, joined or made leave.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RadioError {
    /// No family `nl80211`.
    #[error("the kernel has no wireless interfaces: load the driver of the radio")]
    NoWireless,
    /// No such interface, or it is not wireless.
    #[error("there is no such wireless interface")]
    NoSuchInterface,
    /// `EPERM`.
    #[error("{0:?} refused: it needs CAP_NET_ADMIN")]
    Denied(Nl80211Command),
    /// `EOPNOTSUPP`.
    #[error("{0:?}: this driver cannot do it")]
    Unsupported(Nl80211Command),
    /// `EBUSY`: the radio is held by others.
    #[error("{0:?}: the radio is busy: another interface on it keeps it on another channel, or it cannot be both")]
    Busy(Nl80211Command),
    /// `ERFKILL`.
    #[error("the radio is switched off (rfkill): switch it on")]
    SwitchedOff,
    /// Not a channel, or not one here.
    #[error("no channel of width {width} at {frequency_mhz} MHz: choose one that `iw phy` lists as allowed")]
    NoSuchChannel {
        /// As asked for.
        frequency_mhz: u32,
        /// As asked for.
        width: &'static str,
    },
    /// A network's name is too short or too long.
    #[error("the name of a wireless network has 1 to 32 bytes, this one has {0}")]
    Name(usize),
    /// Joined, but `mesh_fwding` cannot be switched off.
    #[error("the driver keeps forwarding by itself (mesh_fwding), which batman-adv does: use another driver or ad-hoc")]
    Forwards,
    /// Anything else the kernel says.
    #[error("{what} failed in the kernel: {source}")]
    Kernel {
        /// What was asked.
        what: String,
        /// Its number.
        errno: i32,
        /// What the kernel said.
        source: io::Error,
    },
    /// The interfaces changed while they were listed, again and again.
    #[error("the wireless interfaces change all the time; ask again")]
    Unsteady,
    /// The connection's task has ended.
    #[error("the netlink connection is gone: open a new one")]
    Disconnected,
}

impl RadioError {
    pub(super) fn from_errno(command: Nl80211Command, errno: i32, text: Option<&str>) -> Self {
        match errno.abs() {
            libc::EPERM | libc::EACCES => Self::Denied(command),
            libc::ENODEV => Self::NoSuchInterface,
            libc::EOPNOTSUPP => Self::Unsupported(command),
            libc::EBUSY => Self::Busy(command),
            libc::ERFKILL => Self::SwitchedOff,
            errno => Self::Kernel {
                what: format!("{command:?}"),
                errno,
                source: extack::source(errno, text),
            },
        }
    }

    /// Of links: set up, set down, looked at.
    pub(super) fn from_link(error: rtnetlink::Error) -> Self {
        match error {
            rtnetlink::Error::NetlinkError(error) => match error.raw_code().abs() {
                libc::ENODEV => Self::NoSuchInterface,
                libc::ERFKILL => Self::SwitchedOff,
                libc::EBUSY => Self::Busy(Nl80211Command::SetInterface),
                libc::EPERM => Self::Denied(Nl80211Command::SetInterface),
                errno => Self::Kernel {
                    errno,
                    what: "setting the interface up or down".to_owned(),
                    source: error.to_io(),
                },
            },
            _ => Self::Disconnected,
        }
    }

    /// The kernel says this, and nothing more is known of it.
    pub(super) fn is(&self, number: i32) -> bool {
        matches!(self, Self::Kernel { errno, .. } if *errno == number)
    }
}
