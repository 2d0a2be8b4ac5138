use super::*;
use crate::query::fixture::Cables;
use crate::rebalance::input::PlanningInput;
use crate::testing::{mesh, node};
use crate::topology::NodeKey;

/// Sets hop penalties on `eth<n>` of nodes that have agents.
fn judged(cables: &Cables, changes: &[(&str, &str, u8)]) -> Result<usize, Block> {
    let input = PlanningInput::new(&cables.snapshot())
        .meshes
        .remove(&mesh("roofs"))
        .unwrap();
    let changes = changes.iter().map(|&(name, hard_ifname, penalty)| {
        let at = input.interfaces.iter().position(|interface| {
            let here = interface
                .hard_ifname
                .as_ref()
                .is_some_and(|name| name.as_str() == hard_ifname);
            here && *input.key(interface.node) == key(name)
        });
        (InterfaceIndex(at.unwrap()), penalty)
    });
    let tables = Tables::new(&input.network);
    judge(&input, &tables, &changes.collect(), &Policy::default()).map(|moved| moved.len())
}

fn key(name: &str) -> NodeKey {
    NodeKey::Observed(node(name))
}

fn triangle() -> Cables {
    Cables::new(&["a", "b", "c"])
        .cable("a", "b", 232, 255)
        .cable("a", "c", 255, 255)
        .cable("c", "b", 255, 255)
}

#[test]
fn change_for_the_better_passes() {
    assert_eq!(judged(&triangle(), &[("a", "eth0", 18)]), Ok(1));
}

#[test]
fn change_without_effect_passes() {
    assert_eq!(judged(&triangle(), &[("a", "eth0", 1)]), Ok(0));
    assert_eq!(judged(&triangle(), &[]), Ok(0));
}

#[test]
fn cutting_the_last_way_off_is_refused() {
    let chain = Cables::new(&["a", "b", "c"])
        .cable("a", "b", 255, 255)
        .cable("b", "c", 255, 255);
    let refused = judged(&chain, &[("b", "eth1", 255)]).unwrap_err();
    assert!(matches!(refused, Block::Unreachable { destination, .. } if destination == key("c")));
}

#[test]
fn way_over_a_worse_link_is_refused() {
    let refused = judged(
        &triangle().set("a", "b", 255, 0).set("c", "b", 200, 0),
        &[("a", "eth0", 128)],
    )
    .unwrap_err();
    assert!(
        matches!(refused, Block::Worse { node, destination, .. } if (&node, &destination) == (&key("a"), &key("b")))
    );
}

#[test]
fn worse_way_of_a_node_far_off_is_refused() {
    // x hears of b by a, and by a lossy cable of its own. With a's way made longer, x takes that one.
    let mesh = triangle()
        .set("a", "b", 255, 0)
        .station("x")
        .cable("x", "a", 255, 255)
        .cable("x", "b", 215, 255);
    assert_eq!(judged(&mesh, &[("a", "eth0", 0)]), Ok(0));
    let refused = judged(&mesh, &[("a", "eth0", 40)]).unwrap_err();
    assert!(
        matches!(refused, Block::Worse { node, destination, .. } if (&node, &destination) == (&key("x"), &key("b")))
    );
}

#[test]
fn way_that_nobody_reports_counts_as_dead() {
    let refused = judged(&triangle().without_agent("c"), &[("a", "eth0", 18)]).unwrap_err();
    assert!(matches!(refused, Block::Worse { delivery_after, .. } if delivery_after == 0.0));
}

#[test]
fn two_changes_that_pass_alone_can_be_refused_together() {
    // Each of a's two ways is good without the other's penalty.
    let mesh = Cables::new(&["a", "b", "c", "d"])
        .cable("a", "b", 255, 255)
        .cable("b", "d", 255, 255)
        .cable("a", "c", 255, 255)
        .cable("c", "d", 255, 255)
        .cable("a", "d", 150, 150);
    assert!(judged(&mesh, &[("a", "eth0", 30)]).is_ok());
    assert!(judged(&mesh, &[("a", "eth1", 30)]).is_ok());
    let refused = judged(&mesh, &[("a", "eth0", 120), ("a", "eth1", 120)]).unwrap_err();
    assert!(matches!(refused, Block::Worse { .. }));
}

#[test]
fn lowered_penalty_is_judged_too() {
    let mesh = triangle().set("a", "b", 200, 20);
    assert!(matches!(judged(&mesh, &[("a", "eth0", 0)]), Ok(0)));
    let mesh = triangle().set("a", "b", 214, 20);
    assert!(matches!(judged(&mesh, &[("a", "eth0", 0)]), Err(Block::Worse { .. })));
}
