//! Addresses and names, each checked once when it is made.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// A hardware address.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct MacAddr(pub [u8; 6]);

/// A network interface's name: 1 to 15 bytes, no white space, no `/` (kernel `dev_valid_name`).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct IfName(Box<str>);

/// The configured name of a mesh, the same on all its nodes: 1 to 63 printable characters.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct MeshId(Box<str>);

/// The `<node-id>` of `spiffe://TD/node/<node-id>`: 1 to 128 characters of `A–Z a–z 0–9 . _ -` (SPIFFE ID, one path
/// segment).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct NodeId(Box<str>);

/// A text that is not the name it should be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is no {what}: {allowed}")]
pub struct InvalidName {
    text: String,
    what: &'static str,
    allowed: &'static str,
}

// === impl MacAddr ===

impl MacAddr {
    /// The address in six bytes, if there are six.
    pub fn from_slice(bytes: &[u8]) -> Option<Self> {
        Some(Self(bytes.try_into().ok()?))
    }

    /// Group addresses (IEEE 802 I/G bit) name no single station.
    pub fn is_group(self) -> bool {
        self.0[0] & 1 == 1
    }

    /// All zero: the kernel's word for "none".
    pub fn is_zero(self) -> bool {
        self.0 == [0; 6]
    }
}

impl fmt::Display for MacAddr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [a, b, c, d, e, g] = self.0;
        write!(f, "{a:02x}:{b:02x}:{c:02x}:{d:02x}:{e:02x}:{g:02x}")
    }
}

impl fmt::Debug for MacAddr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for MacAddr {
    type Err = InvalidName;

    fn from_str(text: &str) -> Result<Self, InvalidName> {
        let invalid = || {
            InvalidName::new(
                text,
                "hardware address",
                "six pairs of hex digits, as in 02:00:00:00:00:01",
            )
        };
        let mut bytes = [0; 6];
        let mut parts = text.split(':');
        for byte in &mut bytes {
            let part = parts.next().ok_or_else(invalid)?;
            if part.len() != 2 || !part.bytes().all(|b| b.is_ascii_hexdigit()) {
                return Err(invalid());
            }
            *byte = u8::from_str_radix(part, 16).map_err(|_| invalid())?;
        }
        if parts.next().is_some() {
            return Err(invalid());
        }
        Ok(Self(bytes))
    }
}

impl Serialize for MacAddr {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for MacAddr {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?
            .parse()
            .map_err(serde::de::Error::custom)
    }
}

// === the three names ===

impl InvalidName {
    fn new(text: &str, what: &'static str, allowed: &'static str) -> Self {
        Self {
            text: text.chars().take(80).collect(),
            what,
            allowed,
        }
    }
}

fn interface_name(text: &str) -> bool {
    !matches!(text, "" | "." | "..")
        && text.len() <= 15
        && text
            .chars()
            .all(|c| c != '/' && c != ':' && !c.is_whitespace() && !c.is_control())
}

fn mesh_name(text: &str) -> bool {
    (1..=63).contains(&text.chars().count()) && text.chars().all(|c| !c.is_control())
}

fn node_name(text: &str) -> bool {
    (1..=128).contains(&text.len())
        && !matches!(text, "." | "..")
        && text
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-'))
}

macro_rules! name {
    ($type:ident, $valid:ident, $what:literal, $allowed:literal) => {
        impl $type {
            /// The name as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl TryFrom<&str> for $type {
            type Error = InvalidName;

            fn try_from(text: &str) -> Result<Self, InvalidName> {
                if $valid(text) {
                    Ok(Self(text.into()))
                } else {
                    Err(InvalidName::new(text, $what, $allowed))
                }
            }
        }

        impl TryFrom<String> for $type {
            type Error = InvalidName;

            fn try_from(text: String) -> Result<Self, InvalidName> {
                Self::try_from(text.as_str())
            }
        }

        impl FromStr for $type {
            type Err = InvalidName;

            fn from_str(text: &str) -> Result<Self, InvalidName> {
                Self::try_from(text)
            }
        }

        impl From<$type> for String {
            fn from(name: $type) -> Self {
                name.0.into()
            }
        }

        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

name!(
    IfName,
    interface_name,
    "interface name",
    "1 to 15 bytes without white space, '/' or ':'"
);
name!(MeshId, mesh_name, "mesh name", "1 to 63 printable characters");
name!(
    NodeId,
    node_name,
    "node id",
    "1 to 128 letters, digits, '.', '_' or '-'"
);

#[cfg(test)]
mod tests;
