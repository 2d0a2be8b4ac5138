#![expect(clippy::disallowed_methods, reason = "an Instant has no other constructor")]

mod law;
mod transitions;

use mesh_proto::model::{Event, IfName, MacAddr, NeighborKey, SvidStatus};
use rand::SeedableRng as _;
use rand::rngs::StdRng;

use super::*;

const INTERVAL: Duration = Duration::from_secs(5);

/// A session and its clock.
struct Bench {
    session: Session,
    now: Instant,
    rng: StdRng,
}

impl Bench {
    fn new() -> Self {
        let now = Instant::now();
        let mut rng = StdRng::seed_from_u64(1);
        Self {
            session: Session::new(hello(), 7, now, &mut rng),
            now,
            rng,
        }
    }

    fn give(&mut self, input: Input) -> Vec<Output> {
        self.session.handle(input, self.now, &mut self.rng)
    }

    /// Goes to where the session wants to be woken.
    fn sleep(&mut self) -> Duration {
        let due = self.session.wakeup().unwrap();
        let slept = due.saturating_duration_since(self.now);
        self.now = self.now.max(due);
        slept
    }

    /// Until the Hello.
    fn dialled() -> Self {
        let mut bench = Self::new();
        bench.dial();
        bench
    }

    fn dial(&mut self) -> Message {
        self.sleep();
        assert_eq!(self.give(Input::Tick), [Output::Dial]);
        let mut sent = self.sent(Input::Dialled(clock(1)));
        assert_eq!(sent.len(), 1, "{sent:?}");
        sent.remove(0)
    }

    /// Until the Welcome, with nothing to report yet.
    fn open() -> Self {
        let mut bench = Self::dialled();
        bench.give(Input::Welcome(terms(100, 0)));
        bench
    }

    fn sent(&mut self, input: Input) -> Vec<Message> {
        let sent = self.give(input).into_iter().filter_map(|output| match output {
            Output::Send(message) => Some(message),
            _ => None,
        });
        sent.collect()
    }
}

fn hello() -> HelloInfo {
    HelloInfo {
        name: "gate".to_owned(),
        site: String::new(),
        agent_version: "0.1.0".to_owned(),
        kernel: "6.1".to_owned(),
        batman_adv: "2022.3".to_owned(),
        boot_id: "boot".to_owned(),
        report_interval: INTERVAL,
    }
}

fn clock(boottime_ns: u64) -> Clock {
    Clock {
        boottime_ns,
        realtime_ns: None,
    }
}

fn terms(records_window: u32, records_high_water: u64) -> WelcomeTerms {
    WelcomeTerms {
        protocol: 1,
        features: Vec::new(),
        records_window,
        records_high_water,
    }
}

/// A view that differs from the others by its certificate.
fn view(n: u64) -> Arc<Snapshot> {
    Arc::new(Snapshot {
        svid: Some(SvidStatus {
            expiry_seconds: n,
            renewals: 0,
        }),
        ..Snapshot::default()
    })
}

fn snapshot(n: u64) -> Input {
    Input::Snapshot(view(n), clock(n))
}

fn records(numbers: std::ops::RangeInclusive<u64>) -> Input {
    Input::Records(numbers.map(record).collect())
}

fn record(n: u64) -> Record {
    let key = NeighborKey {
        hard_ifname: IfName::try_from("eth0").unwrap(),
        neigh_address: MacAddr([2, 0, 0, 0, 0, 1]),
    };
    let event = Event::AdjacencyChange {
        mesh_ifname: IfName::try_from("bat0").unwrap(),
        key,
        up: true,
    };
    Record { boottime_ns: n, event }
}

fn lost() -> Input {
    let reason = "broken pipe".to_owned();
    Input::Closed(Close::Lost { reason })
}
