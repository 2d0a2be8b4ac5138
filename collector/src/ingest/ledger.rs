//! What the collector remembers of each node's sessions: the greatest epoch, and how far its records have come.
//!
//! Kept for as long as the collector runs, so that a session from before a long silence is still fenced off: some 200
//! bytes for each id that has ever proved itself. Pure.

use std::collections::BTreeMap;

use mesh_proto::model::{Epoch, NodeId};

/// The sessions of all nodes.
#[derive(Debug, Default)]
pub struct Ledger {
    nodes: BTreeMap<NodeId, Entry>,
}

#[derive(Debug)]
struct Entry {
    epoch: Epoch,
    records: Records,
}

/// How far the records of the current incarnation have come.
#[derive(Debug, Clone, Copy)]
enum Records {
    /// The incarnation began before the collector knew the node: where its numbers stand shows with the first.
    Unknown,
    /// Up to and including this.
    UpTo(u64),
}

/// A session that may not begin: the node has had a newer one, or this very one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Outdated {
    /// The greatest epoch known.
    pub newest: Epoch,
}

/// What a batch of records brings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Arrival {
    /// Everything up to this is here, or known to be lost: to be acknowledged.
    pub high_water: u64,
    /// What was here before it came: records up to this are repeated.
    pub before: u64,
    /// Records before this batch never came.
    pub gap: bool,
}

impl Ledger {
    /// Begins a session, which fences off the node's older ones. Returns the highest record of its incarnation.
    ///
    /// # Errors
    /// [`Outdated`] unless the epoch is greater than all before.
    pub fn open(&mut self, node: &NodeId, epoch: Epoch) -> Result<u64, Outdated> {
        let records = match self.nodes.get(node) {
            None if epoch.connection == 1 => Records::UpTo(0),
            None => Records::Unknown,
            Some(entry) if epoch <= entry.epoch => return Err(Outdated { newest: entry.epoch }),
            Some(entry) if epoch.incarnation == entry.epoch.incarnation => entry.records,
            Some(_) => Records::UpTo(0),
        };
        self.nodes.insert(node.clone(), Entry { epoch, records });
        Ok(match records {
            Records::Unknown => 0,
            Records::UpTo(sequence) => sequence,
        })
    }

    /// The node's newest session is this one.
    pub fn is_current(&self, node: &NodeId, epoch: Epoch) -> bool {
        self.nodes.get(node).is_some_and(|entry| entry.epoch == epoch)
    }

    /// Takes note of `count` records, of which the first has the number `first`. `None`: a newer session has begun.
    pub fn records(&mut self, node: &NodeId, epoch: Epoch, first: u64, count: u64) -> Option<Arrival> {
        let entry = self.nodes.get_mut(node).filter(|entry| entry.epoch == epoch)?;
        let (before, gap) = match entry.records {
            Records::Unknown => (0, false),
            Records::UpTo(sequence) => (sequence, count > 0 && first > sequence.saturating_add(1)),
        };
        let last = first.saturating_add(count.saturating_sub(1));
        let high_water = if count > 0 { last.max(before) } else { before };
        if count > 0 {
            entry.records = Records::UpTo(high_water);
        }
        Some(Arrival {
            high_water,
            before,
            gap,
        })
    }
}

#[cfg(test)]
mod tests;
