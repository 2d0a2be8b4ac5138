//! Names and values of everything that can be set.
//!
//! Values are the kernel's own, in its units; [`Setting::show`] says them in the configuration's words.

use std::fmt;

use mesh_proto::model::{IfName, MacAddr};
use serde::{Deserialize, Serialize};

/// What carries a setting.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Target {
    /// A mesh interface.
    Mesh(IfName),
    /// A VLAN on a mesh interface, 1 to 4094. It exists while some interface with that tag is on top of it.
    Vlan(IfName, u16),
    /// A hard interface: a member of a mesh interface, or one that may become one.
    Interface(IfName),
}

/// One thing that can be set, such as `bat0.hop_penalty`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Knob {
    /// Where.
    pub target: Target,
    /// What.
    pub setting: Setting,
}

/// What can be set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Setting {
    /// That the mesh interface exists, with this [`Value::Algorithm`]; another one means to make it anew.
    Algorithm,
    /// `BATADV_CMD_SET_MESH`.
    Mesh(MeshSetting),
    /// `BATADV_CMD_SET_VLAN`, [`Value::Flag`]: the VLAN's wireless clients do not reach each other.
    VlanApIsolation,
    /// Which interface it is a member of, [`Value::Interface`]: of a hard interface its mesh interface, of a mesh
    /// interface its bridge.
    Master,
    /// `BATADV_CMD_SET_HARDIF`; only members have it.
    Hard(HardSetting),
    /// The wireless network joined, [`Value::Radio`].
    Radio,
    /// Hardware address, [`Value::Address`].
    Address,
    /// Bytes, [`Value::Number`].
    Mtu,
    /// Set up by the administrator, [`Value::Flag`].
    Up,
}

/// Settings of a mesh interface, by the names of batctl.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MeshSetting {
    /// Milliseconds between two OGMs; the kernel clamps to 40 and above.
    OrigInterval,
    /// Flag: OGMs travel together.
    Aggregation,
    /// Flag: wireless clients do not reach each other.
    ApIsolation,
    /// Mark of packets to isolate.
    IsolationMark,
    /// Bits of the mark that matter.
    IsolationMask,
    /// Flag: several ways are used at once.
    Bonding,
    /// Flag.
    BridgeLoopAvoidance,
    /// Flag.
    DistributedArpTable,
    /// Flag.
    Fragmentation,
    /// Number: 0 off, 1 client, 2 server.
    GwMode,
    /// 100 kbit/s.
    GwBandwidthDown,
    /// 100 kbit/s.
    GwBandwidthUp,
    /// When a client changes its gateway.
    GwSelClass,
    /// 0 to 255.
    HopPenalty,
    /// Bits; kernels with batman-adv debugging only.
    LogLevel,
    /// Flag: multicast goes everywhere.
    MulticastForceflood,
    /// Most receivers of a multicast frame sent as unicast.
    MulticastFanout,
    /// Flag; releases before 2025.4 only.
    NetworkCoding,
}

/// Settings of a member.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HardSetting {
    /// 0 to 255.
    HopPenalty,
    /// Milliseconds between two ELPs; BATMAN_V; the kernel clamps to 20 and above.
    ElpInterval,
    /// 100 kbit/s, 0: measured; BATMAN_V.
    ThroughputOverride,
}

/// What a knob is set to.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Value {
    /// On or off.
    Flag(bool),
    /// In the kernel's unit.
    Number(u32),
    /// Name of a routing algorithm, such as `BATMAN_IV`.
    Algorithm(String),
    /// Name of another interface.
    Interface(IfName),
    /// Hardware address.
    Address(MacAddr),
    /// A wireless network.
    Radio(Radio),
}

/// A wireless network and where it is.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Radio {
    /// Its kind and name.
    pub network: Network,
    /// Centre of the control channel, MHz.
    pub frequency_mhz: u32,
    /// Width of the channel.
    pub width: Width,
}

/// A wireless network without access point, unencrypted.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Network {
    /// 802.11s, without its own forwarding, which is batman-adv's work. 1 to 32 bytes.
    Mesh(String),
    /// Ad-hoc. 1 to 32 bytes.
    Ibss(String),
}

/// Width of a wireless channel, as `iw` writes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Width {
    /// 20 MHz without 802.11n.
    #[serde(rename = "NOHT")]
    NoHt,
    /// 20 MHz.
    #[serde(rename = "HT20")]
    Ht20,
    /// 40 MHz, the second channel above.
    #[serde(rename = "HT40+")]
    Ht40Plus,
    /// 40 MHz, the second channel below.
    #[serde(rename = "HT40-")]
    Ht40Minus,
    /// 80 MHz.
    #[serde(rename = "80MHz")]
    Mhz80,
}

// === impl Knob ===

impl Knob {
    /// Of a mesh interface.
    pub fn mesh(name: &IfName, setting: Setting) -> Self {
        Self {
            target: Target::Mesh(name.clone()),
            setting,
        }
    }

    /// Of a hard interface.
    pub fn interface(name: &IfName, setting: Setting) -> Self {
        Self {
            target: Target::Interface(name.clone()),
            setting,
        }
    }

    /// Of a VLAN on a mesh interface.
    pub fn vlan(mesh: &IfName, vid: u16) -> Self {
        Self {
            target: Target::Vlan(mesh.clone(), vid),
            setting: Setting::VlanApIsolation,
        }
    }
}

/// As in `bat0.hop_penalty`, `bat0.vlan.10.ap_isolation`, `eth1.mtu`.
impl fmt::Display for Knob {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.target {
            Target::Mesh(name) | Target::Interface(name) => write!(f, "{name}.{}", self.setting.name()),
            Target::Vlan(name, vid) => write!(f, "{name}.vlan.{vid}.{}", self.setting.name()),
        }
    }
}

// === impl Setting ===

impl Setting {
    /// The configuration's key.
    pub fn name(self) -> &'static str {
        match self {
            Self::Algorithm => "algorithm",
            Self::Mesh(setting) => setting.name(),
            Self::VlanApIsolation => "ap_isolation",
            Self::Master => "master",
            Self::Hard(setting) => setting.name(),
            Self::Radio => "radio",
            Self::Address => "mac",
            Self::Mtu => "mtu",
            Self::Up => "up",
        }
    }

    /// A value in the configuration's words and units, as in `"1s"`, `true`, `20000`.
    pub fn show(self, value: &Value) -> String {
        match (self, value) {
            (Self::Mesh(MeshSetting::GwMode), Value::Number(0)) => "\"off\"".to_owned(),
            (Self::Mesh(MeshSetting::GwMode), Value::Number(1)) => "\"client\"".to_owned(),
            (Self::Mesh(MeshSetting::GwMode), Value::Number(2)) => "\"server\"".to_owned(),
            (
                Self::Mesh(MeshSetting::GwBandwidthDown | MeshSetting::GwBandwidthUp)
                | Self::Hard(HardSetting::ThroughputOverride),
                Value::Number(units),
            ) => (u64::from(*units) * 100).to_string(),
            (Self::Mesh(MeshSetting::OrigInterval) | Self::Hard(HardSetting::ElpInterval), Value::Number(millis)) => {
                let span = mesh_daemon::Span(std::time::Duration::from_millis(u64::from(*millis)));
                format!("\"{span}\"")
            }
            (Self::Mesh(MeshSetting::IsolationMark | MeshSetting::IsolationMask), Value::Number(bits)) => {
                format!("{bits:#010x}")
            }
            (_, value) => value.to_string(),
        }
    }
}

impl MeshSetting {
    /// All of them.
    pub const ALL: [Self; 18] = [
        Self::OrigInterval,
        Self::Aggregation,
        Self::ApIsolation,
        Self::IsolationMark,
        Self::IsolationMask,
        Self::Bonding,
        Self::BridgeLoopAvoidance,
        Self::DistributedArpTable,
        Self::Fragmentation,
        Self::GwMode,
        Self::GwBandwidthDown,
        Self::GwBandwidthUp,
        Self::GwSelClass,
        Self::HopPenalty,
        Self::LogLevel,
        Self::MulticastForceflood,
        Self::MulticastFanout,
        Self::NetworkCoding,
    ];

    /// The configuration's key.
    pub fn name(self) -> &'static str {
        match self {
            Self::OrigInterval => "orig_interval",
            Self::Aggregation => "aggregation",
            Self::ApIsolation => "ap_isolation",
            Self::IsolationMark => "isolation_mark",
            Self::IsolationMask => "isolation_mask",
            Self::Bonding => "bonding",
            Self::BridgeLoopAvoidance => "bridge_loop_avoidance",
            Self::DistributedArpTable => "distributed_arp_table",
            Self::Fragmentation => "fragmentation",
            Self::GwMode => "gw_mode",
            Self::GwBandwidthDown => "gw_bandwidth_down_kbit",
            Self::GwBandwidthUp => "gw_bandwidth_up_kbit",
            Self::GwSelClass => "gw_sel_class",
            Self::HopPenalty => "hop_penalty",
            Self::LogLevel => "log_level",
            Self::MulticastForceflood => "multicast_forceflood",
            Self::MulticastFanout => "multicast_fanout",
            Self::NetworkCoding => "network_coding",
        }
    }

    /// Its values are [`Value::Flag`]; the others' are [`Value::Number`].
    pub fn is_flag(self) -> bool {
        matches!(
            self,
            Self::Aggregation
                | Self::ApIsolation
                | Self::Bonding
                | Self::BridgeLoopAvoidance
                | Self::DistributedArpTable
                | Self::Fragmentation
                | Self::MulticastForceflood
                | Self::NetworkCoding
        )
    }
}

impl HardSetting {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::HopPenalty, Self::ElpInterval, Self::ThroughputOverride];

    /// The configuration's key.
    pub fn name(self) -> &'static str {
        match self {
            Self::HopPenalty => "hop_penalty",
            Self::ElpInterval => "elp_interval",
            Self::ThroughputOverride => "throughput_override_kbit",
        }
    }
}

// === impl Value ===

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Flag(flag) => write!(f, "{flag}"),
            Self::Number(number) => write!(f, "{number}"),
            Self::Algorithm(name) => write!(f, "\"{name}\""),
            Self::Interface(name) => write!(f, "\"{name}\""),
            Self::Address(address) => write!(f, "\"{address}\""),
            Self::Radio(radio) => write!(f, "{radio}"),
        }
    }
}

impl fmt::Display for Radio {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (kind, name) = match &self.network {
            Network::Mesh(id) => ("mesh", id),
            Network::Ibss(ssid) => ("ibss", ssid),
        };
        write!(
            f,
            "{{ type = \"{kind}\", id = {name:?}, frequency = {}, width = \"{}\" }}",
            self.frequency_mhz,
            self.width.name()
        )
    }
}

impl Width {
    /// As `iw` writes it.
    pub fn name(self) -> &'static str {
        match self {
            Self::NoHt => "NOHT",
            Self::Ht20 => "HT20",
            Self::Ht40Plus => "HT40+",
            Self::Ht40Minus => "HT40-",
            Self::Mhz80 => "80MHz",
        }
    }
}
