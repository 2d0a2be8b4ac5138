use expect_test::{Expect, expect};

use super::*;

#[track_caller]
fn check(text: &str, expected: Expect) {
    let path = Path::new("agent.toml");
    let parsed = config::parse::<Config>(path, text).map_err(InvalidConfig::from);
    let error = parsed
        .and_then(|config| config.checked(path))
        .expect_err("must be refused");
    expected.assert_eq(&error.to_string());
}

#[test]
fn one_mesh_interface_is_all_that_must_be_said() {
    let path = Path::new("agent.toml");
    let config = config::parse::<Config>(path, "[mesh.bat0]\n")
        .unwrap()
        .checked(path)
        .unwrap();
    assert_eq!(config.collect.interval.get(), Duration::from_secs(5));
    assert!(config.probes.enabled && config.collector.addresses.is_empty());
}

#[test]
fn what_is_wrong_is_named_with_its_place() {
    check(
        "",
        expect!["agent.toml: no mesh interface is named: add a table for each, as in [mesh.bat0]"],
    );
    check(
        "[mesh.bat0]\nhop_penalties = 3\n",
        expect![
            "agent.toml:2: mesh.bat0.hop_penalties: unknown field `hop_penalties`, expected one of `name`, `policy`, `algorithm`, `orig_interval`, `aggregation`, `ap_isolation`, `isolation_mark`, `bonding`, `bridge_loop_avoidance`, `distributed_arp_table`, `fragmentation`, `gw_mode`, `gw_bandwidth_down_kbit`, `gw_bandwidth_up_kbit`, `gw_sel_class`, `hop_penalty`, `log_level`, `multicast_forceflood`, `multicast_fanout`, `network_coding`, `mtu`, `mac`, `up`, `member`, `vlan`"
        ],
    );
    check(
        "[mesh.\"bat/0\"]\n",
        expect![[
            r#"agent.toml:1: mesh."bat/0": "bat/0" is no interface name: 1 to 15 bytes without white space, '/' or ':'"#
        ]],
    );
    check(
        "[mesh.bat0]\n[collect]\ninterval = \"10ms\"\n",
        expect!["agent.toml:3: collect.interval: 10ms is outside 500ms to 5m"],
    );
    check(
        "[mesh.bat0]\n[collector]\naddresses = [\"collector\"]\n",
        expect![[
            r#"agent.toml:3: collector.addresses: "collector" is no address: write host:port, as in "10.0.0.1:7443""#
        ]],
    );
    check(
        "[mesh.bat0]\n[collector]\naddresses = [\"10.0.0.1:7443\"]\n",
        expect![
            "agent.toml: identity.trust_domain: must be set, since collector.addresses is: agent and collector prove who they are"
        ],
    );
    check(
        "[mesh.bat0]\n[identity]\nworkload_api = \"/run/x.sock\"\n",
        expect![[
            r#"agent.toml:3: identity.workload_api: "/run/x.sock" is no Workload API endpoint: expected unix:/path/to/socket or tcp://ADDRESS:PORT"#
        ]],
    );
    check(
        "[mesh.bat0]\n[log]\nformat = \"xml\"\n",
        expect!["agent.toml:3: log.format: unknown variant `xml`, expected `text` or `json`"],
    );
}

#[test]
fn what_the_documents_show_is_valid_and_complete() {
    let documents = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/configuration.md");
    let text = std::fs::read_to_string(documents).unwrap();
    let section = text
        .split("\n## ")
        .find(|section| section.starts_with("node-agent"))
        .unwrap();
    let blocks: Vec<&str> = section
        .split("```toml\n")
        .skip(1)
        .map(|rest| rest.split("```").next().unwrap())
        .collect();
    let [general, mesh] = blocks.as_slice() else {
        panic!("two blocks are expected: {blocks:?}");
    };
    let path = Path::new(documents);
    config::parse::<Config>(path, general).unwrap().checked(path).unwrap();
    let config = config::parse::<Config>(path, mesh).unwrap();
    let bat0 = config.mesh.values().next().unwrap();
    // Every key there is.
    assert_eq!(bat0.settings().count(), crate::actuate::MeshSetting::ALL.len());
    let members = bat0.member.as_ref().unwrap();
    assert_eq!(members[0].settings().count(), crate::actuate::HardSetting::ALL.len());
    assert!(bat0.mtu.is_some() && bat0.mac.is_some() && bat0.up.is_some() && bat0.algorithm.is_some());
    assert!(!bat0.vlan.is_empty() && members.iter().any(|member| member.radio.is_some()));
}
