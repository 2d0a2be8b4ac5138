//! The kernel as a plan sees it: what a write does to other knobs.
//!
//! It knows less than the kernel: what it cannot foresee it only marks as touched, so that the undo names it.

use std::collections::BTreeSet;

use mesh_proto::model::IfName;

use super::{Step, disruption};
use crate::actuate::{Knob, MeshSetting, Setting, State, Target, Value};

#[derive(Debug, Clone)]
pub(super) struct Model {
    pub(super) state: State,
    /// Mesh interfaces that did not exist before: nobody uses them.
    pub(super) made: BTreeSet<IfName>,
    touched: BTreeSet<Knob>,
    steps: Vec<Step>,
}

impl Model {
    pub(super) fn new(now: &State) -> Self {
        Self {
            state: now.clone(),
            made: BTreeSet::new(),
            touched: BTreeSet::new(),
            steps: Vec::new(),
        }
    }

    /// The steps, and every knob they may have changed.
    pub(super) fn finish(self) -> (Vec<Step>, BTreeSet<Knob>) {
        (self.steps, self.touched)
    }

    /// A step, unless it is so already.
    pub(super) fn set(&mut self, knob: &Knob, to: Option<&Value>) {
        let from = self.state.get(knob).cloned();
        if from.as_ref() == to {
            return;
        }
        self.steps.push(Step {
            disruption: disruption::of(self, knob, to),
            knob: knob.clone(),
            from: from.clone(),
            to: to.cloned(),
        });
        self.effects(knob, from.as_ref(), to);
        self.put(knob.clone(), to.cloned());
    }

    /// What else happens. The knob still has the earlier value.
    fn effects(&mut self, knob: &Knob, from: Option<&Value>, to: Option<&Value>) {
        match (&knob.target, knob.setting) {
            (Target::Mesh(mesh), Setting::Algorithm) => self.forget_mesh(mesh, from.is_some()),
            (Target::Mesh(mesh), Setting::Mesh(MeshSetting::Fragmentation)) => self.touch_mtu(mesh),
            (Target::Interface(interface), Setting::Master) => {
                self.forget_member(interface);
                for value in [from, to].into_iter().flatten() {
                    if let Value::Interface(mesh) = value {
                        self.touch_mtu(mesh);
                    }
                }
            }
            (Target::Interface(interface), Setting::Radio) => {
                let up = Knob::interface(interface, Setting::Up);
                self.touch(up.clone());
                if to.is_some() {
                    // To join a network means to be up; who leaves one may be down then.
                    self.put(up, Some(Value::Flag(true)));
                }
                self.touch_mtu_above(interface);
            }
            (Target::Interface(interface), Setting::Address) => {
                // Most drivers must be down for it, and a radio that goes down leaves its network.
                self.put(Knob::interface(interface, Setting::Radio), None);
            }
            (Target::Interface(interface), Setting::Up) => {
                if to == Some(&Value::Flag(false)) {
                    self.put(Knob::interface(interface, Setting::Radio), None);
                }
                self.touch_mtu_above(interface);
            }
            (Target::Interface(interface), Setting::Mtu) => self.touch_mtu_above(interface),
            _ => {}
        }
    }

    /// All settings, VLANs and members are gone.
    fn forget_mesh(&mut self, mesh: &IfName, existed: bool) {
        if !existed {
            self.made.insert(mesh.clone());
            return;
        }
        let members: Vec<_> = self.state.members(mesh).cloned().collect();
        for member in members {
            self.forget_member(&member);
            self.put(Knob::interface(&member, Setting::Master), None);
        }
        let of_mesh = |knob: &&Knob| match &knob.target {
            Target::Mesh(name) => name == mesh && knob.setting != Setting::Algorithm,
            Target::Vlan(name, _) => name == mesh,
            Target::Interface(_) => false,
        };
        let lost: Vec<_> = self.state.knobs.keys().filter(of_mesh).cloned().collect();
        for knob in lost {
            self.put(knob, None);
        }
        self.made.insert(mesh.clone());
    }

    /// Some kernels keep the settings of a member that leaves, some do not.
    fn forget_member(&mut self, interface: &IfName) {
        for setting in crate::actuate::HardSetting::ALL {
            self.put(Knob::interface(interface, Setting::Hard(setting)), None);
        }
    }

    /// The kernel fits a mesh interface's MTU to its members.
    fn touch_mtu_above(&mut self, interface: &IfName) {
        if let Some(mesh) = self.state.master(interface).cloned() {
            self.touch_mtu(&mesh);
        }
    }

    fn touch_mtu(&mut self, mesh: &IfName) {
        self.touch(Knob::mesh(mesh, Setting::Mtu));
    }

    fn touch(&mut self, knob: Knob) {
        self.touched.insert(knob);
    }

    fn put(&mut self, knob: Knob, to: Option<Value>) {
        if self.state.get(&knob) == to.as_ref() {
            return;
        }
        self.touched.insert(knob.clone());
        match to {
            Some(value) => self.state.knobs.insert(knob, value),
            None => self.state.knobs.remove(&knob),
        };
    }
}
