//! Counts of changes, kept across mesh interfaces of the same name.

use mesh_proto::model::{Churn, ChurnMethod, Event, IfName, NeighborKey, Record};

use super::debounce::Changes;
use super::routes::Switch;
use crate::sample::ProbeSwitches;

#[derive(Debug, Clone, Default)]
pub(super) struct Counts {
    path_switches: u64,
    adjacencies_up: u64,
    adjacencies_down: u64,
    /// Index of the mesh interface and what the probe had counted on it.
    probed: Option<(u32, u64)>,
}

impl Counts {
    pub(super) fn adjacencies(
        &mut self,
        mesh_ifname: &IfName,
        changes: Changes<NeighborKey>,
        boottime_ns: u64,
        records: &mut Vec<Record>,
    ) {
        self.adjacencies_up += changes.appeared.len() as u64;
        self.adjacencies_down += changes.gone.len() as u64;
        let gone = changes.gone.into_iter().map(|key| (key, false));
        let appeared = changes.appeared.into_iter().map(|key| (key, true));
        records.extend(gone.chain(appeared).map(|(key, up)| Record {
            boottime_ns,
            event: Event::AdjacencyChange {
                mesh_ifname: mesh_ifname.clone(),
                key,
                up,
            },
        }));
    }

    /// Switches seen by comparing samples.
    pub(super) fn polled(
        &mut self,
        mesh_ifname: &IfName,
        switches: &[Switch],
        boottime_ns: u64,
        records: &mut Vec<Record>,
    ) {
        self.probed = None;
        self.path_switches += switches.len() as u64;
        records.extend(switches.iter().map(|switch| Record {
            boottime_ns,
            event: Event::PathSwitch {
                mesh_ifname: mesh_ifname.clone(),
                orig_address: switch.orig_address,
                old_neigh_address: switch.old_neigh_address,
                new_neigh_address: switch.new_neigh_address,
                method: ChurnMethod::Polling,
            },
        }));
    }

    /// Switches the kernel made. Its counts begin anew with each probe and each mesh interface; these here do not.
    pub(super) fn probed(
        &mut self,
        mesh_ifname: &IfName,
        mesh_ifindex: u32,
        probe: &ProbeSwitches,
        records: &mut Vec<Record>,
    ) {
        let count = probe.counts.get(&mesh_ifindex).copied().unwrap_or(0);
        let before = self
            .probed
            .filter(|(ifindex, before)| *ifindex == mesh_ifindex && *before <= count)
            .map_or(0, |(_, before)| before);
        self.path_switches += count - before;
        self.probed = Some((mesh_ifindex, count));
        let events = probe.events.iter().filter(|event| event.mesh_ifindex == mesh_ifindex);
        records.extend(events.map(|event| Record {
            boottime_ns: event.boottime_ns,
            event: Event::PathSwitch {
                mesh_ifname: mesh_ifname.clone(),
                orig_address: event.orig_address,
                old_neigh_address: event.old_neigh_address,
                new_neigh_address: event.new_neigh_address,
                method: ChurnMethod::Probe,
            },
        }));
    }

    pub(super) fn view(&self, incarnation: u64, method: ChurnMethod) -> Churn {
        Churn {
            incarnation,
            method,
            path_switches: self.path_switches,
            adjacencies_up: self.adjacencies_up,
            adjacencies_down: self.adjacencies_down,
        }
    }
}
