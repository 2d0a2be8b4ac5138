//! How the managed mesh interfaces stand, for `status` and for the collector.

use std::collections::BTreeMap;

use mesh_proto::model::hello::default_mesh;
use mesh_proto::model::{IfName, ManagePolicy, Managed};

use super::differences;
use super::manager::Manager;
use crate::actuate::Kernel;
use crate::actuate::keeper::Standing;
use crate::actuate::plan::Plan;
use crate::config::Policy;
use crate::status::{self, Managing, Waiting};

impl<K: Kernel> Manager<K> {
    /// For the collector.
    pub fn managed(&self) -> BTreeMap<IfName, Managed> {
        let managed = self.wishes.meshes.iter().filter_map(|(name, wish)| {
            let mesh = wish.name.clone().map_or_else(|| default_mesh(name), Ok).ok()?;
            let drift = u32::try_from(self.drift(name).len()).unwrap_or(u32::MAX);
            let policy = self.policy(name);
            Some((name.clone(), Managed { mesh, policy, drift }))
        });
        managed.collect()
    }

    /// For people on the machine.
    pub fn managing(&self) -> Managing {
        let now = self.clock.now();
        let meshes = self.concerned().into_iter().map(|name| {
            let owner = self
                .seen
                .resolved
                .get(&name)
                .and_then(|resolved| resolved.owner.as_ref());
            let lines = self.drift(&name).into_iter().map(|line| status::Line {
                setting: line.setting,
                wanted: line.wanted,
                in_force: line.in_force,
                why: line.why,
            });
            let managed = status::Managed {
                policy: self.policy(&name),
                owner: owner.map(|owner| format!("{} ({})", owner.manager, owner.file.display())),
                drift: lines.collect(),
                notes: self.notes(&name),
            };
            (name, managed)
        });
        Managing {
            idle: match (&self.ledger, &self.seen.error) {
                (Err(why), _) => Some(why.clone()),
                (_, Some(error)) => Some(error.to_string()),
                _ => None,
            },
            pending: self.pending().map(|pending| Waiting {
                seconds_left: pending.deadline_ns.saturating_sub(super::clock::nanos(now)) / 1_000_000_000,
                meshes: pending.meshes.keys().cloned().collect(),
            }),
            meshes: meshes.collect(),
        }
    }

    fn policy(&self, mesh: &IfName) -> ManagePolicy {
        let owned = self
            .seen
            .resolved
            .get(mesh)
            .is_some_and(|resolved| resolved.owner.is_some());
        match self.wishes.meshes.get(mesh).map(|wish| wish.policy) {
            _ if owned => ManagePolicy::LeftToOwner,
            Some(Policy::Enforce) => ManagePolicy::Enforce,
            Some(Policy::Report) | None => ManagePolicy::Report,
        }
    }

    /// Against the configuration, also where it was undone and something else is kept.
    fn drift(&self, mesh: &IfName) -> Vec<Standing> {
        let keeper = self.keepers.get(mesh);
        let mut lines = keeper
            .map(|keeper| keeper.standing(self.clock.now()))
            .unwrap_or_default();
        if let (Some(_), Some(resolved)) = (self.rejected(mesh), self.seen.resolved.get(mesh)) {
            let observed = &self.seen.observed;
            let plan = Plan::new(&observed.state, &resolved.goal);
            let wished = differences::of_goal(&resolved.goal, &plan, observed, true);
            for difference in wished.into_iter().chain(differences::beside(resolved)) {
                if !lines.iter().any(|line| line.setting == difference.setting) {
                    lines.push(Standing {
                        setting: difference.setting,
                        wanted: difference.wanted,
                        in_force: difference.in_force,
                        why: "left alone: this configuration was undone".to_owned(),
                    });
                }
            }
        }
        lines
    }

    fn notes(&self, mesh: &IfName) -> Vec<String> {
        let mut notes = Vec::new();
        if let Some(rejected) = self.rejected(mesh) {
            notes.push(if rejected.reached {
                "its last change was undone: it is kept as it was before, until the configuration changes or \
                 `node-agent apply` is run"
                    .to_owned()
            } else if self.walked.contains(mesh) {
                "its last change was undone, but not all of it could be".to_owned()
            } else {
                "its last change is being undone".to_owned()
            });
            let absent = differences::absent(rejected.goal(&self.clock.boot_id), &self.seen.observed);
            notes.extend(
                absent
                    .iter()
                    .map(|name| format!("{name} was a member before and is not there")),
            );
        }
        if self.torn_down {
            notes.push("torn down: nothing is done until reload, apply or restart".to_owned());
        } else if self.waits_for_another(mesh) {
            notes.push("nothing is done until its last change is confirmed or undone".to_owned());
        }
        if let Some(resolved) = self.seen.resolved.get(mesh) {
            notes.extend(resolved.warnings.iter().cloned());
        }
        notes
    }
}
