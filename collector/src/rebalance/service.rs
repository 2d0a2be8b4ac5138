//! `mesh.v1.RebalanceService` over the latest plan.

use std::sync::Arc;

use mesh_proto::pb;
use mesh_proto::pb::rebalance_service_server::RebalanceService;
use tokio::sync::watch;
use tonic::{Request, Response, Status};

use super::Plan;
use super::decision::Decision;
use crate::query::page;

/// Decisions per page where the request names no number.
const DEFAULT_PAGE: usize = 100;

/// The service. Answers from the latest plan; who may ask is settled before it is called.
#[derive(Debug, Clone)]
pub struct Decisions {
    plans: watch::Receiver<Arc<Plan>>,
}

// === impl Decisions ===

impl Decisions {
    /// Answers from what `plans` holds when asked.
    pub fn new(plans: watch::Receiver<Arc<Plan>>) -> Self {
        Self { plans }
    }

    fn plan(&self) -> Arc<Plan> {
        Arc::clone(&self.plans.borrow())
    }
}

#[tonic::async_trait]
impl RebalanceService for Decisions {
    async fn list_decisions(
        &self,
        request: Request<pb::ListDecisionsRequest>,
    ) -> Result<Response<pb::ListDecisionsResponse>, Status> {
        list(&self.plan(), request.into_inner()).map(Response::new)
    }

    async fn get_decision(
        &self,
        request: Request<pb::GetDecisionRequest>,
    ) -> Result<Response<pb::GetDecisionResponse>, Status> {
        get(&self.plan(), &request.into_inner().decision_id).map(Response::new)
    }
}

fn list(plan: &Plan, request: pb::ListDecisionsRequest) -> Result<pb::ListDecisionsResponse, Status> {
    let size = page::size(request.page_size, DEFAULT_PAGE)?;
    let after = page::decode(page::Kind::Decisions, &request.page_token, |id| Some(id.to_owned()))?;
    let wanted = match request.state() {
        pb::DecisionState::Unspecified if request.state == 0 => None,
        pb::DecisionState::Unspecified => {
            return Err(Status::invalid_argument(format!(
                "state {} is none this release knows: use DECISION_STATE_PROPOSED, DECISION_STATE_WITHDRAWN or none",
                request.state
            )));
        }
        state => Some(state),
    };
    let matches = |decision: &&Decision| {
        let mesh = &request.mesh;
        (mesh.is_empty() || decision.cause.mesh.as_str() == mesh)
            && wanted.is_none_or(|state| state == decision.state.into())
    };
    let mut decisions: Vec<_> = plan
        .decisions
        .iter()
        .filter(matches)
        .map(|decision| (decision.cause.decision_id(), decision))
        .filter(|(id, _)| after.as_ref().is_none_or(|after| id > after))
        .collect();
    decisions.sort_by(|(a, _), (b, _)| a.cmp(b));
    let (decisions, more) = page::cut(decisions.into_iter(), size);
    let last = decisions.last().filter(|_| more);
    Ok(pb::ListDecisionsResponse {
        next_page_token: last.map_or_else(String::new, |(id, _)| page::encode(page::Kind::Decisions, id)),
        decisions: decisions.into_iter().map(|(_, decision)| decision.into()).collect(),
    })
}

fn get(plan: &Plan, decision_id: &str) -> Result<pb::GetDecisionResponse, Status> {
    if decision_id.is_empty() {
        return Err(Status::invalid_argument(
            "decision_id is empty: give one that ListDecisions names",
        ));
    }
    let mut decisions = plan.decisions.iter();
    let found = decisions.find(|decision| decision.cause.decision_id() == decision_id);
    found.map_or_else(
        || {
            Err(Status::not_found(format!(
                "no decision {decision_id:?}; it may have been withdrawn long ago: ListDecisions names all {}",
                plan.decisions.len()
            )))
        },
        |decision| {
            Ok(pb::GetDecisionResponse {
                decision: Some(decision.into()),
            })
        },
    )
}

#[cfg(test)]
mod tests;
