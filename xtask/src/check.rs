//! `cargo xtask demo --check`: what the demo shows, asserted; each check is printed with what was measured.

use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Result, bail, ensure};
use mesh_lab::http;
use mesh_lab::metrics::{self, Sample};
use mesh_lab::wait::{self, Look};
use serde_json::Value;

use crate::demo::Demo;
use crate::job::Request;
use crate::prometheus;
use crate::report::{Steps, say};

/// For a state that follows from originator messages: their window is 64 long, one a second.
const MESH_LIMIT: Duration = Duration::from_secs(240);
/// The least TQ of a link that loses nothing, of 255.
const GOOD_TQ: f64 = 245.0;
/// The link on the used path that is impaired, and how much it then loses in each direction.
const IMPAIRED: (&str, &str, f64) = ("north", "east", 0.6);

/// Runs all checks and takes the demo down.
pub(crate) fn run(mut demo: Demo, steps: &mut Steps) -> Result<ExitCode> {
    let ports = [demo.ports.metrics, demo.ports.grpc, demo.prometheus.address.port()];
    let result = steps.must("check what it shows", || checks(&mut demo));
    let down = steps.must("take everything down and see that nothing is left", || {
        let nodes: Vec<_> = demo.topology.nodes.iter().map(|node| node.id.clone()).collect();
        demo.stop()?;
        nothing_left(&nodes, &ports)
    });
    result.and(down)?;
    steps.summary();
    Ok(ExitCode::SUCCESS)
}

fn checks(demo: &mut Demo) -> Result<()> {
    nodes_are_live(demo)?;
    links_are_good(demo)?;
    degrees_are_right(demo)?;
    targets_are_healthy(demo)?;
    page_is_clean(demo)?;
    queries_are_answered(demo)?;
    a_switch_is_counted(demo)
}

fn ok(line: &str) {
    say(&format!("  ok  {line}"));
}

fn address(demo: &Demo) -> SocketAddr {
    (Ipv4Addr::LOCALHOST, demo.ports.metrics).into()
}

fn page(demo: &Demo) -> Result<String> {
    let page = http::get(address(demo), "/metrics")?;
    ensure!(page.status == 200, "/metrics answers {}", page.status);
    Ok(page.body)
}

/// Looks at the metrics until `look` is content.
fn until<T>(demo: &mut Demo, what: &str, mut look: impl FnMut(&Demo, &[Sample]) -> Look<T>) -> Result<T> {
    wait::until(what, MESH_LIMIT, || {
        demo.session.must_run()?;
        demo.prometheus.check()?;
        Ok(match page(demo) {
            Ok(page) => look(demo, &metrics::parse(&page)),
            Err(error) => Look::Pending(format!("{error:#}")),
        })
    })
}

fn nodes_are_live(demo: &mut Demo) -> Result<()> {
    let agents = demo.topology.nodes.iter().filter(|node| node.agent).count();
    let others = demo.topology.nodes.len() - agents;
    until(
        demo,
        "every node is live, the one without an agent unobserved",
        |demo, samples| {
            let count = |state| {
                metrics::sum(
                    samples,
                    "mesh_nodes",
                    &[("mesh", &demo.topology.name), ("state", state)],
                )
            };
            let (live, unobserved) = (count("live").unwrap_or(0.0), count("unobserved").unwrap_or(0.0));
            match live == agents as f64 && unobserved == others as f64 {
                true => Look::Ready(()),
                false => Look::Pending(format!("{live} live, {unobserved} unobserved")),
            }
        },
    )?;
    ok(&format!("{agents} nodes are live, {others} unobserved"));
    Ok(())
}

fn links_are_good(demo: &mut Demo) -> Result<()> {
    let (count, least) = until(
        demo,
        &format!("every link's TQ is at least {GOOD_TQ}"),
        |demo, samples| {
            let mut least = f64::INFINITY;
            let mut count = 0;
            for (node, peer) in link_ends(demo) {
                let interface = format!("to-{peer}");
                let labels = [
                    ("mesh", demo.topology.name.as_str()),
                    ("node", &node),
                    ("interface", &interface),
                ];
                let found: Vec<_> = metrics::select(samples, "mesh_link_tq", &labels).collect();
                match found.as_slice() {
                    [one] if one.value >= GOOD_TQ && names(demo, one.label("neighbor_node"), &peer) => {
                        least = least.min(one.value);
                        count += 1;
                    }
                    [one] => {
                        let by = one.label("neighbor_node");
                        return Look::Pending(format!("{node} {interface}: TQ {}, neighbor_node `{by}`", one.value));
                    }
                    all => return Look::Pending(format!("{node} {interface}: {} series", all.len())),
                }
            }
            Look::Ready((count, least))
        },
    )?;
    ok(&format!(
        "all {count} observed link ends have TQ {least} or more, as links without loss should"
    ));
    Ok(())
}

/// Whether the collector names this peer: one with an agent by its id, another by anything but an agent's id.
fn names(demo: &Demo, label: &str, peer: &str) -> bool {
    let agent = |id: &str| demo.topology.nodes.iter().any(|node| node.agent && node.id == id);
    if agent(peer) { label == peer } else { !agent(label) }
}

/// Every end of a link at a node with an agent: the node and the peer.
fn link_ends(demo: &Demo) -> Vec<(String, String)> {
    let nodes = &demo.topology.nodes;
    let both = demo
        .topology
        .links
        .iter()
        .flat_map(|link| [(link.a, link.b), (link.b, link.a)]);
    both.filter(|(at, _)| nodes[*at].agent)
        .map(|(at, to)| (nodes[at].id.clone(), nodes[to].id.clone()))
        .collect()
}

fn degrees_are_right(demo: &mut Demo) -> Result<()> {
    let degrees = until(demo, "every node's degree is the topology's", |demo, samples| {
        let mut degrees = Vec::new();
        for (i, node) in demo.topology.nodes.iter().enumerate().filter(|(_, node)| node.agent) {
            let wanted = demo.topology.degree(i);
            let labels = [("mesh", demo.topology.name.as_str()), ("node", &node.id)];
            let found = metrics::sum(samples, "mesh_node_degree", &labels);
            if found != Some(wanted as f64) {
                return Look::Pending(format!("{}: {found:?}, by the topology {wanted}", node.id));
            }
            degrees.push(format!("{} {wanted}", node.id));
        }
        Look::Ready(degrees)
    })?;
    ok(&format!("degrees are the topology's: {}", degrees.join(", ")));
    Ok(())
}

fn targets_are_healthy(demo: &mut Demo) -> Result<()> {
    let count = wait::until("Prometheus's targets are healthy", MESH_LIMIT, || {
        demo.prometheus.look_targets()
    })?;
    ok(&format!("Prometheus's targets are healthy: {count}"));
    Ok(())
}

fn page_is_clean(demo: &Demo) -> Result<()> {
    let page = page(demo)?;
    prometheus::lint(&demo.paths, &page)?;
    ok(&format!(
        "promtool finds nothing wrong with /metrics ({} samples)",
        metrics::parse(&page).len()
    ));
    Ok(())
}

fn queries_are_answered(demo: &Demo) -> Result<()> {
    let services = demo.grpcurl.text("list", "")?;
    ensure!(
        services.lines().any(|line| line == "mesh.v1.TopologyService"),
        "grpcurl lists only: {services}"
    );
    ok(&format!(
        "grpcurl lists {} services over mutual TLS",
        services.lines().count()
    ));
    let answer = demo.grpcurl.call("mesh.v1.TopologyService/ListNodes", "")?;
    let nodes = answer["nodes"].as_array().map_or(0, Vec::len);
    ensure!(
        nodes == demo.topology.nodes.len(),
        "ListNodes names {nodes} nodes: {answer}"
    );
    ok(&format!("ListNodes names all {nodes} nodes"));
    demo.grpcurl.call("mesh.v1.TopologyService/GetTopology", "")?;
    ok("GetTopology is answered");
    Ok(())
}

/// The nodes on the way from gate to attic, as the collector has it; empty while it knows none.
fn path(demo: &Demo) -> Result<Vec<String>> {
    let answer = demo
        .grpcurl
        .call("mesh.v1.TopologyService/GetPath", r#"{"src":"gate","dst":"attic"}"#)?;
    let hops = answer["hops"].as_array().cloned().unwrap_or_default();
    Ok(hops.iter().map(hop_name).collect())
}

fn hop_name(hop: &Value) -> String {
    let text = |key: &str| hop[key].as_str().filter(|text| !text.is_empty()).map(str::to_owned);
    text("name").or_else(|| text("node")).unwrap_or_default()
}

fn a_switch_is_counted(demo: &mut Demo) -> Result<()> {
    let (a, b, loss) = IMPAIRED;
    let before = wait::until("the path from gate to attic goes by north", MESH_LIMIT, || {
        demo.session.must_run()?;
        let path = match path(demo) {
            Ok(path) => path,
            Err(error) => return Ok(Look::Pending(format!("{error:#}"))),
        };
        let by_north = path.iter().any(|hop| hop == a) && path.last().is_some_and(|hop| hop == "attic");
        Ok(if by_north {
            Look::Ready(path)
        } else {
            Look::Pending(path.join(" > "))
        })
    })?;
    ok(&format!("GetPath: {}", before.join(" > ")));
    let switches =
        |samples: &[Sample]| metrics::sum(samples, "mesh_path_switches_total", &[("node", "gate")]).unwrap_or(0.0);
    let count = switches(&metrics::parse(&page(demo)?));
    demo.session.request(&Request::Loss {
        a: a.to_owned(),
        b: b.to_owned(),
        loss,
    })?;
    say(&format!(
        "      now {a} -- {b} loses {:.0} % of its frames",
        loss * 100.0
    ));
    let now = until(demo, "a path switch at gate is counted", |_, samples| {
        match switches(samples) {
            now if now > count => Look::Ready(now),
            now => Look::Pending(format!("{now}, before {count}")),
        }
    })?;
    ok(&format!("mesh_path_switches_total at gate rose from {count} to {now}"));
    let after = wait::until("the path from gate to attic avoids north", MESH_LIMIT, || {
        demo.session.must_run()?;
        let path = match path(demo) {
            Ok(path) => path,
            Err(error) => return Ok(Look::Pending(format!("{error:#}"))),
        };
        // By the node without an agent, whose own table nobody reports: how it goes on from there is not known.
        let avoids = path.len() > 1 && path.iter().all(|hop| hop != a);
        Ok(if avoids {
            Look::Ready(path)
        } else {
            Look::Pending(path.join(" > "))
        })
    })?;
    let known = if after.last().is_some_and(|hop| hop == "attic") {
        ""
    } else {
        " > (not observed)"
    };
    ok(&format!("GetPath: {}{known}", after.join(" > ")));
    let switched = wait::until("ListEvents tells of the switch", MESH_LIMIT, || {
        let request = r#"{"node":"gate","kinds":["EVENT_KIND_PATH_SWITCH"]}"#;
        let answer = demo.grpcurl.call("mesh.v1.TopologyService/ListEvents", request)?;
        let count = answer["events"].as_array().map_or(0, Vec::len);
        Ok(if count > 0 {
            Look::Ready(count)
        } else {
            Look::Pending("no event".into())
        })
    })?;
    ok(&format!("ListEvents: {switched} path switches of gate"));
    Ok(())
}

fn nothing_left(nodes: &[String], ports: &[u16]) -> Result<()> {
    let spaces: Vec<_> = nodes
        .iter()
        .filter(|node| mesh_lab::mesh::netns_exists(node))
        .cloned()
        .collect();
    if !spaces.is_empty() {
        bail!("network namespaces are left: {}", spaces.join(", "));
    }
    for port in ports {
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, *port));
        if TcpStream::connect_timeout(&address, Duration::from_secs(2)).is_ok() {
            bail!("something still listens on {address}");
        }
    }
    if std::path::Path::new("/run/mesh-lab/record.json").exists() {
        bail!("the lab's record is left in /run/mesh-lab");
    }
    ok("no namespace, no record of a run and no listening port is left");
    Ok(())
}
