//! Who uses a radio: what is another program's is left to it and named.
//!
//! Seen are what the kernel says an interface is (an access point, a station in a network), the control sockets of
//! wpa_supplicant and hostapd, and NetworkManager's notes in `/run`. The sockets are looked up in the kernel's list of
//! them, which everybody may read; it is that of our network namespace, where the radio's program normally is: one that
//! is in another and reaches the radio all the same is not seen. iwd keeps no file for an interface: it is seen
//! only by what it makes of one, a station in a network. An idle station that only D-Bus tells of counts as free.

use std::io;
use std::os::unix::net::UnixDatagram;
use std::path::Path;

use super::{Radio, RadioUse};
use crate::netlink::nl80211::{InterfaceType, WirelessInterface};

/// Folders of control sockets, one socket an interface, and whose they are.
const SOCKETS: [(&str, &str); 4] = [
    ("run/wpa_supplicant", "wpa_supplicant"),
    ("var/run/wpa_supplicant", "wpa_supplicant"),
    ("run/hostapd", "an access point of hostapd"),
    ("var/run/hostapd", "an access point of hostapd"),
];

/// Who uses it. `others` are the machine's wireless interfaces, itself among them or not; the files are read below
/// `root`, which is `/` but in tests.
pub fn use_of(interface: &WirelessInterface, others: &[WirelessInterface], root: &Path) -> RadioUse {
    if let Some(owner) = by_type(interface).or_else(|| by_files(interface, root)) {
        return RadioUse::Taken(owner);
    }
    match others.iter().find_map(|other| keeps(other, interface)) {
        Some((with, frequency_mhz)) => RadioUse::Shared { with, frequency_mhz },
        None if interface.joined => RadioUse::Joined,
        None => RadioUse::Free,
    }
}

/// Why an interface of that use cannot be joined to that network; `None`: nothing known speaks against it.
pub fn refusal(of: &RadioUse, wanted: &Radio) -> Option<String> {
    match of {
        RadioUse::Taken(owner) => Some(owner.clone()),
        // In two bands at once some radios can be; those that cannot say so when asked.
        RadioUse::Shared { with, frequency_mhz }
            if *frequency_mhz != wanted.frequency_mhz && band(*frequency_mhz) == band(wanted.frequency_mhz) =>
        {
            Some(format!("{with}, at {frequency_mhz} MHz"))
        }
        RadioUse::Shared { .. } | RadioUse::Free | RadioUse::Joined => None,
    }
}

/// What the kernel says it is.
fn by_type(interface: &WirelessInterface) -> Option<String> {
    let what = match interface.iftype {
        InterfaceType::Station => {
            let ssid = String::from_utf8_lossy(interface.ssid.as_deref()?).into_owned();
            return Some(format!("a station: it is in the network {ssid:?}"));
        }
        InterfaceType::Ap | InterfaceType::ApVlan => "an access point",
        InterfaceType::P2pClient | InterfaceType::P2pGo | InterfaceType::P2pDevice => "Wi-Fi Direct",
        InterfaceType::Monitor => "a packet capture: it is a monitor",
        InterfaceType::Wds => "a wireless bridge (WDS)",
        InterfaceType::Ocb | InterfaceType::Nan => "a network of another kind",
        InterfaceType::Unspecified | InterfaceType::Adhoc | InterfaceType::MeshPoint | InterfaceType::Other(_) => {
            return None;
        }
    };
    Some(what.to_owned())
}

/// What programs left in `/run`.
fn by_files(interface: &WirelessInterface, root: &Path) -> Option<String> {
    let listed = std::fs::read(root.join("proc/net/unix")).ok();
    let listed = listed.as_deref().map(String::from_utf8_lossy);
    let mut sockets = SOCKETS.into_iter();
    let socket = sockets.find(|(folder, _)| {
        let socket = Path::new(folder).join(&interface.ifname);
        match &listed {
            Some(listed) => is_listed(listed, &Path::new("/").join(socket)),
            None => is_served(&root.join(socket)),
        }
    });
    if let Some((_, owner)) = socket {
        return Some(owner.to_owned());
    }
    let notes = root.join(format!("run/NetworkManager/devices/{}", interface.ifindex));
    let notes = std::fs::read_to_string(notes).unwrap_or_default();
    is_managed(&notes).then(|| "NetworkManager".to_owned())
}

/// Whether the kernel lists a datagram socket of that path, as its program named it: one line a socket, of which the
/// fifth word is the type and the eighth the path. A program's sockets go with it, whatever files it leaves behind.
fn is_listed(listed: &str, socket: &Path) -> bool {
    const DATAGRAM: &str = "0002";
    listed.lines().any(|line| {
        let mut words = line.split_whitespace();
        words.nth(4) == Some(DATAGRAM) && words.nth(2).is_some_and(|path| Path::new(path) == socket)
    })
}

/// Whether somebody listens there, for where the kernel's list cannot be read. A socket that a program left behind is nobody's.
fn is_served(socket: &Path) -> bool {
    let connected = UnixDatagram::unbound().and_then(|ours| ours.connect(socket));
    match connected {
        Ok(()) => true,
        // The kernel asks for permission before it looks for a listener: what is not for us is somebody's.
        Err(error) => error.kind() == io::ErrorKind::PermissionDenied,
    }
}

/// NetworkManager's note on a device.
fn is_managed(notes: &str) -> bool {
    let mut lines = notes.lines().map(str::trim);
    lines.find(|&line| line == "[device]").is_some()
        && lines.take_while(|line| !line.starts_with('[')).any(|line| {
            line.strip_prefix("managed=")
                .is_some_and(|managed| managed.trim() == "true")
        })
}

/// Whether another interface keeps this one's radio on a frequency; in words, and which.
fn keeps(other: &WirelessInterface, interface: &WirelessInterface) -> Option<(String, u32)> {
    if other.ifindex == interface.ifindex || other.wiphy != interface.wiphy {
        return None;
    }
    let what = match other.iftype {
        InterfaceType::Ap | InterfaceType::ApVlan | InterfaceType::P2pGo => "access point",
        InterfaceType::Station | InterfaceType::P2pClient => "station",
        InterfaceType::MeshPoint => "mesh point",
        InterfaceType::Adhoc => "ad-hoc network",
        _ => return None,
    };
    let frequency_mhz = other.channel?.frequency_mhz;
    Some((format!("the {what} {} on the same radio", other.ifname), frequency_mhz))
}

/// 2.4, 5 or 6 GHz; those below are in none of them.
fn band(frequency_mhz: u32) -> u32 {
    match frequency_mhz {
        2_400..=2_500 => 2,
        5_000..=5_924 => 5,
        5_925..=7_200 => 6,
        _ => 0,
    }
}

#[cfg(test)]
mod tests;
