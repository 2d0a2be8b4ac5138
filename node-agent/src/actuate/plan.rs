//! What to do to get from what is to what should be, in order, and how to get back. Pure.
//!
//! The target is what is, overlaid with the goal, less what cannot exist there. The steps that lead to it are found
//! by walking through it in phases over a model of the kernel, which forgets what the kernel forgets: so what a mesh
//! interface that is made anew has lost comes back by steps that are seen like all others, whether the goal names it
//! or not.
//!
//! Phases, each for all mesh interfaces: members leave; mesh interfaces go or are made anew; addresses of interfaces
//! (a radio leaves its network for that); radios; MTU of interfaces; mesh interfaces are made; their settings and
//! VLANs, before anybody can use them; members join, those that move in one step; settings of members; interfaces go
//! up or down; a mesh interface's own address, MTU (members limit it), up and bridge.
//!
//! Limits: the settings of a new mesh interface or member are the kernel's, so every setting of the goal is a step
//! from unknown, though [`super::apply`] reads again first and may find nothing left to do. VLANs on a mesh interface
//! that is made anew are whoever made them to make again. The gateway class is not carried from one algorithm to another:
//! its numbers mean other things there.
//!
//! Invariants: `Plan::new(now, goal)` is empty if `now` is as the goal says; after its steps it would be; the undo names
//! every knob that a step or its effects may change; nothing in it is more disruptive than it must be (see
//! `disruption`).

mod disruption;
mod model;
mod target;

use std::collections::BTreeMap;

use mesh_proto::model::IfName;
use serde::{Deserialize, Serialize};

use super::{Goal, Knob, Setting, State, Target, Value};
pub use disruption::Disruption;
use model::Model;

/// One write to the kernel.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Step {
    /// What is set.
    pub knob: Knob,
    /// What it is before; `None`: it does not exist, or nobody knows yet.
    pub from: Option<Value>,
    /// What it becomes; `None`: it is taken away.
    pub to: Option<Value>,
    /// What it does to the mesh.
    pub disruption: Disruption,
}

/// Steps in order, and the way back.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Plan {
    /// To be taken in this order.
    pub steps: Vec<Step>,
    /// Brings back what the steps change, and what they may change beside it.
    pub undo: Goal,
}

// === impl Plan ===

impl Plan {
    /// From `now` to `goal`. What the goal does not name stays, or comes back.
    #[must_use]
    pub fn new(now: &State, goal: &Goal) -> Self {
        let target = target::of(now, goal);
        let mut walk = Walk {
            target: &target.knobs,
            model: Model::new(now),
        };
        walk.all();
        let (steps, touched) = walk.model.finish();
        let undo = touched.into_iter().filter_map(|knob| match now.get(&knob) {
            Some(value) => Some((knob, Some(value.clone()))),
            None => knob.setting.can_be_taken_away().then_some((knob, None)),
        });
        let undo = Goal { knobs: undo.collect() };
        Self { steps, undo }
    }

    /// The worst of its steps; `None`: there are none.
    pub fn disruption(&self) -> Option<Disruption> {
        self.steps.iter().map(|step| step.disruption).max()
    }

    /// Nothing is to be done.
    pub fn is_empty(&self) -> bool {
        self.steps.is_empty()
    }
}

// === impl Setting ===

impl Setting {
    /// [`None`] means something as its goal.
    pub(super) fn can_be_taken_away(self) -> bool {
        matches!(self, Self::Algorithm | Self::Master | Self::Radio)
    }
}

/// The target, walked through in phases.
struct Walk<'a> {
    target: &'a BTreeMap<Knob, Value>,
    model: Model,
}

// === impl Walk ===

impl Walk<'_> {
    fn all(&mut self) {
        let interfaces = self.interfaces();
        let meshes = self.meshes();
        self.leave(&interfaces);
        for mesh in &meshes {
            self.end(mesh);
        }
        for setting in [Setting::Address, Setting::Radio, Setting::Mtu] {
            for interface in &interfaces {
                self.set(&Knob::interface(interface, setting));
            }
        }
        for mesh in &meshes {
            self.set(&Knob::mesh(mesh, Setting::Algorithm));
        }
        self.each(|knob| matches!(knob.setting, Setting::Mesh(_) | Setting::VlanApIsolation));
        for interface in &interfaces {
            self.set(&Knob::interface(interface, Setting::Master));
        }
        self.each(|knob| matches!(knob.setting, Setting::Hard(_)));
        for interface in &interfaces {
            self.set(&Knob::interface(interface, Setting::Up));
        }
        for mesh in &meshes {
            for setting in [Setting::Address, Setting::Mtu, Setting::Up, Setting::Master] {
                self.set(&Knob::mesh(mesh, setting));
            }
        }
    }

    /// Members of no mesh interface any more. Those of one that goes leave with it.
    fn leave(&mut self, interfaces: &[IfName]) {
        for interface in interfaces {
            let knob = Knob::interface(interface, Setting::Master);
            let stays = |mesh: &IfName| self.target.contains_key(&Knob::mesh(mesh, Setting::Algorithm));
            let master = self.model.state.master(interface);
            if master.is_some_and(stays) && !self.target.contains_key(&knob) {
                self.model.set(&knob, None);
            }
        }
    }

    /// It goes, or is made anew.
    fn end(&mut self, mesh: &IfName) {
        let knob = Knob::mesh(mesh, Setting::Algorithm);
        if self.model.state.get(&knob).is_some() {
            self.set(&knob);
        }
    }

    /// To its target. A knob without one is there no more or is none that can be taken away.
    fn set(&mut self, knob: &Knob) {
        let to = self.target.get(knob);
        if to.is_some() || knob.setting.can_be_taken_away() {
            self.model.set(knob, to);
        }
    }

    fn each(&mut self, which: impl Fn(&Knob) -> bool) {
        let target = self.target;
        for (knob, value) in target.iter().filter(|(knob, _)| which(knob)) {
            self.model.set(knob, Some(value));
        }
    }

    fn interfaces(&self) -> Vec<IfName> {
        self.names(|target| match target {
            Target::Interface(name) => Some(name),
            _ => None,
        })
    }

    fn meshes(&self) -> Vec<IfName> {
        self.names(|target| match target {
            Target::Mesh(name) => Some(name),
            _ => None,
        })
    }

    /// Of what is and of what shall be.
    fn names(&self, of: impl Fn(&Target) -> Option<&IfName>) -> Vec<IfName> {
        let knobs = self.model.state.knobs.keys().chain(self.target.keys());
        let mut names: Vec<_> = knobs.filter_map(|knob| of(&knob.target)).cloned().collect();
        names.sort_unstable();
        names.dedup();
        names
    }
}

#[cfg(test)]
mod tests;
