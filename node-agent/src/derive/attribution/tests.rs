use proptest::prelude::*;

use super::*;

const X: MacAddr = MacAddr([2, 0, 0, 0, 0, 1]);
const P: MacAddr = MacAddr([2, 0, 0, 0, 0, 2]);
const Q: MacAddr = MacAddr([2, 0, 0, 0, 0, 3]);
const KEY: (u32, MacAddr) = (1, X);

fn evidence(algorithm: Algorithm, link: u32, others: &[(MacAddr, u32)]) -> Evidence<'_> {
    Evidence {
        algorithm: Some(algorithm),
        hop_penalty: 30,
        neigh_address: X,
        link: Some(link),
        is_originator: algorithm == Algorithm::BatmanIv,
        others,
    }
}

fn once(evidence: &Evidence<'_>) -> Option<MacAddr> {
    Attribution::default().update(KEY, evidence)
}

#[test]
fn a_secondary_interface_is_attributed_to_its_primary() {
    // Q is behind the neighbor: 255 less a hop penalty of 30.
    let others = [(P, 252), (Q, 222)];
    assert_eq!(once(&evidence(Algorithm::BatmanIv, 250, &others)), Some(P));
    let others = [(P, 10_000_000), (Q, 8_823_500)];
    assert_eq!(once(&evidence(Algorithm::BatmanV, 10_000_000, &others)), Some(P));
}

#[test]
fn a_primary_interface_is_its_own_originator() {
    assert_eq!(once(&evidence(Algorithm::BatmanIv, 255, &[(Q, 222)])), Some(X));
    let mut itself = evidence(Algorithm::BatmanV, 1000, &[(Q, 1000)]);
    itself.is_originator = true;
    assert_eq!(
        once(&itself),
        Some(X),
        "on BATMAN_V only primary addresses are originators"
    );
}

/// Behind a slow link everything comes with the link's own throughput.
#[test]
fn originators_that_cannot_be_told_apart_are_not_guessed() {
    let others = [(P, 1000), (Q, 1000)];
    assert_eq!(once(&evidence(Algorithm::BatmanV, 1000, &others)), None);
}

#[test]
fn without_a_telling_hop_penalty_nothing_is_inferred() {
    let others = [(P, 255)];
    let mut flat = evidence(Algorithm::BatmanIv, 255, &others);
    flat.hop_penalty = 0;
    assert_eq!(once(&flat), Some(X));
    flat.algorithm = Some(Algorithm::BatmanV);
    flat.is_originator = false;
    assert_eq!(once(&flat), None);
}

#[test]
fn an_answer_stands_until_contradicted_twice() {
    let mut attribution = Attribution::default();
    let p = [(P, 250)];
    let q = [(Q, 250)];
    let p = evidence(Algorithm::BatmanIv, 250, &p);
    let q = evidence(Algorithm::BatmanIv, 250, &q);
    assert_eq!(attribution.update(KEY, &p), Some(P));
    assert_eq!(attribution.update(KEY, &q), Some(P));
    assert_eq!(attribution.update(KEY, &p), Some(P));
    assert_eq!(attribution.update(KEY, &q), Some(P));
    assert_eq!(attribution.update(KEY, &q), Some(Q));
}

#[test]
fn a_better_candidate_does_not_displace_one_that_still_qualifies() {
    let mut attribution = Attribution::default();
    attribution.update(KEY, &evidence(Algorithm::BatmanIv, 250, &[(P, 250)]));
    let both = [(P, 245), (Q, 250)];
    for _ in 0..5 {
        assert_eq!(
            attribution.update(KEY, &evidence(Algorithm::BatmanIv, 250, &both)),
            Some(P)
        );
    }
}

proptest! {
    #[test]
    fn constant_evidence_gives_a_constant_answer(
        link: u32, hop_penalty: u8, is_originator: bool, iv: bool,
        metrics in prop::collection::vec(any::<u32>(), 0..5),
    ) {
        let others: Vec<_> = metrics.iter().enumerate()
            .map(|(n, metric)| (MacAddr([4, 0, 0, 0, 0, n as u8]), *metric))
            .collect();
        let evidence = Evidence {
            algorithm: Some(if iv { Algorithm::BatmanIv } else { Algorithm::BatmanV }),
            hop_penalty, neigh_address: X, link: Some(link), is_originator, others: &others,
        };
        let mut attribution = Attribution::default();
        let first = attribution.update(KEY, &evidence);
        for _ in 0..5 {
            prop_assert_eq!(attribution.update(KEY, &evidence), first);
        }
        if iv && is_originator {
            prop_assert!(first.is_some());
        }
    }
}
