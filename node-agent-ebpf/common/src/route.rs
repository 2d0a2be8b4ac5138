//! The maps of the route probe: where the kernel keeps what it reads, what it counts, what it reports.

/// Name of the one-entry array holding [`Layout`].
pub const LAYOUT_MAP: &str = "ROUTE_LAYOUT";
/// Name of the map from the mesh interface's index (`u32`) to [`Counters`], per CPU.
pub const COUNTERS_MAP: &str = "ROUTE_COUNTERS";
/// Name of the one-entry per-CPU array holding [`Losses`].
pub const LOSSES_MAP: &str = "ROUTE_LOSSES";
/// Name of the ring buffer of [`Change`] records.
pub const CHANGES_MAP: &str = "ROUTE_CHANGES";
/// Bytes of that ring buffer: some 1,300 records.
pub const RING_BYTES: u32 = 64 * 1024;
/// Name of the program.
pub const PROGRAM: &str = "echolot_route";
/// Most mesh interfaces counted on one node.
pub const MAX_MESHES: u32 = 64;
/// Most routing tables of one originator that are searched for the default one: a table per hard interface and one.
pub const MAX_ROUTING_TABLES: usize = 32;

/// Byte offsets of the kernel's fields, as its BTF has them, and whose changes are counted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[repr(C)]
pub struct Layout {
    /// Inode number of the network namespace whose meshes are counted; 0 switches the program off.
    pub netns_inode: u32,
    /// `batadv_priv.mesh_iface`, before batman-adv 2025.1 `soft_iface`.
    pub priv_mesh_iface: u32,
    /// `net_device.ifindex`
    pub dev_ifindex: u32,
    /// `net_device.nd_net.net`
    pub dev_net: u32,
    /// `net.ns.inum`
    pub net_inode: u32,
    /// `batadv_orig_node.orig`
    pub orig_address: u32,
    /// `batadv_orig_node.ifinfo_list`
    pub orig_tables: u32,
    /// `batadv_orig_ifinfo.list`
    pub table_node: u32,
    /// `batadv_orig_ifinfo.if_outgoing`
    pub table_outgoing: u32,
    /// `batadv_orig_ifinfo.router`
    pub table_router: u32,
    /// `batadv_neigh_node.addr`
    pub neigh_address: u32,
    /// `batadv_neigh_node.if_incoming`
    pub neigh_interface: u32,
    /// `batadv_hard_iface.net_dev`
    pub hardif_dev: u32,
}

/// A next hop; all zero where there is none.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[repr(C)]
pub struct Hop {
    /// Index of the hard interface it is reached over.
    pub ifindex: u32,
    /// The neighbor's address on that interface.
    pub address: [u8; 6],
    /// Always zero.
    pub padding: [u8; 2],
}

impl Hop {
    /// No next hop.
    pub const NONE: Self = Self {
        ifindex: 0,
        address: [0; 6],
        padding: [0; 2],
    };
}

/// One change of the node's own route to an originator.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[repr(C)]
pub struct Change {
    /// When, in nanoseconds of `CLOCK_BOOTTIME`.
    pub boottime_ns: u64,
    /// Index of the mesh interface.
    pub mesh_ifindex: u32,
    /// The next hop before.
    pub old: Hop,
    /// The next hop after.
    pub new: Hop,
    /// The originator.
    pub originator: [u8; 6],
    /// Always zero.
    pub padding: [u8; 6],
}

/// Route changes of one mesh interface, cumulative.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[repr(C)]
pub struct Counters {
    /// From one next hop to another: path switches.
    pub switched: u64,
    /// From none to one.
    pub added: u64,
    /// From one to none.
    pub deleted: u64,
}

/// What the program could not do, cumulative.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[repr(C)]
pub struct Losses {
    /// Counted, but not reported: the ring was full.
    pub ring_full: u64,
    /// Neither counted nor reported: kernel memory could not be read, or no default routing table was found.
    pub unreadable: u64,
    /// Reported, but not counted: more than [`MAX_MESHES`] mesh interfaces were seen.
    pub uncounted: u64,
}
