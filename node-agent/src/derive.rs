//! Makes of what was read what is true: `(state, sample, config) → views and records`. Pure.
//!
//! The kernel gives some tables torn without saying so, and none of them says what changed. Here entries that vanish
//! are held for one sample, changes of route must hold for two, and what appeared, went or switched is counted and
//! recorded. A table that cannot be read is held for a few samples and then empty; coming back is no event.
//!
//! Nothing here reads a clock, a file or the kernel.

mod attribution;
mod churn;
mod debounce;
mod incarnation;
mod mesh;
mod names;
mod neighbors;
mod routes;
mod settings;
mod silence;
mod sources;
mod tables;
mod traffic;

use std::collections::BTreeMap;
use std::time::Duration;

use mesh_proto::model::{IfName, MeshId, MeshView, ProbeStatus, Record};

use crate::sample::{Glance, Sample};
use mesh::MeshState;

pub use incarnation::counters_incarnation;

/// What does not change while the agent runs.
#[derive(Debug, Clone)]
pub struct Config {
    /// The configured mesh interfaces and the names of their meshes.
    pub meshes: BTreeMap<IfName, MeshId>,
    /// Tells one boot from another ([`crate::collect::host::boot_id`]).
    pub boot_id: String,
    /// Incarnation of [`mesh_proto::model::Churn`]: a new one each time a [`State`] is made anew.
    pub churn_incarnation: u64,
    /// Incarnation of the traffic counters: a new one each time their maps are.
    pub traffic_incarnation: u64,
}

/// What must be remembered from one sample to the next.
#[derive(Debug, Clone, Default)]
pub struct State {
    meshes: BTreeMap<IfName, MeshState>,
}

/// What one sample means.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Derived {
    /// The mesh interfaces that exist.
    pub meshes: BTreeMap<IfName, MeshView>,
    /// What happened, in the order of its time.
    pub records: Vec<Record>,
    /// Each source by name, whether it can be read, and if not, why and what is lost. Goes beside the probes.
    pub sources: BTreeMap<String, ProbeStatus>,
}

/// Takes the next sample into account. Samples are given in the order they were taken.
pub fn derive(state: &mut State, sample: &Sample, config: &Config) -> Derived {
    let mut derived = Derived {
        sources: sources::statuses(sample),
        ..Derived::default()
    };
    for (name, mesh_id) in &config.meshes {
        let Some(read) = sample.meshes.get(name) else {
            continue;
        };
        let mesh = state.meshes.entry(name.clone()).or_default();
        let view = match read {
            Ok(read) => Some(mesh.observe(name, mesh_id, read, sample, config, &mut derived.records)),
            Err(fault) if fault.is_absence() => {
                mesh.gone(name, sample.boottime_ns, &mut derived.records);
                None
            }
            Err(_) => mesh.unreadable(),
        };
        derived.meshes.extend(view.map(|view| (name.clone(), view)));
    }
    derived.records.sort_by_key(|record| record.boottime_ns);
    derived
}

/// Takes a look at the selected gateways into account. Only mesh interfaces whose gateway fell silent, or was heard or
/// given up, are among the views.
pub fn glance(state: &mut State, glance: &Glance) -> Derived {
    let mut derived = Derived::default();
    for (name, seen) in &glance.meshes {
        let view = state
            .meshes
            .get_mut(name)
            .and_then(|mesh| mesh.glance(name, seen, glance.boottime_ns, &mut derived.records));
        derived.meshes.extend(view.map(|view| (name.clone(), view)));
    }
    derived
}

// === impl State ===

impl State {
    /// How soon the selected gateways are to be looked at; `None`: there are none.
    pub fn glance_after(&self) -> Option<Duration> {
        self.meshes.values().filter_map(MeshState::glance_after).min()
    }

    /// The mesh interfaces with a selected gateway, and their indexes.
    pub fn with_gateways(&self) -> BTreeMap<IfName, u32> {
        let selected = self.meshes.iter().filter(|(_, mesh)| mesh.glance_after().is_some());
        selected
            .filter_map(|(name, mesh)| Some((name.clone(), mesh.ifindex()?)))
            .collect()
    }
}

#[cfg(test)]
mod tests;
