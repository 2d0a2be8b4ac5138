//! Which node speaks: the one its certificate names, whatever its messages say. Pure.

use mesh_proto::model::NodeId;
use mesh_transport::{Peer, Role};

/// A peer that is no node.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("only agents may stream telemetry: the peer is {0}; it needs spiffe://TRUST-DOMAIN/node/<node-id>")]
pub struct NotANode(String);

/// The node's id, and its whole SPIFFE ID.
///
/// # Errors
/// [`NotANode`] when the peer has another role or none, or shows no certificate.
pub fn node(peer: Option<&Peer>) -> Result<(NodeId, String), NotANode> {
    let Some(peer) = peer else {
        return Err(NotANode("unknown".to_owned()));
    };
    match (&peer.role, &peer.certificate) {
        (Role::Node(node), Some(certificate)) => Ok((node.clone(), certificate.id.to_string())),
        (role, _) => Err(NotANode(role.to_string())),
    }
}

#[cfg(test)]
mod tests {
    use mesh_transport::{PeerCertificate, Remote, SpiffeId};

    use super::*;

    fn peer(role: Role, id: Option<&str>) -> Peer {
        Peer {
            role,
            remote: Remote::Tcp(([127, 0, 0, 1], 1).into()),
            certificate: id.map(|id| PeerCertificate {
                id: SpiffeId::new(id).unwrap(),
                expiry_seconds: 0,
            }),
        }
    }

    #[test]
    fn only_a_node_with_a_certificate_speaks_and_only_for_itself() {
        let a = "spiffe://mesh.example/node/a";
        let role: NodeId = "a".parse().unwrap();
        let admitted = node(Some(&peer(Role::Node(role.clone()), Some(a)))).unwrap();
        assert_eq!(admitted, (role.clone(), a.to_owned()));
        for refused in [
            peer(Role::Node(role), None),
            peer(Role::Operator("o".to_owned()), Some("spiffe://mesh.example/operator/o")),
            peer(Role::Viewer("v".to_owned()), None),
            peer(Role::Collector, Some("spiffe://mesh.example/collector")),
        ] {
            node(Some(&refused)).unwrap_err();
        }
        node(None).unwrap_err();
    }
}
