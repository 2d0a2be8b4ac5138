//! Gives up every privilege the agent does not go on needing.
//!
//! | capability | what for, as long as the agent runs |
//! | --- | --- |
//! | CAP_NET_ADMIN | to read most of batman-adv's tables, and to set anything |
//! | CAP_BPF, CAP_PERFMON | to attach probes again when an interface or the module comes back |
//! | CAP_SYS_ADMIN | instead of those two on kernels that do not know them (before 5.8): eBPF asks for it there |
//!
//! Started as root, the agent keeps these and becomes the user of `privilege.user`, if one is named; started by systemd as its
//! own user with ambient capabilities, it keeps them and nothing else. In both cases nothing can be gained back: no
//! inheritable or ambient capability is left, none can come with a program (`no_new_privs`), and none runs.
//!
//! Before any thread exists: capabilities belong to threads, and those that come later have what this one has.

use std::collections::HashSet;
use std::io;
use std::os::unix::fs::{MetadataExt as _, lchown};
use std::path::{Path, PathBuf};

use caps::{CapSet, Capability};
use nix::errno::Errno;
use nix::sys::prctl;
use nix::sys::resource::{RLIM_INFINITY, Resource, setrlimit};
use nix::unistd::{Gid, Uid, User, geteuid, setgroups, setresgid, setresuid};

use crate::config::Config;

/// Why the agent does not start: it would run with more than it needs.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PrivilegeError {
    /// Nobody to become.
    #[error("privilege.user: there is no user {0:?} on this machine: make one (systemd-sysusers), or take the key out")]
    NoUser(String),
    /// The list of users cannot be read.
    #[error("privilege.user: the users of this machine cannot be read")]
    Users(#[source] Errno),
    /// Started by somebody who is neither root nor that user.
    #[error("privilege.user: only root can become {0:?}: start the agent as root or as that user, or take the key out")]
    NotRoot(String),
    /// `CAP_SETUID` or `CAP_SETGID` is missing, as in a container.
    #[error("privilege.user: {user:?} cannot be become: give CAP_SETUID and CAP_SETGID too, or take the key out")]
    Become {
        /// Who.
        user: String,
        /// Why not.
        #[source]
        source: Errno,
    },
    /// A folder of the agent's own.
    #[error("{} cannot be made the agent's", .path.display())]
    Folder {
        /// The folder, or something in it.
        path: PathBuf,
        /// Why not.
        #[source]
        source: io::Error,
    },
    /// The kernel refuses.
    #[error("capabilities cannot be given up: {0}")]
    Capabilities(String),
    /// The kernel refuses.
    #[error("no_new_privs cannot be set")]
    NoNewPrivileges(#[source] Errno),
}

/// What the agent goes on needing; `last` is the last capability the kernel knows (`/proc/sys/kernel/cap_last_cap`).
pub fn needed(last: Option<u8>) -> [Option<Capability>; 3] {
    let knows_bpf = last.is_none_or(|last| last >= Capability::CAP_BPF.index());
    if knows_bpf {
        [Capability::CAP_NET_ADMIN, Capability::CAP_BPF, Capability::CAP_PERFMON].map(Some)
    } else {
        [Some(Capability::CAP_NET_ADMIN), Some(Capability::CAP_SYS_ADMIN), None]
    }
}

/// Gives up what is not needed, and becomes the configured user. Nothing is changed in the mesh; what the agent then lacks is
/// said in the log, and the agent goes on with the rest.
///
/// # Errors
/// [`PrivilegeError`]: better no agent than one with more than it needs.
pub fn drop(config: &Config) -> Result<(), PrivilegeError> {
    // Kernels before 5.11 count eBPF's memory here.
    if let Err(error) = setrlimit(Resource::RLIMIT_MEMLOCK, RLIM_INFINITY, RLIM_INFINITY) {
        tracing::debug!(%error, "the limit of locked memory stays as it is");
    }
    let needed: HashSet<Capability> = needed(last_capability()).into_iter().flatten().collect();
    let permitted = caps::read(None, CapSet::Permitted).map_err(|error| capabilities(&error))?;
    let kept: HashSet<Capability> = needed.intersection(&permitted).copied().collect();

    let user = config.privilege.user.as_deref().map(find).transpose()?;
    let target = user.as_ref().filter(|user| user.uid != geteuid());
    if geteuid().is_root() {
        let owner = user
            .as_ref()
            .map_or((Uid::from_raw(0), Gid::from_raw(0)), |user| (user.uid, user.gid));
        folders(config, owner)?;
        // While there is CAP_SETPCAP. Without it, as in a container, no_new_privs does the same.
        if let Err(error) = caps::clear(None, CapSet::Bounding) {
            tracing::debug!(%error, "the bounding set stays as it is");
        }
    }
    if let Some(user) = target {
        become_user(user)?;
    }
    for (set, left) in [
        (CapSet::Ambient, None),
        (CapSet::Effective, Some(&kept)),
        (CapSet::Inheritable, None),
        (CapSet::Permitted, Some(&kept)),
    ] {
        let done = left.map_or_else(|| caps::clear(None, set), |left| caps::set(None, set, left));
        done.map_err(|error| capabilities(&error))?;
    }
    prctl::set_no_new_privs().map_err(PrivilegeError::NoNewPrivileges)?;

    let lacking: Vec<String> = needed.difference(&kept).map(ToString::to_string).collect();
    if !lacking.is_empty() {
        let lacking = lacking.join(", ");
        tracing::warn!(
            lacking,
            "capabilities are missing: the agent goes on with what can be seen and set without them"
        );
    }
    let user = user.map_or_else(|| format!("uid {}", geteuid()), |user| user.name);
    tracing::info!(user, "the agent keeps the capabilities it needs and no other");
    Ok(())
}

fn find(name: &str) -> Result<User, PrivilegeError> {
    User::from_name(name)
        .map_err(PrivilegeError::Users)?
        .ok_or_else(|| PrivilegeError::NoUser(name.to_owned()))
}

fn become_user(user: &User) -> Result<(), PrivilegeError> {
    if !geteuid().is_root() {
        return Err(PrivilegeError::NotRoot(user.name.clone()));
    }
    caps::securebits::set_keepcaps(true).map_err(|error| capabilities(&error))?;
    let switch = || {
        setgroups(&[])?;
        setresgid(user.gid, user.gid, user.gid)?;
        setresuid(user.uid, user.uid, user.uid)
    };
    switch().map_err(|source| PrivilegeError::Become {
        user: user.name.clone(),
        source,
    })?;
    caps::securebits::set_keepcaps(false).map_err(|error| capabilities(&error))
}

/// The state folder becomes the user's with all that is in it; the socket's folder, which may be shared, only where it is
/// made here.
fn folders(config: &Config, owner: (Uid, Gid)) -> Result<(), PrivilegeError> {
    let failed = |path: &Path| {
        let path = path.to_owned();
        move |source| PrivilegeError::Folder { path, source }
    };
    let state = &config.state.directory;
    std::fs::create_dir_all(state).map_err(failed(state))?;
    give(state, owner).map_err(failed(state))?;
    if let Some(runtime) = config.control.socket.parent().filter(|folder| !folder.exists()) {
        std::fs::create_dir_all(runtime).map_err(failed(runtime))?;
        give(runtime, owner).map_err(failed(runtime))?;
    }
    Ok(())
}

/// Follows no link, and leaves files with several names alone: one of them may be somebody else's.
fn give(path: &Path, owner: (Uid, Gid)) -> io::Result<()> {
    let (uid, gid) = (owner.0.as_raw(), owner.1.as_raw());
    let found = path.symlink_metadata()?;
    if found.is_dir() {
        for entry in std::fs::read_dir(path)? {
            give(&entry?.path(), owner)?;
        }
    } else if found.nlink() > 1 {
        return Ok(());
    }
    if (found.uid(), found.gid()) == (uid, gid) {
        return Ok(());
    }
    lchown(path, Some(uid), Some(gid))
}

fn last_capability() -> Option<u8> {
    let text = std::fs::read_to_string("/proc/sys/kernel/cap_last_cap").ok()?;
    text.trim().parse().ok()
}

fn capabilities(error: &caps::errors::CapsError) -> PrivilegeError {
    PrivilegeError::Capabilities(error.to_string())
}

#[cfg(test)]
mod tests;
