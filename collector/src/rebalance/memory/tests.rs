use super::super::decision::{Evidence, Step};
use super::*;
use crate::testing::{ifname, mac, mesh, node};
use crate::topology::NodeKey;

fn at(seconds: u64) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000 + seconds)
}

fn cause(last: u8) -> Cause {
    Cause {
        mesh: mesh("roofs"),
        node: NodeKey::Observed(node("a")),
        hard_ifname: ifname("eth0"),
        neigh_address: mac(last),
    }
}

fn decision(cause: Cause, to: u8, now: SystemTime) -> Decision {
    Decision {
        evidence: Evidence {
            neighbor_node: NodeKey::Unobserved(cause.neigh_address),
            tq: 230,
            destination: NodeKey::Unobserved(cause.neigh_address),
            delivery_used: 0.9,
            delivery_better: 1.0,
            lossy_for: Duration::ZERO,
            better_way: Vec::new(),
        },
        cause,
        state: DecisionState::Proposed,
        generation: 1,
        proposed_at: now,
        step: Step { from: 0, to },
        predicted: Vec::new(),
        moves: 0,
    }
}

#[test]
fn cause_is_counted_over_the_window_only() {
    let (mut memory, policy) = (Memory::default(), Policy::default());
    let held: Vec<_> = (0..8)
        .map(|second| memory.note(&cause(1), true, &policy, at(second)))
        .collect();
    assert_eq!(held, [1, 2, 3, 4, 5, 6, 6, 6]);
}

#[test]
fn link_is_lossy_since_its_first_bad_cycle() {
    let (mut memory, policy) = (Memory::default(), Policy::default());
    memory.note(&cause(1), false, &policy, at(0));
    memory.end_cycle(&BTreeSet::from([cause(1)]), &policy, at(0));
    memory.end_cycle(&BTreeSet::new(), &policy, at(5));
    memory.note(&cause(1), false, &policy, at(10));
    assert_eq!(memory.lossy_for(&cause(1), at(10)), Duration::from_secs(10));
}

#[test]
fn link_that_was_good_for_a_window_starts_anew() {
    let (mut memory, policy) = (Memory::default(), Policy::default());
    memory.note(&cause(1), true, &policy, at(0));
    for second in 1..=u64::from(policy.window) {
        memory.end_cycle(&BTreeSet::new(), &policy, at(second));
    }
    memory.note(&cause(1), true, &policy, at(20));
    assert_eq!(memory.lossy_for(&cause(1), at(25)), Duration::from_secs(5));
}

#[test]
fn same_proposal_keeps_generation_and_time() {
    let (mut memory, policy) = (Memory::default(), Policy::default());
    memory.note(&cause(1), true, &policy, at(0));
    assert_eq!(memory.propose(decision(cause(1), 18, at(0)), at(0)), 1);
    assert_eq!(memory.propose(decision(cause(1), 18, at(5)), at(5)), 1);
    assert_eq!(memory.propose(decision(cause(1), 20, at(10)), at(10)), 2);
    assert_eq!(memory.proposed(&cause(1)).unwrap().proposed_at, at(0));
}

#[test]
fn withdrawn_decisions_are_bounded_in_number() {
    let mut memory = Memory::default();
    let policy = Policy {
        max_withdrawn: 2,
        ..Policy::default()
    };
    for last in 0..5 {
        memory.note(&cause(last), true, &policy, at(last.into()));
        memory.propose(decision(cause(last), 18, at(0)), at(last.into()));
    }
    for second in 10..10 + u64::from(policy.window) {
        memory.end_cycle(&BTreeSet::new(), &policy, at(second));
    }
    let left: Vec<_> = memory
        .decisions()
        .map(|decision| decision.cause.neigh_address)
        .collect();
    assert_eq!(left, [mac(3), mac(4)]);
}
