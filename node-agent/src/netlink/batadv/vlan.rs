//! VLANs on a mesh interface, and the module's routing algorithms.

use std::collections::BTreeSet;

use super::value::VlanId;
use super::{BatadvAttr, BatadvCommand, BatadvError, BatadvHandle, BatadvMessage};

/// Settings of a VLAN on a mesh interface.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Vlan {
    /// 1 to 4094.
    pub vid: u16,
    /// 0 or 1: the VLAN's wireless clients do not reach each other.
    pub ap_isolation: Option<u8>,
}

impl BatadvHandle {
    /// A VLAN's settings; needs no privilege. [`BatadvError::NoSuchVlan`]: no interface with that tag is on top of the
    /// mesh interface.
    pub async fn vlan(&self, mesh_ifindex: u32, vid: u16) -> Result<Vlan, BatadvError> {
        let command = BatadvCommand::GetVlan;
        let request = BatadvMessage {
            command,
            attributes: vec![BatadvAttr::MeshIfindex(mesh_ifindex), BatadvAttr::Vlanid(VlanId(vid))],
        };
        let answer = self.ask(request, false).await?;
        answer
            .messages
            .into_iter()
            .find_map(|message| Vlan::from_attributes(message.attributes))
            .ok_or(BatadvError::NoAnswer(command))
    }

    /// Routing algorithms compiled into the module, such as `BATMAN_IV`.
    pub async fn algorithms(&self) -> Result<BTreeSet<String>, BatadvError> {
        let request = BatadvMessage {
            command: BatadvCommand::GetRoutingAlgos,
            attributes: Vec::new(),
        };
        let answer = self.ask(request, true).await?;
        let attributes = answer.messages.into_iter().flat_map(|message| message.attributes);
        Ok(attributes
            .filter_map(|attribute| match attribute {
                BatadvAttr::AlgoName(name) => Some(name),
                _ => None,
            })
            .collect())
    }
}

impl Vlan {
    /// `None`: no VLAN is named.
    pub fn from_attributes(attributes: Vec<BatadvAttr>) -> Option<Self> {
        let mut vid = None;
        let mut ap_isolation = None;
        for attribute in attributes {
            match attribute {
                BatadvAttr::Vlanid(VlanId(value)) => vid = Some(value & VID_MASK),
                BatadvAttr::ApIsolationEnabled(value) => ap_isolation = Some(value),
                _ => {}
            }
        }
        Some(Self {
            vid: vid?,
            ap_isolation,
        })
    }
}

/// `VLAN_VID_MASK`: without the tag bit.
pub(super) const VID_MASK: u16 = 0x0fff;
