//! What can be set. Each is acknowledged by the kernel, which may clamp or ignore a value all the same: read it back.

use super::value::VlanId;
use super::{BatadvAttr, BatadvCommand, BatadvError, BatadvHandle, BatadvMessage};

impl BatadvHandle {
    /// Settings of a mesh interface (`BATADV_CMD_SET_MESH`).
    pub async fn set_mesh(&self, mesh_ifindex: u32, settings: Vec<BatadvAttr>) -> Result<(), BatadvError> {
        self.change(request(
            BatadvCommand::SetMesh,
            [BatadvAttr::MeshIfindex(mesh_ifindex)],
            settings,
        ))
        .await
    }

    /// Settings of a member (`BATADV_CMD_SET_HARDIF`).
    pub async fn set_hard_interface(
        &self,
        mesh_ifindex: u32,
        hard_ifindex: u32,
        settings: Vec<BatadvAttr>,
    ) -> Result<(), BatadvError> {
        let which = [
            BatadvAttr::MeshIfindex(mesh_ifindex),
            BatadvAttr::HardIfindex(hard_ifindex),
        ];
        self.change(request(BatadvCommand::SetHardif, which, settings)).await
    }

    /// Settings of a VLAN, 1 to 4094 (`BATADV_CMD_SET_VLAN`).
    pub async fn set_vlan(&self, mesh_ifindex: u32, vid: u16, settings: Vec<BatadvAttr>) -> Result<(), BatadvError> {
        let which = [BatadvAttr::MeshIfindex(mesh_ifindex), BatadvAttr::Vlanid(VlanId(vid))];
        self.change(request(BatadvCommand::SetVlan, which, settings)).await
    }
}

/// What is meant comes first, then what it shall be.
pub(super) fn request<const N: usize>(
    command: BatadvCommand,
    which: [BatadvAttr; N],
    settings: Vec<BatadvAttr>,
) -> BatadvMessage {
    BatadvMessage {
        command,
        attributes: which.into_iter().chain(settings).collect(),
    }
}
