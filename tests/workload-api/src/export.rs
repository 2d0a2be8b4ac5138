//! SVIDs as PEM files, for tools that read no Workload API (grpcurl, openssl).

use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use anyhow::Context as _;

use crate::authority::Svid;

/// Writes `PREFIX.pem` and `PREFIX.key`.
pub(crate) fn svid(prefix: &Path, svid: &Svid) -> anyhow::Result<()> {
    // The key first: a reader that finds a certificate finds its key.
    file(&with_suffix(prefix, ".key"), &svid.key_pem, 0o600)?;
    file(&with_suffix(prefix, ".pem"), &svid.certificate_pem, 0o644)
}

/// Replaces `path` in one step, so that no reader sees half a file.
pub(crate) fn file(path: &Path, text: &str, mode: u32) -> anyhow::Result<()> {
    let write = || -> std::io::Result<()> {
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder)?;
        }
        let new = with_suffix(path, ".new");
        // A leftover of a killed run may have another mode.
        match std::fs::remove_file(&new) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let mut file = std::fs::OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(mode)
            .open(&new)?;
        file.write_all(text.as_bytes())?;
        std::fs::rename(&new, path)
    };
    write().with_context(|| format!("{} could not be written", path.display()))
}

fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}
