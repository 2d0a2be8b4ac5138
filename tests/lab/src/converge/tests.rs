use std::path::Path;

use super::*;

/// As printed by batctl 2023.0 on Linux 6.1, shortened to the rows this is about.
const TABLE: &str = r#"[{"hard_ifindex":2,"hard_ifname":"to-b","orig_address":"02:77:00:02:00:01","best":true,
    "last_seen_msecs":296,"neigh_address":"02:77:00:02:00:01","tq":255},
    {"hard_ifindex":3,"hard_ifname":"to-c","orig_address":"02:77:00:03:00:01","last_seen_msecs":30,
    "neigh_address":"02:77:00:03:00:01","tq":9}]"#;

fn mesh() -> (Topology, Plan) {
    let text = r#"{"nodes":[{"id":"a"},{"id":"b"},{"id":"c"},{"id":"far","agent":false}],
        "links":[{"a":"a","b":"b"},{"a":"a","b":"c"}]}"#;
    let topology = Topology::parse(Path::new("t.json"), text).unwrap();
    let plan = Plan::new(&topology);
    (topology, plan)
}

fn rows(json: &str) -> Vec<Originator> {
    serde_json::from_str(json).unwrap()
}

fn row(mac: &str) -> Originator {
    let text = format!(r#"[{{"hard_ifname":"x","orig_address":"{mac}","neigh_address":"{mac}","best":true,"tq":1}}]"#);
    rows(&text).remove(0)
}

#[test]
fn a_row_that_is_not_selected_is_no_route() {
    let (topology, plan) = mesh();
    let tables = [rows(TABLE), Vec::new(), Vec::new(), Vec::new()];
    let missing = missing_routes(&topology, &plan, &tables);
    assert_eq!(missing, ["a to c", "b to a", "b to c", "c to a", "c to b"]);
}

#[test]
fn routes_to_all_that_links_reach_are_convergence() {
    let (topology, plan) = mesh();
    let all: Vec<_> = plan
        .nodes
        .iter()
        .filter_map(|node| node.originator())
        .map(row)
        .collect();
    let tables = [all.clone(), all.clone(), all, Vec::new()];
    assert!(missing_routes(&topology, &plan, &tables).is_empty());
}
