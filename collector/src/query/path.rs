//! The way a packet takes, as routed: each node's own next hop towards the destination's originator address.
//!
//! Stops where nobody tells how it goes on, and says why. Never guesses: a node without an agent, or one that has fallen
//! silent, is the end of what is known.

use std::collections::BTreeSet;

use mesh_proto::model::{MacAddr, MeshId};
use mesh_proto::pb;
use tonic::Status;

use super::{convert, find, list};
use crate::topology::{LinkKey, Node, NodeState, TopologySnapshot};

/// `BATADV_TTL`: no packet takes more hops.
const MAX_HOPS: usize = 50;

pub(super) fn path(topology: &TopologySnapshot, request: &pb::GetPathRequest) -> Result<pb::GetPathResponse, Status> {
    let src = find::node(topology, "src", &request.src)?;
    let dst = find::node(topology, "dst", &request.dst)?;
    let mesh = common_mesh(src, dst, &request.mesh)?;
    let mut walk = Walk {
        topology,
        mesh,
        dst,
        hops: Vec::new(),
    };
    let problem = walk.run(src);
    Ok(pb::GetPathResponse {
        mesh: mesh.to_string(),
        hops: walk.hops,
        complete: problem.is_none(),
        problem: problem.unwrap_or_default(),
    })
}

fn common_mesh<'a>(src: &'a Node, dst: &Node, asked: &str) -> Result<&'a MeshId, Status> {
    let meshes = |node: &'a Node| node.meshes.iter().map(|part| &part.mesh).collect::<BTreeSet<_>>();
    let theirs: BTreeSet<_> = dst.meshes.iter().map(|part| &part.mesh).collect();
    let both: Vec<_> = meshes(src).into_iter().filter(|mesh| theirs.contains(mesh)).collect();
    let names = |meshes: &[&MeshId]| {
        let names: Vec<_> = meshes.iter().map(|mesh| mesh.as_str()).collect();
        names.join(", ")
    };
    if let Some(asked) = list::mesh("mesh", asked)? {
        return both.iter().find(|mesh| ***mesh == asked).copied().ok_or_else(|| {
            let known = if both.is_empty() {
                "none".to_owned()
            } else {
                names(&both)
            };
            Status::invalid_argument(format!(
                "mesh: {} and {} are not both in {asked}; meshes of both: {known}",
                src.key, dst.key
            ))
        });
    }
    match both[..] {
        [mesh] => Ok(mesh),
        [] => Err(Status::failed_precondition(format!(
            "{} and {} have no mesh in common: there is no way between them",
            src.key, dst.key
        ))),
        _ => Err(Status::invalid_argument(format!(
            "mesh is empty, and both nodes are in several: name one of {}",
            names(&both)
        ))),
    }
}

struct Walk<'a> {
    topology: &'a TopologySnapshot,
    mesh: &'a MeshId,
    dst: &'a Node,
    hops: Vec<pb::Hop>,
}

// === impl Walk ===

impl<'a> Walk<'a> {
    /// Fills `hops`. Returns why it does not reach the destination.
    fn run(&mut self, src: &'a Node) -> Option<String> {
        let to = self.dst.mesh(self.mesh).and_then(|(part, _)| part.orig_address);
        let mut seen = BTreeSet::new();
        let mut here = src;
        loop {
            self.hops.push(pb::Hop {
                node: here.key.to_string(),
                name: find::name(here).to_owned(),
                ..pb::Hop::default()
            });
            if here.key == self.dst.key {
                return None;
            }
            if !seen.insert(&here.key) {
                return Some(format!("the routes make a loop: the packet is at {} again", here.key));
            }
            if seen.len() > MAX_HOPS {
                return Some(format!("no packet takes more than {MAX_HOPS} hops"));
            }
            let Some(to) = to else {
                return Some(format!("the originator address of {} is not known", self.dst.key));
            };
            match self.next(here, to) {
                Ok(next) => here = next,
                Err(problem) => return Some(problem),
            }
        }
    }

    /// Completes the last hop by the way on from `here`.
    fn next(&mut self, here: &'a Node, to: MacAddr) -> Result<&'a Node, String> {
        let key = &here.key;
        match here.state {
            NodeState::Live => {}
            NodeState::Stale => return Err(format!("{key} has fallen silent: which way it sends now is not known")),
            NodeState::Unobserved => return Err(format!("{key} has no agent: which way it sends is not known")),
        }
        let table = here.mesh(self.mesh).and_then(|(_, view)| Some(&view?.originators));
        let entry = table.and_then(|table| table.get(&to));
        let best = entry
            .ok_or_else(|| format!("{key} does not know the originator {to} of {}", self.dst.key))?
            .best
            .as_ref()
            .ok_or_else(|| format!("{key} knows {} but has no route to it", self.dst.key))?;
        let neighbor = self.topology.resolve(self.mesh, best.neigh_address);
        let link = LinkKey {
            mesh: self.mesh.clone(),
            hard_ifname: best.hard_ifname.clone(),
            neigh_address: best.neigh_address,
        };
        let link = here.links.get(&link).and_then(|link| link.metric);
        if let Some(hop) = self.hops.last_mut() {
            hop.hard_ifname = best.hard_ifname.to_string();
            hop.neigh_address = best.neigh_address.to_string();
            hop.neighbor_node = neighbor.map(ToString::to_string).unwrap_or_default();
            hop.tq = convert::tq(best.metric);
            hop.throughput = convert::throughput(best.metric);
            hop.link_tq = convert::tq(link);
            hop.link_throughput = convert::throughput(link);
        }
        let next = neighbor.and_then(|neighbor| self.topology.node(neighbor));
        next.map(AsRef::as_ref).ok_or_else(|| {
            format!(
                "{key} sends to {}, and whose address that is is not known",
                best.neigh_address
            )
        })
    }
}

#[cfg(test)]
mod tests;
