use mesh_proto::model::MacAddr;

use super::*;
use crate::actuate::{Network, Owner, Radio, RadioUse, Width};
use crate::netlink::batadv::{HardInterface, Mesh, Vlan};
use crate::netlink::nl80211::{InterfaceType, WirelessInterface};

const BAT: u32 = 7;

fn name(name: &str) -> IfName {
    name.parse().unwrap()
}

fn link(ifindex: u32, ifname: &str, kind: Option<&str>) -> Link {
    Link {
        ifindex,
        ifname: ifname.to_owned(),
        address: Some(MacAddr([2, 0, 0, 0, 0, u8::try_from(ifindex).unwrap()])),
        mtu: Some(1500),
        kind: kind.map(str::to_owned),
        up: true,
        ethernet: true,
        ..Link::default()
    }
}

/// bat0 in br0 with eth1 as a member, a VLAN on top of it, and what else a machine has.
fn look() -> Look {
    let member = |mut link: Link, master| {
        link.master = Some(master);
        link
    };
    let mut lo = link(1, "lo", None);
    lo.ethernet = false;
    let mut vlan = link(5, "bat0.10", Some("vlan"));
    (vlan.parent, vlan.vlan) = (Some(BAT), Some(10));
    let mut above = link(9, "mac0", Some("macvlan"));
    above.parent = Some(5);
    Look {
        links: vec![
            lo,
            member(link(2, "eth1", None), BAT),
            member(link(3, "eth2", None), 4),
            link(4, "br0", Some("bridge")),
            vlan,
            link(6, "wlan0", None),
            member(link(BAT, "bat0", Some("batadv")), 4),
            above,
        ],
        meshes: vec![MeshLook {
            mesh: Mesh {
                mesh_ifindex: BAT,
                hop_penalty: Some(30),
                bonding: Some(1),
                ..Mesh::default()
            },
            algorithm: "BATMAN_V".to_owned(),
            members: vec![HardInterface {
                hard_ifindex: 2,
                hard_ifname: "eth1".to_owned(),
                hard_address: MacAddr([2, 0, 0, 0, 0, 2]),
                active: true,
                hop_penalty: None,
                elp_interval: Some(500),
                throughput_override: Some(0),
            }],
            vlans: vec![Vlan {
                vid: 10,
                ap_isolation: Some(1),
            }],
        }],
        addressed: [BAT].into(),
        ..Look::default()
    }
}

fn state(look: &Look) -> BTreeMap<String, String> {
    let knobs = observed(look).state.knobs.into_iter();
    knobs
        .map(|(knob, value)| (knob.to_string(), knob.setting.show(&value)))
        .collect()
}

#[test]
fn a_mesh_interface_has_what_its_kernel_has() {
    let state = state(&look());
    let of_bat: Vec<_> = state.iter().filter(|(knob, _)| knob.starts_with("bat0.")).collect();
    let expected = [
        ("bat0.algorithm", "\"BATMAN_V\""),
        ("bat0.bonding", "true"),
        ("bat0.hop_penalty", "30"),
        ("bat0.mac", "\"02:00:00:00:00:07\""),
        ("bat0.master", "\"br0\""),
        ("bat0.mtu", "1500"),
        ("bat0.up", "true"),
        ("bat0.vlan.10.ap_isolation", "true"),
    ];
    assert!(
        of_bat.iter().map(|(k, v)| (k.as_str(), v.as_str())).eq(expected),
        "{of_bat:?}"
    );
    let facts = observed(&look()).facts;
    let expected = MeshFact {
        vlans: [10].into(),
        has_addresses: true,
    };
    assert_eq!(facts.meshes, BTreeMap::from([(name("bat0"), expected)]));
}

/// Before Linux 5.9 members have no hop penalty.
#[test]
fn a_member_has_its_settings_and_those_the_kernel_lacks_are_none() {
    let state = state(&look());
    assert_eq!(state["eth1.master"], "\"bat0\"");
    assert_eq!(state["eth1.elp_interval"], "\"500ms\"");
    assert_eq!(state["eth1.throughput_override_kbit"], "0");
    assert!(!state.contains_key("eth1.hop_penalty"));
}

#[test]
fn a_member_of_a_bridge_has_its_master_as_a_fact_alone() {
    let observed = observed(&look());
    assert_eq!(
        observed.state.get(&Knob::interface(&name("eth2"), Setting::Master)),
        None
    );
    assert_eq!(observed.facts.interfaces[&name("eth2")].master, Some(name("br0")));
    assert!(
        observed
            .state
            .get(&Knob::interface(&name("eth2"), Setting::Up))
            .is_some()
    );
}

#[test]
fn what_cannot_be_a_member_has_no_knobs() {
    let state = state(&look());
    for other in ["lo.", "br0.", "bat0.10.", "mac0."] {
        assert!(!state.keys().any(|knob| knob.starts_with(other)), "{other}: {state:?}");
    }
    assert_eq!(observed(&look()).facts.interfaces.len(), look().links.len());
}

#[test]
fn a_radio_has_the_network_it_is_in() {
    let mut look = look();
    let network = Radio {
        network: Network::Mesh("mesh".to_owned()),
        frequency_mhz: 2412,
        width: Width::Ht20,
    };
    let mut radio = WirelessInterface {
        ifindex: 6,
        ifname: "wlan0".to_owned(),
        wiphy: 0,
        iftype: InterfaceType::MeshPoint,
        channel: None,
        ssid: None,
        joined: true,
        network: Some(network.clone()),
        forwarding: Some(false),
    };
    look.radios = vec![(radio.clone(), RadioUse::Joined)];
    look.owners = BTreeMap::from([(
        name("wlan0"),
        Owner {
            manager: "netifd",
            file: "/etc/config/network".into(),
        },
    )]);
    let knob = Knob::interface(&name("wlan0"), Setting::Radio);
    let seen = observed(&look);
    assert_eq!(seen.state.get(&knob), Some(&Value::Radio(network)));
    let fact = &seen.facts.interfaces[&name("wlan0")];
    assert_eq!(fact.radio, Some(RadioUse::Joined));
    assert_eq!(fact.owner, look.owners.get(&name("wlan0")).cloned());
    radio.network = None;
    look.radios = vec![(radio, RadioUse::Joined)];
    assert_eq!(observed(&look).state.get(&knob), None, "its name is not known");
}

#[test]
fn what_managers_make_is_known_before_it_is_there() {
    let owner = Owner {
        manager: "systemd-networkd",
        file: "/etc/systemd/network/bat9.netdev".into(),
    };
    let look = Look {
        claimed: BTreeMap::from([(name("bat9"), owner)]),
        ..Look::default()
    };
    let seen = observed(&look);
    assert_eq!(seen.facts.claimed, look.claimed);
    assert!(!seen.facts.interfaces.contains_key(&name("bat9")));
}

#[test]
fn a_mesh_interface_that_could_not_be_read_is_not_taken_for_absent() {
    let mut look = look();
    look.meshes.clear();
    look.unread = BTreeMap::from([(name("bat0"), "no".to_owned())]);
    let seen = observed(&look);
    assert_eq!(seen.facts.unread, look.unread);
    assert!(seen.facts.interfaces.contains_key(&name("bat0")));
    assert_eq!(seen.state.master(&name("eth1")), Some(&name("bat0")));
    assert_eq!(seen.state.get(&Knob::mesh(&name("bat0"), Setting::Algorithm)), None);
}
