//! Decisions as messages.

use mesh_proto::pb;

use super::decision::{Decision, DecisionState, PredictedNextHop};

impl From<DecisionState> for pb::DecisionState {
    fn from(state: DecisionState) -> Self {
        match state {
            DecisionState::Proposed => Self::Proposed,
            DecisionState::Withdrawn => Self::Withdrawn,
        }
    }
}

impl From<&Decision> for pb::Decision {
    fn from(decision: &Decision) -> Self {
        let Decision {
            cause,
            state,
            generation,
            proposed_at,
            step,
            evidence,
            predicted,
            ..
        } = decision;
        Self {
            decision_id: cause.decision_id(),
            kind: "hop_penalty".to_owned(),
            state: pb::DecisionState::from(*state).into(),
            mesh: cause.mesh.to_string(),
            generation: *generation,
            proposed_at: Some((*proposed_at).into()),
            steps: vec![pb::Step {
                node: cause.node.to_string(),
                hard_ifname: cause.hard_ifname.to_string(),
                setting: "hop_penalty".to_owned(),
                from: step.from.into(),
                to: step.to.into(),
            }],
            summary: decision.summary(),
            evidence: Some(pb::Evidence {
                node: cause.node.to_string(),
                neighbor_node: evidence.neighbor_node.to_string(),
                hard_ifname: cause.hard_ifname.to_string(),
                neigh_address: cause.neigh_address.to_string(),
                tq: evidence.tq.into(),
                delivery_used: evidence.delivery_used,
                delivery_better: evidence.delivery_better,
                lossy_seconds: evidence.lossy_for.as_secs_f64(),
                better_way: evidence.better_way.iter().map(ToString::to_string).collect(),
            }),
            predicted: predicted.iter().map(Into::into).collect(),
        }
    }
}

impl From<&PredictedNextHop> for pb::PredictedNextHop {
    fn from(hop: &PredictedNextHop) -> Self {
        Self {
            node: hop.node.to_string(),
            orig_node: hop.destination.to_string(),
            neighbor_node_before: hop.before.to_string(),
            neighbor_node_after: hop.after.to_string(),
            tq_before: hop.tq_before.into(),
            tq_after: hop.tq_after.into(),
        }
    }
}
