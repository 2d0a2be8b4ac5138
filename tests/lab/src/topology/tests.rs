use std::path::Path;

use expect_test::{Expect, expect};
use proptest::prelude::*;

use super::*;

fn parse(text: &str) -> Result<Topology, TopologyError> {
    Topology::parse(Path::new("mesh.json"), text)
}

fn refused(text: &str, expected: Expect) {
    let error = parse(text).expect_err("must be refused");
    expected.assert_eq(&error.to_string());
}

#[test]
fn absent_fields_take_defaults() {
    let topology = parse(r#"{"nodes":[{"id":"a"},{"id":"b","agent":false}],"links":[{"a":"a","b":"b"}]}"#).unwrap();
    assert_eq!(topology.name, "lab");
    assert_eq!(topology.algorithm, Algorithm::BatmanIv);
    assert_eq!(topology.collector, Some(0));
    assert!(topology.nodes[0].agent && !topology.nodes[1].agent);
    assert_eq!(topology.links[0].impairment, Impairment::default());
}

#[test]
fn every_field_is_taken() {
    let topology = parse(
        r#"{"name":"m","algorithm":"BATMAN_V","hop_penalty":15,"orig_interval_ms":500,"collector":"b",
            "nodes":[{"id":"a","gateway":{"down_kbit":5,"up_kbit":6}},{"id":"b"}],
            "links":[{"a":"b","b":"a","kind":"veth","loss":0.25,"delay_ms":3,"rate_kbit":1000,"channel":6}]}"#,
    )
    .unwrap();
    assert_eq!(topology.algorithm, Algorithm::BatmanV);
    assert_eq!((topology.hop_penalty, topology.orig_interval_ms), (Some(15), Some(500)));
    assert_eq!(topology.collector, Some(1));
    assert_eq!(
        topology.nodes[0].gateway,
        Some(Gateway {
            down_kbit: 5,
            up_kbit: 6
        })
    );
    let link = Link {
        a: 1,
        b: 0,
        impairment: Impairment {
            loss: 0.25,
            delay_ms: 3,
            rate_kbit: Some(1000),
        },
    };
    assert_eq!(topology.links, [link]);
}

#[test]
fn without_agents_there_is_no_collector() {
    let topology = parse(r#"{"nodes":[{"id":"a","agent":false}]}"#).unwrap();
    assert_eq!(topology.collector, None);
}

#[test]
fn an_unknown_key_is_refused_with_the_known_ones() {
    refused(
        "{\"nodes\":[\n  {\"id\":\"a\",\n   \"agents\":true}]}",
        expect!["mesh.json:3:11: nodes[0]: unknown field `agents`, expected one of `id`, `agent`, `gateway`"],
    );
    refused(
        r#"{"node":[]}"#,
        expect![[
            r#"mesh.json:1:7: file: unknown field `node`, expected one of `name`, `algorithm`, `hop_penalty`, `orig_interval_ms`, `collector`, `nodes`, `links`"#
        ]],
    );
}

#[test]
fn an_unknown_algorithm_is_refused_with_the_known_ones() {
    refused(
        r#"{"algorithm":"BATMAN_X","nodes":[{"id":"a"}]}"#,
        expect!["mesh.json:1:23: file: unknown variant `BATMAN_X`, expected `BATMAN_IV` or `BATMAN_V`"],
    );
}

#[test]
fn broken_json_is_refused_with_its_place() {
    refused(
        "{\"nodes\":[\n{\"id\":}]}",
        expect!["mesh.json:2:7: file: expected value"],
    );
}

#[test]
fn a_second_node_of_the_same_id_is_refused() {
    refused(
        "{\"nodes\":[{\"id\":\"a\"},\n{\"id\":\"a\"}]}",
        expect!["mesh.json:2:1: nodes[1].id: a second node `a`; ids are unique"],
    );
}

#[test]
fn a_link_to_a_node_that_is_not_there_is_refused() {
    refused(
        "{\"nodes\":[{\"id\":\"a\"},{\"id\":\"b\"}],\n \"links\":[{\"a\":\"a\",\"b\":\"c\"}]}",
        expect!["mesh.json:2:11: links[0].b: no node `c`; nodes are a, b"],
    );
}

#[test]
fn a_link_of_a_node_to_itself_is_refused() {
    refused(
        r#"{"nodes":[{"id":"a"}],"links":[{"a":"a","b":"a"}]}"#,
        expect!["mesh.json:1:32: links[0]: links `a` to itself; a link joins two nodes"],
    );
}

#[test]
fn a_second_link_of_a_pair_is_refused() {
    refused(
        r#"{"nodes":[{"id":"a"},{"id":"b"}],"links":[{"a":"a","b":"b"},{"a":"b","b":"a"}]}"#,
        expect!["mesh.json:1:61: links[1]: a second link between `b` and `a`; allowed: one"],
    );
}

#[test]
fn loss_is_a_share() {
    refused(
        r#"{"nodes":[{"id":"a"},{"id":"b"}],"links":[{"a":"a","b":"b","loss":60}]}"#,
        expect!["mesh.json:1:43: links[0].loss: 60 is no share of frames; allowed: 0.0 to 1.0"],
    );
}

#[test]
fn an_id_that_cannot_name_a_namespace_is_refused() {
    for id in ["", "-a", "A", "a b", "a/b", "thirteen-long"] {
        let text = format!(r#"{{"nodes":[{{"id":"{id}"}}]}}"#);
        assert!(
            parse(&text).unwrap_err().to_string().contains("allowed: 1 to 12"),
            "{id:?}"
        );
    }
}

#[test]
fn wifi_links_are_named_as_not_there_yet() {
    refused(
        r#"{"nodes":[{"id":"a"},{"id":"b"}],"links":[{"a":"a","b":"b","kind":"wifi","channel":1}]}"#,
        expect!["mesh.json:1:43: links[0].kind: wifi links are not supported yet by this release; allowed: veth"],
    );
}

#[test]
fn an_agent_without_a_way_to_the_collector_is_refused() {
    refused(
        "{\"nodes\":[{\"id\":\"a\"},{\"id\":\"b\"},\n{\"id\":\"c\"}],\"links\":[{\"a\":\"a\",\"b\":\"b\"}]}",
        expect![[
            r#"mesh.json:2:1: nodes[2]: node `c` has an agent but no way to the collector at `a`; add a link or set "agent": false"#
        ]],
    );
    parse(r#"{"nodes":[{"id":"a"},{"id":"b","agent":false}]}"#).expect("an unobserved island may be");
}

#[test]
fn a_collector_at_an_unknown_node_is_refused() {
    refused(
        r#"{"collector":"x","nodes":[{"id":"a"}]}"#,
        expect!["mesh.json:1:14: collector: no node `x`; nodes are a"],
    );
}

#[test]
fn every_topology_file_of_the_repository_is_sound() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../topologies");
    let mut seen = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|e| e == "json") {
            Topology::load(&path).unwrap_or_else(|e| panic!("{e}"));
            seen += 1;
        }
    }
    assert!(seen > 0);
}

proptest! {
    #[test]
    fn no_text_makes_it_panic(text in "[\\PC\\n]{0,200}") {
        drop(parse(&text));
    }

    #[test]
    fn no_json_makes_it_panic(
        key in "nodes|links|name|collector|algorithm|x", value in "[\\[\\]{}\",:a-z0-9é]{0,40}"
    ) {
        drop(parse(&format!("{{\"{key}\":{value}}}")));
    }
}
