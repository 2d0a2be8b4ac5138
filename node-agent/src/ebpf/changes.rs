//! Route changes one by one, from the ring buffer the kprobe writes to.
//!
//! The ring is the bound: while nobody reads, the kernel counts what no longer fits (`RouteLosses::ring_full`) and
//! goes on. It wakes the reader only when the reader had caught up, and the reader waits [`GATHER`] before it drains:
//! so a burst costs at most 20 wake-ups a second, and a quiet mesh none.

use std::{io, time::Duration};

use aya::maps::{MapData, RingBuf};
use mesh_proto::model::MacAddr;
use node_agent_ebpf_common::route::{Change, Hop};
use tokio::io::unix::AsyncFd;

use super::ring::watch;

/// How long changes are gathered before they are handed on.
pub const GATHER: Duration = Duration::from_millis(50);
/// Most changes handed on at once.
pub const BATCH: usize = 1024;

/// A next hop towards an originator.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NextHop {
    /// Index of the hard interface it is reached over.
    pub ifindex: u32,
    /// The neighbor's address on that interface.
    pub neighbor: MacAddr,
}

/// One change of the node's own route to an originator. From one next hop to another it is a path switch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RouteChange {
    /// When, in nanoseconds of `CLOCK_BOOTTIME`.
    pub boottime_ns: u64,
    /// Index of the mesh interface.
    pub mesh_ifindex: u32,
    /// Whither the route leads.
    pub originator: MacAddr,
    /// The next hop before; none for an originator that had no route.
    pub old: Option<NextHop>,
    /// The next hop after; none for a route that was deleted.
    pub new: Option<NextHop>,
}

impl RouteChange {
    /// Whether traffic went one way before and goes another now.
    #[must_use]
    pub const fn is_path_switch(&self) -> bool {
        self.old.is_some() && self.new.is_some()
    }

    /// Reads a record of the ring; `None` if it is none.
    fn decode(record: &[u8]) -> Option<Self> {
        let change = change(record)?;
        Some(Self {
            boottime_ns: change.boottime_ns,
            mesh_ifindex: change.mesh_ifindex,
            originator: MacAddr(change.originator),
            old: next_hop(change.old),
            new: next_hop(change.new),
        })
    }
}

fn next_hop(hop: Hop) -> Option<NextHop> {
    (hop != Hop::NONE).then_some(NextHop {
        ifindex: hop.ifindex,
        neighbor: MacAddr(hop.address),
    })
}

/// The fields of a [`Change`], in the order and byte order the kernel wrote them.
fn change(record: &[u8]) -> Option<Change> {
    let (boottime_ns, rest) = record.split_first_chunk()?;
    let (mesh_ifindex, rest) = rest.split_first_chunk()?;
    let (old, rest) = hop(rest)?;
    let (new, rest) = hop(rest)?;
    let (originator, padding) = rest.split_first_chunk()?;
    Some(Change {
        boottime_ns: u64::from_ne_bytes(*boottime_ns),
        mesh_ifindex: u32::from_ne_bytes(*mesh_ifindex),
        old,
        new,
        originator: *originator,
        padding: padding.try_into().ok()?,
    })
}

fn hop(bytes: &[u8]) -> Option<(Hop, &[u8])> {
    let (ifindex, rest) = bytes.split_first_chunk()?;
    let (address, rest) = rest.split_first_chunk()?;
    let (_, rest) = rest.split_first_chunk::<2>()?;
    Some((
        Hop {
            ifindex: u32::from_ne_bytes(*ifindex),
            address: *address,
            padding: [0; 2],
        },
        rest,
    ))
}

/// The reader's end of the ring.
pub struct RouteChanges {
    ring: AsyncFd<RingBuf<MapData>>,
}

impl std::fmt::Debug for RouteChanges {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RouteChanges").finish_non_exhaustive()
    }
}

impl RouteChanges {
    /// See [`watch`] for where it must be called.
    pub(super) fn new(ring: RingBuf<MapData>) -> io::Result<Self> {
        Ok(Self { ring: watch(ring)? })
    }

    /// Waits for changes and appends them, at most [`BATCH`], to `changes`. Loses none when it is cancelled.
    ///
    /// # Errors
    /// Only if the ring can no longer be waited for: then it is over with reports, the counters go on.
    pub async fn next(&mut self, changes: &mut Vec<RouteChange>) -> io::Result<()> {
        loop {
            // What a cancelled call or a full batch left behind gives no new signal.
            if self.drain(changes) > 0 {
                return Ok(());
            }
            self.ring.readable_mut().await?.clear_ready();
            tokio::time::sleep(GATHER).await;
        }
    }

    fn drain(&mut self, changes: &mut Vec<RouteChange>) -> usize {
        let before = changes.len();
        while changes.len() - before < BATCH
            && let Some(record) = self.ring.get_mut().next()
        {
            changes.extend(RouteChange::decode(&record));
        }
        changes.len() - before
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_record_is_read_as_the_program_lays_it_out() {
        let mut record = Vec::new();
        record.extend(7_u64.to_ne_bytes());
        record.extend(3_u32.to_ne_bytes());
        record.extend([0; 12]);
        record.extend(5_u32.to_ne_bytes());
        record.extend([2, 0, 0, 0, 0, 9, 0, 0]);
        record.extend([2, 0, 0, 0, 0, 1]);
        record.extend([0; 6]);
        assert_eq!(record.len(), size_of::<Change>());
        let change = RouteChange::decode(&record).expect("a record");
        let new = NextHop {
            ifindex: 5,
            neighbor: MacAddr([2, 0, 0, 0, 0, 9]),
        };
        let originator = MacAddr([2, 0, 0, 0, 0, 1]);
        assert_eq!(
            change,
            RouteChange {
                boottime_ns: 7,
                mesh_ifindex: 3,
                originator,
                old: None,
                new: Some(new)
            }
        );
        assert!(!change.is_path_switch());
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(record in proptest::collection::vec(any::<u8>(), 0..100)) {
            prop_assert_eq!(RouteChange::decode(&record).is_some(), record.len() == size_of::<Change>());
        }
    }
}
