//! The traffic programs in this machine's own kernel: needs root, CAP_BPF and the eBPF object; no batman-adv.
//!
//! Each test works in a network namespace of its own, which goes when its thread ends.
#![expect(
    clippy::expect_used,
    clippy::panic,
    clippy::print_stderr,
    reason = "helpers of tests, which may fail as tests do"
)]

use std::{
    collections::BTreeMap,
    fs::File,
    os::fd::{AsRawFd as _, OwnedFd},
    process::Command,
    thread,
};

use aya::{
    Ebpf, EbpfLoader,
    maps::{Array, PerCpuHashMap, PerCpuValues},
    programs::{
        SchedClassifier, TcAttachType, TestRun as _, TestRunOptions,
        tc::{self, NlOptions, TcAttachOptions},
    },
};
use nix::{
    ifaddrs::getifaddrs,
    net::if_::if_nametoindex,
    sched::{CloneFlags, setns, unshare},
    sys::socket::{AddressFamily, LinkAddr, MsgFlags, SockFlag, SockType, sendto, socket},
};
use node_agent::ebpf::{OBJECT, PacketType, ProbeConfig, Probes, TrafficMechanism};
use node_agent_ebpf_common::{
    Head, classify,
    traffic::{ALIVE_UNTIL_MAP, Counter, Direction, EGRESS_PROGRAM, FOREVER, INGRESS_PROGRAM, TABLES_MAP, Table, cell},
};

const TC_ACT_UNSPEC: u32 = u32::MAX;
const LOOPBACK: u32 = 1;

/// Runs a test in a fresh network namespace. Where that cannot be, says why; in continuous integration it must be.
fn in_namespace(test: impl FnOnce() + Send + 'static) {
    let run = thread::spawn(move || {
        let hindrance = match (OBJECT, unshare(CloneFlags::CLONE_NEWNET)) {
            (None, _) => "there is no eBPF object: run cargo xtask ebpf".to_owned(),
            (_, Err(error)) => format!("no network namespace can be made ({error}): run as root"),
            (Some(_), Ok(())) => {
                test();
                return;
            }
        };
        assert!(std::env::var_os("CI").is_none(), "{hindrance}");
        eprintln!("not tested: {hindrance}");
    });
    if let Err(panic) = run.join() {
        std::panic::resume_unwind(panic);
    }
}

fn ip(arguments: &str) {
    let status = Command::new("ip")
        .args(arguments.split_whitespace())
        .status()
        .expect("ip runs");
    assert!(status.success(), "ip {arguments}: {status}");
}

/// A frame of ethertype 0x4305 with `tags` before the ethertype and zeros behind the type byte.
fn frame(tags: &[[u8; 4]], kind: u8, payload_len: usize) -> Vec<u8> {
    let mut bytes = vec![0xff; 6];
    bytes.extend([2, 0, 0, 0, 0, 1]);
    bytes.extend(tags.as_flattened());
    bytes.extend([0x43, 0x05, kind]);
    bytes.extend(vec![0; payload_len.saturating_sub(1)]);
    bytes
}

fn golden_frames() -> Vec<Vec<u8>> {
    let priority = [0x81, 0x00, 0xe0, 0x00];
    let vlan = [0x81, 0x00, 0x00, 0x0a];
    let qinq = [0x88, 0xa8, 0x00, 0x00];
    let types = [
        0x00, 0x01, 0x02, 0x03, 0x04, 0x05, 0x40, 0x41, 0x42, 0x43, 0x44, 0x06, 0x77, 0xff,
    ];
    let mut frames: Vec<_> = types.into_iter().map(|kind| frame(&[], kind, 60)).collect();
    // As short as each header, one byte shorter, and as long as an aggregate.
    for (kind, packet_type) in types.into_iter().zip(PacketType::ALL) {
        frames.push(frame(&[], kind, packet_type.header_len()));
        frames.push(frame(&[], kind, packet_type.header_len() - 1));
        frames.push(frame(&[], kind, 1400));
    }
    for tags in [
        &[priority][..],
        &[qinq, priority],
        &[vlan],
        &[priority, vlan],
        &[priority, priority, priority],
    ] {
        frames.push(frame(tags, 0x40, 60));
    }
    let mut ip = frame(&[], 0x45, 60);
    ip[12..14].copy_from_slice(&[0x08, 0x00]);
    frames.push(ip);
    frames
}

/// Loads the programs by themselves and opens a table for the loopback interface, which test runs name.
fn load(alive_until: u64) -> (Ebpf, PerCpuHashMap<aya::maps::MapData, u32, Table>) {
    let mut ebpf = EbpfLoader::new().load(OBJECT.expect("checked")).expect("loads");
    let mut alive = Array::<_, u64>::try_from(ebpf.take_map(ALIVE_UNTIL_MAP).expect("a map")).expect("an array");
    alive.set(0, alive_until, 0).expect("set");
    let mut tables = PerCpuHashMap::try_from(ebpf.take_map(TABLES_MAP).expect("a map")).expect("a hash");
    let cpus = aya::util::nr_cpus().expect("processors");
    let zeros = PerCpuValues::try_from(vec![Table::default(); cpus]).expect("as many as processors");
    tables.insert(LOOPBACK, zeros, 0).expect("inserted");
    for name in [INGRESS_PROGRAM, EGRESS_PROGRAM] {
        program(&mut ebpf, name)
            .load()
            .unwrap_or_else(|error| panic!("{name}: {error}"));
    }
    (ebpf, tables)
}

fn program<'a>(ebpf: &'a mut Ebpf, name: &str) -> &'a mut SchedClassifier {
    ebpf.program_mut(name)
        .expect("in the object")
        .try_into()
        .expect("a classifier")
}

fn run(program: &SchedClassifier, frame: &[u8]) -> u32 {
    let result = program
        .test_run(TestRunOptions {
            data_in: Some(frame),
            ..TestRunOptions::new()
        })
        .expect("runs");
    result.return_value
}

fn sum(tables: &PerCpuHashMap<aya::maps::MapData, u32, Table>, direction: Direction, kind: PacketType) -> Counter {
    let per_cpu = tables.get(&LOOPBACK, 0).expect("a table");
    per_cpu
        .iter()
        .map(|table| table.cells[cell(direction, kind)])
        .fold(Counter::default(), |sum, counter| Counter {
            packets: sum.packets + counter.packets,
            bytes: sum.bytes + counter.bytes,
        })
}

#[test]
fn the_programs_count_as_the_shared_code_classifies() {
    in_namespace(|| {
        let (mut ebpf, tables) = load(FOREVER);
        for (direction, name) in [
            (Direction::Ingress, INGRESS_PROGRAM),
            (Direction::Egress, EGRESS_PROGRAM),
        ] {
            let mut expected: BTreeMap<PacketType, Counter> = BTreeMap::new();
            for frame in golden_frames() {
                assert_eq!(
                    run(program(&mut ebpf, name), &frame),
                    TC_ACT_UNSPEC,
                    "a frame was not let through"
                );
                if let Head::Packet(kind) = classify(&frame, frame.len()) {
                    let counter = expected.entry(kind).or_default();
                    counter.packets += 1;
                    counter.bytes += frame.len() as u64;
                }
            }
            assert_eq!(expected.len(), PacketType::COUNT, "a type is missing among the frames");
            for kind in PacketType::ALL {
                assert_eq!(
                    sum(&tables, direction, kind),
                    expected[&kind],
                    "{} {}",
                    direction.label(),
                    kind.label()
                );
            }
        }
    });
}

#[test]
fn a_lapsed_heartbeat_ends_counting_but_not_forwarding() {
    in_namespace(|| {
        let (mut ebpf, tables) = load(1);
        assert_eq!(
            run(program(&mut ebpf, INGRESS_PROGRAM), &frame(&[], 0x00, 60)),
            TC_ACT_UNSPEC
        );
        assert_eq!(sum(&tables, Direction::Ingress, PacketType::IvOgm), Counter::default());
    });
}

#[test]
fn the_verifier_walks_few_instructions() {
    in_namespace(|| {
        let (mut ebpf, _tables) = load(FOREVER);
        for name in [INGRESS_PROGRAM, EGRESS_PROGRAM] {
            let info = program(&mut ebpf, name).info().expect("known to the kernel");
            let count = info.verified_instruction_count().expect("kernel 5.16 or later");
            eprintln!("{name}: {count} verified instructions");
            assert!(
                count <= MOST_VERIFIED_INSTRUCTIONS,
                "{name}: {count} verified instructions"
            );
        }
    });
}

/// Pinned with some room for other kernels' verifiers and another compiler; raise it knowingly.
const MOST_VERIFIED_INSTRUCTIONS: u32 = 2_500;

/// Sends frames out of an interface, as batman-adv would.
fn send(interface: &str, frames: &[Vec<u8>]) {
    let address = link_address(interface);
    let socket: OwnedFd =
        socket(AddressFamily::Packet, SockType::Raw, SockFlag::SOCK_CLOEXEC, None).expect("a packet socket");
    for frame in frames {
        let sent = sendto(socket.as_raw_fd(), frame, &address, MsgFlags::empty()).expect("sent");
        assert_eq!(sent, frame.len());
    }
}

fn link_address(interface: &str) -> LinkAddr {
    let mut addresses = getifaddrs()
        .expect("addresses")
        .filter(|address| address.interface_name == interface);
    addresses
        .find_map(|address| address.address?.as_link_addr().copied())
        .expect("a link address")
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime")
}

fn packets(probes: &Probes, ifindex: u32) -> BTreeMap<(Direction, PacketType), (u64, u64)> {
    let counts = probes.traffic().expect("readable");
    let counts = counts.into_iter().filter(|count| count.ifindex == ifindex);
    counts
        .map(|count| ((count.direction, count.packet_type), (count.packets, count.bytes)))
        .collect()
}

#[test]
fn frames_on_the_wire_are_counted_on_both_ends_while_attached() {
    in_namespace(|| {
        let runtime = runtime();
        let _context = runtime.enter();
        ip("link add va type veth peer name vb");
        ip("link set va up");
        ip("link set vb up");
        let (va, vb) = (if_nametoindex("va").expect("va"), if_nametoindex("vb").expect("vb"));
        let mut probes = Probes::load(&ProbeConfig::default());
        probes.attach_interface(va, "va");
        probes.attach_interface(vb, "vb");
        assert!(probes.mechanism_of(va).is_some(), "{:?}", probes.states());

        let frames = [frame(&[], 0x00, 60), frame(&[], 0x40, 100), frame(&[], 0x40, 200)];
        send("va", &frames);
        // A veth hands a frame to its peer's receive path, in which it is counted, within the sender's call or soon
        // after; states are waited for, time is not.
        let expected = |direction| {
            BTreeMap::from([
                ((direction, PacketType::IvOgm), (1, 74)),
                ((direction, PacketType::Unicast), (2, 328)),
            ])
        };
        assert_eq!(packets(&probes, va), expected(Direction::Egress));
        wait_until(|| packets(&probes, vb) == expected(Direction::Ingress));

        probes.detach_interface(va);
        send("va", &frames[..1]);
        wait_until(|| packets(&probes, vb)[&(Direction::Ingress, PacketType::IvOgm)].0 == 2);
        assert!(packets(&probes, va).is_empty());
        assert_eq!(probes.mechanism_of(va), None);

        // A new beginning, after the interface came back under another index.
        ip("link del va");
        ip("link add va type veth peer name vb");
        ip("link set va up");
        ip("link set vb up");
        let again = if_nametoindex("va").expect("va");
        probes.detach_interface(vb);
        probes.attach_interface(again, "va");
        send("va", &frames[..1]);
        assert_eq!(packets(&probes, again)[&(Direction::Egress, PacketType::IvOgm)].0, 1);
    });
}

#[test]
fn traffic_of_another_namespace_is_not_counted() {
    in_namespace(|| {
        let runtime = runtime();
        let _context = runtime.enter();
        let own = File::open("/proc/thread-self/ns/net").expect("a namespace");
        let build = || {
            ip("link add va type veth peer name vb");
            ip("link set va up");
            ip("link set vb up");
            if_nametoindex("va").expect("va")
        };
        let here = build();
        let mut probes = Probes::load(&ProbeConfig::default());
        probes.attach_interface(here, "va");

        unshare(CloneFlags::CLONE_NEWNET).expect("another namespace");
        let there = build();
        assert_eq!(
            here, there,
            "the same index, so that only the namespace tells them apart"
        );
        send("va", &[frame(&[], 0x00, 60)]);
        setns(own, CloneFlags::CLONE_NEWNET).expect("back home");
        assert!(packets(&probes, here).is_empty());
        send("va", &[frame(&[], 0x00, 60)]);
        assert_eq!(packets(&probes, here)[&(Direction::Egress, PacketType::IvOgm)].0, 1);
    });
}

#[test]
fn an_interface_that_is_another_by_now_is_refused_with_a_reason() {
    in_namespace(|| {
        let runtime = runtime();
        let _context = runtime.enter();
        let mut probes = Probes::load(&ProbeConfig::default());
        probes.attach_interface(4711, "lo");
        let [traffic, _] = probes.states();
        assert_eq!(
            traffic.reason.as_deref(),
            Some("lo: there is no interface lo with index 4711 any more")
        );
        assert!(traffic.lost.is_some());
    });
}

#[test]
fn the_route_probe_says_what_is_missing() {
    in_namespace(|| {
        let runtime = runtime();
        let _context = runtime.enter();
        let probes = Probes::load(&ProbeConfig::default());
        let [_, routes] = probes.states();
        if routes.mechanism.is_none() {
            let reason = routes.reason.expect("a reason");
            assert!(reason.contains("kprobes") || reason.contains("batman-adv"), "{reason}");
            assert_eq!(
                routes.lost,
                Some("path switches are counted by polling, which undercounts")
            );
        }
    });
}

#[test]
fn filters_of_a_killed_agent_are_swept() {
    in_namespace(|| {
        let runtime = runtime();
        let _context = runtime.enter();
        ip("link add va type veth peer name vb");
        ip("link set va up");
        ip("link set vb up");
        let (mut ebpf, _tables) = load(FOREVER);
        tc::qdisc_add_clsact("va").expect("clsact");
        let ingress = program(&mut ebpf, INGRESS_PROGRAM);
        let options = || TcAttachOptions::Netlink(NlOptions::default());
        let link = ingress
            .attach_with_options("va", TcAttachType::Ingress, options())
            .expect("attached");
        // As after a kill: nobody detaches it.
        std::mem::forget(ingress.take_link(link).expect("a link"));
        drop(ebpf);

        let mut probes = Probes::load(&ProbeConfig::default());
        assert!(!node_agent::ebpf::sweep("va"), "the start left a stale filter");
        let va = if_nametoindex("va").expect("va");
        probes.attach_interface(va, "va");
        assert!(matches!(
            probes.mechanism_of(va),
            Some(TrafficMechanism::Tcx | TrafficMechanism::Netlink)
        ));
    });
}

/// Waits for a state, bounded by tries that each give way to others.
fn wait_until(condition: impl Fn() -> bool) {
    for _ in 0..1_000_000 {
        if condition() {
            return;
        }
        thread::yield_now();
    }
    panic!("the awaited state did not come");
}
