//! The family's `config` group: what somebody sets is announced to all who listen, ourselves included.
//!
//! The group exists while the module is loaded, under another number each time. Coming and going of families is
//! announced by the controller of generic netlink, whose own numbers are fixed, so a module that is loaded again is
//! joined again. The module is never loaded by listening: the controller is asked for the list of all families, not for
//! this one by name.

use std::collections::VecDeque;
use std::io;

use genetlink::message::RawGenlMessage;
use netlink_packet_core::{
    NLM_F_DUMP, NLM_F_REQUEST, NetlinkBuffer, NetlinkMessage, NetlinkPayload, NlasIterator, ParseableParametrized,
};
use netlink_packet_generic::GenlHeader;
use netlink_sys::protocols::NETLINK_GENERIC;

use super::value::VlanId;
use super::vlan::VID_MASK;
use super::{BatadvAttr, BatadvCommand, BatadvMessage};
use crate::netlink::listen::{Heard, Listener};

/// `GENL_ID_CTRL`: the controller's number as a family, and that of its group `notify`.
const CONTROLLER: u16 = 0x10;
/// `CTRL_CMD_NEWFAMILY`, `CTRL_CMD_DELFAMILY`, `CTRL_CMD_GETFAMILY`.
const NEW_FAMILY: u8 = 1;
const DEL_FAMILY: u8 = 2;
const GET_FAMILY: u8 = 3;
/// `CTRL_ATTR_FAMILY_ID`, `CTRL_ATTR_FAMILY_NAME`, `CTRL_ATTR_MCAST_GROUPS`, and what is in the last.
const FAMILY_ID: u16 = 1;
const FAMILY_NAME: u16 = 2;
const GROUPS: u16 = 7;
const GROUP_NAME: u16 = 1;
const GROUP_ID: u16 = 2;
/// Datagrams read at most while the list of families is awaited; there are some thirty families.
const MOST_DATAGRAMS: u32 = 4096;

/// Something was set, or may have been.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum ConfigEvent {
    /// Settings of a mesh interface.
    Mesh {
        /// Its index.
        mesh_ifindex: u32,
    },
    /// Settings of a member.
    HardInterface {
        /// Index of its mesh interface.
        mesh_ifindex: u32,
        /// Its index.
        hard_ifindex: u32,
    },
    /// Settings of a VLAN.
    Vlan {
        /// Index of its mesh interface.
        mesh_ifindex: u32,
        /// 1 to 4094.
        vid: u16,
    },
    /// The module was loaded, and is listened to from now on.
    Loaded,
    /// The module was unloaded.
    Unloaded,
    /// Events were lost: read everything again.
    Lost,
}

/// Hears the events, in the network namespace they were opened in.
#[derive(Debug)]
pub struct ConfigEvents {
    listener: Listener,
    /// The family's number while the module is loaded.
    family: Option<u16>,
    /// Heard and not given out yet: at most what one datagram holds.
    heard: VecDeque<ConfigEvent>,
}

/// What a message says.
#[derive(Debug, PartialEq, Eq)]
enum Said {
    Family {
        id: u16,
        config: Option<u32>,
    },
    FamilyGone,
    Event(ConfigEvent),
    /// The end of the list of families.
    End,
    Nothing,
}

impl ConfigEvents {
    /// What is set after this returns is heard. Needs no privilege, but a tokio runtime with I/O.
    pub fn open() -> io::Result<Self> {
        let listener = Listener::open(NETLINK_GENERIC)?;
        listener.join(u32::from(CONTROLLER))?;
        let mut events = Self {
            listener,
            family: None,
            heard: VecDeque::new(),
        };
        events.look_up()?;
        Ok(events)
    }

    /// The next event. Cancel-safe. After an error the socket is of no more use: open another.
    pub async fn next(&mut self) -> io::Result<ConfigEvent> {
        loop {
            if let Some(event) = self.heard.pop_front() {
                return Ok(event);
            }
            let said = match self.listener.next().await? {
                Heard::Messages(bytes) => read(bytes, self.family),
                Heard::Lost => {
                    // The module may have been loaded again unheard.
                    self.look_up()?;
                    return Ok(ConfigEvent::Lost);
                }
            };
            for said in said {
                let event = self.take(said)?;
                self.heard.extend(event);
            }
        }
    }

    /// Finds the family in the list of all and joins its group. What else is heard meanwhile is thrown away.
    fn look_up(&mut self) -> io::Result<()> {
        self.family = None;
        self.listener.send(&list_families())?;
        for _ in 0..MOST_DATAGRAMS {
            let said = match self.listener.now()? {
                Some(Heard::Messages(bytes)) => read(bytes, None),
                Some(Heard::Lost) => continue,
                None => return Err(io::Error::other("generic netlink did not end its list of families")),
            };
            for said in said {
                if said == Said::End {
                    return Ok(());
                }
                self.take(said)?;
            }
        }
        Err(io::Error::other("generic netlink's list of families has no end"))
    }

    fn take(&mut self, said: Said) -> io::Result<Option<ConfigEvent>> {
        Ok(match said {
            Said::Family { id, config } => {
                if let Some(group) = config {
                    self.listener.join(group)?;
                }
                self.family = Some(id);
                Some(ConfigEvent::Loaded)
            }
            Said::FamilyGone => {
                self.family = None;
                Some(ConfigEvent::Unloaded)
            }
            Said::Event(event) => Some(event),
            Said::End | Said::Nothing => None,
        })
    }
}

/// `CTRL_CMD_GETFAMILY` as a dump: the whole list, which loads no module.
fn list_families() -> Vec<u8> {
    let header = GenlHeader {
        cmd: GET_FAMILY,
        version: 1,
    };
    let mut request = NetlinkMessage::from(RawGenlMessage::new(header, Vec::new(), CONTROLLER));
    request.header.flags = NLM_F_REQUEST | NLM_F_DUMP;
    request.finalize();
    let mut bytes = vec![0; request.buffer_len()];
    request.serialize(&mut bytes);
    bytes
}

/// All messages of a datagram; what is not understood is nothing.
fn read(mut bytes: &[u8], family: Option<u16>) -> Vec<Said> {
    let mut said = Vec::new();
    while let Ok(buffer) = NetlinkBuffer::new_checked(bytes) {
        let length = usize::try_from(buffer.length())
            .unwrap_or(usize::MAX)
            .next_multiple_of(4);
        if let Ok(message) = NetlinkMessage::<RawGenlMessage>::deserialize(bytes) {
            said.push(read_message(&message, family));
        }
        bytes = bytes.get(length..).unwrap_or_default();
    }
    said
}

fn read_message(message: &NetlinkMessage<RawGenlMessage>, family: Option<u16>) -> Said {
    match &message.payload {
        NetlinkPayload::Done(_) | NetlinkPayload::Error(_) => Said::End,
        NetlinkPayload::InnerMessage(inner) if inner.family_id == CONTROLLER => read_family(inner),
        NetlinkPayload::InnerMessage(inner) if Some(inner.family_id) == family => {
            BatadvMessage::parse_with_param(&inner.payload, inner.header)
                .ok()
                .and_then(event)
                .map_or(Said::Nothing, Said::Event)
        }
        _ => Said::Nothing,
    }
}

fn event(message: BatadvMessage) -> Option<ConfigEvent> {
    let mut mesh = None;
    let mut hard = None;
    let mut vlan = None;
    for attribute in message.attributes {
        match attribute {
            BatadvAttr::MeshIfindex(index) => mesh = Some(index),
            BatadvAttr::HardIfindex(index) => hard = Some(index),
            BatadvAttr::Vlanid(VlanId(vid)) => vlan = Some(vid & VID_MASK),
            _ => {}
        }
    }
    let mesh_ifindex = mesh?;
    match message.command {
        BatadvCommand::SetMesh => Some(ConfigEvent::Mesh { mesh_ifindex }),
        BatadvCommand::SetHardif => Some(ConfigEvent::HardInterface {
            mesh_ifindex,
            hard_ifindex: hard?,
        }),
        BatadvCommand::SetVlan => Some(ConfigEvent::Vlan {
            mesh_ifindex,
            vid: vlan?,
        }),
        _ => None,
    }
}

/// What the controller says of a family, if it is ours.
fn read_family(message: &RawGenlMessage) -> Said {
    let mut id = None;
    let mut name = None;
    let mut config = None;
    for attribute in NlasIterator::new(&message.payload[..]).map_while(Result::ok) {
        match attribute.kind() {
            FAMILY_ID => id = <u16 as super::Value>::parse(attribute.value()),
            FAMILY_NAME => name = <String as super::Value>::parse(attribute.value()),
            GROUPS => config = config_group(attribute.value()),
            _ => {}
        }
    }
    match (message.header.cmd, name.as_deref(), id) {
        (NEW_FAMILY, Some("batadv"), Some(id)) => Said::Family { id, config },
        (DEL_FAMILY, Some("batadv"), _) => Said::FamilyGone,
        _ => Said::Nothing,
    }
}

fn config_group(groups: &[u8]) -> Option<u32> {
    NlasIterator::new(groups).map_while(Result::ok).find_map(|group| {
        let mut id = None;
        let mut name = None;
        for attribute in NlasIterator::new(group.value()).map_while(Result::ok) {
            match attribute.kind() {
                GROUP_NAME => name = <String as super::Value>::parse(attribute.value()),
                GROUP_ID => id = <u32 as super::Value>::parse(attribute.value()),
                _ => {}
            }
        }
        id.filter(|_| name.as_deref() == Some("config"))
    })
}

#[cfg(test)]
mod tests;
