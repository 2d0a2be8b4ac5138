//! The history lane.

use super::entries::{churn_method, churn_method_pb, neighbor_key, neighbor_key_pb};
use super::{Reason, Reject, address, at_most, limits, name, reject, required, shortened};
use crate::model::{DriftAction, Event, Record};
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
            Event::ConfigDrift {
                mesh_ifname,
                setting,
                wanted,
                in_force,
                action,
            } => pb::record::Kind::ConfigDrift(pb::ConfigDrift {
                mesh_ifname: mesh_ifname.to_string(),
                // A text too long must not cost the message with all its records.
                setting: shortened(setting, limits::VALUE),
                wanted: shortened(wanted, limits::VALUE),
                in_force: shortened(in_force, limits::VALUE),
                action: drift_action_pb(*action).into(),
            }),
            Event::GatewaySilent {
                mesh_ifname,
                orig_address,
                silent,
                given_up,
                last_seen_msecs,
            } => pb::record::Kind::GatewaySilent(pb::GatewaySilent {
                mesh_ifname: mesh_ifname.to_string(),
                orig_address: orig_address.0.to_vec(),
                silent: *silent,
                given_up: *given_up,
                last_seen_msecs: *last_seen_msecs,
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
        Some(pb::record::Kind::ConfigDrift(drift)) => Event::ConfigDrift {
            mesh_ifname: name("config_drift.mesh_ifname", &drift.mesh_ifname)?,
            action: drift_action(drift.action),
            setting: value("config_drift.setting", drift.setting)?,
            wanted: value("config_drift.wanted", drift.wanted)?,
            in_force: value("config_drift.in_force", drift.in_force)?,
        },
        Some(pb::record::Kind::GatewaySilent(gateway)) => Event::GatewaySilent {
            mesh_ifname: name("gateway_silent.mesh_ifname", &gateway.mesh_ifname)?,
            orig_address: address("gateway_silent.orig_address", &gateway.orig_address)?,
            silent: gateway.silent,
            given_up: gateway.given_up,
            last_seen_msecs: gateway.last_seen_msecs,
        },
    };
    Ok(Some(Record {
        boottime_ns: record.boottime_ns,
        event,
    }))
}

fn value(field: &'static str, text: String) -> Result<String, Reject> {
    at_most(field, text.len(), limits::VALUE)?;
    Ok(text)
}

fn drift_action_pb(action: DriftAction) -> pb::DriftAction {
    match action {
        DriftAction::Reported => pb::DriftAction::Reported,
        DriftAction::PutRight => pb::DriftAction::PutRight,
        DriftAction::HeldBack => pb::DriftAction::HeldBack,
        DriftAction::Refused => pb::DriftAction::Refused,
    }
}

/// An action this release does not know is taken for none: the difference is certain all the same.
fn drift_action(action: i32) -> DriftAction {
    match pb::DriftAction::try_from(action) {
        Ok(pb::DriftAction::PutRight) => DriftAction::PutRight,
        Ok(pb::DriftAction::HeldBack) => DriftAction::HeldBack,
        Ok(pb::DriftAction::Refused) => DriftAction::Refused,
        Ok(pb::DriftAction::Reported | pb::DriftAction::Unspecified) | Err(_) => DriftAction::Reported,
    }
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
