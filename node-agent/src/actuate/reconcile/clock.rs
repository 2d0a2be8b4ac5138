//! The time and the boot it is of. Tests have their own.

use std::time::Duration;

use crate::collect::host;

/// CLOCK_BOOTTIME and the boot's id.
#[derive(Debug, Clone)]
pub struct Clock {
    /// Tells one boot from another; empty where nobody says.
    pub boot_id: String,
    /// Since the boot, sleep included.
    pub boottime: fn() -> Duration,
}

impl Clock {
    /// This machine's.
    pub fn of_this_machine() -> Self {
        Self {
            boot_id: host::boot_id(),
            boottime: || Duration::from_nanos(host::boottime_ns()),
        }
    }

    /// Now.
    pub fn now(&self) -> Duration {
        (self.boottime)()
    }
}

/// For records and the ledger.
pub(super) fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}
