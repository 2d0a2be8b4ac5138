use std::path::{Path, PathBuf};

use expect_test::expect;
use proptest::prelude::*;

use super::*;
use crate::actuate::plan::Plan;
use crate::actuate::sim::worlds::{self, ifname};
use crate::actuate::sim::{Sim, SimInterface, SimMesh};
use crate::actuate::{MeshSetting, Owner, desired};
use crate::config::Config;

fn all() -> BTreeSet<IfName> {
    BTreeSet::new()
}

fn sim() -> Sim {
    let mut sim = Sim::default();
    let mut mesh = SimMesh::new("BATMAN_V", 1);
    mesh.settings.insert(MeshSetting::GwMode, Value::Number(2));
    mesh.settings.insert(MeshSetting::IsolationMark, Value::Number(0x10));
    mesh.settings.insert(MeshSetting::IsolationMask, Value::Number(0xff));
    mesh.settings.insert(MeshSetting::OrigInterval, Value::Number(1700));
    mesh.vlans = [(10, true)].into();
    mesh.bridge = Some(ifname("br0"));
    sim.meshes.insert(ifname("bat0"), mesh);
    let member = SimInterface {
        master: Some(ifname("bat0")),
        ..SimInterface::ethernet(1)
    };
    sim.interfaces.insert(ifname("eth0.5"), member);
    sim.interfaces.insert(ifname("eth1"), SimInterface::ethernet(2));
    sim
}

#[test]
fn the_configuration_is_one_that_people_can_read() {
    expect![[r#"
        # As the kernel has it; it plans to nothing. `policy = "enforce"` keeps it so.

        [mesh.bat0]
        policy = "report"
        algorithm = "BATMAN_V"
        orig_interval = "1700ms"
        aggregation = true
        ap_isolation = false
        isolation_mark = "0x00000010/0x000000ff"
        bonding = false
        bridge_loop_avoidance = true
        distributed_arp_table = true
        fragmentation = true
        gw_mode = "server"
        gw_bandwidth_down_kbit = 10000
        gw_bandwidth_up_kbit = 2000
        gw_sel_class = 50
        hop_penalty = 30
        multicast_forceflood = false
        multicast_fanout = 16
        network_coding = false
        mtu = 1500
        mac = "aa:bb:00:00:00:01"
        up = false

        [[mesh.bat0.member]]
        name = "eth0.5"
        mtu = 1500
        up = true
        hop_penalty = 0
        elp_interval = "500ms"
        throughput_override_kbit = 0

        [mesh.bat0.vlan.10]
        ap_isolation = true
    "#]]
    .assert_eq(&adopt(&sim().observed(), &all()).unwrap());
}

#[test]
fn what_there_are_no_words_for_and_who_owns_it_is_said() {
    let mut observed = sim().observed();
    let mode = Knob::mesh(&ifname("bat0"), Setting::Mesh(MeshSetting::GwMode));
    observed.state.knobs.insert(mode, Value::Number(7));
    observed.facts.interfaces.get_mut(&ifname("bat0")).unwrap().owner = Some(Owner {
        manager: "systemd-networkd",
        file: PathBuf::from("/etc/systemd/network/bat0.netdev"),
    });
    let text = adopt(&observed, &all()).unwrap();
    assert!(
        text.contains("# Left out, since there are no words for it: bat0.gw_mode = 7\n"),
        "{text}"
    );
    assert!(
        text.contains("# systemd-networkd owns bat0 (/etc/systemd/network/bat0.netdev)"),
        "{text}"
    );
    assert!(!text.contains("\ngw_mode"), "{text}");
}

#[test]
fn only_those_asked_for_are_adopted_and_what_is_not_there_is_named() {
    let mut sim = sim();
    sim.meshes.insert(ifname("bat1"), SimMesh::new("BATMAN_IV", 2));
    let text = adopt(&sim.observed(), &[ifname("bat1")].into()).unwrap();
    assert!(text.contains("[mesh.bat1]") && !text.contains("[mesh.bat0]"), "{text}");
    let error = adopt(&sim.observed(), &[ifname("bat7")].into()).unwrap_err();
    assert_eq!(error, AdoptError::NoSuchMesh(ifname("bat7")));
    assert_eq!(adopt(&Sim::default().observed(), &all()), Err(AdoptError::NoMesh));
}

proptest! {
    #[test]
    fn what_is_adopted_plans_to_nothing((sim, _) in worlds::two()) {
        let observed = sim.observed();
        let adopted = adopt(&observed, &all());
        prop_assume!(adopted != Err(AdoptError::NoMesh));
        let config = Config::parse(Path::new("adopted.toml"), &adopted.unwrap()).unwrap();
        prop_assert_eq!(config.mesh.len(), sim.meshes.len());
        for (mesh, resolved) in desired::resolve(&config.mesh, &observed) {
            prop_assert_eq!(&resolved.problems, &vec![], "{}", mesh);
            prop_assert_eq!(&resolved.missing, &vec![], "{}", mesh);
            prop_assert_eq!(Plan::new(&observed.state, &resolved.goal).steps, vec![], "{}", mesh);
        }
    }
}
