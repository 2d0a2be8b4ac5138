//! Turns the kernel's refusals into sentences that say what is missing.

use std::{error::Error, io};

/// The error and its causes in one line, with what to do where the kernel's code tells.
pub(super) fn sentence(error: &(dyn Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut code = None;
    let mut cause: Option<&(dyn Error + 'static)> = Some(error);
    while let Some(current) = cause {
        if let Some(io) = current.downcast_ref::<io::Error>() {
            code = code.or_else(|| io.raw_os_error());
        }
        let words = current.to_string();
        if !text.contains(&words) {
            text.push_str(": ");
            text.push_str(&words);
        }
        cause = current.source();
    }
    if code == Some(libc::EACCES) && text.contains("perf_event_open") && perf_events_are_roots_alone() {
        text.push_str(
            " (kernel.perf_event_paranoid above 2, which Debian's kernels know, keeps it from all but CAP_SYS_ADMIN: set it to 2, \
             as systemd/sysctl.d/echolot.conf does)",
        );
    } else if matches!(code, Some(libc::EPERM | libc::EACCES)) {
        text.push_str(
            " (eBPF needs CAP_BPF, CAP_PERFMON and CAP_NET_ADMIN, and before kernel 5.11 LimitMEMLOCK=infinity)",
        );
    }
    text
}

/// Levels above 2 are of distributions' own kernels; upstream CAP_PERFMON is enough at any.
fn perf_events_are_roots_alone() -> bool {
    let level = std::fs::read_to_string("/proc/sys/kernel/perf_event_paranoid");
    level.is_ok_and(|level| level.trim().parse::<i32>().is_ok_and(|level| level > 2))
}
