//! The collector's configuration: every key, its default and what is allowed.
//!
//! Secrets are never in it: the identity comes from the SPIFFE Workload API.

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::{Path, PathBuf};

use mesh_daemon::{ConfigError, config, log};
use mesh_transport::{TrustDomain, WorkloadApi, settings};
use serde::Deserialize;

/// All of it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// SPIFFE trust domain of agents, operators and the collector itself. Required.
    #[serde(deserialize_with = "settings::trust_domain")]
    pub trust_domain: TrustDomain,
    /// Who to be.
    #[serde(default)]
    pub identity: Identity,
    /// Agents and operators come in here.
    #[serde(default)]
    pub grpc: Grpc,
    /// Prometheus comes in here.
    #[serde(default)]
    pub http: Http,
    /// What must survive a restart.
    #[serde(default)]
    pub state: State,
    /// What peers may cost.
    #[serde(default)]
    pub limits: Limits,
    /// Log lines.
    #[serde(default)]
    pub log: Log,
}

/// `[identity]`
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Identity {
    /// The SPIFFE Workload API, `unix:/path` or `tcp://address:port`.
    #[serde(deserialize_with = "settings::workload_api")]
    pub workload_api: WorkloadApi,
}

/// `[grpc]`
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Grpc {
    /// Addresses for mutual TLS.
    #[serde(deserialize_with = "addresses")]
    pub listen: Vec<SocketAddr>,
    /// Unix socket with the same API, for people on this machine; its folder must exist.
    pub socket: PathBuf,
    /// Group that may use it.
    pub socket_group: String,
}

/// `[http]`
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Http {
    /// Addresses for metrics and health; anybody who reaches one may read.
    #[serde(deserialize_with = "addresses")]
    pub listen: Vec<SocketAddr>,
}

/// `[state]`
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct State {
    /// A folder of the collector's own. Nothing is kept there in this release.
    pub directory: PathBuf,
}

/// `[limits]`
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Limits {
    /// Bytes of one message of an agent; 64 KiB to 64 MiB.
    #[serde(deserialize_with = "message_bytes")]
    pub message_bytes: usize,
}

/// `[log]`
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Log {
    /// `text` or `json`.
    pub format: log::Format,
}

// === impl Config ===

impl Config {
    /// Reads and checks the file.
    ///
    /// # Errors
    /// [`ConfigError`] names file, line, key and what is allowed.
    pub fn load(path: &Path) -> Result<Self, ConfigError> {
        config::load(path)
    }
}

impl Default for Grpc {
    fn default() -> Self {
        Self {
            listen: vec![(Ipv6Addr::UNSPECIFIED, 7443).into()],
            socket: "/run/echolot/collector.sock".into(),
            socket_group: "echolot".to_owned(),
        }
    }
}

impl Default for Http {
    fn default() -> Self {
        Self {
            listen: vec![(Ipv4Addr::LOCALHOST, 9464).into()],
        }
    }
}

impl Default for State {
    fn default() -> Self {
        Self {
            directory: "/var/lib/echolot/collector".into(),
        }
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            message_bytes: 4 * 1024 * 1024,
        }
    }
}

// === values ===

fn addresses<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Vec<SocketAddr>, D::Error> {
    let texts = Vec::<String>::deserialize(deserializer)?;
    let address = |text: &String| {
        text.parse().map_err(|_| {
            serde::de::Error::custom(format_args!(
                "{text:?} is no address to listen on; allowed: IP:PORT, as in \"0.0.0.0:7443\" or \"[::]:7443\""
            ))
        })
    };
    texts.iter().map(address).collect()
}

fn message_bytes<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<usize, D::Error> {
    let bytes = usize::deserialize(deserializer)?;
    // A batch of records, each with the longest texts there are, must fit: it would come again and again.
    if (256 * 1024..=64 * 1024 * 1024).contains(&bytes) {
        Ok(bytes)
    } else {
        Err(serde::de::Error::custom(format_args!(
            "{bytes} is out of range; allowed: 262144 to 67108864"
        )))
    }
}

#[cfg(test)]
mod tests;
