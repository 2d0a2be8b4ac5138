//! What a planning cycle looked at and why it proposed nothing where it did not. `Display` is meant to be read.

use std::collections::BTreeMap;
use std::fmt;

use mesh_proto::model::{IfName, MeshId};

use crate::topology::NodeKey;

/// One cycle's findings.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct PlanningReport {
    /// By mesh.
    pub meshes: BTreeMap<MeshId, MeshReport>,
}

/// One mesh's findings.
#[derive(Debug, Clone, PartialEq)]
pub enum MeshReport {
    /// Not looked at.
    NotPlanned(NotPlanned),
    /// Looked at.
    Planned {
        /// All nodes.
        nodes: usize,
        /// Those that report.
        live: usize,
        /// Lossy links, the worst first.
        findings: Vec<Finding>,
        /// Lossy links not looked at in this cycle: there were too many.
        deferred: usize,
    },
}

/// Why a mesh is not planned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NotPlanned {
    /// Nobody reports.
    NothingLive,
    /// It runs BATMAN_V.
    BatmanV,
    /// Its nodes say different things, or something this release does not know.
    UnknownAlgorithm,
    /// Larger than the policy allows.
    TooManyNodes {
        /// As many as there are.
        nodes: usize,
        /// As many as there may be.
        limit: usize,
    },
}

/// A lossy link and what was decided about it.
#[derive(Debug, Clone, PartialEq)]
pub struct Finding {
    /// The end that reports it.
    pub node: NodeKey,
    /// Its hard interface.
    pub hard_ifname: IfName,
    /// The far end.
    pub neighbor: NodeKey,
    /// As reported.
    pub tq: u8,
    /// What was decided.
    pub verdict: Verdict,
}

/// What was decided about a lossy link.
#[derive(Debug, Clone, PartialEq)]
pub enum Verdict {
    /// There is a proposal.
    Proposed {
        /// Its id.
        id: String,
        /// Its generation.
        generation: u64,
    },
    /// There may be one, if this goes on.
    Waiting {
        /// Cycles in which the cause held.
        held: u32,
        /// Cycles it takes.
        needed: u32,
    },
    /// The proposal stands, though in this cycle there was no cause for it.
    Lingering {
        /// Its id.
        id: String,
        /// Why no cause.
        block: Block,
    },
    /// No proposal.
    Blocked(Block),
}

/// Why there is nothing to propose.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum Block {
    /// No route of the kernel goes over the link.
    #[error("no route goes over it")]
    NotUsed,
    /// The kernel has no hop penalty per hard interface.
    #[error("its interface has no hop penalty of its own: that takes Linux 5.9")]
    NoSetting,
    /// Nothing to choose from.
    #[error("no other interface has a way to {destination}")]
    NoOtherWay {
        /// Where to.
        destination: NodeKey,
    },
    /// The better way rests on what nobody reports.
    #[error("the other way leads through {node}, which does not report its links")]
    ThroughUnobserved {
        /// The node.
        node: NodeKey,
    },
    /// Not worth it.
    #[error(
        "the other way to {destination} is not plainly better: {:.0} % of frames arrive now, {:.0} % would",
        delivery_used * 100.0,
        delivery_better * 100.0
    )]
    GainTooSmall {
        /// Where to.
        destination: NodeKey,
        /// Share of frames that arrive now.
        delivery_used: f64,
        /// Share of frames that would.
        delivery_better: f64,
    },
    /// It would take too much.
    #[error("moving the route to {destination} takes a hop penalty above {limit}")]
    PenaltyTooHigh {
        /// Where to.
        destination: NodeKey,
        /// The policy's limit.
        limit: u8,
    },
    /// The kernel's tables are not what the links would make them.
    #[error("the kernel's route from {node} to {destination} is not what its links explain: nothing can be predicted")]
    ModelDisagrees {
        /// From.
        node: NodeKey,
        /// To.
        destination: NodeKey,
    },
    /// The emulator, run with the change, does not see the routes move.
    #[error("emulated with the change, the route to {destination} stays")]
    NotConfirmed {
        /// To.
        destination: NodeKey,
    },
    /// Guard: somebody would be cut off.
    #[error("{node} would have no way to {destination} left")]
    Unreachable {
        /// From.
        node: NodeKey,
        /// To.
        destination: NodeKey,
    },
    /// Guard: somebody would lose by it.
    #[error(
        "from {node} to {destination} fewer frames would arrive: {:.0} %, now {:.0} %",
        delivery_after * 100.0,
        delivery_before * 100.0
    )]
    Worse {
        /// From.
        node: NodeKey,
        /// To.
        destination: NodeKey,
        /// Share of frames that arrive now.
        delivery_before: f64,
        /// Share of frames that would.
        delivery_after: f64,
    },
    /// Guard: alone it would do, with the other proposals it would not.
    #[error("together with the other proposals: {reason}")]
    Together {
        /// What the guard says of them together.
        reason: Box<Block>,
    },
}

// === impl PlanningReport ===

impl fmt::Display for PlanningReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.meshes.is_empty() {
            return writeln!(f, "no mesh is known");
        }
        for (mesh, report) in &self.meshes {
            write!(f, "mesh {mesh}: {report}")?;
        }
        Ok(())
    }
}

impl fmt::Display for MeshReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (nodes, live, findings, deferred) = match self {
            Self::NotPlanned(reason) => return writeln!(f, "not planned: {reason}"),
            Self::Planned {
                nodes,
                live,
                findings,
                deferred,
            } => (nodes, live, findings, deferred),
        };
        writeln!(
            f,
            "{nodes} nodes, {live} live; lossy links: {}",
            findings.len() + deferred
        )?;
        for finding in findings {
            writeln!(f, "  {finding}")?;
        }
        if *deferred > 0 {
            writeln!(f, "  {deferred} more not looked at in this cycle")?;
        }
        Ok(())
    }
}

impl fmt::Display for NotPlanned {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NothingLive => write!(f, "no node reports"),
            Self::BatmanV => write!(f, "this release proposes nothing for BATMAN_V"),
            Self::UnknownAlgorithm => write!(f, "its nodes do not all say that they run BATMAN_IV"),
            Self::TooManyNodes { nodes, limit } => write!(f, "{nodes} nodes are more than the {limit} planned for"),
        }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            node,
            hard_ifname,
            neighbor,
            tq,
            verdict,
        } = self;
        write!(f, "{node} {hard_ifname} to {neighbor}, TQ {tq}: ")?;
        match verdict {
            Verdict::Proposed { id, generation } => write!(f, "proposed as {id}, generation {generation}"),
            Verdict::Waiting { held, needed } => write!(f, "waiting, seen in {held} of {needed} cycles"),
            Verdict::Lingering { id, block } => write!(f, "{id} stands, but now: {block}"),
            Verdict::Blocked(block) => write!(f, "{block}"),
        }
    }
}
