//! Is there a better way than over this lossy link, and which hop penalty makes the kernel take it?
//!
//! Looks at one link and one destination at a time, on the mesh as it is. Does not judge what the change does to others:
//! that is [`super::guard`]'s, which trusts nothing found here.

use super::emulator::{LinkIndex, Network, NodeIndex, Routes, TQ_MAX};
use super::input::{KernelRoute, MeshInput};
use super::policy::Policy;
use super::report::Block;

/// Every node's routes to every destination, by destination.
pub(super) struct Tables(Vec<Routes>);

/// A destination that is better reached another way.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Improvement {
    pub(super) destination: NodeIndex,
    /// Smallest penalty that moves the route with the policy's margin.
    pub(super) hop_penalty: u8,
    /// Expected share of frames that get there now.
    pub(super) delivery_used: f64,
    /// And by the other way.
    pub(super) delivery_better: f64,
    /// Nodes of the other way, both ends included.
    pub(super) better_way: Vec<NodeIndex>,
}

// === impl Tables ===

impl Tables {
    pub(super) fn new(network: &Network) -> Self {
        Self(network.nodes().map(|node| network.routes_to(node)).collect())
    }

    pub(super) fn to(&self, destination: NodeIndex) -> &Routes {
        &self.0[destination.0]
    }
}

/// The links to look at, the worst first: reported by a live node, lossy once hop penalties are taken out.
pub(super) fn lossy_links(mesh: &MeshInput, policy: &Policy) -> Vec<LinkIndex> {
    let worst = f64::from(policy.lossy_below) / f64::from(TQ_MAX);
    let mut links: Vec<_> = (0..mesh.links.len())
        .map(LinkIndex)
        .filter(|&link| !mesh.is_assumed(link) && mesh.network.link(link).quality.delivery() < worst)
        .collect();
    links.sort_by_key(|&link| (mesh.network.link(link).quality, link));
    links
}

/// The destinations better reached without this link, or why there is none: for the neighbor itself if it is reached
/// over the link, else for the first destination that is.
pub(super) fn improvements(
    mesh: &MeshInput,
    tables: &Tables,
    link: LinkIndex,
    policy: &Policy,
) -> Result<Vec<Improvement>, Block> {
    let node = mesh.network.near_end(link);
    let to = mesh.network.link(link).to;
    let interface = mesh.network.link(link).interface;
    if mesh.interfaces[interface.0].hop_penalty.is_none() {
        return Err(Block::NoSetting);
    }
    let mut used = mesh
        .routes
        .range((node, NodeIndex(0))..=(node, NodeIndex(usize::MAX)))
        .filter(|(_, route)| mesh.is_hop(&route.best, link))
        .map(|(&(_, destination), route)| (destination, route))
        .collect::<Vec<_>>();
    used.sort_by_key(|&(destination, _)| (destination != to, destination));
    let cut = mesh.network.with_hop_penalty(interface, u8::MAX);
    let mut found = Vec::new();
    let mut blocked = None;
    for (destination, kernel) in used {
        match improvement(mesh, tables, &cut, link, destination, kernel, policy) {
            Ok(improvement) => found.push(improvement),
            Err(block) => blocked = blocked.or(Some(block)),
        }
    }
    if found.is_empty() {
        Err(blocked.unwrap_or(Block::NotUsed))
    } else {
        Ok(found)
    }
}

fn improvement(
    mesh: &MeshInput,
    tables: &Tables,
    cut: &Network,
    link: LinkIndex,
    destination: NodeIndex,
    kernel: &KernelRoute,
    policy: &Policy,
) -> Result<Improvement, Block> {
    let node = mesh.network.near_end(link);
    let interface = mesh.network.link(link).interface;
    let before = tables.to(destination);
    let goal = || mesh.key(destination).clone();
    let without = cut.routes_to(destination);
    let disagrees = || Block::ModelDisagrees {
        node: mesh.key(node).clone(),
        destination: goal(),
    };
    let used = before.route(node).ok_or_else(disagrees)?;
    let other = without
        .route(node)
        .ok_or_else(|| Block::NoOtherWay { destination: goal() })?;
    let agrees = used.link == link && used.tq.abs_diff(kernel.best.tq) <= policy.model_tolerance_tq;
    if !agrees || !runner_up_agrees(mesh, before, &without, node, kernel, policy) {
        return Err(disagrees());
    }
    let way_used = before.way(&mesh.network, node).unwrap_or_default();
    let way = without.way(&mesh.network, node).unwrap_or_default();
    if let Some(&blind) = way.iter().find(|&&link| mesh.is_assumed(link)) {
        let node = mesh.key(mesh.network.near_end(blind)).clone();
        return Err(Block::ThroughUnobserved { node });
    }
    let (delivery_used, delivery_better) = (delivery(&mesh.network, &way_used), delivery(&mesh.network, &way));
    if delivery_better - delivery_used < policy.min_gain {
        return Err(Block::GainTooSmall {
            destination: goal(),
            delivery_used,
            delivery_better,
        });
    }
    let h = mesh.network.hop_penalty(interface);
    let hop_penalty = steering_penalty(used.tq, other.tq, h, policy.margin_tq)
        .filter(|&penalty| penalty <= policy.max_hop_penalty)
        .ok_or_else(|| Block::PenaltyTooHigh {
            destination: goal(),
            limit: policy.max_hop_penalty,
        })?;
    let stations = way.iter().map(|&link| mesh.network.link(link).to);
    Ok(Improvement {
        destination,
        hop_penalty,
        delivery_used,
        delivery_better,
        better_way: std::iter::once(node).chain(stations).collect(),
    })
}

/// Where the other way is the kernel's own second choice, and its first neighbor already goes that way, the kernel's
/// figure for it must be the emulator's too.
fn runner_up_agrees(
    mesh: &MeshInput,
    before: &Routes,
    without: &Routes,
    node: NodeIndex,
    kernel: &KernelRoute,
    policy: &Policy,
) -> bool {
    let (Some(other), Some(runner_up)) = (without.route(node), &kernel.runner_up) else {
        return true;
    };
    let next = mesh.network.link(other.link).to;
    !mesh.is_hop(runner_up, other.link)
        || before.route(next) != without.route(next)
        || other.tq.abs_diff(runner_up.tq) <= policy.model_tolerance_tq
}

/// The smallest hop penalty `h` of the interface that way A enters by, at which way B wins by `margin`:
/// TQ_A falls to `TQ_A · (255 − h) / (255 − now)`, so `h > 255 − (255 − now) · (TQ_B − margin) / TQ_A`.
///
/// `None` where no penalty below 255 does it.
pub(super) fn steering_penalty(tq_a: u8, tq_b: u8, now: u8, margin: u8) -> Option<u8> {
    let goal = (TQ_MAX - u32::from(now)) * u32::from(tq_b.checked_sub(margin)?);
    let tq_a = u32::from(tq_a).max(1);
    // Where the division leaves nothing the two would be level, and level is not a win.
    let level = goal.is_multiple_of(tq_a);
    let passed = (goal / tq_a).checked_sub(u32::from(level))?;
    let penalty = TQ_MAX.checked_sub(passed.min(TQ_MAX))?;
    u8::try_from(penalty)
        .ok()
        .filter(|&penalty| penalty > now && penalty < u8::MAX)
}

/// Expected share of frames that get over all these links.
pub(super) fn delivery(network: &Network, way: &[LinkIndex]) -> f64 {
    way.iter().map(|&link| network.link(link).quality.delivery()).product()
}

#[cfg(test)]
mod tests;
