use super::*;
use crate::query::fixture::Cables;
use crate::testing::mesh;

fn input(cables: &Cables) -> MeshInput {
    PlanningInput::new(&cables.snapshot())
        .meshes
        .remove(&mesh("roofs"))
        .unwrap()
}

fn names(input: &MeshInput, links: impl Iterator<Item = LinkIndex>) -> Vec<String> {
    links
        .map(|link| {
            let (from, to) = (input.network.near_end(link), input.network.link(link).to);
            let assumed = if input.is_assumed(link) { " assumed" } else { "" };
            format!("{}→{}{assumed}", input.key(from), input.key(to))
        })
        .collect()
}

fn all_links(input: &MeshInput) -> Vec<String> {
    names(input, (0..input.links.len()).map(LinkIndex))
}

#[test]
fn links_of_live_nodes_are_their_own_words() {
    let input = input(&Cables::new(&["a", "b"]).cable("a", "b", 230, 255));
    assert_eq!(all_links(&input), ["a→b", "b→a"]);
    assert_eq!((input.links[0].tq, input.links[1].tq), (230, 255));
}

#[test]
fn links_of_a_node_without_agent_are_assumed_from_its_neighbors() {
    let cables = Cables::new(&["a", "b"]).cable("a", "b", 230, 255).without_agent("b");
    let input = input(&cables);
    let b = cables.address("b");
    assert_eq!(
        all_links(&input),
        ["a→".to_owned() + &b.to_string(), format!("{b}→a assumed")]
    );
}

#[test]
fn words_of_a_stale_node_do_not_count() {
    let input = input(&Cables::new(&["a", "b"]).cable("a", "b", 230, 255).stale("b"));
    assert_eq!(all_links(&input), ["a→b", "b→a assumed"]);
    assert_eq!(
        input.network.link(LinkIndex(1)).quality,
        input.network.link(LinkIndex(0)).quality
    );
}

#[test]
fn hop_penalty_of_the_interface_is_taken_out_of_the_link() {
    let plain = input(&Cables::new(&["a", "b"]).cable("a", "b", 230, 255));
    let penalized = Cables::new(&["a", "b"])
        .cable("a", "b", 230, 255)
        .set("a", "b", 115, 127);
    let penalized = input(&penalized);
    let delivery = |input: &MeshInput| input.network.link(LinkIndex(0)).quality.delivery();
    assert!((delivery(&plain) - delivery(&penalized)).abs() < 0.01);
    assert_eq!(penalized.interfaces[0].hop_penalty, Some(127));
}

#[test]
fn kernel_routes_are_by_node() {
    let input = input(
        &Cables::new(&["a", "b", "c"])
            .cable("a", "b", 255, 255)
            .cable("b", "c", 255, 255),
    );
    let route = &input.routes[&(NodeIndex(0), NodeIndex(2))];
    assert_eq!(route.best.tq, 225);
    assert!(input.is_hop(&route.best, input.network.links_from(NodeIndex(0))[0]));
}
