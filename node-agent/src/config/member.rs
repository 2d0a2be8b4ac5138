//! `[[mesh.bat0.member]]`: which interfaces carry the mesh, and what they should be.

use std::fmt;

use mesh_proto::model::{IfName, MacAddr};
use serde::{Deserialize, Serialize};

use super::values::{Kbit, Millis, Pattern};
use crate::actuate::{HardSetting, Network, Radio, Value, Width};

/// `[[mesh.bat0.member]]`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Table", into = "Table")]
pub struct Member {
    /// Which interfaces.
    pub select: Select,
    /// Bytes.
    pub mtu: Option<u32>,
    /// The hardware address it gets; not with a pattern.
    pub set_mac: Option<MacAddr>,
    /// Whether it is up; absent: up.
    pub up: Option<bool>,
    /// What a hop over it costs, beside the mesh's own.
    pub hop_penalty: Option<u8>,
    /// Between two ELPs; `BATMAN_V`.
    pub elp_interval: Option<Millis>,
    /// Its throughput, instead of what is measured; 0: measured; `BATMAN_V`.
    pub throughput_override_kbit: Option<Kbit>,
    /// The wireless network it is in. Absent: nothing is done to the radio.
    pub radio: Option<Radio>,
}

/// Which interfaces a member table means.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Select {
    /// The one of this name.
    Name(IfName),
    /// The one of this hardware address: its own, or the one it gets by `set_mac`.
    Mac(MacAddr),
    /// All of such names, those that appear later too.
    Pattern(Pattern),
}

/// The table as it is written.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Table {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    name: Option<IfName>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pattern: Option<Pattern>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    mac: Option<MacAddr>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    mtu: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    set_mac: Option<MacAddr>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    up: Option<bool>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    hop_penalty: Option<u8>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    elp_interval: Option<Millis>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    throughput_override_kbit: Option<Kbit>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    radio: Option<RadioTable>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct RadioTable {
    r#type: NetworkType,
    id: NetworkId,
    frequency: u32,
    #[serde(default = "usual_width")]
    width: Width,
}

#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum NetworkType {
    Mesh,
    Ibss,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
struct NetworkId(String);

fn usual_width() -> Width {
    Width::Ht20
}

// === impl Member ===

impl Member {
    /// One with nothing but its default wish: to be a member, and up.
    pub fn new(select: Select) -> Self {
        Self {
            select,
            mtu: None,
            set_mac: None,
            up: None,
            hop_penalty: None,
            elp_interval: None,
            throughput_override_kbit: None,
            radio: None,
        }
    }

    /// The wished values of batman-adv's settings of a member, in the kernel's units.
    pub fn settings(&self) -> impl Iterator<Item = (HardSetting, Value)> + '_ {
        HardSetting::ALL.into_iter().filter_map(|setting| {
            let number = match setting {
                HardSetting::HopPenalty => self.hop_penalty.map(u32::from),
                HardSetting::ElpInterval => self.elp_interval.map(|millis| millis.0),
                HardSetting::ThroughputOverride => self.throughput_override_kbit.map(|kbit| kbit.hundreds),
            };
            Some((setting, Value::Number(number?)))
        })
    }

    /// Wishes a value of batman-adv's settings of a member, in the kernel's units: the way back from [`Self::settings`].
    /// False if the configuration has no words for it.
    pub fn put(&mut self, setting: HardSetting, value: &Value) -> bool {
        let Value::Number(number) = *value else {
            return false;
        };
        match setting {
            HardSetting::HopPenalty => match u8::try_from(number) {
                Ok(penalty) => self.hop_penalty = Some(penalty),
                Err(_) => return false,
            },
            HardSetting::ElpInterval => self.elp_interval = Some(Millis(number)),
            HardSetting::ThroughputOverride => {
                self.throughput_override_kbit = Some(Kbit { hundreds: number });
            }
        }
        true
    }
}

impl TryFrom<Table> for Member {
    type Error = String;

    fn try_from(table: Table) -> Result<Self, Self::Error> {
        let name = table.name.map(Select::Name);
        let pattern = table.pattern.map(Select::Pattern);
        let mac = table.mac.map(Select::Mac);
        let mut said: Vec<Select> = [name, pattern, mac].into_iter().flatten().collect();
        let (Some(select), true) = (said.pop(), said.is_empty()) else {
            // The place of one of several tables is not known here; what is written in it says which.
            let said: Vec<String> = said.iter().map(Select::to_string).collect();
            let of = if said.is_empty() {
                String::new()
            } else {
                format!(" (here beside {})", said.join(", "))
            };
            return Err(format!(
                "a member is said by exactly one of `name`, `pattern` and `mac`{of}"
            ));
        };
        if table.set_mac.is_some() && matches!(select, Select::Pattern(_)) {
            return Err(format!(
                "`set_mac` with {select} would give one address to several interfaces; say the member by `name` or `mac`"
            ));
        }
        Ok(Self {
            select,
            mtu: table.mtu,
            set_mac: table.set_mac,
            up: table.up,
            hop_penalty: table.hop_penalty,
            elp_interval: table.elp_interval,
            throughput_override_kbit: table.throughput_override_kbit,
            radio: table.radio.map(Radio::from),
        })
    }
}

impl From<Member> for Table {
    fn from(member: Member) -> Self {
        let (name, mac, pattern) = match member.select {
            Select::Name(name) => (Some(name), None, None),
            Select::Mac(mac) => (None, Some(mac), None),
            Select::Pattern(pattern) => (None, None, Some(pattern)),
        };
        Self {
            name,
            pattern,
            mac,
            mtu: member.mtu,
            set_mac: member.set_mac,
            up: member.up,
            hop_penalty: member.hop_penalty,
            elp_interval: member.elp_interval,
            throughput_override_kbit: member.throughput_override_kbit,
            radio: member.radio.map(RadioTable::from),
        }
    }
}

// === impl RadioTable ===

impl From<RadioTable> for Radio {
    fn from(table: RadioTable) -> Self {
        Self {
            network: match table.r#type {
                NetworkType::Mesh => Network::Mesh(table.id.0),
                NetworkType::Ibss => Network::Ibss(table.id.0),
            },
            frequency_mhz: table.frequency,
            width: table.width,
        }
    }
}

impl From<Radio> for RadioTable {
    fn from(radio: Radio) -> Self {
        let (kind, id) = match radio.network {
            Network::Mesh(id) => (NetworkType::Mesh, id),
            Network::Ibss(ssid) => (NetworkType::Ibss, ssid),
        };
        Self {
            r#type: kind,
            id: NetworkId(id),
            frequency: radio.frequency_mhz,
            width: radio.width,
        }
    }
}

// === impl NetworkId ===

impl TryFrom<String> for NetworkId {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        if (1..=32).contains(&text.len()) {
            Ok(Self(text))
        } else {
            Err(format!(
                "{} bytes are no name of a network; allowed: 1 to 32",
                text.len()
            ))
        }
    }
}

impl From<NetworkId> for String {
    fn from(id: NetworkId) -> Self {
        id.0
    }
}

// === impl Select ===

/// As in the configuration: `name = "eth1"`.
impl fmt::Display for Select {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name(name) => write!(f, "name = \"{name}\""),
            Self::Mac(mac) => write!(f, "mac = \"{mac}\""),
            Self::Pattern(pattern) => write!(f, "pattern = \"{}\"", pattern.as_str()),
        }
    }
}
