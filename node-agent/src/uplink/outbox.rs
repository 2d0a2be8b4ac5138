//! Records that the collector does not have yet, in the order they happened.
//!
//! Bounded: when it is full the oldest go and are counted; their numbers are never given again, so the collector sees
//! the gap too. In memory only: a restart of the agent loses what was not acknowledged.

use std::collections::VecDeque;

use mesh_proto::model::Record;

/// Invariant: the records' numbers are `first..first + records.len()`, and `first ≤ next_to_send`.
#[derive(Debug)]
pub(super) struct Outbox {
    records: VecDeque<Record>,
    /// Number of the oldest kept.
    first: u64,
    /// Number of the next to go out on this connection.
    next_to_send: u64,
    capacity: usize,
    lost: u64,
}

impl Outbox {
    pub(super) fn new(capacity: usize) -> Self {
        Self {
            records: VecDeque::new(),
            first: 1,
            next_to_send: 1,
            capacity,
            lost: 0,
        }
    }

    pub(super) fn push(&mut self, record: Record) {
        if self.records.len() >= self.capacity && self.records.pop_front().is_some() {
            self.first += 1;
            self.lost += 1;
            self.next_to_send = self.next_to_send.max(self.first);
        }
        self.records.push_back(record);
    }

    /// Records that went unsent or unacknowledged, in the life of this process.
    pub(super) fn lost(&self) -> u64 {
        self.lost
    }

    /// A new connection to a collector that has everything up to `high_water`.
    pub(super) fn resume(&mut self, high_water: u64) {
        self.acknowledge(high_water);
        if high_water >= self.first + self.records.len() as u64 {
            // It remembers numbers this process has not given: go on after them, or it would take new records for old.
            self.first = high_water.saturating_add(1);
        }
        self.next_to_send = self.first;
    }

    /// The collector has everything up to `sequence`.
    pub(super) fn acknowledge(&mut self, sequence: u64) {
        while self.first <= sequence && self.records.pop_front().is_some() {
            self.first += 1;
        }
        self.next_to_send = self.next_to_send.max(self.first);
    }

    /// The next batch that goes out on this connection, with the number of its first. At most `window` records are under
    /// way. While any are, only full batches of `most` go, so that a storm of events is few messages.
    pub(super) fn take(&mut self, window: u64, most: usize) -> Option<(u64, Vec<Record>)> {
        let under_way = self.next_to_send - self.first;
        let skip = usize::try_from(under_way).ok()?;
        let room = usize::try_from(window.saturating_sub(under_way)).unwrap_or(usize::MAX);
        let ready = self.records.len().saturating_sub(skip).min(room).min(most);
        if ready == 0 || (under_way > 0 && ready < most) {
            return None;
        }
        let first = self.next_to_send;
        self.next_to_send += ready as u64;
        Some((first, self.records.iter().skip(skip).take(ready).cloned().collect()))
    }
}

#[cfg(test)]
mod tests;
