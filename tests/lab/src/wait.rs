//! Waiting for a state, with a limit, and saying what is waited for.
//!
//! The lab never sleeps for a guessed time: the only pause is the one between two looks at a state.

use std::io::Write as _;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};

use crate::interrupt;

/// Between two looks at a state.
const PAUSE: Duration = Duration::from_millis(150);
/// Between two lines that say what is still waited for.
const REMIND: Duration = Duration::from_secs(10);

/// What a look at a state found.
#[derive(Debug)]
pub enum Look<T> {
    /// It is there.
    Ready(T),
    /// Not yet; how far it is, for people.
    Pending(String),
}

/// Writes a line of progress to stderr.
pub fn say(line: &str) {
    // Nobody can be told that stderr is gone.
    let _lost = writeln!(std::io::stderr(), "{line}");
}

/// The monotonic clock, for durations that people are shown and for limits.
#[must_use]
#[expect(
    clippy::disallowed_methods,
    reason = "the lab's one look at the clock; everything timed comes through here"
)]
pub fn now() -> Instant {
    Instant::now()
}

/// Pauses between two looks at a state. Only for loops that look at one.
#[expect(
    clippy::disallowed_methods,
    reason = "the one pause between two looks at a state; no event tells of it"
)]
pub fn pause() {
    std::thread::sleep(PAUSE);
}

/// Looks again and again until the state is there.
///
/// # Errors
/// What `look` returns at once; after `limit`, or when the run is interrupted, an error that names `what` and
/// how far it got.
pub fn until<T>(what: &str, limit: Duration, mut look: impl FnMut() -> Result<Look<T>>) -> Result<T> {
    let start = now();
    let mut reminded = start;
    loop {
        let far = match look()? {
            Look::Ready(value) => return Ok(value),
            Look::Pending(far) => far,
        };
        if interrupt::requested() {
            bail!(interrupt::Interrupted);
        }
        if start.elapsed() > limit {
            bail!("{what}: not within {} s; last seen: {far}", limit.as_secs());
        }
        if reminded.elapsed() > REMIND {
            reminded = now();
            say(&format!(
                "    still waiting: {what} ({far}; {} of {} s)",
                start.elapsed().as_secs(),
                limit.as_secs()
            ));
        }
        pause();
    }
}
