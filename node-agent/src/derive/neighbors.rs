//! Neighbors: links, their metric, and which originator is at their other end.

use std::collections::BTreeMap;

use mesh_proto::model::{Algorithm, LastSeen, MacAddr, Metric, Neighbor, NeighborKey, Throughput, Tq};

use super::attribution::{Attribution, Evidence};
use super::debounce::{Changes, Debounced};
use super::names::Names;
use super::routes::Rows;
use crate::netlink::batadv;
use crate::sample::Read;

/// Member and the neighbor's hard interface.
pub(super) type LinkKey = (u32, MacAddr);

#[derive(Debug, Clone, Default)]
pub(super) struct Neighbors {
    entries: Debounced<LinkKey, batadv::Neighbor>,
    attribution: Attribution,
    /// As they were called when they were last seen: an interface can be gone when its neighbors are.
    keys: BTreeMap<LinkKey, NeighborKey>,
}

/// What the links of one mesh interface are judged by.
pub(super) struct Context<'a> {
    pub(super) algorithm: Option<Algorithm>,
    pub(super) hop_penalty: Option<u8>,
    pub(super) own_address: Option<MacAddr>,
    pub(super) rows: &'a Rows,
}

impl Neighbors {
    pub(super) fn read(&mut self, read: &Read<batadv::Dump<batadv::Neighbor>>, names: &Names) -> Changes<NeighborKey> {
        let Ok(dump) = read else {
            self.entries.failed();
            return Changes::default();
        };
        let table: Vec<_> = dump
            .entries
            .iter()
            .map(|entry| ((entry.hard_ifindex, entry.neigh_address), entry.clone()))
            .collect();
        for (key, entry) in &table {
            let name = entry.hard_ifname.as_deref().and_then(|name| name.parse().ok());
            if let Some(hard_ifname) = name.or_else(|| names.get(key.0).cloned()) {
                let neigh_address = key.1;
                self.keys.insert(
                    *key,
                    NeighborKey {
                        hard_ifname,
                        neigh_address,
                    },
                );
            }
        }
        let changes = self.entries.read(table, dump.torn);
        self.named(changes)
    }

    /// The mesh interface is gone, and all its links with it.
    pub(super) fn emptied(&mut self) -> Vec<NeighborKey> {
        let gone = self.entries.emptied();
        self.attribution = Attribution::default();
        let changes = Changes {
            gone,
            appeared: Vec::new(),
        };
        self.named(changes).gone
    }

    pub(super) fn known(&self) -> bool {
        self.entries.known()
    }

    pub(super) fn view(&mut self, context: &Context<'_>) -> BTreeMap<NeighborKey, Neighbor> {
        let by_neighbor = context.rows.by_neighbor();
        let mut view = BTreeMap::new();
        for (key, entry, _) in self.entries.iter() {
            let Some(name) = self.keys.get(key) else {
                continue;
            };
            let metric = link_metric(context, key, entry);
            let coming: Vec<_> = by_neighbor.get(key).map_or(&[][..], Vec::as_slice).to_vec();
            let others: Vec<_> = coming
                .into_iter()
                .filter(|(address, _)| *address != key.1 && Some(*address) != context.own_address)
                .collect();
            let evidence = Evidence {
                algorithm: context.algorithm,
                hop_penalty: context.hop_penalty.unwrap_or(0),
                neigh_address: key.1,
                link: metric.map(number),
                is_originator: context.rows.has_originator(key.1),
                others: &others,
            };
            let neighbor = Neighbor {
                metric,
                last_seen: LastSeen::from_millis(entry.last_seen_msecs),
                orig_address: self.attribution.update(*key, &evidence),
            };
            view.insert(name.clone(), neighbor);
        }
        let entries = &self.entries;
        self.attribution.retain(|key| entries.get(key).is_some());
        view
    }

    fn named(&mut self, changes: Changes<LinkKey>) -> Changes<NeighborKey> {
        let name = |key: LinkKey| self.keys.get(&key).cloned();
        let appeared = changes.appeared.into_iter().filter_map(name).collect();
        let gone = changes.gone.into_iter().filter_map(name).collect();
        let entries = &self.entries;
        self.keys.retain(|key, _| entries.get(key).is_some());
        Changes { appeared, gone }
    }
}

/// BATMAN_IV keeps a link's quality with the originator of the neighbor's own address; BATMAN_V with the neighbor.
fn link_metric(context: &Context<'_>, key: &LinkKey, entry: &batadv::Neighbor) -> Option<Metric> {
    match context.algorithm? {
        Algorithm::BatmanIv => context.rows.metric(key.1, *key),
        Algorithm::BatmanV => entry.throughput.map(|kbit| Metric::Throughput(Throughput(kbit))),
    }
}

/// For comparisons within one algorithm.
pub(super) fn number(metric: Metric) -> u32 {
    match metric {
        Metric::Tq(Tq(tq)) => u32::from(tq),
        Metric::Throughput(Throughput(kbit)) => kbit,
    }
}
