use expect_test::{Expect, expect};
use tonic::Code;

use super::*;
use crate::query::fixture::Cables;

fn mesh() -> Cables {
    Cables::new(&["gate", "north", "south"])
        .cable("gate", "north", 255, 255)
        .cable("gate", "south", 255, 255)
        .without_agent("south")
}

fn found(cables: &Cables, text: &str) -> String {
    node(&cables.snapshot(), "node", text).unwrap().key.to_string()
}

#[track_caller]
fn refused(cables: &Cables, text: &str, code: Code, expected: Expect) {
    let status = node(&cables.snapshot(), "node", text).unwrap_err();
    assert_eq!(status.code(), code);
    expected.assert_eq(status.message());
}

#[test]
fn node_is_found_by_id() {
    assert_eq!(found(&mesh(), "gate"), "gate");
}

#[test]
fn node_is_found_by_the_address_of_any_interface() {
    assert_eq!(found(&mesh(), "02:00:00:00:0a:00"), "gate");
    assert_eq!(found(&mesh(), "02:00:00:00:0A:01"), "gate");
}

#[test]
fn node_without_agent_is_found_by_its_address() {
    let address = mesh().address("south").to_string();
    assert_eq!(found(&mesh(), &address), address);
}

#[test]
fn node_is_found_by_a_name_that_is_its_own() {
    let alone = Cables::new(&["gate"]);
    assert_eq!(found(&alone, "tower"), "gate");
}

#[test]
fn name_of_several_nodes_is_refused_with_their_ids() {
    refused(
        &mesh(),
        "tower",
        Code::InvalidArgument,
        expect![[r#"node "tower" is 2 nodes: give the id of the one you mean: gate, north"#]],
    );
}

#[test]
fn unknown_node_is_told_what_is_like_it() {
    refused(
        &mesh(),
        "Northern",
        Code::NotFound,
        expect![[r#"node: no node has the id, name or address "Northern"; known and much like it: north"#]],
    );
}

#[test]
fn unknown_address_is_told_what_is_known() {
    refused(
        &mesh(),
        "02:ff:00:00:00:01",
        Code::NotFound,
        expect![[
            r#"node: no node has the id, name or address "02:ff:00:00:00:01"; 3 nodes are known: gate, north, 02:00:00:00:0c:00; ListNodes names all"#
        ]],
    );
}

#[test]
fn nothing_known_is_said() {
    refused(
        &Cables::new(&[]),
        "gate",
        Code::NotFound,
        expect![[r#"node: no node has the id, name or address "gate"; no node is known yet: no agent has reported"#]],
    );
}

#[test]
fn nothing_asked_is_refused() {
    refused(
        &mesh(),
        "",
        Code::InvalidArgument,
        expect!["node is empty: give a node's id, its name, or one of its addresses"],
    );
}
