//! Settings and members, in the units of the model.

use std::collections::BTreeMap;

use mesh_proto::model::{Algorithm, GatewayMode, HardInterface, IfName, MeshId, MeshSettings};

use super::debounce::Debounced;
use crate::netlink::batadv;
use crate::netlink::link::Link;

/// `BATADV_ATTR_GW_BANDWIDTH_*`, `BATADV_ATTR_THROUGHPUT_OVERRIDE` and gateways' bandwidths count in 100 kbit/s.
const KBIT_PER_UNIT: u32 = 100;

pub(super) fn kbit(units: u32) -> u32 {
    units.saturating_mul(KBIT_PER_UNIT)
}

/// `None` for the mesh: its settings were never read.
pub(super) fn settings(mesh_id: &MeshId, mesh: Option<&batadv::Mesh>) -> MeshSettings {
    let gw_mode = mesh.and_then(|mesh| gateway_mode(mesh.gw_mode?));
    // The kernel keeps bandwidths for every mode, but announces and means them only as a server.
    let server = mesh.filter(|_| gw_mode == Some(GatewayMode::Server));
    MeshSettings {
        mesh: mesh_id.clone(),
        algorithm: mesh.and_then(algorithm),
        mesh_address: mesh.and_then(|mesh| mesh.mesh_address),
        orig_address: mesh.and_then(|mesh| mesh.hard_address),
        hop_penalty: mesh.and_then(|mesh| mesh.hop_penalty),
        orig_interval_ms: mesh.and_then(|mesh| mesh.orig_interval),
        gw_mode,
        gw_bandwidth_down_kbit: server.and_then(|mesh| mesh.gw_bandwidth_down).map(kbit),
        gw_bandwidth_up_kbit: server.and_then(|mesh| mesh.gw_bandwidth_up).map(kbit),
    }
}

pub(super) fn algorithm(mesh: &batadv::Mesh) -> Option<Algorithm> {
    Algorithm::from_name(mesh.algo_name.as_deref()?)
}

fn gateway_mode(mode: u8) -> Option<GatewayMode> {
    match mode {
        0 => Some(GatewayMode::Off),
        1 => Some(GatewayMode::Client),
        2 => Some(GatewayMode::Server),
        _ => None,
    }
}

pub(super) fn hard_interfaces(
    entries: &Debounced<u32, batadv::HardInterface>,
    members: &[Link],
    algorithm: Option<Algorithm>,
) -> BTreeMap<IfName, HardInterface> {
    let mtu = |index| members.iter().find(|link| link.ifindex == index)?.mtu;
    entries
        .iter()
        .filter_map(|(index, entry, _)| {
            let interface = HardInterface {
                hard_address: entry.hard_address,
                active: entry.active,
                hop_penalty: entry.hop_penalty,
                throughput_override_kbit: entry
                    .throughput_override
                    .filter(|&units| units > 0 && algorithm == Some(Algorithm::BatmanV))
                    .map(kbit),
                mtu: mtu(*index),
            };
            Some((IfName::try_from(entry.hard_ifname.as_str()).ok()?, interface))
        })
        .collect()
}
