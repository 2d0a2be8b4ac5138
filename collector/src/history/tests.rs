use mesh_proto::model::NeighborKey;
use proptest::prelude::*;

use super::*;
use crate::testing::{after, ifname, mac, mesh, node, start};
use crate::topology::{Contest, Happening};

fn store(limit: usize) -> Store {
    Store::new(start().wall, limit)
}

/// An adjacency change of the node with this number.
fn adjacency(store: &mut Store, of: u8, up: bool) {
    let event = Event::AdjacencyChange {
        mesh_ifname: ifname("bat0"),
        key: NeighborKey {
            hard_ifname: ifname("eth0"),
            neigh_address: mac(9),
        },
        up,
    };
    let wall = start().wall;
    store.add(name(of), None, wall, wall, What::Told(event));
}

fn name(of: u8) -> NodeId {
    node(&format!("n{of}"))
}

fn count(store: &Store, of: u8) -> usize {
    store.entries.values().filter(|entry| entry.node == name(of)).count()
}

#[test]
fn a_flapping_node_pushes_out_only_its_own_entries() {
    let mut store = store(100);
    for of in 0..10 {
        for _ in 0..5 {
            adjacency(&mut store, of, true);
        }
    }
    for _ in 0..10_000 {
        adjacency(&mut store, 99, true);
    }
    assert!((0..10).all(|of| count(&store, of) == 5));
    assert_eq!(count(&store, 99), 50);
    let newest = store.entries.last_key_value().unwrap().1;
    assert_eq!((newest.node.clone(), newest.sequence), (name(99), store.next));
}

#[test]
fn a_flapping_link_does_not_push_out_its_nodes_rarer_entries() {
    let mut store = store(10);
    let wall = start().wall;
    store.add(name(1), None, wall, wall, What::Lost);
    for _ in 0..1_000 {
        adjacency(&mut store, 1, true);
    }
    assert_eq!(store.entries.values().next().unwrap().what, What::Lost);
}

#[test]
fn what_the_collector_saw_and_what_nodes_told_is_kept() {
    let history = History::new(start().wall);
    let now = after(start(), 10.0);
    let changes = Changes {
        joined: vec![node("a")],
        turned: vec![(node("b"), NodeState::Stale), (node("c"), NodeState::Live)],
        left: vec![node("d")],
        contested: vec![Contest {
            mesh: mesh("roofs"),
            address: mac(1),
            holder: node("a"),
            claimant: node("b"),
        }],
        happened: vec![Happening {
            node: node("a"),
            mesh: Some(mesh("roofs")),
            time: after(start(), 9.0).wall,
            event: Event::GatewaySilent {
                mesh_ifname: ifname("bat0"),
                orig_address: mac(3),
                silent: false,
                given_up: true,
                last_seen_msecs: 7_000,
            },
        }],
    };
    history.note(&changes, now);
    let (entries, more) = history.page(None, 10, |_| true);
    let kinds: Vec<_> = entries
        .iter()
        .map(|entry| (entry.node.as_str(), entry.what.kind()))
        .collect();
    assert_eq!(
        kinds,
        [
            ("a", Kind::Joined),
            ("b", Kind::Lost),
            ("c", Kind::Joined),
            ("b", Kind::Contested),
            ("a", Kind::GatewayGivenUp),
        ]
    );
    assert!(!more);
    assert_eq!(entries[4].time, after(start(), 9.0).wall);
    assert_eq!(entries[4].observed_at, now.wall);
    assert!(history.knows(&node("c")) && !history.knows(&node("d")) && !history.knows(&node("0")));
}

#[test]
fn numbers_rise_from_one_run_to_the_next() {
    let first = History::new(start().wall);
    let changes = Changes {
        joined: vec![node("a"); 1_000],
        ..Changes::default()
    };
    first.note(&changes, start());
    let (entries, _) = first.page(None, 2_000, |_| true);
    let second = History::new(after(start(), 1.0).wall);
    second.note(&changes, after(start(), 1.0));
    let last = entries.last().unwrap().sequence;
    assert_eq!(second.page(Some(last), 2_000, |_| true).0.len(), 1_000);
}

proptest! {
    /// Whoever has most gives way: no share that lost anything is smaller than another one less the one just added.
    #[test]
    fn shares_are_fair_and_the_newest_are_kept(of in proptest::collection::vec((0..6u8, any::<bool>()), 0..300), limit in 1..40usize) {
        let mut store = store(limit);
        let mut added: BTreeMap<(NodeId, Kind), usize> = BTreeMap::new();
        for (of, up) in of {
            adjacency(&mut store, of, up);
            let kind = if up { Kind::AdjacencyUp } else { Kind::AdjacencyDown };
            *added.entry((name(of), kind)).or_default() += 1;
            prop_assert!(store.entries.len() <= limit);
            prop_assert_eq!(store.shares.values().map(VecDeque::len).sum::<usize>(), store.entries.len());
            prop_assert_eq!(store.sizes.len(), store.shares.len());
            for (owner, share) in &store.shares {
                prop_assert!(store.sizes.contains(&(share.len(), owner.clone())));
            }
        }
        let total: usize = added.values().sum();
        prop_assert_eq!(store.entries.len(), total.min(limit));
        let largest = store.shares.values().map(VecDeque::len).max().unwrap_or_default();
        for (owner, added) in added {
            let kept = store.shares.get(&owner).map_or(0, VecDeque::len);
            prop_assert!(kept == added || kept + 1 >= largest, "{:?} kept {} of {}, another has {}", owner, kept, added, largest);
        }
    }

    /// Pages of any size hold every entry once, in order, whatever is added in between.
    #[test]
    fn pages_hold_every_entry_once(before in 0..40usize, between in 0..3usize, size in 1..9usize) {
        let history = History::new(start().wall);
        let joined = |n| Changes { joined: vec![node("a"); n], ..Changes::default() };
        history.note(&joined(before), start());
        let (mut seen, mut after, mut added) = (Vec::new(), None, before);
        for round in 0.. {
            let (page, more) = history.page(after, size, |_| true);
            prop_assert!(page.len() <= size);
            seen.extend(page.iter().map(|entry| entry.sequence));
            after = seen.last().copied();
            if !more {
                break;
            }
            if round < 4 {
                history.note(&joined(between), start());
                added += between;
            }
        }
        prop_assert!(seen.is_sorted_by(|a, b| a < b));
        prop_assert_eq!(seen.len(), added);
    }
}
