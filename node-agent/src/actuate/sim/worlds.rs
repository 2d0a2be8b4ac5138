//! Any two kernels with the same interfaces: three mesh interfaces that are there or not, four cables and a radio.

use mesh_proto::model::{IfName, MacAddr};
use proptest::prelude::*;

use super::{Quirks, Sim, SimInterface, SimMesh, hard_defaults};
use crate::actuate::{Goal, HardSetting, Knob, MeshSetting, Network, Radio, Setting, State, Value, Width};

const MESHES: [&str; 3] = ["bat0", "bat1", "bat2"];
const CABLES: [&str; 4] = ["eth0", "eth1", "eth2", "eth3"];
const RADIO: &str = "wlan0";

/// A kernel, and another one with the same interfaces and VLANs.
pub(crate) fn two() -> impl Strategy<Value = (Sim, Sim)> {
    (world(), world(), any::<[bool; 3]>()).prop_map(|(mut a, mut b, quirks)| {
        a.quirks = Quirks {
            hard_settings_persist: quirks[0],
            mtu_is_sticky: quirks[1],
            leaving_takes_down: quirks[2],
        };
        b.quirks = a.quirks;
        for (name, mesh) in &mut b.meshes {
            // Who makes VLANs is somebody else; they are there as long as the mesh interface is.
            let old = a.meshes.get(name).filter(|old| old.algorithm == mesh.algorithm);
            let vids = old.map(|old| old.vlans.keys().copied().collect::<Vec<_>>());
            let isolated = mesh.vlans.contains_key(&10);
            mesh.vlans = vids.into_iter().flatten().map(|vid| (vid, isolated)).collect();
        }
        (a, b)
    })
}

/// What leads from one to the other.
pub(crate) fn goal(from: &State, to: &State) -> Goal {
    let wanted = to.knobs.iter().map(|(knob, value)| (knob.clone(), Some(value.clone())));
    let gone = from
        .knobs
        .keys()
        .filter(|knob| knob.setting.can_be_taken_away() && !to.knobs.contains_key(knob));
    Goal {
        knobs: wanted.chain(gone.map(|knob| (knob.clone(), None))).collect(),
    }
}

/// Settings that change without a frame lost.
pub(crate) fn hitless() -> impl Strategy<Value = (MeshSetting, Value)> {
    let number = |setting, range: std::ops::Range<u32>| range.prop_map(move |n| (setting, Value::Number(n)));
    let flag = |setting| any::<bool>().prop_map(move |on| (setting, Value::Flag(on)));
    prop_oneof![
        number(MeshSetting::HopPenalty, 0..256),
        number(MeshSetting::OrigInterval, 40..5000),
        number(MeshSetting::GwMode, 0..3),
        number(MeshSetting::GwSelClass, 1..256),
        number(MeshSetting::MulticastFanout, 0..32),
        number(MeshSetting::IsolationMark, 0..4),
        flag(MeshSetting::Bonding),
        flag(MeshSetting::Aggregation),
        flag(MeshSetting::DistributedArpTable),
        flag(MeshSetting::ApIsolation),
        flag(MeshSetting::NetworkCoding),
    ]
}

fn world() -> impl Strategy<Value = Sim> {
    let meshes = [0, 1, 2].map(|_| proptest::option::weighted(0.7, mesh()));
    let interfaces = [0, 1, 2, 3, 4].map(|index| interface(index == 4));
    (meshes, interfaces).prop_map(|(meshes, interfaces)| {
        let mut sim = Sim::default();
        for (name, mesh) in MESHES.into_iter().zip(meshes) {
            sim.meshes.extend(mesh.map(|mesh| (ifname(name), mesh)));
        }
        for (name, mut interface) in CABLES.into_iter().chain([RADIO]).zip(interfaces) {
            interface.master.take_if(|mesh| !sim.meshes.contains_key(mesh));
            if interface.master.is_none() {
                interface.hard = hard_defaults();
            }
            sim.interfaces.insert(ifname(name), interface);
        }
        for name in sim.meshes.keys().cloned().collect::<Vec<_>>() {
            let limit = sim.mtu_limit(&name);
            let mesh = sim.meshes.get_mut(&name).expect("it is there");
            mesh.mtu = mesh.mtu.min(limit);
        }
        sim
    })
}

fn mesh() -> impl Strategy<Value = SimMesh> {
    let settings = proptest::collection::vec(hitless(), 0..6);
    let mtu = prop::sample::select(vec![1280, 1400, 1500]);
    (any::<[bool; 5]>(), settings, mtu, 0..4u8, any::<[bool; 2]>()).prop_map(
        |([v, up, bridged, loops, fragments], settings, mtu, last, vlans)| {
            let mut mesh = SimMesh::new(if v { "BATMAN_V" } else { "BATMAN_IV" }, 0);
            mesh.settings.extend(settings);
            mesh.settings
                .insert(MeshSetting::BridgeLoopAvoidance, Value::Flag(loops));
            mesh.settings.insert(MeshSetting::Fragmentation, Value::Flag(fragments));
            mesh.vlans = [1, 10].into_iter().zip(vlans).filter(|(_, there)| *there).collect();
            mesh.mtu = mtu;
            mesh.address = MacAddr([2, 0xba, 0, 0, 0, last]);
            mesh.up = up;
            mesh.bridge = bridged.then(|| ifname("br0"));
            mesh
        },
    )
}

fn interface(wireless: bool) -> impl Strategy<Value = SimInterface> {
    let mtu = prop::sample::select(vec![1400, 1500, 1560]);
    let master = prop::option::weighted(0.8, prop::sample::select(MESHES.to_vec()));
    let hard = (0..4u32, 20..22u32, 0..3u32);
    (any::<bool>(), mtu, 0..4u8, master, hard, prop::option::of(radio())).prop_map(
        move |(up, mtu, last, master, (hop_penalty, elp_interval, throughput), radio)| {
            let radio = radio.filter(|_| wireless);
            SimInterface {
                up: up || radio.is_some(),
                mtu,
                master: master.map(ifname),
                hard: [
                    (HardSetting::HopPenalty, hop_penalty),
                    (HardSetting::ElpInterval, elp_interval),
                    (HardSetting::ThroughputOverride, throughput),
                ]
                .into(),
                wireless,
                radio,
                ..SimInterface::ethernet(last)
            }
        },
    )
}

fn radio() -> impl Strategy<Value = Radio> {
    (any::<bool>(), 0..2u32).prop_map(|(mesh, channel)| Radio {
        network: if mesh {
            Network::Mesh("roofs".to_owned())
        } else {
            Network::Ibss("roofs".to_owned())
        },
        frequency_mhz: 2412 + 5 * channel,
        width: Width::Ht20,
    })
}

/// A name in a test.
pub(crate) fn ifname(name: &str) -> IfName {
    name.parse().expect("a valid name")
}

/// A knob in a test, as it is written: `bat0.hop_penalty`, `eth1.master`; names that begin with `bat` are mesh interfaces.
pub(crate) fn knob(text: &str) -> Knob {
    let (name, setting) = text.split_once('.').expect("a name and a setting");
    let hard = HardSetting::ALL.map(Setting::Hard);
    let mesh = MeshSetting::ALL.map(Setting::Mesh);
    let common = [
        Setting::Algorithm,
        Setting::Master,
        Setting::Radio,
        Setting::Address,
        Setting::Mtu,
        Setting::Up,
    ];
    let is_mesh = name.starts_with("bat");
    let own = if is_mesh { mesh.to_vec() } else { hard.to_vec() };
    let mut settings = common.into_iter().chain(own);
    let setting = settings.find(|it| it.name() == setting).expect("a known setting");
    match is_mesh {
        true => Knob::mesh(&ifname(name), setting),
        false => Knob::interface(&ifname(name), setting),
    }
}
