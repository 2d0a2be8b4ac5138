//! What is asked over the agent's socket, and how it is answered.

use std::path::PathBuf;
use std::time::Duration;

use mesh_daemon::Exit;
use serde::{Deserialize, Serialize};

/// One line of JSON.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "ask", rename_all = "snake_case", deny_unknown_fields)]
pub enum Request {
    /// [`crate::status::Status`]; also the answer to whoever says nothing.
    Status,
    /// What `apply` would do.
    Plan {
        /// The configuration.
        config: Written,
    },
    /// Brings the mesh to a configuration.
    Apply {
        /// The configuration.
        config: Written,
        /// Mesh interfaces may be made anew.
        #[serde(default)]
        recreate: bool,
        /// Undone unless confirmed within.
        #[serde(default)]
        confirm_within_ms: Option<u64>,
    },
    /// The last change stays.
    Confirm,
    /// Takes away what the agent made.
    Teardown,
    /// Reads the mesh tables anew.
    Reload,
}

/// A configuration, as whoever asks has read it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Written {
    /// Where it is written, to name it in errors.
    pub path: PathBuf,
    /// What is written.
    pub text: String,
}

/// What came of it. All but a status is answered so.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Answer {
    /// For the asker's exit.
    pub code: Code,
    /// What came of it, with its line ends.
    pub text: String,
    /// Why it came to nothing, with its line end.
    #[serde(default)]
    pub complaint: String,
}

/// How it ended; the exit codes of the commands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Code {
    /// As asked.
    Done,
    /// Not, or not all of it.
    Failed,
    /// There are differences.
    Differs,
    /// The configuration is bad.
    Config,
}

// === impl Request ===

impl Request {
    /// How long to wait for its answer: a mesh interface that is made anew takes seconds on a slow router.
    pub fn patience(&self) -> Duration {
        match self {
            Self::Status => super::PATIENCE,
            _ => Duration::from_secs(120),
        }
    }
}

// === impl Answer ===

impl Answer {
    /// It is done.
    pub fn done(text: String) -> Self {
        Self {
            code: Code::Done,
            text,
            complaint: String::new(),
        }
    }

    /// It is not: why.
    pub fn failed(complaint: String) -> Self {
        Self {
            code: Code::Failed,
            text: String::new(),
            complaint,
        }
    }

    /// The configuration is bad.
    pub fn config(complaint: String) -> Self {
        Self {
            code: Code::Config,
            ..Self::failed(complaint)
        }
    }
}

// === impl Code ===

impl From<Code> for Exit {
    fn from(code: Code) -> Self {
        match code {
            Code::Done => Self::Done,
            Code::Failed => Self::Failed,
            Code::Differs => Self::Differs,
            Code::Config => Self::Config,
        }
    }
}
