//! A VM that boots one of Debian's kernels with this machine's root file system, by virtme-ng and qemu.
//!
//! It runs one script of the run folder, which it can write to; everything else it writes is lost with it. What it
//! has to say comes through that folder, not through a console. It is ended by process group, always.

use std::fs::File;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use mesh_lab::processes::tail;
use mesh_lab::wait::{now, pause};
use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;

use crate::kernel::Kernel;
use crate::paths::{Paths, fresh};
use crate::python;
use crate::report::say;

/// A guest under KVM is up within 3 s where KVM works.
const KVM_LIMIT: Duration = Duration::from_secs(12);
/// For a guest whose work is done to power off.
const OFF_LIMIT: Duration = Duration::from_secs(20);

/// For processes to follow a signal.
const SIGNAL_LIMIT: Duration = Duration::from_secs(5);

/// How to boot.
#[derive(Debug)]
pub(crate) struct Boot<'a> {
    pub(crate) kernel: &'a Kernel,
    /// The folder shared with the guest.
    pub(crate) run: &'a Path,
    /// What the guest runs, as root: a shell script's text.
    pub(crate) script: &'a str,
    /// Ports of the host's loopback and where in the guest they lead.
    pub(crate) forwards: &'a [(u16, u16)],
    /// Whether to use KVM.
    pub(crate) kvm: bool,
}

/// A running VM. Ended on drop.
#[derive(Debug)]
pub(crate) struct Vm {
    child: Child,
    log: PathBuf,
    /// The first process of the group is gone.
    off: bool,
    /// The whole group was ended.
    closed: bool,
}

impl Vm {
    /// Starts it; returns at once.
    pub(crate) fn start(paths: &Paths, boot: &Boot<'_>) -> Result<Self> {
        let script = boot.run.join("guest.sh");
        std::fs::write(&script, boot.script).with_context(|| format!("cannot write {}", script.display()))?;
        let scratch = boot.run.join("tmp");
        std::fs::create_dir_all(&scratch)?;
        // virtme keeps a cache in the home folder; this is to leave nothing there.
        let home = paths.tools().join("home");
        std::fs::create_dir_all(&home)?;
        let log = boot.run.join("vm.log");
        let out = File::create(&log).with_context(|| format!("cannot write {}", log.display()))?;

        let cpus = std::thread::available_parallelism().map_or(2, |n| n.get().clamp(1, 4));
        let mut command = Command::new(python::virtme(paths)?);
        command.arg("--run").arg(&boot.kernel.image);
        command.args(["--user", "root", "--memory", "2G", "--cpus", &cpus.to_string()]);
        if !boot.kvm {
            command.arg("--disable-kvm");
        }
        command.arg("--rwdir").arg(boot.run);
        command.arg("--cwd").arg(&paths.root);
        if !boot.forwards.is_empty() {
            command.arg(format!("--qemu-opts={}", network(boot.forwards)));
        }
        command.arg("--").arg("sh").arg(&script);
        let path = std::env::var("PATH").unwrap_or_default();
        command.env(
            "PATH",
            format!("{}:{path}:/usr/sbin:/sbin", python::venv_bin(paths).display()),
        );
        command
            .env("HOME", home)
            .env("TMPDIR", &scratch)
            .current_dir(&paths.root);
        command
            .stdin(Stdio::null())
            .stdout(out.try_clone()?)
            .stderr(out)
            .process_group(0);
        let child = command
            .spawn()
            .context("cannot start virtme-ng; delete target/tools/venv to have it installed again")?;
        Ok(Self {
            child,
            log,
            off: false,
            closed: false,
        })
    }

    /// Whether it is off.
    pub(crate) fn is_off(&mut self) -> Result<bool> {
        if !self.off && self.child.try_wait().context("cannot look at the VM")?.is_some() {
            self.off = true;
        }
        Ok(self.off)
    }

    /// What qemu and the guest's kernel said last.
    pub(crate) fn last_words(&self) -> String {
        format!("{}:\n{}", self.log.display(), tail(&self.log))
    }

    /// Waits a little for it to power off by itself, then ends it.
    pub(crate) fn finish(mut self) -> Result<()> {
        let asked = now();
        while asked.elapsed() < OFF_LIMIT && !self.is_off()? {
            pause();
        }
        self.end()
    }

    /// Ends the process group: virtme-ng, its helpers and qemu.
    fn end(&mut self) -> Result<()> {
        self.closed = true;
        let group = Pid::from_raw(i32::try_from(self.child.id()).context("pid out of range")?);
        for signal in [Signal::SIGTERM, Signal::SIGKILL] {
            if killpg(group, signal).is_err() {
                // Nobody is left to take it.
                break;
            }
            let asked = now();
            while asked.elapsed() < SIGNAL_LIMIT && killpg(group, None).is_ok() {
                self.is_off()?;
                pause();
            }
        }
        self.is_off()?;
        if !self.off || killpg(group, None).is_ok() {
            bail!("the VM's processes (group {group}) cannot be ended");
        }
        Ok(())
    }
}

impl Drop for Vm {
    fn drop(&mut self) {
        if !self.closed
            && let Err(error) = self.end()
        {
            say(&format!("{error:#}"));
        }
    }
}

/// User networking that leads nowhere but from these ports of the host's loopback to the guest.
fn network(forwards: &[(u16, u16)]) -> String {
    let mut net = "-netdev user,id=u0,restrict=on".to_owned();
    for (host, guest) in forwards {
        net.push_str(&format!(",hostfwd=tcp:127.0.0.1:{host}-:{guest}"));
    }
    // No boot from the network, so no ROM for it.
    format!("{net} -device virtio-net-pci,netdev=u0,romfile=")
}

/// Whether a guest boots under KVM here. Found out once per boot of this machine and kept below `target/`.
pub(crate) fn kvm_works(paths: &Paths, kernel: &Kernel) -> Result<bool> {
    if File::options().read(true).write(true).open("/dev/kvm").is_err() {
        return Ok(false);
    }
    let boot_id = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
    let known = paths.target().join("kvm-probe");
    if let Ok(text) = std::fs::read_to_string(&known)
        && let Some(answer) = text.strip_prefix(boot_id.trim())
    {
        return Ok(answer.trim() == "works");
    }
    say("  /dev/kvm is there; trying whether a guest boots with it");
    let run = paths.target().join("kvm-probe.run");
    fresh(&run, &[])?;
    let up = run.join("up");
    let script = format!("#!/bin/sh\necho up > '{}'\n", up.display());
    let boot = Boot {
        kernel,
        run: &run,
        script: &script,
        forwards: &[],
        kvm: true,
    };
    let mut vm = Vm::start(paths, &boot)?;
    let asked = now();
    while asked.elapsed() < KVM_LIMIT && !up.exists() && !vm.is_off()? {
        pause();
    }
    let works = up.exists();
    vm.end()?;
    std::fs::remove_dir_all(&run)?;
    std::fs::write(
        &known,
        format!("{} {}\n", boot_id.trim(), if works { "works" } else { "hangs" }),
    )?;
    say(if works {
        "  it does"
    } else {
        "  it does not; using plain emulation"
    });
    Ok(works)
}
