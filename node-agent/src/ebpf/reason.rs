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
    if matches!(code, Some(libc::EPERM | libc::EACCES)) {
        text.push_str(
            " (eBPF needs CAP_BPF, CAP_PERFMON and CAP_NET_ADMIN, and before kernel 5.11 LimitMEMLOCK=infinity)",
        );
    }
    text
}
