//! Signs of life for systemd (`WatchdogSec=`), given only while the daemon is known to live.
//!
//! Who knows that is the daemon's business: it asks itself every [`Watchdog::every`] and says here what it found. A daemon that
//! hangs says nothing, and is restarted.

use std::time::Duration;

/// What systemd waits for.
#[derive(Debug)]
pub struct Watchdog {
    every: Duration,
    well: bool,
}

impl Watchdog {
    /// Only where systemd asked this process for signs of life (`WATCHDOG_USEC`).
    pub fn asked_for() -> Option<Self> {
        sd_notify::watchdog_enabled().map(Self::within)
    }

    fn within(limit: Duration) -> Self {
        Self {
            every: limit / 2,
            well: true,
        }
    }

    /// Half the time systemd waits: one late sign is no death.
    pub fn every(&self) -> Duration {
        self.every
    }

    /// Gives a sign of life, or says once why none is given: `found` is what the daemon found when it looked at itself.
    pub fn sign(&mut self, found: Result<(), &str>) {
        match found {
            Ok(()) => {
                if !self.well {
                    tracing::info!("the daemon is well again");
                }
                crate::notify(&[sd_notify::NotifyState::Watchdog]);
            }
            Err(reason) if self.well => {
                tracing::error!(
                    reason,
                    "the daemon hangs: systemd gets no sign of life and will restart it"
                );
            }
            Err(_) => {}
        }
        self.well = found.is_ok();
    }
}

#[cfg(test)]
mod tests;
