//! Entries as `batctl`'s JSON has them, to compare the two.

use serde_json::{Map, Value, json};

use super::batadv::{
    BlaBackbone, BlaClaim, DatEntry, Gateway, GlobalEntry, HardInterface, LocalEntry, McastFlags, Mesh, Neighbor,
    Originator,
};

/// Ours, in batctl's words.
pub(crate) trait Batctl {
    fn batctl(&self) -> Value;
}

/// Theirs, with flags spelled out that are false and decorations taken off that say nothing more.
pub(crate) fn normal(theirs: &Value) -> Value {
    let mut entry: Map<String, Value> = theirs.as_object().cloned().unwrap_or_default();
    for flags in ["tt_flags", "mcast_flags"] {
        if let Some(value) = entry.get_mut(flags) {
            *value = value["raw"].take();
        }
    }
    for (flag, beside) in [
        ("best", "orig_address"),
        ("bla_own", "bla_backbone"),
        ("active", "elp_interval"),
    ] {
        if entry.contains_key(beside) && !entry.contains_key("mcast_flags") && !entry.contains_key("algo_name") {
            entry.entry(flag).or_insert(Value::Bool(false));
        }
    }
    for known_anyway in ["mesh_ifindex", "mesh_ifname"] {
        if !entry.contains_key("algo_name") {
            entry.remove(known_anyway);
        }
    }
    Value::Object(entry)
}

/// batctl prints the VLAN, or -1 where the tag bit is not set.
fn vid(vid: u16) -> i32 {
    if vid & 1 << 15 == 0 { -1 } else { i32::from(vid & 0xfff) }
}

/// Without what is not there.
fn object(mut value: Value) -> Value {
    if let Some(object) = value.as_object_mut() {
        object.retain(|_, value| !value.is_null());
    }
    value
}

impl Batctl for Originator {
    fn batctl(&self) -> Value {
        object(json!({
            "orig_address": self.orig_address,
            "neigh_address": self.neigh_address,
            "hard_ifindex": self.hard_ifindex,
            "hard_ifname": self.hard_ifname,
            "tq": self.tq,
            "throughput": self.throughput,
            "last_seen_msecs": self.last_seen_msecs,
            "best": self.best,
        }))
    }
}

impl Batctl for Neighbor {
    fn batctl(&self) -> Value {
        object(json!({
            "neigh_address": self.neigh_address,
            "hard_ifindex": self.hard_ifindex,
            "hard_ifname": self.hard_ifname,
            "throughput": self.throughput,
            "last_seen_msecs": self.last_seen_msecs,
        }))
    }
}

impl Batctl for Gateway {
    fn batctl(&self) -> Value {
        object(json!({
            "orig_address": self.orig_address,
            "router": self.router,
            "hard_ifindex": self.hard_ifindex,
            "hard_ifname": self.hard_ifname,
            "tq": self.tq,
            "throughput": self.throughput,
            "bandwidth_down": self.bandwidth_down,
            "bandwidth_up": self.bandwidth_up,
            "best": self.best,
        }))
    }
}

impl Batctl for HardInterface {
    fn batctl(&self) -> Value {
        object(json!({
            "hard_ifindex": self.hard_ifindex,
            "hard_ifname": self.hard_ifname,
            "hard_address": self.hard_address,
            "active": self.active,
            "hop_penalty": self.hop_penalty,
            "elp_interval": self.elp_interval,
            "throughput_override": self.throughput_override,
        }))
    }
}

impl Batctl for LocalEntry {
    fn batctl(&self) -> Value {
        object(json!({
            "tt_address": self.address,
            "tt_vid": vid(self.vid),
            "tt_crc32": self.crc32,
            "tt_flags": self.flags.0,
            "last_seen_msecs": self.last_seen_msecs,
        }))
    }
}

impl Batctl for GlobalEntry {
    fn batctl(&self) -> Value {
        object(json!({
            "tt_address": self.address,
            "orig_address": self.orig_address,
            "tt_vid": vid(self.vid),
            "tt_ttvn": self.ttvn,
            "tt_last_ttvn": self.last_ttvn,
            "tt_crc32": self.crc32,
            "tt_flags": self.flags.0,
            "best": self.best,
        }))
    }
}

impl Batctl for BlaClaim {
    fn batctl(&self) -> Value {
        object(json!({
            "bla_address": self.address,
            "bla_vid": vid(self.vid),
            "bla_backbone": self.backbone,
            "bla_crc": self.crc,
            "bla_own": self.own,
        }))
    }
}

impl Batctl for BlaBackbone {
    fn batctl(&self) -> Value {
        object(json!({
            "bla_backbone": self.backbone,
            "bla_vid": vid(self.vid),
            "bla_crc": self.crc,
            "last_seen_msecs": self.last_seen_msecs,
            "bla_own": self.own,
        }))
    }
}

impl Batctl for DatEntry {
    fn batctl(&self) -> Value {
        object(json!({
            "dat_cache_ip4address": self.ip4address,
            "dat_cache_hwaddress": self.hwaddress,
            "dat_cache_vid": vid(self.vid),
            "last_seen_msecs": self.last_seen_msecs,
        }))
    }
}

impl Batctl for McastFlags {
    fn batctl(&self) -> Value {
        object(json!({ "orig_address": self.orig_address, "mcast_flags": self.flags }))
    }
}

/// What this release uses of the settings.
impl Batctl for Mesh {
    fn batctl(&self) -> Value {
        let gw_mode = self.gw_mode.map(|mode| ["off", "client", "server"][usize::from(mode)]);
        object(json!({
            "version": self.version,
            "algo_name": self.algo_name,
            "mesh_ifindex": self.mesh_ifindex,
            "mesh_ifname": self.mesh_ifname,
            "mesh_address": self.mesh_address,
            "hard_ifindex": self.hard_ifindex,
            "hard_ifname": self.hard_ifname,
            "hard_address": self.hard_address,
            "tt_ttvn": self.tt_ttvn,
            "hop_penalty": self.hop_penalty,
            "orig_interval": self.orig_interval,
            "gw_mode": gw_mode,
            "gw_bandwidth_down": self.gw_bandwidth_down,
            "gw_bandwidth_up": self.gw_bandwidth_up,
            "gw_sel_class": self.gw_sel_class,
        }))
    }
}
