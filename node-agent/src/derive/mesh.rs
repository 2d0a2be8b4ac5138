//! What is remembered of one mesh interface, and how a sample changes it.

use std::collections::BTreeMap;
use std::time::Duration;

use mesh_proto::model::{ChurnMethod, IfName, MacAddr, MeshId, MeshView, Record};

use super::churn::Counts;
use super::debounce::{Changes, Debounced};
use super::incarnation::counters_incarnation;
use super::names::Names;
use super::neighbors::{Context, Neighbors};
use super::routes::{Routes, Rows};
use super::silence::Silence;
use super::{Config, settings, tables, traffic};
use crate::netlink::batadv;
use crate::sample::{GatewayGlance, MeshSample, Read, Sample};

/// Samples through which the last view stands in for a mesh interface that could not be asked for.
const HELD_SAMPLES: u8 = 3;

#[derive(Debug, Clone, Default)]
pub(super) struct MeshState {
    /// `None`: there was none when last asked.
    ifindex: Option<u32>,
    settings: Option<batadv::Mesh>,
    hard_interfaces: Debounced<u32, batadv::HardInterface>,
    rows: Rows,
    routes: Routes,
    neighbors: Neighbors,
    gateways: Debounced<MacAddr, batadv::Gateway>,
    silence: Silence,
    counts: Counts,
    last: Option<MeshView>,
    unread: u8,
}

impl MeshState {
    pub(super) fn observe(
        &mut self,
        name: &IfName,
        mesh_id: &MeshId,
        read: &MeshSample,
        sample: &Sample,
        config: &Config,
        records: &mut Vec<Record>,
    ) -> MeshView {
        // Another index is another interface, though nobody saw the first one go.
        if self.ifindex.is_some_and(|ifindex| ifindex != read.ifindex) {
            self.gone(name, sample.boottime_ns, records);
        }
        self.ifindex = Some(read.ifindex);
        let names = Names::new(read);
        if let Ok(settings) = &read.settings {
            self.silence.configured(settings.orig_interval);
            self.settings = Some(settings.clone());
        }
        let silence = self.silence.look(&read.gateways, &read.originators, sample.boottime_ns);
        records.extend(
            silence
                .into_iter()
                .map(|change| change.record(name, sample.boottime_ns)),
        );
        note(&mut self.hard_interfaces, &read.hard_interfaces, |entry| {
            entry.hard_ifindex
        });
        note(&mut self.gateways, &read.gateways, |entry| entry.orig_address);
        self.rows.read(&read.originators);
        let changes = self.neighbors.read(&read.neighbors, &names);
        self.counts.adjacencies(name, changes, sample.boottime_ns, records);
        let (originators, switches) = self.routes.update(&self.rows, &names);
        let method = if let Some(probe) = &sample.path_switches {
            self.counts.probed(name, read.ifindex, probe, records);
            ChurnMethod::Probe
        } else {
            self.counts.polled(name, &switches, sample.boottime_ns, records);
            ChurnMethod::Polling
        };
        let algorithm = self.settings.as_ref().and_then(settings::algorithm);
        let context = Context {
            algorithm,
            hop_penalty: self.settings.as_ref().and_then(|mesh| mesh.hop_penalty),
            own_address: self.settings.as_ref().and_then(|mesh| mesh.hard_address),
            rows: &self.rows,
        };
        // What cannot be seen is not counted either; a count of zero would claim that nothing happened.
        let counted = self.neighbors.known() && (self.rows.known() || method == ChurnMethod::Probe);
        let view = MeshView {
            settings: settings::settings(mesh_id, self.settings.as_ref()),
            hard_interfaces: settings::hard_interfaces(&self.hard_interfaces, &read.members, algorithm),
            neighbors: self.neighbors.view(&context),
            originators,
            gateways: tables::gateways(&self.gateways, &self.rows, &names, algorithm, self.silence.silent()),
            tables: tables::sizes(read),
            counters_incarnation: counters_incarnation(&config.boot_id, read.ifindex),
            counters: read.counters.clone().unwrap_or_default(),
            traffic_incarnation: config.traffic_incarnation,
            traffic: traffic::traffic(sample.traffic.as_deref().unwrap_or_default(), &names),
            churn: counted.then(|| self.counts.view(config.churn_incarnation, method)),
        };
        self.unread = 0;
        self.last = Some(view.clone());
        view
    }

    /// The mesh interface is not there: its links are down, its routes lost.
    pub(super) fn gone(&mut self, name: &IfName, boottime_ns: u64, records: &mut Vec<Record>) {
        let changes = Changes {
            gone: self.neighbors.emptied(),
            appeared: Vec::new(),
        };
        self.counts.adjacencies(name, changes, boottime_ns, records);
        let silence = self.silence.ended(boottime_ns);
        records.extend(silence.map(|change| change.record(name, boottime_ns)));
        self.rows.emptied();
        self.routes.emptied();
        self.gateways.emptied();
        self.hard_interfaces.emptied();
        self.settings = None;
        self.last = None;
        self.ifindex = None;
    }

    /// A look at the gateways alone. `None`: none fell silent, or was heard or given up.
    pub(super) fn glance(
        &mut self,
        name: &IfName,
        seen: &GatewayGlance,
        boottime_ns: u64,
        records: &mut Vec<Record>,
    ) -> Option<MeshView> {
        let changes = self.silence.look(&seen.gateways, &seen.originators, boottime_ns);
        if changes.is_empty() {
            return None;
        }
        records.extend(changes.into_iter().map(|change| change.record(name, boottime_ns)));
        let silent = self.silence.silent();
        let view = self.last.as_mut()?;
        for (address, gateway) in &mut view.gateways {
            gateway.silent = silent == Some(*address);
        }
        Some(view.clone())
    }

    pub(super) fn glance_after(&self) -> Option<Duration> {
        self.silence.look_after()
    }

    pub(super) fn ifindex(&self) -> Option<u32> {
        self.ifindex
    }

    /// Nobody knows whether the mesh interface is there.
    pub(super) fn unreadable(&mut self) -> Option<MeshView> {
        self.unread = self.unread.saturating_add(1);
        if self.unread > HELD_SAMPLES {
            self.last = None;
        }
        self.last.clone()
    }
}

fn note<K: Ord + Clone, E: Clone>(table: &mut Debounced<K, E>, read: &Read<batadv::Dump<E>>, key: impl Fn(&E) -> K) {
    match read {
        Ok(dump) => {
            let entries: BTreeMap<K, E> = dump.entries.iter().map(|entry| (key(entry), entry.clone())).collect();
            table.read(entries, dump.torn);
        }
        Err(_) => table.failed(),
    }
}
