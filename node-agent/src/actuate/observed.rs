//! What must be known of the machine to plan, and cannot be set.

use std::collections::{BTreeMap, BTreeSet};

use mesh_proto::model::{IfName, MacAddr};

/// What can only be seen.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Facts {
    /// Every interface there is, mesh interfaces among them.
    pub interfaces: BTreeMap<IfName, InterfaceFact>,
    /// The mesh interfaces among them that could be read.
    pub meshes: BTreeMap<IfName, MeshFact>,
    /// Those that could not, and why. They have no knobs and exist all the same: nothing is planned for them.
    pub unread: BTreeMap<IfName, String>,
    /// Routing algorithms of the module; `None`: it is not loaded, so nothing is known.
    pub algorithms: Option<BTreeSet<String>>,
    /// Mesh interfaces that a network manager's files say it makes, whether they are there or not.
    pub claimed: BTreeMap<IfName, Owner>,
}

/// An interface.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct InterfaceFact {
    /// Its index.
    pub ifindex: u32,
    /// What made it, such as `batadv`, `bridge`, `veth`; none for physical devices.
    pub kind: Option<String>,
    /// Its address as it is now.
    pub address: Option<MacAddr>,
    /// The address it was made with, if the kernel tells: who has it is known by it whatever address it has now.
    pub permanent: Option<MacAddr>,
    /// The interface it is a member of, whatever kind that is.
    pub master: Option<IfName>,
    /// Wireless, and what for; `None`: not wireless, or nobody could be asked.
    pub radio: Option<RadioUse>,
    /// A network manager's own.
    pub owner: Option<Owner>,
}

/// A mesh interface.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct MeshFact {
    /// VLANs on top of it.
    pub vlans: BTreeSet<u16>,
    /// It carries IP addresses, which are lost if it is made anew.
    pub has_addresses: bool,
}

/// What a wireless interface is used for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RadioUse {
    /// Nobody uses it: it may be joined to a network.
    Free,
    /// In a network of 802.11s or ad-hoc; which one is [`super::Setting::Radio`].
    Joined,
    /// Free or joined, but another interface on the same radio keeps it on a frequency: it may be joined there, and in
    /// another band where the radio can be in two.
    Shared {
        /// That interface, in words: `the access point wlan0-ap on the same radio`.
        with: String,
        /// Where it is.
        frequency_mhz: u32,
    },
    /// Another program's, in its words: `wpa_supplicant`, `an access point`, `a station`.
    Taken(String),
}

/// A network manager that owns an interface, and how we know: the file that says so.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Owner {
    /// `systemd-networkd` or `netifd`.
    pub manager: &'static str,
    /// Where it is written.
    pub file: std::path::PathBuf,
}
