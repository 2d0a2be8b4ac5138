use proptest::prelude::*;

use super::*;

const PAGE: &str = "# HELP mesh_node_up x\n# TYPE mesh_node_up gauge\nmesh_node_up{node=\"gate\"} 1\n\
    mesh_link_tq{mesh=\"demo\",node=\"gate\",neighbor_node=\"\"} 255\n\
    mesh_link_tq{mesh=\"demo\",node=\"a\\\"b\\\\c\"} 2.5e2 1700000000\nbare 3\n";

#[test]
fn samples_are_found_by_name_and_labels() {
    let samples = parse(PAGE);
    assert_eq!(samples.len(), 4);
    assert_eq!(sum(&samples, "mesh_node_up", &[("node", "gate")]), Some(1.0));
    assert_eq!(sum(&samples, "mesh_link_tq", &[("mesh", "demo")]), Some(505.0));
    assert_eq!(sum(&samples, "mesh_link_tq", &[("node", "a\"b\\c")]), Some(250.0));
    assert_eq!(sum(&samples, "bare", &[]), Some(3.0));
}

#[test]
fn a_metric_that_is_absent_is_not_zero() {
    assert_eq!(sum(&parse(PAGE), "mesh_node_up", &[("node", "north")]), None);
}

proptest! {
    #[test]
    fn no_page_makes_it_panic(page in "[a-z{}=\",\\\\é 0-9\\n#]{0,120}") {
        drop(parse(&page));
    }
}
