//! The live lane of one connection: which report is next, and against what.

use std::sync::Arc;

use mesh_proto::model::{Clock, Delta, Snapshot};

use super::LIVE_WINDOW;
use super::message::Message;

/// Invariant: `acknowledged < next`.
#[derive(Debug)]
pub(super) struct Live {
    /// Number of the next report; the first is 1.
    next: u64,
    /// Number of the newest report that arrived, or that nobody waits for any more.
    acknowledged: u64,
    /// What the collector knows once all that was sent has arrived; `None`: nothing to rely on.
    sent: Option<Arc<Snapshot>>,
    /// There is a view that has not been reported.
    news: bool,
}

impl Live {
    pub(super) fn new() -> Self {
        Self {
            next: 1,
            acknowledged: 0,
            sent: None,
            news: true,
        }
    }

    /// The application has published a view.
    pub(super) fn news(&mut self) {
        self.news = true;
    }

    /// The collector cannot use deltas against what was sent.
    pub(super) fn begin_again(&mut self) {
        self.sent = None;
        self.news = true;
        // Reports under way were dropped, and are not acknowledged.
        self.acknowledged = self.next - 1;
    }

    pub(super) fn acknowledged(&mut self, sequence: u64) {
        self.acknowledged = self.acknowledged.max(sequence.min(self.next - 1));
    }

    pub(super) fn awaits_ack(&self) -> bool {
        self.under_way() > 0
    }

    /// The report that may go out now, of the newest view.
    pub(super) fn next(&mut self, latest: &Arc<Snapshot>, clock: Clock) -> Option<Message> {
        if !self.news || self.under_way() >= LIVE_WINDOW {
            return None;
        }
        self.news = false;
        let sequence = self.next;
        self.next += 1;
        let before = self.sent.replace(Arc::clone(latest));
        Some(match before.and_then(|before| Delta::diff(&before, latest)) {
            Some(delta) => Message::Delta { sequence, clock, delta },
            None => Message::FullSync {
                sequence,
                clock,
                snapshot: Arc::clone(latest),
            },
        })
    }

    fn under_way(&self) -> u64 {
        self.next - 1 - self.acknowledged
    }
}
