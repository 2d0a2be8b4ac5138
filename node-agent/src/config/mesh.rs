//! `[mesh.bat0]`: what a mesh interface should be.
//!
//! What is not written is left as it is. A table without a wish (see [`Mesh::is_wish`]) is only observed.

use std::collections::BTreeMap;

use mesh_proto::model::{MacAddr, MeshId};
use serde::{Deserialize, Serialize};

use super::member::Member;
use super::values::{Algorithm, GwMode, IsolationMark, Kbit, Millis, Policy, Vid};
use crate::actuate::{MeshSetting, Value};

/// `[mesh.bat0]`
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Mesh {
    /// Name of the mesh, the same on all its nodes; default: the interface's name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<MeshId>,
    /// What `run` does about differences; `apply` puts them right in any case.
    pub policy: Policy,
    /// Routing algorithm. Absent: as it is, and `BATMAN_IV` for a mesh interface that has to be made.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub algorithm: Option<Algorithm>,
    /// Between two OGMs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub orig_interval: Option<Millis>,
    /// OGMs travel together.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub aggregation: Option<bool>,
    /// Wireless clients do not reach each other.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ap_isolation: Option<bool>,
    /// Packets with this mark are isolated too; two settings of the kernel.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub isolation_mark: Option<IsolationMark>,
    /// Several ways are used at once.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bonding: Option<bool>,
    /// For a bridge of the mesh with a network that is the mesh's twice.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bridge_loop_avoidance: Option<bool>,
    /// ARP is answered out of the mesh.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub distributed_arp_table: Option<bool>,
    /// Packets too long for a link are cut.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fragmentation: Option<bool>,
    /// Gateway, its user, or neither.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gw_mode: Option<GwMode>,
    /// What a gateway says it offers.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gw_bandwidth_down_kbit: Option<Kbit>,
    /// What a gateway says it offers.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gw_bandwidth_up_kbit: Option<Kbit>,
    /// When a client changes its gateway; the kernel's number, which each algorithm takes in its own way.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gw_sel_class: Option<u32>,
    /// What a hop costs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hop_penalty: Option<u8>,
    /// Bits; kernels with batman-adv debugging only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub log_level: Option<u32>,
    /// Multicast goes everywhere.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub multicast_forceflood: Option<bool>,
    /// Most receivers of a multicast frame sent as unicast.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub multicast_fanout: Option<u32>,
    /// Batman-adv before 2025.4.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub network_coding: Option<bool>,
    /// Bytes, of the mesh interface.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mtu: Option<u32>,
    /// Hardware address of the mesh interface.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mac: Option<MacAddr>,
    /// Whether the mesh interface is up. Absent: up, where anything is wished of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub up: Option<bool>,
    /// Its hard interfaces, all of them. Absent: as they are.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub member: Option<Vec<Member>>,
    /// VLANs on it.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub vlan: BTreeMap<Vid, Vlan>,
}

/// `[mesh.bat0.vlan.10]`
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Vlan {
    /// Wireless clients do not reach each other in this VLAN.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ap_isolation: Option<bool>,
}

impl Mesh {
    /// Whether the interface is to be managed at all. A table with a name alone is one to observe: it need not exist, and nothing
    /// of it is a difference.
    pub fn is_wish(&self) -> bool {
        let observed = Self {
            name: self.name.clone(),
            ..Self::default()
        };
        *self != observed
    }

    /// The wished values of batman-adv's own settings, in the kernel's units.
    pub fn settings(&self) -> impl Iterator<Item = (MeshSetting, Value)> + '_ {
        MeshSetting::ALL
            .into_iter()
            .filter_map(|setting| Some((setting, self.setting(setting)?)))
    }

    fn setting(&self, setting: MeshSetting) -> Option<Value> {
        let flag = |flag: Option<bool>| flag.map(Value::Flag);
        let number = |number: Option<u32>| number.map(Value::Number);
        match setting {
            MeshSetting::OrigInterval => number(self.orig_interval.map(|millis| millis.0)),
            MeshSetting::Aggregation => flag(self.aggregation),
            MeshSetting::ApIsolation => flag(self.ap_isolation),
            MeshSetting::IsolationMark => number(self.isolation_mark.map(|marked| marked.mark)),
            MeshSetting::IsolationMask => number(self.isolation_mark.map(|marked| marked.mask)),
            MeshSetting::Bonding => flag(self.bonding),
            MeshSetting::BridgeLoopAvoidance => flag(self.bridge_loop_avoidance),
            MeshSetting::DistributedArpTable => flag(self.distributed_arp_table),
            MeshSetting::Fragmentation => flag(self.fragmentation),
            MeshSetting::GwMode => number(self.gw_mode.map(GwMode::number)),
            MeshSetting::GwBandwidthDown => number(self.gw_bandwidth_down_kbit.map(|kbit| kbit.hundreds)),
            MeshSetting::GwBandwidthUp => number(self.gw_bandwidth_up_kbit.map(|kbit| kbit.hundreds)),
            MeshSetting::GwSelClass => number(self.gw_sel_class),
            MeshSetting::HopPenalty => number(self.hop_penalty.map(u32::from)),
            MeshSetting::LogLevel => number(self.log_level),
            MeshSetting::MulticastForceflood => flag(self.multicast_forceflood),
            MeshSetting::MulticastFanout => number(self.multicast_fanout),
            MeshSetting::NetworkCoding => flag(self.network_coding),
        }
    }

    /// Wishes a value of batman-adv's own settings, in the kernel's units: the way back from [`Self::settings`]. False if
    /// the configuration has no words for it, as for a gateway mode that no kernel has today.
    pub fn put(&mut self, setting: MeshSetting, value: &Value) -> bool {
        match *value {
            Value::Flag(flag) => self.put_flag(setting, flag),
            Value::Number(number) => self.put_number(setting, number),
            _ => false,
        }
    }

    fn put_flag(&mut self, setting: MeshSetting, flag: bool) -> bool {
        let field = match setting {
            MeshSetting::Aggregation => &mut self.aggregation,
            MeshSetting::ApIsolation => &mut self.ap_isolation,
            MeshSetting::Bonding => &mut self.bonding,
            MeshSetting::BridgeLoopAvoidance => &mut self.bridge_loop_avoidance,
            MeshSetting::DistributedArpTable => &mut self.distributed_arp_table,
            MeshSetting::Fragmentation => &mut self.fragmentation,
            MeshSetting::MulticastForceflood => &mut self.multicast_forceflood,
            MeshSetting::NetworkCoding => &mut self.network_coding,
            _ => return false,
        };
        *field = Some(flag);
        true
    }

    fn put_number(&mut self, setting: MeshSetting, number: u32) -> bool {
        let marked = || IsolationMark {
            mark: 0,
            mask: u32::MAX,
        };
        let kbit = Some(Kbit { hundreds: number });
        match setting {
            MeshSetting::OrigInterval => self.orig_interval = Some(Millis(number)),
            MeshSetting::IsolationMark => self.isolation_mark.get_or_insert_with(marked).mark = number,
            MeshSetting::IsolationMask => self.isolation_mark.get_or_insert_with(marked).mask = number,
            MeshSetting::GwMode => match GwMode::by_number(number) {
                Some(mode) => self.gw_mode = Some(mode),
                None => return false,
            },
            MeshSetting::GwBandwidthDown => self.gw_bandwidth_down_kbit = kbit,
            MeshSetting::GwBandwidthUp => self.gw_bandwidth_up_kbit = kbit,
            MeshSetting::GwSelClass => self.gw_sel_class = Some(number),
            MeshSetting::HopPenalty => match u8::try_from(number) {
                Ok(penalty) => self.hop_penalty = Some(penalty),
                Err(_) => return false,
            },
            MeshSetting::LogLevel => self.log_level = Some(number),
            MeshSetting::MulticastFanout => self.multicast_fanout = Some(number),
            _ => return false,
        }
        true
    }
}

#[cfg(test)]
mod tests;
