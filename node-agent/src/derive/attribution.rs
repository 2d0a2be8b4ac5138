//! Which originator a neighbor is.
//!
//! A neighbor is known by the address of one of its hard interfaces; a node is known as an originator by the address
//! of its primary one. Nothing in the kernel's tables says which belong together. What tells is the hop penalty:
//!
//! * A node sends its own OGMs on each of its interfaces with the full metric. So the one of its primary address `P`
//!   reaches us over the link from its interface `X` having lost to that link what `X`'s own OGMs lose to it, and no
//!   hop penalty.
//! * An OGM of another node that this neighbor passes on has lost at least one hop penalty more.
//!
//! So `P` is an originator that comes by the very neighbor `X`, with a metric not below `X`'s own by more than half of
//! what a hop penalty takes. Which penalty the neighbor has is not known here; ours stands for it, as meshes set the
//! same everywhere. Where ours is too small to tell ([`TELLING_PENALTY`]), nothing is inferred.
//!
//! The algorithms differ in what `X` itself is. BATMAN_IV: each interface sends OGMs of its own, those of interfaces
//! other than the primary travelling two hops at most; so `X` is always an originator, and stands where no `P` is
//! found. BATMAN_V: only primary addresses are originators; so an `X` that is one settles the question. Where `X` is
//! not, and the link to it is slower than what lies behind it, several originators can come with the link's own
//! metric: then the best, or the one said before, or none.
//!
//! An answer once given stands until it has been contradicted twice in a row.

use std::collections::BTreeMap;

use mesh_proto::model::{Algorithm, MacAddr};

/// Below 3 % (8 of 255) the noise of the metric is larger than the penalty. The kernel's default is 30.
const TELLING_PENALTY: u8 = 8;
/// Samples in a row that must contradict an answer.
const CONTRADICTIONS: u8 = 2;

/// Answers given, by neighbor.
#[derive(Debug, Clone, Default)]
pub(super) struct Attribution(BTreeMap<(u32, MacAddr), Answer>);

#[derive(Debug, Clone)]
struct Answer {
    originator: Option<MacAddr>,
    contradictions: u8,
}

/// What is known of a neighbor and what comes by it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Evidence<'a> {
    pub(super) algorithm: Option<Algorithm>,
    /// Ours; 30 is the kernel's default.
    pub(super) hop_penalty: u8,
    /// The neighbor's hard interface.
    pub(super) neigh_address: MacAddr,
    /// Metric of the link.
    pub(super) link: Option<u32>,
    /// The neighbor's hard interface is an originator's address too.
    pub(super) is_originator: bool,
    /// Originators that come by this neighbor on this member, and their metrics, the neighbor's own address not
    /// among them.
    pub(super) others: &'a [(MacAddr, u32)],
}

impl Attribution {
    /// The originator this neighbor is, given what was said before.
    pub(super) fn update(&mut self, key: (u32, MacAddr), evidence: &Evidence<'_>) -> Option<MacAddr> {
        let said = self.0.get(&key).and_then(|answer| answer.originator);
        let found = infer(evidence, said);
        let answer = self.0.entry(key).or_insert(Answer {
            originator: found,
            contradictions: 0,
        });
        if found == answer.originator {
            answer.contradictions = 0;
        } else {
            answer.contradictions += 1;
            if answer.originator.is_none() || answer.contradictions >= CONTRADICTIONS {
                *answer = Answer {
                    originator: found,
                    contradictions: 0,
                };
            }
        }
        answer.originator
    }

    pub(super) fn retain(&mut self, keep: impl Fn(&(u32, MacAddr)) -> bool) {
        self.0.retain(|key, _| keep(key));
    }
}

fn infer(evidence: &Evidence<'_>, said: Option<MacAddr>) -> Option<MacAddr> {
    let itself = evidence.is_originator.then_some(evidence.neigh_address);
    match evidence.algorithm? {
        Algorithm::BatmanIv => primary(evidence, said).or(itself),
        Algorithm::BatmanV => itself.or_else(|| primary(evidence, said)),
    }
}

/// The originator that lost no hop penalty on its way by this neighbor.
fn primary(evidence: &Evidence<'_>, said: Option<MacAddr>) -> Option<MacAddr> {
    let link = u64::from(evidence.link?);
    if evidence.hop_penalty < TELLING_PENALTY || link == 0 {
        return None;
    }
    // Half a penalty: metric / link >= 1 - penalty / 255 / 2.
    let floor = link * (510 - u64::from(evidence.hop_penalty));
    let unpenalized = |metric: u32| u64::from(metric) * 510 >= floor;
    let best = evidence.others.iter().map(|(_, metric)| *metric).max()?;
    if !unpenalized(best) {
        return None;
    }
    let stands = |said: &MacAddr| {
        evidence
            .others
            .iter()
            .any(|(address, metric)| address == said && unpenalized(*metric))
    };
    if let Some(said) = said.filter(stands) {
        return Some(said);
    }
    let mut equals = evidence.others.iter().filter(|(_, metric)| *metric == best);
    match (equals.next(), equals.next()) {
        (Some((address, _)), None) => Some(*address),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
