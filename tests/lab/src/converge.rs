//! Whether every node has a route to every other one, read from `batctl`'s originator tables.

use std::collections::BTreeSet;

use anyhow::{Context as _, Result};
use serde::Deserialize;
use serde_json::Value;

use crate::plan::Plan;
use crate::table;
use crate::topology::Topology;
use crate::wait::Look;

#[cfg(test)]
mod tests;

/// One row of `batctl meshif bat0 oj`.
#[derive(Debug, Clone, Deserialize)]
pub struct Originator {
    /// The originator's address.
    pub orig_address: String,
    /// The neighbor this row's route goes by.
    pub neigh_address: String,
    /// The hard interface it goes out of.
    pub hard_ifname: String,
    /// Whether it is the selected route.
    #[serde(default)]
    pub best: bool,
    /// BATMAN_IV: transmit quality, 0 to 255.
    pub tq: Option<u8>,
    /// BATMAN_V: throughput in kbit/s.
    pub throughput: Option<u64>,
}

/// The originator table of a node, by batctl.
///
/// # Errors
/// If batctl fails or prints something else.
pub fn originators(node: &str) -> Result<Vec<Originator>> {
    let row = |row: &Value| Originator::deserialize(row).with_context(|| format!("{row} is no originator"));
    table::rows(node, "bat0", "oj")?.iter().map(row).collect()
}

/// Whether each node has a selected route to each node it can reach by links, with a metric above zero.
///
/// A table that cannot be read is not there yet: the kernel refuses it until the primary interface has sent its
/// first originator message.
#[must_use]
pub fn look(topology: &Topology, plan: &Plan) -> Look<()> {
    let tables: Result<Vec<_>> = plan.nodes.iter().map(|node| originators(&node.id)).collect();
    let missing = match tables {
        Ok(tables) => missing_routes(topology, plan, &tables),
        Err(error) => return Look::Pending(format!("{error:#}")),
    };
    match missing.first() {
        None => Look::Ready(()),
        Some(first) => Look::Pending(format!("{} routes missing, among them {first}", missing.len())),
    }
}

/// The routes that are not there, as `from to`, given each node's table in the topology's order.
fn missing_routes(topology: &Topology, plan: &Plan, tables: &[Vec<Originator>]) -> Vec<String> {
    let mut missing = Vec::new();
    for (i, (node, table)) in plan.nodes.iter().zip(tables).enumerate() {
        let reached: BTreeSet<&str> = table
            .iter()
            .filter(|row| row.best && (row.tq.is_some_and(|tq| tq > 0) || row.throughput.is_some_and(|t| t > 0)))
            .map(|row| row.orig_address.as_str())
            .collect();
        for other in topology.reach(i).into_iter().filter(|other| *other != i) {
            let other = &plan.nodes[other];
            if other.originator().is_some_and(|mac| !reached.contains(mac)) {
                missing.push(format!("{} to {}", node.id, other.id));
            }
        }
    }
    missing
}
