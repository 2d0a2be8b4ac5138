//! What a topology snapshot says, as metrics.
//!
//! Several mesh interfaces of one node in one mesh count as one: their values are added up. So no series stands twice
//! on a page, which would make Prometheus refuse all of it.

use std::collections::BTreeMap;
use std::time::{SystemTime, UNIX_EPOCH};

use mesh_proto::model::{Direction, MeshId, MeshView, Metric, TrafficKey};

use super::names;
use super::text::{Family, Page};
use crate::topology::{Agent, Cause, MeshTotals, Node, NodeMesh, NodeState, TopologySnapshot, Total};

/// bit/s to bytes/s, kilo to one.
const BYTES_PER_KBIT: u64 = 125;

pub(super) fn page(topology: &TopologySnapshot) -> String {
    let mut page = Page::default();
    nodes(&mut page, topology);
    let observed: Vec<_> = observed(topology).collect();
    agents(&mut page, &observed);
    parts(&mut page, names::NODE_DEGREE, topology, |part, _| {
        Some(part.degree.into())
    });
    parts(&mut page, names::NODE_ORIGINATORS, topology, |_, view| {
        count(view.originators.len())
    });
    parts(&mut page, names::NODE_CLIENTS, topology, |_, view| {
        view.tables.local_clients.map(u64::from)
    });
    parts(&mut page, names::NODE_GATEWAYS, topology, |_, view| {
        count(view.gateways.len())
    });
    drift(&mut page, &observed);
    links(&mut page, topology);
    churn(&mut page, &observed);
    traffic(&mut page, names::BATADV_PACKETS, &observed, |totals| &totals.packets);
    traffic(&mut page, names::BATADV_BYTES, &observed, |totals| &totals.bytes);
    events(&mut page, names::BATADV_EVENTS, &observed, |name| !of_bytes(name));
    events(&mut page, names::BATADV_EVENT_BYTES, &observed, of_bytes);
    page.into_text()
}

fn count(length: usize) -> Option<u64> {
    u64::try_from(length).ok()
}

/// The kernel names its counters of bytes so.
fn of_bytes(counter: &str) -> bool {
    counter.ends_with("_bytes")
}

/// Nodes with agents, by name.
fn observed(topology: &TopologySnapshot) -> impl Iterator<Item = (String, &Node, &Agent)> {
    topology
        .nodes()
        .values()
        .filter_map(|node| Some((node.key.to_string(), node.as_ref(), node.agent.as_ref()?)))
}

fn nodes(page: &mut Page, topology: &TopologySnapshot) {
    const STATES: [(NodeState, &str); 3] = [
        (NodeState::Live, "live"),
        (NodeState::Stale, "stale"),
        (NodeState::Unobserved, "unobserved"),
    ];
    let mut counts: BTreeMap<&str, BTreeMap<NodeState, u64>> = BTreeMap::new();
    for node in topology.nodes().values() {
        let mut meshes: Vec<&str> = node.meshes.iter().map(|part| part.mesh.as_str()).collect();
        meshes.sort_unstable();
        meshes.dedup();
        // A node whose agent sees no mesh interface is still a node.
        if meshes.is_empty() {
            meshes.push("");
        }
        for mesh in meshes {
            *counts.entry(mesh).or_default().entry(node.state).or_default() += 1;
        }
    }
    let mut samples = page.family(names::NODES);
    for (mesh, counts) in &counts {
        for (state, word) in STATES {
            samples.add(&[("mesh", mesh), ("state", word)], counts.get(&state).unwrap_or(&0));
        }
    }
}

fn agents(page: &mut Page, observed: &[(String, &Node, &Agent)]) {
    let mut samples = page.family(names::NODE_INFO);
    for (name, _, agent) in observed {
        let hello = &agent.hello;
        let labels = [
            ("node", name.as_str()),
            ("name", &hello.name),
            ("site", &hello.site),
            ("agent_version", &hello.agent_version),
            ("kernel", &hello.kernel),
            ("batman_adv", &hello.batman_adv),
        ];
        samples.add(&labels, 1);
    }
    let mut each = |family: Family, value: &dyn Fn(&Node, &Agent) -> Option<f64>| {
        let mut samples = page.family(family);
        for (name, node, agent) in observed {
            if let Some(value) = value(node, agent) {
                samples.add(&[("node", name)], value);
            }
        }
    };
    each(names::NODE_UP, &|node, _| {
        Some(f64::from(u8::from(node.state == NodeState::Live)))
    });
    each(names::NODE_LAST_REPORT, &|_, agent| unix_seconds(agent.last_report));
    each(names::SVID_EXPIRY, &|_, agent| {
        agent.view.svid.map(|svid| svid.expiry_seconds as f64)
    });
    each(names::CLOCK_OFFSET, &|_, agent| agent.clock_offset);
    let mut counts = |family: Family, value: &dyn Fn(&Agent) -> Option<u64>| {
        let mut samples = page.family(family);
        for (name, _, agent) in observed {
            if let Some(value) = value(agent) {
                samples.add(&[("node", name)], value);
            }
        }
    };
    counts(names::SVID_RENEWALS, &|agent| agent.view.svid.map(|svid| svid.renewals));
    counts(names::REPORTS, &|agent| Some(agent.totals.reports));
    counts(names::REPORT_GAPS, &|agent| Some(agent.totals.gaps));
    let mut samples = page.family(names::PROBE_ATTACHED);
    for (name, _, agent) in observed {
        for (probe, status) in &agent.view.probes {
            samples.add(&[("node", name), ("probe", probe)], u8::from(status.attached));
        }
    }
}

fn unix_seconds(time: SystemTime) -> Option<f64> {
    Some(time.duration_since(UNIX_EPOCH).ok()?.as_secs_f64())
}

fn parts(
    page: &mut Page,
    family: Family,
    topology: &TopologySnapshot,
    value: impl Fn(&NodeMesh, &MeshView) -> Option<u64>,
) {
    let mut samples = page.family(family);
    for (name, node, _) in observed(topology) {
        let mut sums: BTreeMap<&MeshId, u64> = BTreeMap::new();
        for part in &node.meshes {
            if let Some(value) = node.view(part).and_then(|view| value(part, view)) {
                *sums.entry(&part.mesh).or_default() += value;
            }
        }
        for (mesh, sum) in sums {
            samples.add(&[("mesh", mesh.as_str()), ("node", &name)], sum);
        }
    }
}

/// Mesh interfaces that should exist and do not have no part in the mesh, but they have drifted.
fn drift(page: &mut Page, observed: &[(String, &Node, &Agent)]) {
    let mut samples = page.family(names::CONFIG_DRIFT);
    for (name, _, agent) in observed {
        let mut sums: BTreeMap<&MeshId, u64> = BTreeMap::new();
        for managed in agent.view.managed.values() {
            *sums.entry(&managed.mesh).or_default() += u64::from(managed.drift);
        }
        for (mesh, sum) in sums {
            samples.add(&[("mesh", mesh.as_str()), ("node", name)], sum);
        }
    }
}

fn links(page: &mut Page, topology: &TopologySnapshot) {
    let mut each = |family: Family, value: &dyn Fn(Metric) -> Option<u64>| {
        let mut samples = page.family(family);
        for (node, key, link) in topology.links() {
            let Some(value) = link.metric.and_then(value) else {
                continue;
            };
            let far = link.neighbor_node.as_ref().map(ToString::to_string).unwrap_or_default();
            let labels = [
                ("mesh", key.mesh.as_str()),
                ("node", &node.key.to_string()),
                ("interface", key.hard_ifname.as_str()),
                ("neighbor", &key.neigh_address.to_string()),
                ("neighbor_node", &far),
            ];
            samples.add(&labels, value);
        }
    };
    each(names::LINK_TQ, &|metric| metric.tq().map(|tq| tq.0.into()));
    each(names::LINK_THROUGHPUT, &|metric| {
        metric.throughput().map(|kbit| u64::from(kbit.0) * BYTES_PER_KBIT)
    });
}

/// A node's totals by mesh, those of several mesh interfaces one after the other.
fn by_mesh(agent: &Agent) -> BTreeMap<&MeshId, Vec<&MeshTotals>> {
    let mut meshes: BTreeMap<&MeshId, Vec<&MeshTotals>> = BTreeMap::new();
    for ((mesh, _), totals) in &agent.totals.meshes {
        meshes.entry(mesh).or_default().push(totals);
    }
    meshes
}

fn churn(page: &mut Page, observed: &[(String, &Node, &Agent)]) {
    let each =
        |page: &mut Page, family: Family, label: &str, values: &dyn Fn(&MeshTotals) -> Vec<(&'static str, u64)>| {
            let mut samples = page.family(family);
            for (name, _, agent) in observed {
                for (mesh, totals) in by_mesh(agent) {
                    let mut sums: Vec<(&str, u64)> = Vec::new();
                    for (word, value) in totals.into_iter().flat_map(values) {
                        match sums.iter_mut().find(|(known, _)| *known == word) {
                            Some((_, sum)) => *sum = sum.saturating_add(value),
                            None => sums.push((word, value)),
                        }
                    }
                    for (word, sum) in sums {
                        samples.add(&[("mesh", mesh.as_str()), ("node", name), (label, word)], sum);
                    }
                }
            }
        };
    each(page, names::PATH_SWITCHES, "cause", &|totals| {
        let causes = totals
            .churn
            .iter()
            .flat_map(|churn| Cause::ALL.into_iter().zip(churn.path_switches));
        causes.map(|(cause, value)| (cause.label(), value)).collect()
    });
    each(page, names::ADJACENCY_CHANGES, "change", &|totals| {
        let both = totals
            .churn
            .iter()
            .flat_map(|churn| [("up", churn.adjacencies_up), ("down", churn.adjacencies_down)]);
        both.collect()
    });
}

fn traffic(
    page: &mut Page,
    family: Family,
    observed: &[(String, &Node, &Agent)],
    table: impl Fn(&MeshTotals) -> &BTreeMap<TrafficKey, Total>,
) {
    let mut samples = page.family(family);
    for (name, _, agent) in observed {
        for (mesh, totals) in by_mesh(agent) {
            for (key, sum) in sums(totals.into_iter().map(&table)) {
                let direction = match key.direction {
                    Direction::In => "in",
                    Direction::Out => "out",
                };
                let labels = [
                    ("mesh", mesh.as_str()),
                    ("node", name),
                    ("interface", key.hard_ifname.as_str()),
                    ("direction", direction),
                    ("type", &key.packet_type),
                ];
                samples.add(&labels, sum);
            }
        }
    }
}

fn events(page: &mut Page, family: Family, observed: &[(String, &Node, &Agent)], belongs: impl Fn(&str) -> bool) {
    let mut samples = page.family(family);
    for (name, _, agent) in observed {
        for (mesh, totals) in by_mesh(agent) {
            for (counter, sum) in sums(totals.into_iter().map(|totals| &totals.counters)) {
                if belongs(counter) {
                    samples.add(&[("mesh", mesh.as_str()), ("node", name), ("counter", counter)], sum);
                }
            }
        }
    }
}

fn sums<'a, K: Ord>(tables: impl Iterator<Item = &'a BTreeMap<K, Total>>) -> BTreeMap<&'a K, u64> {
    let mut sums = BTreeMap::new();
    for (key, total) in tables.flatten() {
        let sum: &mut u64 = sums.entry(key).or_default();
        *sum = sum.saturating_add(total.value);
    }
    sums
}
