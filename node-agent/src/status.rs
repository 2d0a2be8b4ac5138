//! What the agent says of itself to whoever asks on the machine: `node-agent status`.

mod managing;

use mesh_proto::model::{Metric, Snapshot};
use serde::{Deserialize, Serialize};

pub use managing::{Line, Managed, Managing, Waiting};

/// The agent at one instant.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Status {
    /// Release.
    pub version: String,
    /// For people.
    pub name: String,
    /// Who it is, once the Workload API has said so.
    pub spiffe_id: Option<String>,
    /// How it stands with the collector, in a sentence.
    pub uplink: String,
    /// What it manages.
    #[serde(default)]
    pub managing: Managing,
    /// What it sees.
    pub snapshot: Snapshot,
}

impl Status {
    /// For people.
    pub fn text(&self) -> String {
        let identity = self.spiffe_id.as_deref().unwrap_or("no identity yet");
        let mut lines = vec![
            format!("node-agent {} on {} ({identity})", self.version, self.name),
            format!("uplink: {}", self.uplink),
        ];
        lines.extend(self.managing.text());
        let mut line = |arguments: std::fmt::Arguments<'_>| lines.push(arguments.to_string());
        for (name, probe) in &self.snapshot.probes {
            if probe.attached {
                line(format_args!("probe {name}: attached by {}", probe.mechanism));
            } else {
                line(format_args!("probe {name}: not attached: {}", probe.reason));
            }
        }
        for (name, mesh) in &self.snapshot.meshes {
            let algorithm = mesh
                .settings
                .algorithm
                .map_or("unknown algorithm", |algorithm| algorithm.name());
            line(format_args!(
                "mesh interface {name} of mesh {}: {algorithm}, {} originators, {} gateways",
                mesh.settings.mesh,
                mesh.originators.len(),
                mesh.gateways.len()
            ));
            for (key, neighbor) in &mesh.neighbors {
                let metric = match neighbor.metric {
                    None => "no metric yet".to_owned(),
                    Some(Metric::Tq(tq)) => format!("TQ {}", tq.0),
                    Some(Metric::Throughput(throughput)) => format!("{} kbit/s", throughput.0),
                };
                line(format_args!(
                    "  neighbor {} on {}: {metric}",
                    key.neigh_address, key.hard_ifname
                ));
            }
            if let Some(churn) = mesh.churn {
                line(format_args!(
                    "  path switches since the agent's start: {}",
                    churn.path_switches
                ));
            }
        }
        lines.push(String::new());
        lines.join("\n")
    }
}

#[cfg(test)]
mod tests;
