//! Runs a tool to its end and takes its output; a failure names the command, its status and what it said.

use std::ffi::OsStr;
use std::io::Write as _;
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, bail};

/// Runs `program` and returns its stdout.
///
/// # Errors
/// If it cannot be started, or exits with another status than 0.
pub fn run<S: AsRef<OsStr>>(program: &str, args: &[S]) -> Result<String> {
    run_with_input(program, args, "")
}

/// Runs `program` with `input` on its stdin and returns its stdout.
///
/// # Errors
/// If it cannot be started, or exits with another status than 0.
pub fn run_with_input<S: AsRef<OsStr>>(program: &str, args: &[S], input: &str) -> Result<String> {
    let mut command = Command::new(program);
    command.args(args).stdout(Stdio::piped()).stderr(Stdio::piped());
    command.stdin(if input.is_empty() {
        Stdio::null()
    } else {
        Stdio::piped()
    });
    let shown = format!("{command:?}").replace('"', "");
    let mut child = command
        .spawn()
        .with_context(|| format!("cannot start `{shown}`; is it installed?"))?;
    if let Some(mut stdin) = child.stdin.take() {
        // A tool that stops at a bad line closes its stdin early; its status and stderr tell why.
        let _early = stdin.write_all(input.as_bytes());
    }
    let output = child
        .wait_with_output()
        .with_context(|| format!("cannot wait for `{shown}`"))?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        let said = if said.trim().is_empty() {
            String::from_utf8_lossy(&output.stdout)
        } else {
            said
        };
        bail!("`{shown}` failed ({}): {}", output.status, said.trim());
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// Arguments for `nsenter` that run `program` in the network namespace of `node`.
///
/// Not `ip netns exec`: that would mount another /sys over the one with tracefs in it.
#[must_use]
pub fn in_netns(node: &str, program: &str) -> Vec<String> {
    vec![format!("--net=/run/netns/{node}"), "--".to_owned(), program.to_owned()]
}

/// Runs `batctl` in the network namespace of `node` and returns its stdout.
///
/// # Errors
/// As [`run`].
pub fn batctl<S: AsRef<str>>(node: &str, args: &[S]) -> Result<String> {
    let mut all = in_netns(node, "batctl");
    all.extend(args.iter().map(|arg| arg.as_ref().to_owned()));
    run("nsenter", &all)
}
