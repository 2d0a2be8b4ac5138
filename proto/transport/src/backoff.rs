//! How long to wait before the next attempt: exponential with full jitter, so that a thousand agents that lost the
//! same collector do not come back in the same moment.

use std::time::Duration;

use rand::{Rng as _, RngCore};

/// Waits are drawn from zero to `base · 2ⁿ`, at most `cap`. Reset it when the peer has done real work, not when a
/// connection stands: one that accepts and drops would be called in a tight loop.
#[derive(Debug, Clone)]
pub struct Backoff {
    base: Duration,
    cap: Duration,
    failures: u32,
}

impl Backoff {
    /// `base`: longest first wait; `cap`: longest of all.
    pub fn new(base: Duration, cap: Duration) -> Self {
        Self { base, cap, failures: 0 }
    }

    /// The wait after one more failure.
    pub fn next(&mut self, rng: &mut dyn RngCore) -> Duration {
        let ceiling = self.ceiling();
        self.failures = self.failures.saturating_add(1);
        ceiling.mul_f64(rng.random_range(0.0..=1.0))
    }

    /// Attempts have succeeded: begin anew.
    pub fn reset(&mut self) {
        self.failures = 0;
    }

    /// Longest wait that [`Self::next`] can answer now.
    pub fn ceiling(&self) -> Duration {
        let factor = 2_u32.checked_pow(self.failures).unwrap_or(u32::MAX);
        self.base.saturating_mul(factor).min(self.cap)
    }
}

#[cfg(test)]
mod tests;
