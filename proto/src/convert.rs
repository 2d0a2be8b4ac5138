//! The one place where messages become model values, and back.
//!
//! What a message can carry and the model cannot (a name too long, a table too large, an address of five bytes) is a
//! [`Reject`] that names the field; the whole message is then refused, so that a table is never half believed. Unknown
//! enum values are "unknown", not errors: a newer peer may have sent them.

mod entries;
mod records;
mod session;
mod view;

pub use session::WelcomeTerms;

use crate::model::{InvalidName, MacAddr, Snapshot};

/// Tables larger than this are refused: no kernel has them, and memory is the collector's to guard.
pub mod limits {
    /// Mesh interfaces of a node.
    pub const MESHES: usize = 16;
    /// Members of a mesh interface.
    pub const HARD_INTERFACES: usize = 64;
    /// Neighbors of a mesh interface.
    pub const NEIGHBORS: usize = 4_096;
    /// Originators and gateways of a mesh interface.
    pub const ORIGINATORS: usize = 16_384;
    /// Kernel counters of a mesh interface (2026: 47).
    pub const COUNTERS: usize = 256;
    /// Traffic counters of a mesh interface: members × directions × packet types.
    pub const TRAFFIC: usize = HARD_INTERFACES * 2 * 16;
    /// Probes of a node.
    pub const PROBES: usize = 256;
    /// Records in one message.
    pub const RECORDS: usize = 1_024;
    /// Bytes of a free text (names, reasons, versions).
    pub const TEXT: usize = 1_024;
    /// Mesh interfaces an agent looks after.
    pub const MANAGED: usize = 64;
    /// Bytes of a setting's name or value in an event; what is longer is cut by the agent.
    pub const VALUE: usize = 256;
    /// Features in a Hello.
    pub const FEATURES: usize = 64;
}

/// Whether a view that grew by deltas is still one a single message could carry.
///
/// # Errors
/// [`Reject`] naming the table.
pub fn within_limits(view: &Snapshot) -> Result<(), Reject> {
    at_most("view.meshes", view.meshes.len(), limits::MESHES)?;
    at_most("view.probes", view.probes.len(), limits::PROBES)?;
    at_most("view.managed", view.managed.len(), limits::MANAGED)?;
    for mesh in view.meshes.values() {
        at_most(
            "mesh.hard_interfaces",
            mesh.hard_interfaces.len(),
            limits::HARD_INTERFACES,
        )?;
        at_most("mesh.neighbors", mesh.neighbors.len(), limits::NEIGHBORS)?;
        at_most("mesh.originators", mesh.originators.len(), limits::ORIGINATORS)?;
        at_most("mesh.gateways", mesh.gateways.len(), limits::ORIGINATORS)?;
        at_most("mesh.counters", mesh.counters.len(), limits::COUNTERS)?;
        at_most("mesh.traffic", mesh.traffic.len(), limits::TRAFFIC)?;
    }
    Ok(())
}

/// A message that cannot be believed, and where.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("field {field}: {reason}")]
pub struct Reject {
    /// Path of the field.
    pub field: &'static str,
    /// What is wrong with it.
    pub reason: Reason,
}

/// What can be wrong with a field.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Reason {
    /// Not set.
    #[error("missing")]
    Missing,
    /// Not six bytes.
    #[error("an address has 6 bytes, not {0}")]
    AddressLength(usize),
    /// Outside its range.
    #[error("{value} is outside {allowed}")]
    Range {
        /// As sent.
        value: u64,
        /// As it may be.
        allowed: &'static str,
    },
    /// Too many entries, or too long.
    #[error("{length} is more than the {limit} allowed")]
    TooMany {
        /// As sent.
        length: usize,
        /// As it may be.
        limit: usize,
    },
    /// A key twice in one table.
    #[error("an entry stands in it twice")]
    Duplicate,
    /// No valid name.
    #[error(transparent)]
    Name(#[from] InvalidName),
}

fn reject(field: &'static str, reason: impl Into<Reason>) -> Reject {
    Reject {
        field,
        reason: reason.into(),
    }
}

fn required<T>(field: &'static str, value: Option<T>) -> Result<T, Reject> {
    value.ok_or_else(|| reject(field, Reason::Missing))
}

fn address(field: &'static str, bytes: &[u8]) -> Result<MacAddr, Reject> {
    MacAddr::from_slice(bytes).ok_or_else(|| reject(field, Reason::AddressLength(bytes.len())))
}

/// Empty: none.
fn optional_address(field: &'static str, bytes: &[u8]) -> Result<Option<MacAddr>, Reject> {
    if bytes.is_empty() {
        Ok(None)
    } else {
        address(field, bytes).map(Some)
    }
}

fn name<T>(field: &'static str, text: &str) -> Result<T, Reject>
where
    T: for<'a> TryFrom<&'a str, Error = InvalidName>,
{
    T::try_from(text).map_err(|error| reject(field, error))
}

fn text(field: &'static str, text: String) -> Result<String, Reject> {
    at_most(field, text.len(), limits::TEXT)?;
    Ok(text)
}

/// As much of a text as a message may carry.
pub(crate) fn shortened(text: &str, limit: usize) -> String {
    text[..text.floor_char_boundary(limit)].to_owned()
}

fn byte(field: &'static str, value: u32) -> Result<u8, Reject> {
    u8::try_from(value).map_err(|_| {
        reject(
            field,
            Reason::Range {
                value: value.into(),
                allowed: "0 to 255",
            },
        )
    })
}

fn at_most(field: &'static str, length: usize, limit: usize) -> Result<(), Reject> {
    if length > limit {
        Err(reject(field, Reason::TooMany { length, limit }))
    } else {
        Ok(())
    }
}

#[cfg(test)]
mod tests;
