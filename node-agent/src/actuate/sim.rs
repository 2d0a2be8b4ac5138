//! A kernel for tests, made without a look at the plan's model and less friendly than it.
//!
//! What it does as batman-adv does: a mesh interface that is made anew has lost everything and has a random address; its
//! MTU follows its members; out-of-range values are clamped or ignored with success; a radio that goes down leaves its
//! network. Where kernels differ, [`Quirks`] chooses.

mod mesh;
pub(crate) mod worlds;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use mesh_proto::model::{IfName, MacAddr};

use super::{
    Facts, HardSetting, InterfaceFact, Kernel, Knob, MeshFact, MeshSetting, Observed, Radio, RadioUse, ReadError,
    Setting, State, Target, Value, WriteError,
};
pub(crate) use mesh::SimMesh;

/// The simulated kernel. Tests change its fields to do what others do.
#[derive(Clone, Default)]
pub(crate) struct Sim {
    /// Mesh interfaces.
    pub(crate) meshes: BTreeMap<IfName, SimMesh>,
    /// Other interfaces.
    pub(crate) interfaces: BTreeMap<IfName, SimInterface>,
    /// Where kernels differ.
    pub(crate) quirks: Quirks,
    /// Writes to these fail.
    pub(crate) failing: BTreeMap<Knob, WriteError>,
    /// Reads fail.
    pub(crate) unreadable: Option<ReadError>,
    /// After so many writes the writer is killed: the next never ends.
    pub(crate) killed_after: Option<usize>,
    /// Every write, also those that failed.
    pub(crate) writes: Vec<(Knob, Option<Value>)>,
    /// How often it was read.
    pub(crate) reads: usize,
    made: u8,
}

/// Where kernels differ.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Quirks {
    /// Members that leave keep their settings for the next time.
    pub(crate) hard_settings_persist: bool,
    /// A mesh interface's MTU that was lowered is not raised by the kernel again; otherwise it overwrites anybody's.
    pub(crate) mtu_is_sticky: bool,
    /// A radio that leaves its network is down.
    pub(crate) leaving_takes_down: bool,
}

/// An interface that may become a member.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SimInterface {
    pub(crate) up: bool,
    pub(crate) mtu: u32,
    pub(crate) address: MacAddr,
    /// Its mesh interface.
    pub(crate) master: Option<IfName>,
    /// A bridge or another master that is not ours.
    pub(crate) other_master: Option<IfName>,
    pub(crate) hard: BTreeMap<HardSetting, u32>,
    pub(crate) wireless: bool,
    pub(crate) radio: Option<Radio>,
}

// === impl SimInterface ===

impl SimInterface {
    /// A cable that is up.
    pub(crate) fn ethernet(last: u8) -> Self {
        Self {
            up: true,
            mtu: 1500,
            address: MacAddr([2, 0, 0, 0, 0, last]),
            master: None,
            other_master: None,
            hard: hard_defaults(),
            wireless: false,
            radio: None,
        }
    }

    /// A radio that is down.
    pub(crate) fn wireless(last: u8) -> Self {
        Self {
            up: false,
            wireless: true,
            ..Self::ethernet(last)
        }
    }
}

fn hard_defaults() -> BTreeMap<HardSetting, u32> {
    [
        (HardSetting::HopPenalty, 0),
        (HardSetting::ElpInterval, 500),
        (HardSetting::ThroughputOverride, 0),
    ]
    .into()
}

// === impl Sim ===

impl Sim {
    /// What is read.
    pub(crate) fn observed(&self) -> Observed {
        Observed {
            state: self.state(),
            facts: self.facts(),
        }
    }

    /// What can be set.
    pub(crate) fn state(&self) -> State {
        let mut knobs = BTreeMap::new();
        for (name, mesh) in &self.meshes {
            mesh.knobs(name, &mut knobs);
        }
        for (name, interface) in &self.interfaces {
            let mut put = |setting, value| knobs.insert(Knob::interface(name, setting), value);
            put(Setting::Up, Value::Flag(interface.up));
            put(Setting::Mtu, Value::Number(interface.mtu));
            put(Setting::Address, Value::Address(interface.address));
            if let Some(radio) = &interface.radio {
                put(Setting::Radio, Value::Radio(radio.clone()));
            }
            if let Some(master) = &interface.master {
                put(Setting::Master, Value::Interface(master.clone()));
                for (setting, value) in &interface.hard {
                    put(Setting::Hard(*setting), Value::Number(*value));
                }
            }
        }
        State { knobs }
    }

    fn facts(&self) -> Facts {
        let algorithms: BTreeSet<_> = ["BATMAN_IV", "BATMAN_V"].map(str::to_owned).into();
        let mut facts = Facts {
            algorithms: Some(algorithms),
            ..Facts::default()
        };
        for (name, mesh) in &self.meshes {
            let vlans = mesh.vlans.keys().copied().collect();
            facts.meshes.insert(
                name.clone(),
                MeshFact {
                    vlans,
                    has_addresses: false,
                },
            );
        }
        let meshes = self.meshes.iter().map(|(name, mesh)| {
            let fact = InterfaceFact {
                kind: Some("batadv".to_owned()),
                address: Some(mesh.address),
                master: mesh.bridge.clone(),
                ..InterfaceFact::default()
            };
            (name.clone(), fact)
        });
        let others = self.interfaces.iter().map(|(name, interface)| {
            let radio_use = || match interface.radio {
                Some(_) => RadioUse::Joined,
                None => RadioUse::Free,
            };
            let fact = InterfaceFact {
                address: Some(interface.address),
                master: interface.master.clone().or_else(|| interface.other_master.clone()),
                radio: interface.wireless.then(radio_use),
                ..InterfaceFact::default()
            };
            (name.clone(), fact)
        });
        facts.interfaces = meshes.chain(others).collect();
        for (fact, ifindex) in facts.interfaces.values_mut().zip(1..) {
            fact.ifindex = ifindex;
        }
        facts
    }

    /// As anybody on this machine may do it: neither counted nor failing by choice.
    pub(crate) fn set(&mut self, knob: &Knob, value: Option<&Value>) -> Result<(), WriteError> {
        match &knob.target {
            Target::Mesh(name) if knob.setting == Setting::Algorithm => self.set_algorithm(name, value),
            Target::Mesh(name) => {
                let limit = self.mtu_limit(name);
                let mesh = self.meshes.get_mut(name).ok_or(WriteError::Gone)?;
                mesh.set(knob.setting, value, limit)?;
                if knob.setting == Setting::Mesh(MeshSetting::Fragmentation) {
                    self.fit_mtu(name);
                }
                Ok(())
            }
            Target::Vlan(name, vid) => {
                let mesh = self.meshes.get_mut(name).ok_or(WriteError::Gone)?;
                *mesh.vlans.get_mut(vid).ok_or(WriteError::Gone)? = flag(value)?;
                Ok(())
            }
            Target::Interface(name) => self.set_interface(name, knob.setting, value),
        }
    }

    fn set_algorithm(&mut self, name: &IfName, value: Option<&Value>) -> Result<(), WriteError> {
        if self.meshes.remove(name).is_some() {
            let members = self
                .interfaces
                .values_mut()
                .filter(|it| it.master.as_ref() == Some(name));
            for member in members {
                member.master = None;
                if !self.quirks.hard_settings_persist {
                    member.hard = hard_defaults();
                }
            }
        }
        if let Some(Value::Algorithm(algorithm)) = value {
            self.made = self.made.wrapping_add(1);
            self.meshes.insert(name.clone(), SimMesh::new(algorithm, self.made));
        }
        Ok(())
    }

    fn set_interface(&mut self, name: &IfName, setting: Setting, value: Option<&Value>) -> Result<(), WriteError> {
        let before = self.interfaces.get(name).ok_or(WriteError::Gone)?.master.clone();
        if let (Setting::Master, Some(Value::Interface(mesh))) = (setting, value)
            && !self.meshes.contains_key(mesh)
        {
            return Err(WriteError::Refused("no such master".to_owned()));
        }
        let quirks = self.quirks;
        let interface = self.interfaces.get_mut(name).ok_or(WriteError::Gone)?;
        interface.set(setting, value, quirks)?;
        let after = interface.master.clone();
        if matches!(setting, Setting::Master | Setting::Mtu | Setting::Up | Setting::Radio) {
            for mesh in [before, after].into_iter().flatten() {
                self.fit_mtu(&mesh);
            }
        }
        Ok(())
    }

    /// The largest MTU its members allow.
    fn mtu_limit(&self, name: &IfName) -> u32 {
        let active = self
            .interfaces
            .values()
            .filter(|it| it.master.as_ref() == Some(name) && it.up);
        let smallest = active.map(|it| it.mtu).min();
        let fragments = self.meshes.get(name).is_some_and(SimMesh::fragments);
        match smallest {
            Some(mtu) if !fragments => mtu.saturating_sub(32).min(1500),
            _ => 1500,
        }
    }

    fn fit_mtu(&mut self, name: &IfName) {
        let limit = self.mtu_limit(name);
        let sticky = self.quirks.mtu_is_sticky;
        let Some(mesh) = self.meshes.get_mut(name) else { return };
        mesh.mtu = if sticky { mesh.mtu.min(limit) } else { limit };
    }
}

impl SimInterface {
    fn set(&mut self, setting: Setting, value: Option<&Value>, quirks: Quirks) -> Result<(), WriteError> {
        match (setting, value) {
            (Setting::Up, value) => {
                self.up = flag(value)?;
                if !self.up {
                    self.radio = None;
                }
            }
            (Setting::Mtu, value) => self.mtu = number(value)?,
            (Setting::Address, Some(Value::Address(address))) => {
                self.address = *address;
                self.radio = None;
            }
            (Setting::Master, value) => {
                if self.master.is_some() && !quirks.hard_settings_persist {
                    self.hard = hard_defaults();
                }
                self.other_master = None;
                self.master = match value {
                    Some(Value::Interface(mesh)) => Some(mesh.clone()),
                    _ => None,
                };
            }
            (Setting::Radio, _) if !self.wireless => return Err(WriteError::Unsupported("not wireless".to_owned())),
            (Setting::Radio, Some(Value::Radio(radio))) => {
                self.radio = Some(radio.clone());
                self.up = true;
            }
            (Setting::Radio, None) => {
                self.radio = None;
                self.up &= !quirks.leaving_takes_down;
            }
            (Setting::Hard(hard), value) if self.master.is_some() => {
                let least = if hard == HardSetting::ElpInterval { 20 } else { 0 };
                self.hard.insert(hard, number(value)?.max(least));
            }
            _ => return Err(WriteError::Refused("no such setting".to_owned())),
        }
        Ok(())
    }
}

fn flag(value: Option<&Value>) -> Result<bool, WriteError> {
    match value {
        Some(Value::Flag(flag)) => Ok(*flag),
        _ => Err(WriteError::Refused("no flag".to_owned())),
    }
}

fn number(value: Option<&Value>) -> Result<u32, WriteError> {
    match value {
        Some(Value::Number(number)) => Ok(*number),
        _ => Err(WriteError::Refused("no number".to_owned())),
    }
}

/// Short enough to be read in a failed test.
impl fmt::Debug for Sim {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let knobs = self.state().knobs;
        let knobs = knobs
            .iter()
            .map(|(knob, value)| format!("{knob}={}", knob.setting.show(value)));
        let knobs: Vec<_> = knobs.collect();
        write!(f, "Sim {{ {}, {:?} }}", knobs.join(" "), self.quirks)
    }
}

impl Kernel for Sim {
    async fn read(&mut self) -> Result<Observed, ReadError> {
        self.reads += 1;
        match &self.unreadable {
            Some(error) => Err(error.clone()),
            None => Ok(self.observed()),
        }
    }

    async fn write(&mut self, knob: &Knob, value: Option<&Value>, _now: &Observed) -> Result<(), WriteError> {
        if self.killed_after == Some(self.writes.len()) {
            std::future::pending::<()>().await;
        }
        self.writes.push((knob.clone(), value.cloned()));
        match self.failing.get(knob) {
            Some(error) => Err(error.clone()),
            None => self.set(knob, value),
        }
    }
}
