//! `cargo xtask demo`: a real mesh with agents, a collector and Prometheus on this machine.

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use anyhow::{Context as _, Result, bail};
use mesh_lab::wait::{self, pause};
use mesh_lab::{Topology, interrupt};
use serde_json::Value;

use crate::job::{LabTask, Task};
use crate::paths::{Paths, fresh};
use crate::prometheus::Prometheus;
use crate::report::{Steps, say};
use crate::session::{Place, Ports, Session};
use crate::{check, ebpf, kernel, lab, python, setup};

/// For Prometheus to have scraped once.
const SCRAPE_LIMIT: std::time::Duration = std::time::Duration::from_secs(60);

/// What the demo is told.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Assert what is shown, impair a link and see the route change, then leave.
    #[arg(long)]
    check: bool,
    /// Boot this kernel in a VM, such as 6.1; default: the running one if it has batman-adv.
    #[arg(long, value_parser = kernel::known())]
    kernel: Option<String>,
}

/// A demo that is up.
#[derive(Debug)]
pub(crate) struct Demo {
    pub(crate) paths: Paths,
    pub(crate) topology: Topology,
    pub(crate) ports: Ports,
    pub(crate) grpcurl: Grpcurl,
    pub(crate) prometheus: Prometheus,
    pub(crate) session: Session,
}

pub(crate) fn run(args: &Args) -> Result<ExitCode> {
    let paths = Paths::find()?;
    interrupt::install()?;
    let folder = paths.target().join("demo");
    std::fs::create_dir_all(&folder)?;
    let lock = std::fs::File::options()
        .create(true)
        .truncate(false)
        .write(true)
        .open(folder.join("lock"))?;
    if lock.try_lock().is_err() {
        bail!("a demo of this checkout runs already; end it first (Ctrl-C in its terminal)");
    }
    fresh(&folder, &["lock"])?;

    let mut steps = Steps::new(if args.check { 7 } else { 5 });
    let demo = bring_up(&paths, &folder, args, &mut steps)?;
    if args.check {
        return check::run(demo, &mut steps);
    }
    demo.show(steps.elapsed());
    demo.hold()?;
    say("Everything is taken down.");
    Ok(ExitCode::SUCCESS)
}

fn bring_up(paths: &Paths, folder: &Path, args: &Args, steps: &mut Steps) -> Result<Demo> {
    let kernel = args.kernel.as_deref();
    let scope = setup::Scope {
        watchers: true,
        ..setup::Scope::lab(kernel)
    };
    steps.must("what is missing", || setup::ensure(paths, &scope))?;
    steps.must("build the eBPF programs", || ebpf::build(&paths.root).map(drop))?;
    steps.must("build the daemons (the first time takes minutes)", || lab::build(paths))?;

    let file = paths.root.join("tests/topologies/demo.json");
    let topology = Topology::load(&file)?;
    let place = Place::choose(paths, kernel)?;
    let ports = Ports::choose()?;
    let certs = folder.join("certs");
    let task = LabTask {
        topology: file,
        config: None,
        command: Vec::new(),
        certs: certs.clone(),
        metrics_port: 0,
        grpc_port: 0,
    };
    let name = format!("bring up a mesh of {} nodes {}", topology.nodes.len(), place.describe());
    let session = steps.must(&name, || {
        let mut session = Session::start(paths, &place, folder, Task::Lab(task), Some(ports))?;
        session.wait_ready().map(|_| session)
    })?;
    let prometheus = steps.must("have Prometheus scrape the collector", || {
        let mut prometheus = Prometheus::start(paths, &folder.join("prometheus"), &session.logs(), ports.metrics)?;
        wait::until("Prometheus's target is healthy", SCRAPE_LIMIT, || {
            prometheus.look_targets()
        })?;
        Ok(prometheus)
    })?;
    let grpcurl = Grpcurl {
        program: python::grpcurl(paths)?,
        certs,
        address: format!("localhost:{}", ports.grpc),
    };
    Ok(Demo {
        paths: paths.clone(),
        topology,
        ports,
        grpcurl,
        prometheus,
        session,
    })
}

impl Demo {
    fn show(&self, took: std::time::Duration) {
        say(&format!("\nThe mesh is up ({:.0} s).\n", took.as_secs_f64()));
        say(&picture(&self.topology));
        say(&format!(
            "  metrics     http://127.0.0.1:{}/metrics",
            self.ports.metrics
        ));
        say(&format!("  Prometheus  http://{}", self.prometheus.address));
        say(&format!("  gRPC        {} (mutual TLS)", self.grpcurl.address));
        say(&format!("  logs        {}\n", self.session.logs().display()));
        say("Ask the collector:\n");
        for (method, data) in [
            ("list", ""),
            ("mesh.v1.TopologyService/ListNodes", ""),
            ("mesh.v1.TopologyService/GetTopology", ""),
            ("mesh.v1.TopologyService/GetPath", r#"{"src":"gate","dst":"attic"}"#),
            ("mesh.v1.TopologyService/ListEvents", r#"{"node":"gate"}"#),
            ("mesh.v1.RebalanceService/ListDecisions", ""),
        ] {
            say(&format!("{}\n", self.grpcurl.line(method, data)));
        }
        say("Ctrl-C takes everything down.");
    }

    /// Keeps it up until Ctrl-C; then takes it down.
    fn hold(mut self) -> Result<()> {
        while !interrupt::requested() {
            self.session.must_run()?;
            self.prometheus.check()?;
            pause();
        }
        say("\nTaking everything down.");
        self.stop()
    }

    /// Takes everything down; goes on where something fails.
    pub(crate) fn stop(self) -> Result<()> {
        let (prometheus, session) = (self.prometheus.stop(), self.session.stop());
        prometheus.and(session)
    }
}

/// Links as lines, a node without an agent in parentheses.
fn picture(topology: &Topology) -> String {
    let name = |i: usize| {
        let node = &topology.nodes[i];
        if node.agent {
            node.id.clone()
        } else {
            format!("({})", node.id)
        }
    };
    let links: Vec<_> = topology
        .links
        .iter()
        .map(|link| format!("{} -- {}", name(link.a), name(link.b)))
        .collect();
    format!(
        "  {}\n  (in parentheses: no agent there; seen by its neighbors)\n",
        links.join("   ")
    )
}

/// grpcurl with the operator's certificate.
#[derive(Debug)]
pub(crate) struct Grpcurl {
    program: PathBuf,
    certs: PathBuf,
    address: String,
}

impl Grpcurl {
    fn words(&self, method: &str, data: &str) -> Vec<String> {
        let file = |name: &str| self.certs.join(name).display().to_string();
        let mut words: Vec<String> = [
            ("-cacert", file("bundle.pem")),
            ("-cert", file("operator.pem")),
            ("-key", file("operator.key")),
        ]
        .into_iter()
        .flat_map(|(key, value)| [key.to_owned(), value])
        .collect();
        if !data.is_empty() {
            words.extend(["-d".to_owned(), data.to_owned()]);
        }
        words.extend([self.address.clone(), method.to_owned()]);
        words
    }

    /// A line for a shell.
    fn line(&self, method: &str, data: &str) -> String {
        let safe = |word: &str| word.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_./:".contains(&b));
        let quote = |word: String| {
            if safe(&word) {
                word
            } else {
                format!("'{}'", word.replace('\'', "'\\''"))
            }
        };
        let words = self.words(method, data).into_iter().map(quote).collect::<Vec<_>>();
        format!("{} {}", quote(self.program.display().to_string()), words.join(" "))
    }

    /// Asks and returns what was printed.
    pub(crate) fn text(&self, method: &str, data: &str) -> Result<String> {
        let output = Command::new(&self.program)
            .args(["-max-time", "30"])
            .args(self.words(method, data))
            .output()
            .with_context(|| format!("cannot start {}", self.program.display()))?;
        if !output.status.success() {
            bail!("{method}: {}", String::from_utf8_lossy(&output.stderr).trim());
        }
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    }

    /// Asks and returns the answer.
    pub(crate) fn call(&self, method: &str, data: &str) -> Result<Value> {
        serde_json::from_str(&self.text(method, data)?).with_context(|| format!("{method} answers no JSON"))
    }
}
