//! Where things are in the checkout. Everything xtask brings goes below `target/`.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result};

/// The checkout's folders.
#[derive(Debug, Clone)]
pub(crate) struct Paths {
    /// The workspace's root.
    pub(crate) root: PathBuf,
}

impl Paths {
    /// From what cargo says, or from where this was built.
    pub(crate) fn find() -> Result<Self> {
        let manifest = std::env::var_os("CARGO_MANIFEST_DIR").unwrap_or_else(|| env!("CARGO_MANIFEST_DIR").into());
        let root = Path::new(&manifest)
            .parent()
            .context("xtask's folder has no parent")?
            .to_path_buf();
        Ok(Self { root })
    }

    /// cargo's folder, and ours.
    pub(crate) fn target(&self) -> PathBuf {
        self.root.join("target")
    }

    /// The built daemons.
    pub(crate) fn bin(&self) -> PathBuf {
        self.target().join("debug")
    }

    /// Tools that are not installed on the machine.
    pub(crate) fn tools(&self) -> PathBuf {
        self.target().join("tools")
    }
}

/// A program on the PATH, or where root's programs are.
pub(crate) fn program(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let system = ["/usr/local/sbin", "/usr/sbin", "/sbin"].map(PathBuf::from);
    std::env::split_paths(&path)
        .chain(system)
        .map(|folder| folder.join(name))
        .find(|file| file.is_file())
}

/// cargo, as from a shell.
///
/// `cargo run` tells what it runs about xtask's own package in variables that build scripts of others (ring's) look
/// at: handed on, they would have these crates built again each time `cargo xtask` and `cargo` take turns.
pub(crate) fn cargo() -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    for (name, _) in std::env::vars_os() {
        let text = name.to_string_lossy();
        if text.starts_with("CARGO_PKG_") || text.starts_with("CARGO_MANIFEST_") {
            command.env_remove(&name);
        }
    }
    command
}

/// Makes an empty folder of this name: what was in it is removed, except entries named in `keep`.
pub(crate) fn fresh(folder: &Path, keep: &[&str]) -> Result<()> {
    std::fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        if keep.iter().any(|name| entry.file_name() == *name) {
            continue;
        }
        let removed = match entry.file_type()?.is_dir() {
            true => std::fs::remove_dir_all(entry.path()),
            false => std::fs::remove_file(entry.path()),
        };
        removed.with_context(|| format!("cannot remove {}", entry.path().display()))?;
    }
    Ok(())
}
