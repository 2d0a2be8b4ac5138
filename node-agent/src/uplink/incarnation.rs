//! The number of this start of the agent, kept in a small file: it orders the sessions of one node.
//!
//! Never an obstacle: where the file cannot be read or written the agent goes on with a number that may be too small,
//! and the collector's refusal says which one is not.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

/// Where the number is kept.
#[derive(Debug, Clone)]
pub(super) struct IncarnationFile(PathBuf);

impl IncarnationFile {
    pub(super) fn new(path: PathBuf) -> Self {
        Self(path)
    }

    /// The number of this start: one more than the last. Blocks on the disk.
    pub(super) fn raise(&self) -> u64 {
        let incarnation = self.last().saturating_add(1);
        self.save(incarnation);
        incarnation
    }

    /// Keeps `incarnation` for the next start. Blocks on the disk.
    pub(super) fn save(&self, incarnation: u64) {
        if let Err(error) = self.replace(incarnation) {
            tracing::warn!(
                %error,
                file = %self.0.display(),
                "the incarnation cannot be kept; after a restart the collector's refusal will tell the right one"
            );
        }
    }

    /// 0: never started, as far as is known.
    fn last(&self) -> u64 {
        let text = match fs::read_to_string(&self.0) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return 0,
            Err(error) => {
                self.set_aside(&error.to_string());
                return 0;
            }
        };
        match text.trim_end().parse() {
            Ok(u64::MAX) | Err(_) => {
                self.set_aside("it holds no number");
                0
            }
            Ok(last) => last,
        }
    }

    fn set_aside(&self, reason: &str) {
        let aside = with_suffix(&self.0, ".corrupt");
        let kept = fs::rename(&self.0, &aside).is_ok();
        tracing::warn!(
            reason,
            file = %self.0.display(),
            set_aside = kept.then(|| aside.display().to_string()),
            "the kept incarnation cannot be read; starting from 1"
        );
    }

    /// In one step, and on the disk when this returns.
    fn replace(&self, incarnation: u64) -> io::Result<()> {
        let folder = self.0.parent().unwrap_or(Path::new("."));
        fs::create_dir_all(folder)?;
        let new = with_suffix(&self.0, ".new");
        let mut file = File::create(&new)?;
        writeln!(file, "{incarnation}")?;
        file.sync_all()?;
        fs::rename(&new, &self.0)?;
        File::open(folder)?.sync_all()
    }
}

fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

#[cfg(test)]
mod tests;
