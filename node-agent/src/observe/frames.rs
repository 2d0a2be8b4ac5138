//! Adds up frame counters over attachments. Pure.
//!
//! The probes' counters begin at zero each time they are attached, and an interface that is plugged in again is another
//! one of the same name; what leaves the node is one incarnation for the life of the agent, so counts here only grow.

use std::collections::BTreeMap;

use mesh_proto::model::Direction;

use crate::ebpf::{self, PacketType};
use crate::sample::TrafficCount;

/// Names remembered at most; of what is gone, beyond that, the counts are forgotten.
const NAMES_KEPT: usize = 256;

/// What is attached, and what was counted before.
#[derive(Debug, Default)]
pub(super) struct Frames {
    members: BTreeMap<u32, String>,
    totals: BTreeMap<String, BTreeMap<(bool, PacketType), Total>>,
}

#[derive(Debug, Clone, Copy, Default)]
struct Total {
    /// Index of the interface, and since when its counters run.
    source: (u32, u64),
    before: (u64, u64),
    now: (u64, u64),
}

impl Frames {
    /// Takes note of the members there are; answers those that are gone, or that bear another name by now.
    pub(super) fn follow(&mut self, members: &BTreeMap<u32, String>) -> Vec<u32> {
        let gone = self
            .members
            .iter()
            .filter(|(ifindex, name)| members.get(ifindex) != Some(name))
            .map(|(ifindex, _)| *ifindex)
            .collect();
        self.members.clone_from(members);
        if self.totals.len() > NAMES_KEPT {
            self.totals
                .retain(|name, _| members.values().any(|member| member == name));
        }
        gone
    }

    /// The counts of the present members since each name was first seen.
    pub(super) fn add_up(&mut self, counts: &[ebpf::TrafficCount]) -> Vec<TrafficCount> {
        for count in counts {
            let Some(name) = self.members.get(&count.ifindex) else {
                continue;
            };
            let key = (count.direction == ebpf::Direction::Egress, count.packet_type);
            let total = self.totals.entry(name.clone()).or_default().entry(key).or_default();
            let source = (count.ifindex, count.since_boottime_ns);
            if total.source != source {
                total.before = total.sum();
                total.source = source;
            }
            total.now = (count.packets, count.bytes);
        }
        let mut sums = Vec::new();
        for (ifindex, name) in &self.members {
            for ((out, packet_type), total) in self.totals.get(name).into_iter().flatten() {
                let (packets, bytes) = total.sum();
                sums.push(TrafficCount {
                    hard_ifindex: *ifindex,
                    direction: if *out { Direction::Out } else { Direction::In },
                    packet_type: packet_type.label().to_owned(),
                    packets,
                    bytes,
                });
            }
        }
        sums
    }
}

impl Total {
    fn sum(&self) -> (u64, u64) {
        (self.before.0 + self.now.0, self.before.1 + self.now.1)
    }
}

#[cfg(test)]
mod tests;
