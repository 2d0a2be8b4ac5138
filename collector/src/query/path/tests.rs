use std::fmt::Write as _;

use expect_test::{Expect, expect};
use tonic::Code;

use super::*;
use crate::query::fixture::Cables;

/// a to d by b or by c; the way by b is a little better.
fn diamond() -> Cables {
    Cables::new(&["a", "b", "c", "d"])
        .cable("a", "b", 255, 255)
        .cable("a", "c", 250, 250)
        .cable("b", "d", 255, 255)
        .cable("c", "d", 250, 250)
}

fn ask(cables: &Cables, src: &str, dst: &str, mesh: &str) -> Result<pb::GetPathResponse, Status> {
    let request = pb::GetPathRequest {
        src: src.to_owned(),
        dst: dst.to_owned(),
        mesh: mesh.to_owned(),
    };
    path(&cables.snapshot(), &request)
}

#[track_caller]
fn check(cables: &Cables, src: &str, dst: &str, expected: Expect) {
    let pb::GetPathResponse {
        mesh,
        hops,
        complete,
        problem,
    } = ask(cables, src, dst, "").unwrap();
    let mut text = format!("{mesh}, complete: {complete}\n");
    for hop in hops {
        let pb::Hop {
            node,
            name,
            hard_ifname,
            neigh_address,
            neighbor_node,
            tq,
            link_tq,
            ..
        } = hop;
        write!(text, "{node} ({name})").unwrap();
        if !hard_ifname.is_empty() {
            write!(
                text,
                " {hard_ifname} → {neighbor_node} {neigh_address} tq {tq:?} link_tq {link_tq:?}"
            )
            .unwrap();
        }
        text.push('\n');
    }
    text.push_str(&problem);
    expected.assert_eq(&text);
}

#[test]
fn path_is_as_each_node_routes() {
    check(
        &diamond(),
        "a",
        "d",
        expect![[r#"
        roofs, complete: true
        a (tower) eth0 → b 02:00:00:00:0b:00 tq Some(225) link_tq Some(255)
        b (tower) eth1 → d 02:00:00:00:0d:00 tq Some(255) link_tq Some(255)
        d (tower)
    "#]],
    );
    check(
        &diamond().route("a", "d", "c"),
        "a",
        "d",
        expect![[r#"
        roofs, complete: true
        a (tower) eth1 → c 02:00:00:00:0c:00 tq Some(100) link_tq Some(250)
        c (tower) eth1 → d 02:00:00:00:0d:01 tq Some(250) link_tq Some(250)
        d (tower)
    "#]],
    );
}

#[test]
fn path_to_itself_is_one_node() {
    check(
        &diamond(),
        "a",
        "a",
        expect![[r#"
        roofs, complete: true
        a (tower)
    "#]],
    );
}

#[test]
fn loop_is_found_and_named() {
    let mesh = diamond().route("a", "d", "b").route("b", "d", "a");
    check(
        &mesh,
        "a",
        "d",
        expect![[r#"
        roofs, complete: false
        a (tower) eth0 → b 02:00:00:00:0b:00 tq Some(100) link_tq Some(255)
        b (tower) eth0 → a 02:00:00:00:0a:00 tq Some(100) link_tq Some(255)
        a (tower)
        the routes make a loop: the packet is at a again"#]],
    );
}

#[test]
fn node_without_agent_is_the_end_of_what_is_known() {
    check(
        &diamond().without_agent("b"),
        "a",
        "d",
        expect![[r#"
        roofs, complete: false
        a (tower) eth0 → 02:00:00:00:0b:00 02:00:00:00:0b:00 tq Some(225) link_tq Some(255)
        02:00:00:00:0b:00 ()
        02:00:00:00:0b:00 has no agent: which way it sends is not known"#]],
    );
}

#[test]
fn node_without_agent_can_be_reached() {
    let mesh = diamond().without_agent("d");
    let address = mesh.address("d").to_string();
    check(
        &mesh,
        "a",
        &address,
        expect![[r#"
        roofs, complete: true
        a (tower) eth0 → b 02:00:00:00:0b:00 tq Some(225) link_tq Some(255)
        b (tower) eth1 → 02:00:00:00:0d:00 02:00:00:00:0d:00 tq Some(255) link_tq Some(255)
        02:00:00:00:0d:00 ()
    "#]],
    );
}

#[test]
fn stale_node_is_the_end_of_what_is_known() {
    check(
        &diamond().stale("b"),
        "a",
        "d",
        expect![[r#"
        roofs, complete: false
        a (tower) eth0 → b 02:00:00:00:0b:00 tq Some(225) link_tq Some(255)
        b (tower)
        b has fallen silent: which way it sends now is not known"#]],
    );
}

#[test]
fn node_without_a_route_is_named() {
    let mesh = diamond().station("lone");
    check(
        &mesh,
        "lone",
        "d",
        expect![[r#"
        roofs, complete: false
        lone (tower)
        lone does not know the originator 02:00:00:00:0d:00 of d"#]],
    );
}

#[test]
fn mesh_that_not_both_are_in_is_refused() {
    let status = ask(&diamond(), "a", "d", "cellars").unwrap_err();
    assert_eq!(status.code(), Code::InvalidArgument);
    expect!["mesh: a and d are not both in cellars; meshes of both: roofs"].assert_eq(status.message());
}

#[test]
fn unknown_ends_are_told_apart() {
    let src = ask(&diamond(), "nobody", "d", "").unwrap_err();
    let dst = ask(&diamond(), "a", "nobody", "").unwrap_err();
    assert_eq!((src.code(), dst.code()), (Code::NotFound, Code::NotFound));
    assert!(src.message().starts_with("src: ") && dst.message().starts_with("dst: "));
}
