//! Counts of batman-adv frames on hard interfaces: attaches the tc programs, reads their tables, sweeps up filters.
//!
//! Through TCX where the kernel has it (6.6 and later): such a link ends with the agent. Elsewhere as a clsact filter
//! over netlink, which outlives an agent that is killed; therefore [`TrafficProbe::vouch`], and the sweep of filters
//! of our programs' names before anything is attached. The kernel is tried, never asked for its version.
//! One agent per network namespace: the sweep takes the filters of another one in the same namespace for stale.

use std::{collections::BTreeMap, ffi::CString, time::Duration};

use aya::{
    Ebpf,
    maps::{Array, MapData, PerCpuHashMap},
    programs::{
        LinkOrder, ProgramError, SchedClassifier, TcAttachType,
        tc::{self, NlOptions, SchedClassifierLinkId, TcAttachOptions, TcHandle},
    },
};
use nix::time::{ClockId, clock_gettime};
use node_agent_ebpf_common::{
    PacketType,
    traffic::{ALIVE_UNTIL_MAP, Direction, EGRESS_PROGRAM, FOREVER, INGRESS_PROGRAM, TABLES_MAP, Table, cell},
};
use thiserror::Error;

use super::reason::sentence;

/// How long a netlink filter goes on counting after [`Probes::heartbeat`](super::Probes::heartbeat) was called last.
pub const VOUCHED_FOR: Duration = Duration::from_secs(10);

/// Priority of our clsact filters: behind those that operators set by hand, before what the kernel assigns itself
/// (from 49152 down).
const FILTER_PRIORITY: u16 = 40_000;

/// How the programs are attached to an interface.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TrafficMechanism {
    /// By TCX links; they end with the agent.
    Tcx,
    /// As filters of the interface's clsact queueing discipline.
    Netlink,
}

impl TrafficMechanism {
    /// A word for status output.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::Tcx => "tcx",
            Self::Netlink => "tc",
        }
    }
}

/// Frames of one interface, direction and packet type.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TrafficCount {
    /// Index of the hard interface.
    pub ifindex: u32,
    /// Since when these counters run, in nanoseconds of `CLOCK_BOOTTIME`: their incarnation.
    pub since_boottime_ns: u64,
    /// Received or sent.
    pub direction: Direction,
    /// Type of the frame's first packet: an aggregate of OGMs counts once.
    pub packet_type: PacketType,
    /// Frames.
    pub packets: u64,
    /// Bytes, Ethernet header included.
    pub bytes: u64,
}

/// Why an interface's frames are not counted.
#[derive(Debug, Error)]
pub enum TrafficError {
    /// The name belongs to another interface by now, or to none.
    #[error("there is no interface {name} with index {ifindex} any more")]
    Gone {
        /// The interface's name.
        name: String,
        /// Its index.
        ifindex: u32,
    },
    /// The program could not be loaded.
    #[error("{0}")]
    Program(String),
    /// Neither way of attaching worked.
    #[error("TCX: {tcx}; netlink filter: {netlink}")]
    Attach {
        /// What TCX said.
        tcx: String,
        /// What netlink said.
        netlink: String,
    },
    /// The tables cannot be written or read.
    #[error("{0}")]
    Map(String),
}

#[derive(Debug)]
struct Interface {
    since_boottime_ns: u64,
    mechanism: TrafficMechanism,
    links: [SchedClassifierLinkId; 2],
}

/// The tc programs and the interfaces they are attached to.
pub(super) struct TrafficProbe {
    tables: PerCpuHashMap<MapData, u32, Table>,
    alive_until: Array<MapData, u64>,
    interfaces: BTreeMap<u32, Interface>,
}

impl TrafficProbe {
    /// Loads the programs; nothing is attached yet.
    pub(super) fn load(ebpf: &mut Ebpf) -> Result<Self, TrafficError> {
        for direction in Direction::ALL {
            program(ebpf, direction)?
                .load()
                .map_err(|error| TrafficError::Program(sentence(&error)))?;
        }
        let missing = || TrafficError::Program("the eBPF object lacks the traffic program's maps".into());
        let tables = ebpf.take_map(TABLES_MAP).ok_or_else(missing)?;
        let alive_until = ebpf.take_map(ALIVE_UNTIL_MAP).ok_or_else(missing)?;
        let mut probe = Self {
            tables: PerCpuHashMap::try_from(tables).map_err(|error| map(&error))?,
            alive_until: Array::try_from(alive_until).map_err(|error| map(&error))?,
            interfaces: BTreeMap::new(),
        };
        probe.vouch()?;
        Ok(probe)
    }

    /// How each interface is attached.
    pub(super) fn mechanisms(&self) -> impl Iterator<Item = (u32, TrafficMechanism)> {
        self.interfaces
            .iter()
            .map(|(&ifindex, interface)| (ifindex, interface.mechanism))
    }

    /// Begins to count on an interface; does nothing if it does already.
    pub(super) fn attach(
        &mut self,
        ebpf: &mut Ebpf,
        ifindex: u32,
        name: &str,
    ) -> Result<TrafficMechanism, TrafficError> {
        if let Some(interface) = self.interfaces.get(&ifindex) {
            return Ok(interface.mechanism);
        }
        if nix::net::if_::if_nametoindex(name) != Ok(ifindex) {
            return Err(TrafficError::Gone {
                name: name.to_owned(),
                ifindex,
            });
        }
        sweep(name);
        let cpus = aya::util::nr_cpus().map_err(|(path, error)| TrafficError::Map(format!("{path}: {error}")))?;
        let values = aya::maps::PerCpuValues::try_from(vec![Table::default(); cpus]).map_err(|error| map(&error))?;
        self.tables.insert(ifindex, values, 0).map_err(|error| map(&error))?;
        let attached = match self.attach_by(ebpf, name, TrafficMechanism::Tcx) {
            Ok(links) => Ok((links, TrafficMechanism::Tcx)),
            Err(tcx) => match self.attach_by(ebpf, name, TrafficMechanism::Netlink) {
                Ok(links) => Ok((links, TrafficMechanism::Netlink)),
                Err(netlink) => Err(TrafficError::Attach { tcx, netlink }),
            },
        };
        match attached {
            Ok((links, mechanism)) => {
                let since_boottime_ns = nanoseconds(ClockId::CLOCK_BOOTTIME);
                self.interfaces.insert(
                    ifindex,
                    Interface {
                        since_boottime_ns,
                        mechanism,
                        links,
                    },
                );
                // From now on a clock may have to be asked.
                self.vouch()?;
                Ok(mechanism)
            }
            Err(error) => {
                self.forget_table(ifindex);
                Err(error)
            }
        }
    }

    /// Attaches both programs one way, or neither.
    fn attach_by(
        &self,
        ebpf: &mut Ebpf,
        name: &str,
        mechanism: TrafficMechanism,
    ) -> Result<[SchedClassifierLinkId; 2], String> {
        if mechanism == TrafficMechanism::Netlink {
            // It may exist already, ours or another's; what else is wrong shows when the filter is added.
            tc::qdisc_add_clsact(name).ok();
        }
        let mut attach = |direction| {
            let options = match mechanism {
                // First to see a frame that arrives, last to see one that leaves: what others drop on receipt was on
                // the medium, what they drop on sending was not.
                TrafficMechanism::Tcx if direction == Direction::Ingress => {
                    TcAttachOptions::TcxOrder(LinkOrder::first())
                }
                TrafficMechanism::Tcx => TcAttachOptions::TcxOrder(LinkOrder::last()),
                TrafficMechanism::Netlink => TcAttachOptions::Netlink(NlOptions {
                    priority: FILTER_PRIORITY,
                    handle: TcHandle::AUTO_ASSIGN,
                    ..NlOptions::default()
                }),
            };
            let program = program(ebpf, direction).map_err(|error| error.to_string())?;
            program
                .attach_with_options(name, hook(direction), options)
                .map_err(|error| sentence(&error))
        };
        let ingress = attach(Direction::Ingress)?;
        match attach(Direction::Egress) {
            Ok(egress) => Ok([ingress, egress]),
            Err(error) => {
                detach(ebpf, Direction::Ingress, ingress).ok();
                Err(error)
            }
        }
    }

    /// Ends counting on an interface and forgets its counters. An interface that is gone took its links with it.
    pub(super) fn detach(&mut self, ebpf: &mut Ebpf, ifindex: u32) {
        let Some(Interface {
            links: [ingress, egress],
            ..
        }) = self.interfaces.remove(&ifindex)
        else {
            return;
        };
        for (direction, link) in [(Direction::Ingress, ingress), (Direction::Egress, egress)] {
            if let Err(error) = detach(ebpf, direction, link) {
                tracing::debug!(ifindex, error = %sentence(&error), "a traffic program was gone before it was detached");
            }
        }
        self.forget_table(ifindex);
    }

    fn forget_table(&mut self, ifindex: u32) {
        if let Err(error) = self.tables.remove(&ifindex) {
            tracing::debug!(ifindex, error = %sentence(&error), "no traffic table to remove");
        }
    }

    /// Tells the programs that the agent lives. Due every few seconds, at least every half of [`VOUCHED_FOR`].
    pub(super) fn vouch(&mut self) -> Result<(), TrafficError> {
        let outlive_us = self
            .interfaces
            .values()
            .any(|interface| interface.mechanism == TrafficMechanism::Netlink);
        let until = if outlive_us || self.interfaces.is_empty() {
            // As long as nothing is attached both ways are open.
            let lifetime = u64::try_from(VOUCHED_FOR.as_nanos()).unwrap_or(FOREVER);
            nanoseconds(ClockId::CLOCK_MONOTONIC).saturating_add(lifetime)
        } else {
            FOREVER
        };
        self.alive_until.set(0, until, 0).map_err(|error| map(&error))
    }

    /// The counters of all attached interfaces, summed over CPUs; those at zero are left out.
    pub(super) fn counts(&self) -> Result<Vec<TrafficCount>, TrafficError> {
        let mut counts = Vec::new();
        for (&ifindex, interface) in &self.interfaces {
            let tables = self.tables.get(&ifindex, 0).map_err(|error| map(&error))?;
            for direction in Direction::ALL {
                for packet_type in PacketType::ALL {
                    let cells = tables
                        .iter()
                        .filter_map(|table| table.cells.get(cell(direction, packet_type)));
                    let (packets, bytes) = cells.fold((0_u64, 0_u64), |(packets, bytes), counter| {
                        (packets.wrapping_add(counter.packets), bytes.wrapping_add(counter.bytes))
                    });
                    if packets > 0 {
                        let since_boottime_ns = interface.since_boottime_ns;
                        counts.push(TrafficCount {
                            ifindex,
                            since_boottime_ns,
                            direction,
                            packet_type,
                            packets,
                            bytes,
                        });
                    }
                }
            }
        }
        Ok(counts)
    }
}

/// Removes filters of our programs' names from an interface, left there by an agent that was killed. Without one, or
/// without a clsact queueing discipline, there is nothing to do; whether any was removed.
pub fn sweep(name: &str) -> bool {
    let mut swept = false;
    for direction in Direction::ALL {
        if tc::qdisc_detach_program(name, hook(direction), program_name(direction)).is_ok() {
            tracing::info!(
                interface = name,
                direction = direction.label(),
                "stale traffic filter removed"
            );
            swept = true;
        }
    }
    swept
}

/// [`sweep`]s every interface of this network namespace.
pub fn sweep_all() {
    match nix::net::if_::if_nameindex() {
        Ok(interfaces) => {
            for name in interfaces
                .iter()
                .filter_map(|interface| CString::from(interface.name()).into_string().ok())
            {
                sweep(&name);
            }
        }
        Err(error) => tracing::warn!(%error, "interfaces cannot be listed, stale traffic filters may remain"),
    }
}

const fn program_name(direction: Direction) -> &'static str {
    match direction {
        Direction::Ingress => INGRESS_PROGRAM,
        Direction::Egress => EGRESS_PROGRAM,
    }
}

const fn hook(direction: Direction) -> TcAttachType {
    match direction {
        Direction::Ingress => TcAttachType::Ingress,
        Direction::Egress => TcAttachType::Egress,
    }
}

fn program(ebpf: &mut Ebpf, direction: Direction) -> Result<&mut SchedClassifier, TrafficError> {
    ebpf.program_mut(program_name(direction))
        .and_then(|program| program.try_into().ok())
        .ok_or_else(|| TrafficError::Program("the eBPF object lacks the traffic programs".into()))
}

fn detach(ebpf: &mut Ebpf, direction: Direction, link: SchedClassifierLinkId) -> Result<(), ProgramError> {
    match program(ebpf, direction) {
        Ok(program) => program.detach(link),
        Err(_) => Err(ProgramError::NotAttached),
    }
}

fn map(error: &(dyn std::error::Error + 'static)) -> TrafficError {
    TrafficError::Map(sentence(error))
}

/// The clock's time; 0 if the kernel has no such clock.
fn nanoseconds(clock: ClockId) -> u64 {
    clock_gettime(clock).map_or(0, |time| {
        u64::try_from(Duration::from(time).as_nanos()).unwrap_or(u64::MAX)
    })
}
