//! Wireless interfaces: which there are, and joining them to a network of 802.11s or ad-hoc (family `nl80211`).
//!
//! The messages are those of the crate `wl-nl80211`; of an answer only the attributes named in `message` are decoded.
//! Unencrypted networks only: keys of a mesh are wpa_supplicant's work.
//!
//! The kernel (5.10 to 6.12 at least) tells an ad-hoc network's name, but never a mesh's: see `memory` for how it is
//! known all the same.
//!
//! Invariants: nothing from the kernel panics; asking loads no module, and a machine without `nl80211` has no wireless
//! interfaces; [`RadioHandle::join`] and [`RadioHandle::leave`] touch nothing but the interface they are told.

use wl_nl80211::Nl80211InterfaceType;

use crate::actuate::Radio;

mod channel;
mod error;
mod handle;
mod interface;
mod join;
mod memory;
mod message;

pub use channel::Channel;
pub use error::RadioError;
pub use handle::{RadioHandle, new_connection};

/// What a wireless interface is: a station, an access point, a mesh point.
pub type InterfaceType = Nl80211InterfaceType;

/// One wireless interface.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WirelessInterface {
    /// Index, as of any interface.
    pub ifindex: u32,
    /// Name, which can change.
    pub ifname: String,
    /// The radio it is on; several interfaces may share one.
    pub wiphy: u32,
    /// What it is.
    pub iftype: InterfaceType,
    /// Where it is now; none: nowhere.
    pub channel: Option<Channel>,
    /// Name of the network it is in, where the kernel tells it: of stations, access points and ad-hoc networks.
    pub ssid: Option<Vec<u8>>,
    /// In a network of 802.11s or ad-hoc.
    pub joined: bool,
    /// Which one, exactly as it was joined. `None` while `joined`: its name is not known or no text, or its channel is
    /// wider than we can write.
    pub network: Option<Radio>,
    /// In a mesh whether it forwards by itself, which it should not under batman-adv; `None`: not in one, or not told.
    pub forwarding: Option<bool>,
}

#[cfg(test)]
mod tests;
