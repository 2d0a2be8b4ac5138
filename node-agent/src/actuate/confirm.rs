//! When an unconfirmed change is undone. Pure; `now` is CLOCK_BOOTTIME, and no wall clock is asked: many routers have none.
//!
//! ```text
//! apply --confirm-within ─► pending ──confirm──► nothing
//!                              │ lapsed, its maker died, the machine was started anew
//!                              ▼
//!                           rejected ──the way back is gone──► rejected, reached ──another wish, or apply──► nothing
//! ```
//!
//! The ledger says *pending* before the first write and *rejected* before the first write of the way back, so death at any
//! point leaves an entry that says what is left to do; going the way back twice is the same as once.
//!
//! In the boot of the change the way back is what the change changed. In a later boot the kernel knows nothing of the
//! mesh any more, neither as it was nor as it was changed, and a configuration that cut the node off would do it again:
//! so the mesh is brought up as it was before the change, members and settings, from the ledger. The time since the change
//! is not known then, so it counts as lapsed.
//!
//! A rejected wish is not fulfilled again: `run` keeps the mesh as it was before (where the policy is to enforce) until
//! the configuration says something else, or somebody says `apply`.

use std::time::Duration;

use super::ledger::Pending;

/// What is to be done about a change that is not confirmed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Due {
    /// Nothing until this instant.
    Wait(Duration),
    /// It is undone now.
    Undo(Because),
}

/// Why a change is undone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Because {
    /// Nobody confirmed it.
    Lapsed,
    /// Who made it died in the middle.
    Unfinished,
    /// The machine was started anew, so its time cannot be told.
    Restarted,
    /// Whoever made it says so.
    GivenUp,
}

/// Judges a change found in the ledger by who holds it. Not for who is making it at this moment.
pub fn due(pending: &Pending, now: Duration, boot_id: &str) -> Due {
    let (since, deadline) = (
        Duration::from_nanos(pending.since_ns),
        Duration::from_nanos(pending.deadline_ns),
    );
    // A clock that is behind the change's beginning is another boot's, too, where nobody says which boot it is.
    if pending.boot_id != boot_id || now < since {
        Due::Undo(Because::Restarted)
    } else if pending.in_flight {
        Due::Undo(Because::Unfinished)
    } else if now >= deadline {
        Due::Undo(Because::Lapsed)
    } else {
        Due::Wait(deadline)
    }
}

impl Because {
    /// In words.
    pub fn text(self) -> &'static str {
        match self {
            Self::Lapsed => "nobody confirmed it in time",
            Self::Unfinished => "it was not finished: whoever made it was ended",
            Self::GivenUp => "it was given up",
            Self::Restarted => "the machine was started anew before it was confirmed",
        }
    }
}

#[cfg(test)]
mod tests;
