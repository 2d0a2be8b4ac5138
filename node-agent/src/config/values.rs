//! Values of the mesh tables as people write them, each checked once.
//!
//! Ranges are only those of the kernel's types: what a kernel clamps or ignores within them is found by reading back,
//! since it differs between kernels.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use mesh_daemon::Span;
use serde::{Deserialize, Serialize};

/// What `run` does about differences.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Policy {
    /// Says them.
    #[default]
    Report,
    /// Puts them right.
    Enforce,
}

/// How ways through the mesh are found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Algorithm {
    /// By packet loss.
    #[serde(rename = "BATMAN_IV")]
    BatmanIv,
    /// By throughput.
    #[serde(rename = "BATMAN_V")]
    BatmanV,
}

/// What the node is for gateways.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum GwMode {
    /// Nothing.
    Off,
    /// One that uses them.
    Client,
    /// One itself.
    Server,
}

/// Milliseconds, written as a length of time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Span", into = "Span")]
pub struct Millis(pub u32);

/// Kilobits per second in whole hundreds; the kernel's unit is 100 kbit/s.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "u64", into = "u64")]
pub struct Kbit {
    /// 100 kbit/s.
    pub hundreds: u32,
}

/// Mark of packets to isolate, and which of its bits matter: `0x1/0x1`, as batctl writes it. Without mask: all bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct IsolationMark {
    /// The mark.
    pub mark: u32,
    /// The bits.
    pub mask: u32,
}

/// Interface names with `*` (any characters, none too) and `?` (one), and at least one character that is neither: a
/// pattern of wildcards alone would take the interface one is logged in over too. Neither stands for a dot, so that `eth*` does
/// not mean the VLAN `eth0.10`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Pattern(String);

/// VLAN id, 1 to 4094.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Vid(u16);

// === impl Algorithm ===

impl Algorithm {
    /// As the kernel calls it.
    pub fn name(self) -> &'static str {
        match self {
            Self::BatmanIv => "BATMAN_IV",
            Self::BatmanV => "BATMAN_V",
        }
    }

    /// By the kernel's name for it.
    pub fn by_name(name: &str) -> Option<Self> {
        [Self::BatmanIv, Self::BatmanV]
            .into_iter()
            .find(|algorithm| algorithm.name() == name)
    }
}

// === impl GwMode ===

impl GwMode {
    /// The kernel's number.
    pub fn number(self) -> u32 {
        match self {
            Self::Off => 0,
            Self::Client => 1,
            Self::Server => 2,
        }
    }

    /// By the kernel's number.
    pub fn by_number(number: u32) -> Option<Self> {
        [Self::Off, Self::Client, Self::Server]
            .into_iter()
            .find(|mode| mode.number() == number)
    }
}

// === impl Millis ===

impl TryFrom<Span> for Millis {
    type Error = String;

    fn try_from(span: Span) -> Result<Self, String> {
        let millis = u32::try_from(span.0.as_millis());
        millis
            .map(Self)
            .map_err(|_| format!("{span} is too long; allowed: at most {}ms", u32::MAX))
    }
}

impl From<Millis> for Span {
    fn from(millis: Millis) -> Self {
        Self(Duration::from_millis(u64::from(millis.0)))
    }
}

// === impl Kbit ===

impl TryFrom<u64> for Kbit {
    type Error = String;

    fn try_from(kbit: u64) -> Result<Self, String> {
        let hundreds = u32::try_from(kbit / 100).ok().filter(|_| kbit.is_multiple_of(100));
        hundreds.map(|hundreds| Self { hundreds }).ok_or_else(|| {
            format!(
                "{kbit} is no bandwidth batman-adv can have; allowed: multiples of 100 up to {}",
                u64::from(u32::MAX) * 100
            )
        })
    }
}

impl From<Kbit> for u64 {
    fn from(kbit: Kbit) -> Self {
        Self::from(kbit.hundreds) * 100
    }
}

// === impl IsolationMark ===

impl TryFrom<String> for IsolationMark {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let number = |text: &str| match text.strip_prefix("0x").or_else(|| text.strip_prefix("0X")) {
            // from_str_radix would take a sign.
            Some(digits) if digits.bytes().all(|byte| byte.is_ascii_hexdigit()) => u32::from_str_radix(digits, 16).ok(),
            None if text.bytes().all(|byte| byte.is_ascii_digit()) => text.parse().ok(),
            _ => None,
        };
        let (mark, mask) = text.split_once('/').unwrap_or((text.as_str(), "0xffffffff"));
        match (number(mark), number(mask)) {
            (Some(mark), Some(mask)) => Ok(Self { mark, mask }),
            _ => Err(format!(
                "{:?} is no packet mark; allowed: MARK/MASK, 32 bits each, as in \"0x1/0x1\"",
                shortened(&text)
            )),
        }
    }
}

impl From<IsolationMark> for String {
    fn from(IsolationMark { mark, mask }: IsolationMark) -> Self {
        format!("{mark:#010x}/{mask:#010x}")
    }
}

// === impl Pattern ===

impl Pattern {
    /// As written.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether a name is one of those meant.
    pub fn matches(&self, name: &str) -> bool {
        // The last star met, and where the name stood then: on a mismatch it takes one character more.
        let (pattern, name): (Vec<char>, Vec<char>) = (self.0.chars().collect(), name.chars().collect());
        let (mut at, mut seen, mut star) = (0, 0, None);
        while seen < name.len() {
            match pattern.get(at) {
                Some('*') => {
                    star = Some((at, seen));
                    at += 1;
                }
                Some(wanted) if *wanted == name[seen] || (*wanted == '?' && name[seen] != '.') => {
                    at += 1;
                    seen += 1;
                }
                _ => match star {
                    Some((star_at, taken)) if name[taken] != '.' => {
                        star = Some((star_at, taken + 1));
                        at = star_at + 1;
                        seen = taken + 1;
                    }
                    _ => return false,
                },
            }
        }
        pattern[at..].iter().all(|left| *left == '*')
    }
}

impl TryFrom<String> for Pattern {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let literal = text.chars().filter(|c| !matches!(c, '*' | '?'));
        let valid = literal.clone().count() > 0
            && text.chars().count() <= 64
            && text
                .chars()
                .all(|c| c != '/' && c != ':' && !c.is_whitespace() && !c.is_control());
        let says = shortened(&text);
        if valid {
            Ok(Self(text))
        } else {
            Err(format!(
                "{says:?} is no pattern for interfaces; allowed: a name with * and ? in it, not of these alone, as in \"wlan*\"",
            ))
        }
    }
}

impl From<Pattern> for String {
    fn from(pattern: Pattern) -> Self {
        pattern.0
    }
}

// === impl Vid ===

impl Vid {
    /// The number.
    pub fn get(self) -> u16 {
        self.0
    }
}

impl TryFrom<u16> for Vid {
    type Error = InvalidVid;

    fn try_from(number: u16) -> Result<Self, InvalidVid> {
        if (1..=4094).contains(&number) {
            Ok(Self(number))
        } else {
            Err(InvalidVid(number.to_string()))
        }
    }
}

impl FromStr for Vid {
    type Err = InvalidVid;

    fn from_str(text: &str) -> Result<Self, InvalidVid> {
        // One way to write each: "010" would be a second table for VLAN 10.
        let canonical = text.bytes().all(|byte| byte.is_ascii_digit()) && !text.starts_with('0');
        let number: Option<u16> = text.parse().ok().filter(|_| canonical);
        number
            .and_then(|number| Self::try_from(number).ok())
            .ok_or_else(|| InvalidVid(shortened(text)))
    }
}

impl TryFrom<String> for Vid {
    type Error = InvalidVid;

    fn try_from(text: String) -> Result<Self, InvalidVid> {
        text.parse()
    }
}

impl From<Vid> for String {
    fn from(vid: Vid) -> Self {
        vid.0.to_string()
    }
}

impl fmt::Display for Vid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

/// Not the id of a VLAN.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no VLAN; allowed: 1 to 4094, as in [mesh.bat0.vlan.10]")]
pub struct InvalidVid(String);

fn shortened(text: &str) -> String {
    text.chars().take(40).collect()
}

#[cfg(test)]
mod tests;
