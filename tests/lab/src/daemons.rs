//! How agents, collector and the Workload API server are configured and started in the lab.
//!
//! Pure but for [`Folders::make`]: what comes out is [`Spec`]s and configuration text.

use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use toml::{Table, Value};

use crate::processes::Spec;
use crate::topology::Topology;

#[cfg(test)]
mod tests;

/// The trust domain of the lab's identities.
pub const TRUST_DOMAIN: &str = "mesh.test";
/// The collector's gRPC port within its namespace.
pub const GRPC_PORT: u16 = 7443;
/// The collector's HTTP port within its namespace.
pub const HTTP_PORT: u16 = 9464;

/// Where the lab's daemons keep things. Short paths: Unix sockets take at most 107 bytes.
#[derive(Debug, Clone)]
pub struct Folders {
    /// Sockets, state and generated configuration, on a local file system.
    pub work: PathBuf,
    /// `operator.pem`, `operator.key`, `bundle.pem`.
    pub certs: PathBuf,
    /// The built binaries.
    pub bin: PathBuf,
}

impl Folders {
    /// Makes the folders daemons write to.
    ///
    /// # Errors
    /// If one cannot be made.
    pub fn make(&self) -> Result<()> {
        for folder in [&self.work, &self.certs, &self.workload_api()] {
            std::fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
        }
        Ok(())
    }

    fn workload_api(&self) -> PathBuf {
        self.work.join("spiffe")
    }

    fn socket_of(&self, identity: &str) -> String {
        format!(
            "unix:{}/{}.sock",
            self.workload_api().display(),
            identity.replace('/', "-")
        )
    }

    /// The collector's Unix socket.
    #[must_use]
    pub fn collector_socket(&self) -> PathBuf {
        self.work.join("collector-api.sock")
    }

    /// The control socket of a node's agent.
    #[must_use]
    pub fn agent_socket(&self, node: &str) -> PathBuf {
        self.work.join(format!("agent-{node}.sock"))
    }

    /// The Workload API server with every identity of the lab.
    #[must_use]
    pub fn workload_api_server(&self, topology: &Topology, ttl: &str) -> Spec {
        let mut args: Vec<String> = ["--trust-domain", TRUST_DOMAIN, "--ttl", ttl].map(str::to_owned).into();
        let mut add = |key: &str, value: String| args.extend([key.to_owned(), value]);
        add("--socket-dir", show(&self.workload_api()));
        for node in topology.nodes.iter().filter(|node| node.agent) {
            add("--identity", format!("node/{}", node.id));
        }
        add(
            "--identity",
            "collector,dns=localhost,dns=collector.mesh.test".to_owned(),
        );
        for person in ["operator/lab", "viewer/lab"] {
            add("--identity", person.to_owned());
        }
        add(
            "--export",
            format!("operator/lab={}", show(&self.certs.join("operator"))),
        );
        add("--bundle", show(&self.certs.join("bundle.pem")));
        Spec {
            name: "mesh-devca".to_owned(),
            node: None,
            program: self.bin.join("mesh-devca"),
            args,
        }
    }

    /// Writes the collector's configuration and says how to start it on `node`.
    ///
    /// # Errors
    /// If the configuration cannot be written, or `overlay` is no TOML.
    pub fn collector(&self, node: &str, overlay: Option<&str>) -> Result<Spec> {
        let table = merged(collector_config(self), overlay)?;
        self.daemon("collector", "collector", node, &table)
    }

    /// Writes an agent's configuration and says how to start it.
    ///
    /// # Errors
    /// If the configuration cannot be written, or `overlay` is no TOML.
    pub fn agent(&self, node: &str, mesh: &str, collector: Ipv4Addr, overlay: Option<&str>) -> Result<Spec> {
        let table = merged(agent_config(self, node, mesh, collector), overlay)?;
        self.daemon(&format!("agent-{node}"), "node-agent", node, &table)
    }

    fn daemon(&self, name: &str, program: &str, node: &str, config: &Table) -> Result<Spec> {
        let file = self.work.join(format!("{name}.toml"));
        std::fs::write(&file, toml::to_string(config)?).with_context(|| format!("cannot write {}", file.display()))?;
        Ok(Spec {
            name: name.to_owned(),
            node: Some(node.to_owned()),
            program: self.bin.join(program),
            args: vec!["run".to_owned(), "--config".to_owned(), show(&file)],
        })
    }
}

fn collector_config(folders: &Folders) -> Table {
    table([
        ("trust_domain", TRUST_DOMAIN.into()),
        (
            "identity",
            table([("workload_api", folders.socket_of("collector").into())]).into(),
        ),
        (
            "grpc",
            table([
                ("listen", vec![format!("0.0.0.0:{GRPC_PORT}")].into()),
                ("socket", show(&folders.collector_socket()).into()),
            ])
            .into(),
        ),
        (
            "http",
            table([("listen", vec![format!("0.0.0.0:{HTTP_PORT}")].into())]).into(),
        ),
        (
            "state",
            table([("directory", show(&folders.work.join("collector-state")).into())]).into(),
        ),
    ])
}

fn agent_config(folders: &Folders, node: &str, mesh: &str, collector: Ipv4Addr) -> Table {
    table([
        ("node", table([("name", node.into()), ("site", "lab".into())]).into()),
        ("mesh", table([("bat0", table([("name", mesh.into())]).into())]).into()),
        ("collect", table([("interval", "1s".into())]).into()),
        (
            "collector",
            table([("addresses", vec![format!("{collector}:{GRPC_PORT}")].into())]).into(),
        ),
        (
            "identity",
            table([
                ("trust_domain", TRUST_DOMAIN.into()),
                ("workload_api", folders.socket_of(&format!("node/{node}")).into()),
            ])
            .into(),
        ),
        (
            "state",
            table([("directory", show(&folders.work.join(format!("agent-{node}"))).into())]).into(),
        ),
        (
            "control",
            table([("socket", show(&folders.agent_socket(node)).into())]).into(),
        ),
    ])
}

/// The generated configuration with the user's laid over it: tables are merged key by key, everything else of
/// the user's replaces what was generated.
fn merged(mut base: Table, overlay: Option<&str>) -> Result<Table> {
    if let Some(overlay) = overlay {
        let overlay: Table = overlay.parse().context("the configuration to lay over is not TOML")?;
        merge(&mut base, overlay);
    }
    Ok(base)
}

fn merge(base: &mut Table, overlay: Table) {
    for (key, value) in overlay {
        match (base.get_mut(&key), value) {
            (Some(Value::Table(old)), Value::Table(new)) => merge(old, new),
            (_, value) => {
                base.insert(key, value);
            }
        }
    }
}

fn table<const N: usize>(entries: [(&str, Value); N]) -> Table {
    entries
        .into_iter()
        .map(|(key, value)| (key.to_owned(), value))
        .collect()
}

fn show(path: &Path) -> String {
    path.display().to_string()
}
