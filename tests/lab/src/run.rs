//! One lab at a time per machine, and nothing left of one that was killed.
//!
//! A lock file is held while a lab runs. A record beside it says what the lab made: a later run that gets the
//! lock while a record is there knows that the maker is gone, and removes exactly what the record proves to be
//! the lab's (a process by pid and start time, a namespace by name).

use std::fs::{File, TryLockError};
use std::io::Read as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde::{Deserialize, Serialize};

use crate::wait::say;
use crate::{exec, mesh};

#[cfg(test)]
mod tests;

/// Below /run, which a reboot empties as it does namespaces.
const ROOT: &str = "/run/mesh-lab";
/// The lab's end of the pair that reaches the collector's namespace.
pub const MGMT_LINK: &str = "mesh-mgmt";

/// What a lab made, for whoever comes after it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Record {
    pid: u32,
    namespaces: Vec<String>,
    processes: Vec<Made>,
}

/// A process and when it started, in clock ticks after boot: together they are never used again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Made {
    name: String,
    pid: u32,
    start: u64,
}

/// The right to run the lab.
#[derive(Debug)]
pub struct Run {
    root: PathBuf,
    record: Record,
    /// Held until drop.
    _lock: File,
}

impl Run {
    /// Takes the lock and cleans up after a run that was killed.
    ///
    /// # Errors
    /// If another lab runs, or leftovers cannot be removed.
    pub fn begin(namespaces: Vec<String>) -> Result<Self> {
        if !nix::unistd::geteuid().is_root() {
            bail!("the lab makes network namespaces, which needs root: run it as root, or with sudo");
        }
        let root = PathBuf::from(ROOT);
        std::fs::create_dir_all(&root).with_context(|| format!("cannot make {ROOT}"))?;
        let lock = File::options()
            .create(true)
            .truncate(false)
            .write(true)
            .open(root.join("lock"))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let by = read_record(&root).map_or_else(String::new, |record| format!(" (pid {})", record.pid));
                bail!("another lab runs on this machine{by}; end it first");
            }
            Err(TryLockError::Error(error)) => return Err(error).context("cannot lock the lab"),
        }
        if let Some(record) = read_record(&root) {
            say(&format!(
                "A lab was killed here before (pid {}); removing what it left.",
                record.pid
            ));
            remove(&record).context("cannot remove what a killed lab left")?;
        }
        let run = Self {
            root,
            record: Record {
                pid: std::process::id(),
                namespaces,
                processes: Vec::new(),
            },
            _lock: lock,
        };
        run.write()?;
        Ok(run)
    }

    /// A folder of this run for sockets and state, removed with it.
    #[must_use]
    pub fn work(&self) -> PathBuf {
        self.root.join("work")
    }

    /// Remembers a process.
    ///
    /// # Errors
    /// If the record cannot be written.
    pub fn note(&mut self, name: &str, pid: u32) -> Result<()> {
        if let Some(start) = start_time(pid) {
            self.record.processes.push(Made {
                name: name.to_owned(),
                pid,
                start,
            });
            self.write()?;
        }
        Ok(())
    }

    fn write(&self) -> Result<()> {
        let path = self.root.join("record.json");
        std::fs::write(&path, serde_json::to_string(&self.record)?)
            .with_context(|| format!("cannot write {}", path.display()))
    }

    /// Removes the run's folder and record; the lab has removed everything else.
    ///
    /// # Errors
    /// If they cannot be removed.
    pub fn finish(self) -> Result<()> {
        clear(&self.root)
    }
}

fn read_record(root: &Path) -> Option<Record> {
    serde_json::from_str(&std::fs::read_to_string(root.join("record.json")).ok()?).ok()
}

fn clear(root: &Path) -> Result<()> {
    let work = root.join("work");
    if work.exists() {
        std::fs::remove_dir_all(&work).with_context(|| format!("cannot remove {}", work.display()))?;
    }
    let record = root.join("record.json");
    if record.exists() {
        std::fs::remove_file(&record).with_context(|| format!("cannot remove {}", record.display()))?;
    }
    Ok(())
}

fn remove(record: &Record) -> Result<()> {
    for made in &record.processes {
        if start_time(made.pid) == Some(made.start) {
            say(&format!("  ending {} (pid {})", made.name, made.pid));
            kill(Pid::from_raw(i32::try_from(made.pid)?), Signal::SIGKILL)?;
        }
    }
    remove_mgmt_link()?;
    mesh::remove_netns(&record.namespaces)?;
    clear(Path::new(ROOT))
}

/// Removes the pair that reaches the collector's namespace, if it is there.
///
/// # Errors
/// If `ip` refuses.
pub fn remove_mgmt_link() -> Result<()> {
    if Path::new("/sys/class/net").join(MGMT_LINK).exists() {
        exec::run("ip", &["link", "del", MGMT_LINK])?;
    }
    Ok(())
}

/// When a process started, from /proc; `None` if there is none.
fn start_time(pid: u32) -> Option<u64> {
    let mut text = String::new();
    File::open(format!("/proc/{pid}/stat"))
        .ok()?
        .read_to_string(&mut text)
        .ok()?;
    parse_start_time(&text)
}

/// Field 22 of proc_pid_stat(5); the name before it, in parentheses, may hold anything.
fn parse_start_time(stat: &str) -> Option<u64> {
    stat.rsplit_once(')')?.1.split_whitespace().nth(19)?.parse().ok()
}
