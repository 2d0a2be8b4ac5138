//! Ctrl-C, SIGTERM, or a stop file: the run is to take everything down and leave.
//!
//! Nothing is torn down here; every wait of the lab looks at [`requested`] and ends with [`Interrupted`], and
//! teardown follows from the values dropped on the way out.

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};

use anyhow::{Context as _, Result};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};

static FLAG: OnceLock<Arc<AtomicBool>> = OnceLock::new();
static STOP_FILE: OnceLock<PathBuf> = OnceLock::new();

/// The error of a run that was asked to end.
#[derive(Debug, thiserror::Error)]
#[error("interrupted")]
pub struct Interrupted;

/// From now on SIGINT, SIGTERM and SIGHUP ask for the end instead of ending the process. Once per process.
///
/// # Errors
/// If the handlers cannot be installed.
pub fn install() -> Result<()> {
    let flag = FLAG.get_or_init(Arc::default);
    for signal in [SIGINT, SIGTERM, SIGHUP] {
        signal_hook::flag::register(signal, Arc::clone(flag)).context("cannot handle signals")?;
    }
    Ok(())
}

/// Also the existence of `file` asks for the end: how a host reaches the lab in its VM.
pub fn also_when_exists(file: PathBuf) {
    // The first one stays; there is one per process.
    let _second = STOP_FILE.set(file);
}

/// Whether the run was asked to end.
#[must_use]
pub fn requested() -> bool {
    FLAG.get().is_some_and(|flag| flag.load(Ordering::Relaxed)) || STOP_FILE.get().is_some_and(|file| file.exists())
}
