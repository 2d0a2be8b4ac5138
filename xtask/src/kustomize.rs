//! kustomize, which renders `deploy/k8s`: the machine's own, or the one of Debian's next release.

use std::path::PathBuf;

use anyhow::{Result, bail};
use mesh_lab::exec::run;

use crate::apt::Suite;
use crate::paths::{Paths, fresh, program};
use crate::report::say;

/// Debian 12 has none (its kubectl is of 2020 and knows no components); 13's runs there.
const SUITE: &str = "trixie";

/// The machine's own, or one unpacked already.
pub(crate) fn find(paths: &Paths) -> Option<PathBuf> {
    program("kustomize").or_else(|| Some(unpacked(paths)).filter(|file| file.exists()))
}

fn unpacked(paths: &Paths) -> PathBuf {
    paths.tools().join("kustomize/usr/bin/kustomize")
}

/// kustomize, unpacked if it is not there.
pub(crate) fn get(paths: &Paths) -> Result<PathBuf> {
    if let Some(found) = find(paths) {
        return Ok(found);
    }
    say(&format!(
        "  unpacking Debian's kustomize ({SUITE}) below target/tools (nothing of it is installed)"
    ));
    let folder = paths.tools().join("kustomize");
    fresh(&folder, &[])?;
    Suite::open(&paths.target().join("apt"), SUITE)?.unpack(&["kustomize".to_owned()], &folder)?;
    let kustomize = unpacked(paths);
    if run(&kustomize.to_string_lossy(), &["version"]).is_err() {
        bail!(
            "{} does not run on this machine; put another kustomize on the PATH",
            kustomize.display()
        );
    }
    Ok(kustomize)
}
