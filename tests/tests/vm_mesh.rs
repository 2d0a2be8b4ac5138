//! The whole, on the kernel's batman-adv: what the collector says against what batctl says at the same moment.
#![expect(clippy::unwrap_used, reason = "a test's helpers fail the test")]

use std::collections::BTreeMap;
use std::io::Write as _;
use std::process::{Command, Stdio};
use std::time::Duration;

use mesh_lab::metrics::{self, Sample};
use mesh_lab::wait::{self, Look};
use mesh_lab::{Impairment, Lab, Options, Topology, http};
use mesh_tests::batctl::{self, LinkEnd};
use mesh_tests::{kernel, meshes};

/// The contract's bound between the collector's TQ and batctl's.
const TQ_BOUND: f64 = 5.0;
const LIMIT: Duration = Duration::from_secs(180);

struct Metric {
    algorithm: &'static str,
    name: &'static str,
    /// One unit of batctl's value in units of the metric.
    scale: f64,
    /// In units of the metric.
    bound: f64,
}

const TQ: Metric = Metric {
    algorithm: "BATMAN_IV",
    name: "mesh_link_tq",
    scale: 1.0,
    bound: TQ_BOUND,
};
/// kbit/s to bytes a second; batctl and we read the same number.
const THROUGHPUT: Metric = Metric {
    algorithm: "BATMAN_V",
    name: "mesh_link_throughput_bytes_per_second",
    scale: 125.0,
    bound: 0.0,
};

fn collected(samples: &[Sample], name: &str) -> BTreeMap<LinkEnd, f64> {
    let key = |sample: &Sample| {
        (
            sample.label("node").to_owned(),
            sample.label("interface").to_owned(),
            sample.label("neighbor").to_owned(),
        )
    };
    metrics::select(samples, name, &[])
        .map(|sample| (key(sample), sample.value))
        .collect()
}

/// Waits for a moment at which every link agrees. batctl is asked before and after the collector; a value that moves
/// meanwhile may be anywhere between the two.
fn agree(lab: &Lab, metric: &Metric, accept: impl Fn(&BTreeMap<LinkEnd, f64>) -> bool) -> BTreeMap<LinkEnd, f64> {
    wait::until("collector and batctl agree on every link", LIMIT, || {
        let before = batctl::links(lab, metric.algorithm)?;
        let ours = collected(&lab.metrics()?, metric.name);
        let after = batctl::links(lab, metric.algorithm)?;
        if !ours.keys().eq(before.keys()) || !ours.keys().eq(after.keys()) {
            return Ok(Look::Pending(format!("{} links of {} known", ours.len(), after.len())));
        }
        let off = |key: &LinkEnd, value: f64| {
            let (a, b) = (before[key] * metric.scale, after[key] * metric.scale);
            (a.min(b) - value).max(value - a.max(b)).max(0.0)
        };
        let worst = ours.iter().map(|(key, value)| off(key, *value)).fold(0.0, f64::max);
        if worst > metric.bound {
            return Ok(Look::Pending(format!(
                "the worst of {} links is {worst} off",
                ours.len()
            )));
        }
        if !accept(&ours) {
            return Ok(Look::Pending("all agree, the change is not there yet".into()));
        }
        wait::say(&format!("    {} links agree, the worst is {worst} off", ours.len()));
        Ok(Look::Ready(ours))
    })
    .unwrap()
}

fn agree_before_and_after_an_impairment(metric: &Metric, test: &str) {
    if !kernel::has_algorithm(metric.algorithm).unwrap() {
        return;
    }
    let topology = meshes::random(metric.algorithm, 10, 4, 20_261_121).unwrap();
    let lab = Lab::start(&topology, Options::for_test(test).unwrap()).unwrap();
    let links = agree(&lab, metric, |links| links.len() == 2 * topology.links.len());

    let link = topology.links[0];
    let (a, b) = (&topology.nodes[link.a].id, &topology.nodes[link.b].id);
    let peer = lab.plan().unwrap().nodes[link.b]
        .interfaces
        .iter()
        .find(|end| end.peer == link.a)
        .unwrap()
        .mac
        .clone();
    let end = links
        .keys()
        .find(|(node, _, neighbor)| node == a && *neighbor == peer)
        .unwrap()
        .clone();
    match metric.algorithm {
        "BATMAN_IV" => lab
            .set_link(
                a,
                b,
                Impairment {
                    loss: 0.5,
                    ..Impairment::default()
                },
            )
            .unwrap(),
        // On a wire BATMAN_V goes by the interface's speed, which a veth pair has not: the override stands for it.
        _ => {
            lab.batctl(a, &["hardif", &end.1, "throughput_override", "3000kbit"])
                .unwrap();
        }
    }
    agree(&lab, metric, |now| now[&end] < links[&end] * 0.8);
    lab.stop().unwrap();
}

#[test]
fn tq_of_every_link_is_batctls_before_and_after_an_impairment() {
    agree_before_and_after_an_impairment(&TQ, "tq_of_every_link");
}

#[test]
fn throughput_of_every_link_is_batctls_before_and_after_an_impairment() {
    agree_before_and_after_an_impairment(&THROUGHPUT, "throughput_of_every_link");
}

/// a — b — c — d, where c has no agent.
fn chain() -> Topology {
    let text = r#"{"name":"chain","algorithm":"BATMAN_IV",
        "nodes":[{"id":"a"},{"id":"b"},{"id":"c","agent":false},{"id":"d"}],
        "links":[{"a":"a","b":"b"},{"a":"b","b":"c"},{"a":"c","b":"d"}]}"#;
    Topology::parse("chain.json".as_ref(), text).unwrap()
}

fn value(samples: &[Sample], name: &str, labels: &[(&str, &str)]) -> f64 {
    metrics::sum(samples, name, labels).unwrap_or(f64::NAN)
}

/// A metric, labels of it, and its value summed over the series that have these.
type Wanted<'a> = (&'a str, &'a [(&'a str, &'a str)], f64);

/// Waits until the collector serves each of these.
fn serves(lab: &Lab, what: &str, wanted: &[Wanted<'_>]) {
    wait::until(what, LIMIT, || {
        let Ok(samples) = lab.metrics() else {
            return Ok(Look::Pending("no metrics".into()));
        };
        let missing = wanted
            .iter()
            .find(|(name, labels, wanted)| value(&samples, name, labels) != *wanted);
        Ok(match missing {
            None => Look::Ready(()),
            Some((name, labels, wanted)) => Look::Pending(format!(
                "{name}{labels:?} is {}, not {wanted}",
                value(&samples, name, labels)
            )),
        })
    })
    .unwrap();
}

#[test]
fn smoke_a_mesh_is_seen_whole_and_survives_the_loss_of_each_daemon() {
    let route_probe = if kernel::describes_batman_adv() { 1.0 } else { 0.0 };
    let mut lab = Lab::start(&chain(), Options::for_test("a_mesh_is_seen_whole").unwrap()).unwrap();
    let whole: &[Wanted<'_>] = &[
        ("mesh_nodes", &[("mesh", "chain"), ("state", "live")], 3.0),
        ("mesh_nodes", &[("mesh", "chain"), ("state", "unobserved")], 1.0),
        ("mesh_node_degree", &[("node", "a")], 1.0),
        ("mesh_node_degree", &[("node", "b")], 2.0),
        ("mesh_node_degree", &[("node", "d")], 1.0),
        (
            "mesh_probe_attached",
            &[("node", "a"), ("probe", "routes")],
            route_probe,
        ),
        ("mesh_probe_attached", &[("node", "a"), ("probe", "traffic")], 1.0),
        ("mesh_link_tq", &[("node", "a"), ("neighbor_node", "b")], 255.0),
    ];
    serves(&lab, "the chain is seen whole", whole);

    let seen = lab.metrics().unwrap();
    for (metric, kind) in [
        ("mesh_batadv_packets_total", "iv_ogm"),
        ("mesh_batadv_bytes_total", "iv_ogm"),
    ] {
        for direction in ["in", "out"] {
            let count = value(
                &seen,
                metric,
                &[("node", "b"), ("type", kind), ("direction", direction)],
            );
            assert!(count > 0.0, "{metric} {direction}: {count}");
        }
    }
    let url = lab.metrics_url().unwrap();
    let address = url
        .trim_start_matches("http://")
        .trim_end_matches("/metrics")
        .parse()
        .unwrap();
    assert_eq!(promtool(&http::get(address, "/metrics").unwrap().body), "");

    lab.kill_collector().unwrap();
    lab.start_collector().unwrap();
    serves(
        &lab,
        "the collector, killed and started again, sees the chain whole",
        whole,
    );

    lab.kill_agent("d").unwrap();
    let silent: &[Wanted<'_>] = &[
        ("mesh_node_up", &[("node", "d")], 0.0),
        ("mesh_nodes", &[("mesh", "chain"), ("state", "stale")], 1.0),
    ];
    serves(&lab, "a node whose agent was killed is stale", silent);
    // Its forwarding is none of the agent's business.
    let d = lab.address("d").unwrap().to_string();
    lab.exec("a", "ping", &["-c", "1", "-W", "5", &d]).unwrap();

    lab.start_agent("d").unwrap();
    serves(&lab, "its agent, started again, is let in", whole);
    lab.stop().unwrap();
}

/// What `promtool check metrics` finds wrong with a page.
fn promtool(page: &str) -> String {
    let mut tool = Command::new(std::env::var_os("MESH_PROMTOOL").unwrap())
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    tool.stdin.take().unwrap().write_all(page.as_bytes()).unwrap();
    let output = tool.wait_with_output().unwrap();
    assert!(output.status.success(), "{output:?}");
    String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned()
}
