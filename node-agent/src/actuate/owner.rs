//! Which network manager owns an interface: what it owns is reported and never changed.
//!
//! Two are known that make batman-adv interfaces: systemd-networkd (`.netdev` files of `Kind=batadv`, `.network` files
//! with `BatmanAdvanced=`) and netifd (`proto 'batadv'`, `proto 'batadv_hardif'`). A manager that does not run and
//! is not started at boot owns nothing; one that is owns before it runs, and before its interfaces are there. Their
//! files are read; they are never asked and never written to.
//!
//! Nothing here fails: a file that cannot be read says nothing but in the log, one that is odd is read as far as it
//! makes sense.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use mesh_proto::model::IfName;

use super::Owner;

mod files;
mod networkd;
mod uci;

use networkd::Networkd;
use uci::Netifd;

/// Who owns what, as the managers' files say at one moment.
#[derive(Debug, Clone, Default)]
pub struct Owners {
    root: PathBuf,
    networkd: Option<Networkd>,
    netifd: Option<Netifd>,
}

impl Owners {
    /// Reads the managers' files below `root`, which is `/` but in tests.
    pub fn read(root: &Path) -> Self {
        Self {
            root: root.to_owned(),
            networkd: Networkd::read(root),
            netifd: Netifd::read(root),
        }
    }

    /// Mesh interfaces that they make, those that are not there among them.
    pub fn claimed(&self) -> BTreeMap<IfName, Owner> {
        let networkd = self.networkd.iter().flat_map(Networkd::meshes);
        let netifd = self.netifd.iter().flat_map(Netifd::meshes);
        networkd
            .chain(netifd)
            .filter_map(|name| IfName::try_from(name).ok())
            .filter_map(|name| self.of(&name, Some("batadv")).map(|owner| (name, owner)))
            .collect()
    }

    /// Who makes this mesh interface, or makes this interface a member of one. `kind` is what made the interface, such
    /// as `batadv`.
    pub fn of(&self, ifname: &IfName, kind: Option<&str>) -> Option<Owner> {
        let (manager, file) = if kind == Some("batadv") {
            let networkd = self.networkd.as_ref().and_then(|networkd| networkd.mesh(ifname));
            let netifd = || self.netifd.as_ref().and_then(|netifd| netifd.mesh(ifname));
            match networkd {
                Some(file) => (networkd::NAME, file),
                None => (uci::NAME, netifd()?),
            }
        } else {
            let networkd = self
                .networkd
                .as_ref()
                .and_then(|networkd| networkd.member(&self.root, ifname, kind));
            let netifd = || self.netifd.as_ref().and_then(|netifd| netifd.member(ifname));
            match networkd {
                Some(file) => (networkd::NAME, file),
                None => (uci::NAME, netifd()?),
            }
        };
        Some(Owner { manager, file })
    }
}

#[cfg(test)]
mod tests;
