//! What the outside of a session tells its inside, and back: JSON files in the run folder, which both can see.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

/// The run folder's file with the [`Job`].
pub(crate) const JOB: &str = "job.json";
/// Appears when the lab is up: [`Ready`].
pub(crate) const READY: &str = "ready.json";
/// Appears at the end, with the exit status.
pub(crate) const EXIT: &str = "exit";
/// Made by the outside: the inside is to take everything down and leave.
pub(crate) const STOP: &str = "stop";
/// A folder: requests `N.json` by the outside, replies `N.reply` by the inside.
pub(crate) const REQUESTS: &str = "requests";
/// A folder: a log file per process.
pub(crate) const LOGS: &str = "logs";

/// What the inside is to do.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Job {
    /// Whether this is a VM of the session's own, to be set up first.
    pub(crate) vm: bool,
    /// The folder with the built binaries.
    pub(crate) bin: PathBuf,
    /// What to run there.
    pub(crate) task: Task,
}

/// The kinds of sessions.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Task {
    /// A lab.
    Lab(LabTask),
    /// Test binaries, one after the other.
    Tests(TestsTask),
}

/// See [`Task::Lab`].
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct LabTask {
    pub(crate) topology: PathBuf,
    /// TOML laid over the agents' configuration.
    pub(crate) config: Option<PathBuf>,
    /// Run once the lab is up, then leave; if empty, stay and serve requests until told to stop.
    pub(crate) command: Vec<String>,
    pub(crate) certs: PathBuf,
    pub(crate) metrics_port: u16,
    pub(crate) grpc_port: u16,
}

/// See [`Task::Tests`].
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct TestsTask {
    /// Name and file of each binary.
    pub(crate) binaries: Vec<(String, PathBuf)>,
    /// Only tests whose name contains this.
    pub(crate) filter: Option<String>,
    /// Variables that name the tools tests use.
    pub(crate) tools: Vec<(String, PathBuf)>,
}

/// What a test binary came to.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Suite {
    pub(crate) name: String,
    pub(crate) passed: u64,
    pub(crate) failed: u64,
}

/// The lab is up.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Ready {
    /// Whether there are daemons to talk to.
    pub(crate) daemons: bool,
}

/// A wish of the outside while the lab is up.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Request {
    /// Make a link lose this share of frames in each direction.
    Loss { a: String, b: String, loss: f64 },
}

/// What came of a request.
pub(crate) type Reply = std::result::Result<(), String>;

/// Writes a file so that a reader sees all of it or nothing.
pub(crate) fn write<T: Serialize>(path: &Path, value: &T) -> Result<()> {
    let partial = path.with_extension("partial");
    std::fs::write(&partial, serde_json::to_vec(value)?)
        .and_then(|()| std::fs::rename(&partial, path))
        .with_context(|| format!("cannot write {}", path.display()))
}

/// Reads such a file.
pub(crate) fn read<T: DeserializeOwned>(path: &Path) -> Result<T> {
    let bytes = std::fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
    serde_json::from_slice(&bytes).with_context(|| format!("{} is damaged", path.display()))
}
