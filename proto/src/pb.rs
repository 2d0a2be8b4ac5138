//! The generated messages and services of `mesh.v1`, and the descriptors that reflection serves.
//!
//! Generated names are used by [`crate::convert`] and by the services alone; everything else speaks [`crate::model`].
#![expect(missing_docs, reason = "generated; the .proto files are the documentation")]
#![expect(
    unused_qualifications,
    clippy::allow_attributes_without_reason,
    reason = "generated code"
)]

tonic::include_proto!("mesh.v1");

/// Encoded `FileDescriptorSet` of `mesh.v1` and what it imports.
pub const FILE_DESCRIPTOR_SET: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/mesh_descriptor.bin"));
