//! The last word on a change: emulates the mesh with and without it and compares every node's way to everywhere.
//!
//! Independent of how the change was found. Refuses what leaves a node without a way, what lets fewer frames through for
//! any pair of nodes, and what rests on something nobody reports. A link whose quality is only assumed counts as perfect
//! where it is given up, as dead where it is taken up.

use std::collections::BTreeMap;

use super::candidate::Tables;
use super::emulator::{InterfaceIndex, LinkIndex, Network, NodeIndex, Routes};
use super::input::MeshInput;
use super::policy::Policy;
use super::report::Block;

/// A route that changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Moved {
    pub(super) node: NodeIndex,
    pub(super) destination: NodeIndex,
    pub(super) before: LinkIndex,
    pub(super) after: LinkIndex,
    pub(super) tq_before: u8,
    pub(super) tq_after: u8,
}

/// What the hop penalties in `changes` would do: every next hop that moves, by destination and node; or why not.
pub(super) fn judge(
    mesh: &MeshInput,
    tables: &Tables,
    changes: &BTreeMap<InterfaceIndex, u8>,
    policy: &Policy,
) -> Result<Vec<Moved>, Block> {
    let changed = changes
        .iter()
        .fold(mesh.network.clone(), |network, (&interface, &penalty)| {
            network.with_hop_penalty(interface, penalty)
        });
    let lowered = changes
        .iter()
        .any(|(&interface, &penalty)| penalty < mesh.network.hop_penalty(interface));
    let mut moved = Vec::new();
    for destination in mesh.network.nodes() {
        let before = tables.to(destination);
        // A raised penalty matters only where its interface is on a route: nobody else hears of it.
        if lowered || uses_any(&mesh.network, before, changes) {
            let pair = Pair {
                mesh,
                destination,
                before,
                after: &changed.routes_to(destination),
                policy,
            };
            for node in mesh.network.nodes() {
                moved.extend(pair.judge(node)?);
            }
        }
    }
    Ok(moved)
}

fn uses_any(network: &Network, routes: &Routes, changes: &BTreeMap<InterfaceIndex, u8>) -> bool {
    network.nodes().any(|node| {
        routes
            .route(node)
            .is_some_and(|route| changes.contains_key(&network.link(route.link).interface))
    })
}

struct Pair<'a> {
    mesh: &'a MeshInput,
    destination: NodeIndex,
    before: &'a Routes,
    after: &'a Routes,
    policy: &'a Policy,
}

// === impl Pair ===

impl Pair<'_> {
    fn judge(&self, node: NodeIndex) -> Result<Option<Moved>, Block> {
        let destination = self.destination;
        let name = |node| self.mesh.key(node).clone();
        let Some(was) = self.before.route(node) else {
            return Ok(None);
        };
        let Some(is) = self.after.route(node) else {
            return Err(Block::Unreachable {
                node: name(node),
                destination: name(destination),
            });
        };
        let way_before = self.before.way(&self.mesh.network, node).unwrap_or_default();
        let way_after = self.after.way(&self.mesh.network, node).unwrap_or_default();
        if way_before == way_after {
            return Ok(None);
        }
        let given_up = self.delivery(&way_before, &way_after, 1.0);
        let taken_up = self.delivery(&way_after, &way_before, 0.0);
        if taken_up + self.policy.guard_tolerance < given_up {
            return Err(Block::Worse {
                node: name(node),
                destination: name(destination),
                delivery_before: given_up,
                delivery_after: taken_up,
            });
        }
        if was.link == is.link {
            return Ok(None);
        }
        self.explained(node)?;
        Ok(Some(Moved {
            node,
            destination,
            before: was.link,
            after: is.link,
            tq_before: was.tq,
            tq_after: is.tq,
        }))
    }

    /// Share of frames that get over the links of `way`; where a link's quality is assumed and `other` has not got it
    /// too, `blind`.
    fn delivery(&self, way: &[LinkIndex], other: &[LinkIndex], blind: f64) -> f64 {
        way.iter()
            .map(|link| {
                if self.mesh.is_assumed(*link) && !other.contains(link) {
                    blind
                } else {
                    self.mesh.network.link(*link).quality.delivery()
                }
            })
            .product()
    }

    /// A prediction for a route that the emulator gets wrong as it is now is worth nothing. Near ties are no error.
    fn explained(&self, node: NodeIndex) -> Result<(), Block> {
        let (Some(kernel), Some(route)) = (self.mesh.routes.get(&(node, self.destination)), self.before.route(node))
        else {
            return Ok(());
        };
        let near_tie = route.margin <= self.policy.margin_tq;
        let same_way = near_tie || self.mesh.is_hop(&kernel.best, route.link);
        if same_way && route.tq.abs_diff(kernel.best.tq) <= self.policy.model_tolerance_tq {
            Ok(())
        } else {
            Err(Block::ModelDisagrees {
                node: self.mesh.key(node).clone(),
                destination: self.mesh.key(self.destination).clone(),
            })
        }
    }
}

#[cfg(test)]
mod tests;
