//! Which refusals have been logged already: a peer that tries every second is one line, not 86,400.

use std::collections::HashMap;
use std::net::IpAddr;
use std::time::{Duration, Instant};

use super::sources::source_of;
use crate::handshake::HandshakeResult;

/// Quiet for this long, it is news again.
const FORGOTTEN_AFTER: Duration = Duration::from_secs(3_600);
/// Sources and reasons remembered; beyond it the one longest quiet goes.
const REMEMBERED: usize = 1_024;

pub(super) struct Refusals {
    /// When it happened last.
    last: HashMap<(IpAddr, HandshakeResult), Instant>,
}

impl Refusals {
    pub(super) fn new() -> Self {
        Self { last: HashMap::new() }
    }

    /// Notes a refusal; true if it is worth a line.
    pub(super) fn is_news(&mut self, address: IpAddr, result: HandshakeResult, now: Instant) -> bool {
        let key = (source_of(address), result);
        if let Some(last) = self.last.get_mut(&key) {
            let quiet = now.saturating_duration_since(*last);
            *last = now;
            return quiet >= FORGOTTEN_AFTER;
        }
        if self.last.len() >= REMEMBERED {
            let oldest = self.last.iter().min_by_key(|(_, last)| **last).map(|(key, _)| *key);
            if let Some(oldest) = oldest {
                self.last.remove(&oldest);
            }
        }
        self.last.insert(key, now);
        true
    }

    /// The source has been let in: its next refusal is news.
    pub(super) fn forget(&mut self, address: IpAddr) {
        let source = source_of(address);
        self.last.retain(|(known, _), _| *known != source);
    }
}

#[cfg(test)]
mod tests;
