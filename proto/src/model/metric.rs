//! The two metrics of batman-adv. They are never compared with each other.

use std::cmp::Ordering;
use std::fmt;

use serde::{Deserialize, Serialize};

/// Which of the two routing algorithms a mesh interface runs; it is chosen when the interface is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Algorithm {
    /// Metric is [`Tq`].
    #[serde(rename = "BATMAN_IV")]
    BatmanIv,
    /// Metric is [`Throughput`].
    #[serde(rename = "BATMAN_V")]
    BatmanV,
}

/// Transmit quality, 0 to 255 (`BATADV_ATTR_TQ`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Tq(pub u8);

/// Throughput in kbit/s (`BATADV_ATTR_THROUGHPUT`; the wire's unit of 100 kbit/s is already multiplied out).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Throughput(pub u32);

/// Quality of a link or of a path, larger is better.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Metric {
    /// BATMAN_IV.
    Tq(Tq),
    /// BATMAN_V.
    Throughput(Throughput),
}

// === impl Algorithm ===

impl Algorithm {
    /// The kernel's name, as in `BATADV_ATTR_ALGO_NAME`.
    pub fn name(self) -> &'static str {
        match self {
            Self::BatmanIv => "BATMAN_IV",
            Self::BatmanV => "BATMAN_V",
        }
    }

    /// The algorithm of that name, if it is one of the two.
    pub fn from_name(name: &str) -> Option<Self> {
        match name {
            "BATMAN_IV" => Some(Self::BatmanIv),
            "BATMAN_V" => Some(Self::BatmanV),
            _ => None,
        }
    }
}

impl fmt::Display for Algorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

// === impl Metric ===

impl Metric {
    /// TQ, if that is what it is.
    pub fn tq(self) -> Option<Tq> {
        match self {
            Self::Tq(tq) => Some(tq),
            Self::Throughput(_) => None,
        }
    }

    /// Throughput, if that is what it is.
    pub fn throughput(self) -> Option<Throughput> {
        match self {
            Self::Tq(_) => None,
            Self::Throughput(throughput) => Some(throughput),
        }
    }
}

/// Metrics of different algorithms have no order.
impl PartialOrd for Metric {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        match (self, other) {
            (Self::Tq(a), Self::Tq(b)) => Some(a.cmp(b)),
            (Self::Throughput(a), Self::Throughput(b)) => Some(a.cmp(b)),
            (Self::Tq(_), Self::Throughput(_)) | (Self::Throughput(_), Self::Tq(_)) => None,
        }
    }
}
