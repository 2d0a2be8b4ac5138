//! Counts batman-adv frames and their bytes on a hard interface by direction and packet type.
//!
//! One lookup and one addition per batman-adv frame, nothing but a comparison for any other. Counts in the entry of
//! the frame's interface and inserts none: without an entry nothing is counted. A filter attached over netlink
//! outlives an agent that was killed; it returns at once when the agent has not vouched for itself in time.

use core::{mem::MaybeUninit, slice};

use aya_ebpf::{
    bindings::{__sk_buff, TC_ACT_UNSPEC},
    helpers::{bpf_ktime_get_ns, generated::bpf_skb_load_bytes},
    macros::{classifier, map},
    maps::{Array, PerCpuHashMap},
    programs::TcContext,
};
use node_agent_ebpf_common::{
    HEAD_LENS, Head, PacketType, classify,
    traffic::{CELLS, Direction, FOREVER, MAX_INTERFACES, Table, cell},
};

const VLAN_ID_MASK: u32 = 0x0fff;

#[map]
static TRAFFIC: PerCpuHashMap<u32, Table> = PerCpuHashMap::with_max_entries(MAX_INTERFACES, 0);

#[map]
static ALIVE_UNTIL: Array<u64> = Array::with_max_entries(1, 0);

#[classifier]
pub fn echolot_ingress(context: TcContext) -> i32 {
    count(&context, Direction::Ingress);
    TC_ACT_UNSPEC
}

#[classifier]
pub fn echolot_egress(context: TcContext) -> i32 {
    count(&context, Direction::Egress);
    TC_ACT_UNSPEC
}

#[inline(always)]
fn count(context: &TcContext, direction: Direction) {
    let skb = context.skb.skb;
    // SAFETY: the kernel hands the program a valid context; these are plain loads the verifier rewrites.
    let (frame_len, ifindex, tagged, tag) =
        unsafe { ((*skb).len, (*skb).ifindex, (*skb).vlan_present, (*skb).vlan_tci) };
    // A tag taken off by the device or the kernel: same rule as for one in the frame, see `classify`.
    if tagged != 0 && tag & VLAN_ID_MASK != 0 {
        return;
    }
    let Some(kind) = packet_type(skb, frame_len as usize) else {
        return;
    };
    if !agent_lives() {
        return;
    }
    let Some(table) = TRAFFIC.get_ptr_mut(ifindex) else {
        return;
    };
    let cell = cell(direction, kind);
    if cell >= CELLS {
        return;
    }
    // SAFETY: the pointer is this CPU's value of the map, which the verifier bounds; programs of one CPU do not
    // preempt each other in the tc hooks.
    unsafe {
        let counter = (&raw mut (*table).cells)
            .cast::<node_agent_ebpf_common::traffic::Counter>()
            .add(cell);
        (*counter).packets += 1;
        (*counter).bytes += u64::from(frame_len);
    }
}

/// The batman-adv packet in the frame, if there is one.
#[inline(always)]
fn packet_type(skb: *mut __sk_buff, frame_len: usize) -> Option<PacketType> {
    match first_look(skb, frame_len) {
        Head::Longer => {}
        found => return packet(found),
    }
    match look::<{ HEAD_LENS[1] }>(skb, frame_len) {
        Head::Longer => packet(look::<{ HEAD_LENS[2] }>(skb, frame_len)),
        found => packet(found),
    }
}

#[inline(always)]
fn packet(head: Head) -> Option<PacketType> {
    match head {
        Head::Packet(kind) => Some(kind),
        Head::Longer | Head::Foreign => None,
    }
}

/// Classifies by the least that can do, which nearly always lies in the frame's linear part: reading it there costs
/// a comparison, copying it out a helper call, some 15 times as much.
#[inline(always)]
fn first_look(skb: *mut __sk_buff, frame_len: usize) -> Head {
    const LEN: usize = HEAD_LENS[0];
    // SAFETY: as in `count`.
    let (data, end) = unsafe { ((*skb).data as usize, (*skb).data_end as usize) };
    if data + LEN > end {
        return look::<LEN>(skb, frame_len);
    }
    // SAFETY: the comparison shows, to the verifier too, that `LEN` bytes lie between `data` and `end`.
    classify(unsafe { slice::from_raw_parts(data as *const u8, LEN) }, frame_len)
}

/// Classifies by the first `N` bytes, wherever they lie: the head of a frame need not be linear.
#[inline(always)]
fn look<const N: usize>(skb: *mut __sk_buff, frame_len: usize) -> Head {
    let mut head = MaybeUninit::<[u64; 3]>::uninit();
    const { assert!(N <= 24) };
    // SAFETY: the buffer has 24 bytes and `N` is not more; the helper writes all of the `N` bytes or fails.
    let loaded = unsafe { bpf_skb_load_bytes(skb.cast(), 0, head.as_mut_ptr().cast(), N as u32) };
    if loaded != 0 {
        return Head::Foreign;
    }
    // SAFETY: the helper succeeded, so `N` bytes are initialised.
    let head = unsafe { slice::from_raw_parts(head.as_ptr().cast::<u8>(), N) };
    classify(head, frame_len)
}

/// Whether the agent has vouched for itself. Asks the clock only where its death would not detach the program.
#[inline(always)]
fn agent_lives() -> bool {
    let Some(&until) = ALIVE_UNTIL.get(0) else { return false };
    // SAFETY: a helper without arguments.
    until == FOREVER || unsafe { bpf_ktime_get_ns() } <= until
}
