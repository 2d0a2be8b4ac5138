//! What was joined, for what no kernel tells: the name of a mesh; the channel of an ad-hoc network that is not formed
//! yet, which takes some seconds for the first that joins.
//!
//! It is written down beside how often the interface had gained or lost its carrier by then. It loses it when it leaves
//! a mesh or is set down, and gains it when it joins, whoever does it: so while the count stands, what was written is
//! so. Where it does not, it is unknown, and stays so until we join again.
//!
//! One file an interface: several agents of one machine (`run`, `apply`) share the folder. Nothing is lost with it but
//! this.

use std::collections::BTreeMap;
use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use serde::{Deserialize, Serialize};

use super::WirelessInterface;
use crate::actuate::Radio;

/// What was joined.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Joined {
    /// Indices and counts begin anew with each boot.
    boot: String,
    wiphy: u32,
    carrier_changes: u32,
    radio: Radio,
}

/// See the module. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub(super) struct Memory {
    folder: Option<PathBuf>,
    /// By index of the interface; what counts where there is no folder, or it cannot be written.
    held: Arc<Mutex<BTreeMap<u32, Joined>>>,
}

impl Memory {
    pub(super) fn in_folder(folder: PathBuf) -> Self {
        Self {
            folder: Some(folder),
            held: Arc::default(),
        }
    }

    /// What it was joined to, if that is still so.
    pub(super) fn recall(&self, interface: &WirelessInterface, carrier_changes: u32) -> Option<Radio> {
        let held = || self.lock().get(&interface.ifindex).cloned();
        let joined = [self.read(interface.ifindex), held()].into_iter().flatten();
        let boot = boot();
        joined
            .filter(|joined| {
                joined.boot == boot && joined.wiphy == interface.wiphy && joined.carrier_changes == carrier_changes
            })
            .map(|joined| joined.radio)
            .next()
    }

    /// It has just joined this.
    pub(super) fn keep(&self, interface: &WirelessInterface, carrier_changes: u32, radio: &Radio) {
        let joined = Joined {
            boot: boot(),
            wiphy: interface.wiphy,
            carrier_changes,
            radio: radio.clone(),
        };
        if let Err(error) = self.write(interface.ifindex, &joined) {
            tracing::warn!(
                ifname = interface.ifname,
                %error,
                "What was joined cannot be written down; another run of this program will join it again"
            );
        }
        self.lock().insert(interface.ifindex, joined);
    }

    /// It is in no network any more.
    pub(super) fn forget(&self, ifindex: u32) {
        self.lock().remove(&ifindex);
        if let Some(file) = self.file(ifindex) {
            // If it stays, the count of the carrier tells.
            let _stays = std::fs::remove_file(file);
        }
    }

    fn file(&self, ifindex: u32) -> Option<PathBuf> {
        Some(self.folder.as_ref()?.join(format!("{ifindex}.json")))
    }

    fn read(&self, ifindex: u32) -> Option<Joined> {
        serde_json::from_slice(&std::fs::read(self.file(ifindex)?).ok()?).ok()
    }

    fn write(&self, ifindex: u32, joined: &Joined) -> io::Result<()> {
        let (Some(folder), Some(file)) = (&self.folder, self.file(ifindex)) else {
            return Ok(());
        };
        std::fs::create_dir_all(folder)?;
        // Never half a file: it is made beside and moved.
        let part = file.with_extension("part");
        std::fs::write(&part, serde_json::to_vec(joined)?)?;
        std::fs::rename(part, file)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, BTreeMap<u32, Joined>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Empty where it cannot be read; then it is the same as long as it cannot.
fn boot() -> String {
    let boot = std::fs::read_to_string("/proc/sys/kernel/random/boot_id");
    boot.map(|boot| boot.trim().to_owned()).unwrap_or_default()
}
