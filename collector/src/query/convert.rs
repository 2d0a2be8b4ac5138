//! The topology as messages: the one place where it becomes `mesh.v1`.

use mesh_proto::model::{
    GatewayMode, HardInterface, IfName, MacAddr, Managed, MeshId, MeshView, Metric, NextHop, Originator, ProbeStatus,
};
use mesh_proto::pb;

use crate::topology::{Link, LinkKey, Node, NodeKey, NodeMesh, NodeState, TopologySnapshot};

impl From<NodeState> for pb::NodeState {
    fn from(state: NodeState) -> Self {
        match state {
            NodeState::Live => Self::Live,
            NodeState::Stale => Self::Stale,
            NodeState::Unobserved => Self::Unobserved,
        }
    }
}

/// A node; of its meshes only `mesh`, if one is named.
pub(super) fn node(topology: &TopologySnapshot, node: &Node, mesh: Option<&MeshId>) -> pb::Node {
    let meshes = node
        .meshes
        .iter()
        .filter(|part| mesh.is_none_or(|mesh| part.mesh == *mesh));
    let hello = node.agent.as_ref().map(|agent| &agent.hello);
    let said = |text: fn(&mesh_proto::model::Hello) -> &String| hello.map(|hello| text(hello).clone());
    pb::Node {
        node: node.key.to_string(),
        name: said(|hello| &hello.name).unwrap_or_default(),
        site: said(|hello| &hello.site).unwrap_or_default(),
        state: pb::NodeState::from(node.state).into(),
        spiffe_id: node
            .agent
            .as_ref()
            .map(|agent| agent.spiffe_id.clone())
            .unwrap_or_default(),
        agent_version: said(|hello| &hello.agent_version).unwrap_or_default(),
        kernel: said(|hello| &hello.kernel).unwrap_or_default(),
        batman_adv: said(|hello| &hello.batman_adv).unwrap_or_default(),
        last_report: node.agent.as_ref().map(|agent| agent.last_report.into()),
        meshes: meshes.map(|part| node_mesh(topology, part, node.view(part))).collect(),
        probes: node
            .agent
            .iter()
            .flat_map(|agent| agent.view.probes.iter().map(probe))
            .collect(),
        contested_addresses: node.contested.iter().map(ToString::to_string).collect(),
        managed: node
            .agent
            .iter()
            .flat_map(|agent| &agent.view.managed)
            .filter(|(_, managed)| mesh.is_none_or(|mesh| managed.mesh == *mesh))
            .map(managed)
            .collect(),
    }
}

fn managed((mesh_ifname, managed): (&IfName, &Managed)) -> pb::Managed {
    pb::Managed {
        mesh: managed.mesh.to_string(),
        mesh_ifname: mesh_ifname.to_string(),
        policy: managed.policy.as_str().to_owned(),
        drift: managed.drift,
    }
}

fn node_mesh(topology: &TopologySnapshot, part: &NodeMesh, view: Option<&MeshView>) -> pb::NodeMesh {
    let settings = view.map(|view| &view.settings);
    let algorithm = settings.and_then(|settings| settings.algorithm);
    let mode = settings.and_then(|settings| settings.gw_mode);
    pb::NodeMesh {
        mesh: part.mesh.to_string(),
        mesh_ifname: text(part.mesh_ifname.as_ref()),
        algo_name: text(algorithm),
        mesh_address: text(settings.and_then(|settings| settings.mesh_address)),
        orig_address: text(part.orig_address),
        hop_penalty: settings.and_then(|settings| settings.hop_penalty).map(u32::from),
        orig_interval: settings.and_then(|settings| settings.orig_interval_ms),
        gw_mode: mode.map(gateway_mode).unwrap_or_default().to_owned(),
        hard_interfaces: view
            .into_iter()
            .flat_map(|view| view.hard_interfaces.iter().map(hard_interface))
            .collect(),
        degree: part.degree,
        originators: view.and_then(|view| u32::try_from(view.originators.len()).ok()),
        clients: view.and_then(|view| view.tables.local_clients),
        gateways: view.and_then(|view| u32::try_from(view.gateways.len()).ok()),
        selected_gateway: view
            .and_then(|view| view.gateways.iter().find(|(_, gateway)| gateway.best))
            .map(|(address, gateway)| pb::SelectedGateway {
                orig_address: address.to_string(),
                orig_node: text(topology.resolve(&part.mesh, *address)),
                silent: gateway.silent,
                bandwidth_down: gateway.bandwidth_down_kbit,
                bandwidth_up: gateway.bandwidth_up_kbit,
            }),
    }
}

fn gateway_mode(mode: GatewayMode) -> &'static str {
    match mode {
        GatewayMode::Off => "off",
        GatewayMode::Client => "client",
        GatewayMode::Server => "server",
    }
}

fn hard_interface((hard_ifname, hard): (&IfName, &HardInterface)) -> pb::HardInterface {
    pb::HardInterface {
        hard_ifname: hard_ifname.to_string(),
        hard_address: hard.hard_address.to_string(),
        active: hard.active,
        hop_penalty: hard.hop_penalty.map(u32::from),
        throughput_override: hard.throughput_override_kbit,
    }
}

fn probe((name, status): (&String, &ProbeStatus)) -> pb::Probe {
    pb::Probe {
        name: name.clone(),
        attached: status.attached,
        mechanism: status.mechanism.clone(),
        reason: status.reason.clone(),
    }
}

/// The links of a node, of `mesh` alone if one is named.
pub(super) fn links<'a>(node: &'a Node, mesh: Option<&'a MeshId>) -> impl Iterator<Item = (&'a LinkKey, pb::Link)> {
    let of_mesh = move |key: &LinkKey| mesh.is_none_or(|mesh| key.mesh == *mesh);
    let links = node.links.iter().filter(move |(key, _)| of_mesh(key));
    links.map(|(key, entry)| (key, link(node, key, entry)))
}

fn link(node: &Node, key: &LinkKey, link: &Link) -> pb::Link {
    pb::Link {
        mesh: key.mesh.to_string(),
        node: node.key.to_string(),
        hard_ifname: key.hard_ifname.to_string(),
        neigh_address: key.neigh_address.to_string(),
        neighbor_node: text(link.neighbor_node.as_ref()),
        tq: tq(link.metric),
        throughput: throughput(link.metric),
        last_seen_msecs: link.last_seen.as_millis(),
        stale: node.state == NodeState::Stale,
    }
}

pub(super) fn link_key(node: &NodeKey, key: &LinkKey) -> pb::LinkKey {
    pb::LinkKey {
        mesh: key.mesh.to_string(),
        node: node.to_string(),
        hard_ifname: key.hard_ifname.to_string(),
        neigh_address: key.neigh_address.to_string(),
    }
}

/// A node's routes in all its meshes.
pub(super) fn routes<'a>(topology: &'a TopologySnapshot, node: &'a Node) -> impl Iterator<Item = pb::Route> {
    node.meshes.iter().flat_map(move |part| {
        let table = node.view(part).into_iter().flat_map(|view| &view.originators);
        table.map(|(address, originator)| route(topology, &part.mesh, *address, originator))
    })
}

fn route(topology: &TopologySnapshot, mesh: &MeshId, address: MacAddr, originator: &Originator) -> pb::Route {
    let resolve = |address| text(topology.resolve(mesh, address));
    let best: Option<&NextHop> = originator.best.as_ref();
    let metric = best.and_then(|best| best.metric);
    pb::Route {
        orig_address: address.to_string(),
        orig_node: resolve(address),
        neigh_address: text(best.map(|best| best.neigh_address)),
        neighbor_node: best.map(|best| resolve(best.neigh_address)).unwrap_or_default(),
        hard_ifname: text(best.map(|best| &best.hard_ifname)),
        tq: tq(metric),
        throughput: throughput(metric),
        last_seen_msecs: originator.last_seen.as_millis(),
    }
}

pub(super) fn tq(metric: Option<Metric>) -> Option<u32> {
    Some(metric?.tq()?.0.into())
}

pub(super) fn throughput(metric: Option<Metric>) -> Option<u32> {
    Some(metric?.throughput()?.0)
}

fn text(value: Option<impl ToString>) -> String {
    value.map(|value| value.to_string()).unwrap_or_default()
}
