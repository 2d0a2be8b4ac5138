use expect_test::expect;
use mesh_proto::model::{Gateway, ManagePolicy, Managed};
use tonic::Code;

use super::*;
use crate::query::fixture::Cables;
use crate::testing::{after, mesh as mesh_id, node, start};
use crate::topology::{Topology, TopologyEvent};

fn ring() -> Cables {
    Cables::new(&["a", "b", "c", "d"])
        .cable("a", "b", 255, 240)
        .cable("b", "c", 255, 255)
        .cable("c", "d", 255, 255)
        .without_agent("d")
}

fn ids(nodes: &[pb::Node]) -> Vec<&str> {
    nodes.iter().map(|node| node.node.as_str()).collect()
}

fn request(page_size: u32, page_token: &str) -> pb::GetTopologyRequest {
    pb::GetTopologyRequest {
        page_size,
        page_token: page_token.to_owned(),
        ..Default::default()
    }
}

#[test]
fn topology_has_nodes_and_both_directions_of_links() {
    let answer = topology(&ring().snapshot(), &request(0, "")).unwrap();
    let lines = answer.links.iter().map(|link| {
        let pb::Link {
            node,
            hard_ifname,
            neigh_address,
            neighbor_node,
            tq,
            ..
        } = link;
        format!("{node} {hard_ifname} → {neighbor_node} ({neigh_address}): {tq:?}\n")
    });
    expect![[r#"
        a eth0 → b (02:00:00:00:0b:00): Some(255)
        b eth0 → a (02:00:00:00:0a:00): Some(240)
        b eth1 → c (02:00:00:00:0c:00): Some(255)
        c eth0 → b (02:00:00:00:0b:01): Some(255)
        c eth1 → 02:00:00:00:0d:00 (02:00:00:00:0d:00): Some(255)
    "#]]
    .assert_eq(&lines.collect::<String>());
    assert_eq!(ids(&answer.nodes), ["a", "b", "c", "02:00:00:00:0d:00"]);
}

#[test]
fn node_is_told_with_all_that_is_known_of_it() {
    let snapshot = ring().snapshot();
    let answer = topology(&snapshot, &request(1, "")).unwrap();
    expect![[r#"
        Node {
            node: "a",
            name: "tower",
            site: "old town",
            state: Live,
            spiffe_id: "spiffe://mesh.example/node/a",
            agent_version: "0.1.0",
            kernel: "6.1.0",
            batman_adv: "2022.3",
            last_report: Some(
                Timestamp {
                    seconds: 1000000020,
                    nanos: 0,
                },
            ),
            meshes: [
                NodeMesh {
                    mesh: "roofs",
                    mesh_ifname: "bat0",
                    algo_name: "BATMAN_IV",
                    mesh_address: "",
                    orig_address: "02:00:00:00:0a:00",
                    hop_penalty: Some(
                        30,
                    ),
                    orig_interval: Some(
                        1000,
                    ),
                    gw_mode: "",
                    hard_interfaces: [
                        HardInterface {
                            hard_ifname: "eth0",
                            hard_address: "02:00:00:00:0a:00",
                            active: true,
                            hop_penalty: Some(
                                0,
                            ),
                            throughput_override: None,
                        },
                    ],
                    degree: 1,
                    originators: Some(
                        3,
                    ),
                    clients: None,
                    gateways: Some(
                        0,
                    ),
                    selected_gateway: None,
                },
            ],
            probes: [],
            contested_addresses: [],
            managed: [],
        }
    "#]]
    .assert_debug_eq(&answer.nodes[0]);
}

#[test]
fn pages_hold_each_node_once_with_its_links() {
    let snapshot = ring().snapshot();
    let (mut seen, mut links, mut token) = (Vec::new(), 0, String::new());
    loop {
        let page = topology(&snapshot, &request(1, &token)).unwrap();
        assert!(
            page.links
                .iter()
                .all(|link| ids(&page.nodes).contains(&link.node.as_str()))
        );
        seen.extend(page.nodes.into_iter().map(|node| node.node));
        links += page.links.len();
        token = page.next_page_token;
        if token.is_empty() {
            break;
        }
    }
    assert_eq!(seen, ["a", "b", "c", "02:00:00:00:0d:00"]);
    assert_eq!(links, 5);
}

#[test]
fn page_goes_on_after_a_node_that_is_gone() {
    let first = topology(&ring().snapshot(), &request(2, "")).unwrap();
    assert_eq!(ids(&first.nodes), ["a", "b"]);
    let without_b = Cables::new(&["a", "c"]).cable("a", "c", 255, 255).snapshot();
    assert_eq!(
        ids(&topology(&without_b, &request(2, &first.next_page_token)).unwrap().nodes),
        ["c"]
    );
}

#[test]
fn nodes_are_listed_by_state() {
    let snapshot = ring().stale("b").snapshot();
    let of = |state: pb::NodeState| {
        let request = pb::ListNodesRequest {
            state: state.into(),
            ..Default::default()
        };
        let nodes = list_nodes(&snapshot, &request).unwrap().nodes;
        nodes.into_iter().map(|node| node.node).collect::<Vec<_>>()
    };
    assert_eq!(of(pb::NodeState::Live), ["a", "c"]);
    assert_eq!(of(pb::NodeState::Stale), ["b"]);
    assert_eq!(of(pb::NodeState::Unobserved), ["02:00:00:00:0d:00"]);
    assert_eq!(of(pb::NodeState::Unspecified).len(), 4);
}

#[test]
fn links_of_a_stale_node_are_marked() {
    let answer = topology(&ring().stale("b").snapshot(), &request(0, "")).unwrap();
    assert!(answer.links.iter().all(|link| link.stale == (link.node == "b")));
}

#[test]
fn only_the_mesh_asked_for_is_told() {
    let mut request = request(0, "");
    request.mesh = "roofs".to_owned();
    assert_eq!(topology(&ring().snapshot(), &request).unwrap().nodes.len(), 4);
    request.mesh = "cellars".to_owned();
    assert_eq!(topology(&ring().snapshot(), &request).unwrap().nodes, []);
}

/// Of a node in two meshes, the one asked for is told and nothing of the other.
#[test]
fn node_in_two_meshes_is_told_by_the_mesh_asked_for() {
    let mut view = crate::testing::snapshot(crate::testing::view(crate::testing::mac(1)));
    let mut other = crate::testing::view(crate::testing::mac(2));
    other.settings.mesh = mesh_id("cellars");
    view.meshes.insert(
        crate::testing::ifname("bat1"),
        crate::testing::with_neighbor(other, crate::testing::mac(9), 200),
    );
    let mut known = Topology::default();
    let session = crate::testing::session("a", 1, 1);
    let now = after(start(), 1.0);
    known.apply(
        TopologyEvent::Reported {
            session,
            view: Arc::new(view),
            clock: None,
        },
        now,
    );
    let mut request = request(0, "");
    request.mesh = "roofs".to_owned();
    let answer = topology(&known.snapshot(now), &request).unwrap();
    assert_eq!(ids(&answer.nodes), [node("a").as_str()]);
    assert_eq!((answer.nodes[0].meshes.len(), answer.links.len()), (1, 0));
}

#[test]
fn bad_requests_are_told_what_to_do() {
    let snapshot = ring().snapshot();
    let message = |status: Status| {
        assert_eq!(status.code(), Code::InvalidArgument);
        status.message().to_owned()
    };
    let messages = [
        message(topology(&snapshot, &request(0, "x")).unwrap_err()),
        message(topology(&snapshot, &request(1001, "")).unwrap_err()),
        message(
            list_nodes(
                &snapshot,
                &pb::ListNodesRequest {
                    state: 7,
                    ..Default::default()
                },
            )
            .unwrap_err(),
        ),
        message(mesh("mesh", "a\nb").unwrap_err()),
    ];
    expect![[r#"
        page_token is none of this list: give next_page_token of its previous page as it was, or none to begin
        page_size is 1001: use 1 to 1000, or 0 for 500
        state 7 is none this release knows: use NODE_STATE_LIVE, NODE_STATE_STALE, NODE_STATE_UNOBSERVED or none
        mesh: "a\nb" is no mesh name: 1 to 63 printable characters"#]]
    .assert_eq(&messages.join("\n"));
}

/// A mesh interface that should exist and does not is no part of the mesh, but it is managed.
#[test]
fn what_is_managed_and_a_silent_gateway_are_told() {
    let with = |drift: u32, silent: bool| {
        let mut view = crate::testing::view(crate::testing::mac(1));
        let gateway = Gateway {
            best: true,
            router: None,
            bandwidth_down_kbit: 10_000,
            bandwidth_up_kbit: 2_000,
            silent,
        };
        let other = Gateway {
            best: false,
            silent: false,
            ..gateway.clone()
        };
        view.gateways = [(crate::testing::mac(8), other), (crate::testing::mac(9), gateway)].into();
        let mut snapshot = crate::testing::snapshot(view);
        for (name, mesh, policy) in [
            ("bat0", "roofs", ManagePolicy::Enforce),
            ("bat7", "cellars", ManagePolicy::LeftToOwner),
        ] {
            let managed = Managed {
                mesh: mesh_id(mesh),
                policy,
                drift,
            };
            snapshot.managed.insert(crate::testing::ifname(name), managed);
        }
        snapshot
    };
    let mut known = Topology::default();
    let mut tell = |snapshot: mesh_proto::model::Snapshot| {
        let event = TopologyEvent::Reported {
            session: crate::testing::session("a", 1, 1),
            view: Arc::new(snapshot),
            clock: None,
        };
        known.apply(event, start());
        known.snapshot(start())
    };
    let before = tell(with(0, false));
    let now = tell(with(2, true));
    assert!(now.version() > before.version(), "a watcher is to be told");
    let nodes = list_nodes(&now, &pb::ListNodesRequest::default()).unwrap().nodes;
    expect![[r#"
        (
            [
                Managed {
                    mesh: "roofs",
                    mesh_ifname: "bat0",
                    policy: "enforce",
                    drift: 2,
                },
                Managed {
                    mesh: "cellars",
                    mesh_ifname: "bat7",
                    policy: "left_to_owner",
                    drift: 2,
                },
            ],
            Some(
                SelectedGateway {
                    orig_address: "02:00:00:00:00:09",
                    orig_node: "",
                    silent: true,
                    bandwidth_down: 10000,
                    bandwidth_up: 2000,
                },
            ),
        )
    "#]]
    .assert_debug_eq(&(&nodes[0].managed, &nodes[0].meshes[0].selected_gateway));
    let request = pb::ListNodesRequest {
        mesh: "roofs".to_owned(),
        ..Default::default()
    };
    let nodes = list_nodes(&now, &request).unwrap().nodes;
    assert_eq!(nodes[0].managed.len(), 1, "of the mesh asked for");
}
