//! The collector's only look at the clocks: everything else is told the time.

use std::time::{Instant, SystemTime};

use crate::topology::Moment;

/// Both clocks, now.
#[expect(
    clippy::disallowed_methods,
    reason = "the one place where the collector reads clocks"
)]
pub fn now() -> Moment {
    Moment {
        instant: Instant::now(),
        wall: SystemTime::now(),
    }
}
