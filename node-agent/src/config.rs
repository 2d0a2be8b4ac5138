//! The agent's configuration: every key, its default and what is allowed. `docs/configuration.md` says the same in
//! prose.
//!
//! Secrets are never in it: the identity comes from the SPIFFE Workload API.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use mesh_daemon::{ConfigError, Span, config, log};
use mesh_proto::convert::limits;
use mesh_proto::model::IfName;
use mesh_transport::{TrustDomain, WorkloadApi, settings};
use serde::Deserialize;

use crate::ebpf::ProgramLog;

pub mod member;
pub mod mesh;
pub mod values;

pub use member::{Member, Select};
pub use mesh::{Mesh, Vlan};
pub use values::{Algorithm, GwMode, IsolationMark, Kbit, Millis, Pattern, Policy, Vid};

/// All of it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[derive(Default)]
pub struct Config {
    /// What the node is called.
    pub node: Node,
    /// The mesh interfaces to observe and to manage, by name.
    pub mesh: BTreeMap<IfName, Mesh>,
    /// How often to look.
    pub collect: Collect,
    /// Where to report.
    pub collector: Collector,
    /// Who to be.
    pub identity: Identity,
    /// eBPF.
    pub probes: Probes,
    /// What must survive a restart.
    pub state: State,
    /// `status` asks here.
    pub control: Control,
    /// Who to run as.
    pub privilege: Privilege,
    /// Log lines.
    pub log: Log,
}

/// `[node]`
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Node {
    /// For people; default: the host name. The id is in the certificate.
    pub name: Option<String>,
    /// For people: a place, a roof, a district.
    pub site: String,
}

/// `[collect]`
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Collect {
    /// Time between two looks, and two reports.
    pub interval: Interval,
}

/// 500 ms to 5 min: below, looking costs more than it shows; above, the kernel purges what nobody saw (200 s).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(try_from = "Span")]
pub struct Interval(Duration);

/// `[collector]`
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Collector {
    /// Tried in order; empty: the agent keeps to itself.
    pub addresses: Vec<Address>,
}

/// `host:port`, the host an IP address or a name.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct Address(String);

/// `[identity]`
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Identity {
    /// SPIFFE trust domain of agents and collector; needed to report.
    #[serde(deserialize_with = "settings::optional_trust_domain")]
    pub trust_domain: Option<TrustDomain>,
    /// The SPIFFE Workload API, `unix:/path` or `tcp://address:port`.
    #[serde(deserialize_with = "settings::workload_api")]
    pub workload_api: WorkloadApi,
}

/// `[probes]`
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Probes {
    /// Load eBPF programs at all.
    pub enabled: bool,
    /// From which severity on the programs in the kernel log: `off`, `warn` or `debug`.
    pub log: ProgramLog,
}

/// `[state]`
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct State {
    /// A folder of the agent's own.
    pub directory: PathBuf,
}

/// `[control]`
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Control {
    /// Unix socket for `node-agent status`.
    pub socket: PathBuf,
}

/// `[privilege]`
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Privilege {
    /// The user to become when started as root; absent: stay, and give up all but the needed capabilities.
    pub user: Option<String>,
}

/// `[log]`
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Log {
    /// `text` or `json`.
    pub format: log::Format,
}

/// Keys that are fine each for itself and not together.
#[derive(Debug, thiserror::Error)]
pub enum InvalidConfig {
    /// A key or value.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// Nothing to do.
    #[error("{}: no mesh interface is named: add a table for each, as in [mesh.bat0]", .0.display())]
    NoMesh(PathBuf),
    /// More than a report carries.
    #[error("{}: {key}: {length} is too many; allowed: at most {limit}", .path.display())]
    TooMuch {
        /// The file.
        path: PathBuf,
        /// Table or key.
        key: &'static str,
        /// Tables, or bytes.
        length: usize,
        /// As it may be.
        limit: usize,
    },
    /// Nobody to be.
    #[error(
        "{}: identity.trust_domain: must be set, since collector.addresses is: agent and collector prove who they are",
        .0.display()
    )]
    NoTrustDomain(PathBuf),
}

// === impl Config ===

impl Config {
    /// Reads and checks the file.
    ///
    /// # Errors
    /// [`InvalidConfig`], ready to be shown; the agent exits with 78.
    pub fn load(path: &Path) -> Result<Self, InvalidConfig> {
        config::load::<Self>(path)?.checked(path)
    }

    /// Checks a text as if it were the file's.
    ///
    /// # Errors
    /// [`InvalidConfig`], ready to be shown.
    pub fn parse(path: &Path, text: &str) -> Result<Self, InvalidConfig> {
        config::parse::<Self>(path, text)?.checked(path)
    }

    fn checked(self, path: &Path) -> Result<Self, InvalidConfig> {
        if self.mesh.is_empty() {
            return Err(InvalidConfig::NoMesh(path.to_owned()));
        }
        let name = self.node.name.as_deref().unwrap_or_default();
        for (key, length, limit) in [
            ("mesh", self.mesh.len(), limits::MESHES),
            ("node.name", name.len(), limits::TEXT),
            ("node.site", self.node.site.len(), limits::TEXT),
        ] {
            if length > limit {
                let path = path.to_owned();
                return Err(InvalidConfig::TooMuch {
                    path,
                    key,
                    length,
                    limit,
                });
            }
        }
        if !self.collector.addresses.is_empty() && self.identity.trust_domain.is_none() {
            return Err(InvalidConfig::NoTrustDomain(path.to_owned()));
        }
        Ok(self)
    }
}

// === defaults ===

impl Default for Collect {
    fn default() -> Self {
        Self {
            interval: Interval(Duration::from_secs(5)),
        }
    }
}

impl Default for Probes {
    fn default() -> Self {
        Self {
            enabled: true,
            log: ProgramLog::Off,
        }
    }
}

impl Default for State {
    fn default() -> Self {
        Self {
            directory: "/var/lib/echolot/node-agent".into(),
        }
    }
}

impl Default for Control {
    fn default() -> Self {
        Self {
            socket: "/run/echolot/node-agent.sock".into(),
        }
    }
}

// === impl Interval ===

impl Interval {
    /// As a duration.
    pub fn get(self) -> Duration {
        self.0
    }
}

impl TryFrom<Span> for Interval {
    type Error = String;

    fn try_from(span: Span) -> Result<Self, String> {
        if (Duration::from_millis(500)..=Duration::from_secs(300)).contains(&span.0) {
            Ok(Self(span.0))
        } else {
            Err(format!("{span} is outside 500ms to 5m"))
        }
    }
}

// === impl Address ===

impl Address {
    /// As written.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for Address {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let valid = text.rsplit_once(':').is_some_and(|(host, port)| {
            let host = host
                .strip_prefix('[')
                .and_then(|host| host.strip_suffix(']'))
                .unwrap_or(host);
            !host.is_empty() && !host.contains(['/', ' ', '@']) && port.parse::<u16>().is_ok_and(|port| port > 0)
        });
        if valid {
            Ok(Self(text))
        } else {
            Err(format!(
                "{text:?} is no address: write host:port, as in \"10.0.0.1:7443\""
            ))
        }
    }
}

#[cfg(test)]
mod tests;
