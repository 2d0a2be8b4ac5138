//! What an agent is told to look after, and how far it has come.

use serde::{Deserialize, Serialize};

use super::MeshId;

/// A mesh interface whose settings the agent looks after.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Managed {
    /// The configured name of the mesh.
    pub mesh: MeshId,
    /// What it does about a difference.
    pub policy: ManagePolicy,
    /// How many settings differ now from what the configuration says.
    pub drift: u32,
}

/// What is done about a setting that is not as it should be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ManagePolicy {
    /// It is said.
    #[default]
    Report,
    /// It is put right.
    Enforce,
    /// It is said: the interface is another program's.
    LeftToOwner,
}

// === impl ManagePolicy ===

impl ManagePolicy {
    /// As it stands in the configuration and in answers.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Report => "report",
            Self::Enforce => "enforce",
            Self::LeftToOwner => "left_to_owner",
        }
    }
}
