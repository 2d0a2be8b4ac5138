//! That something changed: links and settings of batman-adv, whoever changed them.
//!
//! An event says that it is worth to read again, not what is there; our own writes are heard too. Nothing is queued
//! here: what comes faster than it is taken waits in the kernel, and what does not fit there is [`Change::Unknown`].

use std::io;
use std::time::Duration;

use crate::netlink::batadv::{ConfigEvent, ConfigEvents};
use crate::netlink::link::{LinkEvent, LinkEvents};

/// Between attempts to listen again.
const PAUSE: Duration = Duration::from_secs(1);

/// What is worth to be read again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// A link came, went or changed; mesh interfaces are links.
    Links,
    /// A setting of batman-adv, or the module was loaded or unloaded.
    Config,
    /// Events were lost: anything may have changed.
    Unknown {
        /// Why.
        reason: String,
    },
}

/// Hears changes in one network namespace. Needs no privilege.
#[derive(Debug)]
pub struct Events {
    /// `None` after a fault, until they are opened again.
    sources: Option<Sources>,
}

#[derive(Debug)]
struct Sources {
    links: LinkEvents,
    config: ConfigEvents,
}

impl Events {
    /// What changes after this returns is heard, in the network namespace of this thread. Loads no module; one that is
    /// loaded later, or again, is heard from then on. Needs a tokio runtime with I/O and time.
    ///
    /// # Errors
    /// The kernel gives no socket.
    pub fn open() -> io::Result<Self> {
        Ok(Self {
            sources: Some(Sources::open()?),
        })
    }

    /// The next change. Cancel-safe. Never fails: a socket that does is opened again, for as long as that takes.
    pub async fn next(&mut self) -> Change {
        let Some(sources) = &mut self.sources else {
            self.sources = Some(Sources::again().await);
            return unknown("nothing was heard for a while");
        };
        let heard = tokio::select! {
            link = sources.links.next() => link.map(of_link),
            config = sources.config.next() => config.map(of_config),
        };
        heard.unwrap_or_else(|error| {
            tracing::warn!(%error, "changes in the kernel are not heard");
            self.sources = None;
            unknown(&error.to_string())
        })
    }
}

impl Sources {
    fn open() -> io::Result<Self> {
        Ok(Self {
            links: LinkEvents::open()?,
            config: ConfigEvents::open()?,
        })
    }

    async fn again() -> Self {
        loop {
            if let Ok(sources) = Self::open() {
                tracing::info!("changes in the kernel are heard again");
                return sources;
            }
            tokio::time::sleep(PAUSE).await;
        }
    }
}

fn of_link(event: LinkEvent) -> Change {
    match event {
        LinkEvent::Changed { .. } | LinkEvent::Gone { .. } => Change::Links,
        LinkEvent::Lost => unknown("more links changed than could be heard"),
    }
}

fn of_config(event: ConfigEvent) -> Change {
    match event {
        ConfigEvent::Lost => unknown("more settings changed than could be heard"),
        ConfigEvent::Mesh { .. }
        | ConfigEvent::HardInterface { .. }
        | ConfigEvent::Vlan { .. }
        | ConfigEvent::Loaded
        | ConfigEvent::Unloaded => Change::Config,
    }
}

fn unknown(reason: &str) -> Change {
    Change::Unknown {
        reason: reason.to_owned(),
    }
}

#[cfg(test)]
mod tests;
