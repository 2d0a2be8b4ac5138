//! Views and deltas.

use std::collections::{BTreeMap, BTreeSet};

use super::{Reason, Reject, address, at_most, byte, limits, name, optional_address, reject, required, text};
use crate::model::{
    Algorithm, Changes, Churn, ChurnMethod, Delta, Direction, Gateway, GatewayMode, HardInterface, LastSeen, MacAddr,
    MeshDelta, MeshSettings, MeshView, Metric, Neighbor, NeighborKey, NextHop, Originator, ProbeStatus, Snapshot,
    SvidStatus, TableSizes, Throughput, Tq, Traffic, TrafficKey,
};
use crate::pb;

// === whole views ===

impl From<&Snapshot> for pb::NodeView {
    fn from(view: &Snapshot) -> Self {
        Self {
            meshes: view
                .meshes
                .iter()
                .map(|(name, mesh)| mesh_view_pb(name.to_string(), mesh))
                .collect(),
            probes: view.probes.iter().map(probe_pb).collect(),
            svid: view.svid.map(svid_pb),
        }
    }
}

impl TryFrom<pb::NodeView> for Snapshot {
    type Error = Reject;

    fn try_from(view: pb::NodeView) -> Result<Self, Reject> {
        Ok(Self {
            meshes: table("view.meshes", view.meshes, limits::MESHES, |mesh| {
                Ok((name("view.meshes.mesh_ifname", &mesh.mesh_ifname)?, mesh_view(mesh)?))
            })?,
            probes: table("view.probes", view.probes, limits::PROBES, probe)?,
            svid: view.svid.map(svid),
        })
    }
}

fn mesh_view_pb(mesh_ifname: String, mesh: &MeshView) -> pb::MeshView {
    pb::MeshView {
        mesh_ifname,
        settings: Some(settings_pb(&mesh.settings)),
        hard_interfaces: mesh.hard_interfaces.iter().map(hard_interface_pb).collect(),
        neighbors: mesh.neighbors.iter().map(neighbor_pb).collect(),
        originators: mesh.originators.iter().map(originator_pb).collect(),
        gateways: mesh.gateways.iter().map(gateway_pb).collect(),
        tables: Some(tables_pb(mesh.tables)),
        counters_incarnation: mesh.counters_incarnation,
        counters: mesh.counters.iter().map(counter_pb).collect(),
        traffic_incarnation: mesh.traffic_incarnation,
        traffic: mesh.traffic.iter().map(traffic_pb).collect(),
        churn: mesh.churn.map(churn_pb),
    }
}

fn mesh_view(mesh: pb::MeshView) -> Result<MeshView, Reject> {
    Ok(MeshView {
        settings: settings(required("mesh.settings", mesh.settings)?)?,
        hard_interfaces: table(
            "mesh.hard_interfaces",
            mesh.hard_interfaces,
            limits::HARD_INTERFACES,
            hard_interface,
        )?,
        neighbors: table("mesh.neighbors", mesh.neighbors, limits::NEIGHBORS, neighbor)?,
        originators: table("mesh.originators", mesh.originators, limits::ORIGINATORS, originator)?,
        gateways: table("mesh.gateways", mesh.gateways, limits::ORIGINATORS, gateway)?,
        tables: mesh.tables.map(tables).unwrap_or_default(),
        counters_incarnation: mesh.counters_incarnation,
        counters: table("mesh.counters", mesh.counters, limits::COUNTERS, counter)?,
        traffic_incarnation: mesh.traffic_incarnation,
        traffic: table("mesh.traffic", mesh.traffic, limits::TRAFFIC, traffic)?,
        churn: mesh.churn.map(churn),
    })
}

// === deltas ===

impl From<&Delta> for pb::NodeDelta {
    fn from(delta: &Delta) -> Self {
        Self {
            meshes: delta
                .meshes
                .iter()
                .map(|(name, mesh)| mesh_delta_pb(name.to_string(), mesh))
                .collect(),
            removed_meshes: delta.removed_meshes.iter().map(ToString::to_string).collect(),
            probes: delta.probes.upserts.iter().map(probe_pb).collect(),
            removed_probes: delta.probes.removals.iter().cloned().collect(),
            svid: delta.svid.map(svid_pb),
        }
    }
}

impl TryFrom<pb::NodeDelta> for Delta {
    type Error = Reject;

    fn try_from(delta: pb::NodeDelta) -> Result<Self, Reject> {
        Ok(Self {
            meshes: table("delta.meshes", delta.meshes, limits::MESHES, |mesh| {
                Ok((name("delta.meshes.mesh_ifname", &mesh.mesh_ifname)?, mesh_delta(mesh)?))
            })?,
            removed_meshes: keys("delta.removed_meshes", delta.removed_meshes, limits::MESHES, |key| {
                name("delta.removed_meshes", &key)
            })?,
            probes: Changes {
                upserts: table("delta.probes", delta.probes, limits::PROBES, probe)?,
                removals: keys("delta.removed_probes", delta.removed_probes, limits::PROBES, |key| {
                    text("delta.removed_probes", key)
                })?,
            },
            svid: delta.svid.map(svid),
        })
    }
}

fn mesh_delta_pb(mesh_ifname: String, mesh: &MeshDelta) -> pb::MeshDelta {
    pb::MeshDelta {
        mesh_ifname,
        settings: mesh.settings.as_ref().map(settings_pb),
        hard_interfaces: mesh.hard_interfaces.upserts.iter().map(hard_interface_pb).collect(),
        removed_hard_interfaces: mesh.hard_interfaces.removals.iter().map(ToString::to_string).collect(),
        neighbors: mesh.neighbors.upserts.iter().map(neighbor_pb).collect(),
        removed_neighbors: mesh.neighbors.removals.iter().map(neighbor_key_pb).collect(),
        originators: mesh.originators.upserts.iter().map(originator_pb).collect(),
        removed_originators: mesh.originators.removals.iter().map(|key| key.0.to_vec()).collect(),
        gateways: mesh.gateways.upserts.iter().map(gateway_pb).collect(),
        removed_gateways: mesh.gateways.removals.iter().map(|key| key.0.to_vec()).collect(),
        tables: mesh.tables.map(tables_pb),
        counters_incarnation: mesh.counters_incarnation,
        counters: mesh.counters.upserts.iter().map(counter_pb).collect(),
        removed_counters: mesh.counters.removals.iter().cloned().collect(),
        traffic_incarnation: mesh.traffic_incarnation,
        traffic: mesh.traffic.upserts.iter().map(traffic_pb).collect(),
        removed_traffic: mesh.traffic.removals.iter().map(traffic_key_pb).collect(),
        churn: mesh.churn.map(churn_pb),
    }
}

fn mesh_delta(mesh: pb::MeshDelta) -> Result<MeshDelta, Reject> {
    Ok(MeshDelta {
        settings: mesh.settings.map(settings).transpose()?,
        hard_interfaces: Changes {
            upserts: table(
                "delta.hard_interfaces",
                mesh.hard_interfaces,
                limits::HARD_INTERFACES,
                hard_interface,
            )?,
            removals: keys(
                "delta.removed_hard_interfaces",
                mesh.removed_hard_interfaces,
                limits::HARD_INTERFACES,
                |key| name("delta.removed_hard_interfaces", &key),
            )?,
        },
        neighbors: Changes {
            upserts: table("delta.neighbors", mesh.neighbors, limits::NEIGHBORS, neighbor)?,
            removals: keys(
                "delta.removed_neighbors",
                mesh.removed_neighbors,
                limits::NEIGHBORS,
                |key| neighbor_key("delta.removed_neighbors", key),
            )?,
        },
        originators: Changes {
            upserts: table("delta.originators", mesh.originators, limits::ORIGINATORS, originator)?,
            removals: keys(
                "delta.removed_originators",
                mesh.removed_originators,
                limits::ORIGINATORS,
                |key| address("delta.removed_originators", &key),
            )?,
        },
        gateways: Changes {
            upserts: table("delta.gateways", mesh.gateways, limits::ORIGINATORS, gateway)?,
            removals: keys(
                "delta.removed_gateways",
                mesh.removed_gateways,
                limits::ORIGINATORS,
                |key| address("delta.removed_gateways", &key),
            )?,
        },
        tables: mesh.tables.map(tables),
        counters_incarnation: mesh.counters_incarnation,
        counters: Changes {
            upserts: table("delta.counters", mesh.counters, limits::COUNTERS, counter)?,
            removals: keys(
                "delta.removed_counters",
                mesh.removed_counters,
                limits::COUNTERS,
                |key| text("delta.removed_counters", key),
            )?,
        },
        traffic_incarnation: mesh.traffic_incarnation,
        traffic: Changes {
            upserts: table("delta.traffic", mesh.traffic, limits::TRAFFIC, traffic)?,
            removals: keys(
                "delta.removed_traffic",
                mesh.removed_traffic,
                limits::TRAFFIC,
                traffic_key,
            )?,
        },
        churn: mesh.churn.map(churn),
    })
}

// === tables ===

fn table<M, K: Ord, V>(
    field: &'static str,
    messages: Vec<M>,
    limit: usize,
    entry: impl Fn(M) -> Result<(K, V), Reject>,
) -> Result<BTreeMap<K, V>, Reject> {
    at_most(field, messages.len(), limit)?;
    let mut table = BTreeMap::new();
    for message in messages {
        let (key, value) = entry(message)?;
        if table.insert(key, value).is_some() {
            return Err(reject(field, Reason::Duplicate));
        }
    }
    Ok(table)
}

fn keys<M, K: Ord>(
    field: &'static str,
    messages: Vec<M>,
    limit: usize,
    key: impl Fn(M) -> Result<K, Reject>,
) -> Result<BTreeSet<K>, Reject> {
    at_most(field, messages.len(), limit)?;
    messages.into_iter().map(key).collect()
}

// === entries ===

fn settings_pb(settings: &MeshSettings) -> pb::MeshSettings {
    pb::MeshSettings {
        mesh: settings.mesh.to_string(),
        algorithm: match settings.algorithm {
            None => pb::Algorithm::Unspecified,
            Some(Algorithm::BatmanIv) => pb::Algorithm::BatmanIv,
            Some(Algorithm::BatmanV) => pb::Algorithm::BatmanV,
        }
        .into(),
        mesh_address: optional_address_pb(settings.mesh_address),
        orig_address: optional_address_pb(settings.orig_address),
        hop_penalty: settings.hop_penalty.map(u32::from),
        orig_interval_ms: settings.orig_interval_ms,
        gw_mode: match settings.gw_mode {
            None => pb::GatewayMode::Unspecified,
            Some(GatewayMode::Off) => pb::GatewayMode::Off,
            Some(GatewayMode::Client) => pb::GatewayMode::Client,
            Some(GatewayMode::Server) => pb::GatewayMode::Server,
        }
        .into(),
        gw_bandwidth_down_kbit: settings.gw_bandwidth_down_kbit,
        gw_bandwidth_up_kbit: settings.gw_bandwidth_up_kbit,
    }
}

fn settings(settings: pb::MeshSettings) -> Result<MeshSettings, Reject> {
    Ok(MeshSettings {
        mesh: name("settings.mesh", &settings.mesh)?,
        algorithm: match settings.algorithm() {
            pb::Algorithm::Unspecified => None,
            pb::Algorithm::BatmanIv => Some(Algorithm::BatmanIv),
            pb::Algorithm::BatmanV => Some(Algorithm::BatmanV),
        },
        mesh_address: optional_address("settings.mesh_address", &settings.mesh_address)?,
        orig_address: optional_address("settings.orig_address", &settings.orig_address)?,
        hop_penalty: settings
            .hop_penalty
            .map(|value| byte("settings.hop_penalty", value))
            .transpose()?,
        orig_interval_ms: settings.orig_interval_ms,
        gw_mode: match settings.gw_mode() {
            pb::GatewayMode::Unspecified => None,
            pb::GatewayMode::Off => Some(GatewayMode::Off),
            pb::GatewayMode::Client => Some(GatewayMode::Client),
            pb::GatewayMode::Server => Some(GatewayMode::Server),
        },
        gw_bandwidth_down_kbit: settings.gw_bandwidth_down_kbit,
        gw_bandwidth_up_kbit: settings.gw_bandwidth_up_kbit,
    })
}

fn hard_interface_pb((hard_ifname, entry): (&crate::model::IfName, &HardInterface)) -> pb::HardInterfaceReport {
    pb::HardInterfaceReport {
        hard_ifname: hard_ifname.to_string(),
        hard_address: entry.hard_address.0.to_vec(),
        active: entry.active,
        hop_penalty: entry.hop_penalty.map(u32::from),
        throughput_override_kbit: entry.throughput_override_kbit,
        mtu: entry.mtu,
    }
}

fn hard_interface(entry: pb::HardInterfaceReport) -> Result<(crate::model::IfName, HardInterface), Reject> {
    let hard_interface = HardInterface {
        hard_address: address("hard_interface.hard_address", &entry.hard_address)?,
        active: entry.active,
        hop_penalty: entry
            .hop_penalty
            .map(|value| byte("hard_interface.hop_penalty", value))
            .transpose()?,
        throughput_override_kbit: entry.throughput_override_kbit,
        mtu: entry.mtu,
    };
    Ok((name("hard_interface.hard_ifname", &entry.hard_ifname)?, hard_interface))
}

fn metric_pb(metric: Metric) -> pb::Metric {
    let kind = match metric {
        Metric::Tq(Tq(tq)) => pb::metric::Kind::Tq(tq.into()),
        Metric::Throughput(Throughput(kbit)) => pb::metric::Kind::ThroughputKbit(kbit),
    };
    pb::Metric { kind: Some(kind) }
}

fn metric(metric: Option<pb::Metric>) -> Result<Option<Metric>, Reject> {
    match metric.and_then(|metric| metric.kind) {
        None => Ok(None),
        Some(pb::metric::Kind::Tq(tq)) => Ok(Some(Metric::Tq(Tq(byte("metric.tq", tq)?)))),
        Some(pb::metric::Kind::ThroughputKbit(kbit)) => Ok(Some(Metric::Throughput(Throughput(kbit)))),
    }
}

pub(super) fn neighbor_key_pb(key: &NeighborKey) -> pb::NeighborKey {
    pb::NeighborKey {
        hard_ifname: key.hard_ifname.to_string(),
        neigh_address: key.neigh_address.0.to_vec(),
    }
}

pub(super) fn neighbor_key(field: &'static str, key: pb::NeighborKey) -> Result<NeighborKey, Reject> {
    Ok(NeighborKey {
        hard_ifname: name(field, &key.hard_ifname)?,
        neigh_address: address(field, &key.neigh_address)?,
    })
}

fn neighbor_pb((key, entry): (&NeighborKey, &Neighbor)) -> pb::NeighborReport {
    pb::NeighborReport {
        key: Some(neighbor_key_pb(key)),
        metric: entry.metric.map(metric_pb),
        last_seen_msecs: entry.last_seen.as_millis(),
        orig_address: optional_address_pb(entry.orig_address),
    }
}

fn neighbor(entry: pb::NeighborReport) -> Result<(NeighborKey, Neighbor), Reject> {
    let key = neighbor_key("neighbor.key", required("neighbor.key", entry.key)?)?;
    let neighbor = Neighbor {
        metric: metric(entry.metric)?,
        last_seen: LastSeen::from_millis(entry.last_seen_msecs),
        orig_address: optional_address("neighbor.orig_address", &entry.orig_address)?,
    };
    Ok((key, neighbor))
}

fn next_hop_pb(hop: &NextHop) -> pb::NextHop {
    pb::NextHop {
        neigh_address: hop.neigh_address.0.to_vec(),
        hard_ifname: hop.hard_ifname.to_string(),
        metric: hop.metric.map(metric_pb),
    }
}

fn next_hop(hop: pb::NextHop) -> Result<NextHop, Reject> {
    Ok(NextHop {
        neigh_address: address("next_hop.neigh_address", &hop.neigh_address)?,
        hard_ifname: name("next_hop.hard_ifname", &hop.hard_ifname)?,
        metric: metric(hop.metric)?,
    })
}

fn originator_pb((orig_address, entry): (&MacAddr, &Originator)) -> pb::OriginatorReport {
    pb::OriginatorReport {
        orig_address: orig_address.0.to_vec(),
        best: entry.best.as_ref().map(next_hop_pb),
        runner_up: entry.runner_up.as_ref().map(next_hop_pb),
        last_seen_msecs: entry.last_seen.as_millis(),
    }
}

fn originator(entry: pb::OriginatorReport) -> Result<(MacAddr, Originator), Reject> {
    let originator = Originator {
        best: entry.best.map(next_hop).transpose()?,
        runner_up: entry.runner_up.map(next_hop).transpose()?,
        last_seen: LastSeen::from_millis(entry.last_seen_msecs),
    };
    Ok((address("originator.orig_address", &entry.orig_address)?, originator))
}

fn gateway_pb((orig_address, entry): (&MacAddr, &Gateway)) -> pb::GatewayReport {
    pb::GatewayReport {
        orig_address: orig_address.0.to_vec(),
        best: entry.best,
        router: entry.router.as_ref().map(next_hop_pb),
        bandwidth_down_kbit: entry.bandwidth_down_kbit,
        bandwidth_up_kbit: entry.bandwidth_up_kbit,
    }
}

fn gateway(entry: pb::GatewayReport) -> Result<(MacAddr, Gateway), Reject> {
    let gateway = Gateway {
        best: entry.best,
        router: entry.router.map(next_hop).transpose()?,
        bandwidth_down_kbit: entry.bandwidth_down_kbit,
        bandwidth_up_kbit: entry.bandwidth_up_kbit,
    };
    Ok((address("gateway.orig_address", &entry.orig_address)?, gateway))
}

fn tables_pb(tables: TableSizes) -> pb::TableSizes {
    let TableSizes {
        local_clients,
        global_clients,
        bla_claims,
        bla_backbones,
        dat_entries,
    } = tables;
    pb::TableSizes {
        local_clients,
        global_clients,
        bla_claims,
        bla_backbones,
        dat_entries,
    }
}

fn tables(tables: pb::TableSizes) -> TableSizes {
    let pb::TableSizes {
        local_clients,
        global_clients,
        bla_claims,
        bla_backbones,
        dat_entries,
    } = tables;
    TableSizes {
        local_clients,
        global_clients,
        bla_claims,
        bla_backbones,
        dat_entries,
    }
}

fn counter_pb((name, value): (&String, &u64)) -> pb::Counter {
    pb::Counter {
        name: name.clone(),
        value: *value,
    }
}

fn counter(entry: pb::Counter) -> Result<(String, u64), Reject> {
    Ok((text("counter.name", entry.name)?, entry.value))
}

fn traffic_key_pb(key: &TrafficKey) -> pb::TrafficKey {
    pb::TrafficKey {
        hard_ifname: key.hard_ifname.to_string(),
        direction: match key.direction {
            Direction::In => pb::Direction::In,
            Direction::Out => pb::Direction::Out,
        }
        .into(),
        r#type: key.packet_type.clone(),
    }
}

fn traffic_key(key: pb::TrafficKey) -> Result<TrafficKey, Reject> {
    Ok(TrafficKey {
        hard_ifname: name("traffic.hard_ifname", &key.hard_ifname)?,
        direction: match key.direction() {
            pb::Direction::In => Direction::In,
            pb::Direction::Out => Direction::Out,
            pb::Direction::Unspecified => return Err(reject("traffic.direction", Reason::Missing)),
        },
        packet_type: text("traffic.type", key.r#type)?,
    })
}

fn traffic_pb((key, entry): (&TrafficKey, &Traffic)) -> pb::Traffic {
    pb::Traffic {
        key: Some(traffic_key_pb(key)),
        packets: entry.packets,
        bytes: entry.bytes,
    }
}

fn traffic(entry: pb::Traffic) -> Result<(TrafficKey, Traffic), Reject> {
    let key = traffic_key(required("traffic.key", entry.key)?)?;
    Ok((
        key,
        Traffic {
            packets: entry.packets,
            bytes: entry.bytes,
        },
    ))
}

pub(super) fn churn_method_pb(method: ChurnMethod) -> pb::ChurnMethod {
    match method {
        ChurnMethod::Probe => pb::ChurnMethod::Probe,
        ChurnMethod::Polling => pb::ChurnMethod::Polling,
    }
}

/// A method this release does not know is taken for the less exact one.
pub(super) fn churn_method(method: i32) -> ChurnMethod {
    match pb::ChurnMethod::try_from(method) {
        Ok(pb::ChurnMethod::Probe) => ChurnMethod::Probe,
        Ok(pb::ChurnMethod::Polling | pb::ChurnMethod::Unspecified) | Err(_) => ChurnMethod::Polling,
    }
}

fn churn_pb(churn: Churn) -> pb::Churn {
    pb::Churn {
        incarnation: churn.incarnation,
        method: churn_method_pb(churn.method).into(),
        path_switches: churn.path_switches,
        adjacencies_up: churn.adjacencies_up,
        adjacencies_down: churn.adjacencies_down,
    }
}

fn churn(churn: pb::Churn) -> Churn {
    Churn {
        incarnation: churn.incarnation,
        method: churn_method(churn.method),
        path_switches: churn.path_switches,
        adjacencies_up: churn.adjacencies_up,
        adjacencies_down: churn.adjacencies_down,
    }
}

fn probe_pb((name, probe): (&String, &ProbeStatus)) -> pb::ProbeStatus {
    pb::ProbeStatus {
        name: name.clone(),
        attached: probe.attached,
        mechanism: probe.mechanism.clone(),
        reason: probe.reason.clone(),
    }
}

fn probe(probe: pb::ProbeStatus) -> Result<(String, ProbeStatus), Reject> {
    let status = ProbeStatus {
        attached: probe.attached,
        mechanism: text("probe.mechanism", probe.mechanism)?,
        reason: text("probe.reason", probe.reason)?,
    };
    Ok((text("probe.name", probe.name)?, status))
}

fn svid_pb(svid: SvidStatus) -> pb::SvidStatus {
    pb::SvidStatus {
        expiry_seconds: svid.expiry_seconds,
        renewals: svid.renewals,
    }
}

fn svid(svid: pb::SvidStatus) -> SvidStatus {
    SvidStatus {
        expiry_seconds: svid.expiry_seconds,
        renewals: svid.renewals,
    }
}

fn optional_address_pb(address: Option<MacAddr>) -> Vec<u8> {
    address.map(|address| address.0.to_vec()).unwrap_or_default()
}
