//! Nodes and links by pages.
//!
//! Each page is of the topology as it is when it is asked for. Nodes keep their order while others come and go, so a node
//! that is there throughout is given once.

use std::ops::Bound;
use std::sync::Arc;

use mesh_proto::model::{MeshId, NodeId};
use mesh_proto::pb;
use tonic::Status;

use super::{convert, page};
use crate::topology::{Node, NodeKey, TopologySnapshot};

/// Nodes per page where the request names no number.
const DEFAULT_PAGE: usize = 500;

pub(super) fn topology(
    topology: &TopologySnapshot,
    request: &pb::GetTopologyRequest,
) -> Result<pb::GetTopologyResponse, Status> {
    let mesh = mesh("mesh", &request.mesh)?;
    let (nodes, next_page_token) = nodes(topology, request.page_size, &request.page_token, |node| {
        in_mesh(node, mesh.as_ref())
    })?;
    let links = nodes.iter().flat_map(|node| convert::links(node, mesh.as_ref()));
    Ok(pb::GetTopologyResponse {
        time: Some(topology.time().into()),
        version: topology.version(),
        links: links.map(|(_, link)| link).collect(),
        nodes: nodes
            .iter()
            .map(|node| convert::node(topology, node, mesh.as_ref()))
            .collect(),
        next_page_token,
    })
}

pub(super) fn list_nodes(
    topology: &TopologySnapshot,
    request: &pb::ListNodesRequest,
) -> Result<pb::ListNodesResponse, Status> {
    let mesh = mesh("mesh", &request.mesh)?;
    let wanted = match request.state() {
        pb::NodeState::Unspecified if request.state == 0 => None,
        pb::NodeState::Unspecified => {
            return Err(Status::invalid_argument(format!(
                "state {} is none this release knows: use NODE_STATE_LIVE, NODE_STATE_STALE, NODE_STATE_UNOBSERVED or none",
                request.state
            )));
        }
        state => Some(state),
    };
    let (nodes, next_page_token) = nodes(topology, request.page_size, &request.page_token, |node| {
        in_mesh(node, mesh.as_ref()) && wanted.is_none_or(|state| state == node.state.into())
    })?;
    Ok(pb::ListNodesResponse {
        nodes: nodes
            .iter()
            .map(|node| convert::node(topology, node, mesh.as_ref()))
            .collect(),
        next_page_token,
    })
}

/// The mesh a request names; `None`: none.
pub(super) fn mesh(field: &str, text: &str) -> Result<Option<MeshId>, Status> {
    if text.is_empty() {
        return Ok(None);
    }
    let mesh = MeshId::try_from(text).map_err(|error| Status::invalid_argument(format!("{field}: {error}")))?;
    Ok(Some(mesh))
}

pub(super) fn in_mesh(node: &Node, mesh: Option<&MeshId>) -> bool {
    mesh.is_none_or(|mesh| node.meshes.iter().any(|part| part.mesh == *mesh))
}

fn nodes<'a>(
    topology: &'a TopologySnapshot,
    page_size: u32,
    page_token: &str,
    wanted: impl Fn(&Node) -> bool,
) -> Result<(Vec<&'a Arc<Node>>, String), Status> {
    let size = page::size(page_size, DEFAULT_PAGE)?;
    let after = page::decode(page::Kind::Nodes, page_token, parse_key)?;
    let from = after.map_or(Bound::Unbounded, Bound::Excluded);
    let rest = topology.nodes().range((from, Bound::Unbounded)).map(|(_, node)| node);
    let (nodes, more) = page::cut(rest.filter(|node| wanted(node)), size);
    let last = nodes.last().filter(|_| more);
    let next = last.map_or_else(String::new, |node| {
        page::encode(page::Kind::Nodes, &print_key(&node.key))
    });
    Ok((nodes, next))
}

/// Unlike what people see, tells an id that looks like an address from an address.
fn print_key(key: &NodeKey) -> String {
    match key {
        NodeKey::Observed(id) => format!("o{id}"),
        NodeKey::Unobserved(address) => format!("u{address}"),
    }
}

fn parse_key(text: &str) -> Option<NodeKey> {
    match text.split_at_checked(1)? {
        ("o", id) => NodeId::try_from(id).ok().map(NodeKey::Observed),
        ("u", address) => address.parse().ok().map(NodeKey::Unobserved),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
