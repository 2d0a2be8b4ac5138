//! Holds what vanishes from a table until it has been absent twice in a row.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

/// Reads in a row in which an entry must be absent before it counts as gone: dumps of originators, neighbors and the
/// global translation table lose entries under concurrent changes, and nothing says so.
const ABSENT_READS: u8 = 2;
/// Failed reads in a row through which a table is held. Longer, and old state would pass for present.
const HELD_READS: u8 = 3;

/// A table whose entries do not flicker.
#[derive(Debug, Clone)]
pub(super) struct Debounced<K, V> {
    entries: BTreeMap<K, Held<V>>,
    /// Read at least once since it was last empty for want of reads: what appears from now on is new.
    primed: bool,
    failed_reads: u8,
}

#[derive(Debug, Clone)]
struct Held<V> {
    value: V,
    absences: u8,
}

/// What a read changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Changes<K> {
    pub(super) appeared: Vec<K>,
    pub(super) gone: Vec<K>,
}

impl<K, V> Default for Debounced<K, V> {
    fn default() -> Self {
        Self {
            entries: BTreeMap::new(),
            primed: false,
            failed_reads: 0,
        }
    }
}

impl<K> Default for Changes<K> {
    fn default() -> Self {
        Self {
            appeared: Vec::new(),
            gone: Vec::new(),
        }
    }
}

impl<K: Ord + Clone, V> Debounced<K, V> {
    /// A read that succeeded. The first one changes nothing: what is there then was there before. One that the kernel
    /// called torn says nothing of what it lacks.
    pub(super) fn read(&mut self, table: impl IntoIterator<Item = (K, V)>, torn: bool) -> Changes<K> {
        let mut changes = Changes::default();
        for held in self.entries.values_mut() {
            held.absences = held.absences.saturating_add(u8::from(!torn));
        }
        for (key, value) in table {
            match self.entries.entry(key) {
                Entry::Occupied(mut held) => {
                    *held.get_mut() = Held { value, absences: 0 };
                }
                Entry::Vacant(place) => {
                    if self.primed {
                        changes.appeared.push(place.key().clone());
                    }
                    place.insert(Held { value, absences: 0 });
                }
            }
        }
        changes.gone = self
            .entries
            .extract_if(.., |_, held| held.absences >= ABSENT_READS)
            .map(|(key, _)| key)
            .collect();
        self.primed = true;
        self.failed_reads = 0;
        changes
    }

    /// A read that failed.
    pub(super) fn failed(&mut self) {
        self.failed_reads = self.failed_reads.saturating_add(1);
        if self.failed_reads > HELD_READS {
            self.entries.clear();
            self.primed = false;
        }
    }

    /// It is certain that the table is empty now; what was in it is returned.
    pub(super) fn emptied(&mut self) -> Vec<K> {
        self.primed = true;
        self.failed_reads = 0;
        std::mem::take(&mut self.entries).into_keys().collect()
    }

    /// It was read at least once, and not too long ago.
    pub(super) fn known(&self) -> bool {
        self.primed
    }

    /// Every entry, and whether it was in the last read.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&K, &V, bool)> {
        self.entries
            .iter()
            .map(|(key, held)| (key, &held.value, held.absences == 0))
    }

    pub(super) fn get(&self, key: &K) -> Option<&V> {
        self.entries.get(key).map(|held| &held.value)
    }
}

#[cfg(test)]
mod tests;
