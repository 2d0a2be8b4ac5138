//! Makes a mesh interface of a routing algorithm.
//!
//! Kernels since 5.11 are told the algorithm with the interface. Older ones ignore it without a word and take the
//! module's parameter, which is then set for the moment. Which one this is shows in what comes out.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use mesh_proto::model::IfName;

use super::Sockets;
use super::write::{Failure, batadv, link};
use crate::actuate::WriteError;
use crate::netlink::link::LinkError;

const PARAMETER: &str = "/sys/module/batman_adv/parameters/routing_algo";

/// Makes it, or nothing.
pub(super) async fn create(sockets: &Sockets, name: &IfName, algorithm: &str) -> Result<(), Failure> {
    if attempt(sockets, name, algorithm).await? {
        return Ok(());
    }
    let _restored_after = Parameter::set(Path::new(PARAMETER), algorithm)?;
    if attempt(sockets, name, algorithm).await? {
        return Ok(());
    }
    let reason = format!("it makes a mesh interface of another algorithm where {algorithm} was asked for");
    Err(WriteError::Unsupported(reason).into())
}

/// Whether it came out with that algorithm; if not it is gone again.
async fn attempt(sockets: &Sockets, name: &IfName, algorithm: &str) -> Result<bool, Failure> {
    let made = link(sockets.link.create_mesh(name.as_str(), Some(algorithm))).await;
    made.map_err(|failure| explain(failure, algorithm))?;
    let made = link(sockets.link.by_name(name.as_str())).await?;
    let made = made.filter(|made| made.is_batadv()).ok_or(WriteError::Gone)?;
    batadv(sockets.batadv.refresh_family()).await?;
    let mesh = batadv(sockets.batadv.mesh().get(made.ifindex)).await?;
    if mesh.algo_name.as_deref() == Some(algorithm) {
        return Ok(true);
    }
    link(sockets.link.delete(made.ifindex)).await?;
    Ok(false)
}

fn explain(failure: Failure, algorithm: &str) -> Failure {
    match failure {
        Failure::Link(LinkError::Kernel {
            errno: libc::EINVAL,
            source,
        }) => WriteError::Unsupported(format!("{source}; is {algorithm} compiled into batman_adv?")).into(),
        Failure::Link(LinkError::Kernel {
            errno: libc::EOPNOTSUPP,
            ..
        }) => WriteError::Unsupported("the module batman_adv is not there: install it".to_owned()).into(),
        other => other,
    }
}

/// The module's parameter, set to something else for as long as this lives.
#[derive(Debug)]
struct Parameter {
    path: PathBuf,
    before: String,
}

impl Parameter {
    fn set(path: &Path, algorithm: &str) -> Result<Self, WriteError> {
        let cannot = |error: io::Error| {
            if error.raw_os_error() == Some(libc::EINVAL) {
                return WriteError::Unsupported(format!("{algorithm} is not compiled into batman_adv"));
            }
            WriteError::Unsupported(format!(
                "it takes the algorithm from the module's parameter alone, and {0} cannot be written ({error}): \
                 as root, `echo {algorithm} > {0}` once the module is loaded",
                path.display()
            ))
        };
        let before = fs::read_to_string(path).map_err(cannot)?.trim().to_owned();
        fs::write(path, algorithm).map_err(cannot)?;
        Ok(Self {
            path: path.to_owned(),
            before,
        })
    }
}

impl Drop for Parameter {
    fn drop(&mut self) {
        if let Err(error) = fs::write(&self.path, &self.before) {
            let path = self.path.display();
            tracing::warn!(%path, was = self.before, %error, "the module's parameter keeps what it was set to for a moment");
        }
    }
}

#[cfg(test)]
mod tests;
