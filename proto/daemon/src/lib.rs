//! What both daemons do alike around their work: read a configuration, log, tell systemd, exit.
//!
//! No mesh, no network, no async in here.

pub mod config;
pub mod duration;
pub mod exit;
pub mod log;
pub mod watchdog;

pub use config::ConfigError;
pub use duration::Span;
pub use exit::Exit;
pub use watchdog::Watchdog;

/// Tells systemd, where it waits for it (`Type=notify`), that the daemon is up. Elsewhere does nothing.
pub fn notify_ready() {
    notify(&[sd_notify::NotifyState::Ready]);
}

/// Tells systemd that the configuration is read again; [`notify_ready`] says that it is done.
pub fn notify_reloading() {
    let reloading = sd_notify::NotifyState::Reloading;
    match sd_notify::NotifyState::monotonic_usec_now() {
        // `Type=notify-reload` (systemd 253) wants to know which reload is meant.
        Ok(now) => notify(&[reloading, now]),
        Err(_) => notify(&[reloading]),
    }
}

/// Tells systemd that the daemon is going down.
pub fn notify_stopping() {
    notify(&[sd_notify::NotifyState::Stopping]);
}

fn notify(state: &[sd_notify::NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(state) {
        tracing::warn!(%error, "systemd could not be told the daemon's state");
    }
}
