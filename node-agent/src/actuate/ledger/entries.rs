//! What is in the ledger. Pure.

use std::collections::BTreeMap;

use mesh_proto::model::IfName;
use serde::{Deserialize, Serialize};

use crate::actuate::{Facts, Goal, Knob, Setting, Target};

/// Raised when an earlier release could not make sense of it.
const VERSION: u32 = 1;

/// All of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entries {
    version: u32,
    /// A change that is not confirmed.
    #[serde(default)]
    pub pending: Option<Pending>,
    /// Wishes that were undone, by mesh interface: not to be fulfilled again until somebody says so or they change.
    #[serde(default)]
    pub rejected: BTreeMap<IfName, Rejected>,
    /// What the agent changed since the machine's start.
    #[serde(default)]
    pub made: Made,
}

/// A change that is undone unless it is confirmed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pending {
    /// The boot the instants are of.
    pub boot_id: String,
    /// When it was begun, CLOCK_BOOTTIME.
    pub since_ns: u64,
    /// Until when it may be confirmed, CLOCK_BOOTTIME.
    pub deadline_ns: u64,
    /// It was begun and not finished. Who made it died if somebody else reads this.
    pub in_flight: bool,
    /// The way back, by mesh interface.
    pub meshes: BTreeMap<IfName, Undo>,
}

/// The way back of one mesh interface.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Undo {
    /// Brings back what was changed, in the boot it was changed in.
    pub undo: Goal,
    /// All of the mesh interface as it was before, members included: brings it back to a kernel that was started anew and
    /// knows nothing of it.
    pub before: Goal,
    /// Digest of the wish it was changed for.
    pub wish: String,
}

/// A wish that was undone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rejected {
    /// The boot the change was made in.
    pub boot_id: String,
    /// The way back.
    #[serde(flatten)]
    pub undo: Undo,
    /// The way back was gone to its end once, as far as its interfaces are there. Before that every process goes it once
    /// whatever the policy.
    pub reached: bool,
}

/// What was before the agent touched it, in this boot.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Made {
    boot_id: String,
    /// The earliest value of every knob touched, by mesh interface.
    baseline: BTreeMap<IfName, Goal>,
    /// Which interfaces those were; another one of the same name is not ours.
    ifindexes: BTreeMap<IfName, u32>,
}

// === impl Entries ===

impl Default for Entries {
    fn default() -> Self {
        Self {
            version: VERSION,
            pending: None,
            rejected: BTreeMap::new(),
            made: Made::default(),
        }
    }
}

impl Entries {
    pub(super) fn parse(json: &[u8]) -> Result<Self, String> {
        let entries: Self = serde_json::from_slice(json).map_err(|error| error.to_string())?;
        if entries.version == VERSION {
            Ok(entries)
        } else {
            Err(format!("it is of version {}, not {VERSION}", entries.version))
        }
    }

    pub(super) fn begin_boot(&mut self, boot_id: &str) {
        if self.made.boot_id != boot_id {
            self.made = Made {
                boot_id: boot_id.to_owned(),
                ..Made::default()
            };
        }
    }

    /// An unconfirmed change is given up: from here on its ways back are what is wished.
    pub fn reject_pending(&mut self) {
        let Some(pending) = self.pending.take() else {
            return;
        };
        for (mesh, undo) in pending.meshes {
            let boot_id = pending.boot_id.clone();
            self.rejected.insert(
                mesh,
                Rejected {
                    boot_id,
                    undo,
                    reached: false,
                },
            );
        }
    }
}

impl Rejected {
    /// What to bring about in this boot.
    pub fn goal(&self, boot_id: &str) -> &Goal {
        if self.boot_id == boot_id {
            &self.undo.undo
        } else {
            &self.undo.before
        }
    }
}

// === impl Undo ===

impl Undo {
    /// Takes up a later change of the same mesh interface: the way back leads to before the first.
    pub fn and_then(&mut self, later: Self) {
        keep_first(&mut self.undo, later.undo);
        keep_first(&mut self.before, later.before);
        self.wish = later.wish;
    }
}

// === impl Made ===

impl Made {
    /// Notes what is about to be changed; `undo` is the way back. `facts` are from before the change.
    pub fn note(&mut self, mesh: &IfName, undo: &Goal, facts: &Facts) {
        let existence = Knob::mesh(mesh, Setting::Algorithm);
        for knob in undo.knobs.keys() {
            let name = interface(knob);
            let is = facts.interfaces.get(name).map(|fact| fact.ifindex);
            if is.is_some() && !self.ifindexes.contains_key(name) {
                self.disown(name);
            }
            match (self.ifindexes.get(name), is) {
                (Some(was), Some(is)) if *was != is => {
                    self.forget_interface(name);
                    self.ifindexes.insert(name.clone(), is);
                }
                (_, Some(is)) => {
                    self.ifindexes.insert(name.clone(), is);
                }
                // About to be made.
                (_, None) => {
                    self.ifindexes.remove(name);
                }
            }
        }
        let baseline = self.baseline.entry(mesh.clone()).or_default();
        if undo.knobs.get(&existence) == Some(&None) {
            // Whatever it was before, it was gone when we made it.
            baseline.knobs.retain(|knob, _| interface(knob) != mesh);
        }
        keep_first(baseline, undo.clone());
        if baseline.knobs.get(&existence) == Some(&None) {
            // Its settings go with it.
            baseline
                .knobs
                .retain(|knob, _| interface(knob) != mesh || *knob == existence);
        }
    }

    /// Takes note of the index of a mesh interface that was `made`. `facts` are from right after the change. One that was to
    /// be made and was not is nobody's, or another's.
    pub fn settle(&mut self, mesh: &IfName, made: bool, facts: &Facts) {
        if !self.baseline.contains_key(mesh) {
            return;
        }
        match facts.interfaces.get(mesh) {
            Some(fact) if made => {
                self.ifindexes.insert(mesh.clone(), fact.ifindex);
            }
            _ if !self.ifindexes.contains_key(mesh) => self.disown(mesh),
            _ => {}
        }
    }

    /// It was never seen to be made by us, so it is not taken away.
    fn disown(&mut self, mesh: &IfName) {
        let existence = Knob::mesh(mesh, Setting::Algorithm);
        if let Some(baseline) = self.baseline.get_mut(mesh)
            && baseline.knobs.get(&existence) == Some(&None)
        {
            baseline.knobs.remove(&existence);
        }
    }

    /// Mesh interfaces of which something was changed.
    pub fn meshes(&self) -> impl Iterator<Item = &IfName> {
        self.baseline.keys()
    }

    /// Brings one mesh interface back to what it was before the agent, as far as it is still the same.
    pub fn teardown(&self, mesh: &IfName, facts: &Facts) -> Goal {
        let Some(baseline) = self.baseline.get(mesh) else {
            return Goal::default();
        };
        let ours = |knob: &Knob| {
            let is = facts.interfaces.get(interface(knob)).map(|fact| fact.ifindex);
            // Without an index nobody knows whose it is: its making was begun, and nobody came to see the end of it.
            is.is_some() && self.ifindexes.get(interface(knob)).copied() == is
        };
        let knobs = baseline.knobs.iter().filter(|(knob, _)| ours(knob));
        Goal {
            knobs: knobs.map(|(knob, value)| (knob.clone(), value.clone())).collect(),
        }
    }

    /// Nothing of it is the agent's any more.
    pub fn forget(&mut self, mesh: &IfName) {
        self.baseline.remove(mesh);
        let Self {
            baseline, ifindexes, ..
        } = self;
        ifindexes.retain(|name, _| {
            let mut knobs = baseline.values().flat_map(|goal| goal.knobs.keys());
            knobs.any(|knob| interface(knob) == name)
        });
    }

    fn forget_interface(&mut self, name: &IfName) {
        for goal in self.baseline.values_mut() {
            goal.knobs.retain(|knob, _| interface(knob) != name);
        }
    }
}

fn interface(knob: &Knob) -> &IfName {
    match &knob.target {
        Target::Mesh(name) | Target::Vlan(name, _) | Target::Interface(name) => name,
    }
}

fn keep_first(first: &mut Goal, later: Goal) {
    for (knob, value) in later.knobs {
        first.knobs.entry(knob).or_insert(value);
    }
}
