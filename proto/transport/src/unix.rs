//! The Unix socket for people on the machine: the file's mode decides who gets in, the kernel says who it is.
//!
//! The socket appears under its name only when it listens with its final mode and group. A socket file that nobody
//! listens on is a dead process's and is replaced; one that somebody listens on, and any other file, is not touched.
//!
//! Some clients name the socket's path as the HTTP/2 authority, which the h2 crate refuses with PROTOCOL_ERROR before any
//! code of ours sees it: grpcurl needs `-authority localhost`, gRPC's C core the option `grpc.default_authority`.

use std::fs::Permissions;
use std::io;
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use nix::unistd::{Gid, Group, Uid, User};
use tokio::net::{UnixListener, UnixSocket, UnixStream};
use tokio::sync::mpsc;

use crate::peer::{Connection, Peer, Remote};
use crate::role::Role;
use crate::server::{Incoming, Pressure};

/// A socket to open.
#[derive(Debug, Clone)]
pub struct UnixSettings {
    /// Its file; the folder exists.
    pub path: PathBuf,
    /// Permission bits; 0o660 lets the owner and the group in.
    pub mode: u32,
    /// Group of the file, by name; `None`: the process's own.
    pub group: Option<String>,
}

/// Why there is no socket.
#[derive(Debug, thiserror::Error)]
pub enum UnixError {
    /// Another process serves there.
    #[error("{path} is in use: another process listens on it; stop it or configure another path", path = .0.display())]
    InUse(PathBuf),
    /// Something that is not ours.
    #[error("{path} exists and is no socket; remove it or configure another path", path = .0.display())]
    NotASocket(PathBuf),
    /// The group is unknown.
    #[error("there is no group {0:?}; create it (groupadd --system {0}) or configure another")]
    NoGroup(String),
    /// The system says no.
    #[error("{what} {path} failed", path = path.display())]
    Io {
        /// What was tried.
        what: &'static str,
        /// On which file.
        path: PathBuf,
        /// What it said.
        source: io::Error,
    },
}

/// Opens the socket. Peers get the role of [`operator`](Role::Operator) where they are root, the process's own user or
/// in the file's group, and else (where the mode lets others in) of viewer. The file goes when the stream is dropped.
pub fn listen_unix(settings: &UnixSettings) -> Result<Incoming, UnixError> {
    let (listener, file) = bind(settings)?;
    Ok(Incoming::spawn(|connections| accept(listener, file, connections)))
}

/// The file of a listening socket; removed when dropped, unless it has been replaced.
struct SocketFile {
    path: PathBuf,
    inode: (u64, u64),
    group: u32,
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        let ours = std::fs::symlink_metadata(&self.path).is_ok_and(|found| (found.dev(), found.ino()) == self.inode);
        if ours && let Err(error) = std::fs::remove_file(&self.path) {
            tracing::warn!(%error, path = %self.path.display(), "the socket's file stays");
        }
    }
}

fn bind(settings: &UnixSettings) -> Result<(UnixListener, SocketFile), UnixError> {
    let path = &settings.path;
    let group = settings.group.as_deref().map(find_group).transpose()?;
    refuse_if_taken(path)?;
    // Made under another name, since between bind and chmod the file has whatever mode the umask leaves.
    let mut hidden = path.as_os_str().to_owned();
    hidden.push(format!(".{}", std::process::id()));
    let hidden = PathBuf::from(hidden);
    let prepared = prepare(&hidden, settings.mode, group).and_then(|(listener, inode, group)| {
        std::fs::rename(&hidden, path).map_err(failed("moving a socket to", path))?;
        let file = SocketFile {
            path: path.clone(),
            inode,
            group,
        };
        Ok((listener, file))
    });
    if prepared.is_err() {
        std::fs::remove_file(&hidden).ok();
    }
    prepared
}

fn prepare(hidden: &Path, mode: u32, group: Option<Gid>) -> Result<(UnixListener, (u64, u64), u32), UnixError> {
    // Left by a process of the same number that died in between.
    match std::fs::remove_file(hidden) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(failed("removing", hidden)(error)),
        _ => {}
    }
    let socket = UnixSocket::new_stream().map_err(failed("making a socket for", hidden))?;
    socket.bind(hidden).map_err(failed("making the socket", hidden))?;
    if let Some(group) = group {
        std::os::unix::fs::chown(hidden, None, Some(group.as_raw())).map_err(failed("setting the group of", hidden))?;
    }
    std::fs::set_permissions(hidden, Permissions::from_mode(mode)).map_err(failed("setting the mode of", hidden))?;
    let listener = socket.listen(128).map_err(failed("listening on", hidden))?;
    let made = std::fs::symlink_metadata(hidden).map_err(failed("looking at", hidden))?;
    Ok((listener, (made.dev(), made.ino()), made.gid()))
}

fn find_group(name: &str) -> Result<Gid, UnixError> {
    match Group::from_name(name) {
        Ok(Some(group)) => Ok(group.gid),
        Ok(None) => Err(UnixError::NoGroup(name.to_owned())),
        Err(error) => Err(failed("looking up the group of", Path::new(name))(error.into())),
    }
}

fn refuse_if_taken(path: &Path) -> Result<(), UnixError> {
    let found = match std::fs::symlink_metadata(path) {
        Ok(found) => found,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(failed("looking at", path)(error)),
    };
    if !found.file_type().is_socket() {
        return Err(UnixError::NotASocket(path.to_owned()));
    }
    match std::os::unix::net::UnixStream::connect(path) {
        Ok(_) => Err(UnixError::InUse(path.to_owned())),
        Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => {
            tracing::debug!(path = %path.display(), "replacing the socket of a dead process");
            Ok(())
        }
        Err(error) => Err(failed("trying the socket", path)(error)),
    }
}

fn failed(what: &'static str, path: &Path) -> impl FnOnce(io::Error) -> UnixError {
    let path = path.to_owned();
    move |source| UnixError::Io { what, path, source }
}

async fn accept(listener: UnixListener, file: SocketFile, connections: mpsc::Sender<Connection>) {
    let mut pressure = Pressure::default();
    loop {
        let stream = match listener.accept().await {
            Ok((stream, _)) => stream,
            Err(error) => {
                pressure.wait(&error).await;
                continue;
            }
        };
        pressure.relieved();
        match peer(&stream, file.group).await {
            Ok(peer) => {
                tracing::debug!(remote = %peer.remote, role = %peer.role, "peer connected");
                if connections.send(Connection::new(Box::new(stream), peer)).await.is_err() {
                    return;
                }
            }
            Err(error) => tracing::warn!(%error, "a peer of the Unix socket could not be identified"),
        }
    }
}

async fn peer(stream: &UnixStream, socket_group: u32) -> io::Result<Peer> {
    let credentials = stream.peer_cred()?;
    let (uid, gid) = (credentials.uid(), credentials.gid());
    // The user database may be on a network.
    let (name, groups) = tokio::task::spawn_blocking(move || name_and_groups(uid, gid)).await?;
    let operator = uid == 0 || uid == Uid::effective().as_raw() || groups.contains(&socket_group);
    Ok(Peer {
        role: if operator {
            Role::Operator(name)
        } else {
            Role::Viewer(name)
        },
        remote: Remote::Unix {
            uid,
            pid: credentials.pid(),
        },
        certificate: None,
    })
}

/// A user without an entry is known by number and is in the group its process shows.
fn name_and_groups(uid: u32, gid: u32) -> (String, Vec<u32>) {
    let Ok(Some(user)) = User::from_uid(Uid::from_raw(uid)) else {
        return (format!("uid-{uid}"), vec![gid]);
    };
    let mut groups = vec![gid];
    if let Ok(name) = std::ffi::CString::new(user.name.as_str())
        && let Ok(listed) = nix::unistd::getgrouplist(&name, user.gid)
    {
        groups.extend(listed.into_iter().map(Gid::as_raw));
    }
    (user.name, groups)
}

#[cfg(test)]
mod tests;
