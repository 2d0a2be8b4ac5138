use std::path::Path;

use expect_test::{Expect, expect};
use mesh_proto::model::IfName;

use super::*;
use crate::actuate::{HardSetting, Network, Radio, Width};
use crate::config::{Config, Select};

const EVERYTHING: &str = r#"
[mesh.bat0]
name = "roofs"
policy = "enforce"
algorithm = "BATMAN_V"
orig_interval = "1s"
aggregation = true
ap_isolation = false
isolation_mark = "0x1/0x1"
bonding = true
bridge_loop_avoidance = true
distributed_arp_table = true
fragmentation = true
gw_mode = "server"
gw_bandwidth_down_kbit = 10000
gw_bandwidth_up_kbit = 2000
gw_sel_class = 20
hop_penalty = 30
log_level = 255
multicast_forceflood = false
multicast_fanout = 16
network_coding = false
mtu = 1500
mac = "02:00:00:00:00:01"
up = true

[[mesh.bat0.member]]
name = "eth1"
mtu = 1560
set_mac = "02:00:00:00:00:02"
up = false
hop_penalty = 15
elp_interval = "500ms"
throughput_override_kbit = 100000

[[mesh.bat0.member]]
pattern = "wlan*"
radio = { type = "mesh", id = "roofs", frequency = 2412, width = "HT40+" }

[[mesh.bat0.member]]
mac = "02:00:00:00:00:03"
radio = { type = "ibss", id = "old", frequency = 5180 }

[mesh.bat0.vlan.10]
ap_isolation = true
"#;

fn parse(text: &str) -> Result<Config, mesh_daemon::ConfigError> {
    mesh_daemon::config::parse(Path::new("agent.toml"), text)
}

fn bat0(text: &str) -> Mesh {
    parse(text)
        .unwrap()
        .mesh
        .remove(&IfName::try_from("bat0").unwrap())
        .unwrap()
}

#[track_caller]
fn refused(text: &str, expected: Expect) {
    expected.assert_eq(&parse(text).expect_err("must be refused").to_string());
}

#[test]
fn every_setting_of_the_kernel_has_a_key() {
    let mesh = bat0(EVERYTHING);
    let wished: Vec<MeshSetting> = mesh.settings().map(|(setting, _)| setting).collect();
    assert_eq!(wished, MeshSetting::ALL);
    let members = mesh.member.unwrap();
    let wished: Vec<HardSetting> = members[0].settings().map(|(setting, _)| setting).collect();
    assert_eq!(wished, HardSetting::ALL);
    assert!(!members[0].up.unwrap() && members[0].mtu == Some(1560) && members[0].set_mac.is_some());
    assert_eq!(mesh.vlan.into_values().next().unwrap().ap_isolation, Some(true));
}

#[test]
fn keys_and_shown_names_are_the_same_words() {
    let text = EVERYTHING;
    for setting in MeshSetting::ALL {
        let key = match setting {
            // Two settings of the kernel that are one for people.
            MeshSetting::IsolationMask => "isolation_mark",
            other => other.name(),
        };
        assert!(text.contains(&format!("\n{key} = ")), "{key}");
    }
    for setting in HardSetting::ALL {
        assert!(text.contains(&format!("\n{} = ", setting.name())), "{}", setting.name());
    }
}

#[test]
fn values_are_in_the_kernel_s_units() {
    let mesh = bat0(EVERYTHING);
    let value = |wanted| mesh.settings().find(|(setting, _)| *setting == wanted).unwrap().1;
    assert_eq!(value(MeshSetting::OrigInterval), Value::Number(1_000));
    assert_eq!(value(MeshSetting::GwBandwidthDown), Value::Number(100));
    assert_eq!(value(MeshSetting::GwMode), Value::Number(2));
    assert_eq!(value(MeshSetting::IsolationMask), Value::Number(1));
    let throughput = mesh.member.unwrap()[0].settings().last().unwrap();
    assert_eq!(throughput, (HardSetting::ThroughputOverride, Value::Number(1_000)));
}

#[test]
fn what_is_written_reads_the_same() {
    let mesh = bat0(EVERYTHING);
    let text = toml::to_string(&BTreeMap::from([("bat0", &mesh)])).unwrap();
    let read: BTreeMap<String, Mesh> = toml::from_str(&text).unwrap();
    assert_eq!(read["bat0"], mesh, "{text}");
}

#[test]
fn every_setting_can_be_put_back_as_it_was_taken() {
    let mesh = bat0(EVERYTHING);
    let mut copy = Mesh::default();
    for (setting, value) in mesh.settings() {
        assert!(copy.put(setting, &value), "{setting:?}");
    }
    assert_eq!(copy.settings().collect::<Vec<_>>(), mesh.settings().collect::<Vec<_>>());
    assert!(!copy.put(MeshSetting::GwMode, &Value::Number(3)) && !copy.put(MeshSetting::Bonding, &Value::Number(1)));
    let member = mesh.member.unwrap().remove(0);
    let mut copy = Member::new(member.select.clone());
    for (setting, value) in member.settings() {
        assert!(copy.put(setting, &value), "{setting:?}");
    }
    assert_eq!(
        copy.settings().collect::<Vec<_>>(),
        member.settings().collect::<Vec<_>>()
    );
}

#[test]
fn a_radio_is_said_with_its_kind_name_and_channel() {
    let members = bat0(EVERYTHING).member.unwrap();
    let mesh = Radio {
        network: Network::Mesh("roofs".to_owned()),
        frequency_mhz: 2_412,
        width: Width::Ht40Plus,
    };
    assert_eq!(members[1].radio, Some(mesh));
    assert_eq!(members[2].radio.as_ref().unwrap().width, Width::Ht20);
    assert!(matches!(members[2].select, Select::Mac(_)));
}

#[test]
fn a_name_alone_is_no_wish() {
    assert!(!bat0("[mesh.bat0]\n").is_wish() && !bat0("[mesh.bat0]\nname = \"roofs\"\n").is_wish());
    for wish in ["policy = \"enforce\"", "hop_penalty = 30", "member = []", "up = false"] {
        assert!(bat0(&format!("[mesh.bat0]\n{wish}\n")).is_wish(), "{wish}");
    }
    assert_eq!(bat0("[mesh.bat0]\nmember = []\n").member, Some(Vec::new()));
    assert_eq!(bat0("[mesh.bat0]\nhop_penalty = 30\n").member, None);
}

#[test]
fn what_is_wrong_is_named_with_its_place_and_what_is_allowed() {
    refused(
        "[mesh.bat0]\nhop_penalty = 256\n",
        expect!["agent.toml:2: mesh.bat0.hop_penalty: invalid value: integer `256`, expected u8"],
    );
    refused(
        "[mesh.bat0]\ngw_mode = \"on\"\n",
        expect!["agent.toml:2: mesh.bat0.gw_mode: unknown variant `on`, expected one of `off`, `client`, `server`"],
    );
    refused(
        "[mesh.bat0]\nalgorithm = \"BATMAN_VI\"\n",
        expect!["agent.toml:2: mesh.bat0.algorithm: unknown variant `BATMAN_VI`, expected `BATMAN_IV` or `BATMAN_V`"],
    );
    refused(
        "[mesh.bat0]\ngw_bandwidth_down_kbit = 150\n",
        expect![
            "agent.toml:2: mesh.bat0.gw_bandwidth_down_kbit: 150 is no bandwidth batman-adv can have; allowed: multiples of 100 up to 429496729500"
        ],
    );
    refused(
        "[mesh.bat0]\norig_interval = 1000\n",
        expect!["agent.toml:2: mesh.bat0.orig_interval: invalid type: integer `1000`, expected a string"],
    );
    refused(
        "[mesh.bat0]\norig_interval = \"50d\"\n",
        expect!["agent.toml:2: mesh.bat0.orig_interval: 50d is too long; allowed: at most 4294967295ms"],
    );
    refused(
        "[mesh.bat0]\nisolation_mark = \"x\"\n",
        expect![[
            r#"agent.toml:2: mesh.bat0.isolation_mark: "x" is no packet mark; allowed: MARK/MASK, 32 bits each, as in "0x1/0x1""#
        ]],
    );
    refused(
        "[mesh.bat0]\nmac = \"02:00\"\n",
        expect![[
            r#"agent.toml:2: mesh.bat0.mac: "02:00" is no hardware address: six pairs of hex digits, as in 02:00:00:00:00:01"#
        ]],
    );
    refused(
        "[mesh.bat0.vlan.4095]\n",
        expect![[
            r#"agent.toml:1: mesh.bat0.vlan.4095: "4095" is no VLAN; allowed: 1 to 4094, as in [mesh.bat0.vlan.10]"#
        ]],
    );
    refused(
        "[mesh.bat0.vlan.10]\nisolated = true\n",
        expect!["agent.toml:2: mesh.bat0.vlan.10.isolated: unknown field `isolated`, expected `ap_isolation`"],
    );
}

#[test]
fn what_is_wrong_with_a_member_is_named_with_its_place_and_what_is_allowed() {
    refused(
        "[[mesh.bat0.member]]\nmtu = 1532\n",
        expect!["agent.toml:1: mesh.bat0.member: a member is said by exactly one of `name`, `pattern` and `mac`"],
    );
    refused(
        "[[mesh.bat0.member]]\nname = \"eth1\"\n\n[[mesh.bat0.member]]\nname = \"eth2\"\npattern = \"eth*\"\n",
        expect![[
            r#"agent.toml:1: mesh.bat0.member: a member is said by exactly one of `name`, `pattern` and `mac` (here beside name = "eth2")"#
        ]],
    );
    refused(
        "[[mesh.bat0.member]]\npattern = \"*\"\n",
        expect![[
            r#"agent.toml:2: mesh.bat0.member.pattern: "*" is no pattern for interfaces; allowed: a name with * and ? in it, not of these alone, as in "wlan*""#
        ]],
    );
    refused(
        "[[mesh.bat0.member]]\npattern = \"eth*\"\nset_mac = \"02:00:00:00:00:01\"\n",
        expect![[
            r#"agent.toml:1: mesh.bat0.member: `set_mac` with pattern = "eth*" would give one address to several interfaces; say the member by `name` or `mac`"#
        ]],
    );
    refused(
        "[[mesh.bat0.member]]\nname = \"eth1\"\n\n[[mesh.bat0.member]]\nname = \"eth2\"\nhop = 3\n",
        expect![
            "agent.toml:6: mesh.bat0.member.hop: unknown field `hop`, expected one of `name`, `pattern`, `mac`, `mtu`, `set_mac`, `up`, `hop_penalty`, `elp_interval`, `throughput_override_kbit`, `radio`"
        ],
    );
    refused(
        "[[mesh.bat0.member]]\nname = \"eth1\"\nhop_penalty = -1\n",
        expect!["agent.toml:3: mesh.bat0.member.hop_penalty: invalid value: integer `-1`, expected u8"],
    );
    refused(
        "[[mesh.bat0.member]]\nname = \"wlan0\"\nradio = { type = \"ap\", id = \"x\", frequency = 2412 }\n",
        expect!["agent.toml:3: mesh.bat0.member.radio.type: unknown variant `ap`, expected `mesh` or `ibss`"],
    );
    refused(
        "[[mesh.bat0.member]]\nname = \"wlan0\"\n[mesh.bat0.member.radio]\ntype = \"mesh\"\nid = \"\"\nfrequency = 2412\n",
        expect!["agent.toml:5: mesh.bat0.member.radio.id: 0 bytes are no name of a network; allowed: 1 to 32"],
    );
    refused(
        "[[mesh.bat0.member]]\nname = \"wlan0\"\nradio = { type = \"mesh\", id = \"x\", frequency = 2412, width = \"HT80\" }\n",
        expect![
            "agent.toml:3: mesh.bat0.member.radio.width: unknown variant `HT80`, expected one of `NOHT`, `HT20`, `HT40+`, `HT40-`, `80MHz`"
        ],
    );
}
