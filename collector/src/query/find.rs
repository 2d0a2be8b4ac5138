//! Which node is meant? By id, by name where it is unique, or by any of its addresses, in this order.

use std::collections::BTreeSet;
use std::sync::Arc;

use mesh_proto::model::{MacAddr, NodeId};
use tonic::Status;

use crate::topology::{Node, NodeKey, TopologySnapshot};

/// Nodes named in a refusal.
const MAX_NAMED: usize = 5;

/// The node that `text`, given as the request's `field`, means.
pub(super) fn node<'a>(topology: &'a TopologySnapshot, field: &str, text: &str) -> Result<&'a Arc<Node>, Status> {
    if text.is_empty() {
        return Err(Status::invalid_argument(format!(
            "{field} is empty: give a node's id, its name, or one of its addresses"
        )));
    }
    if let Some(node) = by_id(topology, text) {
        return Ok(node);
    }
    let named = by_name(topology, text);
    let found = if named.is_empty() {
        by_address(topology, text)
    } else {
        named
    };
    let mut candidates = found.iter();
    match (candidates.next(), candidates.next()) {
        (Some(key), None) => topology.node(key).ok_or_else(|| not_found(topology, field, text)),
        (Some(_), Some(_)) => Err(Status::invalid_argument(format!(
            "{field} {text:?} is {} nodes: give the id of the one you mean: {}",
            found.len(),
            list(found.iter().copied())
        ))),
        (None, _) => Err(not_found(topology, field, text)),
    }
}

/// What people call a node, empty where nobody calls it anything.
pub(super) fn name(node: &Node) -> &str {
    node.agent.as_ref().map_or("", |agent| &agent.hello.name)
}

fn by_id<'a>(topology: &'a TopologySnapshot, text: &str) -> Option<&'a Arc<Node>> {
    topology.node(&NodeKey::Observed(NodeId::try_from(text).ok()?))
}

fn by_name<'a>(topology: &'a TopologySnapshot, text: &str) -> BTreeSet<&'a NodeKey> {
    let nodes = topology.nodes().values().filter(|node| name(node) == text);
    nodes.map(|node| &node.key).collect()
}

fn by_address<'a>(topology: &'a TopologySnapshot, text: &str) -> BTreeSet<&'a NodeKey> {
    let Ok(address) = text.parse::<MacAddr>() else {
        return BTreeSet::new();
    };
    let meshes = topology.meshes().into_iter();
    meshes.filter_map(|mesh| topology.resolve(mesh, address)).collect()
}

fn not_found(topology: &TopologySnapshot, field: &str, text: &str) -> Status {
    let known = topology.nodes().len();
    let close: Vec<_> = topology.nodes().values().filter(|node| is_close(node, text)).collect();
    let hint = match (known, close.is_empty()) {
        (0, _) => "no node is known yet: no agent has reported".to_owned(),
        (_, false) => format!("known and much like it: {}", list(close.iter().map(|node| &node.key))),
        (_, true) => format!(
            "{known} nodes are known: {}; ListNodes names all",
            list(topology.nodes().keys())
        ),
    };
    Status::not_found(format!("{field}: no node has the id, name or address {text:?}; {hint}"))
}

/// One holds the other, or both begin alike, however they are written.
fn is_close(node: &Node, text: &str) -> bool {
    const ALIKE: usize = 3;
    let text = text.to_lowercase();
    let alike = |other: &str| {
        let other = other.to_lowercase();
        let common = text.chars().zip(other.chars()).take_while(|(a, b)| a == b).count();
        !other.is_empty() && (common >= ALIKE || text.contains(&other) || other.contains(&text))
    };
    // All addresses begin alike: only the whole of one, or a part of it, tells.
    match &node.key {
        NodeKey::Observed(id) => alike(id.as_str()) || alike(name(node)),
        NodeKey::Unobserved(address) => address.to_string().contains(&text),
    }
}

fn list<'a>(keys: impl Iterator<Item = &'a NodeKey>) -> String {
    let mut keys: Vec<_> = keys.map(NodeKey::to_string).collect();
    if keys.len() > MAX_NAMED {
        let more = keys.len() - MAX_NAMED;
        keys.truncate(MAX_NAMED);
        keys.push(format!("{more} more"));
    }
    keys.join(", ")
}

#[cfg(test)]
mod tests;
