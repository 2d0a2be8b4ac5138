use std::fmt::Write as _;
use std::time::Duration;

use expect_test::{Expect, expect};
use mesh_proto::model::Algorithm;
use proptest::prelude::*;

use super::*;
use crate::query::fixture::Cables;

/// a and b have a lossy cable between them, and a perfect way by c; d is behind b.
fn detour() -> Cables {
    Cables::new(&["a", "b", "c", "d"])
        .cable("a", "b", 232, 255)
        .cable("a", "c", 255, 255)
        .cable("c", "b", 255, 255)
        .cable("b", "d", 255, 255)
}

fn recovered() -> Cables {
    detour().set("a", "b", 255, 0)
}

/// A planner, cycle by cycle.
struct Planner {
    memory: Memory,
    policy: Policy,
    now: SystemTime,
}

impl Planner {
    fn new() -> Self {
        Self {
            memory: Memory::default(),
            policy: Policy::default(),
            now: SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000_000),
        }
    }

    fn cycle(&mut self, cables: &Cables) -> (Vec<Decision>, PlanningReport) {
        self.now += self.policy.interval;
        let input = PlanningInput::new(&cables.snapshot());
        plan(&input, &self.policy, &mut self.memory, self.now)
    }

    /// Until a proposal would have been made, and one cycle more.
    fn settle(&mut self, cables: &Cables) -> (Vec<Decision>, PlanningReport) {
        for _ in 0..self.policy.needed {
            self.cycle(cables);
        }
        self.cycle(cables)
    }
}

fn text(decisions: &[Decision], report: &PlanningReport) -> String {
    let mut text = report.to_string();
    for decision in decisions {
        let Decision {
            state,
            generation,
            evidence,
            predicted,
            ..
        } = decision;
        writeln!(text, "{state:?} {generation}: {}", decision.summary()).unwrap();
        let way: Vec<_> = evidence.better_way.iter().map(ToString::to_string).collect();
        writeln!(text, "  lossy for {:?}; better: {}", evidence.lossy_for, way.join(" ")).unwrap();
        for hop in predicted {
            let PredictedNextHop {
                node,
                destination,
                before,
                after,
                tq_before,
                tq_after,
            } = hop;
            writeln!(
                text,
                "  {node} to {destination}: {before} ({tq_before}) → {after} ({tq_after})"
            )
            .unwrap();
        }
    }
    text
}

#[track_caller]
fn check(cables: &Cables, expected: Expect) {
    let (decisions, report) = Planner::new().settle(cables);
    expected.assert_eq(&text(&decisions, &report));
}

#[test]
fn lossy_link_with_a_better_way_is_proposed_to_be_steered_around() {
    check(
        &detour(),
        expect![[r#"
            mesh roofs: 4 nodes, 4 live; lossy links: 1
              a eth0 to b, TQ 232: proposed as hop_penalty/roofs/a/eth0/02:00:00:00:0b:00, generation 1
            Proposed 1: Raise the hop penalty of eth0 on a from 0 to 18: its link to b loses frames (TQ 232), yet the kernel prefers it for having fewer hops; to b 91 % of frames arrive, by c 100 % would; 2 next hops would move.
              lossy for 15s; better: a c b
              a to b: b (232) → c (225)
              a to d: b (204) → c (198)
        "#]],
    );
}

#[test]
fn proposal_takes_several_cycles() {
    let mut planner = Planner::new();
    let reports: Vec<_> = (0..3).map(|_| planner.cycle(&detour()).1.to_string()).collect();
    expect![[r#"
        mesh roofs: 4 nodes, 4 live; lossy links: 1
          a eth0 to b, TQ 232: waiting, seen in 1 of 3 cycles
        mesh roofs: 4 nodes, 4 live; lossy links: 1
          a eth0 to b, TQ 232: waiting, seen in 2 of 3 cycles
        mesh roofs: 4 nodes, 4 live; lossy links: 1
          a eth0 to b, TQ 232: proposed as hop_penalty/roofs/a/eth0/02:00:00:00:0b:00, generation 1
    "#]]
    .assert_eq(&reports.concat());
}

#[test]
fn one_bad_cycle_proposes_nothing() {
    let mut planner = Planner::new();
    planner.cycle(&detour());
    assert_eq!(planner.settle(&recovered()).0, []);
}

#[test]
fn same_cause_keeps_its_id_and_generation() {
    let mut planner = Planner::new();
    let (first, _) = planner.settle(&detour());
    let (second, _) = planner.cycle(&detour().set("a", "b", 231, 0));
    assert_eq!(
        first[0].cause.decision_id(),
        "hop_penalty/roofs/a/eth0/02:00:00:00:0b:00"
    );
    assert_eq!((second.len(), &second[0].cause), (1, &first[0].cause));
    assert_eq!((second[0].generation, second[0].proposed_at), (1, first[0].proposed_at));
    assert_eq!(second[0].step, first[0].step);
    assert_eq!(second[0].evidence.tq, 231);
}

#[test]
fn other_content_raises_the_generation() {
    let mut planner = Planner::new();
    planner.settle(&detour());
    // Somebody has set 4 by hand, which is not enough.
    let (decisions, _) = planner.cycle(&detour().set("a", "b", 228, 4));
    assert_eq!((decisions[0].generation, decisions[0].step.from), (2, 4));
}

#[test]
fn decision_is_withdrawn_once_its_cause_has_passed() {
    let mut planner = Planner::new();
    planner.settle(&detour());
    let states: Vec<_> = (0..planner.policy.window)
        .map(|_| {
            let (decisions, _) = planner.cycle(&recovered());
            (decisions[0].state, decisions[0].generation)
        })
        .collect();
    let proposed = (DecisionState::Proposed, 1);
    let withdrawn = (DecisionState::Withdrawn, 2);
    assert_eq!(states[..5], [proposed; 5]);
    assert_eq!(states[5], withdrawn);
    planner.now += planner.policy.keep_withdrawn;
    assert_eq!(planner.cycle(&recovered()).0, []);
}

#[test]
fn returning_cause_is_proposed_again_with_a_higher_generation() {
    let mut planner = Planner::new();
    planner.settle(&detour());
    for _ in 0..planner.policy.window {
        planner.cycle(&recovered());
    }
    let (decisions, _) = planner.settle(&detour());
    assert_eq!(
        (decisions[0].state, decisions[0].generation),
        (DecisionState::Proposed, 3)
    );
}

#[test]
fn proposal_that_was_carried_out_has_no_cause_left() {
    let mut planner = Planner::new();
    let (decisions, _) = planner.settle(&detour());
    let to = decisions[0].step.to;
    let reported = u8::try_from(232 * (255 - u32::from(to)) / 255).unwrap();
    let (decisions, report) = planner.cycle(&detour().set("a", "b", reported, to));
    expect![[r#"
        mesh roofs: 4 nodes, 4 live; lossy links: 1
          a eth0 to b, TQ 215: hop_penalty/roofs/a/eth0/02:00:00:00:0b:00 stands, but now: no route goes over it
        Proposed 1: Raise the hop penalty of eth0 on a from 0 to 18: its link to b loses frames (TQ 232), yet the kernel prefers it for having fewer hops; to b 91 % of frames arrive, by c 100 % would; 2 next hops would move.
          lossy for 15s; better: a c b
          a to b: b (232) → c (225)
          a to d: b (204) → c (198)
    "#]].assert_eq(&text(&decisions, &report));
}

#[test]
fn both_ends_of_a_link_that_loses_both_ways_are_proposed() {
    check(
        &detour().set("b", "a", 230, 0),
        expect![[r#"
            mesh roofs: 4 nodes, 4 live; lossy links: 2
              b eth0 to a, TQ 230: proposed as hop_penalty/roofs/b/eth0/02:00:00:00:0a:00, generation 1
              a eth0 to b, TQ 232: proposed as hop_penalty/roofs/a/eth0/02:00:00:00:0b:00, generation 1
            Proposed 1: Raise the hop penalty of eth0 on a from 0 to 18: its link to b loses frames (TQ 232), yet the kernel prefers it for having fewer hops; to b 91 % of frames arrive, by c 100 % would; 2 next hops would move.
              lossy for 15s; better: a c b
              a to b: b (232) → c (225)
              a to d: b (204) → c (198)
            Proposed 1: Raise the hop penalty of eth0 on b from 0 to 15: its link to a loses frames (TQ 230), yet the kernel prefers it for having fewer hops; to a 90 % of frames arrive, by c 100 % would; 1 next hop would move.
              lossy for 15s; better: b c a
              b to a: a (230) → c (225)
        "#]],
    );
}

#[test]
fn without_another_way_nothing_is_proposed() {
    let chain = Cables::new(&["a", "b", "c"])
        .cable("a", "b", 200, 200)
        .cable("b", "c", 255, 255);
    check(
        &chain,
        expect![[r#"
            mesh roofs: 3 nodes, 3 live; lossy links: 2
              a eth0 to b, TQ 200: no other interface has a way to b
              b eth0 to a, TQ 200: no other interface has a way to a
        "#]],
    );
}

#[test]
fn way_through_a_node_without_agent_is_not_counted_on() {
    check(
        &detour().without_agent("c"),
        expect![[r#"
            mesh roofs: 4 nodes, 3 live; lossy links: 1
              a eth0 to b, TQ 232: the other way leads through 02:00:00:00:0c:00, which does not report its links
        "#]],
    );
}

#[test]
fn way_through_a_stale_node_is_not_counted_on() {
    check(
        &detour().stale("c"),
        expect![[r#"
            mesh roofs: 4 nodes, 3 live; lossy links: 1
              a eth0 to b, TQ 232: the other way leads through c, which does not report its links
        "#]],
    );
}

#[test]
fn gain_that_is_not_plain_is_left_alone() {
    check(
        &detour().set("c", "b", 246, 0).set("a", "b", 238, 0),
        expect![[r#"
            mesh roofs: 4 nodes, 4 live; lossy links: 1
              a eth0 to b, TQ 238: the other way to b is not plainly better: 93 % of frames arrive now, 96 % would
        "#]],
    );
}

#[test]
fn unused_lossy_link_is_left_alone() {
    check(
        &detour().set("a", "b", 150, 0),
        expect![[r#"
            mesh roofs: 4 nodes, 4 live; lossy links: 1
              a eth0 to b, TQ 150: no route goes over it
        "#]],
    );
}

#[test]
fn routes_that_links_do_not_explain_are_not_predicted() {
    // To d by the lossy cable, though with a TQ that no such way has.
    check(
        &detour().route("a", "d", "b").route("a", "b", "b"),
        expect![[r#"
            mesh roofs: 4 nodes, 4 live; lossy links: 1
              a eth0 to b, TQ 232: the kernel's route from a to b is not what its links explain: nothing can be predicted
        "#]],
    );
}

#[test]
fn change_that_makes_another_pair_worse_is_refused() {
    // b's way to e leads over a's lossy cable too, and its own detour is worse.
    let mesh = Cables::new(&["a", "b", "c", "d", "e"])
        .cable("a", "b", 232, 232)
        .cable("a", "c", 255, 255)
        .cable("c", "d", 255, 255)
        .cable("d", "b", 255, 120)
        .cable("a", "e", 255, 255);
    check(
        &mesh,
        expect![[r#"
            mesh roofs: 5 nodes, 5 live; lossy links: 3
              a eth0 to b, TQ 232: proposed as hop_penalty/roofs/a/eth0/02:00:00:00:0b:00, generation 1
              b eth1 to d, TQ 120: no route goes over it
              b eth0 to a, TQ 232: the other way to a is not plainly better: 91 % of frames arrive now, 47 % would
            Proposed 1: Raise the hop penalty of eth0 on a from 0 to 47: its link to b loses frames (TQ 232), yet the kernel prefers it for having fewer hops; to b 91 % of frames arrive, by c, d 100 % would; 1 next hop would move.
              lossy for 15s; better: a c d b
              a to b: b (232) → c (198)
        "#]],
    );
}

#[test]
fn batman_v_is_not_planned() {
    let mut cables = detour();
    cables.algorithm = Algorithm::BatmanV;
    check(
        &cables,
        expect![[r#"
        mesh roofs: not planned: this release proposes nothing for BATMAN_V
    "#]],
    );
}

#[test]
fn nothing_known_is_said() {
    check(
        &Cables::new(&[]),
        expect![[r#"
        no mesh is known
    "#]],
    );
}

#[test]
fn too_large_a_mesh_is_said() {
    let mut planner = Planner::new();
    planner.policy.max_nodes = 3;
    let (_, report) = planner.settle(&detour());
    expect![[r#"
        mesh roofs: not planned: 4 nodes are more than the 3 planned for
    "#]]
    .assert_eq(&report.to_string());
}

/// Rings and chords, some of them lossy.
fn random_meshes() -> impl Strategy<Value = Cables> {
    const NAMES: [&str; 8] = ["a", "b", "c", "d", "e", "f", "g", "h"];
    let tq = prop_oneof![3 => Just(255u8), 2 => 200..=255u8];
    let chords = proptest::collection::btree_map((0..8usize, 0..8usize), (tq.clone(), tq.clone()), 0..6);
    (3..=8usize, proptest::collection::vec((tq.clone(), tq), 8), chords).prop_map(|(n, ring, chords)| {
        let mut cables = Cables::new(&NAMES[..n]);
        for at in 0..n {
            cables = cables.cable(NAMES[at], NAMES[(at + 1) % n], ring[at].0, ring[at].1);
        }
        for ((a, b), (a_tq, b_tq)) in chords {
            let (a, b) = (a % n, b % n);
            if a != b && (a + 1) % n != b && (b + 1) % n != a {
                cables = cables.cable(NAMES[a], NAMES[b], a_tq, b_tq);
            }
        }
        cables
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// By an independent calculation: from link deliveries multiplied along emulated ways.
    #[test]
    fn all_proposals_together_harm_nobody(cables in random_meshes()) {
        let (decisions, _) = Planner::new().settle(&cables);
        let input = PlanningInput::new(&cables.snapshot());
        let mesh = &input.meshes[&crate::testing::mesh("roofs")];
        let mut changed = mesh.network.clone();
        for decision in &decisions {
            let at = mesh.interfaces.iter().position(|interface| {
                *mesh.key(interface.node) == decision.cause.node
                    && interface.hard_ifname.as_ref() == Some(&decision.cause.hard_ifname)
            });
            changed = changed.with_hop_penalty(InterfaceIndex(at.unwrap()), decision.step.to);
            prop_assert!(decision.step.to > decision.step.from && decision.step.to <= 128);
            prop_assert!(decision.evidence.delivery_better - decision.evidence.delivery_used >= 0.05);
        }
        let mut gained = 0.0;
        for to in mesh.network.nodes() {
            let (before, after) = (mesh.network.routes_to(to), changed.routes_to(to));
            for from in mesh.network.nodes() {
                let delivery = |way: Option<Vec<LinkIndex>>| -> Option<f64> {
                    Some(way?.iter().map(|&link| mesh.network.link(link).quality.delivery()).product())
                };
                let before = delivery(before.way(&mesh.network, from));
                let after = delivery(after.way(&mesh.network, from));
                prop_assert!(after.is_some() || before.is_none());
                if let (Some(before), Some(after)) = (before, after) {
                    prop_assert!(after > before - 0.01, "{:?} to {:?}: {} then {}", from, to, before, after);
                    gained += after - before;
                }
            }
        }
        prop_assert!(decisions.is_empty() || gained > 0.04);
    }

    #[test]
    fn plans_are_the_same_for_the_same_input(cables in random_meshes()) {
        prop_assert_eq!(Planner::new().settle(&cables), Planner::new().settle(&cables));
    }
}
