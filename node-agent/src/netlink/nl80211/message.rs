//! What travels: a command and its attributes.
//!
//! Of an answer only [`DECODED`] are looked at, by the decoder of `wl-nl80211`. Radios tell a great deal more, and a
//! release of the crate that stumbles over any of it must not cost us the interface.

use netlink_packet_core::{DecodeError, DefaultNla, Emitable, ErrorContext, Nla, NlasIterator, Parseable};
use netlink_packet_core::{NlaBuffer, ParseableParametrized};
use netlink_packet_generic::{GenlFamily, GenlHeader};
use wl_nl80211::{Nl80211Attr, Nl80211Command};

/// `NL80211_ATTR_*` of `include/uapi/linux/nl80211.h`.
const WIPHY: u16 = 1;
const IFINDEX: u16 = 3;
const IFNAME: u16 = 4;
const IFTYPE: u16 = 5;
pub(super) const MESH_ID: u16 = 24;
pub(super) const MESH_CONFIG: u16 = 35;
const WIPHY_FREQ: u16 = 38;
const SSID: u16 = 52;
pub(super) const FREQ_FIXED: u16 = 60;
const CHANNEL_WIDTH: u16 = 159;
const CENTER_FREQ1: u16 = 160;
/// What is decoded; those the crate has no type for are kept as they are.
pub(super) const DECODED: [u16; 10] = [
    WIPHY,
    IFINDEX,
    IFNAME,
    IFTYPE,
    MESH_ID,
    MESH_CONFIG,
    WIPHY_FREQ,
    SSID,
    CHANNEL_WIDTH,
    CENTER_FREQ1,
];
/// `NL80211_MESHCONF_FORWARDING`, inside [`MESH_CONFIG`].
const FORWARDING: u16 = 19;

/// A message of the family.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Message {
    pub(super) command: Nl80211Command,
    pub(super) attributes: Vec<Nl80211Attr>,
}

impl GenlFamily for Message {
    fn family_name() -> &'static str {
        "nl80211"
    }

    fn version(&self) -> u8 {
        1
    }

    fn command(&self) -> u8 {
        self.command.into()
    }
}

impl Emitable for Message {
    fn buffer_len(&self) -> usize {
        self.attributes.as_slice().buffer_len()
    }

    fn emit(&self, buffer: &mut [u8]) {
        self.attributes.as_slice().emit(buffer);
    }
}

impl ParseableParametrized<[u8], GenlHeader> for Message {
    /// Fails only where the attributes' lengths contradict the message's.
    fn parse_with_param(buffer: &[u8], header: GenlHeader) -> Result<Self, DecodeError> {
        let mut attributes = Vec::new();
        for nla in NlasIterator::new(buffer) {
            let nla: NlaBuffer<&[u8]> = nla.context("nl80211 attributes cut off")?;
            if DECODED.contains(&nla.kind()) {
                // One whose value is not of the kind it should be says nothing.
                attributes.extend(Nl80211Attr::parse(&nla));
            }
        }
        Ok(Self {
            command: header.cmd.into(),
            attributes,
        })
    }
}

/// An attribute that the crate has no type for.
pub(super) fn other(kind: u16, value: &[u8]) -> Nl80211Attr {
    Nl80211Attr::Other(DefaultNla::new(kind, value.to_vec()))
}

/// A mesh's configuration in which nothing is said but whether it forwards by itself.
pub(super) fn forwarding(on: bool) -> Nl80211Attr {
    let nested = DefaultNla::new(FORWARDING, vec![u8::from(on)]);
    let mut value = vec![0; nested.buffer_len()];
    nested.emit(&mut value);
    other(MESH_CONFIG | netlink_packet_core::NLA_F_NESTED, &value)
}

/// Whether a mesh's configuration, if this is one, says that it forwards by itself.
pub(super) fn is_forwarding(attribute: &Nl80211Attr) -> Option<bool> {
    let Nl80211Attr::Other(nla) = attribute else {
        return None;
    };
    if nla.kind() & !netlink_packet_core::NLA_F_NESTED != MESH_CONFIG {
        return None;
    }
    let mut value = vec![0; nla.value_len()];
    nla.emit_value(&mut value);
    NlasIterator::new(&value)
        .map_while(Result::ok)
        .find(|nla| nla.kind() == FORWARDING)
        .and_then(|nla| nla.value().first().map(|&on| on != 0))
}
