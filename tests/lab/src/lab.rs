//! The lab as tests and commands see it: a mesh, and on it agents, a collector and identities.
//!
//! Everything made is removed by [`Lab::stop`], or on drop. What a daemon wrote stays in the log folder.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, Result, anyhow, bail};

use crate::daemons::{Folders, GRPC_PORT, HTTP_PORT};
use crate::forward::Forward;
use crate::mesh::Mesh;
use crate::metrics::{self, Sample};
use crate::plan::Plan;
use crate::processes::Process;
use crate::run::{MGMT_LINK, Run, remove_mgmt_link};
use crate::topology::{Impairment, Topology};
use crate::wait::{self, Look, say};
use crate::{converge, exec, http};

/// For a mesh to converge; 20 to 25 s are usual for few hops under plain emulation.
const CONVERGE_LIMIT: Duration = Duration::from_secs(240);
/// For daemons to be up and agents to be seen.
const DAEMON_LIMIT: Duration = Duration::from_secs(180);
/// The lab's end and the collector's end of the management pair.
const MGMT: (Ipv4Addr, Ipv4Addr) = (Ipv4Addr::new(169, 254, 77, 1), Ipv4Addr::new(169, 254, 77, 2));

/// How a lab is brought up.
#[derive(Debug, Clone)]
pub struct Options {
    /// The folder with the built binaries.
    pub bin: PathBuf,
    /// The folder for log files; made if absent.
    pub logs: PathBuf,
    /// The folder for the exported certificates; `None` for one that goes with the lab.
    pub certs: Option<PathBuf>,
    /// Where the collector's ports are offered outside the mesh.
    pub listen: IpAddr,
    /// The port for metrics; 0 for any free one.
    pub metrics_port: u16,
    /// The port for gRPC; 0 for any free one.
    pub grpc_port: u16,
    /// TOML laid over every agent's generated configuration.
    pub agent_config: Option<String>,
    /// TOML laid over the collector's generated configuration.
    pub collector_config: Option<String>,
    /// How long SVIDs live, such as `1h`.
    pub svid_ttl: String,
}

impl Options {
    /// Binaries and logs in these folders, any free ports on loopback.
    #[must_use]
    pub fn new(bin: impl Into<PathBuf>, logs: impl Into<PathBuf>) -> Self {
        Self {
            bin: bin.into(),
            logs: logs.into(),
            certs: None,
            listen: Ipv4Addr::LOCALHOST.into(),
            metrics_port: 0,
            grpc_port: 0,
            agent_config: None,
            collector_config: None,
            svid_ttl: "1h".to_owned(),
        }
    }

    /// For tests that `cargo xtask test` runs: the folders it names in `MESH_BIN` and `MESH_LOGS`, logs in a
    /// sub-folder of the test's name.
    ///
    /// # Errors
    /// If the variables are not set.
    pub fn for_test(name: &str) -> Result<Self> {
        let folder = |key: &str| {
            std::env::var_os(key).ok_or_else(|| anyhow!("{key} is not set: run these tests with `cargo xtask test`"))
        };
        Ok(Self::new(
            folder("MESH_BIN")?,
            Path::new(&folder("MESH_LOGS")?).join(name),
        ))
    }
}

/// A mesh that is up. Fields are dropped in this order: those that use a thing before the thing.
#[derive(Debug)]
pub struct Lab {
    topology: Topology,
    options: Options,
    folders: Folders,
    agents: BTreeMap<String, Process>,
    collector: Option<Process>,
    workload_api: Option<Process>,
    forwards: Option<Forwards>,
    mesh: Option<Mesh>,
    run: Option<Run>,
}

#[derive(Debug)]
struct Forwards {
    metrics: Forward,
    grpc: Forward,
}

impl Lab {
    /// Brings up the mesh and, where the topology has agents, the daemons; returns when every node has a route to
    /// every other and the collector has seen every agent.
    ///
    /// # Errors
    /// Naming the step that failed, after everything made was removed again.
    pub fn start(topology: &Topology, options: Options) -> Result<Self> {
        let mut lab = Self::raise(topology, options)?;
        if lab.topology.nodes.iter().any(|node| node.agent) {
            lab.start_daemons()?;
        }
        lab.wait_converged()?;
        lab.wait_agents_seen()?;
        Ok(lab)
    }

    /// Brings up the mesh without any daemon, whatever the topology says; returns when it has converged.
    ///
    /// # Errors
    /// As [`Lab::start`].
    pub fn mesh_only(topology: &Topology, options: Options) -> Result<Self> {
        let mut lab = Self::raise(topology, options)?;
        lab.wait_converged()?;
        Ok(lab)
    }

    /// Brings up the mesh and waits for nothing.
    ///
    /// # Errors
    /// As [`Lab::start`].
    pub fn raise(topology: &Topology, options: Options) -> Result<Self> {
        let began = wait::now();
        std::fs::create_dir_all(&options.logs)
            .with_context(|| format!("cannot make the log folder {}", options.logs.display()))?;
        let run = Run::begin(topology.nodes.iter().map(|node| node.id.clone()).collect())?;
        let work = run.work();
        let certs = options.certs.clone().unwrap_or_else(|| work.join("certs"));
        let folders = Folders {
            work,
            certs,
            bin: options.bin.clone(),
        };
        let mut lab = Self {
            topology: topology.clone(),
            options,
            folders,
            agents: BTreeMap::new(),
            collector: None,
            workload_api: None,
            forwards: None,
            mesh: None,
            run: Some(run),
        };
        lab.folders.make()?;
        lab.mesh = Some(Mesh::build(topology)?);
        say(&format!(
            "  {} nodes and {} links are up ({}, {:.1} s)",
            topology.nodes.len(),
            topology.links.len(),
            topology.algorithm,
            began.elapsed().as_secs_f64()
        ));
        Ok(lab)
    }

    /// Starts the Workload API server, the collector and all agents.
    ///
    /// # Errors
    /// Naming the daemon that failed and the end of its log.
    pub fn start_daemons(&mut self) -> Result<()> {
        for name in ["mesh-devca", "collector", "node-agent"] {
            let path = self.options.bin.join(name);
            if !path.exists() {
                bail!("{} is not built; `cargo build --workspace` builds it", path.display());
            }
        }
        self.reach_collector()?;
        self.start_workload_api()?;
        self.start_collector()?;
        let agents: Vec<_> = self
            .topology
            .nodes
            .iter()
            .filter(|n| n.agent)
            .map(|n| n.id.clone())
            .collect();
        for node in &agents {
            self.start_agent(node)?;
        }
        say(&format!("  collector and {} agents are started", agents.len()));
        Ok(())
    }

    /// A veth pair from here into the collector's namespace, and a port here for each of its ports.
    fn reach_collector(&mut self) -> Result<()> {
        let node = self.collector_node()?.to_owned();
        let batch = format!(
            "link add name {MGMT_LINK} type veth peer name mgmt netns {node}\n\
             address add {}/30 dev {MGMT_LINK}\n\
             link set {MGMT_LINK} up\n",
            MGMT.0
        );
        exec::run_with_input("ip", &["-batch", "-"], &batch).context("cannot make the collector's management link")?;
        let batch = format!("address add {}/30 dev mgmt\nlink set mgmt up\n", MGMT.1);
        exec::run_with_input("ip", &["-n", &node, "-batch", "-"], &batch)?;
        let listen = self.options.listen;
        let forward =
            |port: u16, to: u16| Forward::start(SocketAddr::new(listen, port), SocketAddr::new(MGMT.1.into(), to));
        self.forwards = Some(Forwards {
            metrics: forward(self.options.metrics_port, HTTP_PORT)?,
            grpc: forward(self.options.grpc_port, GRPC_PORT)?,
        });
        Ok(())
    }

    fn start_workload_api(&mut self) -> Result<()> {
        let spec = self.folders.workload_api_server(&self.topology, &self.options.svid_ttl);
        let mut server = self.launch(spec)?;
        wait::until("the Workload API server's `ready`", DAEMON_LIMIT, || {
            server.look_for_line("ready")
        })?;
        self.workload_api = Some(server);
        Ok(())
    }

    fn launch(&mut self, spec: crate::processes::Spec) -> Result<Process> {
        let process = Process::start(spec, &self.options.logs)?;
        if let Some(run) = &mut self.run {
            run.note(process.name(), process.pid())?;
        }
        Ok(process)
    }

    /// Starts the collector, again after [`Lab::stop_collector`].
    ///
    /// # Errors
    /// If it runs already, or cannot be started.
    pub fn start_collector(&mut self) -> Result<()> {
        if self.collector.is_some() {
            bail!("the collector runs already");
        }
        let node = self.collector_node()?.to_owned();
        let spec = self
            .folders
            .collector(&node, self.options.collector_config.as_deref())?;
        self.collector = Some(self.launch(spec)?);
        Ok(())
    }

    /// Ends the collector in order (SIGTERM).
    ///
    /// # Errors
    /// If it does not run, or had to be killed.
    pub fn stop_collector(&mut self) -> Result<()> {
        self.collector.take().context("the collector does not run")?.stop()
    }

    /// Ends the collector as a crash would (SIGKILL).
    ///
    /// # Errors
    /// If it does not run.
    pub fn kill_collector(&mut self) -> Result<()> {
        self.collector.take().context("the collector does not run")?.kill()
    }

    /// Starts a node's agent, again after [`Lab::kill_agent`] or [`Lab::stop_agent`].
    ///
    /// # Errors
    /// If it runs already, the topology gives the node none, or it cannot be started.
    pub fn start_agent(&mut self, node: &str) -> Result<()> {
        if self.agents.contains_key(node) {
            bail!("the agent of `{node}` runs already");
        }
        if !self.topology.nodes.iter().any(|n| n.agent && n.id == node) {
            bail!("node `{node}` has no agent in this topology");
        }
        let collector = self.address(self.collector_node()?)?;
        let overlay = self.options.agent_config.as_deref();
        let spec = self.folders.agent(node, &self.topology.name, collector, overlay)?;
        let process = self.launch(spec)?;
        self.agents.insert(node.to_owned(), process);
        Ok(())
    }

    /// Ends a node's agent in order (SIGTERM).
    ///
    /// # Errors
    /// If it does not run, or had to be killed.
    pub fn stop_agent(&mut self, node: &str) -> Result<()> {
        self.agents
            .remove(node)
            .with_context(|| format!("no agent runs on `{node}`"))?
            .stop()
    }

    /// Ends a node's agent as a crash would (SIGKILL).
    ///
    /// # Errors
    /// If it does not run.
    pub fn kill_agent(&mut self, node: &str) -> Result<()> {
        self.agents
            .remove(node)
            .with_context(|| format!("no agent runs on `{node}`"))?
            .kill()
    }

    /// Ends a node's agent in order and starts it again.
    ///
    /// # Errors
    /// As [`Lab::stop_agent`] and [`Lab::start_agent`].
    pub fn restart_agent(&mut self, node: &str) -> Result<()> {
        if self.agents.contains_key(node) {
            self.stop_agent(node)?;
        }
        self.start_agent(node)
    }

    /// Fails if a daemon has ended by itself, naming it and the end of its log.
    ///
    /// # Errors
    /// If one is not running.
    pub fn check_daemons(&mut self) -> Result<()> {
        let agents = self.agents.values_mut();
        agents
            .chain(&mut self.collector)
            .chain(&mut self.workload_api)
            .try_for_each(Process::check)
    }

    /// Waits until every node has a route to every node it is linked with, over however many hops.
    ///
    /// # Errors
    /// If that takes too long, or a daemon ends meanwhile.
    pub fn wait_converged(&mut self) -> Result<()> {
        let began = wait::now();
        wait::until("the mesh converges", CONVERGE_LIMIT, || {
            self.check_daemons()?;
            Ok(converge::look(&self.topology, self.plan()?))
        })?;
        say(&format!(
            "  the mesh has converged ({:.1} s)",
            began.elapsed().as_secs_f64()
        ));
        Ok(())
    }

    /// Waits until `to` answers a ping of `from` over the mesh.
    ///
    /// Routes are there earlier: for 30 s after a mesh interface came up, batman-adv's bridge loop avoidance lets no
    /// broadcast pass, so no ARP either.
    ///
    /// # Errors
    /// If that takes too long, or there is no such node.
    pub fn wait_answer(&self, from: &str, to: &str) -> Result<()> {
        let address = self.address(to)?.to_string();
        wait::until(&format!("{to} answers {from}"), CONVERGE_LIMIT, || {
            Ok(match self.exec(from, "ping", &["-n", "-c", "1", "-w", "5", &address]) {
                Ok(_) => Look::Ready(()),
                Err(_) => Look::Pending("no answer yet".to_owned()),
            })
        })
    }

    /// Waits until the collector is ready and reports every running agent as up.
    ///
    /// # Errors
    /// If that takes too long, or a daemon ends meanwhile.
    pub fn wait_agents_seen(&mut self) -> Result<()> {
        let Some(address) = self.metrics_address() else {
            return Ok(());
        };
        let began = wait::now();
        wait::until("the collector sees every agent", DAEMON_LIMIT, || {
            self.check_daemons()?;
            Ok(match http::get(address, "/readyz") {
                Err(error) => Look::Pending(format!("{error:#}")),
                Ok(page) if page.status != 200 => Look::Pending(format!("/readyz says {}", page.status)),
                Ok(_) => match http::get(address, "/metrics") {
                    Err(error) => Look::Pending(format!("{error:#}")),
                    Ok(page) => self.look_agents(&metrics::parse(&page.body)),
                },
            })
        })?;
        say(&format!(
            "  the collector sees {} agents ({:.1} s)",
            self.agents.len(),
            began.elapsed().as_secs_f64()
        ));
        Ok(())
    }

    fn look_agents(&self, samples: &[Sample]) -> Look<()> {
        let up = |node: &str| metrics::sum(samples, "mesh_node_up", &[("node", node)]) == Some(1.0);
        let missing: Vec<_> = self
            .agents
            .keys()
            .map(String::as_str)
            .filter(|node| !up(node))
            .collect();
        if missing.is_empty() {
            Look::Ready(())
        } else {
            Look::Pending(format!("not up: {}", missing.join(", ")))
        }
    }

    /// The samples the collector serves now.
    ///
    /// # Errors
    /// If there is no collector or it does not answer with 200.
    pub fn metrics(&self) -> Result<Vec<Sample>> {
        let page = http::get(self.metrics_address().context("this lab has no collector")?, "/metrics")?;
        if page.status != 200 {
            bail!("/metrics answered {}", page.status);
        }
        Ok(metrics::parse(&page.body))
    }

    fn metrics_address(&self) -> Option<SocketAddr> {
        Some(SocketAddr::new(self.near(), self.forwards.as_ref()?.metrics.port()))
    }

    /// Where the forwarded ports are reached from here.
    fn near(&self) -> IpAddr {
        if self.options.listen.is_unspecified() {
            Ipv4Addr::LOCALHOST.into()
        } else {
            self.options.listen
        }
    }

    /// The URL of the collector's metrics, from the lab's own namespace; `None` in a lab without daemons.
    #[must_use]
    pub fn metrics_url(&self) -> Option<String> {
        self.metrics_address()
            .map(|address| format!("http://{address}/metrics"))
    }

    /// The address of the collector's gRPC, from the lab's own namespace. By its name: that is in the certificate.
    #[must_use]
    pub fn grpc(&self) -> Option<String> {
        self.forwards
            .as_ref()
            .map(|forwards| format!("localhost:{}", forwards.grpc.port()))
    }

    /// The folder with `operator.pem`, `operator.key` and `bundle.pem`.
    #[must_use]
    pub fn certs(&self) -> &Path {
        &self.folders.certs
    }

    /// The folder of all log files.
    #[must_use]
    pub fn logs(&self) -> &Path {
        &self.options.logs
    }

    /// Where sockets, state and generated configurations are.
    #[must_use]
    pub fn folders(&self) -> &Folders {
        &self.folders
    }

    /// The topology that was brought up.
    #[must_use]
    pub fn topology(&self) -> &Topology {
        &self.topology
    }

    /// Names and addresses of everything in the mesh.
    ///
    /// # Errors
    /// If the mesh is gone.
    pub fn plan(&self) -> Result<&Plan> {
        Ok(&self.mesh()?.plan)
    }

    fn mesh(&self) -> Result<&Mesh> {
        self.mesh.as_ref().context("the mesh is gone")
    }

    /// The file of a node's network namespace.
    #[must_use]
    pub fn netns(&self, node: &str) -> PathBuf {
        Path::new("/run/netns").join(node)
    }

    /// The address of a node's `bat0`.
    ///
    /// # Errors
    /// If there is no such node.
    pub fn address(&self, node: &str) -> Result<Ipv4Addr> {
        let found = self.plan()?.nodes.iter().find(|n| n.id == node);
        found
            .map(|n| n.address)
            .with_context(|| format!("no node `{node}` in this topology"))
    }

    fn collector_node(&self) -> Result<&str> {
        let index = self
            .topology
            .collector
            .context("this topology has neither an agent nor a collector")?;
        Ok(&self.topology.nodes[index].id)
    }

    /// Runs `batctl` in a node's namespace and returns what it printed.
    ///
    /// # Errors
    /// If it fails.
    pub fn batctl(&self, node: &str, args: &[&str]) -> Result<String> {
        exec::batctl(node, args)
    }

    /// Runs any program in a node's namespace and returns what it printed.
    ///
    /// # Errors
    /// If it fails.
    pub fn exec(&self, node: &str, program: &str, args: &[&str]) -> Result<String> {
        let mut all = exec::in_netns(node, program);
        all.extend(args.iter().map(ToString::to_string));
        exec::run("nsenter", &all)
    }

    /// Makes a link as good or bad as said, in both directions, while it is up.
    ///
    /// # Errors
    /// If there is no such link.
    pub fn set_link(&self, a: &str, b: &str, impairment: Impairment) -> Result<()> {
        self.mesh()?.set_link(a, b, impairment)
    }

    /// Takes a link down or brings it up again.
    ///
    /// The interface of a node's first link in the file is its primary one: without it batman-adv announces nothing
    /// from that node. To cut such a link alone, give it a loss of 1.0.
    ///
    /// # Errors
    /// If there is no such link.
    pub fn set_link_up(&self, a: &str, b: &str, up: bool) -> Result<()> {
        self.mesh()?.set_link_up(a, b, up)
    }

    /// Variables for a command that runs beside the mesh.
    #[must_use]
    pub fn environment(&self) -> Vec<(String, String)> {
        let mut variables = vec![
            ("MESH_CERTS".to_owned(), self.certs().display().to_string()),
            ("MESH_LOGS".to_owned(), self.logs().display().to_string()),
            ("MESH_BIN".to_owned(), self.options.bin.display().to_string()),
        ];
        variables.extend(self.metrics_url().map(|url| ("MESH_METRICS".to_owned(), url)));
        variables.extend(self.grpc().map(|address| ("MESH_GRPC".to_owned(), address)));
        variables
    }

    /// Takes everything down.
    ///
    /// # Errors
    /// All that went wrong, in one; nothing stops it from going on with the rest.
    pub fn stop(mut self) -> Result<()> {
        self.take_down()
    }

    fn take_down(&mut self) -> Result<()> {
        let mut problems = Vec::new();
        let mut note = |result: Result<()>| problems.extend(result.err().map(|error| format!("{error:#}")));
        for (_, agent) in std::mem::take(&mut self.agents) {
            note(agent.stop());
        }
        for process in [self.collector.take(), self.workload_api.take()].into_iter().flatten() {
            note(process.stop());
        }
        if self.forwards.take().is_some() {
            note(remove_mgmt_link());
        }
        if let Some(mesh) = self.mesh.take() {
            note(mesh.remove());
        }
        if let Some(run) = self.run.take() {
            note(run.finish());
        }
        if problems.is_empty() {
            Ok(())
        } else {
            bail!("while taking the lab down: {}", problems.join("; "))
        }
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        if let Err(error) = self.take_down() {
            say(&format!("{error:#}"));
        }
    }
}
