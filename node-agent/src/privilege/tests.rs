use std::collections::BTreeMap;
use std::process::Command;

use super::*;

/// Set in the process of [`child`]; what it drops is dropped there.
const CHILD: &str = "ECHOLOT_PRIVILEGE_TEST";

#[test]
fn what_the_kernel_knows_decides_what_is_kept() {
    let new = [Capability::CAP_NET_ADMIN, Capability::CAP_BPF, Capability::CAP_PERFMON];
    assert_eq!(needed(Some(40)), new.map(Some));
    assert_eq!(needed(None), new.map(Some));
    let old = [Some(Capability::CAP_NET_ADMIN), Some(Capability::CAP_SYS_ADMIN), None];
    assert_eq!(needed(Some(37)), old);
}

#[test]
fn a_user_that_is_not_there_is_named() {
    let error = find("no-such-user-here").expect_err("must be refused");
    assert!(error.to_string().contains("\"no-such-user-here\""), "{error}");
}

/// Not a test of its own: the tests below run it in a process of its own.
#[test]
fn child() {
    let Ok(folder) = std::env::var(CHILD) else {
        return;
    };
    let mut config = Config::default();
    config.state.directory = Path::new(&folder).join("state");
    config.control.socket = Path::new(&folder).join("run/agent.sock");
    config.privilege.user = std::env::var("ECHOLOT_USER").ok();
    drop(&config).unwrap();
    std::fs::write(config.state.directory.join("mine"), "").unwrap();
    std::fs::write(Path::new(&folder).join("run/mine"), "").unwrap();
    print!("{}", std::fs::read_to_string("/proc/thread-self/status").unwrap());
    assert!(caps::raise(None, CapSet::Effective, Capability::CAP_SYS_PTRACE).is_err());
    assert!(user_is_root() || setresuid(Uid::from_raw(0), Uid::from_raw(0), Uid::from_raw(0)).is_err());
}

fn user_is_root() -> bool {
    geteuid().is_root()
}

/// The lines of `/proc/PID/status` of a process that gave up its privileges.
fn status_of_child(user: Option<&str>, folder: &Path) -> Option<BTreeMap<String, String>> {
    if !geteuid().is_root() {
        eprintln!("SKIPPED: only root has privileges to give up");
        return None;
    }
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", "privilege::tests::child", "--nocapture", "--test-threads=1"]);
    command.env(CHILD, folder).env_remove("ECHOLOT_USER");
    if let Some(user) = user {
        command.env("ECHOLOT_USER", user);
    }
    let output = command.output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(
        output.status.success(),
        "{text}{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let lines = text.lines().filter_map(|line| line.split_once(":\t"));
    Some(
        lines
            .map(|(key, value)| (key.to_owned(), value.split_whitespace().collect::<Vec<_>>().join(" ")))
            .collect(),
    )
}

/// A folder that others may enter.
fn folder() -> tempfile::TempDir {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = tempfile::tempdir().unwrap();
    std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
    folder
}

fn kept_mask() -> String {
    let permitted = caps::read(None, CapSet::Permitted).unwrap();
    let kept = needed(last_capability()).into_iter().flatten();
    let mask = kept
        .filter(|kept| permitted.contains(kept))
        .fold(0, |mask, kept| mask | kept.bitmask());
    format!("{mask:016x}")
}

#[track_caller]
fn keeps_only_what_is_needed(status: &BTreeMap<String, String>) {
    let (kept, none) = (kept_mask(), "0000000000000000".to_owned());
    for (set, expected) in [
        ("CapEff", &kept),
        ("CapPrm", &kept),
        ("CapInh", &none),
        ("CapAmb", &none),
        ("CapBnd", &none),
    ] {
        assert_eq!(&status[set], expected, "{set}");
    }
    assert_eq!(status["NoNewPrivs"], "1");
}

#[test]
fn root_keeps_three_capabilities_and_no_other() {
    let folder = folder();
    let Some(status) = status_of_child(None, folder.path()) else {
        return;
    };
    keeps_only_what_is_needed(&status);
    assert_eq!(status["Uid"], "0 0 0 0");
}

#[test]
fn root_becomes_the_user_who_keeps_them_and_owns_the_folders() {
    let folder = folder();
    let state = folder.path().join("state");
    std::fs::create_dir(&state).unwrap();
    std::fs::write(state.join("ledger"), "").unwrap();
    std::fs::write(folder.path().join("other"), "").unwrap();
    std::fs::hard_link(folder.path().join("other"), state.join("link")).unwrap();
    std::os::unix::fs::symlink(folder.path().join("other"), state.join("symlink")).unwrap();
    let Some(status) = status_of_child(Some("nobody"), folder.path()) else {
        return;
    };
    let nobody = User::from_name("nobody").unwrap().unwrap();
    keeps_only_what_is_needed(&status);
    let four = |id: u32| format!("{id} {id} {id} {id}");
    assert_eq!(status["Uid"], four(nobody.uid.as_raw()));
    assert_eq!(status["Gid"], four(nobody.gid.as_raw()));
    assert_eq!(status["Groups"], "");
    assert_eq!(state.join("ledger").metadata().unwrap().uid(), nobody.uid.as_raw());
    assert_eq!(folder.path().join("other").metadata().unwrap().uid(), 0);
}
