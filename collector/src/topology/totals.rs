//! What a node's counters have come to since the collector knows it.
//!
//! A source's counter starts at zero with each incarnation; a total goes on across them and never down. A counter that
//! goes back within one incarnation (a torn read) adds nothing. A series that is absent from reports for
//! [`super::FORGET_AFTER`] is dropped, so that names that come and go cost nothing in the long run.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;

use mesh_proto::model::{Churn, IfName, MeshId, MeshView, TrafficKey};

use super::FORGET_AFTER;

/// All totals of a node. Series of the same mesh under several mesh interfaces are kept apart: add them up.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Totals {
    /// Live reports.
    pub reports: u64,
    /// Holes in the numbers of reports or records.
    pub gaps: u64,
    /// By mesh and mesh interface.
    pub meshes: BTreeMap<(MeshId, IfName), MeshTotals>,
}

/// Totals of a mesh interface.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MeshTotals {
    /// The kernel's own counters, by ethtool name.
    pub counters: BTreeMap<String, Total>,
    /// Frames.
    pub packets: BTreeMap<TrafficKey, Total>,
    /// Their bytes.
    pub bytes: BTreeMap<TrafficKey, Total>,
    /// What changed in the tables; `None`: never reported.
    pub churn: Option<ChurnTotals>,
    seen: Instant,
}

/// One counter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Total {
    /// Since the collector knows it.
    pub value: u64,
    incarnation: u64,
    last: u64,
    seen: Instant,
}

/// Totals of a [`Churn`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ChurnTotals {
    /// Path switches by cause, as in [`Cause::ALL`].
    pub path_switches: [u64; Cause::ALL.len()],
    /// Neighbors that appeared.
    pub adjacencies_up: u64,
    /// Neighbors that went.
    pub adjacencies_down: u64,
    last: Churn,
}

/// Why paths switched, as far as the collector can tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Cause {
    /// The mesh's own doing.
    Organic,
    /// A decision of ours was being carried out.
    Decision,
    /// A node or mesh interface of that mesh had just started.
    Restart,
    /// It was counted while nobody listened.
    Unknown,
}

// === impl Cause ===

impl Cause {
    /// In the order of [`ChurnTotals::path_switches`].
    pub const ALL: [Self; 4] = [Self::Organic, Self::Decision, Self::Restart, Self::Unknown];

    /// As the metrics' label.
    pub fn label(self) -> &'static str {
        match self {
            Self::Organic => "organic",
            Self::Decision => "decision",
            Self::Restart => "restart",
            Self::Unknown => "unknown",
        }
    }
}

// === impl Totals ===

impl Totals {
    /// Adds what a mesh interface reports. `cause` is asked only where paths switched, and told whether the count is
    /// one that goes on.
    pub(super) fn add(&mut self, ifname: &IfName, view: &MeshView, now: Instant, cause: impl FnOnce(bool) -> Cause) {
        let key = (view.settings.mesh.clone(), ifname.clone());
        let totals = self.meshes.entry(key).or_insert_with(|| MeshTotals {
            counters: BTreeMap::new(),
            packets: BTreeMap::new(),
            bytes: BTreeMap::new(),
            churn: None,
            seen: now,
        });
        totals.seen = now;
        for (name, value) in &view.counters {
            let at = Reading::new(view.counters_incarnation, *value, now);
            at.add_to(&mut totals.counters, name);
        }
        for (key, traffic) in &view.traffic {
            Reading::new(view.traffic_incarnation, traffic.packets, now).add_to(&mut totals.packets, key);
            Reading::new(view.traffic_incarnation, traffic.bytes, now).add_to(&mut totals.bytes, key);
        }
        if let Some(churn) = view.churn {
            ChurnTotals::add(&mut totals.churn, churn, cause);
        }
    }

    /// Drops what has not been reported for long. Copies shared totals only if there is anything to drop.
    pub(super) fn forget(totals: &mut Arc<Self>, now: Instant) {
        let fresh = |seen: Instant| now.saturating_duration_since(seen) < FORGET_AFTER;
        if totals.meshes.values().all(|mesh| mesh.all_seen().all(fresh)) {
            return;
        }
        let totals = Arc::make_mut(totals);
        totals.meshes.retain(|_, mesh| fresh(mesh.seen));
        for mesh in totals.meshes.values_mut() {
            mesh.counters.retain(|_, total| fresh(total.seen));
            mesh.packets.retain(|_, total| fresh(total.seen));
            mesh.bytes.retain(|_, total| fresh(total.seen));
        }
    }
}

// === impl MeshTotals ===

impl MeshTotals {
    fn all_seen(&self) -> impl Iterator<Item = Instant> {
        let frames = self.packets.values().chain(self.bytes.values());
        let counters = self.counters.values().chain(frames).map(|total| total.seen);
        std::iter::once(self.seen).chain(counters)
    }
}

// === impl Total ===

/// A counter as reported.
struct Reading {
    incarnation: u64,
    value: u64,
    now: Instant,
}

impl Reading {
    fn new(incarnation: u64, value: u64, now: Instant) -> Self {
        Self {
            incarnation,
            value,
            now,
        }
    }

    fn add_to<K: Ord + Clone>(self, totals: &mut BTreeMap<K, Total>, key: &K) {
        match totals.get_mut(key) {
            Some(total) => {
                let goes_on = total.incarnation == self.incarnation;
                let base = if goes_on { total.last } else { 0 };
                total.value = total.value.saturating_add(self.value.saturating_sub(base));
                total.last = self.value.max(base);
                total.incarnation = self.incarnation;
                total.seen = self.now;
            }
            None => {
                let total = Total {
                    value: self.value,
                    incarnation: self.incarnation,
                    last: self.value,
                    seen: self.now,
                };
                totals.insert(key.clone(), total);
            }
        }
    }
}

// === impl ChurnTotals ===

impl ChurnTotals {
    fn add(totals: &mut Option<Self>, churn: Churn, cause: impl FnOnce(bool) -> Cause) {
        let goes_on = totals.is_some_and(|totals| totals.last.incarnation == churn.incarnation);
        let totals = totals.get_or_insert(Self {
            path_switches: [0; Cause::ALL.len()],
            adjacencies_up: 0,
            adjacencies_down: 0,
            last: churn,
        });
        let base = if goes_on {
            totals.last
        } else {
            Churn {
                path_switches: 0,
                adjacencies_up: 0,
                adjacencies_down: 0,
                ..churn
            }
        };
        let switches = churn.path_switches.saturating_sub(base.path_switches);
        if switches > 0 {
            let total = &mut totals.path_switches[cause(goes_on) as usize];
            *total = total.saturating_add(switches);
        }
        let up = churn.adjacencies_up.saturating_sub(base.adjacencies_up);
        let down = churn.adjacencies_down.saturating_sub(base.adjacencies_down);
        totals.adjacencies_up = totals.adjacencies_up.saturating_add(up);
        totals.adjacencies_down = totals.adjacencies_down.saturating_add(down);
        totals.last = Churn {
            path_switches: churn.path_switches.max(base.path_switches),
            adjacencies_up: churn.adjacencies_up.max(base.adjacencies_up),
            adjacencies_down: churn.adjacencies_down.max(base.adjacencies_down),
            ..churn
        };
    }
}
