//! The command: what it writes, when it says `ready`, what it leaves behind.
#![expect(clippy::unwrap_used, reason = "a helper that fails is a test that fails")]

use std::io::{BufRead as _, BufReader};
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

fn command(folder: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_mesh-devca"));
    command
        .args(["--trust-domain", "mesh.test", "--socket-dir"])
        .arg(folder)
        .args(arguments)
        .stdout(Stdio::piped());
    command
}

/// Runs it until it has said `ready`.
fn ready(folder: &Path, arguments: &[&str]) -> Child {
    let mut child = command(folder, arguments).spawn().unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.as_mut().unwrap())
        .read_line(&mut line)
        .unwrap();
    assert_eq!(line, "ready\n");
    child
}

/// SIGTERM, by the tool everybody has; returns the exit status.
fn terminate(child: &mut Child) -> std::process::ExitStatus {
    let killed = Command::new("kill").arg(child.id().to_string()).status().unwrap();
    assert!(killed.success());
    child.wait().unwrap()
}

fn mode(path: &Path) -> u32 {
    std::fs::metadata(path).unwrap().permissions().mode() & 0o777
}

#[test]
fn ready_means_that_sockets_accept_and_files_are_there_and_sigterm_takes_the_sockets_along() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let export = format!("operator/lab={}", at("certs/operator").display());
    let bundle = at("certs/bundle.pem");
    let mut child = ready(
        folder.path(),
        &[
            "--identity",
            "node/gate",
            "--identity",
            "collector,dns=localhost,dns=collector.mesh.test",
            "--identity",
            "operator/lab",
            "--ttl",
            "1h",
            "--export",
            &export,
            "--bundle",
            bundle.to_str().unwrap(),
        ],
    );
    let sockets = ["node-gate.sock", "collector.sock", "operator-lab.sock"].map(at);
    for socket in &sockets {
        UnixStream::connect(socket).unwrap();
    }
    let pem = |path: &Path| std::fs::read_to_string(path).unwrap();
    assert!(pem(&at("certs/operator.pem")).contains("BEGIN CERTIFICATE"));
    assert!(pem(&at("certs/operator.key")).contains("BEGIN PRIVATE KEY"));
    assert!(pem(&bundle).contains("BEGIN CERTIFICATE"));
    assert_eq!(mode(&at("certs/operator.key")), 0o600);
    assert!(terminate(&mut child).success());
    assert!(sockets.iter().all(|socket| !socket.exists()));
}

#[test]
fn an_exported_certificate_is_renewed_in_its_file() {
    let folder = tempfile::tempdir().unwrap();
    let prefix = folder.path().join("operator");
    let export = format!("operator/lab={}", prefix.display());
    let arguments = ["--identity", "operator/lab", "--ttl", "2s", "--export", &export];
    let mut child = ready(folder.path(), &arguments);
    let certificate = || std::fs::read(prefix.with_extension("pem")).unwrap();
    let first = certificate();
    // A plain file tells nobody that it has changed: its readers look again and again, too.
    let (_never, pause) = std::sync::mpsc::channel::<()>();
    let renewed = (0..400).any(|_| {
        pause.recv_timeout(Duration::from_millis(50)).ok();
        certificate() != first
    });
    assert!(renewed);
    terminate(&mut child);
}

#[test]
fn sockets_of_a_run_that_was_killed_are_replaced() {
    let folder = tempfile::tempdir().unwrap();
    let mut first = ready(folder.path(), &["--identity", "node/gate"]);
    first.kill().unwrap();
    first.wait().unwrap();
    assert!(folder.path().join("node-gate.sock").exists());
    let mut second = ready(folder.path(), &["--identity", "node/gate"]);
    UnixStream::connect(folder.path().join("node-gate.sock")).unwrap();
    terminate(&mut second);
}

#[test]
fn wrong_use_is_told_apart_from_failure() {
    let folder = tempfile::tempdir().unwrap();
    let code = |arguments: &[&str]| {
        let output = command(folder.path(), arguments)
            .stderr(Stdio::piped())
            .output()
            .unwrap();
        assert!(!output.stderr.is_empty());
        output.status.code()
    };
    assert_eq!(code(&[]), Some(2));
    assert_eq!(code(&["--identity", "node//a"]), Some(2));
    assert_eq!(code(&["--identity", "node/a", "--ttl", "soon"]), Some(2));
    assert_eq!(code(&["--identity", "node/a", "--identity", "node/a"]), Some(1));
    assert_eq!(code(&["--identity", "node/a", "--export", "node/b=x"]), Some(1));
}
