//! The contract between agents, collector and operators.
//!
//! [`pb`] holds what travels (`mesh.v1`), [`model`] what it means, [`convert`] the one place where the first becomes
//! the second. No I/O, no clock, no async: both daemons' cores build on this crate.
//!
//! Invariant: a value of a [`model`] type is valid by construction; whatever a wire can carry that is not, stops in
//! [`convert`] with the field's name.

pub mod convert;
pub mod model;
pub mod pb;
