//! The lab itself, on a kernel with batman-adv: what later tests rely on. Run by `cargo xtask test`.

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::Result;
use mesh_lab::wait::{self, Look};
use mesh_lab::{Impairment, Lab, Options, Topology, converge, exec, mesh};
use mesh_tests::kernel;

/// For a route to change after a link did: batman-adv's window is 64 originator messages, one a second.
const ROUTE_LIMIT: Duration = Duration::from_secs(180);

fn square() -> Result<Topology> {
    let text = r#"{
        "nodes": [{"id":"a"}, {"id":"b"}, {"id":"c"}, {"id":"d"}],
        "links": [{"a":"a","b":"b"}, {"a":"b","b":"d"}, {"a":"a","b":"c","loss":0.1}, {"a":"c","b":"d","loss":0.1}]
    }"#;
    Ok(Topology::parse(Path::new("square"), text)?)
}

/// The interface by which `from` sends to `to`.
fn way(lab: &Lab, from: &str, to: &str) -> Result<String> {
    let plan = lab.plan()?;
    let mac = plan
        .nodes
        .iter()
        .find(|node| node.id == to)
        .and_then(|node| node.originator())
        .unwrap_or_default();
    // Refused while a node has no active interface: no way, then.
    let table = converge::originators(from).unwrap_or_default();
    Ok(table
        .into_iter()
        .find(|row| row.best && row.orig_address == mac)
        .map_or_else(String::new, |r| r.hard_ifname))
}

fn wait_for_way(lab: &Lab, from: &str, to: &str, interface: &str) -> Result<()> {
    wait::until(&format!("{from} reaches {to} by {interface}"), ROUTE_LIMIT, || {
        let now = way(lab, from, to)?;
        Ok(if now == interface {
            Look::Ready(())
        } else {
            Look::Pending(format!("by {now}"))
        })
    })
}

#[test]
fn smoke_routes_go_around_a_link_that_turns_bad_and_come_back() -> Result<()> {
    let lab = Lab::mesh_only(&square()?, Options::for_test("around")?)?;
    wait_for_way(&lab, "a", "d", "to-b")?;
    lab.set_link(
        "a",
        "b",
        Impairment {
            loss: 0.7,
            ..Impairment::default()
        },
    )?;
    wait_for_way(&lab, "a", "d", "to-c")?;
    lab.set_link("a", "b", Impairment::default())?;
    wait_for_way(&lab, "a", "d", "to-b")?;
    lab.wait_answer("a", "d")?;
    lab.stop()
}

#[test]
fn smoke_a_link_that_goes_down_leaves_no_neighbor_on_it() -> Result<()> {
    let lab = Lab::mesh_only(&square()?, Options::for_test("down")?)?;
    wait_for_way(&lab, "d", "c", "to-c")?;
    lab.set_link_up("c", "d", false)?;
    wait_for_way(&lab, "d", "c", "to-b")?;
    assert!(lab.set_link_up("a", "d", false).is_err(), "there is no such link");
    lab.stop()
}

#[test]
fn a_rate_is_the_throughput_batman_v_counts_with() -> Result<()> {
    if !kernel::has_algorithm("BATMAN_V")? {
        return Ok(());
    }
    let text =
        r#"{"algorithm":"BATMAN_V","nodes":[{"id":"a"},{"id":"b"}],"links":[{"a":"a","b":"b","rate_kbit":20000}]}"#;
    let lab = Lab::mesh_only(&Topology::parse(Path::new("pair"), text)?, Options::for_test("rate")?)?;
    let table = converge::originators("a")?;
    assert!(
        table.iter().any(|row| row.best && row.throughput == Some(20_000)),
        "{table:?}"
    );
    let queues = lab.exec("a", "tc", &["qdisc", "show", "dev", "to-b"])?;
    assert!(
        queues.contains("tbf 1: root") && queues.contains("fq_codel 10: parent 1:1"),
        "{queues}"
    );
    lab.stop()
}

#[test]
fn settings_of_the_file_reach_the_kernel() -> Result<()> {
    let text = r#"{"hop_penalty":15,"orig_interval_ms":500,"nodes":[{"id":"a","gateway":{"down_kbit":5000,"up_kbit":1000}},{"id":"b"}],
        "links":[{"a":"a","b":"b"}]}"#;
    let lab = Lab::mesh_only(
        &Topology::parse(Path::new("pair"), text)?,
        Options::for_test("settings")?,
    )?;
    assert_eq!(lab.batctl("b", &["meshif", "bat0", "hop_penalty"])?.trim(), "15");
    assert_eq!(lab.batctl("b", &["meshif", "bat0", "orig_interval"])?.trim(), "500");
    let gateway = lab.batctl("a", &["meshif", "bat0", "gw_mode"])?;
    assert!(gateway.contains("5.0/1.0 MBit"), "{gateway}");
    lab.stop()
}

/// Older kernels take the algorithm from a module parameter alone, and newer ones where nobody names one.
#[test]
fn an_algorithm_the_kernel_is_not_told_is_set_by_its_parameter() -> Result<()> {
    if !kernel::has_algorithm("BATMAN_V")? {
        return Ok(());
    }
    exec::run("ip", &["netns", "add", "alone"])?;
    let make = || exec::run("ip", &["-n", "alone", "link", "add", "bat0", "type", "batadv"]).map(drop);
    let ensured = make().and_then(|()| {
        mesh::ensure_algorithm("alone", "bat0", "BATMAN_V", make)?;
        // What it found once it leaves as it is.
        mesh::ensure_algorithm("alone", "bat0", "BATMAN_V", || anyhow::bail!("made again"))?;
        mesh::ensure_algorithm("alone", "bat0", "BATMAN_IV", make)
    });
    exec::run("ip", &["netns", "del", "alone"])?;
    ensured
}

/// What the next test starts and kills: not a test by itself.
#[test]
#[ignore = "started by another test"]
fn helper_brings_a_lab_up_and_stays() -> Result<()> {
    let _lab = Lab::raise(&square()?, Options::for_test("killed")?)?;
    println!("up");
    // Until whoever started this kills it.
    std::io::stdin().lines().for_each(drop);
    Ok(())
}

#[test]
fn what_a_killed_lab_left_is_removed_by_the_next() -> Result<()> {
    let mut killed = Command::new(std::env::current_exe()?)
        .args([
            "--ignored",
            "--exact",
            "--nocapture",
            "helper_brings_a_lab_up_and_stays",
        ])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()?;
    let lines = BufReader::new(killed.stdout.take().expect("piped")).lines();
    assert!(
        lines.map_while(Result::ok).any(|line| line.contains("up")),
        "it ended before it was up"
    );
    let beside = Lab::raise(&square()?, Options::for_test("beside")?).expect_err("one lab at a time");
    assert!(format!("{beside:#}").contains("another lab runs"), "{beside:#}");
    killed.kill()?;
    killed.wait()?;
    assert!(mesh::netns_exists("a"), "it had no time to remove anything");
    let lab = Lab::mesh_only(&square()?, Options::for_test("after")?)?;
    lab.stop()?;
    assert!(!mesh::netns_exists("a"));
    Ok(())
}

#[test]
fn a_namespace_that_is_not_the_labs_is_left_alone() -> Result<()> {
    exec::run("ip", &["netns", "add", "c"])?;
    let refused = Lab::raise(&square()?, Options::for_test("foreign")?).expect_err("its name is taken");
    assert!(format!("{refused:#}").contains("not the lab's: c"), "{refused:#}");
    assert!(mesh::netns_exists("c"));
    exec::run("ip", &["netns", "del", "c"])?;
    Ok(())
}
