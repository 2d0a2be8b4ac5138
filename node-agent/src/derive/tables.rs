//! Gateways, and the sizes of the tables whose entries do not leave the node.

use std::collections::{BTreeMap, HashSet};

use mesh_proto::model::{Algorithm, Gateway, MacAddr, Metric, NextHop, TableSizes, Tq};

use super::debounce::Debounced;
use super::names::Names;
use super::routes::Rows;
use super::settings::kbit;
use crate::netlink::batadv::{self, Dump, TtFlags};
use crate::sample::{MeshSample, Read};

pub(super) fn sizes(sample: &MeshSample) -> TableSizes {
    TableSizes {
        local_clients: distinct(&sample.translation_local, |entry| {
            (!entry.flags.contains(TtFlags::NOPURGE)).then_some(entry.address)
        }),
        global_clients: distinct(&sample.translation_global, |entry| Some(entry.address)),
        bla_claims: count(&sample.bla_claims),
        bla_backbones: count(&sample.bla_backbones),
        dat_entries: count(&sample.dat_cache),
    }
}

fn count<E>(table: &Read<Dump<E>>) -> Option<u32> {
    u32::try_from(table.as_ref().ok()?.entries.len()).ok()
}

/// Stations, each once however many VLANs or originators it is announced in. Group addresses are listeners, no clients.
fn distinct<E>(table: &Read<Dump<E>>, client: impl Fn(&E) -> Option<MacAddr>) -> Option<u32> {
    let entries = &table.as_ref().ok()?.entries;
    let clients: HashSet<_> = entries
        .iter()
        .filter_map(client)
        .filter(|address| !address.is_group())
        .collect();
    u32::try_from(clients.len()).ok()
}

pub(super) fn gateways(
    entries: &Debounced<MacAddr, batadv::Gateway>,
    rows: &Rows,
    names: &Names,
    algorithm: Option<Algorithm>,
    silent: Option<MacAddr>,
) -> BTreeMap<MacAddr, Gateway> {
    // At most one is selected: a selected one that is only held is not, when this read has another.
    let selected = entries
        .iter()
        .filter(|(_, entry, _)| entry.best)
        .max_by_key(|(_, _, present)| *present)
        .map(|(address, _, _)| *address);
    entries
        .iter()
        .map(|(address, entry, _)| {
            let gateway = Gateway {
                best: selected == Some(*address),
                router: router(entry, rows, names, algorithm),
                bandwidth_down_kbit: kbit(entry.bandwidth_down),
                bandwidth_up_kbit: kbit(entry.bandwidth_up),
                silent: silent == Some(*address),
            };
            (*address, gateway)
        })
        .collect()
}

/// On BATMAN_V the throughput in this table is in 100 kbit/s, unlike the same attribute everywhere else (seen on 6.1).
/// Should a kernel correct that, nothing in the answer would tell; so the metric is taken from the originator's way.
fn router(entry: &batadv::Gateway, rows: &Rows, names: &Names, algorithm: Option<Algorithm>) -> Option<NextHop> {
    let neigh_address = entry.router?;
    let hard_ifindex = entry.hard_ifindex?;
    let metric = match algorithm? {
        Algorithm::BatmanIv => entry.tq.map(|tq| Metric::Tq(Tq(tq))),
        Algorithm::BatmanV => rows.metric(entry.orig_address, (hard_ifindex, neigh_address)),
    };
    Some(NextHop {
        neigh_address,
        hard_ifname: names.get(hard_ifindex)?.clone(),
        metric,
    })
}
