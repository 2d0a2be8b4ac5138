//! Sets one knob.
//!
//! An interface is looked up by its name each time, and must be what the knob says it is: a name may have been taken by
//! another since the last look. Only the mesh interface that was seen is deleted. Only a member of a mesh interface, or of nothing, is made a member of another.

use std::future::Future;

use mesh_proto::model::IfName;

use super::{ANSWER_WITHIN, RADIO_WITHIN, Sockets, create, in_time, settings};
use crate::actuate::{Knob, Observed, Setting, Target, Value, WriteError};
use crate::netlink::batadv::{BatadvAttr, BatadvError};
use crate::netlink::link::{Link, LinkChange, LinkError};
use crate::netlink::nl80211::RadioError;

/// Why it could not be set.
#[derive(Debug)]
pub(super) enum Failure {
    Link(LinkError),
    Batadv(BatadvError),
    Radio(RadioError),
    Other(WriteError),
}

pub(super) async fn write(
    sockets: &Sockets,
    knob: &Knob,
    value: Option<&Value>,
    now: &Observed,
) -> Result<(), Failure> {
    match (&knob.target, knob.setting, value) {
        (Target::Mesh(name), Setting::Algorithm, Some(Value::Algorithm(algorithm))) => {
            delete_seen(sockets, name, now).await?;
            create::create(sockets, name, algorithm).await
        }
        (Target::Mesh(name), Setting::Algorithm, None) => delete_seen(sockets, name, now).await,
        (Target::Mesh(name), Setting::Mesh(setting), Some(value)) => {
            let attribute = settings::to_mesh(setting, value).ok_or_else(|| misfit(knob, value))?;
            let mesh = existing_mesh(sockets, name).await?;
            set(sockets, sockets.batadv.set_mesh(mesh.ifindex, vec![attribute])).await
        }
        (Target::Vlan(name, vid), Setting::VlanApIsolation, Some(value)) => {
            let attribute = settings::to_vlan(value).ok_or_else(|| misfit(knob, value))?;
            let mesh = existing_mesh(sockets, name).await?;
            set(sockets, sockets.batadv.set_vlan(mesh.ifindex, *vid, vec![attribute])).await
        }
        (Target::Interface(name), Setting::Hard(setting), Some(value)) => {
            let attribute = settings::to_hard(setting, value).ok_or_else(|| misfit(knob, value))?;
            set_hard(sockets, &existing_other(sockets, name).await?, attribute).await
        }
        (Target::Mesh(name), Setting::Master, value) => {
            let mesh = existing_mesh(sockets, name).await?;
            set_master(sockets, &mesh, value, knob).await
        }
        (Target::Interface(name), Setting::Master, value) => {
            let interface = existing_other(sockets, name).await?;
            leaves_no_other_master(sockets, &interface).await?;
            set_master(sockets, &interface, value, knob).await
        }
        (Target::Interface(name), Setting::Radio, value) => {
            let interface = existing_other(sockets, name).await?;
            match value {
                Some(Value::Radio(network)) => radio(sockets.radio.join(interface.ifindex, network)).await,
                Some(value) => Err(misfit(knob, value)),
                None => radio(sockets.radio.leave(interface.ifindex)).await,
            }
        }
        (Target::Mesh(name), setting, Some(value)) => {
            set_link(sockets, &existing_mesh(sockets, name).await?, setting, value, knob).await
        }
        (Target::Interface(name), setting, Some(value)) => {
            set_link(sockets, &existing_other(sockets, name).await?, setting, value, knob).await
        }
        (_, _, Some(value)) => Err(misfit(knob, value)),
        (_, _, None) => Err(WriteError::Refused(format!("{knob} cannot be taken away")).into()),
    }
}

/// Deletes the mesh interface the plan was made for. Another one of that name is somebody's: it stays.
async fn delete_seen(sockets: &Sockets, name: &IfName, now: &Observed) -> Result<(), Failure> {
    let found = find_mesh(sockets, name).await?;
    match to_delete(name, found.map(|mesh| mesh.ifindex), now)? {
        Some(ifindex) => link(sockets.link.delete(ifindex)).await,
        None => Ok(()),
    }
}

/// Names are used again, indices are not. What was not seen, as it came later or could not be read, is nobody's to
/// delete.
fn to_delete(name: &IfName, found: Option<u32>, now: &Observed) -> Result<Option<u32>, WriteError> {
    let Some(found) = found else { return Ok(None) };
    let existed = now.state.get(&Knob::mesh(name, Setting::Algorithm)).is_some();
    let seen = now.facts.interfaces.get(name).filter(|_| existed);
    match seen {
        Some(fact) if fact.ifindex == found => Ok(Some(found)),
        Some(_) => Err(WriteError::Refused(format!(
            "{name} was made anew meanwhile: look again"
        ))),
        None => Err(WriteError::Refused(format!("{name} was made meanwhile: look again"))),
    }
}

/// What every interface has.
async fn set_link(
    sockets: &Sockets,
    interface: &Link,
    setting: Setting,
    value: &Value,
    knob: &Knob,
) -> Result<(), Failure> {
    let change = match (setting, value) {
        (Setting::Up, Value::Flag(up)) => LinkChange::Up(*up),
        (Setting::Mtu, Value::Number(mtu)) => LinkChange::Mtu(*mtu),
        (Setting::Address, Value::Address(address)) => LinkChange::Address(*address),
        _ => return Err(misfit(knob, value)),
    };
    let changed = link(sockets.link.change(interface.ifindex, change)).await;
    match changed {
        Err(Failure::Link(LinkError::Kernel { errno: libc::EBUSY, .. }))
            if setting == Setting::Address && interface.up =>
        {
            while_down(sockets, interface, change).await
        }
        changed => changed,
    }
}

/// Some drivers take another address only while they are down.
async fn while_down(sockets: &Sockets, interface: &Link, change: LinkChange) -> Result<(), Failure> {
    let set = |change| link(sockets.link.change(interface.ifindex, change));
    set(LinkChange::Up(false)).await?;
    let changed = set(change).await;
    // It comes up again whatever became of the address.
    set(LinkChange::Up(true)).await.and(changed)
}

async fn set_master(sockets: &Sockets, interface: &Link, value: Option<&Value>, knob: &Knob) -> Result<(), Failure> {
    let master = match value {
        None => None,
        Some(Value::Interface(name)) => Some(existing(sockets, name).await?.ifindex),
        Some(value) => return Err(misfit(knob, value)),
    };
    if interface.master == master {
        return Ok(());
    }
    link(sockets.link.change(interface.ifindex, LinkChange::Master(master))).await
}

/// The kernel would take it from a bridge or a bond without asking.
async fn leaves_no_other_master(sockets: &Sockets, interface: &Link) -> Result<(), Failure> {
    let Some(index) = interface.master else { return Ok(()) };
    let links = link(sockets.link.list()).await?;
    match links.into_iter().find(|link| link.ifindex == index) {
        Some(master) if master.is_batadv() => Ok(()),
        Some(master) => {
            let name = &interface.ifname;
            let reason = format!("{name} is a member of {}, which keeps it", master.ifname);
            Err(WriteError::Refused(reason).into())
        }
        None => Err(WriteError::Gone.into()),
    }
}

async fn set_hard(sockets: &Sockets, interface: &Link, attribute: BatadvAttr) -> Result<(), Failure> {
    let mesh = interface.master.ok_or(WriteError::Gone)?;
    set(
        sockets,
        sockets
            .batadv
            .set_hard_interface(mesh, interface.ifindex, vec![attribute]),
    )
    .await
}

/// The family's number changes when the module is loaded again. A mesh interface exists, so asking for it loads none.
async fn set(sockets: &Sockets, asked: impl Future<Output = Result<(), BatadvError>>) -> Result<(), Failure> {
    batadv(sockets.batadv.refresh_family()).await?;
    batadv(asked).await
}

/// `None`: there is no interface of that name.
async fn find_mesh(sockets: &Sockets, name: &IfName) -> Result<Option<Link>, Failure> {
    match link(sockets.link.by_name(name.as_str())).await? {
        Some(found) if !found.is_batadv() => Err(other_kind(name, "no mesh interface")),
        found => Ok(found),
    }
}

async fn existing_mesh(sockets: &Sockets, name: &IfName) -> Result<Link, Failure> {
    find_mesh(sockets, name).await?.ok_or(WriteError::Gone.into())
}

async fn existing_other(sockets: &Sockets, name: &IfName) -> Result<Link, Failure> {
    let found = existing(sockets, name).await?;
    if found.is_batadv() {
        return Err(other_kind(name, "a mesh interface"));
    }
    Ok(found)
}

async fn existing(sockets: &Sockets, name: &IfName) -> Result<Link, Failure> {
    let found = link(sockets.link.by_name(name.as_str())).await?;
    found.ok_or(WriteError::Gone.into())
}

pub(super) async fn link<T>(asked: impl Future<Output = Result<T, LinkError>>) -> Result<T, Failure> {
    in_time(ANSWER_WITHIN, asked).await?.map_err(Failure::Link)
}

pub(super) async fn batadv<T>(asked: impl Future<Output = Result<T, BatadvError>>) -> Result<T, Failure> {
    in_time(ANSWER_WITHIN, asked).await?.map_err(Failure::Batadv)
}

async fn radio(asked: impl Future<Output = Result<(), RadioError>>) -> Result<(), Failure> {
    in_time(RADIO_WITHIN, asked).await?.map_err(Failure::Radio)
}

fn misfit(knob: &Knob, value: &Value) -> Failure {
    WriteError::Refused(format!("{knob} cannot be {value}")).into()
}

fn other_kind(name: &IfName, what: &str) -> Failure {
    WriteError::Refused(format!("{name} is {what} now")).into()
}

impl Failure {
    /// The socket is of no more use, or an answer may still come to the wrong question.
    pub(super) fn is_of_the_socket(&self) -> bool {
        matches!(
            self,
            Self::Link(LinkError::Disconnected)
                | Self::Batadv(BatadvError::Disconnected)
                | Self::Radio(RadioError::Disconnected)
                | Self::Other(WriteError::TimedOut(_))
        )
    }
}

impl From<WriteError> for Failure {
    fn from(error: WriteError) -> Self {
        Self::Other(error)
    }
}

/// Seconds that were waited for an answer.
impl From<u64> for Failure {
    fn from(seconds: u64) -> Self {
        Self::Other(WriteError::TimedOut(seconds))
    }
}

impl From<Failure> for WriteError {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Other(error) => error,
            Failure::Link(LinkError::Kernel { errno, source }) => match errno {
                libc::EPERM | libc::EACCES => Self::Denied,
                libc::ENODEV => Self::Gone,
                libc::EOPNOTSUPP => Self::Unsupported(source.to_string()),
                _ => Self::Refused(source.to_string()),
            },
            Failure::Batadv(error) => match error {
                BatadvError::Denied(_) => Self::Denied,
                BatadvError::NoSuchInterface(_) | BatadvError::NoSuchVlan(_) | BatadvError::FamilyMissing => Self::Gone,
                BatadvError::Unsupported(_) => Self::Unsupported(error.to_string()),
                BatadvError::Kernel { source, .. } => Self::Refused(source.to_string()),
                other => Self::Refused(other.to_string()),
            },
            Failure::Radio(error) => match error {
                RadioError::Denied(_) => Self::Denied,
                RadioError::NoSuchInterface => Self::Gone,
                RadioError::Unsupported(_) => Self::Unsupported(error.to_string()),
                other => Self::Refused(other.to_string()),
            },
            Failure::Link(error) => Self::Refused(error.to_string()),
        }
    }
}

#[cfg(test)]
mod tests;
