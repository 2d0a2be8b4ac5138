//! Which role may call which method. What no rule names is for operators, so that a method added in haste is not open.
//!
//! [`layer`] carries it out on every request.

pub mod layer;

use mesh_transport::Role;

/// What a method asks of its caller.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Access {
    /// A node, for itself.
    Node,
    /// Anybody who was let in.
    Anybody,
    /// Somebody who may read.
    Read,
    /// Somebody who may act.
    Act,
}

/// Methods that change nothing begin so.
const READING: [&str; 6] = ["Get", "List", "Watch", "Explain", "Simulate", "ServerReflection"];

impl Access {
    /// What the method of this HTTP/2 path (`/package.Service/Method`) asks.
    pub fn of(path: &str) -> Self {
        let mut segments = path.trim_start_matches('/').split('/');
        match (segments.next(), segments.next()) {
            (Some("mesh.v1.TelemetryService"), _) => Self::Node,
            (Some("grpc.health.v1.Health"), _) => Self::Anybody,
            (Some(_), Some(method)) if READING.iter().any(|verb| method.starts_with(verb)) => Self::Read,
            _ => Self::Act,
        }
    }

    /// This role has it.
    pub fn allows(self, role: &Role) -> bool {
        match self {
            Self::Node => matches!(role, Role::Node(_)),
            Self::Anybody => true,
            Self::Read => role.may_read(),
            Self::Act => role.may_act(),
        }
    }

    /// As the metrics' label.
    pub fn denial(self) -> &'static str {
        match self {
            Self::Node => "needs_node",
            Self::Anybody => "needs_identity",
            Self::Read => "needs_viewer",
            Self::Act => "needs_operator",
        }
    }

    /// Every denial there is.
    pub const DENIALS: [&'static str; 4] = ["needs_node", "needs_identity", "needs_viewer", "needs_operator"];

    /// As told to who was denied.
    pub fn needed(self) -> &'static str {
        match self {
            Self::Node => "this method is for agents: it needs the role node (spiffe://TRUST-DOMAIN/node/<node-id>)",
            Self::Anybody => "this method needs an identity of the trust domain",
            Self::Read => "this method needs the role viewer or operator (spiffe://TRUST-DOMAIN/viewer/<name>)",
            Self::Act => "this method needs the role operator (spiffe://TRUST-DOMAIN/operator/<name>)",
        }
    }
}

#[cfg(test)]
mod tests;
