//! The agent's Unix socket: whoever may open it gets the agent's [`Status`] as one JSON document, and the end.
//!
//! Nothing is read from it, so nothing can be asked for that costs more than that. Only the agent's own user may open it.

use std::io::{ErrorKind, Read as _};
use std::os::unix::fs::{FileTypeExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::io::AsyncWriteExt as _;
use tokio::net::UnixListener;

use crate::status::Status;

/// For a reader to take the answer; they are served one after the other.
const PATIENCE: Duration = Duration::from_secs(2);

/// Why the socket cannot be offered, or the agent not be asked.
#[derive(Debug, thiserror::Error)]
pub enum ControlError {
    /// Another agent answers there.
    #[error("another agent answers at {}: stop it, or set control.socket to another path", .0.display())]
    InUse(PathBuf),
    /// The file system says no.
    #[error("the socket {} cannot be made: check that its folder can be written", .path.display())]
    Make {
        /// Where.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// Nobody there.
    #[error("no agent answers at {}: is it running, and may this user ask it?", .path.display())]
    Ask {
        /// Where.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// It is not ours to take away.
    #[error("{} is there and is no socket: remove it, or set control.socket to another path", .0.display())]
    NotASocket(PathBuf),
    /// An answer of another release.
    #[error("the agent's answer is not understood: node-agent and the running agent differ in release")]
    Answer(#[source] serde_json::Error),
}

/// The bound socket; its file goes with it.
#[derive(Debug)]
pub struct Control {
    listener: UnixListener,
    path: PathBuf,
}

impl Control {
    /// Makes the socket; takes the place of one that nobody answers at.
    ///
    /// # Errors
    /// [`ControlError::InUse`], [`ControlError::Make`].
    pub fn bind(path: &Path) -> Result<Self, ControlError> {
        let make = |source| ControlError::Make {
            path: path.to_owned(),
            source,
        };
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder).map_err(make)?;
        }
        match std::os::unix::net::UnixStream::connect(path) {
            Ok(_) => return Err(ControlError::InUse(path.to_owned())),
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            // An agent that was killed left it behind.
            Err(error) if error.kind() == ErrorKind::ConnectionRefused => {
                if !std::fs::symlink_metadata(path).map_err(make)?.file_type().is_socket() {
                    return Err(ControlError::NotASocket(path.to_owned()));
                }
                std::fs::remove_file(path).map_err(make)?;
            }
            Err(error) => return Err(make(error)),
        }
        let listener = UnixListener::bind(path).map_err(make)?;
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600)).map_err(make)?;
        Ok(Self {
            listener,
            path: path.to_owned(),
        })
    }

    /// Answers until the task is dropped.
    pub async fn serve(self, status: impl Fn() -> Status) {
        loop {
            let answer = match self.listener.accept().await {
                Ok((mut stream, _)) => {
                    // A status is plain data: it always serialises.
                    let json = serde_json::to_vec(&status()).unwrap_or_default();
                    tokio::time::timeout(PATIENCE, async move { stream.write_all(&json).await }).await
                }
                // No file descriptors, most likely: they come back, and trying at once would burn the processor.
                Err(error) => {
                    tokio::time::sleep(PATIENCE).await;
                    Ok(Err(error))
                }
            };
            if let Ok(Err(error)) = answer {
                tracing::debug!(%error, "nobody got the status");
            }
        }
    }
}

impl Drop for Control {
    fn drop(&mut self) {
        if let Err(error) = std::fs::remove_file(&self.path) {
            tracing::debug!(%error, "the control socket was gone already");
        }
    }
}

impl ControlError {
    /// No agent runs here, which is more than not having got its answer.
    pub fn is_absence(&self) -> bool {
        let absent = |kind| matches!(kind, ErrorKind::NotFound | ErrorKind::ConnectionRefused);
        matches!(self, Self::Ask { source, .. } if absent(source.kind()))
    }
}

/// Asks the agent that runs.
///
/// # Errors
/// [`ControlError::Ask`], [`ControlError::Answer`].
pub fn ask(path: &Path) -> Result<Status, ControlError> {
    let fail = |source| ControlError::Ask {
        path: path.to_owned(),
        source,
    };
    let mut stream = std::os::unix::net::UnixStream::connect(path).map_err(fail)?;
    stream.set_read_timeout(Some(PATIENCE)).map_err(fail)?;
    let mut json = Vec::new();
    stream.read_to_end(&mut json).map_err(fail)?;
    serde_json::from_slice(&json).map_err(ControlError::Answer)
}
