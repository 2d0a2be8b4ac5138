//! From what nodes report to what could be better: one cycle.
//!
//! Does: find lossy links that the kernel prefers for their fewer hops, find the smallest change of a hop penalty that
//! makes it take the better way, have the guard judge that change alone and together with the other proposals. Does not:
//! apply anything, read clocks, keep anything but [`Memory`].

use std::collections::{BTreeMap, BTreeSet};
use std::time::SystemTime;

use mesh_proto::model::{Algorithm, MeshId};

use super::candidate::{Improvement, Tables, improvements, lossy_links};
use super::decision::{Cause, Decision, DecisionState, Evidence, PredictedNextHop, Step};
use super::emulator::{InterfaceIndex, LinkIndex, NodeIndex};
use super::guard::{Moved, judge};
use super::input::{MeshInput, PlanningInput};
use super::memory::Memory;
use super::policy::Policy;
use super::report::{Block, Finding, MeshReport, NotPlanned, PlanningReport, Verdict};

/// Hop penalties tried for one link, the most effective first.
const TRIES: usize = 4;

/// One cycle. Returns all decisions, those withdrawn lately among them, and why there are no others.
pub fn plan(
    input: &PlanningInput,
    policy: &Policy,
    memory: &mut Memory,
    now: SystemTime,
) -> (Vec<Decision>, PlanningReport) {
    let mut report = PlanningReport::default();
    let mut seen = BTreeSet::new();
    for (name, mesh) in &input.meshes {
        let planned = match not_planned(mesh, policy) {
            Some(reason) => MeshReport::NotPlanned(reason),
            None => Cycle {
                name,
                mesh,
                policy,
                now,
                tables: Tables::new(&mesh.network),
            }
            .run(memory, &mut seen),
        };
        report.meshes.insert(name.clone(), planned);
    }
    memory.end_cycle(&seen, policy, now);
    (memory.decisions().cloned().collect(), report)
}

fn not_planned(mesh: &MeshInput, policy: &Policy) -> Option<NotPlanned> {
    if !mesh.nodes.iter().any(|node| node.live) {
        Some(NotPlanned::NothingLive)
    } else if mesh.algorithms == BTreeSet::from([Some(Algorithm::BatmanV)]) {
        Some(NotPlanned::BatmanV)
    } else if mesh.algorithms != BTreeSet::from([Some(Algorithm::BatmanIv)]) {
        Some(NotPlanned::UnknownAlgorithm)
    } else if mesh.nodes.len() > policy.max_nodes {
        Some(NotPlanned::TooManyNodes {
            nodes: mesh.nodes.len(),
            limit: policy.max_nodes,
        })
    } else {
        None
    }
}

/// One mesh in one cycle.
struct Cycle<'a> {
    name: &'a MeshId,
    mesh: &'a MeshInput,
    policy: &'a Policy,
    now: SystemTime,
    tables: Tables,
}

/// A change that would do, alone.
struct Proposal {
    interface: InterfaceIndex,
    hop_penalty: u8,
    /// What speaks for it.
    evidence: Improvement,
    moved: Vec<Moved>,
}

// === impl Cycle ===

impl Cycle<'_> {
    fn run(&self, memory: &mut Memory, seen: &mut BTreeSet<Cause>) -> MeshReport {
        let mut links: Vec<_> = lossy_links(self.mesh, self.policy)
            .into_iter()
            .filter_map(|link| Some((link, self.cause(link)?)))
            .collect();
        // What stands is looked at first, so that it neither falls to the limit nor to newer ideas.
        links.sort_by_key(|(_, cause)| memory.proposed(cause).is_none());
        let deferred = links.len().saturating_sub(self.policy.max_candidates);
        links.truncate(self.policy.max_candidates);
        let mut together = BTreeMap::new();
        let mut findings = Vec::new();
        for (link, cause) in links {
            let verdict = self.consider(link, &cause, &mut together, memory);
            findings.push(Finding {
                node: cause.node.clone(),
                hard_ifname: cause.hard_ifname.clone(),
                neighbor: self.mesh.key(self.mesh.network.link(link).to).clone(),
                tq: self.mesh.links[link.0].tq,
                verdict,
            });
            seen.insert(cause);
        }
        MeshReport::Planned {
            nodes: self.mesh.nodes.len(),
            live: self.mesh.nodes.iter().filter(|node| node.live).count(),
            findings,
            deferred,
        }
    }

    fn consider(
        &self,
        link: LinkIndex,
        cause: &Cause,
        together: &mut BTreeMap<InterfaceIndex, u8>,
        memory: &mut Memory,
    ) -> Verdict {
        let standing = memory
            .proposed(cause)
            .map(|decision| (cause.decision_id(), decision.step.to));
        let found = self
            .find(link, standing.as_ref().map(|(_, to)| *to))
            .and_then(|proposal| self.join(proposal, together));
        let held = memory.note(cause, found.is_ok(), self.policy, self.now);
        match (found, standing) {
            (Ok(proposal), standing) if standing.is_some() || held >= self.policy.needed => {
                let generation = memory.propose(self.decision(link, cause, &proposal, memory), self.now);
                together.insert(proposal.interface, proposal.hop_penalty);
                Verdict::Proposed {
                    id: cause.decision_id(),
                    generation,
                }
            }
            (Ok(_), _) => Verdict::Waiting {
                held,
                needed: self.policy.needed,
            },
            (Err(block), Some((id, _))) if held > 0 => Verdict::Lingering { id, block },
            (Err(block), _) => Verdict::Blocked(block),
        }
    }

    /// The smallest change that moves every route that is better elsewhere; where the guard refuses it, the smallest that
    /// moves all but the hardest to move, and so on. `standing` is kept while it does the same.
    fn find(&self, link: LinkIndex, standing: Option<u8>) -> Result<Proposal, Block> {
        let improvements = improvements(self.mesh, &self.tables, link, self.policy)?;
        let interface = self.mesh.network.link(link).interface;
        let mut penalties: Vec<_> = improvements.iter().map(|found| found.hop_penalty).collect();
        penalties.sort_unstable_by(|a, b| b.cmp(a));
        penalties.dedup();
        let most = penalties.first().copied().unwrap_or_default();
        let kept = standing.filter(|&to| to >= most && to - most <= self.policy.keep_within);
        let mut refused = Block::NotUsed;
        for hop_penalty in kept.into_iter().chain(penalties).take(TRIES) {
            match self.check(link, interface, hop_penalty, &improvements) {
                Ok(proposal) => return Ok(proposal),
                Err(block) => refused = block,
            }
        }
        Err(refused)
    }

    fn check(
        &self,
        link: LinkIndex,
        interface: InterfaceIndex,
        hop_penalty: u8,
        improvements: &[Improvement],
    ) -> Result<Proposal, Block> {
        let node = self.mesh.network.near_end(link);
        let change = BTreeMap::from([(interface, hop_penalty)]);
        let moved = judge(self.mesh, &self.tables, &change, self.policy)?;
        let improvements: Vec<_> = improvements
            .iter()
            .filter(|found| found.hop_penalty <= hop_penalty)
            .cloned()
            .collect();
        let stays = |found: &&Improvement| {
            let moves = |moved: &Moved| moved.node == node && moved.destination == found.destination;
            !moved.iter().any(moves)
        };
        if let Some(found) = improvements.iter().find(stays) {
            let destination = self.mesh.key(found.destination).clone();
            return Err(Block::NotConfirmed { destination });
        }
        let far_end = self.mesh.network.link(link).to;
        let evidence = plainest(improvements, far_end).ok_or(Block::NotUsed)?;
        Ok(Proposal {
            interface,
            hop_penalty,
            evidence,
            moved,
        })
    }

    /// Asks the guard about this proposal and those before it, all at once.
    fn join(&self, proposal: Proposal, together: &BTreeMap<InterfaceIndex, u8>) -> Result<Proposal, Block> {
        if together.is_empty() {
            return Ok(proposal);
        }
        let mut all = together.clone();
        let penalty = all.entry(proposal.interface).or_default();
        *penalty = proposal.hop_penalty.max(*penalty);
        match judge(self.mesh, &self.tables, &all, self.policy) {
            Ok(_) => Ok(proposal),
            Err(reason) => Err(Block::Together {
                reason: Box::new(reason),
            }),
        }
    }

    fn cause(&self, link: LinkIndex) -> Option<Cause> {
        let interface = &self.mesh.interfaces[self.mesh.network.link(link).interface.0];
        Some(Cause {
            mesh: self.name.clone(),
            node: self.mesh.key(interface.node).clone(),
            hard_ifname: interface.hard_ifname.clone()?,
            neigh_address: self.mesh.links[link.0].neigh_address?,
        })
    }

    fn decision(&self, link: LinkIndex, cause: &Cause, proposal: &Proposal, memory: &Memory) -> Decision {
        let name = |node| self.mesh.key(node).clone();
        let to = self.mesh.network.link(link).to;
        let evidence = &proposal.evidence;
        let next = |link| name(self.mesh.network.link(link).to);
        let predicted = proposal
            .moved
            .iter()
            .take(self.policy.max_predicted)
            .map(|moved| PredictedNextHop {
                node: name(moved.node),
                destination: name(moved.destination),
                before: next(moved.before),
                after: next(moved.after),
                tq_before: moved.tq_before,
                tq_after: moved.tq_after,
            });
        Decision {
            cause: cause.clone(),
            state: DecisionState::Proposed,
            generation: 1,
            proposed_at: self.now,
            step: Step {
                from: self.mesh.network.hop_penalty(proposal.interface),
                to: proposal.hop_penalty,
            },
            evidence: Evidence {
                neighbor_node: name(to),
                tq: self.mesh.links[link.0].tq,
                destination: name(evidence.destination),
                delivery_used: evidence.delivery_used,
                delivery_better: evidence.delivery_better,
                lossy_for: memory.lossy_for(cause, self.now),
                better_way: evidence.better_way.iter().map(|&node| name(node)).collect(),
            },
            predicted: predicted.collect(),
            moves: proposal.moved.len(),
        }
    }
}

/// The improvement that speaks most plainly: the link's own far end, else the greatest gain.
fn plainest(found: Vec<Improvement>, far_end: NodeIndex) -> Option<Improvement> {
    let weight = |found: &Improvement| {
        (
            found.destination == far_end,
            found.delivery_better - found.delivery_used,
        )
    };
    found.into_iter().max_by(|a, b| {
        let ((a_end, a_gain), (b_end, b_gain)) = (weight(a), weight(b));
        a_end.cmp(&b_end).then(a_gain.total_cmp(&b_gain))
    })
}

#[cfg(test)]
mod tests;
