//! What the agent sees through eBPF: frames on its hard interfaces by packet type, and each change of a route.
//!
//! Nothing here may fail the agent. Each probe stands for itself; one that cannot work on this kernel says in its
//! [`ProbeState`] why, and what is lost by it, and the rest goes on. All of it is blind to other network namespaces,
//! that of the loading thread is the agent's own. The calls block for as long as a few system calls take; the first
//! attachment of the route probe also reads the kernel's type information, some megabytes.

mod btf;
mod changes;
mod layout;
mod log;
mod reason;
mod ring;
mod routes;
mod traffic;

use std::collections::BTreeMap;

use aya::{Ebpf, EbpfLoader, maps::RingBuf};
use node_agent_ebpf_common::route::CHANGES_MAP;
pub use node_agent_ebpf_common::{PacketType, traffic::Direction};
use tokio::task::JoinHandle;

pub use self::{
    btf::{Btf, BtfError},
    changes::{BATCH, GATHER, NextHop, RouteChange, RouteChanges},
    layout::LayoutError,
    log::ProgramLog,
    routes::{RouteCounts, RouteError, RouteLosses},
    traffic::{TrafficCount, TrafficError, TrafficMechanism, VOUCHED_FOR, sweep, sweep_all},
};
use self::{reason::sentence, routes::RouteProbe, traffic::TrafficProbe};

/// The programs, as built by `cargo xtask ebpf`; none in a build that did without.
pub const OBJECT: Option<&[u8]> = include!(concat!(env!("OUT_DIR"), "/ebpf_object.rs"));

/// Name of the probe that counts frames.
pub const TRAFFIC: &str = "traffic";
/// Name of the probe that sees route changes.
pub const ROUTES: &str = "routes";

const TRAFFIC_LOST: &str = "frames and bytes by packet type are not counted";
const ROUTES_LOST: &str = "path switches are counted by polling, which undercounts";

/// What can be chosen about the probes.
#[derive(Debug, Clone, Copy, Default)]
pub struct ProbeConfig {
    /// From which severity on the programs in the kernel log.
    pub program_log: ProgramLog,
    /// Leave filters alone that another agent has, or left: for a look beside an agent that may be running.
    pub leave_filters: bool,
}

/// Whether a probe works here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProbeState {
    /// [`TRAFFIC`] or [`ROUTES`].
    pub name: &'static str,
    /// How it is attached: `tcx`, `tc`, `kprobe`; none if it is not.
    pub mechanism: Option<&'static str>,
    /// Why it is not attached, or not everywhere.
    pub reason: Option<String>,
    /// What is lost by that.
    pub lost: Option<&'static str>,
}

/// The agent's probes.
pub struct Probes {
    ebpf: Option<Ebpf>,
    traffic: Result<TrafficProbe, String>,
    /// Interfaces whose frames are not counted, and why.
    refused: BTreeMap<u32, String>,
    routes: Result<RouteProbe, String>,
    /// Why the route probe is loaded but not attached.
    routes_reason: Option<String>,
    changes: Option<RouteChanges>,
    log: Option<JoinHandle<()>>,
}

impl Probes {
    /// Loads what this kernel takes, and attaches the route probe if batman-adv is there. Removes filters that an
    /// agent left which was killed. Must be called within a tokio runtime.
    #[must_use]
    pub fn load(config: &ProbeConfig) -> Self {
        if !config.leave_filters {
            sweep_all();
        }
        let loaded = match OBJECT {
            None => Err("this build carries no eBPF object: run cargo xtask ebpf, and build again".to_owned()),
            Some(object) => EbpfLoader::new()
                .override_global(aya_log::LEVEL, &config.program_log.level(), false)
                .load(object)
                .map_err(|error| format!("the kernel takes no eBPF maps: {}", sentence(&error))),
        };
        let mut ebpf = match loaded {
            Ok(ebpf) => ebpf,
            Err(reason) => return Self::none(&reason),
        };
        let log = match config.program_log {
            ProgramLog::Off => None,
            ProgramLog::Warn | ProgramLog::Debug => log::forward(&mut ebpf)
                .inspect_err(|error| tracing::warn!(%error, "the eBPF programs' log cannot be read"))
                .ok(),
        };
        let traffic = TrafficProbe::load(&mut ebpf).map_err(|error| error.to_string());
        let routes = RouteProbe::load(&mut ebpf).map_err(|error| error.to_string());
        let changes = routes.is_ok().then(|| open_ring(&mut ebpf)).flatten();
        let mut probes = Self {
            ebpf: Some(ebpf),
            traffic,
            refused: BTreeMap::new(),
            routes,
            routes_reason: None,
            changes,
            log,
        };
        probes.refresh();
        for state in probes.states() {
            if let Some(reason) = state.reason {
                tracing::info!(probe = state.name, reason, lost = state.lost, "probe not attached");
            }
        }
        probes
    }

    fn none(reason: &str) -> Self {
        tracing::warn!(reason, "no eBPF probes");
        Self {
            ebpf: None,
            traffic: Err(reason.to_owned()),
            refused: BTreeMap::new(),
            routes: Err(reason.to_owned()),
            routes_reason: None,
            changes: None,
            log: None,
        }
    }

    /// Begins to count frames on a hard interface; again for one that is counted already does nothing. What hinders
    /// it is in [`Probes::states`] afterwards. Call it again after the interface was replaced by one of its name.
    pub fn attach_interface(&mut self, ifindex: u32, name: &str) {
        let (Some(ebpf), Ok(traffic)) = (&mut self.ebpf, &mut self.traffic) else {
            return;
        };
        match traffic.attach(ebpf, ifindex, name) {
            Ok(mechanism) => {
                self.refused.remove(&ifindex);
                tracing::debug!(
                    interface = name,
                    ifindex,
                    mechanism = mechanism.label(),
                    "counting frames"
                );
            }
            Err(error) => {
                let reason = format!("{name}: {error}");
                if self.refused.insert(ifindex, reason).is_none() {
                    tracing::warn!(interface = name, ifindex, %error, lost = TRAFFIC_LOST, "frames are not counted");
                }
            }
        }
    }

    /// Ends counting on an interface, which may be gone already; its counters are forgotten.
    pub fn detach_interface(&mut self, ifindex: u32) {
        self.refused.remove(&ifindex);
        if let (Some(ebpf), Ok(traffic)) = (&mut self.ebpf, &mut self.traffic) {
            traffic.detach(ebpf, ifindex);
        }
    }

    /// Says that the agent lives, and follows batman-adv being loaded, unloaded or replaced. Due every few seconds,
    /// at least twice in [`VOUCHED_FOR`].
    pub fn heartbeat(&mut self) {
        if let Ok(traffic) = &mut self.traffic
            && let Err(error) = traffic.vouch()
        {
            tracing::warn!(%error, "traffic counting may pause");
        }
        self.refresh();
    }

    fn refresh(&mut self) {
        let (Some(ebpf), Ok(routes)) = (&mut self.ebpf, &mut self.routes) else {
            return;
        };
        let reason = match routes.refresh(ebpf) {
            None => return,
            Some(Ok(())) => None,
            Some(Err(error)) => Some(error.to_string()),
        };
        match &reason {
            None => tracing::info!(probe = ROUTES, "probe attached"),
            Some(reason) if self.routes_reason.as_ref() != Some(reason) => {
                tracing::warn!(probe = ROUTES, reason, lost = ROUTES_LOST, "probe not attached");
            }
            Some(_) => {}
        }
        self.routes_reason = reason;
    }

    /// Frames counted so far on the attached interfaces; what is at zero is left out.
    ///
    /// # Errors
    /// If the kernel refuses to read the map.
    pub fn traffic(&self) -> Result<Vec<TrafficCount>, TrafficError> {
        self.traffic
            .as_ref()
            .map_or_else(|_| Ok(Vec::new()), TrafficProbe::counts)
    }

    /// Route changes counted so far, by mesh interface; a mesh without any is left out.
    ///
    /// # Errors
    /// If the kernel refuses to read the map.
    pub fn route_counts(&self) -> Result<Vec<RouteCounts>, RouteError> {
        self.routes.as_ref().map_or_else(|_| Ok(Vec::new()), RouteProbe::counts)
    }

    /// What the route probe lost so far.
    ///
    /// # Errors
    /// If the kernel refuses to read the map.
    pub fn route_losses(&self) -> Result<RouteLosses, RouteError> {
        self.routes
            .as_ref()
            .map_or_else(|_| Ok(RouteLosses::default()), RouteProbe::losses)
    }

    /// The stream of route changes; there is one, for the first that asks, and none without the route probe.
    pub fn take_route_changes(&mut self) -> Option<RouteChanges> {
        self.changes.take()
    }

    /// Whether route changes are being counted at this moment.
    #[must_use]
    pub fn sees_routes(&self) -> bool {
        self.routes.as_ref().is_ok_and(RouteProbe::is_attached)
    }

    /// How the frames of an interface are counted; `None` if they are not.
    #[must_use]
    pub fn mechanism_of(&self, ifindex: u32) -> Option<TrafficMechanism> {
        let traffic = self.traffic.as_ref().ok()?;
        traffic
            .mechanisms()
            .find(|(attached, _)| *attached == ifindex)
            .map(|(_, mechanism)| mechanism)
    }

    /// What works here and what does not.
    #[must_use]
    pub fn states(&self) -> [ProbeState; 2] {
        [self.traffic_state(), self.routes_state()]
    }

    fn traffic_state(&self) -> ProbeState {
        let (mechanism, reason) = match &self.traffic {
            Err(reason) => (None, Some(reason.clone())),
            Ok(traffic) => {
                let mechanism = traffic.mechanisms().next().map(|(_, mechanism)| mechanism.label());
                let refused = self.refused.values().map(String::as_str).collect::<Vec<_>>().join("; ");
                let reason = match (mechanism, refused.is_empty()) {
                    (Some(_), true) => None,
                    (None, true) => Some("no hard interface to count on yet".to_owned()),
                    (_, false) => Some(refused),
                };
                (mechanism, reason)
            }
        };
        let lost = reason.is_some().then_some(TRAFFIC_LOST);
        ProbeState {
            name: TRAFFIC,
            mechanism,
            reason,
            lost,
        }
    }

    fn routes_state(&self) -> ProbeState {
        let (mechanism, reason) = match &self.routes {
            Err(reason) => (None, Some(reason.clone())),
            Ok(routes) if routes.is_attached() => (Some("kprobe"), None),
            Ok(_) => (
                None,
                Some(
                    self.routes_reason
                        .clone()
                        .unwrap_or_else(|| RouteError::NoModule.to_string()),
                ),
            ),
        };
        let lost = reason.is_some().then_some(ROUTES_LOST);
        ProbeState {
            name: ROUTES,
            mechanism,
            reason,
            lost,
        }
    }
}

impl std::fmt::Debug for Probes {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Probes")
            .field("states", &self.states())
            .finish_non_exhaustive()
    }
}

impl Drop for Probes {
    fn drop(&mut self) {
        if let Some(log) = self.log.take() {
            log.abort();
        }
    }
}

fn open_ring(ebpf: &mut Ebpf) -> Option<RouteChanges> {
    let ring = RingBuf::try_from(ebpf.take_map(CHANGES_MAP)?);
    let opened = ring
        .map_err(|error| sentence(&error))
        .and_then(|ring| RouteChanges::new(ring).map_err(|error| error.to_string()));
    opened
        .inspect_err(|error| tracing::warn!(error, "route changes are counted, but not reported one by one"))
        .ok()
}
