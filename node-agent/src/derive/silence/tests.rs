use proptest::prelude::*;

use super::*;
use crate::sample::Fault;

const G: MacAddr = MacAddr([2, 0, 0, 0, 0xd, 1]);
const H: MacAddr = MacAddr([2, 0, 0, 0, 0xe, 1]);

fn gateway(orig_address: MacAddr, best: bool) -> batadv::Gateway {
    batadv::Gateway {
        orig_address,
        router: Some(orig_address),
        hard_ifindex: Some(3),
        hard_ifname: None,
        tq: Some(200),
        throughput: None,
        bandwidth_down: 100,
        bandwidth_up: 20,
        best,
    }
}

fn way(orig_address: MacAddr, last_seen_msecs: u32) -> batadv::Originator {
    batadv::Originator {
        orig_address,
        neigh_address: H,
        hard_ifindex: 3,
        hard_ifname: None,
        tq: Some(200),
        throughput: None,
        last_seen_msecs,
        best: true,
    }
}

fn dump<E>(entries: Vec<E>) -> Read<Dump<E>> {
    Ok(Dump {
        entries,
        ..Dump::default()
    })
}

/// Looks at these seconds; what each brought, written short.
struct World {
    silence: Silence,
    interval_ms: u32,
}

impl World {
    fn new(interval_ms: u32) -> Self {
        Self {
            silence: Silence::default(),
            interval_ms,
        }
    }

    /// `best`: the selected gateway; `heard`: milliseconds since G's last message, none where there is no way to it.
    fn at(&mut self, seconds: f64, best: Option<MacAddr>, heard: Option<u32>) -> Vec<String> {
        let gateways = dump(best.into_iter().map(|best| gateway(best, true)).collect());
        let ways = dump(heard.into_iter().map(|millis| way(G, millis)).collect());
        self.look(seconds, &gateways, &ways)
    }

    fn look(
        &mut self,
        seconds: f64,
        gateways: &Read<Dump<batadv::Gateway>>,
        ways: &Read<Dump<batadv::Originator>>,
    ) -> Vec<String> {
        self.silence.configured(Some(self.interval_ms));
        let changes = self.silence.look(gateways, ways, nanos(seconds));
        changes
            .into_iter()
            .map(|change| format!("{:?} {}", change.turn, change.last_seen_msecs))
            .collect()
    }
}

fn nanos(seconds: f64) -> u64 {
    (seconds * 1e9) as u64
}

#[test]
fn a_silence_of_a_few_intervals_is_said_once_and_so_is_its_end() {
    let mut world = World::new(1_000);
    assert_eq!(world.at(100.0, Some(G), Some(300)), [""; 0]);
    assert_eq!(world.at(105.0, Some(G), Some(5_300)), [""; 0]);
    assert_eq!(world.silence.silent(), None);
    assert_eq!(world.at(106.0, Some(G), Some(6_300)), ["Silent 6300"]);
    assert_eq!(world.silence.silent(), Some(G));
    assert_eq!(world.at(107.0, Some(G), Some(7_300)), [""; 0]);
    assert_eq!(world.at(120.0, Some(G), Some(40)), ["Heard 40"]);
    assert_eq!(world.at(121.0, Some(G), Some(1_040)), [""; 0]);
}

#[test]
fn a_slow_mesh_is_given_its_time() {
    let mut world = World::new(10_000);
    assert_eq!(world.at(100.0, Some(G), Some(49_000)), [""; 0]);
    assert_eq!(world.at(102.0, Some(G), Some(51_000)), ["Silent 51000"]);
    assert_eq!(world.silence.look_after(), Some(Duration::from_secs(10)));
}

#[test]
fn looks_are_at_least_a_second_apart_and_none_without_a_gateway() {
    let mut world = World::new(40);
    assert_eq!(world.silence.look_after(), None);
    world.at(1.0, Some(G), Some(0));
    assert_eq!(world.silence.look_after(), Some(AT_LEAST));
    world.at(2.0, None, Some(0));
    world.at(3.0, None, Some(0));
    assert_eq!(world.silence.look_after(), None);
}

#[test]
fn a_gateway_not_selected_is_not_watched() {
    let mut world = World::new(1_000);
    let gateways = dump(vec![gateway(G, false)]);
    assert_eq!(world.look(1.0, &gateways, &dump(vec![way(G, 90_000)])), [""; 0]);
    assert_eq!(world.silence.look_after(), None);
}

#[test]
fn a_silent_gateway_that_vanishes_is_given_up_and_does_not_come_back() {
    let mut world = World::new(1_000);
    world.at(100.0, Some(G), Some(9_000));
    assert_eq!(world.at(101.0, None, None), [""; 0], "one read may be torn");
    assert_eq!(world.at(102.0, None, None), ["GivenUp 11000"]);
    assert_eq!(world.at(103.0, None, None), [""; 0]);
}

#[test]
fn another_gateway_selected_ends_the_silence_of_the_first() {
    let mut world = World::new(1_000);
    world.at(100.0, Some(G), Some(9_000));
    assert_eq!(world.at(101.0, Some(H), Some(10_000)), ["GivenUp 10000"]);
    assert_eq!(world.silence.silent(), None);
}

#[test]
fn a_gateway_that_was_heard_goes_without_a_word() {
    let mut world = World::new(1_000);
    world.at(100.0, Some(G), Some(0));
    assert_eq!(world.at(101.0, None, None), [""; 0]);
    assert_eq!(world.at(102.0, None, None), [""; 0]);
}

/// The kernel purges the ways to it before the gateway itself.
#[test]
fn a_gateway_whose_ways_are_gone_goes_on_being_silent() {
    let mut world = World::new(1_000);
    world.at(100.0, Some(G), Some(0));
    assert_eq!(world.at(110.0, Some(G), None), [""; 0], "one read may be torn");
    assert_eq!(world.at(111.0, Some(G), None), ["Silent 11000"]);
}

#[test]
fn what_cannot_be_read_says_nothing() {
    let mut world = World::new(1_000);
    world.at(100.0, Some(G), Some(0));
    let denied = || Err(Fault::Denied);
    assert_eq!(world.look(150.0, &Err(Fault::Denied), &denied()), [""; 0]);
    assert_eq!(world.look(151.0, &dump(vec![gateway(G, true)]), &denied()), [""; 0]);
    assert_eq!(world.at(152.0, Some(G), Some(100)), [""; 0]);
}

proptest! {
    /// Whatever is seen, silent and not silent take turns, and the last word agrees with the state.
    #[test]
    fn words_alternate(looks in proptest::collection::vec(
        (proptest::option::of(prop_oneof![Just(G), Just(H)]), proptest::option::of(0..20_000u32)), 0..40,
    )) {
        let mut silence = Silence::default();
        let mut silent = None;
        for (second, (best, heard)) in (1_000u64..).zip(looks) {
            let gateways = dump(best.into_iter().map(|best| gateway(best, true)).collect());
            let ways = dump(heard.into_iter().flat_map(|ms| [way(G, ms), way(H, 20_000 - ms)]).collect());
            for change in silence.look(&gateways, &ways, second * 1_000_000_000) {
                let turned = change.turn == Turn::Silent;
                prop_assert_eq!(silent.is_none(), turned);
                prop_assert!(turned || silent == Some(change.gateway));
                silent = turned.then_some(change.gateway);
            }
            prop_assert_eq!(silence.silent(), silent);
        }
    }
}
