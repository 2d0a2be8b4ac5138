//! A lab or a row of tests, running on this kernel or in a VM, seen from the outside.
//!
//! The inside is this same program (`__guest`), told what to do by a file of the run folder; it shows what it does
//! on a console that is followed here, and ends with an exit status in a file. Ended in order on drop.

use std::io::{Read as _, Seek as _, SeekFrom, Write as _};
use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use mesh_lab::interrupt;
use mesh_lab::wait::{self, Look, now, pause};

use crate::job::{self, Job, Ready, Reply, Request, Task};
use crate::kernel::{self, Kernel};
use crate::paths::Paths;
use crate::report::say;
use crate::vm::{self, Boot, Vm};

/// For the inside to take everything down after it was asked to.
const STOP_LIMIT: Duration = Duration::from_secs(60);
/// For the lab to be up; its own limits are below this.
const READY_LIMIT: Duration = Duration::from_secs(900);
/// For a request.
const REQUEST_LIMIT: Duration = Duration::from_secs(60);
/// The ports the inside listens on in a VM.
const GUEST_PORTS: (u16, u16) = (9464, 7443);

/// Where a session runs.
#[derive(Debug)]
pub(crate) enum Place {
    /// On the running kernel, which has batman-adv.
    Native,
    /// In a VM.
    Vm(Kernel),
}

impl Place {
    /// A VM if a kernel is asked for or the running one lacks batman-adv.
    pub(crate) fn choose(paths: &Paths, kernel: Option<&str>) -> Result<Self> {
        match kernel {
            None if kernel::running_has_batman() => Ok(Self::Native),
            kernel => Ok(Self::Vm(kernel::get(paths, kernel.unwrap_or(kernel::DEFAULT))?)),
        }
    }

    /// For people.
    pub(crate) fn describe(&self) -> String {
        match self {
            Self::Native => "on this machine's kernel".to_owned(),
            Self::Vm(kernel) => format!("in a VM, kernel {}", kernel.name),
        }
    }
}

/// The ports of a session on this machine's loopback.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Ports {
    pub(crate) metrics: u16,
    pub(crate) grpc: u16,
}

impl Ports {
    /// The usual ones where they are free.
    pub(crate) fn choose() -> Result<Self> {
        Ok(Self {
            metrics: free_port(GUEST_PORTS.0)?,
            grpc: free_port(GUEST_PORTS.1)?,
        })
    }
}

/// This port of loopback, or any free one.
pub(crate) fn free_port(wanted: u16) -> Result<u16> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, wanted))
        .or_else(|_| TcpListener::bind((Ipv4Addr::LOCALHOST, 0)))
        .context("no free port on loopback")?;
    Ok(listener.local_addr()?.port())
}

/// A running session.
#[derive(Debug)]
pub(crate) struct Session {
    run: PathBuf,
    inside: Inside,
    /// How much of the console was shown.
    shown: u64,
    exit: Option<i32>,
    requests: u32,
}

#[derive(Debug)]
enum Inside {
    Native(Child),
    Vm(Option<Vm>),
}

impl Session {
    /// Starts a task; `run` is an empty folder.
    pub(crate) fn start(
        paths: &Paths,
        place: &Place,
        run: &Path,
        mut task: Task,
        ports: Option<Ports>,
    ) -> Result<Self> {
        for folder in [job::LOGS, job::REQUESTS] {
            std::fs::create_dir_all(run.join(folder)).with_context(|| format!("cannot make {}", run.display()))?;
        }
        if let (Task::Lab(lab), Some(ports)) = (&mut task, ports) {
            (lab.metrics_port, lab.grpc_port) = match place {
                Place::Native => (ports.metrics, ports.grpc),
                Place::Vm(_) => GUEST_PORTS,
            };
        }
        let job = Job {
            vm: matches!(place, Place::Vm(_)),
            bin: paths.bin(),
            task,
        };
        job::write(&run.join(job::JOB), &job)?;
        // Its own copy: cargo may build this program anew while it runs, as the tests do.
        let program = run.join("xtask");
        std::fs::copy("/proc/self/exe", &program).context("cannot copy my own program")?;
        let inside = match place {
            Place::Native => Inside::Native(native(&program, run)?),
            Place::Vm(kernel) => {
                let forwards = ports.map_or(Vec::new(), |ports| {
                    vec![(ports.metrics, GUEST_PORTS.0), (ports.grpc, GUEST_PORTS.1)]
                });
                let kvm = vm::kvm_works(paths, kernel)?;
                let script = script(&program, run);
                let boot = Boot {
                    kernel,
                    run,
                    script: &script,
                    forwards: &forwards,
                    kvm,
                };
                say(&format!(
                    "  booting kernel {} ({})",
                    kernel.name,
                    if kvm { "KVM" } else { "plain emulation" }
                ));
                Inside::Vm(Some(Vm::start(paths, &boot)?))
            }
        };
        Ok(Self {
            run: run.to_path_buf(),
            inside,
            shown: 0,
            exit: None,
            requests: 0,
        })
    }

    /// Shows what is new on the console; the exit status once there is one.
    pub(crate) fn poll(&mut self) -> Result<Option<i32>> {
        if self.exit.is_some() {
            return Ok(self.exit);
        }
        let mut exit = read_exit(&self.run);
        let gone = match &mut self.inside {
            Inside::Native(child) => child.try_wait()?.is_some(),
            Inside::Vm(Some(vm)) => vm.is_off()?,
            Inside::Vm(None) => true,
        };
        if gone && exit.is_none() {
            // Between the two looks it may have written it.
            exit = read_exit(&self.run);
        }
        self.show()?;
        if gone && exit.is_none() {
            match &self.inside {
                Inside::Vm(Some(vm)) => bail!("the VM went off before it was done; its log {}", vm.last_words()),
                _ => bail!("the lab's process ended before it was done"),
            }
        }
        self.exit = exit;
        Ok(exit)
    }

    fn show(&mut self) -> Result<()> {
        let Ok(mut console) = std::fs::File::open(self.run.join("console.log")) else {
            return Ok(());
        };
        console.seek(SeekFrom::Start(self.shown))?;
        let mut text = Vec::new();
        console.read_to_end(&mut text)?;
        self.shown += u64::try_from(text.len())?;
        std::io::stdout()
            .write_all(&text)
            .and_then(|()| std::io::stdout().flush())
            .context("cannot write to stdout")
    }

    /// Waits until the lab is up.
    pub(crate) fn wait_ready(&mut self) -> Result<Ready> {
        let began = now();
        while began.elapsed() < READY_LIMIT {
            if let Some(status) = self.poll()? {
                bail!(
                    "the lab did not come up (exit status {status}); logs are in {}",
                    self.logs().display()
                );
            }
            if self.run.join(job::READY).exists() {
                return job::read(&self.run.join(job::READY));
            }
            if interrupt::requested() {
                bail!(interrupt::Interrupted);
            }
            pause();
        }
        bail!(
            "the lab is not up after {} s; logs are in {}",
            READY_LIMIT.as_secs(),
            self.logs().display()
        )
    }

    /// Fails if the session has ended although it should be up.
    pub(crate) fn must_run(&mut self) -> Result<()> {
        match self.poll()? {
            None => Ok(()),
            Some(status) => bail!(
                "the lab ended (exit status {status}); logs are in {}",
                self.logs().display()
            ),
        }
    }

    /// Has the inside do something, and waits until it is done.
    pub(crate) fn request(&mut self, request: &Request) -> Result<()> {
        self.requests += 1;
        let folder = self.run.join(job::REQUESTS);
        let reply = folder.join(format!("{}.reply", self.requests));
        job::write(&folder.join(format!("{}.json", self.requests)), request)?;
        wait::until("the lab's answer", REQUEST_LIMIT, || {
            self.must_run()?;
            Ok(if reply.exists() {
                Look::Ready(())
            } else {
                Look::Pending("none yet".to_owned())
            })
        })?;
        let reply: Reply = job::read(&reply)?;
        reply.map_err(|problem| anyhow::anyhow!("the lab could not do it: {problem}"))
    }

    /// The folder with a log file per process.
    pub(crate) fn logs(&self) -> PathBuf {
        self.run.join(job::LOGS)
    }

    /// Waits for the task's own end; its exit status. On Ctrl-C takes it down and says [`interrupt::Interrupted`].
    pub(crate) fn wait(mut self, limit: Duration) -> Result<i32> {
        let began = now();
        loop {
            if let Some(status) = self.poll()? {
                self.close()?;
                return Ok(status);
            }
            if interrupt::requested() {
                self.take_down()?;
                bail!(interrupt::Interrupted);
            }
            if began.elapsed() > limit {
                bail!(
                    "not done after {} s; logs are in {}",
                    limit.as_secs(),
                    self.logs().display()
                );
            }
            pause();
        }
    }

    /// Asks the inside to take everything down, and ends it.
    pub(crate) fn stop(mut self) -> Result<()> {
        self.take_down()
    }

    fn take_down(&mut self) -> Result<()> {
        if self.exit.is_none() {
            std::fs::write(self.run.join(job::STOP), "").context("cannot ask the lab to stop")?;
            let asked = now();
            while asked.elapsed() < STOP_LIMIT && self.poll()?.is_none() {
                pause();
            }
        }
        self.close()
    }

    fn close(&mut self) -> Result<()> {
        // Run folders are kept for their logs; this is many times their size. Absent, it is as good.
        let _absent = std::fs::remove_file(self.run.join("xtask"));
        match &mut self.inside {
            Inside::Native(child) => {
                if self.exit.is_none() {
                    child.kill().context("cannot end the lab's process")?;
                }
                child.wait().map(drop).context("cannot wait for the lab's process")
            }
            Inside::Vm(vm) => vm.take().map_or(Ok(()), Vm::finish),
        }
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        let open = match &mut self.inside {
            Inside::Native(child) => matches!(child.try_wait(), Ok(None)),
            Inside::Vm(vm) => vm.is_some(),
        };
        if open && let Err(error) = self.take_down() {
            say(&format!("while ending the lab: {error:#}"));
        }
    }
}

fn read_exit(run: &Path) -> Option<i32> {
    std::fs::read_to_string(run.join(job::EXIT)).ok()?.trim().parse().ok()
}

/// Shares this terminal, and Ctrl-C, with the inside.
fn native(program: &Path, run: &Path) -> Result<Child> {
    let mut command = if nix::unistd::geteuid().is_root() {
        Command::new(program)
    } else {
        let mut sudo = Command::new("sudo");
        sudo.arg("-E").arg(program);
        sudo
    };
    command
        .arg("__guest")
        .arg(run)
        .spawn()
        .context("cannot start the lab's process; it needs root or sudo")
}

fn script(program: &Path, run: &Path) -> String {
    let quote = |text: &str| format!("'{}'", text.replace('\'', "'\\''"));
    let (program, run) = (quote(&program.to_string_lossy()), quote(&run.to_string_lossy()));
    let mut script = format!("#!/bin/sh\nexec >>{run}/console.log 2>&1\nexport PATH=\"$PATH:/usr/sbin:/sbin\"\n");
    for name in ["RUST_LOG", "PROPTEST_CASES"] {
        if let Ok(value) = std::env::var(name) {
            script.push_str(&format!("export {name}={}\n", quote(&value)));
        }
    }
    // Should the program itself fall, its status is still told.
    script.push_str(&format!(
        "{program} __guest {run}\nstatus=$?\n[ -e {run}/exit ] || echo $status > {run}/exit\n"
    ));
    script
}
