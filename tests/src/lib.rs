//! What the tests of the whole share: random meshes, a node whose mesh the agent owns, and what batctl says of them.

pub mod batctl;
pub mod grpcurl;
pub mod kernel;
pub mod meshes;
pub mod owned;
