//! Looks at the kernel: one [`Sample`] of everything about the configured mesh interfaces.
//!
//! A thin shell. Sockets are opened once and reused, no process is spawned, nothing is judged: a source that cannot be
//! read is a [`Fault`] in the sample, and the rest goes on. What could not be read and what can be read again is logged
//! once each.
//!
//! The generic-netlink family is asked for only while a mesh interface exists, because the question alone makes the
//! kernel load the module.

mod faults;
pub mod host;
mod sockets;

use std::collections::BTreeMap;
use std::future::Future;
use std::time::Duration;

use mesh_proto::model::IfName;

use crate::netlink::batadv::{BatadvError, Dump};
use crate::netlink::link::Link;
use crate::sample::{Fault, GatewayGlance, Glance, MeshSample, Read, Sample};
use faults::Faults;
use sockets::Sockets;

/// No kernel is this slow; a reply lost on the way must not stop the agent.
const ANSWER_WITHIN: Duration = Duration::from_secs(5);

/// Takes samples.
#[derive(Debug)]
pub struct Collector {
    mesh_ifnames: Vec<IfName>,
    sockets: Option<Sockets>,
    faults: Faults,
}

impl Collector {
    /// For these mesh interfaces, whether they exist yet or not. Its sockets are opened by the first sample, in the
    /// network namespace of the thread that takes it.
    pub fn new(mesh_ifnames: impl IntoIterator<Item = IfName>) -> Self {
        Self {
            mesh_ifnames: mesh_ifnames.into_iter().collect(),
            sockets: None,
            faults: Faults::default(),
        }
    }

    /// One look at everything, in a tokio runtime with I/O and time. Never fails: what could not be read says so.
    pub async fn sample(&mut self) -> Sample {
        let sample = Sample {
            boottime_ns: host::boottime_ns(),
            meshes: self.meshes().await,
            ..Sample::default()
        };
        self.faults.report(&sample);
        sample
    }

    /// A look at the gateways of these mesh interfaces alone, by their indexes as of the last sample. What goes wrong is
    /// left for the next sample to name.
    pub async fn glance(&self, meshes: &BTreeMap<IfName, u32>) -> Glance {
        let mut glance = Glance {
            boottime_ns: host::boottime_ns(),
            ..Glance::default()
        };
        let Some(sockets) = &self.sockets else {
            return glance;
        };
        for (name, ifindex) in meshes {
            let seen = GatewayGlance {
                gateways: table(sockets.batadv.gateways().dump(*ifindex)).await,
                originators: table(sockets.batadv.originators().dump(*ifindex)).await,
            };
            glance.meshes.insert(name.clone(), seen);
        }
        glance
    }

    async fn meshes(&mut self) -> BTreeMap<IfName, Read<MeshSample>> {
        let sockets = match self.sockets.take().map_or_else(Sockets::open, Ok) {
            Ok(sockets) => sockets,
            Err(error) => {
                let fault = Fault::Socket(error.to_string());
                return self.every_mesh(&fault);
            }
        };
        let meshes = match in_time(sockets.link.list()).await {
            Ok(Ok(links)) => {
                let mut meshes = BTreeMap::new();
                for name in &self.mesh_ifnames {
                    meshes.insert(name.clone(), mesh(&sockets, name, &links).await);
                }
                meshes
            }
            Ok(Err(error)) => self.every_mesh(&Fault::Socket(error.to_string())),
            Err(fault) => self.every_mesh(&fault),
        };
        if !faults::any_socket(&meshes) {
            self.sockets = Some(sockets);
        }
        meshes
    }

    fn every_mesh(&self, fault: &Fault) -> BTreeMap<IfName, Read<MeshSample>> {
        self.mesh_ifnames
            .iter()
            .map(|name| (name.clone(), Err(fault.clone())))
            .collect()
    }
}

async fn mesh(sockets: &Sockets, name: &IfName, links: &[Link]) -> Read<MeshSample> {
    let ifindex = find(sockets, name, links).await?.ifindex;
    // The family's number changes when the module is loaded again.
    batadv(sockets.batadv.refresh_family()).await?;
    let handle = &sockets.batadv;
    Ok(MeshSample {
        ifindex,
        settings: batadv(handle.mesh().get(ifindex)).await,
        members: links
            .iter()
            .filter(|link| link.master == Some(ifindex))
            .cloned()
            .collect(),
        hard_interfaces: table(handle.hard_interfaces().dump(ifindex)).await,
        // These two are put together, so nothing else is read between them.
        originators: table(handle.originators().dump(ifindex)).await,
        neighbors: table(handle.neighbors().dump(ifindex)).await,
        gateways: table(handle.gateways().dump(ifindex)).await,
        translation_local: table(handle.translation_local().dump(ifindex)).await,
        translation_global: table(handle.translation_global().dump(ifindex)).await,
        bla_claims: table(handle.bla_claims().dump(ifindex)).await,
        bla_backbones: table(handle.bla_backbones().dump(ifindex)).await,
        dat_cache: table(handle.dat_cache().dump(ifindex)).await,
        counters: sockets.ethtool.statistics(name).map_err(faults::ethtool),
    })
}

/// The mesh interface of that name. A list of all links can lack one that exists, so its word is not taken for absence.
async fn find(sockets: &Sockets, name: &IfName, links: &[Link]) -> Read<Link> {
    let listed = links.iter().find(|link| link.ifname == name.as_str()).cloned();
    let found = match listed {
        Some(link) => Some(link),
        None => in_time(sockets.link.by_name(name.as_str()))
            .await?
            .map_err(|error| Fault::Socket(error.to_string()))?,
    };
    match found {
        Some(link) if link.is_batadv() => Ok(link),
        Some(link) => Err(Fault::OtherKind(link.kind.unwrap_or_default())),
        None if host::module_loaded() => Err(Fault::NoInterface),
        None => Err(Fault::NoModule),
    }
}

/// A mesh interface without an active member has no tables to give; it knows nobody.
async fn table<E>(asked: impl Future<Output = Result<Dump<E>, BatadvError>>) -> Read<Dump<E>> {
    match in_time(asked).await? {
        Err(BatadvError::NoActiveMember(_)) => Ok(Dump::default()),
        answer => answer.map_err(faults::batadv),
    }
}

async fn batadv<T>(asked: impl Future<Output = Result<T, BatadvError>>) -> Read<T> {
    in_time(asked).await?.map_err(faults::batadv)
}

async fn in_time<T>(asked: impl Future<Output = T>) -> Read<T> {
    tokio::time::timeout(ANSWER_WITHIN, asked)
        .await
        .map_err(|_| Fault::TimedOut(ANSWER_WITHIN.as_secs()))
}

#[cfg(test)]
mod tests;
