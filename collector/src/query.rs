//! `mesh.v1.TopologyService`: answers from the latest topology, each from one unchanging snapshot.
//!
//! Does not decide who may ask: that is settled before a request comes here. What a request cannot mean is refused with
//! what it could.

mod convert;
mod events;
mod find;
#[cfg(test)]
pub(crate) mod fixture;
mod list;
pub(crate) mod page;
mod path;
mod watch;

use std::collections::VecDeque;
use std::sync::Arc;

use futures_util::Stream;
use mesh_proto::pb;
use mesh_proto::pb::topology_service_server::TopologyService;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch as latest};
use tokio_util::sync::CancellationToken;
use tonic::{Request, Response, Status};

use crate::history::History;
use crate::topology::TopologySnapshot;
use watch::Watcher;

/// Watchers at a time: pages and tools of a mesh's operators, with room to spare.
const MAX_WATCHERS: usize = 256;

/// The service.
#[derive(Debug, Clone)]
pub struct TopologyQueries {
    topology: latest::Receiver<Arc<TopologySnapshot>>,
    history: History,
    watchers: Arc<Semaphore>,
    shutdown: CancellationToken,
}

/// What [`TopologyService::watch_topology`] streams.
pub type TopologyChanges =
    std::pin::Pin<Box<dyn Stream<Item = Result<pb::WatchTopologyResponse, Status>> + Send + 'static>>;

// === impl TopologyQueries ===

impl TopologyQueries {
    /// Answers from what `topology` and `history` hold when asked. `shutdown` ends all watches.
    pub fn new(
        topology: latest::Receiver<Arc<TopologySnapshot>>,
        history: History,
        shutdown: CancellationToken,
    ) -> Self {
        Self {
            topology,
            history,
            watchers: Arc::new(Semaphore::new(MAX_WATCHERS)),
            shutdown,
        }
    }

    fn now(&self) -> Arc<TopologySnapshot> {
        Arc::clone(&self.topology.borrow())
    }
}

#[tonic::async_trait]
impl TopologyService for TopologyQueries {
    async fn get_topology(
        &self,
        request: Request<pb::GetTopologyRequest>,
    ) -> Result<Response<pb::GetTopologyResponse>, Status> {
        list::topology(&self.now(), request.get_ref()).map(Response::new)
    }

    type WatchTopologyStream = TopologyChanges;

    async fn watch_topology(
        &self,
        request: Request<pb::WatchTopologyRequest>,
    ) -> Result<Response<TopologyChanges>, Status> {
        let mesh = list::mesh("mesh", &request.get_ref().mesh)?;
        let permit = Arc::clone(&self.watchers).try_acquire_owned().map_err(|_| {
            Status::resource_exhausted(format!(
                "{MAX_WATCHERS} watchers are served at a time: end one, or poll GetTopology"
            ))
        })?;
        let watch = Watch {
            topology: self.topology.clone(),
            shutdown: self.shutdown.clone(),
            watcher: Watcher::new(mesh),
            ready: VecDeque::new(),
            began: false,
            _permit: permit,
        };
        Ok(Response::new(Box::pin(futures_util::stream::unfold(
            watch,
            Watch::next,
        ))))
    }

    async fn list_nodes(
        &self,
        request: Request<pb::ListNodesRequest>,
    ) -> Result<Response<pb::ListNodesResponse>, Status> {
        list::list_nodes(&self.now(), request.get_ref()).map(Response::new)
    }

    async fn get_node(&self, request: Request<pb::GetNodeRequest>) -> Result<Response<pb::GetNodeResponse>, Status> {
        let topology = self.now();
        let node = find::node(&topology, "node", &request.get_ref().node)?;
        Ok(Response::new(pb::GetNodeResponse {
            node: Some(convert::node(&topology, node, None)),
            links: convert::links(node, None).map(|(_, link)| link).collect(),
            originators: convert::routes(&topology, node).collect(),
        }))
    }

    async fn get_path(&self, request: Request<pb::GetPathRequest>) -> Result<Response<pb::GetPathResponse>, Status> {
        path::path(&self.now(), request.get_ref()).map(Response::new)
    }

    async fn list_events(
        &self,
        request: Request<pb::ListEventsRequest>,
    ) -> Result<Response<pb::ListEventsResponse>, Status> {
        events::list_events(&self.now(), &self.history, request.get_ref()).map(Response::new)
    }
}

/// One watcher's stream. It is asked for the next message only when there is room for it on the wire.
struct Watch {
    topology: latest::Receiver<Arc<TopologySnapshot>>,
    shutdown: CancellationToken,
    watcher: Watcher,
    ready: VecDeque<pb::WatchTopologyResponse>,
    began: bool,
    _permit: OwnedSemaphorePermit,
}

// === impl Watch ===

impl Watch {
    async fn next(mut self) -> Option<(Result<pb::WatchTopologyResponse, Status>, Self)> {
        loop {
            if let Some(message) = self.ready.pop_front() {
                return Some((Ok(message), self));
            }
            if std::mem::replace(&mut self.began, true) {
                // Cancel-safe: neither holds anything.
                tokio::select! {
                    () = self.shutdown.cancelled() => return None,
                    changed = self.topology.changed() => changed.ok()?,
                }
            }
            let now = Arc::clone(&self.topology.borrow_and_update());
            self.ready = self.watcher.tell(now);
        }
    }
}

#[cfg(test)]
mod tests;
