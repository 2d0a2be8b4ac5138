//! Counts and reports each change of the node's own route to an originator, exactly once.
//!
//! Sits at the entry of `batadv_update_route(bat_priv, orig_node, recv_if, neigh_node)`, which the kernel calls once
//! per outgoing interface and once with `recv_if == NULL`; the last is the node's own choice and the only one that
//! counts here. The next hop before is read from the kernel's own default routing table of the originator, which the
//! function is about to change. So an update to the next hop that already is one (purging does that) is no change,
//! and an agent that starts in a running mesh knows what was before: no memory of our own can be stale or too small.
//!
//! A kprobe fires for every network namespace; those of other namespaces are left out.

use core::mem::size_of;

use aya_ebpf::{
    bindings::BPF_NOEXIST,
    helpers::{bpf_ktime_get_boot_ns, bpf_probe_read_kernel},
    macros::{kprobe, map},
    maps::{Array, PerCpuArray, PerCpuHashMap, RingBuf},
    programs::ProbeContext,
};
use aya_log_ebpf::warn;
use node_agent_ebpf_common::route::{
    Change, Counters, Hop, Layout, Losses, MAX_MESHES, MAX_ROUTING_TABLES, RING_BYTES,
};

#[map]
static ROUTE_LAYOUT: Array<Layout> = Array::with_max_entries(1, 0);

#[map]
static ROUTE_COUNTERS: PerCpuHashMap<u32, Counters> = PerCpuHashMap::with_max_entries(MAX_MESHES, 0);

#[map]
static ROUTE_LOSSES: PerCpuArray<Losses> = PerCpuArray::with_max_entries(1, 0);

#[map]
static ROUTE_CHANGES: RingBuf = RingBuf::with_byte_size(RING_BYTES, 0);

/// An address in the kernel; dereferenced by [`read`] alone, which checks it.
type Address = usize;

/// What of the kernel could not be read.
#[derive(Clone, Copy)]
enum Unreadable {
    MeshInterface = 1,
    Namespace = 2,
    Originator = 3,
    RoutingTable = 4,
    NextHop = 5,
}

#[kprobe]
pub fn echolot_route(context: ProbeContext) -> u32 {
    let (Some(bat_priv), Some(orig_node), Some(recv_if), Some(neigh_node)) = (
        context.arg::<Address>(0),
        context.arg::<Address>(1),
        context.arg::<Address>(2),
        context.arg::<Address>(3),
    ) else {
        return 0;
    };
    if recv_if != 0 {
        return 0;
    }
    let Some(layout) = ROUTE_LAYOUT.get(0) else { return 0 };
    if layout.netns_inode == 0 {
        return 0;
    }
    match change(layout, bat_priv, orig_node, neigh_node) {
        Ok(Some(change)) => {
            tally(&change);
            report(&change);
        }
        Ok(None) => {}
        Err(what) => {
            lose(|losses| losses.unreadable += 1);
            warn!(&context, "a route change could not be read, at step {}", what as u32);
        }
    }
    0
}

/// What is about to change; nothing if nothing does, or if it is another namespace's.
#[inline(always)]
fn change(
    layout: &Layout,
    bat_priv: Address,
    orig_node: Address,
    neigh_node: Address,
) -> Result<Option<Change>, Unreadable> {
    let mesh: Address = read(bat_priv, layout.priv_mesh_iface).ok_or(Unreadable::MeshInterface)?;
    let net: Address = read(mesh, layout.dev_net).ok_or(Unreadable::Namespace)?;
    let inode: u32 = read(net, layout.net_inode).ok_or(Unreadable::Namespace)?;
    if inode != layout.netns_inode {
        return Ok(None);
    }
    // Without a default routing table batadv_update_route() itself changes nothing.
    let Some(router) = default_router(layout, orig_node)? else {
        return Ok(None);
    };
    if router == neigh_node {
        return Ok(None);
    }
    let old = hop(layout, router)?;
    let new = hop(layout, neigh_node)?;
    // The neighbor's record may have been replaced by one of the same neighbor.
    if old.ifindex == new.ifindex && same(&old.address, &new.address) {
        return Ok(None);
    }
    Ok(Some(Change {
        // SAFETY: a helper without arguments.
        boottime_ns: unsafe { bpf_ktime_get_boot_ns() },
        mesh_ifindex: read(mesh, layout.dev_ifindex).ok_or(Unreadable::MeshInterface)?,
        old,
        new,
        originator: read(orig_node, layout.orig_address).ok_or(Unreadable::Originator)?,
        padding: [0; 6],
    }))
}

/// The neighbor record that the originator's default routing table points at; `None` without such a table.
#[inline(always)]
fn default_router(layout: &Layout, orig_node: Address) -> Result<Option<Address>, Unreadable> {
    let mut node: Address = read(orig_node, layout.orig_tables).ok_or(Unreadable::Originator)?;
    for _ in 0..MAX_ROUTING_TABLES {
        if node == 0 {
            return Ok(None);
        }
        let table = node.wrapping_sub(layout.table_node as usize);
        let outgoing: Address = read(table, layout.table_outgoing).ok_or(Unreadable::RoutingTable)?;
        if outgoing == 0 {
            return read(table, layout.table_router)
                .map(Some)
                .ok_or(Unreadable::RoutingTable);
        }
        // The first member of a hlist_node is `next`.
        node = read(node, 0).ok_or(Unreadable::RoutingTable)?;
    }
    Err(Unreadable::RoutingTable)
}

/// The next hop that a neighbor record stands for.
#[inline(always)]
fn hop(layout: &Layout, neigh_node: Address) -> Result<Hop, Unreadable> {
    if neigh_node == 0 {
        return Ok(Hop::NONE);
    }
    let address = read(neigh_node, layout.neigh_address).ok_or(Unreadable::NextHop)?;
    let interface: Address = read(neigh_node, layout.neigh_interface).ok_or(Unreadable::NextHop)?;
    let device: Address = read(interface, layout.hardif_dev).ok_or(Unreadable::NextHop)?;
    let ifindex = read(device, layout.dev_ifindex).ok_or(Unreadable::NextHop)?;
    Ok(Hop {
        ifindex,
        address,
        padding: [0; 2],
    })
}

/// Compares without a call to memcmp, which the target does not have.
#[inline(always)]
fn same(a: &[u8; 6], b: &[u8; 6]) -> bool {
    a[0] == b[0] && a[1] == b[1] && a[2] == b[2] && a[3] == b[3] && a[4] == b[4] && a[5] == b[5]
}

#[inline(always)]
fn tally(change: &Change) {
    let mut counters = ROUTE_COUNTERS.get_ptr_mut(change.mesh_ifindex);
    if counters.is_none() {
        // Another CPU may insert in between; the lookup after it decides.
        let _ = ROUTE_COUNTERS.insert(
            change.mesh_ifindex,
            Counters {
                switched: 0,
                added: 0,
                deleted: 0,
            },
            u64::from(BPF_NOEXIST),
        );
        counters = ROUTE_COUNTERS.get_ptr_mut(change.mesh_ifindex);
    }
    let Some(counters) = counters else {
        lose(|losses| losses.uncounted += 1);
        return;
    };
    // SAFETY: the pointer is this CPU's value of the map; a kprobe does not interrupt itself on one CPU.
    let counters = unsafe { &mut *counters };
    if change.old.ifindex == 0 {
        counters.added += 1;
    } else if change.new.ifindex == 0 {
        counters.deleted += 1;
    } else {
        counters.switched += 1;
    }
}

#[inline(always)]
fn report(change: &Change) {
    match ROUTE_CHANGES.reserve::<Change>(0) {
        Some(mut entry) => {
            entry.write(*change);
            // Flags 0: the kernel wakes the reader only if it had caught up. The reader waits a little before it
            // drains, which bounds the wake-ups.
            entry.submit(0);
        }
        None => lose(|losses| losses.ring_full += 1),
    }
}

#[inline(always)]
fn lose(count: impl FnOnce(&mut Losses)) {
    if let Some(losses) = ROUTE_LOSSES.get_ptr_mut(0) {
        // SAFETY: as in `tally`.
        count(unsafe { &mut *losses });
    }
}

/// Reads `T` at an offset behind an address in the kernel; `None` if that is no readable memory.
#[inline(always)]
fn read<T>(base: Address, offset: u32) -> Option<T> {
    const { assert!(size_of::<T>() <= 8) };
    // SAFETY: the helper checks the address and fails on one that cannot be read.
    unsafe { bpf_probe_read_kernel(base.wrapping_add(offset as usize) as *const T) }.ok()
}
