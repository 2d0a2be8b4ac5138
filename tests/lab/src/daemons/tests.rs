use expect_test::expect;

use super::*;

fn folders() -> Folders {
    Folders {
        work: "/w".into(),
        certs: "/c".into(),
        bin: "/b".into(),
    }
}

#[test]
fn an_agent_is_told_its_mesh_collector_and_sockets() {
    let config = agent_config(&folders(), "gate", "demo", Ipv4Addr::new(10, 77, 0, 1));
    expect![[r#"
        [node]
        name = "gate"
        site = "lab"

        [mesh.bat0]
        name = "demo"

        [collect]
        interval = "1s"

        [collector]
        addresses = ["10.77.0.1:7443"]

        [identity]
        trust_domain = "mesh.test"
        workload_api = "unix:/w/spiffe/node-gate.sock"

        [state]
        directory = "/w/agent-gate"

        [control]
        socket = "/w/agent-gate.sock"
    "#]]
    .assert_eq(&in_order(&config));
}

/// As TOML, sections in the order a reader expects, whatever order the map keeps.
fn in_order(config: &Table) -> String {
    let sections = ["node", "mesh", "collect", "collector", "identity", "state", "control"];
    assert_eq!(config.len(), sections.len());
    let texts: Vec<_> = sections
        .iter()
        .map(|s| toml::to_string(&table([(s, config[*s].clone())])).unwrap())
        .collect();
    texts.join("\n")
}

#[test]
fn the_users_keys_replace_ours_and_leave_the_rest() {
    let base = agent_config(&folders(), "gate", "demo", Ipv4Addr::LOCALHOST);
    let config = merged(base, Some("[collect]\ninterval = \"5s\"\n[probes]\nenabled = false")).unwrap();
    assert_eq!(config["collect"]["interval"].as_str(), Some("5s"));
    assert_eq!(config["probes"]["enabled"].as_bool(), Some(false));
    assert_eq!(config["node"]["name"].as_str(), Some("gate"));
}

#[test]
fn the_workload_api_server_knows_every_agent_and_no_other_node() {
    let text = r#"{"nodes":[{"id":"a"},{"id":"b","agent":false}],"links":[{"a":"a","b":"b"}]}"#;
    let topology = Topology::parse(Path::new("t.json"), text).unwrap();
    let spec = folders().workload_api_server(&topology, "1h");
    assert!(spec.args.contains(&"node/a".to_owned()));
    assert!(!spec.args.contains(&"node/b".to_owned()));
    assert!(spec.args.contains(&"operator/lab=/c/operator".to_owned()));
}
