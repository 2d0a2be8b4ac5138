//! The question that joins a network.

use wl_nl80211::{Nl80211Attr, Nl80211Command};

use super::message::{self, Message};
use super::{Channel, InterfaceType, RadioError};
use crate::actuate::{Network, Radio};

/// Longest name of a network.
const NAME_LEN: usize = 32;

/// How a network is joined.
pub(super) struct Join {
    pub(super) iftype: InterfaceType,
    pub(super) message: Message,
}

impl Join {
    pub(super) fn new(ifindex: u32, radio: &Radio) -> Result<Self, RadioError> {
        let (iftype, command, name) = match &radio.network {
            Network::Mesh(id) => (InterfaceType::MeshPoint, Nl80211Command::JoinMesh, id.as_bytes()),
            Network::Ibss(ssid) => (InterfaceType::Adhoc, Nl80211Command::JoinIbss, ssid.as_bytes()),
        };
        if name.is_empty() || name.len() > NAME_LEN {
            return Err(RadioError::Name(name.len()));
        }
        let channel = Channel::new(radio.frequency_mhz, radio.width).ok_or(RadioError::NoSuchChannel {
            frequency_mhz: radio.frequency_mhz,
            width: radio.width.name(),
        })?;
        let mut attributes = vec![
            Nl80211Attr::IfIndex(ifindex),
            Nl80211Attr::WiphyFreq(channel.frequency_mhz),
            Nl80211Attr::ChannelWidth(channel.width),
            Nl80211Attr::CenterFreq1(channel.center_mhz),
        ];
        match iftype {
            InterfaceType::MeshPoint => attributes.extend([
                message::other(message::MESH_ID, name),
                // Frames are forwarded by batman-adv; twice would be once too many.
                message::forwarding(false),
            ]),
            _ => attributes.extend([
                Nl80211Attr::SsidRaw(name.to_vec()),
                // Else it moves to where it finds another of that name.
                message::other(message::FREQ_FIXED, &[]),
            ]),
        }
        Ok(Self {
            iftype,
            message: Message { command, attributes },
        })
    }

    /// How that kind of network is left.
    pub(super) fn leave(ifindex: u32, iftype: InterfaceType) -> Option<Message> {
        let command = match iftype {
            InterfaceType::MeshPoint => Nl80211Command::LeaveMesh,
            InterfaceType::Adhoc => Nl80211Command::LeaveIbss,
            _ => return None,
        };
        Some(Message {
            command,
            attributes: vec![Nl80211Attr::IfIndex(ifindex)],
        })
    }
}
