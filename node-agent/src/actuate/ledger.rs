//! What must survive the agent's death and the machine's: what to undo, what was undone, what was made.
//!
//! One JSON file in `state.directory`, written whole beside the old one, synced and renamed over it, so that there is
//! always one or the other. A file that cannot be understood is set aside and never in the way: without it nothing is
//! undone and nothing is ours, and the mesh stays as it is.
//!
//! Who holds an open [`Ledger`] holds the lock beside it, and only who holds it writes to the kernel: the agent that runs,
//! or a command while none does. Reading needs no lock ([`read`]).
//!
//! No instant in it is a wall clock's: CLOCK_BOOTTIME, and the boot it is of.

mod entries;

use std::fs::{File, TryLockError};
use std::io::Write as _;
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _, fchown};
use std::path::{Path, PathBuf};

pub use entries::{Entries, Made, Pending, Rejected, Undo};

const FILE: &str = "ledger.json";
const LOCK: &str = "lock";

/// The ledger, and the right to write to the kernel.
#[derive(Debug)]
pub struct Ledger {
    folder: PathBuf,
    entries: Entries,
    /// The disk says something else.
    stale: bool,
    /// The lock goes with it.
    _lock: File,
}

/// Why there is no ledger.
#[derive(Debug, thiserror::Error)]
pub enum LedgerError {
    /// The agent, or a command.
    #[error("another node-agent holds {}: wait until it is done, or stop it", .0.display())]
    Busy(PathBuf),
    /// The file system says no.
    #[error("{}: check that state.directory can be written", .path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
}

impl Ledger {
    /// Takes the lock and reads what is there. `boot_id`: what was made in another boot is gone.
    ///
    /// # Errors
    /// [`LedgerError`]
    pub fn open(folder: &Path, boot_id: &str) -> Result<Self, LedgerError> {
        let path = folder.join(LOCK);
        std::fs::create_dir_all(folder).map_err(failed(folder))?;
        let lock = own(folder, File::options().create(true).append(true), &path)?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(LedgerError::Busy(path)),
            Err(TryLockError::Error(source)) => return Err(LedgerError::File { path, source }),
        }
        let path = folder.join(FILE);
        let mut entries = match std::fs::read(&path) {
            Ok(json) => Entries::parse(&json).unwrap_or_else(|why| {
                set_aside(&path, &why);
                Entries::default()
            }),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Entries::default(),
            Err(source) => return Err(LedgerError::File { path, source }),
        };
        entries.begin_boot(boot_id);
        Ok(Self {
            folder: folder.to_owned(),
            entries,
            stale: false,
            _lock: lock,
        })
    }

    /// What is in it.
    pub fn entries(&self) -> &Entries {
        &self.entries
    }

    /// Changes it, on the disk first: if it cannot be written there, it is as it was.
    ///
    /// # Errors
    /// [`LedgerError::File`]
    pub fn change(&mut self, change: impl FnOnce(&mut Entries)) -> Result<(), LedgerError> {
        let mut entries = self.entries.clone();
        change(&mut entries);
        if entries != self.entries {
            self.write(&entries)?;
            (self.entries, self.stale) = (entries, false);
        }
        Ok(())
    }

    /// Changes it, even if the disk does not take it: an undo must not wait for space. What the disk says then is done once
    /// more by the next holder, which is the same as once.
    ///
    /// # Errors
    /// [`LedgerError::File`]; it is changed all the same.
    pub fn change_anyway(&mut self, change: impl FnOnce(&mut Entries)) -> Result<(), LedgerError> {
        let mut entries = self.entries.clone();
        change(&mut entries);
        let written = if entries == self.entries && !self.stale {
            Ok(())
        } else {
            self.write(&entries)
        };
        self.stale = written.is_err();
        self.entries = entries;
        written
    }

    fn write(&self, entries: &Entries) -> Result<(), LedgerError> {
        let (path, beside) = (self.folder.join(FILE), self.folder.join(format!("{FILE}.new")));
        // Plain data: it always serialises.
        let json = serde_json::to_vec(entries).unwrap_or_default();
        let mut file = own(
            &self.folder,
            File::options().create(true).write(true).truncate(true),
            &beside,
        )?;
        file.write_all(&json)
            .and_then(|()| file.sync_all())
            .map_err(failed(&beside))?;
        std::fs::rename(&beside, &path).map_err(failed(&path))?;
        File::open(&self.folder)
            .and_then(|folder| folder.sync_all())
            .map_err(failed(&self.folder))
    }
}

/// What is in it at this moment, whoever holds it. A ledger that is not there or not understood is empty.
pub fn read(folder: &Path) -> Entries {
    let json = std::fs::read(folder.join(FILE)).unwrap_or_default();
    Entries::parse(&json).unwrap_or_default()
}

/// Opens a file of the folder's owner: what root leaves there in a command, the agent's own user must be able to use.
fn own(folder: &Path, options: &mut std::fs::OpenOptions, path: &Path) -> Result<File, LedgerError> {
    let file = options.mode(0o600).open(path).map_err(failed(path))?;
    if let (Ok(owner), Ok(owned)) = (std::fs::metadata(folder), file.metadata())
        && owner.uid() != owned.uid()
        && let Err(error) = fchown(&file, Some(owner.uid()), Some(owner.gid()))
    {
        tracing::debug!(%error, path = %path.display(), "a file of the ledger is not its folder's owner's");
    }
    Ok(file)
}

fn set_aside(path: &Path, why: &str) {
    let aside = path.with_extension("json.corrupt");
    match std::fs::rename(path, &aside) {
        Ok(()) => tracing::warn!(
            why,
            aside = %aside.display(),
            "the ledger is not understood and was set aside: nothing is undone or torn down by it"
        ),
        Err(error) => tracing::warn!(why, %error, "the ledger is not understood and cannot be set aside"),
    }
}

fn failed(path: &Path) -> impl FnOnce(std::io::Error) -> LedgerError {
    let path = path.to_owned();
    move |source| LedgerError::File { path, source }
}

#[cfg(test)]
mod tests;
