//! The law of both lanes: whatever the network does, a collector that applies what it gets ends up with the newest
//! view and, but for those the outbox had to drop, with every record once.

use std::collections::{BTreeMap, VecDeque};

use mesh_proto::model::{LastSeen, MeshId, MeshSettings, MeshView, Metric, Neighbor, TableSizes, Tq};
use proptest::prelude::*;

use super::*;

/// One thing that happens.
#[derive(Debug, Clone)]
enum Step {
    /// The application publishes.
    Publish(Arc<Snapshot>),
    /// The application records this many events.
    Record(u8),
    /// The collector handles this many of the messages under way.
    Deliver(u8),
    /// This many of the collector's answers arrive.
    Answer(u8),
    /// The collector loses its view and notices at the next report.
    Forget,
    /// The connection breaks; messages and answers under way are gone.
    Break,
    /// The collector drains.
    Drain,
    /// The session sleeps until it wants to be woken.
    Sleep,
}

fn snapshots() -> impl Strategy<Value = Arc<Snapshot>> {
    let name = |text: &str| IfName::try_from(text).unwrap();
    let neighbors = proptest::collection::btree_map(0..4u8, any::<u8>(), 0..4);
    let mesh = neighbors.prop_map(move |neighbors| {
        let neighbor = |(last, tq)| {
            let key = NeighborKey {
                hard_ifname: name("eth0"),
                neigh_address: MacAddr([2, 0, 0, 0, 0, last]),
            };
            let neighbor = Neighbor {
                metric: Some(Metric::Tq(Tq(tq))),
                last_seen: LastSeen::from_millis(0),
                orig_address: None,
            };
            (key, neighbor)
        };
        MeshView {
            settings: MeshSettings {
                mesh: MeshId::try_from("roofs").unwrap(),
                algorithm: None,
                mesh_address: None,
                orig_address: None,
                hop_penalty: None,
                orig_interval_ms: None,
                gw_mode: None,
                gw_bandwidth_down_kbit: None,
                gw_bandwidth_up_kbit: None,
            },
            hard_interfaces: BTreeMap::new(),
            neighbors: neighbors.into_iter().map(neighbor).collect(),
            originators: BTreeMap::new(),
            gateways: BTreeMap::new(),
            tables: TableSizes::default(),
            counters_incarnation: 0,
            counters: BTreeMap::new(),
            traffic_incarnation: 0,
            traffic: BTreeMap::new(),
            churn: None,
        }
    });
    let meshes = proptest::collection::btree_map(prop_oneof![Just("bat0"), Just("bat1")], mesh, 0..3);
    (meshes, proptest::option::of(any::<u64>())).prop_map(move |(meshes, expiry)| {
        Arc::new(Snapshot {
            meshes: meshes.into_iter().map(|(text, mesh)| (name(text), mesh)).collect(),
            probes: BTreeMap::new(),
            svid: expiry.map(|expiry_seconds| SvidStatus {
                expiry_seconds,
                renewals: 0,
            }),
            managed: BTreeMap::new(),
        })
    })
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        4 => snapshots().prop_map(Step::Publish),
        2 => (1..6u8).prop_map(Step::Record),
        6 => (1..4u8).prop_map(Step::Deliver),
        6 => (1..4u8).prop_map(Step::Answer),
        1 => Just(Step::Forget),
        1 => Just(Step::Break),
        1 => Just(Step::Drain),
        3 => Just(Step::Sleep),
    ];
    proptest::collection::vec(step, 1..120)
}

/// A collector as the contract describes it, and the wires to and from it.
#[derive(Default)]
struct Collector {
    under_way: VecDeque<Message>,
    answers: VecDeque<Input>,
    /// The last number and the view; `None`: it waits for a full one.
    live: Option<(u64, Snapshot)>,
    asked: bool,
    /// A full view has arrived on this connection.
    synced: bool,
    window: u32,
    high_water: u64,
    /// What each record said, in the order they came.
    records: Vec<u64>,
    lost: u64,
    epoch: Option<Epoch>,
}

impl Collector {
    fn connection_gone(&mut self) {
        self.under_way.clear();
        self.answers.clear();
        self.live = None;
        self.asked = false;
        self.synced = false;
    }

    fn handle(&mut self, message: Message) {
        match message {
            Message::Hello(hello) => {
                assert!(self.epoch < Some(hello.epoch), "epochs must rise");
                self.epoch = Some(hello.epoch);
                self.answers
                    .push_back(Input::Welcome(terms(self.window, self.high_water)));
            }
            Message::FullSync { sequence, snapshot, .. } => {
                self.live = Some((sequence, Snapshot::clone(&snapshot)));
                self.asked = false;
                self.synced = true;
                self.answers.push_back(Input::LiveAck(sequence));
            }
            Message::Delta { sequence, delta, .. } => match &mut self.live {
                Some((last, view)) => {
                    assert_eq!(sequence, *last + 1, "deltas must be numbered without a gap");
                    delta.apply(view).expect("a delta must fit the view before it");
                    *last = sequence;
                    self.answers.push_back(Input::LiveAck(sequence));
                }
                None if !std::mem::replace(&mut self.asked, true) => {
                    let reason = "no full view".to_owned();
                    self.answers.push_back(Input::FullSyncRequest { reason });
                }
                None => {}
            },
            Message::Records {
                first_sequence,
                records,
            } => {
                assert!(self.synced, "records must wait for the live lane");
                self.lost += first_sequence.saturating_sub(self.high_water + 1);
                for (sequence, record) in (first_sequence..).zip(&records) {
                    if sequence > self.high_water {
                        self.high_water = sequence;
                        self.records.push(record.boottime_ns);
                    }
                }
                self.answers.push_back(Input::RecordsAck(self.high_water));
            }
        }
    }
}

/// Session, collector and what is between them.
struct Scene {
    bench: Bench,
    collector: Collector,
    recorded: u64,
}

impl Scene {
    fn give(&mut self, input: Input) {
        for output in self.bench.give(input) {
            match output {
                Output::Dial => {
                    self.collector.connection_gone();
                    self.give(Input::Dialled(clock(0)));
                }
                Output::Send(message) => self.collector.under_way.push_back(message),
                Output::Hangup => self.collector.connection_gone(),
                Output::KeepIncarnation(_) => panic!("nobody was refused"),
                Output::Notice(_) => {}
            }
        }
        let under_way = self.collector.under_way.iter();
        let reports = under_way.filter(|message| matches!(message, Message::FullSync { .. } | Message::Delta { .. }));
        // Twice the window: after a request for a full view the reports under way are no longer counted.
        assert!(reports.count() as u64 <= 2 * LIVE_WINDOW, "views must not queue up");
    }

    fn deliver(&mut self) -> bool {
        let message = self.collector.under_way.pop_front();
        message.map(|message| self.collector.handle(message)).is_some()
    }

    fn answer(&mut self) -> bool {
        let answer = self.collector.answers.pop_front();
        answer.map(|answer| self.give(answer)).is_some()
    }

    fn sleep(&mut self) {
        if self.bench.session.wakeup().is_some() {
            self.bench.sleep();
            self.give(Input::Tick);
        }
    }

    fn step(&mut self, step: Step) {
        match step {
            Step::Publish(snapshot) => self.give(Input::Snapshot(snapshot, clock(0))),
            Step::Record(count) => {
                let next = self.recorded + 1;
                self.recorded += u64::from(count);
                self.give(records(next..=self.recorded));
            }
            Step::Deliver(count) => {
                for _ in 0..count {
                    self.deliver();
                }
            }
            Step::Answer(count) => {
                for _ in 0..count {
                    self.answer();
                }
            }
            Step::Forget => {
                self.collector.live = None;
                self.collector.asked = false;
            }
            Step::Break => {
                self.collector.connection_gone();
                self.give(lost());
            }
            Step::Drain => {
                let after = INTERVAL;
                self.give(Input::Drain { after });
            }
            Step::Sleep => self.sleep(),
        }
    }

    /// The network behaves until nothing moves any more.
    fn settle(&mut self) {
        for _ in 0..10_000 {
            if !self.deliver() && !self.answer() {
                if matches!(self.bench.session.phase, Phase::Open(_)) {
                    return;
                }
                self.sleep();
            }
        }
        panic!("it never came to rest: {:?}", self.bench.session);
    }
}

proptest! {
    #[test]
    fn a_collector_ends_with_the_newest_view_and_every_record_that_was_not_dropped(
        steps in steps(),
        last in snapshots(),
        window in 1..8u32,
        capacity in 1..20usize,
    ) {
        let mut bench = Bench::new();
        bench.session.outbox = Outbox::new(capacity);
        let collector = Collector { window, ..Collector::default() };
        let mut scene = Scene { bench, collector, recorded: 0 };
        for step in steps {
            scene.step(step);
        }
        scene.give(Input::Snapshot(Arc::clone(&last), clock(0)));
        scene.settle();
        // A view the collector lost unnoticed comes back with the next report.
        scene.give(Input::Snapshot(Arc::clone(&last), clock(0)));
        scene.settle();

        let (_, view) = scene.collector.live.as_ref().expect("a view");
        prop_assert_eq!(view, &*last);
        let received = &scene.collector.records;
        prop_assert!(received.is_sorted_by(|a, b| a < b), "twice or out of order: {:?}", received);
        prop_assert_eq!(received.len() as u64 + scene.collector.lost, scene.recorded);
        prop_assert!(scene.collector.lost <= scene.bench.session.lost_records());
    }
}
