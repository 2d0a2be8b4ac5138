//! What a SPIFFE ID may do: `node/<node-id>`, `collector`, `operator/<name>`, `viewer/<name>`. There are no others.

use std::fmt;

use mesh_proto::model::NodeId;
use spiffe::{SpiffeId, TrustDomain};

/// Who a peer is to this product.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Role {
    /// An agent; speaks for this node alone.
    Node(NodeId),
    /// The collector.
    Collector,
    /// A person or tool that may read and act.
    Operator(String),
    /// A person or tool that may read.
    Viewer(String),
}

/// An ID that names no role here.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NoRole {
    /// Of somebody else.
    #[error("{id} is not of the trust domain {trust_domain}")]
    TrustDomain {
        /// As shown.
        id: SpiffeId,
        /// As it must be.
        trust_domain: TrustDomain,
    },
    /// Of ours, but outside the schema.
    #[error("{id} names no role: expected /node/<id>, /collector, /operator/<name> or /viewer/<name>")]
    Path {
        /// As shown.
        id: SpiffeId,
    },
}

impl Role {
    /// The role an ID of `trust_domain` names.
    pub fn of(id: &SpiffeId, trust_domain: &TrustDomain) -> Result<Self, NoRole> {
        if !id.is_member_of(trust_domain) {
            return Err(NoRole::TrustDomain {
                id: id.clone(),
                trust_domain: trust_domain.clone(),
            });
        }
        let no_role = || NoRole::Path { id: id.clone() };
        let mut segments = id.path().split('/').skip(1);
        let role = match (segments.next(), segments.next()) {
            (Some("node"), Some(node)) => Self::Node(NodeId::try_from(node).map_err(|_| no_role())?),
            (Some("collector"), None) => Self::Collector,
            (Some("operator"), Some(name)) => Self::Operator(name.to_owned()),
            (Some("viewer"), Some(name)) => Self::Viewer(name.to_owned()),
            _ => return Err(no_role()),
        };
        if segments.next().is_some() {
            return Err(no_role());
        }
        Ok(role)
    }

    /// May ask questions.
    pub fn may_read(&self) -> bool {
        matches!(self, Self::Operator(_) | Self::Viewer(_))
    }

    /// May change things.
    pub fn may_act(&self) -> bool {
        matches!(self, Self::Operator(_))
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Node(node) => write!(f, "node/{node}"),
            Self::Collector => f.write_str("collector"),
            Self::Operator(name) => write!(f, "operator/{name}"),
            Self::Viewer(name) => write!(f, "viewer/{name}"),
        }
    }
}

#[cfg(test)]
mod tests;
