//! Reading managers' files. One that is there and is not for us to read may own what we then take for ours: that is said,
//! once for each file.

use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

/// What was said already. The files are read with every look at the machine.
static SAID: Mutex<BTreeSet<PathBuf>> = Mutex::new(BTreeSet::new());

/// Text of a file; `None`: there is none that we can read.
pub(super) fn text(file: &Path) -> Option<String> {
    let bytes = known(file, std::fs::read(file))?;
    Some(String::from_utf8_lossy(&bytes).into_owned())
}

/// Paths in a folder; none where there is none that we can read.
pub(super) fn entries(folder: &Path) -> Vec<PathBuf> {
    let entries = known(folder, std::fs::read_dir(folder));
    entries
        .into_iter()
        .flatten()
        .flatten()
        .map(|entry| entry.path())
        .collect()
}

fn known<T>(path: &Path, read: io::Result<T>) -> Option<T> {
    match read {
        Ok(read) => Some(read),
        Err(error) => {
            if is_worth_saying(error.kind()) && is_first(path) {
                tracing::warn!(
                    file = %path.display(),
                    %error,
                    "a network manager's file cannot be read: what it owns is taken for nobody's. Let the agent's user read it"
                );
            }
            None
        }
    }
}

fn is_worth_saying(error: io::ErrorKind) -> bool {
    !matches!(error, io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
}

fn is_first(path: &Path) -> bool {
    SAID.lock()
        .unwrap_or_else(PoisonError::into_inner)
        .insert(path.to_owned())
}
