//! What stands in a table, entry by entry.

use super::{Reason, Reject, address, byte, limits, name, optional_address, reject, required, shortened, text};
use crate::model::{
    Algorithm, Churn, ChurnMethod, Direction, Gateway, GatewayMode, HardInterface, IfName, LastSeen, MacAddr,
    ManagePolicy, Managed, MeshSettings, Metric, Neighbor, NeighborKey, NextHop, Originator, ProbeStatus, SvidStatus,
    TableSizes, Throughput, Tq, Traffic, TrafficKey,
};
use crate::pb;

pub(super) fn settings_pb(settings: &MeshSettings) -> pb::MeshSettings {
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

pub(super) fn settings(settings: pb::MeshSettings) -> Result<MeshSettings, Reject> {
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

pub(super) fn hard_interface_pb((hard_ifname, entry): (&IfName, &HardInterface)) -> pb::HardInterfaceReport {
    pb::HardInterfaceReport {
        hard_ifname: hard_ifname.to_string(),
        hard_address: entry.hard_address.0.to_vec(),
        active: entry.active,
        hop_penalty: entry.hop_penalty.map(u32::from),
        throughput_override_kbit: entry.throughput_override_kbit,
        mtu: entry.mtu,
    }
}

pub(super) fn hard_interface(entry: pb::HardInterfaceReport) -> Result<(IfName, HardInterface), Reject> {
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

pub(super) fn metric_pb(metric: Metric) -> pb::Metric {
    let kind = match metric {
        Metric::Tq(Tq(tq)) => pb::metric::Kind::Tq(tq.into()),
        Metric::Throughput(Throughput(kbit)) => pb::metric::Kind::ThroughputKbit(kbit),
    };
    pb::Metric { kind: Some(kind) }
}

pub(super) fn metric(metric: Option<pb::Metric>) -> Result<Option<Metric>, Reject> {
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

pub(super) fn neighbor_pb((key, entry): (&NeighborKey, &Neighbor)) -> pb::NeighborReport {
    pb::NeighborReport {
        key: Some(neighbor_key_pb(key)),
        metric: entry.metric.map(metric_pb),
        last_seen_msecs: entry.last_seen.as_millis(),
        orig_address: optional_address_pb(entry.orig_address),
    }
}

pub(super) fn neighbor(entry: pb::NeighborReport) -> Result<(NeighborKey, Neighbor), Reject> {
    let key = neighbor_key("neighbor.key", required("neighbor.key", entry.key)?)?;
    let neighbor = Neighbor {
        metric: metric(entry.metric)?,
        last_seen: LastSeen::from_millis(entry.last_seen_msecs),
        orig_address: optional_address("neighbor.orig_address", &entry.orig_address)?,
    };
    Ok((key, neighbor))
}

pub(super) fn next_hop_pb(hop: &NextHop) -> pb::NextHop {
    pb::NextHop {
        neigh_address: hop.neigh_address.0.to_vec(),
        hard_ifname: hop.hard_ifname.to_string(),
        metric: hop.metric.map(metric_pb),
    }
}

pub(super) fn next_hop(hop: pb::NextHop) -> Result<NextHop, Reject> {
    Ok(NextHop {
        neigh_address: address("next_hop.neigh_address", &hop.neigh_address)?,
        hard_ifname: name("next_hop.hard_ifname", &hop.hard_ifname)?,
        metric: metric(hop.metric)?,
    })
}

pub(super) fn originator_pb((orig_address, entry): (&MacAddr, &Originator)) -> pb::OriginatorReport {
    pb::OriginatorReport {
        orig_address: orig_address.0.to_vec(),
        best: entry.best.as_ref().map(next_hop_pb),
        runner_up: entry.runner_up.as_ref().map(next_hop_pb),
        last_seen_msecs: entry.last_seen.as_millis(),
    }
}

pub(super) fn originator(entry: pb::OriginatorReport) -> Result<(MacAddr, Originator), Reject> {
    let originator = Originator {
        best: entry.best.map(next_hop).transpose()?,
        runner_up: entry.runner_up.map(next_hop).transpose()?,
        last_seen: LastSeen::from_millis(entry.last_seen_msecs),
    };
    Ok((address("originator.orig_address", &entry.orig_address)?, originator))
}

pub(super) fn gateway_pb((orig_address, entry): (&MacAddr, &Gateway)) -> pb::GatewayReport {
    pb::GatewayReport {
        orig_address: orig_address.0.to_vec(),
        best: entry.best,
        router: entry.router.as_ref().map(next_hop_pb),
        bandwidth_down_kbit: entry.bandwidth_down_kbit,
        bandwidth_up_kbit: entry.bandwidth_up_kbit,
        silent: entry.silent,
    }
}

pub(super) fn gateway(entry: pb::GatewayReport) -> Result<(MacAddr, Gateway), Reject> {
    let gateway = Gateway {
        best: entry.best,
        router: entry.router.map(next_hop).transpose()?,
        bandwidth_down_kbit: entry.bandwidth_down_kbit,
        bandwidth_up_kbit: entry.bandwidth_up_kbit,
        silent: entry.silent,
    };
    Ok((address("gateway.orig_address", &entry.orig_address)?, gateway))
}

pub(super) fn tables_pb(tables: TableSizes) -> pb::TableSizes {
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

pub(super) fn tables(tables: pb::TableSizes) -> TableSizes {
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

pub(super) fn counter_pb((name, value): (&String, &u64)) -> pb::Counter {
    pb::Counter {
        name: name.clone(),
        value: *value,
    }
}

pub(super) fn counter(entry: pb::Counter) -> Result<(String, u64), Reject> {
    Ok((text("counter.name", entry.name)?, entry.value))
}

pub(super) fn traffic_key_pb(key: &TrafficKey) -> pb::TrafficKey {
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

pub(super) fn traffic_key(key: pb::TrafficKey) -> Result<TrafficKey, Reject> {
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

pub(super) fn traffic_pb((key, entry): (&TrafficKey, &Traffic)) -> pb::Traffic {
    pb::Traffic {
        key: Some(traffic_key_pb(key)),
        packets: entry.packets,
        bytes: entry.bytes,
    }
}

pub(super) fn traffic(entry: pb::Traffic) -> Result<(TrafficKey, Traffic), Reject> {
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

pub(super) fn churn_pb(churn: Churn) -> pb::Churn {
    pb::Churn {
        incarnation: churn.incarnation,
        method: churn_method_pb(churn.method).into(),
        path_switches: churn.path_switches,
        adjacencies_up: churn.adjacencies_up,
        adjacencies_down: churn.adjacencies_down,
    }
}

pub(super) fn churn(churn: pb::Churn) -> Churn {
    Churn {
        incarnation: churn.incarnation,
        method: churn_method(churn.method),
        path_switches: churn.path_switches,
        adjacencies_up: churn.adjacencies_up,
        adjacencies_down: churn.adjacencies_down,
    }
}

pub(super) fn probe_pb((name, probe): (&String, &ProbeStatus)) -> pb::ProbeStatus {
    pb::ProbeStatus {
        name: name.clone(),
        attached: probe.attached,
        mechanism: probe.mechanism.clone(),
        // May quote the kernel at length; a sentence too long must not cost the whole report.
        reason: shortened(&probe.reason, limits::TEXT),
    }
}

pub(super) fn probe(probe: pb::ProbeStatus) -> Result<(String, ProbeStatus), Reject> {
    let status = ProbeStatus {
        attached: probe.attached,
        mechanism: text("probe.mechanism", probe.mechanism)?,
        reason: text("probe.reason", probe.reason)?,
    };
    Ok((text("probe.name", probe.name)?, status))
}

pub(super) fn managed_pb((mesh_ifname, managed): (&IfName, &Managed)) -> pb::ManagedMesh {
    pb::ManagedMesh {
        mesh_ifname: mesh_ifname.to_string(),
        mesh: managed.mesh.to_string(),
        policy: match managed.policy {
            ManagePolicy::Report => pb::ManagePolicy::Report,
            ManagePolicy::Enforce => pb::ManagePolicy::Enforce,
            ManagePolicy::LeftToOwner => pb::ManagePolicy::LeftToOwner,
        }
        .into(),
        drift: managed.drift,
    }
}

pub(super) fn managed(managed: pb::ManagedMesh) -> Result<(IfName, Managed), Reject> {
    let value = Managed {
        mesh: name("managed.mesh", &managed.mesh)?,
        // A policy this release does not know is taken for the one that promises least.
        policy: match managed.policy() {
            pb::ManagePolicy::Unspecified | pb::ManagePolicy::Report => ManagePolicy::Report,
            pb::ManagePolicy::Enforce => ManagePolicy::Enforce,
            pb::ManagePolicy::LeftToOwner => ManagePolicy::LeftToOwner,
        },
        drift: managed.drift,
    };
    Ok((name("managed.mesh_ifname", &managed.mesh_ifname)?, value))
}

pub(super) fn svid_pb(svid: SvidStatus) -> pb::SvidStatus {
    pb::SvidStatus {
        expiry_seconds: svid.expiry_seconds,
        renewals: svid.renewals,
    }
}

pub(super) fn svid(svid: pb::SvidStatus) -> SvidStatus {
    SvidStatus {
        expiry_seconds: svid.expiry_seconds,
        renewals: svid.renewals,
    }
}

pub(super) fn optional_address_pb(address: Option<MacAddr>) -> Vec<u8> {
    address.map(|address| address.0.to_vec()).unwrap_or_default()
}
