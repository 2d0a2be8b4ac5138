//! Commands of the family.

/// A command of the family, as in `enum batadv_nl_commands`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum BatadvCommand {
    /// Settings of a mesh interface; needs no privilege.
    GetMesh,
    /// Starts a throughput measurement.
    TpMeter,
    /// Ends a throughput measurement.
    TpMeterCancel,
    /// Routing algorithms compiled in.
    GetRoutingAlgos,
    /// A member of a mesh interface, or all of them; needs no privilege.
    GetHardif,
    /// Clients announced by this node.
    GetTranstableLocal,
    /// Clients announced by others.
    GetTranstableGlobal,
    /// Originators, an entry for each next hop they can be reached by.
    GetOriginators,
    /// Neighbors, an entry for each member they are heard on.
    GetNeighbors,
    /// Gateways announced.
    GetGateways,
    /// Bridge loop avoidance: clients claimed.
    GetBlaClaim,
    /// Bridge loop avoidance: gateways into the same backbone.
    GetBlaBackbone,
    /// Distributed ARP table: what this node holds of it.
    GetDatCache,
    /// Multicast flags of the originators.
    GetMcastFlags,
    /// Changes settings of a mesh interface.
    SetMesh,
    /// Changes settings of a member.
    SetHardif,
    /// Settings of a VLAN on a mesh interface; needs no privilege.
    GetVlan,
    /// Changes settings of a VLAN.
    SetVlan,
    /// One this release does not know.
    Other(u8),
}

/// In the order of their numbers, which begin at 1 (0 is `BATADV_CMD_UNSPEC`).
const KNOWN: [BatadvCommand; 18] = [
    BatadvCommand::GetMesh,
    BatadvCommand::TpMeter,
    BatadvCommand::TpMeterCancel,
    BatadvCommand::GetRoutingAlgos,
    BatadvCommand::GetHardif,
    BatadvCommand::GetTranstableLocal,
    BatadvCommand::GetTranstableGlobal,
    BatadvCommand::GetOriginators,
    BatadvCommand::GetNeighbors,
    BatadvCommand::GetGateways,
    BatadvCommand::GetBlaClaim,
    BatadvCommand::GetBlaBackbone,
    BatadvCommand::GetDatCache,
    BatadvCommand::GetMcastFlags,
    BatadvCommand::SetMesh,
    BatadvCommand::SetHardif,
    BatadvCommand::GetVlan,
    BatadvCommand::SetVlan,
];

impl From<u8> for BatadvCommand {
    fn from(id: u8) -> Self {
        usize::from(id)
            .checked_sub(1)
            .and_then(|index| KNOWN.get(index).copied())
            .unwrap_or(Self::Other(id))
    }
}

impl From<BatadvCommand> for u8 {
    fn from(command: BatadvCommand) -> Self {
        match command {
            BatadvCommand::GetMesh => 1,
            BatadvCommand::TpMeter => 2,
            BatadvCommand::TpMeterCancel => 3,
            BatadvCommand::GetRoutingAlgos => 4,
            BatadvCommand::GetHardif => 5,
            BatadvCommand::GetTranstableLocal => 6,
            BatadvCommand::GetTranstableGlobal => 7,
            BatadvCommand::GetOriginators => 8,
            BatadvCommand::GetNeighbors => 9,
            BatadvCommand::GetGateways => 10,
            BatadvCommand::GetBlaClaim => 11,
            BatadvCommand::GetBlaBackbone => 12,
            BatadvCommand::GetDatCache => 13,
            BatadvCommand::GetMcastFlags => 14,
            BatadvCommand::SetMesh => 15,
            BatadvCommand::SetHardif => 16,
            BatadvCommand::GetVlan => 17,
            BatadvCommand::SetVlan => 18,
            BatadvCommand::Other(id) => id,
        }
    }
}
