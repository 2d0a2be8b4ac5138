//! What one look at the kernel yielded: raw facts, when they were taken, and for each source that could not be read,
//! why.
//!
//! Values only. [`crate::collect`] makes them, whoever runs the probes adds theirs, [`crate::derive`] judges them.

use std::collections::BTreeMap;

use mesh_proto::model::{Direction, IfName, MacAddr};

use crate::netlink::batadv;
use crate::netlink::link::Link;

/// What a source said, or why it did not.
pub type Read<T> = Result<T, Fault>;

/// One look at everything.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Sample {
    /// When it began: CLOCK_BOOTTIME, nanoseconds.
    pub boottime_ns: u64,
    /// The configured mesh interfaces.
    pub meshes: BTreeMap<IfName, Read<MeshSample>>,
    /// From the probe on the route update; `None`: it does not run, so switches are polled.
    pub path_switches: Option<ProbeSwitches>,
    /// From the probes on the members; `None`: they do not run.
    pub traffic: Option<Vec<TrafficCount>>,
}

/// One mesh interface.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MeshSample {
    /// Its index.
    pub ifindex: u32,
    /// Its settings.
    pub settings: Read<batadv::Mesh>,
    /// Its members, as rtnetlink lists them.
    pub members: Vec<Link>,
    /// Its members, as batman-adv lists them.
    pub hard_interfaces: Read<batadv::Dump<batadv::HardInterface>>,
    /// Who is known, and by which next hops.
    pub originators: Read<batadv::Dump<batadv::Originator>>,
    /// Who is heard.
    pub neighbors: Read<batadv::Dump<batadv::Neighbor>>,
    /// Gateways announced.
    pub gateways: Read<batadv::Dump<batadv::Gateway>>,
    /// Clients announced by this node.
    pub translation_local: Read<batadv::Dump<batadv::LocalEntry>>,
    /// Clients announced by others.
    pub translation_global: Read<batadv::Dump<batadv::GlobalEntry>>,
    /// Bridge loop avoidance.
    pub bla_claims: Read<batadv::Dump<batadv::BlaClaim>>,
    /// Bridge loop avoidance.
    pub bla_backbones: Read<batadv::Dump<batadv::BlaBackbone>>,
    /// Distributed ARP table.
    pub dat_cache: Read<batadv::Dump<batadv::DatEntry>>,
    /// The mesh interface's own counters by name.
    pub counters: Read<BTreeMap<String, u64>>,
}

/// A look at the selected gateways alone, between two samples.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Glance {
    /// When it began: CLOCK_BOOTTIME, nanoseconds.
    pub boottime_ns: u64,
    /// The mesh interfaces asked for.
    pub meshes: BTreeMap<IfName, GatewayGlance>,
}

/// What tells whether one mesh interface's gateway is heard.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GatewayGlance {
    /// Which is selected.
    pub gateways: Read<batadv::Dump<batadv::Gateway>>,
    /// When it was heard.
    pub originators: Read<batadv::Dump<batadv::Originator>>,
}

/// Path switches as the kernel made them.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ProbeSwitches {
    /// Cumulative since the probe was loaded, by index of the mesh interface. A missing one has had none.
    pub counts: BTreeMap<u32, u64>,
    /// Those since the last sample, as far as the ring kept them.
    pub events: Vec<ProbedSwitch>,
}

/// One path switch as the kernel made it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ProbedSwitch {
    /// CLOCK_BOOTTIME, nanoseconds.
    pub boottime_ns: u64,
    /// Index of the mesh interface.
    pub mesh_ifindex: u32,
    /// Towards whom.
    pub orig_address: MacAddr,
    /// The next hop before.
    pub old_neigh_address: MacAddr,
    /// The next hop since.
    pub new_neigh_address: MacAddr,
}

/// Frames of one type that crossed a member in one direction, cumulative since the probe was loaded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TrafficCount {
    /// Index of the member.
    pub hard_ifindex: u32,
    /// Which way.
    pub direction: Direction,
    /// batman-adv packet type by name.
    pub packet_type: String,
    /// Frames.
    pub packets: u64,
    /// Bytes, the Ethernet header included.
    pub bytes: u64,
}

/// What there is to read of a mesh interface.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Source {
    /// The interface itself.
    Interface,
    /// `BATADV_CMD_GET_MESH`.
    Settings,
    /// `BATADV_CMD_GET_HARDIF`.
    HardInterfaces,
    /// `BATADV_CMD_GET_ORIGINATORS`.
    Originators,
    /// `BATADV_CMD_GET_NEIGHBORS`.
    Neighbors,
    /// `BATADV_CMD_GET_GATEWAYS`.
    Gateways,
    /// `BATADV_CMD_GET_TRANSTABLE_LOCAL`.
    TranslationLocal,
    /// `BATADV_CMD_GET_TRANSTABLE_GLOBAL`.
    TranslationGlobal,
    /// `BATADV_CMD_GET_BLA_CLAIM`.
    BlaClaims,
    /// `BATADV_CMD_GET_BLA_BACKBONE`.
    BlaBackbones,
    /// `BATADV_CMD_GET_DAT_CACHE`.
    DatCache,
    /// `SIOCETHTOOL`.
    Counters,
}

/// Why a source could not be read. The text says what is missing; [`Source::lost`] says what is lost by it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Fault {
    /// There is no such interface, and no module that could make one.
    #[error("the kernel module batman_adv is not loaded")]
    NoModule,
    /// There is no such interface.
    #[error("there is no such interface; create it, or correct the configuration")]
    NoInterface,
    /// There is one, of another kind.
    #[error("the interface is no batman-adv mesh interface but of kind {0:?}; correct the configuration")]
    OtherKind(String),
    /// No privilege.
    #[error("CAP_NET_ADMIN is missing (before Linux 5.17: that of the initial user namespace)")]
    Denied,
    /// Not compiled in.
    #[error("this kernel's batman-adv was built without it")]
    Unsupported,
    /// No answer in time.
    #[error("the kernel did not answer within {0} s")]
    TimedOut(u64),
    /// The socket failed; the next sample opens another.
    #[error("no socket to the kernel: {0}")]
    Socket(String),
    /// Anything else.
    #[error("the kernel refused: {0}")]
    Kernel(String),
}

// === impl Source ===

impl Source {
    /// As operators see it: the probe label of `mesh_probe_attached`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Interface => "mesh_interface",
            Self::Settings => "batadv_settings",
            Self::HardInterfaces => "batadv_hard_interfaces",
            Self::Originators => "batadv_originators",
            Self::Neighbors => "batadv_neighbors",
            Self::Gateways => "batadv_gateways",
            Self::TranslationLocal => "batadv_translation_local",
            Self::TranslationGlobal => "batadv_translation_global",
            Self::BlaClaims => "batadv_bla_claims",
            Self::BlaBackbones => "batadv_bla_backbones",
            Self::DatCache => "batadv_dat_cache",
            Self::Counters => "batadv_counters",
        }
    }

    /// How it is read.
    pub fn mechanism(self) -> &'static str {
        match self {
            Self::Interface => "rtnetlink",
            Self::Counters => "ethtool",
            _ => "genetlink",
        }
    }

    /// What is lost while it cannot be read.
    pub fn lost(self) -> &'static str {
        match self {
            Self::Interface => "nothing is known of this mesh until it appears",
            Self::Settings => "settings are unknown, the node's own originator address among them",
            Self::HardInterfaces => "the members and their addresses are unknown",
            Self::Originators => "there are no routes, no path switches, and no link metric on BATMAN_IV",
            Self::Neighbors => "there are no links and no adjacency changes",
            Self::Gateways => "gateways are unknown",
            Self::TranslationLocal => "this node's clients are not counted",
            Self::TranslationGlobal => "the mesh's clients are not counted",
            Self::BlaClaims => "claims of bridge loop avoidance are not counted",
            Self::BlaBackbones => "backbone gateways of bridge loop avoidance are not counted",
            Self::DatCache => "entries of the distributed ARP table are not counted",
            Self::Counters => "the kernel's own counters are missing",
        }
    }
}

// === impl Fault ===

impl Fault {
    /// The interface is surely not there, which is more than not having been told.
    pub fn is_absence(&self) -> bool {
        matches!(self, Self::NoModule | Self::NoInterface | Self::OtherKind(_))
    }

    /// What is missing and what is lost by it, in a sentence.
    pub fn sentence(&self, source: Source) -> String {
        format!("{self}: {}", source.lost())
    }
}

// === impl MeshSample ===

impl MeshSample {
    /// Every source of this mesh interface and why it could not be read, if so.
    pub fn sources(&self) -> [(Source, Option<&Fault>); 11] {
        [
            (Source::Settings, self.settings.as_ref().err()),
            (Source::HardInterfaces, self.hard_interfaces.as_ref().err()),
            (Source::Originators, self.originators.as_ref().err()),
            (Source::Neighbors, self.neighbors.as_ref().err()),
            (Source::Gateways, self.gateways.as_ref().err()),
            (Source::TranslationLocal, self.translation_local.as_ref().err()),
            (Source::TranslationGlobal, self.translation_global.as_ref().err()),
            (Source::BlaClaims, self.bla_claims.as_ref().err()),
            (Source::BlaBackbones, self.bla_backbones.as_ref().err()),
            (Source::DatCache, self.dat_cache.as_ref().err()),
            (Source::Counters, self.counters.as_ref().err()),
        ]
    }
}
