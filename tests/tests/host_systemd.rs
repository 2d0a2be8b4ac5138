//! The units as shipped, judged by systemd's own tools: they are valid, hardened as promised, and their users and
//! folders can be made. Nothing is started here: `vm_systemd` does that.
//!
//! Where a tool is missing the test says so and passes, except where `CI=true`: there it fails.
#![expect(
    clippy::unwrap_used,
    clippy::print_stderr,
    reason = "a helper that fails is a test that fails; a test that is skipped says so"
)]

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

use node_agent::privilege;

/// `systemd-analyze` of systemd 250 and later; older ones know no `--offline`.
fn tool(name: &str) -> Option<Command> {
    let found = Command::new(name).arg("--version").output();
    let reason = match found {
        Ok(output) if output.status.success() => return Some(Command::new(name)),
        Ok(output) => String::from_utf8_lossy(&output.stderr).into_owned(),
        Err(error) => error.to_string(),
    };
    assert!(
        std::env::var_os("CI").is_none_or(|ci| ci != "true"),
        "{name} is required in CI: {reason}"
    );
    eprintln!("SKIPPED: no {name}: {reason}");
    None
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../systemd")
}

fn unit(name: &str) -> String {
    std::fs::read_to_string(folder().join(name)).unwrap()
}

/// All values of a key, words of several lines one after the other.
fn words(unit: &str, key: &str) -> Vec<String> {
    let lines = unit
        .lines()
        .filter_map(|line| line.strip_prefix(key)?.strip_prefix('='));
    lines.flat_map(str::split_whitespace).map(str::to_owned).collect()
}

#[track_caller]
fn run(command: &mut Command) -> String {
    let output = command.output().unwrap();
    let said = format!(
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    assert!(output.status.success(), "{command:?}: {said}");
    said
}

/// Tenths, as systemd shows them.
fn exposure(name: &str) -> Option<u32> {
    let mut analyze = tool("systemd-analyze")?;
    let said = run(analyze
        .args(["security", "--offline=true", "--no-pager"])
        .arg(folder().join(name)));
    let overall = said
        .lines()
        .find(|line| line.contains("Overall exposure level"))
        .unwrap();
    let figure = overall.split(": ").nth(1).unwrap().split(' ').next().unwrap();
    let (whole, tenth) = figure.split_once('.').unwrap();
    Some(whole.parse::<u32>().unwrap() * 10 + tenth.parse::<u32>().unwrap())
}

#[test]
fn host_the_agent_is_exposed_by_four_at_most() {
    let Some(exposure) = exposure("node-agent.service") else {
        return;
    };
    assert!(exposure <= 40, "{exposure} tenths");
}

#[test]
fn host_the_collector_is_exposed_by_two_at_most() {
    let Some(exposure) = exposure("collector.service") else {
        return;
    };
    assert!(exposure <= 20, "{exposure} tenths");
}

/// In a root of its own with stubs for the two programs, so that nothing of this machine is looked at.
#[test]
fn host_systemd_finds_nothing_wrong_in_the_units() {
    let Some(mut analyze) = tool("systemd-analyze") else {
        return;
    };
    let root = tempfile::tempdir().unwrap();
    let (bin, units) = (root.path().join("usr/bin"), root.path().join("units"));
    std::fs::create_dir_all(&bin).unwrap();
    std::fs::create_dir_all(&units).unwrap();
    let mut files = Vec::new();
    for daemon in ["node-agent", "collector"] {
        let stub = bin.join(daemon);
        std::fs::write(&stub, "#!/bin/sh\n").unwrap();
        std::fs::set_permissions(&stub, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
        let text = unit(&format!("{daemon}.service")).replace("/usr/bin/", &format!("{}/", bin.display()));
        let file = units.join(format!("{daemon}.service"));
        std::fs::write(&file, text).unwrap();
        files.push(file);
    }
    let said = run(analyze
        .args(["verify", "--man=no", "--recursive-errors=no"])
        .args(&files));
    // It warns of what it does not know, and succeeds.
    assert_eq!(said.trim(), "");
}

#[test]
fn host_the_agent_s_unit_gives_the_capabilities_it_keeps_and_no_other() {
    let unit = unit("node-agent.service");
    // Of kernels that know all three; on others systemd leaves out what the kernel does not know.
    let kept: BTreeSet<String> = privilege::needed(None)
        .into_iter()
        .flatten()
        .map(|kept| kept.to_string())
        .collect();
    for key in ["AmbientCapabilities", "CapabilityBoundingSet"] {
        let given: BTreeSet<String> = words(&unit, key).into_iter().collect();
        assert_eq!(given, kept, "{key}");
    }
    assert_eq!(words(&unit, "User"), ["echolot-agent"]);
}

#[test]
fn host_the_collector_s_unit_gives_no_capability() {
    let unit = unit("collector.service");
    assert!(unit.contains("\nCapabilityBoundingSet=\n") && unit.contains("\nAmbientCapabilities=\n"));
    assert_eq!(words(&unit, "User"), ["echolot"]);
}

#[test]
fn host_both_daemons_are_watched_and_start_before_the_network_is_online() {
    for name in ["node-agent.service", "collector.service"] {
        let unit = unit(name);
        assert_eq!(words(&unit, "Type"), ["notify"], "{name}");
        assert!(!words(&unit, "WatchdogSec").is_empty(), "{name}");
        assert_eq!(words(&unit, "Restart"), ["on-failure"], "{name}");
        for key in ["Requires", "Wants", "BindsTo", "Requisite"] {
            assert!(words(&unit, key).is_empty(), "{name}: {key}");
        }
        assert!(
            !words(&unit, "After").contains(&"network-online.target".to_owned()),
            "{name}"
        );
    }
}

#[test]
fn host_the_users_of_the_units_are_made_by_sysusers() {
    let Some(mut sysusers) = tool("systemd-sysusers") else {
        return;
    };
    let root = tempfile::tempdir().unwrap();
    std::fs::create_dir(root.path().join("etc")).unwrap();
    run(sysusers
        .arg(format!("--root={}", root.path().display()))
        .arg(folder().join("sysusers.d/echolot.conf")));
    let read = |name: &str| std::fs::read_to_string(root.path().join("etc").join(name)).unwrap();
    let (users, groups) = (read("passwd"), read("group"));
    for name in ["node-agent.service", "collector.service"] {
        let user = words(&unit(name), "User").remove(0);
        assert!(
            users.lines().any(|line| line.starts_with(&format!("{user}:"))),
            "{users}"
        );
        let run = groups.lines().find(|line| line.starts_with("echolot-run:")).unwrap();
        assert!(
            run.rsplit(':').next().unwrap().split(',').any(|member| member == user),
            "{run}"
        );
    }
}

#[test]
fn host_the_folder_of_the_sockets_is_made_by_tmpfiles_and_shared_safely() {
    use std::os::unix::fs::PermissionsExt as _;

    let Some(mut tmpfiles) = tool("systemd-tmpfiles") else {
        return;
    };
    let root = tempfile::tempdir().unwrap();
    std::fs::create_dir(root.path().join("etc")).unwrap();
    if let Some(mut sysusers) = tool("systemd-sysusers") {
        run(sysusers
            .arg(format!("--root={}", root.path().display()))
            .arg(folder().join("sysusers.d/echolot.conf")));
    }
    if !nix::unistd::geteuid().is_root() {
        eprintln!("SKIPPED: only root can give a folder to a group");
        return;
    }
    run(tmpfiles
        .args(["--create", &format!("--root={}", root.path().display())])
        .arg(folder().join("tmpfiles.d/echolot.conf")));
    let made = std::fs::metadata(root.path().join("run/echolot")).unwrap();
    // Sticky: who may write there may not take away what is another's.
    assert_eq!(made.permissions().mode() & 0o7777, 0o1775);
    for name in ["node-agent.service", "collector.service"] {
        assert_eq!(words(&unit(name), "ReadWritePaths"), ["-/run/echolot"], "{name}");
    }
}
