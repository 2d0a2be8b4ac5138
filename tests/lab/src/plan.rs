//! From a topology to names, addresses and the batches `ip` and `tc` are fed.
//!
//! Pure. The namespace of a node is named as the node; its interface towards a peer is `to-<peer>`; MAC and IP
//! addresses follow from the order of nodes and links in the file, so two runs of a file are alike.

use std::fmt::Write as _;
use std::net::Ipv4Addr;

use crate::topology::{Algorithm, Impairment, Topology};

#[cfg(test)]
mod tests;

/// MTU of hard interfaces: a full frame with batman-adv's header around it, and room for a VLAN tag.
const HARD_MTU: u32 = 1560;

/// How a topology is laid out on this machine.
#[derive(Debug, Clone)]
pub struct Plan {
    /// The nodes, in the topology's order.
    pub nodes: Vec<NodePlan>,
    /// The routing algorithm of all of them.
    pub algorithm: Algorithm,
}

/// How one node is laid out.
#[derive(Debug, Clone)]
pub struct NodePlan {
    /// Its id and namespace.
    pub id: String,
    /// The address of its `bat0`, in 10.77.0.0/16.
    pub address: Ipv4Addr,
    /// The MAC of its `bat0`.
    pub mesh_mac: String,
    /// Its hard interfaces; the first is the primary one, whose MAC is the node's originator address.
    pub interfaces: Vec<InterfacePlan>,
    /// What `batctl` sets in its namespace, argument lists.
    pub batctl: Vec<Vec<String>>,
}

/// How one end of a link is laid out.
#[derive(Debug, Clone, PartialEq)]
pub struct InterfacePlan {
    /// Name within the node's namespace.
    pub name: String,
    /// Its MAC address.
    pub mac: String,
    /// Index of the node at the other end.
    pub peer: usize,
    /// The link's impairment.
    pub impairment: Impairment,
}

impl NodePlan {
    /// The node's originator address; `None` for a node without links.
    #[must_use]
    pub fn originator(&self) -> Option<&str> {
        self.interfaces.first().map(|interface| interface.mac.as_str())
    }

    /// Creates `bat0` and enslaves the hard interfaces, all still down; for `ip -n NODE -batch -`. Some kernels
    /// ignore the algorithm: see [`crate::mesh::Mesh::build`].
    #[must_use]
    pub fn ip_batch(&self, algorithm: Algorithm) -> String {
        let mut batch = String::from("link set lo up\n");
        line(
            &mut batch,
            format_args!("link add bat0 address {} type batadv ra {algorithm}", self.mesh_mac),
        );
        for interface in &self.interfaces {
            line(&mut batch, format_args!("link set {} master bat0", interface.name));
        }
        batch
    }

    /// Brings all up, once everything is set: batman-adv averages throughputs from the first moment on. For
    /// `ip -n NODE -batch -`.
    #[must_use]
    pub fn up_batch(&self) -> String {
        let mut batch = String::new();
        for interface in &self.interfaces {
            line(&mut batch, format_args!("link set {} up", interface.name));
        }
        batch.push_str("link set bat0 up\n");
        line(&mut batch, format_args!("address add {}/16 dev bat0", self.address));
        batch
    }

    /// Gives every hard interface its queue; for `tc -n NODE -batch -`.
    #[must_use]
    pub fn tc_batch(&self) -> String {
        self.interfaces
            .iter()
            .map(|interface| qdisc_batch(&interface.name, interface.impairment))
            .collect()
    }
}

impl Plan {
    /// Lays out a topology.
    #[must_use]
    pub fn new(topology: &Topology) -> Self {
        let nodes = (0..topology.nodes.len()).map(|i| node(topology, i)).collect();
        Self {
            nodes,
            algorithm: topology.algorithm,
        }
    }

    /// Creates all namespaces and the links between them; for `ip -batch -`.
    #[must_use]
    pub fn ip_batch(&self) -> String {
        let mut batch = String::new();
        for node in &self.nodes {
            line(&mut batch, format_args!("netns add {}", node.id));
        }
        for (a, node) in self.nodes.iter().enumerate() {
            for end in node.interfaces.iter().filter(|end| end.peer > a) {
                let peer = &self.nodes[end.peer];
                let Some(other) = peer.interfaces.iter().find(|other| other.peer == a) else {
                    continue;
                };
                line(
                    &mut batch,
                    format_args!(
                        "link add name {} netns {} address {} mtu {HARD_MTU} type veth \
                         peer name {} netns {} address {} mtu {HARD_MTU}",
                        end.name, node.id, end.mac, other.name, peer.id, other.mac
                    ),
                );
            }
        }
        batch
    }
}

/// Replaces the queue of one end of a link, from whatever it was; for `tc -n NODE -batch -`.
#[must_use]
pub fn requeue_batch(interface: &str, impairment: Impairment) -> String {
    format!("qdisc del dev {interface} root\n{}", qdisc_batch(interface, impairment))
}

/// There is a real queue on every end, so that backlog and drops exist to be seen: a rate limit holds frames
/// back in its child, an unimpaired link has a plain `fq_codel`.
fn qdisc_batch(interface: &str, impairment: Impairment) -> String {
    let netem = (impairment.loss > 0.0 || impairment.delay_ms > 0).then(|| {
        format!(
            "netem limit 1000 delay {}ms loss {:.4}%",
            impairment.delay_ms,
            impairment.loss * 100.0
        )
    });
    let child = netem.as_deref().unwrap_or("fq_codel");
    match impairment.rate_kbit {
        None => format!("qdisc add dev {interface} root handle 1: {child}\n"),
        Some(rate) => {
            // Ten milliseconds' worth, and never less than a few full frames.
            let burst = (u64::from(rate) * 1000 / 8 / 100).max(4 * u64::from(HARD_MTU));
            format!(
                "qdisc add dev {interface} root handle 1: tbf rate {rate}kbit burst {burst} latency 100ms\n\
                 qdisc add dev {interface} parent 1:1 handle 10: {child}\n"
            )
        }
    }
}

fn node(topology: &Topology, i: usize) -> NodePlan {
    let node = &topology.nodes[i];
    let ends = topology.links.iter().filter_map(|link| match i {
        i if i == link.a => Some((link.b, link.impairment)),
        i if i == link.b => Some((link.a, link.impairment)),
        _ => None,
    });
    let interfaces: Vec<_> = ends
        .enumerate()
        .map(|(k, (peer, impairment))| InterfacePlan {
            name: format!("to-{}", topology.nodes[peer].id),
            mac: mac(0x77, i, k + 1),
            peer,
            impairment,
        })
        .collect();
    let mut batctl = Vec::new();
    let mut set = |words: &[&str], value: String| {
        batctl.push(words.iter().map(ToString::to_string).chain([value]).collect::<Vec<_>>());
    };
    if let Some(penalty) = topology.hop_penalty {
        set(&["meshif", "bat0", "hop_penalty"], penalty.to_string());
    }
    if let Some(interval) = topology.orig_interval_ms {
        set(&["meshif", "bat0", "orig_interval"], interval.to_string());
    }
    if let Some(gateway) = node.gateway {
        let bandwidth = format!("{}kbit/{}kbit", gateway.down_kbit, gateway.up_kbit);
        set(&["meshif", "bat0", "gw_mode", "server"], bandwidth);
    }
    if topology.algorithm == Algorithm::BatmanV {
        // The kernel cannot know what a veth pair carries; without a rate its default stays.
        for interface in &interfaces {
            if let Some(rate) = interface.impairment.rate_kbit {
                set(
                    &["hardif", &interface.name, "throughput_override"],
                    format!("{rate}kbit"),
                );
            }
        }
    }
    let number = u32::try_from(i + 1).unwrap_or(u32::MAX);
    let address = Ipv4Addr::from(u32::from(Ipv4Addr::new(10, 77, 0, 0)) + number);
    NodePlan {
        id: node.id.clone(),
        address,
        mesh_mac: mac(0x78, i, 0),
        interfaces,
        batctl,
    }
}

/// A locally administered unicast address that tells the node (from 1) and the interface.
fn mac(kind: u8, node: usize, interface: usize) -> String {
    let node = node + 1;
    format!(
        "02:{kind:02x}:{:02x}:{:02x}:{:02x}:{:02x}",
        node >> 8 & 0xff,
        node & 0xff,
        interface >> 8 & 0xff,
        interface & 0xff
    )
}

fn line(batch: &mut String, text: std::fmt::Arguments<'_>) {
    // Writing to a String cannot fail.
    let _ok = writeln!(batch, "{text}");
}
