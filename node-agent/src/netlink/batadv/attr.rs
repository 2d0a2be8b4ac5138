//! Attributes of the family, as in `enum batadv_nl_attrs`.
//!
//! One table makes the type, its reading and its writing, so that they cannot differ. The numbers are pinned by a test
//! of their own.

use std::net::Ipv4Addr;

use netlink_packet_core::{DefaultNla, NLA_F_NESTED, NLA_F_NET_BYTEORDER, Nla, NlaBuffer};

use super::MacAddr;
use super::value::{Flag, Value, VlanId};

macro_rules! attributes {
    ($($(#[$doc:meta])* $id:literal $name:ident($type:ty);)+) => {
        /// An attribute of a message.
        #[derive(Debug, Clone, PartialEq, Eq)]
        #[non_exhaustive]
        pub enum BatadvAttr {
            $($(#[$doc])* $name($type),)+
            /// One this release does not know, or whose value is not of the kind it should be.
            Other(DefaultNla),
        }

        impl BatadvAttr {
            fn parse_known(kind: u16, value: &[u8]) -> Option<Self> {
                match kind {
                    $($id => Some(Self::$name(<$type as Value>::parse(value)?)),)+
                    _ => None,
                }
            }
        }

        impl Nla for BatadvAttr {
            fn value_len(&self) -> usize {
                match self {
                    $(Self::$name(value) => Value::value_len(value),)+
                    Self::Other(other) => other.value_len(),
                }
            }

            fn kind(&self) -> u16 {
                match self {
                    $(Self::$name(_) => $id,)+
                    Self::Other(other) => other.kind(),
                }
            }

            fn emit_value(&self, buffer: &mut [u8]) {
                match self {
                    $(Self::$name(value) => value.emit(buffer),)+
                    Self::Other(other) => other.emit_value(buffer),
                }
            }
        }

        /// Number and name of every known attribute.
        #[cfg(test)]
        pub(super) fn known() -> Vec<(u16, &'static str)> {
            vec![$(($id, stringify!($name)),)+]
        }
    };
}

attributes! {
    // the mesh interface and this node
    /// Release of the module.
    1 Version(String);
    /// Routing algorithm, such as `BATMAN_IV`.
    2 AlgoName(String);
    /// Index of the mesh interface.
    3 MeshIfindex(u32);
    /// Name of the mesh interface.
    4 MeshIfname(String);
    /// Address of the mesh interface.
    5 MeshAddress(MacAddr);
    // hard interfaces
    /// Index of a member.
    6 HardIfindex(u32);
    /// Name of a member.
    7 HardIfname(String);
    /// Address of a member.
    8 HardAddress(MacAddr);
    // originators
    /// Address of an originator.
    9 OrigAddress(MacAddr);
    // throughput meter
    /// How a measurement ended.
    10 TpmeterResult(u8);
    /// Length of a measurement, milliseconds.
    11 TpmeterTestTime(u32);
    /// Bytes acknowledged in a measurement.
    12 TpmeterBytes(u64);
    /// Identity of a measurement.
    13 TpmeterCookie(u32);
    /// Aligns 64-bit values.
    14 Pad(Flag);
    /// The member is in use.
    15 Active(Flag);
    // translation tables
    /// Address of a client.
    16 TtAddress(MacAddr);
    /// Version of the table that announced the client.
    17 TtTtvn(u8);
    /// Newest version seen of the originator's table.
    18 TtLastTtvn(u8);
    /// Checksum of the table in that VLAN.
    19 TtCrc32(u32);
    /// VLAN id with the tag bit.
    20 TtVid(u16);
    /// See [`super::TtFlags`].
    21 TtFlags(u32);
    /// The entry in use among those for the same key.
    22 FlagBest(Flag);
    // originators and neighbors
    /// Milliseconds since it was last heard of.
    23 LastSeenMsecs(u32);
    /// Address of a neighbor's hard interface.
    24 NeighAddress(MacAddr);
    /// Transmit quality, 0 to 255 (BATMAN_IV).
    25 Tq(u8);
    /// kbit/s (BATMAN_V).
    26 Throughput(u32);
    // gateways
    /// 100 kbit/s.
    27 BandwidthUp(u32);
    /// 100 kbit/s.
    28 BandwidthDown(u32);
    /// Next hop to a gateway.
    29 Router(MacAddr);
    // bridge loop avoidance
    /// This node's own.
    30 BlaOwn(Flag);
    /// Address of a claimed client.
    31 BlaAddress(MacAddr);
    /// VLAN id with the tag bit.
    32 BlaVid(u16);
    /// Address of a backbone gateway.
    33 BlaBackbone(MacAddr);
    /// Checksum of a backbone gateway's claims.
    34 BlaCrc(u16);
    // distributed ARP table
    /// IPv4 address (network byte order).
    35 DatCacheIp4address(Ipv4Addr);
    /// Its hardware address.
    36 DatCacheHwaddress(MacAddr);
    /// VLAN id with the tag bit.
    37 DatCacheVid(u16);
    // multicast
    /// What an originator wants of multicast.
    38 McastFlags(u32);
    /// What this node knows of queriers.
    39 McastFlagsPriv(u32);
    // settings
    /// VLAN id with the tag bit.
    40 Vlanid(VlanId);
    /// OGMs travel together.
    41 AggregatedOgmsEnabled(u8);
    /// Wireless clients do not reach each other.
    42 ApIsolationEnabled(u8);
    /// Mark of packets to isolate.
    43 IsolationMark(u32);
    /// Bits of the mark that matter.
    44 IsolationMask(u32);
    /// Several ways are used at once.
    45 BondingEnabled(u8);
    /// Bridge loop avoidance runs.
    46 BridgeLoopAvoidanceEnabled(u8);
    /// Distributed ARP table runs.
    47 DistributedArpTableEnabled(u8);
    /// Frames too long for a member are split.
    48 FragmentationEnabled(u8);
    /// Announced by this node as a gateway, 100 kbit/s.
    49 GwBandwidthDown(u32);
    /// Announced by this node as a gateway, 100 kbit/s.
    50 GwBandwidthUp(u32);
    /// 0 off, 1 client, 2 server.
    51 GwMode(u8);
    /// When a client changes its gateway.
    52 GwSelClass(u32);
    /// Part of 255 a metric loses at this node or member.
    53 HopPenalty(u8);
    /// Kernels with debugging only.
    54 LogLevel(u32);
    /// Multicast goes everywhere.
    55 MulticastForcefloodEnabled(u8);
    /// Releases before 2025.4.
    56 NetworkCodingEnabled(u8);
    /// Milliseconds between two OGMs.
    57 OrigInterval(u32);
    /// Milliseconds between two ELPs (BATMAN_V).
    58 ElpInterval(u32);
    /// 100 kbit/s; 0: measured (BATMAN_V).
    59 ThroughputOverride(u32);
    /// Most receivers of a multicast frame sent as unicast.
    60 MulticastFanout(u32);
}

impl BatadvAttr {
    /// Never fails: what is not understood is kept.
    pub fn parse(nla: &NlaBuffer<&[u8]>) -> Self {
        let known = if nla.nested_flag() || nla.network_byte_order_flag() {
            None
        } else {
            Self::parse_known(nla.kind(), nla.value())
        };
        known.unwrap_or_else(|| {
            let flags = if nla.nested_flag() { NLA_F_NESTED } else { 0 }
                | if nla.network_byte_order_flag() {
                    NLA_F_NET_BYTEORDER
                } else {
                    0
                };
            Self::Other(DefaultNla::new(nla.kind() | flags, nla.value().to_vec()))
        })
    }
}
