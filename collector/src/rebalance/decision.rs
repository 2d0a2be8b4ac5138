//! A decision as the planner makes it and operators read it.

use std::time::{Duration, SystemTime};

use mesh_proto::model::{IfName, MacAddr, MeshId};

use crate::topology::NodeKey;

/// What a decision is about: one direction of a link, by the end that sends. Equal causes are one decision.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Cause {
    /// In this mesh.
    pub mesh: MeshId,
    /// The end whose setting changes.
    pub node: NodeKey,
    /// Its hard interface.
    pub hard_ifname: IfName,
    /// The far end.
    pub neigh_address: MacAddr,
}

/// Whether a decision is to be considered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DecisionState {
    /// Yes.
    Proposed,
    /// No more: what it was for has passed.
    Withdrawn,
}

/// A change of settings that would make the mesh better.
#[derive(Debug, Clone, PartialEq)]
pub struct Decision {
    /// What it is about. Its id follows from it.
    pub cause: Cause,
    /// Whether it is to be considered.
    pub state: DecisionState,
    /// Raised with each change of state, steps or predicted next hops; from 1.
    pub generation: u64,
    /// When it was first proposed, or again after it had been withdrawn.
    pub proposed_at: SystemTime,
    /// What to set.
    pub step: Step,
    /// Why.
    pub evidence: Evidence,
    /// What would come of it: every next hop that moves, up to the policy's limit.
    pub predicted: Vec<PredictedNextHop>,
    /// How many next hops move in all.
    pub moves: usize,
}

/// A hop penalty to set on the cause's hard interface.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Step {
    /// As it is.
    pub from: u8,
    /// As it should be.
    pub to: u8,
}

/// What speaks for a decision.
#[derive(Debug, Clone, PartialEq)]
pub struct Evidence {
    /// Node of the link's far end.
    pub neighbor_node: NodeKey,
    /// The link's TQ as reported.
    pub tq: u8,
    /// The destination that the rest speaks of.
    pub destination: NodeKey,
    /// Share of frames that arrive there now, 0 to 1.
    pub delivery_used: f64,
    /// Share of frames that would.
    pub delivery_better: f64,
    /// For how long the link has been lossy.
    pub lossy_for: Duration,
    /// The better way, both ends included.
    pub better_way: Vec<NodeKey>,
}

/// A next hop that moves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PredictedNextHop {
    /// Whose.
    pub node: NodeKey,
    /// Towards this node.
    pub destination: NodeKey,
    /// Next node now.
    pub before: NodeKey,
    /// Next node then.
    pub after: NodeKey,
    /// TQ of the whole way now.
    pub tq_before: u8,
    /// TQ of the whole way then.
    pub tq_after: u8,
}

// === impl Cause ===

impl Cause {
    /// Names the decision about this cause, the same in every cycle and after every restart.
    pub fn decision_id(&self) -> String {
        let Self {
            mesh,
            node,
            hard_ifname,
            neigh_address,
        } = self;
        format!("hop_penalty/{mesh}/{node}/{hard_ifname}/{neigh_address}")
    }
}

// === impl Decision ===

impl Decision {
    /// The decision in a sentence.
    pub fn summary(&self) -> String {
        let Self {
            cause,
            step,
            evidence,
            moves,
            ..
        } = self;
        let relays = evidence.better_way.iter().skip(1);
        let relays: Vec<_> = relays
            .take(evidence.better_way.len().saturating_sub(2))
            .map(NodeKey::to_string)
            .collect();
        format!(
            "Raise the hop penalty of {} on {} from {} to {}: its link to {} loses frames (TQ {}), yet the kernel \
             prefers it for having fewer hops; to {} {:.0} % of frames arrive, by {} {:.0} % would; {moves} next {} move.",
            cause.hard_ifname,
            cause.node,
            step.from,
            step.to,
            evidence.neighbor_node,
            evidence.tq,
            evidence.destination,
            evidence.delivery_used * 100.0,
            relays.join(", "),
            evidence.delivery_better * 100.0,
            if *moves == 1 { "hop would" } else { "hops would" },
        )
    }

    /// Whether the other one asks for the same and promises the same.
    pub(super) fn same_content(&self, other: &Self) -> bool {
        let hops = |decision: &Self| {
            let keys = decision.predicted.iter();
            keys.map(|hop| (hop.node.clone(), hop.destination.clone(), hop.after.clone()))
                .collect::<Vec<_>>()
        };
        self.state == other.state && self.step == other.step && self.moves == other.moves && hops(self) == hops(other)
    }
}
