//! The kinds of values attributes carry. Integers are in the machine's byte order unless said otherwise.

use std::net::Ipv4Addr;

use super::MacAddr;

/// What an attribute can carry.
pub trait Value: Sized {
    /// `None`: these bytes are no such value.
    fn parse(bytes: &[u8]) -> Option<Self>;
    /// Bytes it takes.
    fn value_len(&self) -> usize;
    /// Writes it to a buffer of exactly [`Value::value_len`] bytes.
    fn emit(&self, buffer: &mut [u8]);
}

/// An attribute whose presence is its value (`NLA_FLAG`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Flag;

/// A VLAN id with batman-adv's tag bit. Written as 16 bits, the only length the kernel takes; read as 16 or 32 bits,
/// since the kernel answers with 32.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct VlanId(pub u16);

macro_rules! integer {
    ($($type:ty),+) => { $(
        impl Value for $type {
            fn parse(bytes: &[u8]) -> Option<Self> {
                Some(Self::from_ne_bytes(bytes.try_into().ok()?))
            }

            fn value_len(&self) -> usize {
                size_of::<Self>()
            }

            fn emit(&self, buffer: &mut [u8]) {
                buffer.copy_from_slice(&self.to_ne_bytes());
            }
        }
    )+ };
}

integer!(u8, u16, u32, u64);

impl Value for Flag {
    fn parse(bytes: &[u8]) -> Option<Self> {
        bytes.is_empty().then_some(Self)
    }

    fn value_len(&self) -> usize {
        0
    }

    fn emit(&self, _: &mut [u8]) {}
}

impl Value for VlanId {
    fn parse(bytes: &[u8]) -> Option<Self> {
        u16::parse(bytes)
            .or_else(|| u32::parse(bytes)?.try_into().ok())
            .map(Self)
    }

    fn value_len(&self) -> usize {
        self.0.value_len()
    }

    fn emit(&self, buffer: &mut [u8]) {
        self.0.emit(buffer);
    }
}

impl Value for MacAddr {
    fn parse(bytes: &[u8]) -> Option<Self> {
        Self::from_slice(bytes)
    }

    fn value_len(&self) -> usize {
        self.0.len()
    }

    fn emit(&self, buffer: &mut [u8]) {
        buffer.copy_from_slice(&self.0);
    }
}

/// Network byte order.
impl Value for Ipv4Addr {
    fn parse(bytes: &[u8]) -> Option<Self> {
        Some(<[u8; 4]>::try_from(bytes).ok()?.into())
    }

    fn value_len(&self) -> usize {
        4
    }

    fn emit(&self, buffer: &mut [u8]) {
        buffer.copy_from_slice(&self.octets());
    }
}

/// Ends at the first NUL, which the kernel always sends.
impl Value for String {
    fn parse(bytes: &[u8]) -> Option<Self> {
        let text = bytes.split(|&byte| byte == 0).next()?;
        Some(std::str::from_utf8(text).ok()?.to_owned())
    }

    fn value_len(&self) -> usize {
        self.len() + 1
    }

    fn emit(&self, buffer: &mut [u8]) {
        if let Some((nul, text)) = buffer.split_last_mut() {
            text.copy_from_slice(self.as_bytes());
            *nul = 0;
        }
    }
}
