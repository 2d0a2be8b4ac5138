//! What is shipped for Kubernetes and Docker, checked without a cluster and without Docker.
//!
//! `deploy/k8s` is rendered by a real kustomize and checked against Kubernetes' own schemas; what schemas do not know
//! (that the parts fit each other, the daemons and the systemd units) is checked here. Nothing of it has run on a
//! cluster: see `docs/kubernetes.md`.
//!
//! `cargo xtask test` brings the tools. Where they are missing the tests say so and pass, except where `CI=true`.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stderr,
    reason = "a helper that fails is a test that fails; a test that is skipped says so"
)]

use std::path::{Path, PathBuf};

mod docker;
mod fits;
mod kubernetes;
mod network;
mod pods;
mod rendered;

/// A file or folder of the repository.
fn repository(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(path)
}

fn read(path: &str) -> String {
    let file = repository(path);
    std::fs::read_to_string(&file).unwrap_or_else(|error| panic!("{}: {error}", file.display()))
}

/// Says that a test is skipped; where all must run, fails instead.
fn skip(reason: &str) {
    assert!(
        std::env::var_os("CI").is_none_or(|ci| ci != "true"),
        "required in CI: {reason}"
    );
    eprintln!("SKIPPED: {reason}");
}
