//! Tables: what the kernel answers to a dump.

use std::marker::PhantomData;

use super::{BatadvAttr, BatadvCommand, BatadvError, BatadvHandle, BatadvMessage};

/// How often a table is asked for again when it changed while it was being sent.
const RETRIES: u32 = 3;

/// An entry of a table.
pub trait BatadvEntry: Sized {
    /// Asks for the table.
    const COMMAND: BatadvCommand;
    /// `None`: what makes it an entry is missing.
    fn from_attributes(attributes: Vec<BatadvAttr>) -> Option<Self>;
}

/// A table as the kernel gave it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dump<E> {
    /// In the kernel's order, which means nothing.
    pub entries: Vec<E>,
    /// The kernel said that the table changed while it was being sent, each time it was asked. Originators,
    /// neighbors and the global translation table can be torn without it saying so.
    pub torn: bool,
    /// Entries not understood.
    pub malformed: u32,
}

/// Asks for one table.
#[derive(Debug, Clone)]
pub struct TableHandle<E> {
    handle: BatadvHandle,
    entry: PhantomData<fn() -> E>,
}

impl<E> Default for Dump<E> {
    fn default() -> Self {
        Self {
            entries: Vec::new(),
            torn: false,
            malformed: 0,
        }
    }
}

impl<E: BatadvEntry> TableHandle<E> {
    pub(super) fn new(handle: BatadvHandle) -> Self {
        Self {
            handle,
            entry: PhantomData,
        }
    }

    /// The table of the mesh interface of that index. Asks again, three times at most, when the kernel says that the
    /// table changed meanwhile; the last answer is then given as torn.
    pub async fn dump(&self, mesh_ifindex: u32) -> Result<Dump<E>, BatadvError> {
        let mut retries = 0;
        loop {
            let request = BatadvMessage {
                command: E::COMMAND,
                attributes: vec![BatadvAttr::MeshIfindex(mesh_ifindex)],
            };
            let answer = self.handle.ask(request, true).await?;
            if answer.interrupted && retries < RETRIES {
                retries += 1;
                continue;
            }
            let asked = answer.messages.len();
            let entries: Vec<E> = answer
                .messages
                .into_iter()
                .filter_map(|message| E::from_attributes(message.attributes))
                .collect();
            let incomplete = u32::try_from(asked - entries.len()).unwrap_or(u32::MAX);
            return Ok(Dump {
                entries,
                torn: answer.interrupted,
                malformed: answer.malformed.saturating_add(incomplete),
            });
        }
    }
}
