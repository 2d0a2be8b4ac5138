//! Licences, banned crates and sources, by cargo-deny.
//!
//! Advisories are left out: their database is fetched from a host that a closed network does not reach. Whoever
//! reaches it runs `cargo deny check advisories`.

use std::path::PathBuf;
use std::process::Command;

use anyhow::Result;

use crate::paths::{Paths, program};
use crate::report::say;

/// Pinned, so that its configuration's meaning is.
const VERSION: &str = "0.20.2";

/// The check, installing cargo-deny into `target/tools` where there is none (a minute or two on two cores).
pub(crate) fn command(paths: &Paths) -> Result<Command> {
    let mut command = Command::new(installed(paths)?);
    command
        .args([
            "--workspace",
            "--log-level",
            "error",
            "check",
            "licenses",
            "bans",
            "sources",
        ])
        .current_dir(&paths.root);
    Ok(command)
}

fn installed(paths: &Paths) -> Result<PathBuf> {
    let own = paths.tools().join("bin/cargo-deny");
    if let Some(found) = program("cargo-deny").or_else(|| own.exists().then(|| own.clone())) {
        return Ok(found);
    }
    say(&format!(
        "  installing cargo-deny {VERSION} into target/tools (checks licences and sources)"
    ));
    // Unoptimised: it runs for a second, and building it is what takes time.
    let mut cargo = crate::paths::cargo();
    cargo
        .args([
            "install",
            "cargo-deny",
            "--locked",
            "--debug",
            "--no-default-features",
            "--quiet",
            "--version",
            VERSION,
        ])
        .arg("--root")
        .arg(paths.tools())
        .current_dir(&paths.root);
    crate::test::check(&mut cargo)?;
    Ok(own)
}
