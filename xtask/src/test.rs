//! `cargo xtask test`: everything, in an order that finds cheap mistakes first.

use std::path::PathBuf;
use std::process::{Command, ExitCode};
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use mesh_lab::interrupt;
use serde_json::Value;

use crate::guest::RESULTS;
use crate::job::{self, Suite, Task, TestsTask};
use crate::kernel::{self, Kernel};
use crate::paths::{Paths, fresh, program};
use crate::report::{Counts, Steps, say};
use crate::session::{Place, Session};
use crate::{deny, ebpf, kustomize, prometheus, python, setup, suites};

/// For the tests on the host.
const LIMIT: Duration = Duration::from_secs(30 * 60);
/// For all tests in one VM, under emulation on a slow machine.
const VM_LIMIT: Duration = Duration::from_secs(75 * 60);

/// What the tests are told.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Run the VM's tests on these kernels, in full; default: 6.1 in full, and the smoke tests on 6.12.
    #[arg(long, value_parser = kernel::known())]
    kernel: Vec<String>,
    /// Every kernel in full (5.10, 6.1, 6.12, 7.2), and more cases for the property tests.
    #[arg(long)]
    full: bool,
    /// Only these of the VM's test files, such as `vm_lab`, and nothing on the host.
    #[arg(long)]
    suite: Vec<String>,
    /// In the VM, only tests whose name contains this.
    #[arg(long)]
    filter: Option<String>,
}

impl Args {
    /// Kernels, and whether each runs in full.
    fn kernels(&self) -> Vec<(String, bool)> {
        if !self.kernel.is_empty() {
            return self.kernel.iter().map(|kernel| (kernel.clone(), true)).collect();
        }
        if self.full {
            return kernel::all().map(|kernel| (kernel.to_owned(), true)).collect();
        }
        vec![(kernel::DEFAULT.to_owned(), true), (kernel::SMOKE.to_owned(), false)]
    }
}

pub(crate) fn run(args: &Args) -> Result<ExitCode> {
    let paths = Paths::find()?;
    interrupt::install()?;
    let kernels = args.kernels();
    let host_too = args.suite.is_empty();
    let mut steps = Steps::new(kernels.len() + if host_too { 10 } else { 4 });
    let scope = setup::Scope {
        ebpf: true,
        kernels: kernels.iter().map(|(kernel, _)| kernel.clone()).collect(),
        watchers: true,
        tests: true,
        host: host_too,
    };
    steps.must("what is missing", || setup::ensure(&paths, &scope))?;
    if host_too {
        steps.try_suite("formatting", || cargo(&paths, &["fmt", "--all", "--check"]))?;
    }
    steps.must("build the eBPF programs", || ebpf::build(&paths.root).map(drop))?;
    // In one go and with one choice of features: each command that chose others would build the libraries again.
    steps.try_suite("build everything", || {
        cargo(&paths, &["build", "--workspace", "--all-targets"])
    })?;
    if host_too {
        host(&paths, args, &mut steps)?;
    }
    let mut binaries = Vec::new();
    steps.try_suite("build the VM's tests", || {
        binaries = vm_binaries(&paths, &args.suite)?;
        Ok(Counts { passed: 1, failed: 0 })
    })?;
    for (name, full) in kernels.iter().filter(|_| !binaries.is_empty()) {
        let kernel = kernel::get(&paths, name)?;
        let what = format!("{} on kernel {name}", if *full { "tests" } else { "smoke tests" });
        let filter = args.filter.clone().or_else(|| (!full).then(|| "smoke".to_owned()));
        steps.try_suite(&what, || in_vm(&paths, kernel, &binaries, filter))?;
    }
    let counts = steps.summary();
    Ok(if counts.failed == 0 {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// What needs no batman-adv.
fn host(paths: &Paths, args: &Args, steps: &mut Steps) -> Result<()> {
    steps.try_suite("clippy", || {
        cargo(
            paths,
            &[
                "clippy",
                "--workspace",
                "--all-targets",
                "--quiet",
                "--",
                "-D",
                "warnings",
            ],
        )
    })?;
    steps.try_suite("tests on the host", || host_tests(paths, args.full))?;
    steps.try_suite("examples in the documentation", || {
        suites::run(&mut command(paths, &["test", "--workspace", "--doc", "--quiet"]), LIMIT).map(|o| o.counts)
    })?;
    steps.try_suite("documentation", || {
        let mut doc = command(
            paths,
            &["doc", "--workspace", "--no-deps", "--document-private-items", "--quiet"],
        );
        check(doc.env("RUSTDOCFLAGS", "-D warnings"))
    })?;
    steps.try_suite("licences, bans and sources", || check(&mut deny::command(paths)?))
}

fn command(paths: &Paths, args: &[&str]) -> Command {
    let mut command = crate::paths::cargo();
    command.args(args).current_dir(&paths.root);
    command
}

fn cargo(paths: &Paths, args: &[&str]) -> Result<Counts> {
    check(&mut command(paths, args))
}

/// A command that either passes or fails as one.
pub(crate) fn check(command: &mut Command) -> Result<Counts> {
    let status = command.status().with_context(|| format!("cannot start {command:?}"))?;
    if !status.success() {
        bail!(
            "`{}` failed ({status}); see above",
            format!("{command:?}").replace('"', "")
        );
    }
    Ok(Counts { passed: 1, failed: 0 })
}

fn host_tests(paths: &Paths, full: bool) -> Result<Counts> {
    let mut tests = if program("cargo-nextest").is_some() {
        let args = [
            "nextest",
            "run",
            "--workspace",
            "--no-fail-fast",
            "-E",
            "not binary(/^vm_/)",
            "--status-level=fail",
        ];
        command(paths, &args)
    } else {
        say("  (cargo-nextest is not installed; cargo test does)");
        let mut tests = command(
            paths,
            &["test", "--workspace", "--quiet", "--no-fail-fast", "--lib", "--bins"],
        );
        for file in test_files(paths, false)? {
            tests.args(["--test", &file]);
        }
        tests
    };
    if full {
        tests.env("PROPTEST_CASES", "10000");
    }
    if nix::unistd::geteuid().is_root() {
        // Everything they need is here: a test that skips itself would only look as if it had passed.
        tests.env("CI", "true");
    }
    tests
        .env("CARGO_TERM_COLOR", "never")
        .env("MESH_KUSTOMIZE", kustomize::get(paths)?)
        .env("MESH_KUBERNETES_VALIDATE", python::kubernetes_validate(paths)?);
    Ok(suites::run(&mut tests, LIMIT)?.counts)
}

/// Names of all integration tests of the workspace: those that need the VM, or the others.
fn test_files(paths: &Paths, vm: bool) -> Result<Vec<String>> {
    let output = command(paths, &["metadata", "--no-deps", "--format-version=1"]).output()?;
    let metadata: Value = serde_json::from_slice(&output.stdout).context("cargo metadata prints no JSON")?;
    let packages = metadata["packages"].as_array().cloned().unwrap_or_default();
    let targets = packages
        .iter()
        .flat_map(|package| package["targets"].as_array().cloned().unwrap_or_default());
    let tests = targets.filter(|target| target["kind"][0] == "test");
    let names = tests.filter_map(|target| target["name"].as_str().map(str::to_owned));
    Ok(names.filter(|name| name.starts_with("vm_") == vm).collect())
}

/// Builds the VM's test binaries, all or those named; name and file of each.
fn vm_binaries(paths: &Paths, only: &[String]) -> Result<Vec<(String, PathBuf)>> {
    let mut names = test_files(paths, true)?;
    if let Some(unknown) = only.iter().find(|name| !names.contains(name)) {
        bail!("no test file `{unknown}` for the VM; there are {}", names.join(", "));
    }
    names.retain(|name| only.is_empty() || only.contains(name));
    let mut build = command(
        paths,
        &[
            "test",
            "--workspace",
            "--no-run",
            "--message-format=json-render-diagnostics",
        ],
    );
    for name in &names {
        build.args(["--test", name]);
    }
    let output = build
        .stderr(std::process::Stdio::inherit())
        .output()
        .context("cannot start cargo")?;
    if !output.status.success() {
        bail!("the VM's tests do not compile; the compiler's words stand above");
    }
    let text = String::from_utf8_lossy(&output.stdout);
    let messages = text.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let mut binaries: Vec<_> = messages
        .filter(|message| message["target"]["kind"][0] == "test")
        .filter_map(|m| {
            Some((
                m["target"]["name"].as_str()?.to_owned(),
                PathBuf::from(m["executable"].as_str()?),
            ))
        })
        .collect();
    binaries.sort();
    Ok(binaries)
}

fn in_vm(paths: &Paths, kernel: Kernel, binaries: &[(String, PathBuf)], filter: Option<String>) -> Result<Counts> {
    let run = paths.target().join("test").join(&kernel.name);
    fresh(&run, &[])?;
    let task = Task::Tests(TestsTask {
        binaries: binaries.to_vec(),
        filter,
        tools: vec![
            ("MESH_PROMTOOL".to_owned(), prometheus::get(paths)?.1),
            ("MESH_GRPCURL".to_owned(), python::grpcurl(paths)?),
        ],
    });
    let status = Session::start(paths, &Place::Vm(kernel), &run, task, None)?.wait(VM_LIMIT)?;
    let suites: Vec<Suite> = job::read(&run.join(RESULTS)).unwrap_or_default();
    let mut counts = Counts::default();
    for suite in &suites {
        counts.passed += suite.passed;
        counts.failed += suite.failed;
    }
    if status != 0 && counts.failed == 0 {
        // It fell outside the tests themselves.
        counts.failed = 1;
    }
    if counts.failed > 0 {
        say(&format!("  logs are in {}", run.join(job::LOGS).display()));
    }
    Ok(counts)
}
