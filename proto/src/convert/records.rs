//! The history lane.

use super::entries::{churn_method, churn_method_pb, neighbor_key, neighbor_key_pb};
use super::{Reason, Reject, address, at_most, limits, name, reject, required};
use crate::model::{Event, Record};
use crate::pb;

impl From<&Record> for pb::Record {
    fn from(record: &Record) -> Self {
        let kind = match &record.event {
            Event::PathSwitch {
                mesh_ifname,
                orig_address,
                old_neigh_address,
                new_neigh_address,
                method,
            } => pb::record::Kind::PathSwitch(pb::PathSwitch {
                mesh_ifname: mesh_ifname.to_string(),
                orig_address: orig_address.0.to_vec(),
                old_neigh_address: old_neigh_address.0.to_vec(),
                new_neigh_address: new_neigh_address.0.to_vec(),
                method: churn_method_pb(*method).into(),
            }),
            Event::AdjacencyChange { mesh_ifname, key, up } => pb::record::Kind::AdjacencyChange(pb::AdjacencyChange {
                mesh_ifname: mesh_ifname.to_string(),
                key: Some(neighbor_key_pb(key)),
                up: *up,
            }),
        };
        Self {
            boottime_ns: record.boottime_ns,
            kind: Some(kind),
        }
    }
}

/// `None`: a kind of event this release does not know; its number still counts.
pub(super) fn record(record: pb::Record) -> Result<Option<Record>, Reject> {
    let event = match record.kind {
        None => return Ok(None),
        Some(pb::record::Kind::PathSwitch(switch)) => Event::PathSwitch {
            mesh_ifname: name("path_switch.mesh_ifname", &switch.mesh_ifname)?,
            orig_address: address("path_switch.orig_address", &switch.orig_address)?,
            old_neigh_address: address("path_switch.old_neigh_address", &switch.old_neigh_address)?,
            new_neigh_address: address("path_switch.new_neigh_address", &switch.new_neigh_address)?,
            method: churn_method(switch.method),
        },
        Some(pb::record::Kind::AdjacencyChange(change)) => Event::AdjacencyChange {
            mesh_ifname: name("adjacency_change.mesh_ifname", &change.mesh_ifname)?,
            key: neighbor_key("adjacency_change.key", required("adjacency_change.key", change.key)?)?,
            up: change.up,
        },
    };
    Ok(Some(Record {
        boottime_ns: record.boottime_ns,
        event,
    }))
}

impl pb::Records {
    /// The records with their numbers; those of unknown kind are left out.
    ///
    /// # Errors
    /// [`Reject`] when there are too many, when one is malformed, or when the numbers do not start at 1 or later.
    pub fn into_model(self) -> Result<Vec<(u64, Record)>, Reject> {
        at_most("records", self.records.len(), limits::RECORDS)?;
        let first = self.first_sequence;
        if first == 0 || first.checked_add(self.records.len() as u64).is_none() {
            let allowed = "1 and above, without overflow";
            return Err(reject(
                "records.first_sequence",
                Reason::Range { value: first, allowed },
            ));
        }
        let mut known = Vec::with_capacity(self.records.len());
        for (sequence, message) in (first..).zip(self.records) {
            known.extend(record(message)?.map(|record| (sequence, record)));
        }
        Ok(known)
    }
}
