//! The agent's Unix socket: one line of JSON in, one JSON document out, and the end.
//!
//! Who says nothing gets the agent's [`Status`]. What is read is bounded in length and time, and so is how many are
//! answered at once. Only root and the agent's own user may open it, so whoever can ask may ask for everything.
//!
//! What changes the mesh goes to the one task that writes, through a channel; whether the asker is still there when it
//! is done does not matter to it, since the asker may come over the mesh that is changed.

mod protocol;

use std::io::{ErrorKind, Read as _, Write as _};
use std::os::unix::fs::{FileTypeExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use serde::de::DeserializeOwned;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::{Semaphore, mpsc, oneshot};
use tokio::task::JoinSet;

pub use protocol::{Answer, Code, Request, Written};

use crate::status::Status;

/// For a reader to take the answer.
const PATIENCE: Duration = Duration::from_secs(2);
/// For a writer to say what it wants; who has not begun until then wants the status.
const TO_BEGIN: Duration = Duration::from_millis(500);
/// A configuration and a little more.
const MOST_BYTES: usize = 256 * 1024;
/// Who comes later waits.
const AT_ONCE: usize = 8;

/// What is asked of the task that writes, and where its answer goes.
pub type Asked = (Request, oneshot::Sender<Answer>);

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
    pub async fn serve(self, status: impl Fn() -> Status + Send + Sync + 'static, asked: mpsc::Sender<Asked>) {
        let status = Arc::new(status);
        let free = Arc::new(Semaphore::new(AT_ONCE));
        let mut answering = JoinSet::new();
        loop {
            while answering.try_join_next().is_some() {}
            let Ok(place) = Arc::clone(&free).acquire_owned().await else {
                return;
            };
            match self.listener.accept().await {
                Ok((stream, _)) => {
                    let (status, asked) = (Arc::clone(&status), asked.clone());
                    answering.spawn(async move {
                        if let Err(error) = answer(stream, || status(), &asked).await {
                            tracing::debug!(%error, "nobody got the answer");
                        }
                        drop(place);
                    });
                }
                // No file descriptors, most likely: they come back, and trying at once would burn the processor.
                Err(error) => {
                    tracing::debug!(%error, "nobody can ask for now");
                    tokio::time::sleep(PATIENCE).await;
                }
            }
        }
    }
}

async fn answer(
    mut stream: UnixStream,
    status: impl Fn() -> Status,
    asked: &mpsc::Sender<Asked>,
) -> std::io::Result<()> {
    // Answers are plain data: they always serialise.
    let json = |answer: Answer| serde_json::to_vec(&answer).unwrap_or_default();
    let bytes = match said(&mut stream).await? {
        Ok(Request::Status) => serde_json::to_vec(&status()).unwrap_or_default(),
        Ok(request) => json(ask_the_writer(request, asked).await),
        Err(why) => json(Answer::failed(format!("{why}\n"))),
    };
    tokio::time::timeout(PATIENCE, stream.write_all(&bytes))
        .await
        .map_err(|_| ErrorKind::TimedOut)?
}

async fn ask_the_writer(request: Request, asked: &mpsc::Sender<Asked>) -> Answer {
    let (to, answer) = oneshot::channel();
    let gone = || Answer::failed("the agent stops: ask again when it runs\n".to_owned());
    // Full: others have asked and wait.
    match asked.send((request, to)).await {
        Ok(()) => answer.await.unwrap_or_else(|_| gone()),
        Err(_) => gone(),
    }
}

/// What is asked, or why it is not understood.
async fn said(stream: &mut UnixStream) -> std::io::Result<Result<Request, String>> {
    let mut line = Vec::new();
    let begun = tokio::time::timeout(TO_BEGIN, stream.read_buf(&mut line)).await;
    if !matches!(begun, Ok(Ok(1..))) {
        return begun.map_or(Ok(Ok(Request::Status)), |begun| begun.map(|_| Ok(Request::Status)));
    }
    let rest = tokio::time::timeout(PATIENCE, async {
        while !line.contains(&b'\n') && line.len() <= MOST_BYTES {
            if stream.read_buf(&mut line).await? == 0 {
                break;
            }
        }
        std::io::Result::Ok(())
    });
    rest.await.map_err(|_| ErrorKind::TimedOut)??;
    if line.len() > MOST_BYTES {
        return Ok(Err(format!(
            "more than {MOST_BYTES} bytes were asked: shorten the configuration"
        )));
    }
    let line = line.split(|byte| *byte == b'\n').next().unwrap_or_default();
    Ok(serde_json::from_slice(line)
        .map_err(|error| format!("not understood, node-agent and the running agent may differ in release: {error}")))
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

/// Asks the agent that runs how it is.
///
/// # Errors
/// [`ControlError::Ask`], [`ControlError::Answer`].
pub fn ask(path: &Path) -> Result<Status, ControlError> {
    asked(path, &Request::Status)
}

/// Asks the agent that runs for something else.
///
/// # Errors
/// [`ControlError::Ask`], [`ControlError::Answer`].
pub fn request(path: &Path, request: &Request) -> Result<Answer, ControlError> {
    asked(path, request)
}

fn asked<T: DeserializeOwned>(path: &Path, request: &Request) -> Result<T, ControlError> {
    let fail = |source| ControlError::Ask {
        path: path.to_owned(),
        source,
    };
    let mut stream = std::os::unix::net::UnixStream::connect(path).map_err(fail)?;
    stream.set_read_timeout(Some(request.patience())).map_err(fail)?;
    stream.set_write_timeout(Some(PATIENCE)).map_err(fail)?;
    // Plain data: it always serialises.
    let mut line = serde_json::to_vec(request).unwrap_or_default();
    line.push(b'\n');
    stream.write_all(&line).map_err(fail)?;
    let mut json = Vec::new();
    stream.read_to_end(&mut json).map_err(fail)?;
    serde_json::from_slice(&json).map_err(ControlError::Answer)
}

#[cfg(test)]
mod tests;
