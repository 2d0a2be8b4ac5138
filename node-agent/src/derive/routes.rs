//! Originators and the ways to them; path switches by comparing one sample with the next.
//!
//! Polled switches are a lower bound: one there and back between two samples is missed, and so is one that does not
//! hold for two. What is *shown* is the kernel's word of this sample; what is *counted* is what held.

use std::collections::BTreeMap;

use mesh_proto::model::{LastSeen, MacAddr, Metric, NextHop, Originator, Throughput, Tq};

use super::debounce::Debounced;
use super::names::Names;
use super::neighbors::{LinkKey, number};
use crate::netlink::batadv;
use crate::sample::Read;

/// Originator, member, next hop.
type RowKey = (MacAddr, LinkKey);

/// The kernel's table, each row held through one read that lacks it.
#[derive(Debug, Clone, Default)]
pub(super) struct Rows(Debounced<RowKey, batadv::Originator>);

/// What was the way in use, by originator.
#[derive(Debug, Clone, Default)]
pub(super) struct Routes(BTreeMap<MacAddr, Route>);

#[derive(Debug, Clone, Default)]
struct Route {
    /// As counted: it held for two samples, or it is the first.
    confirmed: Option<LinkKey>,
    /// What the last sample said instead.
    pending: Option<Option<LinkKey>>,
}

/// A next hop replaced by another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Switch {
    pub(super) orig_address: MacAddr,
    pub(super) old_neigh_address: MacAddr,
    pub(super) new_neigh_address: MacAddr,
}

impl Rows {
    pub(super) fn read(&mut self, read: &Read<batadv::Dump<batadv::Originator>>) {
        match read {
            Ok(dump) => {
                let rows = dump.entries.iter().map(|row| {
                    let link = (row.hard_ifindex, row.neigh_address);
                    ((row.orig_address, link), row.clone())
                });
                self.0.read(rows, dump.torn);
            }
            Err(_) => self.0.failed(),
        }
    }

    /// Metric of the way to that originator by that neighbor.
    pub(super) fn metric(&self, orig_address: MacAddr, link: LinkKey) -> Option<Metric> {
        metric(self.0.get(&(orig_address, link))?)
    }

    /// There is a way to it.
    pub(super) fn has_originator(&self, address: MacAddr) -> bool {
        self.0.iter().any(|((orig_address, _), _, _)| *orig_address == address)
    }

    /// Originators and their metrics by the neighbor they come by.
    pub(super) fn by_neighbor(&self) -> BTreeMap<LinkKey, Vec<(MacAddr, u32)>> {
        let mut by_neighbor: BTreeMap<LinkKey, Vec<_>> = BTreeMap::new();
        for ((orig_address, link), row, _) in self.0.iter() {
            if let Some(metric) = metric(row) {
                by_neighbor
                    .entry(*link)
                    .or_default()
                    .push((*orig_address, number(metric)));
            }
        }
        by_neighbor
    }

    pub(super) fn known(&self) -> bool {
        self.0.known()
    }

    pub(super) fn emptied(&mut self) {
        self.0.emptied();
    }

    /// Rows by originator, those of the last read first, the way in use first of all, then by metric.
    fn by_originator(&self) -> BTreeMap<MacAddr, Vec<&batadv::Originator>> {
        let mut grouped: BTreeMap<MacAddr, Vec<_>> = BTreeMap::new();
        for ((orig_address, _), row, present) in self.0.iter() {
            grouped.entry(*orig_address).or_default().push((row, present));
        }
        grouped
            .into_iter()
            .map(|(orig_address, mut rows)| {
                // A row that was the way in use and is held is not, when this read has another.
                rows.sort_by_key(|(row, present)| {
                    let number = metric(row).map(number);
                    std::cmp::Reverse((row.best, *present, number))
                });
                (orig_address, rows.into_iter().map(|(row, _)| row).collect())
            })
            .collect()
    }
}

impl Routes {
    /// What to show, and what has switched.
    pub(super) fn update(&mut self, rows: &Rows, names: &Names) -> (BTreeMap<MacAddr, Originator>, Vec<Switch>) {
        let grouped = rows.by_originator();
        self.0.retain(|orig_address, _| grouped.contains_key(orig_address));
        let mut switches = Vec::new();
        let mut view = BTreeMap::new();
        for (orig_address, rows) in grouped {
            let in_use = rows.iter().find(|row| row.best).map(|row| link(row));
            let route = self.0.entry(orig_address).or_default();
            if let Some((old, new)) = route.observe(in_use) {
                switches.push(Switch {
                    orig_address,
                    old_neigh_address: old.1,
                    new_neigh_address: new.1,
                });
            }
            // A table that names no way in use for the first time may be torn.
            let shown = in_use.or(route.confirmed);
            let best = rows.iter().find(|row| Some(link(row)) == shown);
            let runner_up = rows.iter().find(|row| Some(link(row)) != shown);
            let last_seen = rows.iter().map(|row| row.last_seen_msecs).min().unwrap_or_default();
            let originator = Originator {
                best: best.and_then(|row| next_hop(row, names)),
                runner_up: runner_up.and_then(|row| next_hop(row, names)),
                last_seen: LastSeen::from_millis(last_seen),
            };
            view.insert(orig_address, originator);
        }
        (view, switches)
    }

    pub(super) fn emptied(&mut self) {
        self.0.clear();
    }
}

impl Route {
    /// The old and the new way, when the new one has now held for two samples.
    fn observe(&mut self, in_use: Option<LinkKey>) -> Option<(LinkKey, LinkKey)> {
        if in_use == self.confirmed {
            self.pending = None;
            return None;
        }
        let held = self.pending == Some(in_use);
        if self.confirmed.is_none() || held {
            let old = std::mem::replace(&mut self.confirmed, in_use);
            self.pending = None;
            return old.zip(in_use);
        }
        self.pending = Some(in_use);
        None
    }
}

fn link(row: &batadv::Originator) -> LinkKey {
    (row.hard_ifindex, row.neigh_address)
}

fn metric(row: &batadv::Originator) -> Option<Metric> {
    let tq = row.tq.map(|tq| Metric::Tq(Tq(tq)));
    tq.or_else(|| row.throughput.map(|kbit| Metric::Throughput(Throughput(kbit))))
}

fn next_hop(row: &batadv::Originator, names: &Names) -> Option<NextHop> {
    Some(NextHop {
        neigh_address: row.neigh_address,
        hard_ifname: names.get(row.hard_ifindex)?.clone(),
        metric: metric(row),
    })
}

#[cfg(test)]
mod tests;
