//! The emulator of BATMAN_IV against the kernel's own choices. Run by `cargo xtask test`.

use std::time::Duration;

use anyhow::{Context as _, Result};
use collector::rebalance::emulator::{InterfaceIndex, LinkIndex, LinkQuality, Network, NetworkLink, NodeIndex};
use mesh_lab::converge::{self, Originator};
use mesh_lab::wait::{self, Look};
use mesh_lab::{Lab, Options, Topology};
use mesh_tests::meshes;

/// The window of 64 originator messages has to fill, one a second.
const LIMIT: Duration = Duration::from_secs(240);
/// Kernel's default of a mesh interface.
const HOP_PENALTY: u8 = 30;
/// Routes closer than this to their rivals are the jitter's to choose.
const SURE: u8 = 8;
/// Tables of different nodes are not read in one instant, and routes are means of five messages.
const TQ_BOUND: u8 = 16;

/// The kernel's tables of one moment, and the network they describe.
struct Mesh {
    network: Network,
    interfaces: Vec<Vec<InterfaceIndex>>,
    tables: Vec<Vec<Originator>>,
}

/// `penalties`: (node, interface's place in it, hop penalty) as set.
fn read(lab: &Lab, penalties: &[(usize, usize, u8)]) -> Result<Mesh> {
    let plan = lab.plan()?;
    let mut network = Network::default();
    let mut interfaces = Vec::new();
    for _ in &plan.nodes {
        network.add_node(HOP_PENALTY);
    }
    for (at, node) in plan.nodes.iter().enumerate() {
        let penalty = |place: usize| {
            let set = penalties.iter().find(|set| (set.0, set.1) == (at, place));
            set.map_or(0, |set| set.2)
        };
        let places = 0..node.interfaces.len();
        interfaces.push(
            places
                .map(|place| network.add_interface(NodeIndex(at), penalty(place)))
                .collect::<Vec<_>>(),
        );
    }
    let tables = plan
        .nodes
        .iter()
        .map(|node| converge::originators(&node.id))
        .collect::<Result<Vec<_>>>()?;
    for (at, node) in plan.nodes.iter().enumerate() {
        for (place, end) in node.interfaces.iter().enumerate() {
            // The link's own quality is the entry of the neighbor's interface as an originator.
            let row = tables[at]
                .iter()
                .find(|row| row.hard_ifname == end.name && row.orig_address == row.neigh_address);
            let interface = interfaces[at][place];
            let tq = row
                .and_then(|row| row.tq)
                .with_context(|| format!("{} has no TQ on {}", node.id, end.name))?;
            let quality = LinkQuality::from_reported(tq, network.hop_penalty(interface)).context("cut off")?;
            network.add_link(NetworkLink {
                interface,
                to: NodeIndex(end.peer),
                quality,
            });
        }
    }
    Ok(Mesh {
        network,
        interfaces,
        tables,
    })
}

impl Mesh {
    /// The kernel's best row towards a node: its interface's place at `from`, and the TQ.
    fn kernel(&self, lab: &Lab, from: usize, to: usize) -> Result<(usize, u8)> {
        let plan = lab.plan()?;
        let address = plan.nodes[to].originator().context("a node without interfaces")?;
        let row = self.tables[from]
            .iter()
            .find(|row| row.best && row.orig_address == address);
        let row = row.with_context(|| format!("{} has no route to {}", plan.nodes[from].id, plan.nodes[to].id))?;
        let place = plan.nodes[from]
            .interfaces
            .iter()
            .position(|end| end.name == row.hard_ifname);
        Ok((
            place.context("an interface nobody made")?,
            row.tq.context("a route without TQ")?,
        ))
    }

    fn place(&self, from: usize, link: LinkIndex) -> Option<usize> {
        let interface = self.network.link(link).interface;
        self.interfaces[from].iter().position(|other| *other == interface)
    }

    /// Pairs that the emulator is sure of, and the first of them that the kernel sees differently.
    fn compare(&self, lab: &Lab) -> Result<(usize, Option<String>)> {
        let mut sure = 0;
        for to in self.network.nodes() {
            let routes = self.network.routes_to(to);
            for from in self.network.nodes().filter(|&from| from != to) {
                let route = routes.route(from).context("the emulator has no route")?;
                if route.margin <= SURE {
                    continue;
                }
                sure += 1;
                let (place, tq) = self.kernel(lab, from.0, to.0)?;
                if self.place(from.0, route.link) != Some(place) || route.tq.abs_diff(tq) > TQ_BOUND {
                    let ours = (self.place(from.0, route.link), route.tq);
                    let difference = format!("{from:?} to {to:?}: kernel {:?}, emulator {ours:?}", (place, tq));
                    return Ok((sure, Some(difference)));
                }
            }
        }
        Ok((sure, None))
    }
}

/// Returns how many routes were compared.
fn agree_on_random_mesh(seed: u64, test: &str) -> Result<usize> {
    let (nodes, extra) = (7, 4);
    let topology = meshes::random("BATMAN_IV", nodes, extra, seed)?;
    let lab = Lab::mesh_only(&topology, Options::for_test(test)?)?;
    let sure = wait::until("the emulator routes as the kernel", LIMIT, || {
        let compared = read(&lab, &[]).and_then(|mesh| mesh.compare(&lab));
        Ok(match compared {
            Ok((sure, None)) if sure * 2 >= nodes * (nodes - 1) => Look::Ready(sure),
            Ok((sure, None)) => Look::Pending(format!("only {sure} pairs are clear")),
            Ok((_, Some(difference))) => Look::Pending(difference),
            Err(error) => Look::Pending(error.to_string()),
        })
    })?;
    lab.stop()?;
    Ok(sure)
}

#[test]
fn emulator_routes_as_the_kernel_on_random_lossy_meshes() {
    for seed in [1, 2, 3] {
        let sure = agree_on_random_mesh(seed, &format!("emulator_random_{seed}")).unwrap();
        println!("seed {seed}: {sure} clear routes agree");
    }
}

/// The best row of a towards b and the direct link's own row.
fn a_to_b(lab: &Lab, mesh: &Mesh) -> Result<((usize, u8), Option<u8>)> {
    let name = &lab.plan()?.nodes[0].interfaces[0].name;
    let direct = mesh.tables[0]
        .iter()
        .find(|row| row.hard_ifname == *name && row.orig_address == row.neigh_address);
    Ok((mesh.kernel(lab, 0, 1)?, direct.and_then(|row| row.tq)))
}

/// Without loss all is exact: a detour over one node has TQ 225, the direct link 255 · (255 − h) / 255.
#[test]
fn kernel_takes_the_detour_at_the_hop_penalty_the_emulator_says() {
    let text = r#"{"nodes": [{"id":"a"}, {"id":"b"}, {"id":"c"}],
        "links": [{"a":"a","b":"b"}, {"a":"a","b":"c"}, {"a":"c","b":"b"}]}"#;
    let topology = Topology::parse("triangle".as_ref(), text).unwrap();
    let lab = Lab::mesh_only(&topology, Options::for_test("emulator_steering").unwrap()).unwrap();
    let interface = lab.plan().unwrap().nodes[0].interfaces[0].name.clone();
    for (penalty, place, tq) in [(0, 0, 255), (29, 0, 226), (31, 1, 225), (0, 0, 255)] {
        lab.batctl("a", &["hardif", &interface, "hop_penalty", &penalty.to_string()])
            .unwrap();
        wait::until(&format!("a routes as with hop penalty {penalty}"), LIMIT, || {
            let mesh = match read(&lab, &[(0, 0, penalty)]) {
                Ok(mesh) => mesh,
                Err(error) => return Ok(Look::Pending(error.to_string())),
            };
            let (best, direct) = a_to_b(&lab, &mesh)?;
            let route = mesh
                .network
                .routes_to(NodeIndex(1))
                .route(NodeIndex(0))
                .context("no route")?;
            let ours = (mesh.place(0, route.link), route.tq);
            let settled = direct == Some(255 - penalty) && best == (place, tq) && ours == (Some(place), tq);
            Ok(if settled {
                Look::Ready(())
            } else {
                Look::Pending(format!("kernel {best:?}, emulator {ours:?}, direct {direct:?}"))
            })
        })
        .unwrap();
    }
    lab.stop().unwrap();
}
