//! Turns errors into facts of the sample, and says each once.

use std::collections::BTreeMap;

use mesh_proto::model::IfName;

use crate::netlink::batadv::BatadvError;
use crate::netlink::ethtool::EthtoolError;
use crate::sample::{Fault, MeshSample, Read, Sample, Source};

/// What was said last of each source.
#[derive(Debug, Default)]
pub(super) struct Faults {
    said: BTreeMap<(IfName, Source), Fault>,
}

impl Faults {
    /// Logs what changed.
    pub(super) fn report(&mut self, sample: &Sample) {
        for (name, mesh) in &sample.meshes {
            self.say(name, Source::Interface, mesh.as_ref().err());
            if let Ok(mesh) = mesh {
                for (source, fault) in mesh.sources() {
                    self.say(name, source, fault);
                }
            }
        }
    }

    fn say(&mut self, name: &IfName, source: Source, fault: Option<&Fault>) {
        let key = (name.clone(), source);
        if self.said.get(&key) == fault {
            return;
        }
        match fault {
            Some(fault) => {
                tracing::warn!(
                    mesh_ifname = %name,
                    source = source.name(),
                    reason = fault.sentence(source),
                    "source cannot be read"
                );
                self.said.insert(key, fault.clone());
            }
            None => {
                tracing::info!(mesh_ifname = %name, source = source.name(), "source can be read again");
                self.said.remove(&key);
            }
        }
    }
}

/// A socket failed: all are opened anew.
pub(super) fn any_socket(meshes: &BTreeMap<IfName, Read<MeshSample>>) -> bool {
    let socket = |fault: &Fault| matches!(fault, Fault::Socket(_) | Fault::TimedOut(_));
    meshes.values().any(|mesh| match mesh {
        Ok(mesh) => mesh.sources().iter().any(|(_, fault)| fault.is_some_and(socket)),
        Err(fault) => socket(fault),
    })
}

pub(super) fn batadv(error: BatadvError) -> Fault {
    match error {
        BatadvError::FamilyMissing => Fault::NoModule,
        BatadvError::Denied(_) => Fault::Denied,
        BatadvError::NoSuchInterface(_) => Fault::NoInterface,
        BatadvError::Unsupported(_) => Fault::Unsupported,
        BatadvError::Disconnected => Fault::Socket(error.to_string()),
        BatadvError::Kernel { source, .. } => Fault::Kernel(source.to_string()),
        other => Fault::Kernel(other.to_string()),
    }
}

pub(super) fn ethtool(error: EthtoolError) -> Fault {
    match error {
        EthtoolError::NoSuchInterface(_) => Fault::NoInterface,
        EthtoolError::Unsupported(_) => Fault::Unsupported,
        EthtoolError::Io { source, .. } => Fault::Kernel(source.to_string()),
        other => Fault::Kernel(other.to_string()),
    }
}
