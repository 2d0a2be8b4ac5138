//! Facts of the machine that are not the mesh's.

use std::fs;
use std::path::Path;

use nix::time::{ClockId, clock_gettime};

/// CLOCK_BOOTTIME, nanoseconds: goes on while the machine sleeps and is never set.
pub fn boottime_ns() -> u64 {
    clock_gettime(ClockId::CLOCK_BOOTTIME).map_or(0, |time| {
        let seconds = u64::try_from(time.tv_sec()).unwrap_or(0);
        let nanos = u64::try_from(time.tv_nsec()).unwrap_or(0);
        seconds.saturating_mul(1_000_000_000).saturating_add(nanos)
    })
}

/// Tells one boot from another; empty where `/proc` does not say.
pub fn boot_id() -> String {
    fs::read_to_string("/proc/sys/kernel/random/boot_id")
        .map(|id| id.trim().to_owned())
        .unwrap_or_default()
}

/// The module batman_adv is loaded or built in.
pub fn module_loaded() -> bool {
    Path::new("/sys/module/batman_adv").exists()
}

/// Release of the module batman_adv; `None`: it is not loaded.
pub fn module_version() -> Option<String> {
    let version = fs::read_to_string("/sys/module/batman_adv/version").ok()?;
    Some(version.trim().to_owned())
}
