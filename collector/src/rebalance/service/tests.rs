use std::time::{Duration, SystemTime};

use expect_test::expect;
use tonic::Code;

use super::super::input::PlanningInput;
use super::super::memory::Memory;
use super::super::planner::plan;
use super::super::policy::Policy;
use super::*;
use crate::query::fixture::Cables;

/// Two proposals, one of them withdrawn.
fn two() -> Plan {
    let good = Cables::new(&["a", "b", "c"])
        .cable("a", "b", 232, 255)
        .cable("a", "c", 255, 255)
        .cable("c", "b", 255, 255);
    let bad = good.clone().set("b", "a", 230, 0);
    let (policy, mut memory) = (Policy::default(), Memory::default());
    let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000_000);
    let mut latest = Plan::default();
    let cycles = [bad.snapshot(), good.snapshot()];
    for topology in std::iter::repeat_n(&cycles[0], 3).chain(std::iter::repeat_n(&cycles[1], 6)) {
        let (decisions, report) = plan(&PlanningInput::new(topology), &policy, &mut memory, now);
        latest = Plan {
            time: Some(now),
            decisions,
            report,
        };
    }
    latest
}

fn ids(answer: &pb::ListDecisionsResponse) -> Vec<&str> {
    answer
        .decisions
        .iter()
        .map(|decision| decision.decision_id.as_str())
        .collect()
}

const A: &str = "hop_penalty/roofs/a/eth0/02:00:00:00:0b:00";
const B: &str = "hop_penalty/roofs/b/eth0/02:00:00:00:0a:00";

#[test]
fn decisions_are_listed_with_evidence_and_prediction() {
    let decision = get(&two(), A).unwrap().decision;
    expect![[r#"
        Some(
            Decision {
                decision_id: "hop_penalty/roofs/a/eth0/02:00:00:00:0b:00",
                kind: "hop_penalty",
                state: Proposed,
                mesh: "roofs",
                generation: 1,
                proposed_at: Some(
                    Timestamp {
                        seconds: 1000000000,
                        nanos: 0,
                    },
                ),
                steps: [
                    Step {
                        node: "a",
                        hard_ifname: "eth0",
                        setting: "hop_penalty",
                        from: 0,
                        to: 17,
                    },
                ],
                summary: "Raise the hop penalty of eth0 on a from 0 to 17: its link to b loses frames (TQ 232), yet the kernel prefers it for having fewer hops; to b 91 % of frames arrive, by c 100 % would; 1 next hop would move.",
                evidence: Some(
                    Evidence {
                        node: "a",
                        neighbor_node: "b",
                        hard_ifname: "eth0",
                        neigh_address: "02:00:00:00:0b:00",
                        tq: 232,
                        delivery_used: 0.9098039215686274,
                        delivery_better: 1.0,
                        lossy_seconds: 0.0,
                        better_way: [
                            "a",
                            "c",
                            "b",
                        ],
                    },
                ),
                predicted: [
                    PredictedNextHop {
                        node: "a",
                        orig_node: "b",
                        neighbor_node_before: "b",
                        neighbor_node_after: "c",
                        tq_before: 232,
                        tq_after: 225,
                    },
                ],
            },
        )
    "#]].assert_debug_eq(&decision);
}

#[test]
fn list_takes_state_and_mesh() {
    let plan = two();
    let request = |mesh: &str, state: pb::DecisionState| pb::ListDecisionsRequest {
        mesh: mesh.to_owned(),
        state: state.into(),
        ..pb::ListDecisionsRequest::default()
    };
    let listed = |mesh, state| list(&plan, request(mesh, state)).unwrap();
    assert_eq!(ids(&listed("", pb::DecisionState::Unspecified)), [A, B]);
    assert_eq!(ids(&listed("roofs", pb::DecisionState::Proposed)), [A]);
    assert_eq!(ids(&listed("", pb::DecisionState::Withdrawn)), [B]);
    assert_eq!(ids(&listed("cellars", pb::DecisionState::Unspecified)), [""; 0]);
}

#[test]
fn list_comes_in_pages() {
    let plan = two();
    let request = |page_token: String| pb::ListDecisionsRequest {
        page_size: 1,
        page_token,
        ..pb::ListDecisionsRequest::default()
    };
    let first = list(&plan, request(String::new())).unwrap();
    let second = list(&plan, request(first.next_page_token.clone())).unwrap();
    assert_eq!((ids(&first), ids(&second)), (vec![A], vec![B]));
    assert_eq!(second.next_page_token, "");
}

#[test]
fn bad_requests_are_told_what_to_do() {
    let plan = two();
    let refused = |request| {
        let status = list(&plan, request).unwrap_err();
        assert_eq!(status.code(), Code::InvalidArgument);
        status.message().to_owned()
    };
    let messages = [
        refused(pb::ListDecisionsRequest {
            page_token: "zz".to_owned(),
            ..Default::default()
        }),
        refused(pb::ListDecisionsRequest {
            page_size: 1001,
            ..Default::default()
        }),
        refused(pb::ListDecisionsRequest {
            state: 9,
            ..Default::default()
        }),
    ];
    expect![[r#"
        page_token is none of this list: give next_page_token of its previous page as it was, or none to begin
        page_size is 1001: use 1 to 1000, or 0 for 100
        state 9 is none this release knows: use DECISION_STATE_PROPOSED, DECISION_STATE_WITHDRAWN or none"#]]
    .assert_eq(&messages.join("\n"));
    assert_eq!(get(&plan, "").unwrap_err().code(), Code::InvalidArgument);
    assert_eq!(get(&plan, "hop_penalty/none").unwrap_err().code(), Code::NotFound);
}
