//! What travels: a command and its attributes.

use netlink_packet_core::{DecodeError, Emitable, ErrorContext, NlasIterator, ParseableParametrized};
use netlink_packet_generic::{GenlFamily, GenlHeader};

use super::{BatadvAttr, BatadvCommand};

/// A message of the family.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BatadvMessage {
    /// What is asked, or what was asked.
    pub command: BatadvCommand,
    /// In the order they travel.
    pub attributes: Vec<BatadvAttr>,
}

impl GenlFamily for BatadvMessage {
    fn family_name() -> &'static str {
        "batadv"
    }

    fn version(&self) -> u8 {
        1
    }

    fn command(&self) -> u8 {
        self.command.into()
    }
}

impl Emitable for BatadvMessage {
    fn buffer_len(&self) -> usize {
        self.attributes.as_slice().buffer_len()
    }

    fn emit(&self, buffer: &mut [u8]) {
        self.attributes.as_slice().emit(buffer);
    }
}

impl ParseableParametrized<[u8], GenlHeader> for BatadvMessage {
    /// Fails only where the attributes' lengths contradict the message's.
    fn parse_with_param(buffer: &[u8], header: GenlHeader) -> Result<Self, DecodeError> {
        let attributes = NlasIterator::new(buffer)
            .map(|nla| Ok(BatadvAttr::parse(&nla.context("batadv attributes cut off")?)))
            .collect::<Result<_, DecodeError>>()?;
        Ok(Self {
            command: header.cmd.into(),
            attributes,
        })
    }
}
