//! What the tests of the whole share: random meshes, and what batctl says of them.

pub mod batctl;
pub mod grpcurl;
pub mod meshes;
