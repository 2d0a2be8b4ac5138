//! A small SPIFFE Workload API server with its own certificate authorities: identities for the demo and the tests,
//! where no SPIRE is at hand. Not for production: it attests nobody, whoever opens a socket gets its identity.
//!
//! [`DevCa::start`] opens one Unix socket for each [`IdentitySpec`] and speaks the real protocol on it, so that the
//! daemons' own client code is what runs. SVIDs are issued again at half of their lifetime. The `mesh-devca` binary is
//! the same for other processes.
//!
//! Clients on gRPC's C core must be given the option `grpc.default_authority`: the h2 crate refuses the socket's path,
//! which they send as the authority otherwise.
//!
//! Some identities are wrong on purpose (see [`IdentitySpec`]): expired, signed by a CA nobody trusts, of another
//! trust domain, or withheld.

mod authority;
mod devca;
mod export;
mod service;
mod spec;

pub use devca::{DevCa, Settings};
pub use spec::{IdentitySpec, InvalidSpec, parse_duration};

mod pb {
    #![allow(
        clippy::allow_attributes_without_reason,
        unreachable_pub,
        unused_qualifications,
        missing_docs,
        reason = "generated; workload.proto is the documentation"
    )]
    tonic::include_proto!("_");
}
