//! The running kernel: reads everything there is to know, sets one knob at a time.
//!
//! A thin shell around `assemble` and `settings`, which are pure. The only place of the product that changes links,
//! batman-adv or radios. Nothing is judged here: whether a change is wanted, allowed or came true is the planner's and
//! [`super::apply`]'s question. What kernels can do is found by asking, never by their version.
//!
//! Each answer is waited for some seconds and no longer. A socket that failed or was slow is dropped, and the next read
//! or write opens another, in the network namespace of the thread it runs on.

mod assemble;
mod create;
mod events;
mod look;
mod settings;
mod write;

use std::collections::BTreeMap;
use std::future::Future;
use std::io;
use std::path::PathBuf;
use std::time::Duration;

use mesh_proto::model::IfName;

use super::{Kernel, Knob, Observed, ReadError, Value, WriteError};
use crate::netlink::batadv::{self, BatadvHandle};
use crate::netlink::link::{self, LinkHandle};
use crate::netlink::nl80211::{self, RadioHandle};
use look::{Look, Missed};

pub use events::{Change, Events};

/// No kernel is this slow.
const ANSWER_WITHIN: Duration = Duration::from_secs(5);
/// Joining a network takes several answers, and some drivers their time.
const RADIO_WITHIN: Duration = Duration::from_secs(20);
/// How often everything is read anew when interfaces come and go meanwhile.
const ATTEMPTS: u32 = 4;

/// The kernel of this machine, in one network namespace.
#[derive(Debug, Default)]
pub struct Linux {
    sockets: Option<Sockets>,
    remember: Option<PathBuf>,
    said: Said,
}

/// What could not be read the last time, and was told.
#[derive(Debug, Default)]
struct Said {
    no_radios: Option<String>,
    unread: BTreeMap<IfName, String>,
}

/// Opened together; the connections' tasks end with the handles.
#[derive(Debug, Clone)]
struct Sockets {
    batadv: BatadvHandle,
    link: LinkHandle,
    radio: RadioHandle,
}

impl Linux {
    /// Opens nothing yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Keeps the names of the wireless meshes joined in this folder: the kernel does not tell them, and without the
    /// folder they are forgotten with this value.
    #[must_use]
    pub fn remembering_in(self, folder: PathBuf) -> Self {
        Self {
            remember: Some(folder),
            ..self
        }
    }

    fn sockets(&mut self) -> io::Result<Sockets> {
        if let Some(sockets) = &self.sockets {
            return Ok(sockets.clone());
        }
        let sockets = Sockets::open(self.remember.clone())?;
        Ok(self.sockets.insert(sockets).clone())
    }
}

impl Sockets {
    fn open(remember: Option<PathBuf>) -> io::Result<Self> {
        let (connection, batadv) = batadv::new_connection()?;
        tokio::spawn(connection);
        let (connection, link) = link::new_connection()?;
        tokio::spawn(connection);
        let (connection, radio) = nl80211::new_connection()?;
        tokio::spawn(connection);
        Ok(Self {
            batadv,
            link,
            radio: match remember {
                Some(folder) => radio.remembering_in(folder),
                None => radio,
            },
        })
    }
}

impl Kernel for Linux {
    async fn read(&mut self) -> Result<Observed, ReadError> {
        let sockets = self.sockets().map_err(|error| ReadError::Socket(error.to_string()))?;
        for attempt in 1..=ATTEMPTS {
            match look::look(&sockets, attempt == ATTEMPTS).await {
                Ok(look) => {
                    if look.reopen {
                        self.sockets = None;
                    }
                    self.said.tell(&look);
                    return Ok(assemble::observed(&look));
                }
                Err(Missed::Moved) => {}
                Err(Missed::Failed(error)) => {
                    if matches!(error, ReadError::Socket(_) | ReadError::TimedOut(_)) {
                        self.sockets = None;
                    }
                    return Err(error);
                }
            }
        }
        Err(ReadError::Refused(
            "interfaces come and go faster than they can be read".to_owned(),
        ))
    }

    async fn write(&mut self, knob: &Knob, value: Option<&Value>, now: &Observed) -> Result<(), WriteError> {
        let sockets = self.sockets().map_err(|error| WriteError::Refused(error.to_string()))?;
        let written = write::write(&sockets, knob, value, now).await;
        written.map_err(|failure| {
            if failure.is_of_the_socket() {
                self.sockets = None;
            }
            failure.into()
        })
    }
}

impl Said {
    fn tell(&mut self, look: &Look) {
        match (&self.no_radios, &look.no_radios) {
            (None, Some(reason)) => tracing::warn!(reason, "the radios cannot be read; the rest is managed without"),
            (Some(_), None) => tracing::info!("the radios can be read again"),
            _ => {}
        }
        for (mesh, reason) in &look.unread {
            if !self.unread.contains_key(mesh) {
                tracing::warn!(%mesh, reason, "the mesh interface cannot be read; nothing is done to it");
            }
        }
        for mesh in self.unread.keys().filter(|mesh| !look.unread.contains_key(mesh)) {
            tracing::info!(%mesh, "the mesh interface can be read again, or is gone");
        }
        self.no_radios.clone_from(&look.no_radios);
        self.unread.clone_from(&look.unread);
    }
}

/// Waits no longer than that; the error is the seconds it was waited.
async fn in_time<T>(limit: Duration, asked: impl Future<Output = T>) -> Result<T, u64> {
    tokio::time::timeout(limit, asked).await.map_err(|_| limit.as_secs())
}
