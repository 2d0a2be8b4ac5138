//! The lab's long-running processes: started in a namespace, output kept in a log file of their own, ended by pid.

use std::fs::File;
use std::io::{Read as _, Seek as _, SeekFrom};
use std::os::unix::process::{CommandExt as _, ExitStatusExt as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::exec;
use crate::wait::{Look, now, pause};

/// After SIGTERM, before SIGKILL.
const GRACE: Duration = Duration::from_secs(10);
/// How much of a log's end is read for a message.
const TAIL_BYTES: u64 = 16 * 1024;
/// How many lines of it are shown.
const TAIL_LINES: usize = 20;

/// What to start.
#[derive(Debug, Clone)]
pub struct Spec {
    /// Its name in messages, and its log file's.
    pub name: String,
    /// The node whose namespace it runs in; `None` for the lab's own.
    pub node: Option<String>,
    /// The program.
    pub program: PathBuf,
    /// Its arguments.
    pub args: Vec<String>,
}

/// A running process. Ended on drop.
#[derive(Debug)]
pub struct Process {
    spec: Spec,
    child: Child,
    log: PathBuf,
    ended: Option<ExitStatus>,
}

impl Process {
    /// Starts it; its stdout and stderr are appended to `logs/NAME.log`.
    ///
    /// # Errors
    /// If the log cannot be written or the program not be started.
    pub fn start(spec: Spec, logs: &Path) -> Result<Self> {
        let log = logs.join(format!("{}.log", spec.name));
        let out = File::options()
            .create(true)
            .append(true)
            .open(&log)
            .with_context(|| format!("cannot write {}", log.display()))?;
        let mut command = match &spec.node {
            None => Command::new(&spec.program),
            Some(node) => {
                let mut command = Command::new("nsenter");
                command.args(exec::in_netns(node, &spec.program.to_string_lossy()));
                command
            }
        };
        command
            .args(&spec.args)
            .stdin(Stdio::null())
            .stdout(out.try_clone()?)
            .stderr(out);
        // A group of its own, so that Ctrl-C reaches the lab alone and the lab ends things in order.
        command.process_group(0);
        let child = command.spawn().with_context(|| format!("cannot start {}", spec.name))?;
        Ok(Self {
            spec,
            child,
            log,
            ended: None,
        })
    }

    /// Its name in messages.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.spec.name
    }

    /// Its process id.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Its log file.
    #[must_use]
    pub fn log(&self) -> &Path {
        &self.log
    }

    /// Fails if it has ended by itself, naming how, and the end of its log.
    ///
    /// # Errors
    /// If it is not running.
    pub fn check(&mut self) -> Result<()> {
        if self.ended.is_none() {
            self.ended = self.child.try_wait().context("cannot look at a process of the lab")?;
        }
        let Some(status) = self.ended else { return Ok(()) };
        bail!(
            "{} ended by itself ({}); log {}, its end:\n{}",
            self.spec.name,
            describe(status),
            self.log.display(),
            tail(&self.log)
        )
    }

    /// Looks whether its log holds this line.
    ///
    /// # Errors
    /// If it has ended.
    pub fn look_for_line(&mut self, line: &str) -> Result<Look<()>> {
        self.check()?;
        let text = std::fs::read_to_string(&self.log).unwrap_or_default();
        let found = text.lines().any(|l| l.trim() == line);
        Ok(if found {
            Look::Ready(())
        } else {
            Look::Pending(format!("no line `{line}` in its log"))
        })
    }

    /// Asks it to end (SIGTERM), and after a while makes it (SIGKILL).
    ///
    /// # Errors
    /// If it cannot be ended, or had to be killed.
    pub fn stop(mut self) -> Result<()> {
        self.end(Signal::SIGTERM)
    }

    /// Ends it at once (SIGKILL), as a crash would.
    ///
    /// # Errors
    /// If it cannot be ended.
    pub fn kill(mut self) -> Result<()> {
        self.end(Signal::SIGKILL)
    }

    fn end(&mut self, signal: Signal) -> Result<()> {
        if self.ended.is_some() {
            return Ok(());
        }
        self.ended = self.child.try_wait()?;
        if self.ended.is_some() {
            return Ok(());
        }
        // Not waited for yet, so the pid is still this child's.
        let pid = Pid::from_raw(i32::try_from(self.child.id()).context("pid out of range")?);
        kill(pid, signal).with_context(|| format!("cannot signal {}", self.spec.name))?;
        let asked = now();
        while asked.elapsed() < GRACE {
            self.ended = self.child.try_wait()?;
            if self.ended.is_some() {
                return Ok(());
            }
            pause();
        }
        self.child
            .kill()
            .with_context(|| format!("cannot kill {}", self.spec.name))?;
        self.ended = Some(self.child.wait()?);
        bail!(
            "{} did not end within {} s of {signal} and was killed",
            self.spec.name,
            GRACE.as_secs()
        )
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if let Err(error) = self.end(Signal::SIGTERM) {
            crate::wait::say(&format!("{error:#}"));
        }
    }
}

/// An exit status as people say it.
fn describe(status: ExitStatus) -> String {
    match (status.code(), status.signal()) {
        (Some(code), _) => format!("exit status {code}"),
        (None, Some(signal)) => format!("signal {signal}"),
        (None, None) => status.to_string(),
    }
}

/// The last lines of a log, indented.
#[must_use]
pub fn tail(log: &Path) -> String {
    let read = || -> std::io::Result<String> {
        let mut file = File::open(log)?;
        let length = file.metadata()?.len();
        file.seek(SeekFrom::Start(length.saturating_sub(TAIL_BYTES)))?;
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes)?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    };
    match read() {
        Err(error) => format!("    (cannot read it: {error})"),
        Ok(text) if text.trim().is_empty() => "    (it is empty)".to_owned(),
        Ok(text) => {
            let lines: Vec<_> = text.lines().collect();
            let last = lines.iter().skip(lines.len().saturating_sub(TAIL_LINES));
            last.map(|line| format!("    {line}")).collect::<Vec<_>>().join("\n")
        }
    }
}
