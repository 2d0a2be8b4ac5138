//! The mesh tables of a configuration, and how to tell one from another.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use mesh_proto::model::IfName;

use crate::config::{Config, InvalidConfig, Mesh};

/// What a configuration wishes of mesh interfaces.
#[derive(Debug, Clone)]
pub struct Wishes {
    /// Where it is written.
    pub path: PathBuf,
    /// By mesh interface. Tables without a wish are not in it.
    pub meshes: BTreeMap<IfName, Mesh>,
    /// The other tables.
    rest: Config,
}

impl Wishes {
    /// Those of a configuration that was read from `path`.
    pub fn new(path: &Path, mut config: Config) -> Self {
        let mut meshes = std::mem::take(&mut config.mesh);
        meshes.retain(|_, mesh| mesh.is_wish());
        Self {
            path: path.to_owned(),
            meshes,
            rest: config,
        }
    }

    /// Of a text as if it were the file's.
    ///
    /// # Errors
    /// As [`Config::parse`].
    pub fn parse(path: &Path, text: &str) -> Result<Self, InvalidConfig> {
        Ok(Self::new(path, Config::parse(path, text)?))
    }

    /// Of the file as it is now.
    ///
    /// # Errors
    /// As [`Config::load`].
    pub fn load(path: &Path) -> Result<Self, InvalidConfig> {
        Ok(Self::new(path, Config::load(path)?))
    }

    /// The digest of a mesh interface's table; `None`: there is no wish.
    pub fn digest(&self, mesh: &IfName) -> Option<String> {
        self.meshes.get(mesh).map(digest)
    }

    /// Takes the other's mesh tables, and only those: `path` stays the agent's own file, which a reload reads. Returns what
    /// was before.
    pub(super) fn take(&mut self, other: Self) -> Self {
        let before = self.clone();
        self.meshes = other.meshes;
        before
    }

    /// What a reload cannot change differs.
    pub fn needs_restart(&self, other: &Self) -> bool {
        self.rest != other.rest
    }
}

/// Comments and the order of keys do not matter. 64 hex digits.
fn digest(mesh: &Mesh) -> String {
    // Plain data: it always serialises.
    let canonical = serde_json::to_vec(mesh).unwrap_or_default();
    let digest = ring::digest::digest(&ring::digest::SHA256, &canonical);
    digest.as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
}
