//! How long something has been silent, coarse enough that a steady mesh has nothing to report.

use serde::{Deserialize, Serialize};

/// Time since the last OGM or ELP of a neighbor or originator: 0 below 2 s, then rounded down to 2, 4, 8 … seconds.
///
/// The kernel's milliseconds change with every dump; sent as they are, every entry of every table would travel in every
/// report. What matters (silent for a few originator intervals, near the purge at 200 s) survives the rounding.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
pub struct LastSeen(u32);

impl LastSeen {
    /// Rounds the kernel's `BATADV_ATTR_LAST_SEEN_MSECS`.
    pub fn from_millis(millis: u32) -> Self {
        let seconds = millis / 1000;
        Self(if seconds < 2 { 0 } else { (1 << seconds.ilog2()) * 1000 })
    }

    /// Milliseconds, at most the true value and more than half of it (or below 2 s).
    pub fn as_millis(self) -> u32 {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn rounding_keeps_more_than_half(millis: u32) {
            let seen = LastSeen::from_millis(millis).as_millis();
            prop_assert!(seen <= millis);
            prop_assert!(millis < 2000 || seen > millis / 2 - 1000);
            prop_assert_eq!(LastSeen::from_millis(seen).as_millis(), seen);
        }
    }
}
