//! One look at everything: asks, and leaves it to [`super::assemble`] to make sense of the answers.

use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;
use std::path::Path;

use mesh_proto::model::IfName;

use super::{ANSWER_WITHIN, Sockets, in_time};
use crate::actuate::{Owner, RadioUse, ReadError, owner::Owners, radio};
use crate::collect::host;
use crate::netlink::batadv::{BatadvError, HardInterface, Mesh, Vlan};
use crate::netlink::link::{Link, LinkError};
use crate::netlink::nl80211::{RadioError, WirelessInterface};

/// What was seen.
#[derive(Debug, Clone, Default)]
pub(super) struct Look {
    pub(super) links: Vec<Link>,
    pub(super) meshes: Vec<MeshLook>,
    /// Mesh interfaces that could not be read, and why.
    pub(super) unread: BTreeMap<IfName, String>,
    /// `None`: the module is not loaded, or does not tell us.
    pub(super) algorithms: Option<BTreeSet<String>>,
    /// Indices of interfaces that carry IP addresses.
    pub(super) addressed: BTreeSet<u32>,
    pub(super) radios: Vec<(WirelessInterface, RadioUse)>,
    /// Why there are none, if it is for a failure.
    pub(super) no_radios: Option<String>,
    /// Only that failed, and another socket may do.
    pub(super) reopen: bool,
    pub(super) owners: BTreeMap<IfName, Owner>,
    /// Mesh interfaces that managers make, there or not.
    pub(super) claimed: BTreeMap<IfName, Owner>,
}

/// A mesh interface.
#[derive(Debug, Clone)]
pub(super) struct MeshLook {
    pub(super) mesh: Mesh,
    pub(super) algorithm: String,
    pub(super) members: Vec<HardInterface>,
    pub(super) vlans: Vec<Vlan>,
}

/// Why there was nothing to be seen.
#[derive(Debug)]
pub(super) enum Missed {
    /// An interface came or went, or the module did, meanwhile: look again.
    Moved,
    /// Nothing is known.
    Failed(ReadError),
}

/// Of one mesh interface's failure or the radios' the rest does not suffer. `last`: there will be no other attempt, so
/// what does not keep still is left out.
pub(super) async fn look(sockets: &Sockets, last: bool) -> Result<Look, Missed> {
    let links = link(sockets.link.whole_list()).await?;
    let mesh_links: Vec<&Link> = links.iter().filter(|link| link.is_batadv()).collect();
    let managers = Owners::read(Path::new("/"));
    let mut look = Look {
        addressed: link(sockets.link.with_addresses()).await?,
        owners: owners(&managers, &links),
        claimed: managers.claimed(),
        ..Look::default()
    };
    radios(sockets, last, &mut look).await?;
    // The question alone would load the module.
    if !mesh_links.is_empty() || host::module_loaded() {
        // The family's number changes when the module is loaded again.
        batadv(sockets.batadv.refresh_family()).await?;
        look.algorithms = algorithms(sockets).await?;
    }
    for mesh_link in mesh_links {
        match (
            mesh(sockets, mesh_link, &links).await,
            IfName::try_from(mesh_link.ifname.as_str()),
        ) {
            (Ok(mesh), _) => look.meshes.push(mesh),
            (Err(missed), name) => {
                let reason = bearable(missed, last)?;
                // Without a name it is nobody's wish either.
                look.unread.extend(name.ok().map(|name| (name, reason)));
            }
        }
    }
    look.links = links;
    Ok(look)
}

async fn mesh(sockets: &Sockets, link: &Link, links: &[Link]) -> Result<MeshLook, Missed> {
    let handle = &sockets.batadv;
    let mesh = batadv(handle.mesh().get(link.ifindex)).await?;
    let members = batadv(handle.hard_interfaces().dump(link.ifindex)).await?;
    if members.torn {
        return Err(Missed::Moved);
    }
    let mut vlans = Vec::new();
    for vid in tags(link.ifindex, links) {
        match batadv(handle.vlan(link.ifindex, vid)).await {
            Ok(vlan) => vlans.push(vlan),
            // The interface on top went a moment ago, or is not known to batman-adv yet.
            Err(Missed::Moved) => {}
            Err(failed) => return Err(failed),
        }
    }
    let algorithm = mesh.algo_name.clone();
    Ok(MeshLook {
        algorithm: algorithm.ok_or_else(|| refused("a mesh interface without a routing algorithm"))?,
        mesh,
        members: members.entries,
        vlans,
    })
}

/// Tags of the VLANs on top of a mesh interface. 0 is no VLAN.
fn tags(mesh_ifindex: u32, links: &[Link]) -> BTreeSet<u16> {
    let on_top = links.iter().filter(|link| link.parent == Some(mesh_ifindex));
    on_top.filter_map(|link| link.vlan).filter(|&vid| vid != 0).collect()
}

/// Needs CAP_NET_ADMIN; without it nothing is known, as without the module.
async fn algorithms(sockets: &Sockets) -> Result<Option<BTreeSet<String>>, Missed> {
    let asked = in_time(ANSWER_WITHIN, sockets.batadv.algorithms()).await;
    match asked.map_err(timed_out)? {
        Err(BatadvError::Denied(_)) => Ok(None),
        answer => answer.map(Some).map_err(missed),
    }
}

/// Why one of several could not be read, if the others can be all the same.
fn bearable(missed: Missed, last: bool) -> Result<String, Missed> {
    match missed {
        Missed::Moved if last => Ok("it changes faster than it can be read".to_owned()),
        Missed::Failed(ReadError::Refused(reason)) => Ok(reason),
        missed => Err(missed),
    }
}

/// No driver's failure keeps the agent from the mesh: without an answer there are no radios.
async fn radios(sockets: &Sockets, last: bool, look: &mut Look) -> Result<(), Missed> {
    let asked = in_time(ANSWER_WITHIN, sockets.radio.list()).await;
    let all = match asked {
        Ok(Ok(all)) => all,
        Ok(Err(RadioError::Unsteady | RadioError::NoSuchInterface)) if !last => return Err(Missed::Moved),
        Ok(Err(error)) => {
            look.reopen = matches!(error, RadioError::Disconnected);
            look.no_radios = Some(error.to_string());
            return Ok(());
        }
        Err(seconds) => {
            look.reopen = true;
            look.no_radios = Some(ReadError::TimedOut(seconds).to_string());
            return Ok(());
        }
    };
    let with_use = |radio: &WirelessInterface| (radio.clone(), radio::use_of(radio, &all, Path::new("/")));
    look.radios = all.iter().map(with_use).collect();
    Ok(())
}

fn owners(managers: &Owners, links: &[Link]) -> BTreeMap<IfName, Owner> {
    links
        .iter()
        .filter_map(|link| {
            let name = IfName::try_from(link.ifname.as_str()).ok()?;
            let owner = managers.of(&name, link.kind.as_deref())?;
            Some((name, owner))
        })
        .collect()
}

async fn link<T>(asked: impl Future<Output = Result<T, LinkError>>) -> Result<T, Missed> {
    let answer = in_time(ANSWER_WITHIN, asked).await.map_err(timed_out)?;
    answer.map_err(|error| match error {
        LinkError::Disconnected => Missed::Failed(ReadError::Socket(error.to_string())),
        // What is missing in it would be made.
        LinkError::Unsteady => Missed::Moved,
        other => refused(&other.to_string()),
    })
}

async fn batadv<T>(asked: impl Future<Output = Result<T, BatadvError>>) -> Result<T, Missed> {
    let answer = in_time(ANSWER_WITHIN, asked).await.map_err(timed_out)?;
    answer.map_err(missed)
}

fn missed(error: BatadvError) -> Missed {
    match error {
        BatadvError::NoSuchInterface(_) | BatadvError::NoSuchVlan(_) | BatadvError::FamilyMissing => Missed::Moved,
        BatadvError::Disconnected => Missed::Failed(ReadError::Socket(error.to_string())),
        other => refused(&other.to_string()),
    }
}

fn timed_out(seconds: u64) -> Missed {
    Missed::Failed(ReadError::TimedOut(seconds))
}

fn refused(reason: &str) -> Missed {
    Missed::Failed(ReadError::Refused(reason.to_owned()))
}

#[cfg(test)]
mod tests;
