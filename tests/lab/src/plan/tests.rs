use std::collections::BTreeSet;
use std::path::Path;

use expect_test::expect;

use super::*;

fn plan(text: &str) -> Plan {
    Plan::new(&Topology::parse(Path::new("t.json"), text).unwrap())
}

const PAIR: &str = r#"{"algorithm":"BATMAN_V","hop_penalty":15,
    "nodes":[{"id":"a","gateway":{}},{"id":"b"}],
    "links":[{"a":"b","b":"a","loss":0.05,"delay_ms":2,"rate_kbit":1000}]}"#;

#[test]
fn namespaces_and_links_are_made_in_one_batch() {
    expect![[r#"
        netns add a
        netns add b
        link add name to-b netns a address 02:77:00:01:00:01 mtu 1560 type veth peer name to-a netns b address 02:77:00:02:00:01 mtu 1560
    "#]]
    .assert_eq(&plan(PAIR).ip_batch());
}

#[test]
fn the_mesh_interface_is_made_inside_its_namespace() {
    let plan = plan(PAIR);
    expect![[r#"
        link set lo up
        link add bat0 address 02:78:00:01:00:00 type batadv ra BATMAN_V
        link set to-b master bat0
    "#]]
    .assert_eq(&plan.nodes[0].ip_batch(plan.algorithm));
    expect![[r#"
        link set to-b up
        link set bat0 up
        address add 10.77.0.1/16 dev bat0
    "#]]
    .assert_eq(&plan.nodes[0].up_batch());
}

#[test]
fn a_limited_lossy_link_queues_behind_its_rate() {
    expect![[r#"
        qdisc add dev to-b root handle 1: tbf rate 1000kbit burst 6240 latency 100ms
        qdisc add dev to-b parent 1:1 handle 10: netem limit 1000 delay 2ms loss 5.0000%
    "#]]
    .assert_eq(&plan(PAIR).nodes[0].tc_batch());
}

#[test]
fn a_good_link_has_a_queue_too() {
    assert_eq!(
        qdisc_batch("x", Impairment::default()),
        "qdisc add dev x root handle 1: fq_codel\n"
    );
}

#[test]
fn batman_settings_are_those_of_the_file() {
    let words: Vec<_> = plan(PAIR).nodes[0].batctl.iter().map(|words| words.join(" ")).collect();
    expect![[r#"
        meshif bat0 hop_penalty 15
        meshif bat0 gw_mode server 10000kbit/2000kbit
        hardif to-b throughput_override 1000kbit"#]]
    .assert_eq(&words.join("\n"));
}

#[test]
fn names_and_addresses_of_a_large_mesh_are_unique_and_fit_the_kernel() {
    let nodes: Vec<_> = (0..300).map(|i| format!(r#"{{"id":"node-{i:07}"}}"#)).collect();
    let links: Vec<_> = (1..300)
        .map(|i| format!(r#"{{"a":"node-{:07}","b":"node-{i:07}"}}"#, i / 2))
        .collect();
    let plan = plan(&format!(
        r#"{{"nodes":[{}],"links":[{}]}}"#,
        nodes.join(","),
        links.join(",")
    ));
    let mut macs = BTreeSet::new();
    let mut addresses = BTreeSet::new();
    for node in &plan.nodes {
        assert!(addresses.insert(node.address) && macs.insert(node.mesh_mac.clone()));
        let mut names = BTreeSet::new();
        for interface in &node.interfaces {
            assert!(interface.name.len() <= 15 && names.insert(&interface.name) && macs.insert(interface.mac.clone()));
        }
    }
}
