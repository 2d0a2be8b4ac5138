//! Which batman-adv packet an Ethernet frame carries.
//!
//! Only what names the packet is read: the ethertype, the type byte, and the lengths. What stands behind the header
//! is not looked at, so an aggregate of OGMs is *one* packet of the type of its first header: the frame is what
//! occupies the medium. Numbers are those of `include/uapi/linux/batadv_packet.h`.
//!
//! A tag decides whose frame it is. With VLAN id 0 (a priority tag) the kernel hands the frame to the interface
//! itself, and it is looked through. With any other id the frame belongs to the VLAN interface on top, which counts
//! it if it is a hard interface of the mesh; here it is no batman-adv frame, or it would be counted twice.

/// Ethertype of batman-adv (`ETH_P_BATMAN`).
pub const ETHERTYPE_BATADV: u16 = 0x4305;
const ETHERTYPE_VLAN: u16 = 0x8100;
const ETHERTYPE_QINQ: u16 = 0x88a8;
const VLAN_ID_MASK: u16 = 0x0fff;

/// How many bytes from the start of a frame [`classify`] needs: none, one or two VLAN tags before the type byte.
pub const HEAD_LENS: [usize; 3] = [15, 19, 23];

/// A batman-adv packet type; what this release does not know is [`PacketType::Other`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum PacketType {
    /// Originator message of BATMAN_IV, 0x00.
    IvOgm = 0,
    /// Broadcast payload, 0x01.
    Bcast = 1,
    /// Network-coded payload, 0x02; sent by kernels before 6.18 only.
    Coded = 2,
    /// Echo location protocol of BATMAN_V, 0x03.
    Elp = 3,
    /// Originator message of BATMAN_V, 0x04.
    Ogm2 = 4,
    /// Multicast payload, 0x05; kernel 6.8 and later.
    Mcast = 5,
    /// Unicast payload, 0x40.
    Unicast = 6,
    /// Fragment of a unicast packet, 0x41.
    UnicastFrag = 7,
    /// Unicast payload with the source originator's address, 0x42.
    Unicast4Addr = 8,
    /// batman-adv's own ICMP, 0x43.
    Icmp = 9,
    /// Unicast TVLV container, 0x44.
    UnicastTvlv = 10,
    /// A type this release does not know, or a frame shorter than its type's header.
    Other = 11,
}

impl PacketType {
    /// How many there are.
    pub const COUNT: usize = 12;

    /// All of them; each stands at its [`PacketType::index`].
    pub const ALL: [Self; Self::COUNT] = [
        Self::IvOgm,
        Self::Bcast,
        Self::Coded,
        Self::Elp,
        Self::Ogm2,
        Self::Mcast,
        Self::Unicast,
        Self::UnicastFrag,
        Self::Unicast4Addr,
        Self::Icmp,
        Self::UnicastTvlv,
        Self::Other,
    ];

    /// The type that the first byte after the Ethernet header stands for.
    #[must_use]
    #[inline(always)]
    pub const fn from_wire(byte: u8) -> Self {
        match byte {
            0x00 => Self::IvOgm,
            0x01 => Self::Bcast,
            0x02 => Self::Coded,
            0x03 => Self::Elp,
            0x04 => Self::Ogm2,
            0x05 => Self::Mcast,
            0x40 => Self::Unicast,
            0x41 => Self::UnicastFrag,
            0x42 => Self::Unicast4Addr,
            0x43 => Self::Icmp,
            0x44 => Self::UnicastTvlv,
            _ => Self::Other,
        }
    }

    /// Its place in a table of counters, below [`PacketType::COUNT`].
    #[must_use]
    #[inline(always)]
    pub const fn index(self) -> usize {
        self as usize
    }

    /// Its name as a metric label.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::IvOgm => "iv_ogm",
            Self::Bcast => "bcast",
            Self::Coded => "coded",
            Self::Elp => "elp",
            Self::Ogm2 => "ogm2",
            Self::Mcast => "mcast",
            Self::Unicast => "unicast",
            Self::UnicastFrag => "unicast_frag",
            Self::Unicast4Addr => "unicast_4addr",
            Self::Icmp => "icmp",
            Self::UnicastTvlv => "unicast_tvlv",
            Self::Other => "other",
        }
    }

    /// Bytes of its fixed header, behind the Ethernet header; for ICMP that of the shortest message.
    #[must_use]
    #[inline(always)]
    pub const fn header_len(self) -> usize {
        match self {
            Self::IvOgm => 24,
            Self::Bcast => 14,
            Self::Coded => 46,
            Self::Elp => 16,
            Self::Mcast => 6,
            Self::Unicast => 10,
            Self::Unicast4Addr => 18,
            Self::Ogm2 | Self::UnicastFrag | Self::Icmp | Self::UnicastTvlv => 20,
            Self::Other => 1,
        }
    }
}

/// What the first bytes of a frame say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Head {
    /// A batman-adv packet of the interface the frame was seen on.
    Packet(PacketType),
    /// A priority tag stands before the type byte: ask again with the next of [`HEAD_LENS`].
    Longer,
    /// Not a batman-adv packet of this interface.
    Foreign,
}

/// Classifies a frame by its first bytes (`head`, from the destination address on); `frame_len` is the length of the
/// whole frame, Ethernet header included.
#[must_use]
#[inline(always)]
pub fn classify(head: &[u8], frame_len: usize) -> Head {
    let mut at = 12;
    // The ethertype stands behind the addresses and at most two tags.
    while at + 2 < HEAD_LENS[2] {
        let (Some(&high), Some(&low)) = (head.get(at), head.get(at + 1)) else {
            return shorter(head, frame_len);
        };
        match u16::from_be_bytes([high, low]) {
            ETHERTYPE_BATADV => {
                let Some(&first) = head.get(at + 2) else {
                    return shorter(head, frame_len);
                };
                let kind = PacketType::from_wire(first);
                let payload = frame_len.saturating_sub(at + 2);
                return Head::Packet(if payload < kind.header_len() {
                    PacketType::Other
                } else {
                    kind
                });
            }
            ETHERTYPE_VLAN | ETHERTYPE_QINQ => {
                let (Some(&high), Some(&low)) = (head.get(at + 2), head.get(at + 3)) else {
                    return shorter(head, frame_len);
                };
                if u16::from_be_bytes([high, low]) & VLAN_ID_MASK != 0 {
                    return Head::Foreign;
                }
                at += 4;
            }
            _ => return Head::Foreign,
        }
    }
    Head::Foreign
}

/// The verdict when `head` ended too early: worth another look only if the frame has more than was given.
#[inline(always)]
const fn shorter(head: &[u8], frame_len: usize) -> Head {
    if head.len() < frame_len && head.len() < HEAD_LENS[2] {
        Head::Longer
    } else {
        Head::Foreign
    }
}

#[cfg(test)]
mod tests;
