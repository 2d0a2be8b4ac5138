//! Views and deltas.

use std::collections::{BTreeMap, BTreeSet};

use super::entries::{
    churn, churn_pb, counter, counter_pb, gateway, gateway_pb, hard_interface, hard_interface_pb, managed, managed_pb,
    neighbor, neighbor_key, neighbor_key_pb, neighbor_pb, originator, originator_pb, probe, probe_pb, settings,
    settings_pb, svid, svid_pb, tables, tables_pb, traffic, traffic_key, traffic_key_pb, traffic_pb,
};
use super::{Reason, Reject, address, at_most, limits, name, reject, required, text};
use crate::model::{Changes, Delta, MeshDelta, MeshView, Snapshot};
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
            managed: view.managed.iter().map(managed_pb).collect(),
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
            managed: table("view.managed", view.managed, limits::MANAGED, managed)?,
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
            managed: delta.managed.upserts.iter().map(managed_pb).collect(),
            removed_managed: delta.managed.removals.iter().map(ToString::to_string).collect(),
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
            managed: Changes {
                upserts: table("delta.managed", delta.managed, limits::MANAGED, managed)?,
                removals: keys("delta.removed_managed", delta.removed_managed, limits::MANAGED, |key| {
                    name("delta.removed_managed", &key)
                })?,
            },
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
