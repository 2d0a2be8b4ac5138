//! What a step does to the mesh while it is taken.
//!
//! | step | disruption | why |
//! | --- | --- | --- |
//! | hop penalties, intervals, bonding, aggregation, gateway, multicast, isolation, ARP table, network coding, log level | hitless | the kernel stores a number that the next packet or OGM uses; routes may move, none is torn down |
//! | bridge loop avoidance on | flap | backbones ask each other for claims first; broadcasts are held back for three periods, 30 s |
//! | bridge loop avoidance off, in a bridge | flap | claims are dropped; if another node is on the same LAN, frames come twice or circle |
//! | fragmentation off | flap if a member is too small | a frame that fits a member only in pieces is dropped, and `bat0`'s MTU shrinks |
//! | fragmentation on | hitless | what is too large is cut from now on |
//! | anything of a mesh interface just made | hitless | nobody uses it yet |
//! | a member joins, goes up | hitless | a link more |
//! | a member leaves or moves | flap | its links are lost at once; the primary one's address is the node's |
//! | an interface goes down | flap | so are its links |
//! | an interface's MAC | flap, unless it is down and no member | most drivers go down for it, neighbors know it by that address |
//! | an interface's MTU | flap, unless it is down | many drivers restart their rings |
//! | a radio joins its first network | hitless | it carried nothing |
//! | a radio leaves or changes its network | flap | its links are lost until it has found peers again |
//! | a mesh interface's MTU, up, into a bridge | hitless | stored; nothing was there before |
//! | a mesh interface's MAC, down, out of a bridge | flap | hosts know it by that address; its clients are cut off |
//! | a mesh interface is made | hitless | a new one |
//! | another algorithm, a mesh interface goes | recreate | the kernel has no other way: addresses, VLANs and what was set go with it |

use serde::{Deserialize, Serialize};

use super::model::Model;
use crate::actuate::{Knob, MeshSetting, Setting, Target, Value};

/// What batman-adv puts around a frame at most: Ethernet header and its own, the one of network coding being the
/// largest. Kernels without network coding need 32.
const HEADERS: u32 = 60;

/// What a step does to the mesh while it is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Disruption {
    /// No frame is lost because of it.
    Hitless,
    /// A link or the traffic of some clients is interrupted, for seconds, and comes back.
    Flap,
    /// A mesh interface goes: what is on top of it, its addresses and VLANs, goes with it.
    Recreate,
}

impl Disruption {
    /// From the mildest to the worst.
    pub const ALL: [Self; 3] = [Self::Hitless, Self::Flap, Self::Recreate];

    /// As it is written.
    pub fn name(self) -> &'static str {
        match self {
            Self::Hitless => "hitless",
            Self::Flap => "flap",
            Self::Recreate => "recreate",
        }
    }
}

/// Of setting `knob` to a value it has not, in the model's state.
pub(super) fn of(model: &Model, knob: &Knob, to: Option<&Value>) -> Disruption {
    if knob.setting == Setting::Algorithm {
        return match model.state.get(knob) {
            Some(_) => Disruption::Recreate,
            None => Disruption::Hitless,
        };
    }
    let interrupts = match &knob.target {
        Target::Mesh(mesh) if model.made.contains(mesh) => false,
        Target::Mesh(_) => of_mesh(model, knob, to),
        Target::Vlan(..) => false,
        Target::Interface(_) => of_interface(model, knob, to),
    };
    if interrupts {
        Disruption::Flap
    } else {
        Disruption::Hitless
    }
}

fn of_mesh(model: &Model, knob: &Knob, to: Option<&Value>) -> bool {
    let on = to == Some(&Value::Flag(true));
    match knob.setting {
        Setting::Mesh(MeshSetting::BridgeLoopAvoidance) => on || has(model, knob, Setting::Master),
        Setting::Mesh(MeshSetting::Fragmentation) => !on && has_small_member(model, knob),
        Setting::Address => true,
        Setting::Up => !on,
        Setting::Master => has(model, knob, Setting::Master),
        _ => false,
    }
}

fn of_interface(model: &Model, knob: &Knob, to: Option<&Value>) -> bool {
    let is_up = || value(model, knob, Setting::Up) != Some(&Value::Flag(false));
    match knob.setting {
        Setting::Master => has(model, knob, Setting::Master),
        Setting::Radio => has(model, knob, Setting::Radio),
        Setting::Address => is_up() || has(model, knob, Setting::Master),
        Setting::Mtu => is_up(),
        Setting::Up => to != Some(&Value::Flag(true)),
        _ => false,
    }
}

/// A frame as large as the mesh interface allows would not fit some member.
fn has_small_member(model: &Model, knob: &Knob) -> bool {
    let Target::Mesh(mesh) = &knob.target else {
        return true;
    };
    let Some(Value::Number(mtu)) = value(model, knob, Setting::Mtu) else {
        return true;
    };
    let needed = mtu.saturating_add(HEADERS);
    model.state.members(mesh).any(
        |member| !matches!(model.state.get(&Knob::interface(member, Setting::Mtu)), Some(Value::Number(mtu)) if *mtu >= needed),
    )
}

fn has(model: &Model, knob: &Knob, setting: Setting) -> bool {
    value(model, knob, setting).is_some()
}

/// Of another setting of the same target.
fn value<'a>(model: &'a Model, knob: &Knob, setting: Setting) -> Option<&'a Value> {
    let target = knob.target.clone();
    model.state.get(&Knob { target, setting })
}
