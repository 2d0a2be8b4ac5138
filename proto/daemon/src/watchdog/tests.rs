use std::os::unix::net::UnixDatagram;
use std::process::Command;

use super::*;

/// Set in the process of [`child`].
const CHILD: &str = "ECHOLOT_WATCHDOG_TEST";

/// Not a test of its own: what it says to systemd is read by the tests below.
#[test]
fn child() {
    if std::env::var_os(CHILD).is_none() {
        return;
    }
    let mut watchdog = Watchdog::asked_for().unwrap();
    assert_eq!(watchdog.every(), Duration::from_secs(10));
    crate::notify_ready();
    watchdog.sign(Ok(()));
    watchdog.sign(Err("it hangs"));
    watchdog.sign(Err("it hangs"));
    crate::notify_reloading();
    crate::notify_ready();
    watchdog.sign(Ok(()));
    crate::notify_stopping();
}

#[test]
fn systemd_is_told_the_truth_and_in_order() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("notify");
    let socket = UnixDatagram::bind(&path).unwrap();
    let child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "watchdog::tests::child"])
        .env(CHILD, "1")
        .env("NOTIFY_SOCKET", &path)
        .env("WATCHDOG_USEC", "20000000")
        .env_remove("WATCHDOG_PID")
        .output()
        .unwrap();
    assert!(child.status.success(), "{}", String::from_utf8_lossy(&child.stdout));
    socket.set_nonblocking(true).unwrap();
    let mut room = [0; 256];
    let mut said = Vec::new();
    while let Ok(length) = socket.recv(&mut room) {
        said.push(String::from_utf8(room[..length].to_vec()).unwrap());
    }
    let reloading = said.remove(2);
    assert_eq!(
        said,
        ["READY=1\n", "WATCHDOG=1\n", "READY=1\n", "WATCHDOG=1\n", "STOPPING=1\n"]
    );
    let monotonic = reloading.strip_prefix("RELOADING=1\nMONOTONIC_USEC=").unwrap();
    assert!(monotonic.trim().parse::<u64>().unwrap() > 0, "{reloading}");
}

#[test]
fn a_process_nobody_watches_gives_no_signs() {
    if std::env::var_os("WATCHDOG_USEC").is_none() {
        assert!(Watchdog::asked_for().is_none());
    }
}
