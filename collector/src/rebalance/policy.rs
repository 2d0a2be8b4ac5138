//! When the planner speaks up: every threshold, its unit, and why it is what it is.

use std::time::Duration;

/// Thresholds of [`plan`](super::planner::plan). All comparisons are with what the kernels themselves report.
#[derive(Debug, Clone, PartialEq)]
pub struct Policy {
    /// Time between two cycles. Five originator intervals of the kernel's default: each cycle sees five new OGMs.
    pub interval: Duration,
    /// A link whose TQ, freed from hop penalties, is below this is lossy. 0 to 255. 243 is a twentieth of all frames; over
    /// a window of 64 OGMs a link that loses a hundredth almost never looks that bad.
    pub lossy_below: u8,
    /// Cycles of the last [`Self::window`] in which the cause must have held for a proposal: one bad window of OGMs is no
    /// reason. A proposal is withdrawn only once the cause held in none of them: a link whose TQ jitters around the
    /// other way's makes the kernel switch to and fro, which is a reason more, not a reason less.
    pub needed: u32,
    /// Cycles looked back upon, 1 to 32.
    pub window: u32,
    /// Smallest gain of a proposal, as a share of frames delivered from end to end, 0 to 1. Over cables there are no
    /// retransmissions and any gain counts. Over Wi-Fi lost frames are sent again, and a longer way costs more airtime
    /// than that. Which it is, nobody reports, so a gain must be plain.
    pub min_gain: f64,
    /// TQ by which the better way must win after the change: more than a route's TQ jitters from OGM to OGM.
    pub margin_tq: u8,
    /// Largest hop penalty ever proposed for a hard interface, 0 to 255: half of the TQ. Beyond, the interface is all but
    /// cut off, and what is left of the mesh when another link fails would shun it too.
    pub max_hop_penalty: u8,
    /// Difference in TQ up to which the kernel's own figure and the emulator's are the same. Kernels average five OGMs,
    /// tables of different nodes are seconds apart. More means that something not modelled is at work.
    pub model_tolerance_tq: u8,
    /// Loss of delivery that the guard lets pass, as a share of frames: the emulator's rounding, two TQ.
    pub guard_tolerance: f64,
    /// Lossy links looked at per mesh and cycle, the worst first: bounds the work.
    pub max_candidates: usize,
    /// Larger meshes are not planned: work grows with the square of it.
    pub max_nodes: usize,
    /// Predictions listed with a decision; the summary says how many there are.
    pub max_predicted: usize,
    /// A proposed hop penalty stays as it is while what is needed is lower by up to this: operators read proposals, and
    /// TQs move with every OGM.
    pub keep_within: u8,
    /// How long a withdrawn decision can still be asked for.
    pub keep_withdrawn: Duration,
    /// How many withdrawn decisions can still be asked for, the latest.
    pub max_withdrawn: usize,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            interval: Duration::from_secs(5),
            lossy_below: 243,
            needed: 3,
            window: 6,
            min_gain: 0.05,
            margin_tq: 8,
            max_hop_penalty: 128,
            model_tolerance_tq: 16,
            guard_tolerance: 2.0 / 255.0,
            max_candidates: 16,
            max_nodes: 1_000,
            max_predicted: 200,
            keep_within: 16,
            keep_withdrawn: Duration::from_secs(3_600),
            max_withdrawn: 256,
        }
    }
}
