//! The commands that plan and change the mesh. Where an agent runs they are asked of it, so that only one writes; where
//! none does they are done here, under the ledger's lock.
//!
//! Exit codes: 0 done, nothing differs; 1 failed, or not all could be done; 3 `plan` found differences; 78 the
//! configuration is bad.

use std::collections::BTreeSet;
use std::io::Write as _;
use std::path::Path;
use std::time::Duration;

use mesh_daemon::{ConfigError, Span};
use mesh_proto::model::IfName;
use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::actuate::Kernel;
use crate::actuate::adopt;
use crate::actuate::ledger;
use crate::actuate::linux::Linux;
use crate::actuate::reconcile::{Clock, How, Manager, Wishes};
use crate::config::{Config, InvalidConfig};
use crate::control::{self, Answer, Request, Written};

/// Between two looks at whether somebody confirmed.
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// A configuration, and its text for the agent that runs.
#[derive(Debug, Clone)]
pub struct Read {
    config: Config,
    written: Written,
}

impl Read {
    /// Reads and checks it.
    ///
    /// # Errors
    /// [`InvalidConfig`]
    pub fn new(path: &Path) -> Result<Self, InvalidConfig> {
        let text = std::fs::read_to_string(path).map_err(|source| ConfigError::Read {
            path: path.to_owned(),
            source,
        })?;
        Ok(Self {
            config: Config::parse(path, &text)?,
            written: Written {
                path: std::path::absolute(path).unwrap_or_else(|_| path.to_owned()),
                text,
            },
        })
    }

    fn wishes(&self) -> Wishes {
        Wishes::new(&self.written.path, self.config.clone())
    }

    fn manager(&self) -> Manager<Linux> {
        let folder = self.config.state.directory.clone();
        let kernel = Linux::new().remembering_in(folder.clone());
        Manager::new(kernel, Clock::of_this_machine(), folder, self.wishes())
    }

    /// A manager that may write.
    fn writer(&self) -> Result<Manager<Linux>, Answer> {
        let mut manager = self.manager();
        match manager.take_ledger() {
            Ok(()) => Ok(manager),
            Err(error) => Err(Answer::failed(format!("node-agent: {}\n", chain(&error)))),
        }
    }

    /// The agent's answer; `None`: there is no agent.
    fn ask(&self, request: &Request) -> Option<Answer> {
        match control::request(&self.config.control.socket, request) {
            Ok(answer) => Some(answer),
            Err(error) if error.is_absence() => None,
            Err(error) => Some(Answer::failed(format!("node-agent: {}\n", chain(&error)))),
        }
    }
}

/// The difference between the configuration and the kernel. Changes nothing.
///
/// # Errors
/// No runtime.
pub fn plan(read: &Read) -> std::io::Result<Answer> {
    let config = read.written.clone();
    if let Some(answer) = read.ask(&Request::Plan { config }) {
        return Ok(answer);
    }
    let mut manager = read.manager();
    Ok(runtime()?.block_on(manager.plan(&read.wishes())))
}

/// Brings the kernel to the configuration. With a time to confirm and without an agent this waits until it is confirmed or
/// undone.
///
/// # Errors
/// No runtime.
pub fn apply(read: &Read, recreate: bool, confirm_within: Option<Span>) -> std::io::Result<Answer> {
    let confirm_within = confirm_within.map(|span| span.0);
    let request = Request::Apply {
        config: read.written.clone(),
        recreate,
        confirm_within_ms: confirm_within.map(|within| u64::try_from(within.as_millis()).unwrap_or(u64::MAX)),
    };
    if let Some(answer) = read.ask(&request) {
        return Ok(answer);
    }
    let how = How {
        recreate,
        confirm_within,
    };
    runtime()?.block_on(async {
        let mut manager = match read.writer() {
            Ok(manager) => manager,
            Err(answer) => return Ok(answer),
        };
        // From before the change on: it may take the terminal away.
        let mut signals = match how.confirm_within {
            Some(_) => Some(Signals::catch()?),
            None => None,
        };
        manager.go_back().await;
        let answer = manager.apply_wishes(read.wishes(), how).await;
        match (&mut signals, manager.waits()) {
            (Some(signals), true) => Ok(wait_for_confirmation(read, manager, signals, answer).await),
            _ => Ok(answer),
        }
    })
}

/// The last change stays.
///
/// # Errors
/// No runtime.
pub fn confirm(read: &Read) -> std::io::Result<Answer> {
    with_writer(read, &Request::Confirm)
}

/// Takes away what the agent made and sets back what it changed.
///
/// # Errors
/// No runtime.
pub fn teardown(read: &Read) -> std::io::Result<Answer> {
    with_writer(read, &Request::Teardown)
}

fn with_writer(read: &Read, request: &Request) -> std::io::Result<Answer> {
    if let Some(answer) = read.ask(request) {
        return Ok(answer);
    }
    runtime()?.block_on(async {
        Ok(match read.writer() {
            Ok(mut manager) => manager.answer(request.clone()).await,
            Err(answer) => answer,
        })
    })
}

/// The configuration of what the kernel has. It becomes `file`, where that is not there yet.
///
/// # Errors
/// No runtime.
pub fn adopt(file: Option<&Path>, meshes: &BTreeSet<IfName>) -> std::io::Result<Answer> {
    // What a radio joined is remembered there: the kernel does not say all of it.
    let known = file.and_then(|file| Config::load(file).ok());
    let mut kernel = match known {
        Some(config) => Linux::new().remembering_in(config.state.directory),
        None => Linux::new(),
    };
    let observed = runtime()?.block_on(kernel.read());
    let text = match observed {
        Ok(observed) => adopt::adopt(&observed, meshes).map_err(|error| chain(&error)),
        Err(error) => Err(error.to_string()),
    };
    let text = match text {
        Ok(text) => text,
        Err(why) => return Ok(Answer::failed(format!("node-agent: {why}\n"))),
    };
    let made = file.map(|file| std::fs::File::options().write(true).create_new(true).open(file));
    match made {
        Some(Ok(mut made)) => made.write_all(text.as_bytes())?,
        Some(Err(error)) if error.kind() != std::io::ErrorKind::AlreadyExists => return Err(error),
        _ => {}
    }
    Ok(Answer::done(text))
}

/// The lock is free meanwhile: `confirm` needs it, and an agent that starts takes the waiting over.
async fn wait_for_confirmation(
    read: &Read,
    mut manager: Manager<Linux>,
    signals: &mut Signals,
    answer: Answer,
) -> Answer {
    print(&answer.text);
    manager.release_ledger();
    let folder = &read.config.state.directory;
    let failed = |text: &str| Answer::failed(text.to_owned());
    loop {
        let told = tokio::select! {
            () = signals.told_to_stop() => true,
            () = tokio::time::sleep(LOOK_EVERY) => false,
        };
        let entries = ledger::read(folder);
        if entries.pending.is_none() {
            let undone = |mesh| entries.rejected.contains_key(mesh);
            return if read.config.mesh.keys().any(undone) {
                failed("undone\n")
            } else {
                Answer {
                    code: answer.code,
                    ..Answer::done("confirmed\n".to_owned())
                }
            };
        }
        // Busy: who holds it undoes it or confirms it.
        if (told || manager.is_due(&entries)) && manager.take_ledger().is_ok() {
            if told {
                manager.give_up();
            }
            manager.go_back().await;
            return failed(if manager.is_back() {
                "not confirmed, undone\n"
            } else {
                "not confirmed, and not all of it could be undone: see `node-agent plan`\n"
            });
        }
        if told {
            return failed("the running agent undoes it, unless it is confirmed\n");
        }
    }
}

/// Signals that end a command otherwise.
struct Signals {
    interrupt: Signal,
    terminate: Signal,
    /// Caught, so that a terminal that goes does not end the waiting.
    _hangup: Signal,
}

impl Signals {
    fn catch() -> std::io::Result<Self> {
        Ok(Self {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
            _hangup: signal(SignalKind::hangup())?,
        })
    }

    async fn told_to_stop(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }
}

/// A terminal that is gone is no reason to stop.
pub fn print(text: &str) {
    let mut out = std::io::stdout();
    if let Err(error) = out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        tracing::debug!(%error, "nobody reads what is printed");
    }
}

/// What came of it to standard output, what is wrong to standard error.
pub fn say(answer: &Answer) {
    print(&answer.text);
    if let Err(error) = std::io::stderr().write_all(answer.complaint.as_bytes()) {
        tracing::debug!(%error, "nobody reads what is said");
    }
}

fn runtime() -> std::io::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_current_thread().enable_all().build()
}

fn chain(error: &(dyn std::error::Error + 'static)) -> String {
    let causes = std::iter::successors(Some(error), |error| error.source());
    causes.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}
