use std::os::unix::net::UnixListener;

use wl_nl80211::Nl80211ChannelWidth;

use super::*;
use crate::actuate::{Network, Width};
use crate::netlink::nl80211::Channel;

fn interface(ifindex: u32, ifname: &str, wiphy: u32, iftype: InterfaceType) -> WirelessInterface {
    WirelessInterface {
        ifindex,
        ifname: ifname.to_owned(),
        wiphy,
        iftype,
        channel: None,
        ssid: None,
        joined: false,
        network: None,
        forwarding: None,
    }
}

fn at(frequency_mhz: u32, mut interface: WirelessInterface) -> WirelessInterface {
    interface.channel = Some(Channel {
        frequency_mhz,
        width: Nl80211ChannelWidth::Mhz(20),
        center_mhz: frequency_mhz,
    });
    interface
}

fn wanted(frequency_mhz: u32) -> Radio {
    Radio {
        network: Network::Mesh("roofs".to_owned()),
        frequency_mhz,
        width: Width::Ht20,
    }
}

/// A machine without files.
fn nothing() -> tempfile::TempDir {
    tempfile::tempdir().unwrap()
}

fn taken(interface: &WirelessInterface, root: &Path) -> Option<String> {
    match use_of(interface, &[], root) {
        RadioUse::Taken(owner) => Some(owner),
        _ => None,
    }
}

#[test]
fn an_idle_station_is_free() {
    let idle = interface(3, "wlan0", 0, InterfaceType::Station);
    assert_eq!(
        use_of(&idle, std::slice::from_ref(&idle), nothing().path()),
        RadioUse::Free
    );
}

#[test]
fn one_in_a_mesh_is_joined() {
    let mut joined = at(2412, interface(3, "wlan0", 0, InterfaceType::MeshPoint));
    joined.joined = true;
    assert_eq!(
        use_of(&joined, std::slice::from_ref(&joined), nothing().path()),
        RadioUse::Joined
    );
}

#[test]
fn what_is_another_program_s_is_named() {
    let root = nothing();
    let mut station = interface(3, "wlan0", 0, InterfaceType::Station);
    station.ssid = Some(b"caf\xc3\xa9".to_vec());
    assert_eq!(
        taken(&station, root.path()).unwrap(),
        "a station: it is in the network \"café\""
    );
    for (iftype, owner) in [
        (InterfaceType::Ap, "an access point"),
        (InterfaceType::ApVlan, "an access point"),
        (InterfaceType::P2pGo, "Wi-Fi Direct"),
        (InterfaceType::P2pClient, "Wi-Fi Direct"),
        (InterfaceType::Monitor, "a packet capture: it is a monitor"),
    ] {
        assert_eq!(taken(&interface(3, "wlan0", 0, iftype), root.path()).unwrap(), owner);
    }
}

#[test]
fn a_control_socket_tells_whose_it_is_while_somebody_listens() {
    let idle = interface(3, "wlan0", 0, InterfaceType::Station);
    for (folder, owner) in SOCKETS {
        let root = nothing();
        let folder = root.path().join(folder);
        std::fs::create_dir_all(&folder).unwrap();
        let other = UnixDatagram::bind(folder.join("wlan1")).unwrap();
        assert_eq!(taken(&idle, root.path()), None, "another interface's");
        let socket = UnixDatagram::bind(folder.join("wlan0")).unwrap();
        assert_eq!(taken(&idle, root.path()).unwrap(), owner);
        drop((socket, other));
        assert!(folder.join("wlan0").exists());
        assert_eq!(taken(&idle, root.path()), None, "left behind");
    }
}

/// As `/proc/net/unix` has it.
fn listed(root: &Path, sockets: &[(&str, &str)]) {
    let mut text = "Num       RefCount Protocol Flags    Type St Inode Path\n".to_owned();
    text += "0000000000000000: 00000002 00000000 00000000 0002 01   509\n";
    for (kind, path) in sockets {
        text += &format!("0000000000000000: 00000002 00000000 00000000 {kind} 01 24533 {path}\n");
    }
    std::fs::create_dir_all(root.join("proc/net")).unwrap();
    std::fs::write(root.join("proc/net/unix"), text).unwrap();
}

#[test]
fn a_control_socket_is_found_in_the_kernel_s_list_without_its_file() {
    let idle = interface(3, "wlan0", 0, InterfaceType::Station);
    for (folder, owner) in SOCKETS {
        let root = nothing();
        listed(root.path(), &[("0002", &format!("/{folder}/wlan0"))]);
        assert_eq!(taken(&idle, root.path()).unwrap(), owner);
        for (kind, path) in [
            ("0002", format!("/{folder}/wlan01")),
            ("0001", format!("/{folder}/wlan0")),
            ("0002", format!("@/{folder}/wlan0")),
            ("0002", format!("/elsewhere/{folder}/wlan0")),
        ] {
            listed(root.path(), &[(kind, &path)]);
            assert_eq!(taken(&idle, root.path()), None, "{kind} {path}");
        }
    }
}

/// As for a user that `/run/wpa_supplicant` is closed to: what cannot be looked into is not in use because of that.
#[test]
fn the_kernel_s_list_counts_more_than_the_file() {
    let idle = interface(3, "wlan0", 0, InterfaceType::Station);
    let root = nothing();
    std::fs::create_dir_all(root.path().join("run/wpa_supplicant")).unwrap();
    let _socket = UnixDatagram::bind(root.path().join("run/wpa_supplicant/wlan0")).unwrap();
    assert_eq!(taken(&idle, root.path()).unwrap(), "wpa_supplicant");
    listed(root.path(), &[("0002", "/run/wpa_supplicant/wlan1")]);
    assert_eq!(taken(&idle, root.path()), None);
}

#[test]
fn this_kernel_s_list_is_understood() {
    let folder = nothing();
    let path = folder.path().join("wlan0");
    let of_kernel = || std::fs::read_to_string("/proc/net/unix").unwrap();
    assert!(!is_listed(&of_kernel(), &path));
    let socket = UnixDatagram::bind(&path).unwrap();
    assert!(is_listed(&of_kernel(), &path));
    drop(socket);
    assert!(!is_listed(&of_kernel(), &path));
}

proptest::proptest! {
    #[test]
    fn no_list_is_too_odd(text: String) {
        is_listed(&text, Path::new("/run/wpa_supplicant/wlan0"));
    }
}

#[test]
fn what_is_no_control_socket_tells_nothing() {
    let idle = interface(3, "wlan0", 0, InterfaceType::Station);
    let root = nothing();
    let folder = root.path().join("run/wpa_supplicant");
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join("wlan0"), "").unwrap();
    assert_eq!(taken(&idle, root.path()), None);
    std::fs::remove_file(folder.join("wlan0")).unwrap();
    let _stream = UnixListener::bind(folder.join("wlan0")).unwrap();
    assert_eq!(taken(&idle, root.path()), None);
}

#[test]
fn a_mesh_that_wpa_supplicant_keeps_is_its_own() {
    let mut joined = at(2412, interface(3, "wlan0", 0, InterfaceType::MeshPoint));
    joined.joined = true;
    let root = nothing();
    std::fs::create_dir_all(root.path().join("run/wpa_supplicant")).unwrap();
    let _socket = UnixDatagram::bind(root.path().join("run/wpa_supplicant/wlan0")).unwrap();
    assert_eq!(taken(&joined, root.path()).unwrap(), "wpa_supplicant");
}

#[test]
fn network_managers_notes_tell_what_it_manages() {
    let idle = interface(3, "wlan0", 0, InterfaceType::Station);
    let root = nothing();
    let notes = root.path().join("run/NetworkManager/devices");
    std::fs::create_dir_all(&notes).unwrap();
    std::fs::write(
        notes.join("3"),
        "[device]\nmanaged=true\nroute-metric-default-aspired=600\n",
    )
    .unwrap();
    assert_eq!(taken(&idle, root.path()).unwrap(), "NetworkManager");
    for not in [
        "[device]\nmanaged=false\n",
        "managed=true\n",
        "[device]\n[ip]\nmanaged=true\n",
        "\u{0}",
    ] {
        std::fs::write(notes.join("3"), not).unwrap();
        assert_eq!(taken(&idle, root.path()), None, "{not:?}");
    }
}

#[test]
fn an_access_point_on_the_same_radio_keeps_its_frequency() {
    let idle = interface(3, "wlan0", 0, InterfaceType::Station);
    let ap = at(2437, interface(4, "wlan0-ap", 0, InterfaceType::Ap));
    let elsewhere = at(2462, interface(5, "wlan1", 1, InterfaceType::Ap));
    let of = use_of(&idle, &[idle.clone(), elsewhere, ap], nothing().path());
    assert_eq!(
        of,
        RadioUse::Shared {
            with: "the access point wlan0-ap on the same radio".to_owned(),
            frequency_mhz: 2437
        }
    );
    assert_eq!(refusal(&of, &wanted(2437)), None);
    let why = refusal(&of, &wanted(2412)).unwrap();
    assert_eq!(why, "the access point wlan0-ap on the same radio, at 2437 MHz");
    assert_eq!(
        refusal(&of, &wanted(5180)),
        None,
        "the driver knows whether it can be in two bands"
    );
}

#[test]
fn an_access_point_that_is_nowhere_keeps_nothing() {
    let idle = interface(3, "wlan0", 0, InterfaceType::Station);
    let ap = interface(4, "wlan0-ap", 0, InterfaceType::Ap);
    assert_eq!(use_of(&idle, &[ap], nothing().path()), RadioUse::Free);
}

#[test]
fn what_is_taken_is_refused_whatever_is_wanted() {
    let of = RadioUse::Taken("wpa_supplicant".to_owned());
    assert_eq!(refusal(&of, &wanted(2437)).unwrap(), "wpa_supplicant");
    assert_eq!(refusal(&RadioUse::Free, &wanted(2437)), None);
    assert_eq!(refusal(&RadioUse::Joined, &wanted(2437)), None);
}
