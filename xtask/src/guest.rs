//! The inside of a session: in the VM, or on this kernel, with root.

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use mesh_lab::exec::{run as tool, run_with_input};
use mesh_lab::wait::{self, Look, pause};
use mesh_lab::{Impairment, Lab, Options, Topology, interrupt};

use crate::job::{self, Job, LabTask, Ready, Reply, Request, Suite, Task, TestsTask};
use crate::paths::program;
use crate::report::say;
use crate::suites;

/// What the lab and the agents' probes need of the kernel; those built in are as good.
const MODULES: &[&str] = &[
    "batman_adv",
    "veth",
    "sch_netem",
    "sch_tbf",
    "sch_fq_codel",
    "sch_ingress",
    "cls_bpf",
    "virtio_net",
];
/// The results of a [`TestsTask`].
pub(crate) const RESULTS: &str = "results.json";
/// For one test binary.
const BINARY_LIMIT: Duration = Duration::from_secs(20 * 60);

/// Does the run folder's job; the exit status is written there too.
pub(crate) fn run(run: &Path) -> Result<ExitCode> {
    interrupt::install()?;
    interrupt::also_when_exists(run.join(job::STOP));
    let status = inside(run).unwrap_or_else(|error| {
        if error.is::<interrupt::Interrupted>() {
            say("Interrupted; everything is taken down.");
            return 130;
        }
        say(&format!("\nfailed: {error:#}"));
        name_logs(&run.join(job::LOGS));
        1
    });
    if job::read::<Job>(&run.join(job::JOB)).is_ok_and(|job| job.vm) {
        keep_kernel_log(&run.join(job::LOGS));
    }
    job::write(&run.join(job::EXIT), &status)?;
    Ok(ExitCode::from(u8::try_from(status).unwrap_or(1)))
}

fn inside(run: &Path) -> Result<i32> {
    let job: Job = job::read(&run.join(job::JOB))?;
    if job.vm {
        prepare_vm().context("cannot set up the VM")?;
    } else if let Some(modprobe) = program("modprobe") {
        // What is missing shows where it is needed.
        let _status = Command::new(modprobe)
            .args(["-a", "-q"])
            .args(MODULES)
            .stderr(Stdio::null())
            .status();
    }
    match job.task {
        Task::Lab(task) => lab(run, &job.bin, job.vm, task),
        Task::Tests(task) => tests(run, &job.bin, &task),
    }
}

/// Modules, the file systems probes need, and the network of `vm.rs`.
fn prepare_vm() -> Result<()> {
    let modprobe = program("modprobe").context("modprobe is missing; install kmod")?;
    let mut args = vec!["-a"];
    args.extend(MODULES);
    tool(&modprobe.to_string_lossy(), &args)?;
    let mounts = std::fs::read_to_string("/proc/mounts")?;
    for (kind, folder) in [("tracefs", "/sys/kernel/tracing"), ("bpf", "/sys/fs/bpf")] {
        if !mounts.lines().any(|line| line.split(' ').nth(1) == Some(folder)) {
            tool("mount", &["-t", kind, kind, folder])?;
        }
    }
    let mut batch = "link set lo up\n".to_owned();
    let interfaces = std::fs::read_dir("/sys/class/net")?
        .flatten()
        .map(|e| e.file_name().to_string_lossy().into_owned());
    if let Some(name) = interfaces.into_iter().find(|name| name != "lo" && has_device(name)) {
        batch.push_str(&format!("address add 10.0.2.15/24 dev {name}\nlink set {name} up\n"));
    }
    run_with_input("ip", &["-batch", "-"], &batch).map(drop)
}

/// Virtual interfaces of the kernel's own have no device behind them.
fn has_device(name: &str) -> bool {
    Path::new("/sys/class/net").join(name).join("device").exists()
}

fn keep_kernel_log(logs: &Path) {
    if let Ok(text) = tool("dmesg", &["--notime"]) {
        // A log the more; without it the run is what it was.
        let _unwritten = std::fs::write(logs.join("kernel.log"), text);
    }
}

fn name_logs(logs: &Path) {
    let mut names: Vec<PathBuf> = std::fs::read_dir(logs)
        .into_iter()
        .flatten()
        .flatten()
        .map(|e| e.path())
        .collect();
    names.sort();
    if !names.is_empty() {
        say("logs:");
        names.iter().for_each(|name| say(&format!("  {}", name.display())));
    }
}

fn lab(run: &Path, bin: &Path, vm: bool, task: LabTask) -> Result<i32> {
    let topology = Topology::load(&task.topology)?;
    let mut options = Options::new(bin, run.join(job::LOGS));
    if vm {
        // Reached from the host through the VM's one interface.
        options.listen = std::net::Ipv4Addr::UNSPECIFIED.into();
    }
    options.metrics_port = task.metrics_port;
    options.grpc_port = task.grpc_port;
    options.certs = Some(task.certs);
    if let Some(file) = &task.config {
        let text = std::fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?;
        options.agent_config = Some(text);
    }
    let mut lab = Lab::start(&topology, options)?;
    job::write(
        &run.join(job::READY),
        &Ready {
            daemons: lab.grpc().is_some(),
        },
    )?;
    let status = match task.command.split_first() {
        None => serve(run, &mut lab),
        Some((program, args)) => command(&mut lab, program, args),
    };
    let stopped = lab.stop();
    let status = status?;
    stopped.map(|()| status)
}

/// Keeps the lab up and does what the outside asks for.
fn serve(run: &Path, lab: &mut Lab) -> Result<i32> {
    let folder = run.join(job::REQUESTS);
    let mut next = 1_u32;
    while !interrupt::requested() {
        lab.check_daemons()?;
        let request = folder.join(format!("{next}.json"));
        if request.exists() {
            let reply: Reply = answer(lab, &job::read(&request)?).map_err(|error| format!("{error:#}"));
            job::write(&folder.join(format!("{next}.reply")), &reply)?;
            next += 1;
        }
        pause();
    }
    Ok(0)
}

fn answer(lab: &Lab, request: &Request) -> Result<()> {
    match request {
        Request::Loss { a, b, loss } => lab.set_link(
            a,
            b,
            Impairment {
                loss: *loss,
                ..Impairment::default()
            },
        ),
    }
}

/// Runs the user's command beside the mesh; its exit status.
fn command(lab: &mut Lab, program: &str, args: &[String]) -> Result<i32> {
    let mut command = Command::new(program);
    command.args(args).envs(lab.environment());
    let mut child = command.spawn().with_context(|| format!("cannot start `{program}`"))?;
    loop {
        if let Some(status) = child.try_wait()? {
            // As shells have it, for a command ended by a signal.
            let signal = std::os::unix::process::ExitStatusExt::signal(&status);
            return Ok(status.code().unwrap_or_else(|| 128 + signal.unwrap_or(0)));
        }
        let daemons = lab.check_daemons();
        if daemons.is_err() || interrupt::requested() {
            child.kill().context("cannot end the command")?;
            child.wait()?;
            daemons?;
            bail!(interrupt::Interrupted);
        }
        pause();
    }
}

fn tests(run: &Path, bin: &Path, task: &TestsTask) -> Result<i32> {
    let mut results = Vec::new();
    for (name, file) in &task.binaries {
        say(&format!("--- {name}"));
        let mut command = Command::new(file);
        command.args(["--test-threads=1", "--color=never"]).args(&task.filter);
        command
            .envs(task.tools.iter().map(|(name, file)| (name, file)))
            .env("MESH_BIN", bin)
            .env("MESH_LOGS", run.join(job::LOGS).join(name));
        let outcome = suites::run(&mut command, BINARY_LIMIT)?;
        results.push(Suite {
            name: name.clone(),
            passed: outcome.counts.passed,
            failed: outcome.counts.failed,
        });
        job::write(&run.join(RESULTS), &results)?;
        if interrupt::requested() {
            bail!(interrupt::Interrupted);
        }
    }
    // Sockets and namespaces of a test that was killed would disturb nobody but are an error worth seeing.
    wait::until("the tests' namespaces are gone", Duration::from_secs(10), || {
        let left = std::fs::read_dir("/run/netns").map_or(0, Iterator::count);
        Ok(if left == 0 {
            Look::Ready(())
        } else {
            Look::Pending(format!("{left} left"))
        })
    })?;
    Ok(i32::from(results.iter().any(|suite| suite.failed > 0)))
}
