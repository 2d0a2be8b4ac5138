//! A simulated mesh interface.

use std::collections::BTreeMap;

use mesh_proto::model::{IfName, MacAddr};

use super::{flag, number};
use crate::actuate::{Knob, MeshSetting, Setting, Value, WriteError};

/// A mesh interface of the simulated kernel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SimMesh {
    pub(crate) algorithm: String,
    pub(crate) settings: BTreeMap<MeshSetting, Value>,
    /// With the isolation of its clients.
    pub(crate) vlans: BTreeMap<u16, bool>,
    pub(crate) mtu: u32,
    pub(crate) address: MacAddr,
    pub(crate) up: bool,
    pub(crate) bridge: Option<IfName>,
}

impl SimMesh {
    /// As the kernel makes it. No log level: few kernels have it.
    pub(crate) fn new(algorithm: &str, random: u8) -> Self {
        let defaults = MeshSetting::ALL.into_iter().filter_map(|setting| {
            let value = match setting {
                MeshSetting::Aggregation
                | MeshSetting::BridgeLoopAvoidance
                | MeshSetting::DistributedArpTable
                | MeshSetting::Fragmentation => Value::Flag(true),
                MeshSetting::OrigInterval => Value::Number(1000),
                MeshSetting::GwBandwidthDown => Value::Number(100),
                MeshSetting::GwBandwidthUp => Value::Number(20),
                MeshSetting::GwSelClass if algorithm == "BATMAN_V" => Value::Number(50),
                MeshSetting::GwSelClass => Value::Number(20),
                MeshSetting::HopPenalty => Value::Number(30),
                MeshSetting::MulticastFanout => Value::Number(16),
                MeshSetting::LogLevel => return None,
                flag if flag.is_flag() => Value::Flag(false),
                _ => Value::Number(0),
            };
            Some((setting, value))
        });
        Self {
            algorithm: algorithm.to_owned(),
            settings: defaults.collect(),
            vlans: BTreeMap::new(),
            mtu: 1500,
            address: MacAddr([0xaa, 0xbb, 0, 0, 0, random]),
            up: false,
            bridge: None,
        }
    }

    pub(super) fn knobs(&self, name: &IfName, knobs: &mut BTreeMap<Knob, Value>) {
        let mut put = |setting, value| knobs.insert(Knob::mesh(name, setting), value);
        put(Setting::Algorithm, Value::Algorithm(self.algorithm.clone()));
        put(Setting::Mtu, Value::Number(self.mtu));
        put(Setting::Address, Value::Address(self.address));
        put(Setting::Up, Value::Flag(self.up));
        if let Some(bridge) = &self.bridge {
            put(Setting::Master, Value::Interface(bridge.clone()));
        }
        for (setting, value) in &self.settings {
            put(Setting::Mesh(*setting), value.clone());
        }
        let vlans = self.vlans.iter();
        knobs.extend(vlans.map(|(vid, isolated)| (Knob::vlan(name, *vid), Value::Flag(*isolated))));
    }

    pub(super) fn fragments(&self) -> bool {
        self.settings.get(&MeshSetting::Fragmentation) == Some(&Value::Flag(true))
    }

    pub(super) fn set(&mut self, setting: Setting, value: Option<&Value>, mtu_limit: u32) -> Result<(), WriteError> {
        match (setting, value) {
            (Setting::Mesh(setting), Some(value)) => self.set_setting(setting, value)?,
            (Setting::Mtu, value) => match number(value)? {
                mtu if (68..=mtu_limit).contains(&mtu) => self.mtu = mtu,
                _ => return Err(WriteError::Refused("Invalid argument".to_owned())),
            },
            (Setting::Address, Some(Value::Address(address))) => self.address = *address,
            (Setting::Up, value) => self.up = flag(value)?,
            (Setting::Master, Some(Value::Interface(bridge))) => self.bridge = Some(bridge.clone()),
            (Setting::Master, None) => self.bridge = None,
            _ => return Err(WriteError::Refused("no such setting".to_owned())),
        }
        Ok(())
    }

    fn set_setting(&mut self, setting: MeshSetting, value: &Value) -> Result<(), WriteError> {
        let value = if setting.is_flag() {
            Value::Flag(flag(Some(value))?)
        } else {
            let number = number(Some(value))?;
            match setting {
                MeshSetting::OrigInterval => Value::Number(number.max(40)),
                MeshSetting::GwMode if number > 2 => return Ok(()),
                MeshSetting::GwSelClass if number == 0 || (self.algorithm != "BATMAN_V" && number > 255) => {
                    return Ok(());
                }
                _ => Value::Number(number),
            }
        };
        // What this kernel has not is skipped with success.
        if let Some(present) = self.settings.get_mut(&setting) {
            *present = value;
        }
        Ok(())
    }
}
