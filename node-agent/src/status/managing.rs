//! What the agent says of the mesh interfaces it manages.

use std::collections::BTreeMap;

use mesh_proto::model::{IfName, ManagePolicy};
use serde::{Deserialize, Serialize};

/// All of it at one instant.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Managing {
    /// Why nothing is written, if nothing is.
    pub idle: Option<String>,
    /// A change that waits to be confirmed.
    pub pending: Option<Waiting>,
    /// By mesh interface.
    pub meshes: BTreeMap<IfName, Managed>,
}

/// A change that is undone unless it is confirmed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Waiting {
    /// Until it is undone.
    pub seconds_left: u64,
    /// What it changed.
    pub meshes: Vec<IfName>,
}

/// One mesh interface.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Managed {
    /// What is done about differences.
    pub policy: ManagePolicy,
    /// Whose it is, if it is another program's, and where that is written.
    pub owner: Option<String>,
    /// What is not as configured.
    pub drift: Vec<Line>,
    /// What else there is to say, a sentence each.
    pub notes: Vec<String>,
}

/// A setting that is not as configured.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Line {
    /// As in `bat0.hop_penalty`.
    pub setting: String,
    /// As configured; empty: it should not be.
    pub wanted: String,
    /// As it is; empty: it is not.
    pub in_force: String,
    /// What is done about it.
    pub why: String,
}

impl Managing {
    pub(super) fn text(&self) -> Vec<String> {
        let mut lines = Vec::new();
        if let (Some(why), false) = (&self.idle, self.meshes.is_empty()) {
            lines.push(format!("management: nothing is written: {why}"));
        }
        if let Some(waiting) = &self.pending {
            let meshes: Vec<_> = waiting.meshes.iter().map(IfName::as_str).collect();
            lines.push(format!(
                "confirmation pending: the change of {} is undone in {} s unless `node-agent confirm` is run",
                meshes.join(", "),
                waiting.seconds_left
            ));
        }
        for (name, managed) in &self.meshes {
            lines.push(managed.heading(name));
            lines.extend(managed.drift.iter().map(Line::text));
            lines.extend(managed.notes.iter().map(|note| format!("  {note}")));
        }
        lines
    }
}

impl Managed {
    fn heading(&self, name: &IfName) -> String {
        let differs = match self.drift.len() {
            0 => "as configured".to_owned(),
            1 => "1 difference".to_owned(),
            several => format!("{several} differences"),
        };
        match &self.owner {
            Some(owner) => format!("managed {name}: only reported, since it is owned by {owner}; {differs}"),
            None => format!("managed {name}: policy {}, {differs}", self.policy.as_str()),
        }
    }
}

impl Line {
    fn text(&self) -> String {
        if self.wanted.is_empty() && self.in_force.is_empty() {
            return format!("  {}", self.setting);
        }
        let or_none = |text: &str| {
            if text.is_empty() {
                "none".to_owned()
            } else {
                text.to_owned()
            }
        };
        format!(
            "  {}: {} instead of {}; {}",
            self.setting,
            or_none(&self.in_force),
            or_none(&self.wanted),
            self.why
        )
    }
}
