//! `cargo xtask lab`: the mesh of a topology file, and a command beside it.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use mesh_lab::{Topology, interrupt};

use crate::job::{self, LabTask, Task};
use crate::paths::{Paths, fresh};
use crate::report::{Steps, say};
use crate::session::{Place, Ports, Session};
use crate::{ebpf, kernel, setup};

/// What the lab is told.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The topology file (JSON).
    #[arg(long)]
    topology: PathBuf,
    /// Boot this kernel in a VM, such as 6.1; default: the running one if it has batman-adv.
    #[arg(long, value_parser = kernel::known())]
    kernel: Option<String>,
    /// TOML laid over every agent's generated configuration: tables are merged, other keys replaced.
    #[arg(long)]
    config: Option<PathBuf>,
    /// Run beside the mesh once every agent has been seen by the collector; its exit status is the lab's. Without
    /// one the lab stays up until Ctrl-C.
    #[arg(last = true)]
    command: Vec<String>,
}

pub(crate) fn run(args: &Args) -> Result<ExitCode> {
    let topology = match Topology::load(&args.topology) {
        Ok(topology) => topology,
        Err(error) => {
            say(&format!("{:#}", anyhow::Error::from(error)));
            return Ok(ExitCode::from(78));
        }
    };
    let paths = Paths::find()?;
    interrupt::install()?;
    let agents = topology.nodes.iter().any(|node| node.agent);
    let mut steps = Steps::new(if agents { 4 } else { 2 });
    let scope = setup::Scope {
        ebpf: agents,
        ..setup::Scope::lab(args.kernel.as_deref())
    };
    steps.must("what is missing", || setup::ensure(&paths, &scope))?;
    if agents {
        steps.must("build the eBPF programs", || ebpf::build(&paths.root).map(drop))?;
        steps.must("build the daemons", || build(&paths))?;
    }
    let place = Place::choose(&paths, args.kernel.as_deref())?;
    let ports = agents.then(Ports::choose).transpose()?;
    // By pid: several may wait for one another's VM, never write to one another's folder.
    let run = paths
        .target()
        .join("lab")
        .join(format!("{}-{}", topology.name, std::process::id()));
    fresh(&run, &[])?;
    let task = LabTask {
        topology: absolute(&args.topology)?,
        config: args.config.as_deref().map(absolute).transpose()?,
        command: args.command.clone(),
        certs: run.join("certs"),
        metrics_port: 0,
        grpc_port: 0,
    };
    let mut session = steps.must(
        &format!("bring up {} {}", args.topology.display(), place.describe()),
        || {
            let mut session = Session::start(&paths, &place, &run, Task::Lab(task), ports)?;
            session.wait_ready().map(|_| session)
        },
    )?;
    say(&format!(
        "The lab is up ({:.0} s). Logs: {}",
        steps.elapsed().as_secs_f64(),
        session.logs().display()
    ));
    if let Some(ports) = ports {
        say(&format!(
            "On this machine: http://127.0.0.1:{}/metrics, gRPC localhost:{}",
            ports.metrics, ports.grpc
        ));
    }
    if args.command.is_empty() {
        say("Ctrl-C takes it down.");
        while !interrupt::requested() {
            session.must_run()?;
            mesh_lab::wait::pause();
        }
        session.stop()?;
        return Ok(ExitCode::SUCCESS);
    }
    let status = session.wait(Duration::MAX)?;
    if status != 0 {
        say(&format!(
            "exit status {status}; logs are in {}",
            run.join(job::LOGS).display()
        ));
    }
    Ok(ExitCode::from(u8::try_from(status).unwrap_or(1)))
}

/// Builds the daemons; cargo shows its own progress.
pub(crate) fn build(paths: &Paths) -> Result<()> {
    let packages = [
        "--package",
        "node-agent",
        "--package",
        "collector",
        "--package",
        "mesh-devca",
    ];
    let status = crate::paths::cargo()
        .arg("build")
        .args(packages)
        .current_dir(&paths.root)
        .status();
    if !status.context("cannot start cargo")?.success() {
        bail!("the daemons do not compile; the compiler's words stand above");
    }
    Ok(())
}

fn absolute(path: &Path) -> Result<PathBuf> {
    std::path::absolute(path).with_context(|| format!("cannot find {}", path.display()))
}
