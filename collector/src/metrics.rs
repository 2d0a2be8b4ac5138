//! `/metrics`: what the topology says, written from its snapshot at each scrape, and what the process itself counts.
//!
//! A link or node that is gone is then simply absent. Nothing per link or node is kept here.

mod names;
mod text;
mod topology;

use std::time::Duration;

use mesh_transport::HandshakeResult;
use prometheus::process_collector::ProcessCollector;
use prometheus::{Histogram, HistogramOpts, HistogramVec, IntCounterVec, Opts, Registry, TextEncoder};

use crate::access::Access;
use crate::topology::TopologySnapshot;

/// Media type of the page.
pub const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// Seconds, from a handshake on loopback to one over a bad mesh; the transport gives up at 10.
const HANDSHAKE_BUCKETS: [f64; 13] = [
    0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0,
];

/// Seconds, from a small mesh to the 3,000 nodes that are to be planned within one.
const CYCLE_BUCKETS: [f64; 9] = [0.001, 0.005, 0.01, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0];

/// What the process counts.
pub struct Instruments {
    registry: Registry,
    handshakes: HistogramVec,
    denials: IntCounterVec,
    cycles: Histogram,
    decisions: IntCounterVec,
}

// === impl Instruments ===

impl Instruments {
    /// Counters at zero, those of the process included.
    ///
    /// # Errors
    /// When two of them have one name.
    pub fn new() -> Result<Self, prometheus::Error> {
        let registry = Registry::new();
        let handshakes = HistogramVec::new(
            HistogramOpts::new(names::HANDSHAKES.name, names::HANDSHAKES.help).buckets(HANDSHAKE_BUCKETS.to_vec()),
            &["result"],
        )?;
        let denials = IntCounterVec::new(Opts::new(names::DENIALS.name, names::DENIALS.help), &["reason"])?;
        let cycles = Histogram::with_opts(
            HistogramOpts::new(names::CONTROL_CYCLES.name, names::CONTROL_CYCLES.help).buckets(CYCLE_BUCKETS.to_vec()),
        )?;
        let decisions = IntCounterVec::new(
            Opts::new(names::DECISIONS.name, names::DECISIONS.help),
            &["kind", "outcome"],
        )?;
        registry.register(Box::new(cycles.clone()))?;
        registry.register(Box::new(decisions.clone()))?;
        registry.register(Box::new(handshakes.clone()))?;
        registry.register(Box::new(denials.clone()))?;
        registry.register(Box::new(ProcessCollector::for_self()))?;
        // A series that begins at its first event is invisible to increase() until the second.
        handshakes.with_label_values(&[HandshakeResult::Ok.as_str()]);
        let refusals = HandshakeResult::ALL.into_iter().filter(|result| result.is_denial());
        for reason in refusals.map(HandshakeResult::as_str).chain(Access::DENIALS) {
            denials.with_label_values(&[reason]);
        }
        Ok(Self {
            registry,
            handshakes,
            denials,
            cycles,
            decisions,
        })
    }

    /// A TLS handshake is over.
    pub fn handshake(&self, result: HandshakeResult, duration: Duration) {
        let observer = self.handshakes.with_label_values(&[result.as_str()]);
        observer.observe(duration.as_secs_f64());
        if result.is_denial() {
            self.denied(result.as_str());
        }
    }

    /// The planner has run.
    pub fn control_cycle(&self, duration: Duration) {
        self.cycles.observe(duration.as_secs_f64());
    }

    /// A decision was made or has passed. Both are words of a closed list.
    pub fn decision(&self, kind: &'static str, outcome: &'static str) {
        self.decisions.with_label_values(&[kind, outcome]).inc();
    }

    /// Somebody was refused something. `reason` is one of a closed list.
    pub fn denied(&self, reason: &'static str) {
        self.denials.with_label_values(&[reason]).inc();
    }

    /// The whole page.
    ///
    /// # Errors
    /// When what the process counts cannot be written.
    pub fn page(&self, topology: &TopologySnapshot) -> Result<String, prometheus::Error> {
        let mut page = topology::page(topology);
        TextEncoder::new().encode_utf8(&self.registry.gather(), &mut page)?;
        Ok(page)
    }
}

#[cfg(test)]
mod tests;
