use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;
use crate::query::fixture::Cables;
use crate::testing::{after, mesh, start};
use crate::topology::{Moment, Topology};

fn chain() -> Cables {
    Cables::new(&["a", "b", "c"])
        .cable("a", "b", 255, 255)
        .cable("b", "c", 255, 255)
}

/// What a client makes of it.
#[derive(Debug, Default, PartialEq)]
struct Client {
    nodes: BTreeMap<String, pb::Node>,
    links: BTreeMap<(String, String, String, String), pb::Link>,
}

impl Client {
    fn hear(&mut self, messages: impl IntoIterator<Item = pb::WatchTopologyResponse>) {
        for message in messages {
            if message.full {
                *self = Self::default();
            }
            for key in message.removed_links {
                self.links
                    .remove(&(key.mesh, key.node, key.hard_ifname, key.neigh_address))
                    .unwrap();
            }
            for node in message.removed_nodes {
                self.nodes.remove(&node).unwrap();
            }
            for node in message.nodes {
                self.nodes.insert(
                    node.node.clone(),
                    pb::Node {
                        last_report: None,
                        ..node
                    },
                );
            }
            for link in message.links {
                let key = (
                    link.mesh.clone(),
                    link.node.clone(),
                    link.hard_ifname.clone(),
                    link.neigh_address.clone(),
                );
                self.links.insert(key, link);
            }
        }
    }
}

fn fresh(snapshot: &Arc<TopologySnapshot>) -> Client {
    let mut client = Client::default();
    client.hear(Watcher::new(None).tell(Arc::clone(snapshot)));
    client
}

#[test]
fn whole_comes_first_and_nothing_while_nothing_changes() {
    let (mut topology, mut watcher, start) = (Topology::default(), Watcher::new(None), start());
    let first = watcher.tell(chain().report_all(&mut topology, start));
    assert_eq!(
        (first.len(), first[0].full, first[0].nodes.len(), first[0].links.len()),
        (1, true, 3, 4)
    );
    let same = watcher.tell(chain().report_all(&mut topology, after(start, 5.0)));
    assert_eq!(same, []);
}

#[test]
fn change_of_a_link_is_that_link_alone() {
    let (mut topology, mut watcher, start) = (Topology::default(), Watcher::new(None), start());
    watcher.tell(chain().report_all(&mut topology, start));
    let changed = chain().set("a", "b", 200, 0);
    let told = watcher.tell(changed.report_all(&mut topology, after(start, 1.0)));
    assert_eq!((told.len(), told[0].full), (1, false));
    assert_eq!((told[0].nodes.len(), told[0].links.len()), (0, 1));
    assert_eq!((told[0].links[0].node.as_str(), told[0].links[0].tq), ("a", Some(200)));
}

#[test]
fn nothing_known_yet_is_told_too() {
    let told = Watcher::new(None).tell(Arc::new(TopologySnapshot::empty(start().wall)));
    assert_eq!((told.len(), told[0].full), (1, true));
}

#[test]
fn other_meshes_are_not_told() {
    let mut watcher = Watcher::new(Some(mesh("cellars")));
    let told = watcher.tell(chain().snapshot());
    assert_eq!((told.len(), told[0].nodes.len(), told[0].links.len()), (1, 0, 0));
}

#[test]
fn watcher_far_behind_gets_the_whole_again() {
    let (mut topology, mut watcher, start) = (Topology::default(), Watcher::new(None), start());
    watcher.tell(chain().report_all(&mut topology, start));
    let mut latest = None;
    for turn in 0..=MAX_BEHIND {
        let changed = chain().set("a", "b", 200 + u8::try_from(turn % 2).unwrap(), 0);
        latest = Some(changed.report_all(&mut topology, start));
    }
    let latest = latest.unwrap();
    assert_eq!(latest.version(), MAX_BEHIND + 2);
    assert!(watcher.tell(latest)[0].full);
}

#[test]
fn large_topology_comes_in_bounded_messages() {
    let mut messages = Messages::new(&TopologySnapshot::empty(start().wall));
    messages.current.full = true;
    for _ in 0..=2 * MAX_NODES {
        messages.add(Some(pb::Node::default()), Vec::new());
    }
    let sizes: Vec<_> = messages
        .finish()
        .iter()
        .map(|message| (message.full, message.nodes.len()))
        .collect();
    assert_eq!(sizes, [(true, MAX_NODES), (false, MAX_NODES), (false, 1)]);
}

/// States of a small mesh: which nodes report, and the TQs of two cables.
fn states() -> impl Strategy<Value = Vec<(usize, u8, u8, u32)>> {
    proptest::collection::vec((1..=3usize, 0..=3u8, 0..=3u8, 0..700u32), 1..8)
}

fn state(nodes: usize, first: u8, second: u8) -> Cables {
    let names = &["a", "b", "c"][..nodes];
    let mut cables = Cables::new(names);
    if nodes > 1 {
        cables = cables.cable("a", "b", 252 + first, 255);
    }
    if nodes > 2 {
        cables = cables.cable("b", "c", 255, 252 + second);
    }
    cables
}

proptest! {
    /// Nodes join, links change, nodes fall silent, are forgotten and come back; the watcher looks now and then.
    #[test]
    fn who_hears_the_changes_knows_the_whole(states in states(), looks in any::<u8>()) {
        let (mut topology, mut watcher, mut client) = (Topology::default(), Watcher::new(None), Client::default());
        let mut now: Moment = start();
        let mut latest = None;
        for (turn, (nodes, first, second, seconds)) in states.into_iter().enumerate() {
            now = after(now, f64::from(seconds));
            let snapshot = state(nodes, first, second).report_all(&mut topology, now);
            if looks >> turn & 1 == 1 {
                client.hear(watcher.tell(Arc::clone(&snapshot)));
                prop_assert_eq!(&client, &fresh(&snapshot));
            }
            latest = Some(snapshot);
        }
        if let Some(snapshot) = latest {
            client.hear(watcher.tell(Arc::clone(&snapshot)));
            prop_assert_eq!(&client, &fresh(&snapshot));
        }
    }
}
