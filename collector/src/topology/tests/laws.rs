//! Laws: the topology against a naive model that works everything out from scratch, and totals that never fall.

use std::collections::{BTreeMap, BTreeSet};

use mesh_proto::model::{MeshView, Neighbor, NeighborKey, TrafficKey};
use proptest::prelude::*;

use super::*;

const NAMES: [&str; 3] = ["a", "b", "c"];

/// Something that happens, in domains small enough for things to collide.
#[derive(Debug, Clone)]
enum Step {
    Report { who: usize, view: Tables },
    Wait { seconds: u32 },
    Look,
}

/// Own addresses, neighbors with who they are said to be, originators.
#[derive(Debug, Clone, Default)]
struct Tables {
    mesh: bool,
    own: BTreeSet<u8>,
    neighbors: BTreeMap<u8, Option<u8>>,
    originators: BTreeSet<u8>,
}

fn tables() -> impl Strategy<Value = Tables> {
    let own = proptest::collection::btree_set(1..5u8, 1..3);
    // Attributions lead upwards by one step, so that the model need not know chains.
    let neighbors = proptest::collection::btree_map(1..8u8, proptest::option::of(10..13u8), 0..4);
    let originators = proptest::collection::btree_set(1..14u8, 0..4);
    (any::<bool>(), own, neighbors, originators).prop_map(|(mesh, own, neighbors, originators)| Tables {
        mesh,
        own,
        neighbors,
        originators,
    })
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => (0..NAMES.len(), tables()).prop_map(|(who, view)| Step::Report { who, view }),
        2 => (1..30u32).prop_map(|seconds| Step::Wait { seconds }),
        1 => (590..620u32).prop_map(|seconds| Step::Wait { seconds }),
        3 => Just(Step::Look),
    ]
}

impl Tables {
    fn name(&self) -> MeshId {
        mesh(if self.mesh { "roofs" } else { "fields" })
    }

    fn view(&self) -> Snapshot {
        let mut view = MeshView {
            hard_interfaces: BTreeMap::new(),
            ..view(mac(*self.own.first().unwrap()))
        };
        view.settings.mesh = self.name();
        for (index, own) in self.own.iter().enumerate() {
            view.hard_interfaces
                .insert(ifname(&format!("eth{index}")), hard_interface(mac(*own)));
        }
        for (address, primary) in &self.neighbors {
            let key = NeighborKey {
                hard_ifname: ifname("eth0"),
                neigh_address: mac(*address),
            };
            let neighbor = Neighbor {
                metric: None,
                last_seen: Default::default(),
                orig_address: primary.map(mac),
            };
            view.neighbors.insert(key, neighbor);
        }
        for address in &self.originators {
            view = with_originator(view, mac(*address), mac(1));
        }
        snapshot(view)
    }
}

/// The same, worked out from scratch at each look.
#[derive(Debug, Default)]
struct Model {
    nodes: BTreeMap<&'static str, Known>,
    claims: u64,
}

#[derive(Debug)]
struct Known {
    heard: u32,
    live: bool,
    tables: Tables,
    since: BTreeMap<(MeshId, u8), u64>,
}

impl Model {
    fn report(&mut self, who: &'static str, now: u32, tables: Tables) {
        let mut since = BTreeMap::new();
        // Addresses in their order, as the writer takes them.
        for own in &tables.own {
            let place = (tables.name(), *own);
            let known = self.nodes.get(who).and_then(|known| known.since.get(&place).copied());
            self.claims += 1;
            since.insert(place, known.unwrap_or(self.claims));
        }
        let known = Known {
            heard: now,
            live: true,
            tables,
            since,
        };
        self.nodes.insert(who, known);
    }

    fn tick(&mut self, now: u32) {
        self.nodes.retain(|_, known| now - known.heard <= 600);
        for known in self.nodes.values_mut() {
            known.live &= now - known.heard <= 15;
        }
    }

    fn claimant(&self, place: &(MeshId, u8)) -> Option<&'static str> {
        let claims = self.nodes.iter().filter(|(_, known)| known.since.contains_key(place));
        claims
            .min_by_key(|(_, known)| (!known.live, known.since[place]))
            .map(|(who, _)| *who)
    }

    fn primary(&self, place: &(MeshId, u8)) -> u8 {
        let mut votes: BTreeMap<u8, u32> = BTreeMap::new();
        for known in self.live(&place.0) {
            if let Some(Some(primary)) = known.tables.neighbors.get(&place.1) {
                *votes.entry(*primary).or_default() += 1;
            }
        }
        let most = votes.values().max().copied();
        let winner = votes.iter().find(|(_, count)| Some(**count) == most);
        winner.map_or(place.1, |(primary, _)| *primary)
    }

    fn live<'a>(&'a self, mesh: &'a MeshId) -> impl Iterator<Item = &'a Known> {
        self.nodes
            .values()
            .filter(move |known| known.live && known.tables.name() == *mesh)
    }

    fn resolve(&self, place: &(MeshId, u8)) -> Option<NodeKey> {
        let owner = |place: &(MeshId, u8)| self.claimant(place).map(observed);
        if let Some(owner) = owner(place) {
            return Some(owner);
        }
        let mentioned = |address: u8| {
            self.live(&place.0).any(|known| {
                let said = known.tables.neighbors.values().any(|primary| *primary == Some(address));
                known.tables.originators.contains(&address) || known.tables.neighbors.contains_key(&address) || {
                    // A primary counts once something of the node is not claimed by anyone.
                    said && known.tables.neighbors.iter().any(|(neighbor, _)| {
                        let at = (place.0.clone(), *neighbor);
                        owner(&at).is_none() && self.primary(&at) == address
                    })
                }
            })
        };
        mentioned(place.1).then(|| {
            let root = (place.0.clone(), self.primary(place));
            owner(&root).unwrap_or(NodeKey::Unobserved(mac(root.1)))
        })
    }
}

fn agrees(snapshot: &TopologySnapshot, model: &Model) -> Result<(), TestCaseError> {
    let mut unobserved = BTreeSet::new();
    for name in ["roofs", "fields"] {
        for address in 1..14 {
            let expected = model.resolve(&(mesh(name), address));
            let resolved = snapshot.resolve(&mesh(name), mac(address)).cloned();
            prop_assert_eq!(&resolved, &expected, "{} in {}", address, name);
            unobserved.extend(expected.filter(|key| matches!(key, NodeKey::Unobserved(_))));
        }
    }
    let expected: BTreeSet<NodeKey> = model.nodes.keys().copied().map(observed).chain(unobserved).collect();
    let known: BTreeSet<NodeKey> = snapshot.nodes().keys().cloned().collect();
    prop_assert_eq!(&known, &expected);
    for (who, known) in &model.nodes {
        let node = snapshot.node(&observed(who)).unwrap();
        prop_assert_eq!(node.state == NodeState::Live, known.live);
        let far: BTreeSet<_> = known
            .tables
            .neighbors
            .keys()
            .map(|at| model.resolve(&(known.tables.name(), *at)).ok_or(*at))
            .filter(|key| key.as_ref().ok() != Some(&observed(who)))
            .collect();
        prop_assert_eq!(node.meshes[0].degree as usize, far.len());
        prop_assert_eq!(node.links.len(), known.tables.neighbors.len());
    }
    Ok(())
}

/// A watcher that knows the last snapshot finds every difference by the versions alone.
fn differences_show(last: &TopologySnapshot, snapshot: &TopologySnapshot) -> Result<(), TestCaseError> {
    for (key, node) in snapshot.nodes() {
        let same = last.node(key).is_some_and(|before| {
            before.state == node.state
                && before.links == node.links
                && before.meshes == node.meshes
                && before.contested == node.contested
        });
        prop_assert!(same || node.changed_in > last.version(), "{} changed unseen", key);
    }
    let gone = last.nodes().keys().any(|key| snapshot.node(key).is_none());
    prop_assert!(!gone || snapshot.version() > last.version());
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn the_topology_is_what_a_naive_model_says(steps in proptest::collection::vec(step(), 1..40)) {
        let (mut world, mut model, mut now) = (World::new(), Model::default(), 0u32);
        let mut last = world.snapshot(0.0);
        for step in steps {
            match step {
                Step::Report { who, view } => {
                    world.report(f64::from(now), &session(NAMES[who], 1, 1), view.view());
                    model.report(NAMES[who], now, view);
                }
                Step::Wait { seconds } => {
                    now += seconds;
                    world.tick(f64::from(now));
                    model.tick(now);
                }
                Step::Look => {
                    let snapshot = world.snapshot(f64::from(now));
                    agrees(&snapshot, &model)?;
                    differences_show(&last, &snapshot)?;
                    last = snapshot;
                }
            }
        }
    }

    #[test]
    fn totals_never_fall_and_count_each_incarnation_from_zero(
        readings in proptest::collection::vec((0..3u64, 0..1000u64), 1..30)
    ) {
        let (mut world, a) = (World::new(), session("a", 1, 2));
        let mut last: Option<(u64, u64)> = None;
        let mut expected = 0;
        for (incarnation, value) in readings {
            let mut view = with_counters(view(mac(1)));
            (view.counters_incarnation, view.traffic_incarnation) = (incarnation, incarnation);
            view.counters = [("tx".to_owned(), value)].into();
            view.traffic.values_mut().for_each(|traffic| traffic.packets = value);
            world.report(1.0, &a, snapshot(with_churn(view, incarnation, value)));
            let base = last.filter(|(before, _)| *before == incarnation).map_or(0, |(_, value)| value);
            expected += value.saturating_sub(base);
            last = Some((incarnation, value.max(base)));

            let now = world.snapshot(1.0);
            let agent = now.node(&observed("a")).unwrap().agent.as_ref().unwrap();
            let totals = &agent.totals.meshes[&(mesh("roofs"), ifname("bat0"))];
            let key: &TrafficKey = totals.packets.keys().next().unwrap();
            prop_assert_eq!(totals.counters["tx"].value, expected);
            prop_assert_eq!(totals.packets[key].value, expected);
            prop_assert_eq!(totals.churn.unwrap().path_switches.iter().sum::<u64>(), expected);
        }
    }
}
