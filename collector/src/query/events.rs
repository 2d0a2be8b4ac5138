//! What happened, by pages.
//!
//! Entries keep their numbers, so a page goes on after the last one given: none is given twice, and one that is kept
//! throughout is given once.

use std::collections::BTreeSet;
use std::fmt::Display;
use std::time::SystemTime;

use mesh_proto::model::{DriftAction, Event, MacAddr, MeshId, NodeId};
use mesh_proto::pb;
use mesh_proto::pb::event::Detail;
use tonic::Status;

use super::{find, list, page};
use crate::history::{Entry, History, Kind, What};
use crate::topology::{NodeKey, TopologySnapshot};

/// Events per page where the request names no number.
const DEFAULT_PAGE: usize = 500;

pub(super) fn list_events(
    topology: &TopologySnapshot,
    history: &History,
    request: &pb::ListEventsRequest,
) -> Result<pb::ListEventsResponse, Status> {
    let mesh = list::mesh("mesh", &request.mesh)?;
    let node = node(topology, history, &request.node)?;
    let kinds = kinds(&request.kinds)?;
    let since = time("since", request.since.map(SystemTime::try_from))?;
    let until = time("until", request.until.map(SystemTime::try_from))?;
    let size = page::size(request.page_size, DEFAULT_PAGE)?;
    let after = page::decode(page::Kind::Events, &request.page_token, |key| key.parse().ok())?;
    let (entries, more) = history.page(after, size, |entry| {
        node.as_ref()
            .is_none_or(|node| matches!(node, NodeKey::Observed(id) if *id == entry.node))
            && (kinds.is_empty() || kinds.contains(&entry.what.kind()))
            && since.is_none_or(|since| entry.time >= since)
            && until.is_none_or(|until| entry.time < until)
            && mesh.as_ref().is_none_or(|mesh| concerns(topology, entry, mesh))
    });
    let last = entries.last().filter(|_| more);
    Ok(pb::ListEventsResponse {
        next_page_token: last.map_or_else(String::new, |entry| {
            page::encode(page::Kind::Events, &entry.sequence.to_string())
        }),
        events: entries.iter().map(|entry| event(topology, entry)).collect(),
    })
}

/// A node that has been forgotten may still have a history.
fn node(topology: &TopologySnapshot, history: &History, text: &str) -> Result<Option<NodeKey>, Status> {
    if text.is_empty() {
        return Ok(None);
    }
    match find::node(topology, "node", text) {
        Ok(node) => Ok(Some(node.key.clone())),
        Err(status) => match NodeId::try_from(text) {
            Ok(id) if history.knows(&id) => Ok(Some(NodeKey::Observed(id))),
            _ => Err(status),
        },
    }
}

fn kinds(asked: &[i32]) -> Result<BTreeSet<Kind>, Status> {
    let known = |number: &i32| {
        let kind = match pb::EventKind::try_from(*number) {
            Ok(pb::EventKind::PathSwitch) => Kind::PathSwitch,
            Ok(pb::EventKind::AdjacencyUp) => Kind::AdjacencyUp,
            Ok(pb::EventKind::AdjacencyDown) => Kind::AdjacencyDown,
            Ok(pb::EventKind::ConfigDrift) => Kind::ConfigDrift,
            Ok(pb::EventKind::GatewaySilent) => Kind::GatewaySilent,
            Ok(pb::EventKind::GatewayBack) => Kind::GatewayBack,
            Ok(pb::EventKind::GatewayGivenUp) => Kind::GatewayGivenUp,
            Ok(pb::EventKind::NodeJoined) => Kind::Joined,
            Ok(pb::EventKind::NodeLost) => Kind::Lost,
            Ok(pb::EventKind::AddressContested) => Kind::Contested,
            Ok(pb::EventKind::Unspecified) | Err(_) => {
                return Err(Status::invalid_argument(format!(
                    "kinds has {number}, which is none this release knows: use EVENT_KIND_PATH_SWITCH to \
                     EVENT_KIND_ADDRESS_CONTESTED, or none for all"
                )));
            }
        };
        Ok(kind)
    };
    asked.iter().map(known).collect()
}

fn time<E: Display>(field: &str, asked: Option<Result<SystemTime, E>>) -> Result<Option<SystemTime>, Status> {
    asked
        .transpose()
        .map_err(|error| Status::invalid_argument(format!("{field}: {error}: use a time as in 2026-01-31T12:00:00Z")))
}

/// A node's coming and going concern all its meshes.
fn concerns(topology: &TopologySnapshot, entry: &Entry, mesh: &MeshId) -> bool {
    match (mesh_of(topology, entry), entry.what.mesh_ifname()) {
        (Some(of), _) => of == mesh,
        (None, Some(_)) => false,
        (None, None) => topology
            .node(&NodeKey::Observed(entry.node.clone()))
            .is_some_and(|node| list::in_mesh(node, Some(mesh))),
    }
}

/// An agent may tell what happened before its first view.
fn mesh_of<'a>(topology: &'a TopologySnapshot, entry: &'a Entry) -> Option<&'a MeshId> {
    entry.mesh.as_ref().or_else(|| {
        let node = topology.node(&NodeKey::Observed(entry.node.clone()))?;
        node.mesh_of(entry.what.mesh_ifname()?)
    })
}

fn event(topology: &TopologySnapshot, entry: &Entry) -> pb::Event {
    let mesh = mesh_of(topology, entry);
    pb::Event {
        sequence: entry.sequence,
        time: Some(entry.time.into()),
        observed_at: Some(entry.observed_at.into()),
        kind: kind(entry.what.kind()).into(),
        node: entry.node.to_string(),
        mesh: mesh.map(ToString::to_string).unwrap_or_default(),
        mesh_ifname: entry.what.mesh_ifname().map(ToString::to_string).unwrap_or_default(),
        detail: detail(&entry.what, |address| {
            let node = mesh.and_then(|mesh| topology.resolve(mesh, address));
            node.map(ToString::to_string).unwrap_or_default()
        }),
    }
}

fn kind(kind: Kind) -> pb::EventKind {
    match kind {
        Kind::PathSwitch => pb::EventKind::PathSwitch,
        Kind::AdjacencyUp => pb::EventKind::AdjacencyUp,
        Kind::AdjacencyDown => pb::EventKind::AdjacencyDown,
        Kind::ConfigDrift => pb::EventKind::ConfigDrift,
        Kind::GatewaySilent => pb::EventKind::GatewaySilent,
        Kind::GatewayBack => pb::EventKind::GatewayBack,
        Kind::GatewayGivenUp => pb::EventKind::GatewayGivenUp,
        Kind::Joined => pb::EventKind::NodeJoined,
        Kind::Lost => pb::EventKind::NodeLost,
        Kind::Contested => pb::EventKind::AddressContested,
    }
}

fn detail(what: &What, node: impl Fn(MacAddr) -> String) -> Option<Detail> {
    match what {
        What::Told(Event::PathSwitch {
            orig_address,
            old_neigh_address,
            new_neigh_address,
            ..
        }) => Some(Detail::PathSwitch(pb::PathSwitchDetail {
            orig_address: orig_address.to_string(),
            orig_node: node(*orig_address),
            old_neigh_address: old_neigh_address.to_string(),
            old_neighbor_node: node(*old_neigh_address),
            new_neigh_address: new_neigh_address.to_string(),
            new_neighbor_node: node(*new_neigh_address),
        })),
        What::Told(Event::AdjacencyChange { key, .. }) => Some(Detail::Adjacency(pb::AdjacencyDetail {
            hard_ifname: key.hard_ifname.to_string(),
            neigh_address: key.neigh_address.to_string(),
            neighbor_node: node(key.neigh_address),
        })),
        What::Told(Event::ConfigDrift {
            setting,
            wanted,
            in_force,
            action,
            ..
        }) => Some(Detail::ConfigDrift(pb::ConfigDriftDetail {
            setting: setting.clone(),
            wanted: wanted.clone(),
            in_force: in_force.clone(),
            action: DriftAction::as_str(*action).to_owned(),
        })),
        What::Told(Event::GatewaySilent {
            orig_address,
            last_seen_msecs,
            ..
        }) => Some(Detail::Gateway(pb::GatewayDetail {
            orig_address: orig_address.to_string(),
            orig_node: node(*orig_address),
            last_seen_msecs: *last_seen_msecs,
        })),
        What::Contested { address, holder } => Some(Detail::Address(pb::AddressDetail {
            address: address.to_string(),
            holder: holder.to_string(),
        })),
        What::Joined | What::Lost => None,
    }
}

#[cfg(test)]
mod tests;
