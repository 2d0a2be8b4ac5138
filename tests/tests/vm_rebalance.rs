//! What the collector proposes on a live mesh, asked for with the real grpcurl.
#![expect(clippy::unwrap_used, reason = "a test's helpers fail the test")]

use std::time::Duration;

use mesh_lab::wait::{self, Look};
use mesh_lab::{Lab, Options, Topology};
use mesh_tests::grpcurl;
use serde_json::json;

const LIMIT: Duration = Duration::from_secs(240);

/// a and c are linked, but 8 % of the frames are lost; over b nothing is. With the kernel's hop penalty of 30 the lossy
/// way has the higher TQ (about 234 against 225), so the kernel takes it.
fn triangle() -> Topology {
    let text = r#"{"name":"triangle","algorithm":"BATMAN_IV","hop_penalty":30,
        "nodes":[{"id":"a"},{"id":"b"},{"id":"c"}],
        "links":[{"a":"a","b":"b"},{"a":"b","b":"c"},{"a":"a","b":"c","loss":0.08}]}"#;
    Topology::parse("triangle.json".as_ref(), text).unwrap()
}

#[test]
fn a_lossy_link_is_proposed_to_be_avoided_and_the_prediction_holds_when_an_operator_does_it() {
    let lab = Lab::start(&triangle(), Options::for_test("a_lossy_link_is_proposed").unwrap()).unwrap();

    let services = grpcurl::text(&lab, None, "list").unwrap();
    for service in [
        "mesh.v1.TelemetryService",
        "mesh.v1.TopologyService",
        "mesh.v1.RebalanceService",
    ] {
        assert!(services.lines().any(|line| line == service), "{services}");
    }
    let topology = grpcurl::call(&lab, "mesh.v1.TopologyService/GetTopology", &json!({})).unwrap();
    assert_eq!(topology["nodes"].as_array().unwrap().len(), 3, "{topology}");

    let decision = wait::until("a decision is proposed for a's end of the lossy link", LIMIT, || {
        let answer = grpcurl::call(
            &lab,
            "mesh.v1.RebalanceService/ListDecisions",
            &json!({ "mesh": "triangle" }),
        )?;
        let decisions = answer["decisions"].as_array().cloned().unwrap_or_default();
        let found = decisions
            .iter()
            .find(|decision| decision["evidence"]["node"] == "a")
            .cloned();
        Ok(found.map_or_else(|| Look::Pending(format!("{} decisions", decisions.len())), Look::Ready))
    })
    .unwrap();
    println!("{decision:#}");
    assert_eq!(decision["kind"], "hop_penalty");
    assert_eq!(decision["state"], "DECISION_STATE_PROPOSED");
    assert_eq!(decision["evidence"]["better_way"], json!(["a", "b", "c"]));
    let step = &decision["steps"][0];
    assert_eq!((&step["node"], &step["hard_ifname"]), (&json!("a"), &json!("to-c")));
    let predicted = decision["predicted"].as_array().unwrap();
    let towards_c = predicted
        .iter()
        .find(|one| one["node"] == "a" && one["orig_node"] == "c")
        .unwrap();
    assert_eq!(towards_c["neighbor_node_before"], "c");
    assert_eq!(towards_c["neighbor_node_after"], "b");

    // Nothing was carried out: the collector only proposes.
    let before = lab.batctl("a", &["hardif", "to-c", "hop_penalty"]).unwrap();
    assert_eq!(before.trim(), "0");

    // An operator does what was proposed, and the kernel does what was predicted.
    let penalty = step["to"].as_u64().unwrap().to_string();
    lab.batctl("a", &["hardif", "to-c", "hop_penalty", &penalty]).unwrap();
    wait::until("packets from a to c go over b", LIMIT, || {
        let path = grpcurl::call(
            &lab,
            "mesh.v1.TopologyService/GetPath",
            &json!({ "src": "a", "dst": "c" }),
        )?;
        let hops: Vec<_> = path["hops"]
            .as_array()
            .into_iter()
            .flatten()
            .map(|hop| hop["node"].clone())
            .collect();
        Ok(if hops == [json!("a"), json!("b"), json!("c")] {
            Look::Ready(())
        } else {
            Look::Pending(format!("{hops:?}"))
        })
    })
    .unwrap();
    lab.stop().unwrap();
}
