//! Frames by member, direction and type.

use std::collections::BTreeMap;

use mesh_proto::model::{Traffic, TrafficKey};

use super::names::Names;
use crate::sample::TrafficCount;

/// Those of this mesh interface's members. A name counted twice on one member is summed.
pub(super) fn traffic(counts: &[TrafficCount], names: &Names) -> BTreeMap<TrafficKey, Traffic> {
    let mut traffic: BTreeMap<TrafficKey, Traffic> = BTreeMap::new();
    for count in counts {
        let Some(hard_ifname) = names.get(count.hard_ifindex) else {
            continue;
        };
        let key = TrafficKey {
            hard_ifname: hard_ifname.clone(),
            direction: count.direction,
            packet_type: count.packet_type.clone(),
        };
        let sum = traffic.entry(key).or_default();
        sum.packets = sum.packets.saturating_add(count.packets);
        sum.bytes = sum.bytes.saturating_add(count.bytes);
    }
    traffic
}
