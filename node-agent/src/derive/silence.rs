//! A gateway that is not heard any more, long before the kernel gives it up.
//!
//! batman-adv drops a lost gateway after 200 s; until then this node's clients send into the void. When the originator
//! was last heard shows it within a few originator intervals. Watched is the gateway this node has selected and no other:
//! the rest carry none of its traffic, and those who selected them watch them.
//!
//! The interval is this node's own: batman-adv does not tell another's. A gateway that sends much more seldom than its
//! clients looks silent in between.

use std::time::Duration;

use mesh_proto::model::{Event, IfName, MacAddr, Record};

use crate::netlink::batadv::{self, Dump};
use crate::sample::Read;

/// Originator messages that must be missing. Fewer get lost on a bad way that still works.
const MISSED: u64 = 5;
/// They are sent with jitter and travel for a while.
const SLACK_MS: u64 = 500;
/// batman-adv's own default, where the settings cannot be read.
const DEFAULT_INTERVAL_MS: u32 = 1_000;
/// The kernel is not asked more often, however short the interval.
const AT_LEAST: Duration = Duration::from_secs(1);
/// Reads in a row that must lack something before it counts: dumps lose entries without saying so.
const ABSENT_READS: u8 = 2;

/// What is remembered of the selected gateway of one mesh interface.
#[derive(Debug, Clone, Default)]
pub(super) struct Silence {
    interval_ms: Option<u32>,
    selected: Option<Selected>,
}

#[derive(Debug, Clone)]
struct Selected {
    gateway: MacAddr,
    /// Boot time of its last originator message, once there was one.
    heard_ns: Option<u64>,
    silent: bool,
    /// Reads in a row without a selected gateway.
    unselected: u8,
    /// Reads in a row without a way to it.
    unheard: u8,
}

/// What a look changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Change {
    gateway: MacAddr,
    turn: Turn,
    last_seen_msecs: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Turn {
    Silent,
    Heard,
    GivenUp,
}

// === impl Silence ===

impl Silence {
    /// The mesh interface's settings were read.
    pub(super) fn configured(&mut self, orig_interval_ms: Option<u32>) {
        self.interval_ms = orig_interval_ms;
    }

    /// Both tables were asked for.
    pub(super) fn look(
        &mut self,
        gateways: &Read<Dump<batadv::Gateway>>,
        originators: &Read<Dump<batadv::Originator>>,
        boottime_ns: u64,
    ) -> Vec<Change> {
        let mut changes = Vec::new();
        if let Ok(dump) = gateways {
            let best = dump.entries.iter().find(|entry| entry.best);
            changes.extend(self.select(best.map(|entry| entry.orig_address), dump.torn, boottime_ns));
        }
        let limit_ms = self.limit_ms();
        if let (Some(selected), Ok(dump)) = (&mut self.selected, originators) {
            changes.extend(selected.hear(&dump.entries, limit_ms, boottime_ns));
        }
        changes
    }

    /// The mesh interface is not there any more.
    pub(super) fn ended(&mut self, boottime_ns: u64) -> Option<Change> {
        self.selected.take().and_then(|selected| selected.given_up(boottime_ns))
    }

    /// The gateway that is silent, if the selected one is.
    pub(super) fn silent(&self) -> Option<MacAddr> {
        self.selected
            .as_ref()
            .filter(|selected| selected.silent)
            .map(|selected| selected.gateway)
    }

    /// How soon to look again; `None`: no gateway is selected.
    pub(super) fn look_after(&self) -> Option<Duration> {
        self.selected.as_ref()?;
        Some(Duration::from_millis(self.interval().into()).max(AT_LEAST))
    }

    fn select(&mut self, best: Option<MacAddr>, torn: bool, boottime_ns: u64) -> Option<Change> {
        match (&mut self.selected, best) {
            (Some(selected), Some(best)) if selected.gateway == best => {
                selected.unselected = 0;
                None
            }
            (Some(selected), None) => {
                selected.unselected += u8::from(!torn);
                if selected.unselected < ABSENT_READS {
                    return None;
                }
                self.ended(boottime_ns)
            }
            (_, Some(best)) => {
                let change = self.ended(boottime_ns);
                self.selected = Some(Selected::new(best));
                change
            }
            (None, None) => None,
        }
    }

    fn interval(&self) -> u32 {
        self.interval_ms.unwrap_or(DEFAULT_INTERVAL_MS)
    }

    fn limit_ms(&self) -> u64 {
        MISSED * u64::from(self.interval()) + SLACK_MS
    }
}

// === impl Selected ===

impl Selected {
    fn new(gateway: MacAddr) -> Self {
        Self {
            gateway,
            heard_ns: None,
            silent: false,
            unselected: 0,
            unheard: 0,
        }
    }

    fn hear(&mut self, ways: &[batadv::Originator], limit_ms: u64, boottime_ns: u64) -> Option<Change> {
        let ways = ways.iter().filter(|way| way.orig_address == self.gateway);
        match ways.map(|way| way.last_seen_msecs).min() {
            Some(millis) => {
                let heard_ns = boottime_ns.saturating_sub(u64::from(millis) * 1_000_000);
                self.heard_ns = self.heard_ns.max(Some(heard_ns));
                self.unheard = 0;
            }
            None => self.unheard = self.unheard.saturating_add(1),
        }
        if (1..ABSENT_READS).contains(&self.unheard) {
            return None;
        }
        let last_seen_msecs = self.last_seen_msecs(boottime_ns)?;
        let silent = last_seen_msecs > limit_ms;
        if silent == self.silent {
            return None;
        }
        self.silent = silent;
        Some(Change {
            gateway: self.gateway,
            turn: if silent { Turn::Silent } else { Turn::Heard },
            last_seen_msecs,
        })
    }

    /// Only the end of a silence is worth a word.
    fn given_up(self, boottime_ns: u64) -> Option<Change> {
        self.silent.then(|| Change {
            gateway: self.gateway,
            turn: Turn::GivenUp,
            last_seen_msecs: self.last_seen_msecs(boottime_ns).unwrap_or_default(),
        })
    }

    fn last_seen_msecs(&self, boottime_ns: u64) -> Option<u64> {
        Some(boottime_ns.saturating_sub(self.heard_ns?) / 1_000_000)
    }
}

// === impl Change ===

impl Change {
    pub(super) fn record(self, mesh_ifname: &IfName, boottime_ns: u64) -> Record {
        Record {
            boottime_ns,
            event: Event::GatewaySilent {
                mesh_ifname: mesh_ifname.clone(),
                orig_address: self.gateway,
                silent: self.turn == Turn::Silent,
                given_up: self.turn == Turn::GivenUp,
                last_seen_msecs: self.last_seen_msecs,
            },
        }
    }
}

#[cfg(test)]
mod tests;
