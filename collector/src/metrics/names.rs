//! Every metric's name, type and meaning (contract).

use super::text::{Family, Kind};

const fn gauge(name: &'static str, help: &'static str) -> Family {
    Family {
        name,
        help,
        kind: Kind::Gauge,
    }
}

const fn counter(name: &'static str, help: &'static str) -> Family {
    Family {
        name,
        help,
        kind: Kind::Counter,
    }
}

pub(super) const NODES: Family = gauge(
    "mesh_nodes",
    "Nodes of a mesh: live, stale (silent for longer than three report intervals) or unobserved (without an agent).",
);
pub(super) const NODE_INFO: Family = gauge("mesh_node_info", "What a node runs; always 1.");
pub(super) const NODE_UP: Family = gauge("mesh_node_up", "1 if the node is live, 0 if it is stale.");
pub(super) const NODE_LAST_REPORT: Family = gauge(
    "mesh_node_last_report_timestamp_seconds",
    "When the node last gave a sign of life, by the collector's clock.",
);
pub(super) const NODE_DEGREE: Family = gauge("mesh_node_degree", "Distinct neighbor nodes.");
pub(super) const NODE_ORIGINATORS: Family = gauge("mesh_node_originators", "Entries of the node's originator table.");
pub(super) const NODE_CLIENTS: Family = gauge(
    "mesh_node_clients",
    "Clients the node announces, its own interfaces not counted.",
);
pub(super) const NODE_GATEWAYS: Family = gauge("mesh_node_gateways", "Gateways the node knows.");
pub(super) const CONFIG_DRIFT: Family = gauge(
    "mesh_config_drift",
    "Settings of managed mesh interfaces that differ from the node's configuration.",
);
pub(super) const LINK_TQ: Family = gauge(
    "mesh_link_tq",
    "Transmit quality of a link as this node measures it, 0 to 255 (BATMAN_IV).",
);
pub(super) const LINK_THROUGHPUT: Family = gauge(
    "mesh_link_throughput_bytes_per_second",
    "Throughput of a link as this node estimates it (BATMAN_V).",
);
pub(super) const PATH_SWITCHES: Family = counter(
    "mesh_path_switches_total",
    "Next hops of originators replaced by others.",
);
pub(super) const ADJACENCY_CHANGES: Family =
    counter("mesh_adjacency_changes_total", "Neighbors that appeared or went.");
pub(super) const BATADV_PACKETS: Family = counter(
    "mesh_batadv_packets_total",
    "batman-adv frames seen on a hard interface.",
);
pub(super) const BATADV_BYTES: Family = counter(
    "mesh_batadv_bytes_total",
    "Bytes of batman-adv frames seen on a hard interface, Ethernet headers included.",
);
pub(super) const BATADV_EVENTS: Family = counter(
    "mesh_batadv_events_total",
    "batman-adv's own counters, except those of bytes.",
);
pub(super) const BATADV_EVENT_BYTES: Family =
    counter("mesh_batadv_event_bytes_total", "batman-adv's own counters of bytes.");
pub(super) const PROBE_ATTACHED: Family = gauge("mesh_probe_attached", "1 if the eBPF probe is attached.");
pub(super) const SVID_RENEWALS: Family = counter(
    "mesh_svid_renewals_total",
    "Certificates the agent received after its first.",
);
pub(super) const SVID_EXPIRY: Family = gauge(
    "mesh_svid_expiry_timestamp_seconds",
    "When the agent's certificate ends.",
);
pub(super) const REPORTS: Family = counter("mesh_reports_total", "Live reports of the node.");
pub(super) const REPORT_GAPS: Family = counter(
    "mesh_report_gaps_total",
    "Holes in the numbers of the node's reports or records.",
);
pub(super) const CLOCK_OFFSET: Family = gauge(
    "mesh_agent_clock_offset_seconds",
    "The node's wall clock less the collector's, the way of the report included.",
);
pub(super) const HANDSHAKES: Family = Family {
    name: "mesh_mtls_handshake_seconds",
    help: "Duration of mutual TLS handshakes.",
    kind: Kind::Histogram,
};
pub(super) const CONTROL_CYCLES: Family = Family {
    name: "mesh_control_cycle_seconds",
    help: "Duration of the planner's cycles.",
    kind: Kind::Histogram,
};
pub(super) const DECISIONS: Family = counter("mesh_decisions_total", "Decisions by what became of them.");
pub(super) const DENIALS: Family = counter(
    "mesh_authorization_denials_total",
    "Connections and calls refused for who the peer is.",
);
