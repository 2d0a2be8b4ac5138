//! Exact route changes from a kprobe on batman-adv's route update: keeps it attached while the module comes and
//! goes, reads its counters.
//!
//! The module may be loaded after the agent, unloaded, or replaced by another build. A kprobe dies with the module it
//! sits in, silently; so the module's incarnation is compared on each [`RouteProbe::refresh`], and with a new one the
//! offsets are read and the probe is attached again. The counters go on across that: they are the agent's.

use std::{fs, io, path::Path};

use aya::{
    Ebpf,
    maps::{Array, MapData, PerCpuArray, PerCpuHashMap},
    programs::{KProbe, kprobe::KProbeLinkId},
};
use node_agent_ebpf_common::route::{COUNTERS_MAP, Counters, LAYOUT_MAP, LOSSES_MAP, Layout, Losses, PROGRAM};
use thiserror::Error;

use super::{layout, reason::sentence};

const FUNCTION: &str = "batadv_update_route";
const KPROBE_EVENTS: &str = "/sys/bus/event_source/devices/kprobe";
const OWN_NAMESPACE: &str = "/proc/thread-self/ns/net";
/// After an attempt failed with the module present, the next one is so many refreshes later: while a module is being
/// loaded its parts appear one after the other.
const PAUSE: u32 = 5;

/// Why route changes are not seen as they happen.
#[derive(Debug, Error)]
pub enum RouteError {
    /// `CONFIG_KPROBE_EVENTS` is off.
    #[error("this kernel has no kprobes: one built with CONFIG_KPROBE_EVENTS has")]
    NoKprobes,
    /// Not loaded at the moment.
    #[error("batman-adv is not loaded; the probe attaches itself when it is")]
    NoModule,
    /// Fields of the kernel or the module are not where they can be found.
    #[error(transparent)]
    Layout(#[from] layout::LayoutError),
    /// The agent's own network namespace is unknown.
    #[error("the agent's own network namespace is unknown ({OWN_NAMESPACE}: {0}): is /proc mounted?")]
    Namespace(#[source] io::Error),
    /// The program could not be loaded.
    #[error("{0}")]
    Program(String),
    /// The kprobe could not be set.
    #[error("no kprobe on {FUNCTION}: {0}")]
    Attach(String),
    /// The maps cannot be written or read.
    #[error("{0}")]
    Map(String),
}

/// Route changes of one mesh interface since the agent's start, cumulative.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RouteCounts {
    /// Index of the mesh interface.
    pub mesh_ifindex: u32,
    /// From one next hop to another: path switches.
    pub switched: u64,
    /// From none to one.
    pub added: u64,
    /// From one to none.
    pub deleted: u64,
}

/// What the probe could not do, cumulative since the agent's start.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct RouteLosses {
    /// Changes counted but not reported one by one: the ring was full.
    pub ring_full: u64,
    /// Changes neither counted nor reported: kernel memory could not be read.
    pub unreadable: u64,
    /// Changes reported but not counted: too many mesh interfaces.
    pub uncounted: u64,
}

/// The kprobe and its maps.
pub(super) struct RouteProbe {
    layout: Array<MapData, Layout>,
    counters: PerCpuHashMap<MapData, u32, Counters>,
    losses: PerCpuArray<MapData, Losses>,
    netns_inode: u32,
    link: Option<KProbeLinkId>,
    incarnation: Option<u64>,
    pause: u32,
}

impl RouteProbe {
    /// Loads the program, for the network namespace this thread is in; [`RouteProbe::refresh`] attaches it.
    pub(super) fn load(ebpf: &mut Ebpf) -> Result<Self, RouteError> {
        if !Path::new(KPROBE_EVENTS).exists() && Path::new("/sys/bus/event_source").exists() {
            return Err(RouteError::NoKprobes);
        }
        let missing = || RouteError::Program("the eBPF object lacks the route probe's maps".into());
        program(ebpf)?
            .load()
            .map_err(|error| RouteError::Program(sentence(&error)))?;
        let mut take = |name| ebpf.take_map(name).ok_or_else(missing);
        let (layout, counters, losses) = (take(LAYOUT_MAP)?, take(COUNTERS_MAP)?, take(LOSSES_MAP)?);
        Ok(Self {
            layout: Array::try_from(layout).map_err(|error| map(&error))?,
            counters: PerCpuHashMap::try_from(counters).map_err(|error| map(&error))?,
            losses: PerCpuArray::try_from(losses).map_err(|error| map(&error))?,
            netns_inode: own_namespace()?,
            link: None,
            incarnation: None,
            pause: 0,
        })
    }

    /// Whether the kprobe is set.
    pub(super) const fn is_attached(&self) -> bool {
        self.link.is_some()
    }

    /// Attaches if the module is there and the probe does not sit in this incarnation of it. `None`: nothing changed.
    pub(super) fn refresh(&mut self, ebpf: &mut Ebpf) -> Option<Result<(), RouteError>> {
        let incarnation = layout::batadv_incarnation();
        if incarnation == self.incarnation {
            if incarnation.is_none() || self.link.is_some() {
                return None;
            }
            if self.pause > 0 {
                self.pause -= 1;
                return None;
            }
        }
        self.incarnation = incarnation;
        self.pause = PAUSE;
        Some(self.attach(ebpf, incarnation.is_some()))
    }

    fn attach(&mut self, ebpf: &mut Ebpf, loaded: bool) -> Result<(), RouteError> {
        self.detach(ebpf);
        if !loaded {
            return Err(RouteError::NoModule);
        }
        let layout = layout::of_running_kernel(self.netns_inode)?;
        self.layout.set(0, layout, 0).map_err(|error| map(&error))?;
        let link = program(ebpf)?
            .attach(FUNCTION, 0)
            .map_err(|error| RouteError::Attach(sentence(&error)))?;
        self.link = Some(link);
        Ok(())
    }

    fn detach(&mut self, ebpf: &mut Ebpf) {
        let Some(link) = self.link.take() else { return };
        if let Err(error) = program(ebpf).and_then(|program| program.detach(link).map_err(|error| map(&error))) {
            tracing::debug!(%error, "the route probe was gone before it was detached");
        }
    }

    /// Route changes so far, by mesh interface.
    pub(super) fn counts(&self) -> Result<Vec<RouteCounts>, RouteError> {
        let mut counts = Vec::new();
        for entry in self.counters.iter() {
            let (mesh_ifindex, per_cpu) = entry.map_err(|error| map(&error))?;
            let mut sum = RouteCounts {
                mesh_ifindex,
                switched: 0,
                added: 0,
                deleted: 0,
            };
            for cpu in per_cpu.iter() {
                sum.switched = sum.switched.wrapping_add(cpu.switched);
                sum.added = sum.added.wrapping_add(cpu.added);
                sum.deleted = sum.deleted.wrapping_add(cpu.deleted);
            }
            counts.push(sum);
        }
        Ok(counts)
    }

    /// What was lost so far.
    pub(super) fn losses(&self) -> Result<RouteLosses, RouteError> {
        let per_cpu = self.losses.get(&0, 0).map_err(|error| map(&error))?;
        let mut sum = RouteLosses::default();
        for cpu in per_cpu.iter() {
            sum.ring_full = sum.ring_full.wrapping_add(cpu.ring_full);
            sum.unreadable = sum.unreadable.wrapping_add(cpu.unreadable);
            sum.uncounted = sum.uncounted.wrapping_add(cpu.uncounted);
        }
        Ok(sum)
    }
}

fn map(error: &(dyn std::error::Error + 'static)) -> RouteError {
    RouteError::Map(sentence(error))
}

fn program(ebpf: &mut Ebpf) -> Result<&mut KProbe, RouteError> {
    ebpf.program_mut(PROGRAM)
        .and_then(|program| program.try_into().ok())
        .ok_or_else(|| RouteError::Program("the eBPF object lacks the route probe".into()))
}

/// Inode number of this thread's network namespace; the kernel has it in 32 bits.
fn own_namespace() -> Result<u32, RouteError> {
    use std::os::unix::fs::MetadataExt as _;
    let inode = fs::metadata(OWN_NAMESPACE).map_err(RouteError::Namespace)?.ino();
    u32::try_from(inode).map_err(|_| RouteError::Namespace(io::ErrorKind::InvalidData.into()))
}
