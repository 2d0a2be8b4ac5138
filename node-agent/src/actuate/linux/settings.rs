//! Settings as attributes of the family `batadv`, each way from the same row of one table.

use crate::actuate::{HardSetting, MeshSetting, Value};
use crate::netlink::batadv::{BatadvAttr, HardInterface, Mesh, Vlan};

/// What an attribute carries, as a value.
trait Carried: Sized {
    fn to_value(&self) -> Value;
    /// `None`: it does not fit.
    fn from_value(value: &Value) -> Option<Self>;
}

/// An attribute of one byte that is on or off.
struct OnOff(u8);

macro_rules! number {
    ($($type:ty),+) => { $(
        impl Carried for $type {
            fn to_value(&self) -> Value {
                Value::Number((*self).into())
            }

            fn from_value(value: &Value) -> Option<Self> {
                match value {
                    Value::Number(number) => (*number).try_into().ok(),
                    _ => None,
                }
            }
        }
    )+ };
}

number!(u8, u32);

impl Carried for OnOff {
    fn to_value(&self) -> Value {
        Value::Flag(self.0 != 0)
    }

    fn from_value(value: &Value) -> Option<Self> {
        match value {
            Value::Flag(flag) => Some(Self((*flag).into())),
            _ => None,
        }
    }
}

/// `Setting: field of what was read => attribute to write, by way of its kind`.
macro_rules! table {
    ($read:ident, $write:ident, $settings:ident of $entry:ident:
     $($setting:ident: $field:ident => $attribute:ident($kind:ident $(. $inner:tt)?);)+) => {
        /// As read; `None`: this kernel does not have it.
        pub(super) fn $read(setting: $settings, entry: &$entry) -> Option<Value> {
            match setting {
                $($settings::$setting => entry.$field.map(|raw| table!(@kind raw $kind $($inner)?).to_value()),)+
            }
        }

        /// To be written; `None`: it is not of the kind the setting takes, or does not fit.
        pub(super) fn $write(setting: $settings, value: &Value) -> Option<BatadvAttr> {
            Some(match setting {
                $($settings::$setting => BatadvAttr::$attribute($kind::from_value(value)?$(.$inner)?),)+
            })
        }
    };
    (@kind $raw:ident $kind:ident 0) => { $kind($raw) };
    (@kind $raw:ident $kind:ident) => { $raw };
}

table! { of_mesh, to_mesh, MeshSetting of Mesh:
    OrigInterval: orig_interval => OrigInterval(u32);
    Aggregation: aggregated_ogms => AggregatedOgmsEnabled(OnOff.0);
    ApIsolation: ap_isolation => ApIsolationEnabled(OnOff.0);
    IsolationMark: isolation_mark => IsolationMark(u32);
    IsolationMask: isolation_mask => IsolationMask(u32);
    Bonding: bonding => BondingEnabled(OnOff.0);
    BridgeLoopAvoidance: bridge_loop_avoidance => BridgeLoopAvoidanceEnabled(OnOff.0);
    DistributedArpTable: distributed_arp_table => DistributedArpTableEnabled(OnOff.0);
    Fragmentation: fragmentation => FragmentationEnabled(OnOff.0);
    GwMode: gw_mode => GwMode(u8);
    GwBandwidthDown: gw_bandwidth_down => GwBandwidthDown(u32);
    GwBandwidthUp: gw_bandwidth_up => GwBandwidthUp(u32);
    GwSelClass: gw_sel_class => GwSelClass(u32);
    HopPenalty: hop_penalty => HopPenalty(u8);
    LogLevel: log_level => LogLevel(u32);
    MulticastForceflood: multicast_forceflood => MulticastForcefloodEnabled(OnOff.0);
    MulticastFanout: multicast_fanout => MulticastFanout(u32);
    NetworkCoding: network_coding => NetworkCodingEnabled(OnOff.0);
}

table! { of_hard, to_hard, HardSetting of HardInterface:
    HopPenalty: hop_penalty => HopPenalty(u8);
    ElpInterval: elp_interval => ElpInterval(u32);
    ThroughputOverride: throughput_override => ThroughputOverride(u32);
}

/// As read; `None`: this kernel does not have it.
pub(super) fn of_vlan(vlan: &Vlan) -> Option<Value> {
    vlan.ap_isolation.map(|raw| OnOff(raw).to_value())
}

/// To be written; `None`: it is no flag.
pub(super) fn to_vlan(value: &Value) -> Option<BatadvAttr> {
    Some(BatadvAttr::ApIsolationEnabled(OnOff::from_value(value)?.0))
}

#[cfg(test)]
mod tests;
