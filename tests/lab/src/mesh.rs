//! The mesh itself: namespaces, links with their queues, `bat0` in each; made, impaired and removed.
//!
//! Knows nothing of agents and collector. Few processes do much each (`ip -batch`, `tc -batch`), since starting
//! one is what costs in a VM.

use std::path::Path;

use anyhow::{Context as _, Result, bail};

use crate::exec;
use crate::plan::{self, InterfacePlan, NodePlan, Plan};
use crate::topology::{Impairment, Topology};

/// Which algorithm the next mesh interface takes where the kernel does not listen to who makes it; of the whole kernel.
const ALGORITHM_PARAMETER: &str = "/sys/module/batman_adv/parameters/routing_algo";

/// The mesh of a topology, up. Namespaces are removed by [`Mesh::remove`] or on drop.
#[derive(Debug)]
pub struct Mesh {
    /// How it is laid out.
    pub plan: Plan,
    removed: bool,
}

impl Mesh {
    /// Makes everything; what was made before a failure is removed again.
    ///
    /// # Errors
    /// If a namespace of a node's name exists already, or a tool fails.
    pub fn build(topology: &Topology) -> Result<Self> {
        let plan = Plan::new(topology);
        let taken: Vec<_> = plan
            .nodes
            .iter()
            .map(|n| n.id.as_str())
            .filter(|id| netns_exists(id))
            .collect();
        if !taken.is_empty() {
            bail!(
                "network namespaces of these names exist and are not the lab's: {}; remove them (ip netns del NAME) \
                 or rename the nodes",
                taken.join(", ")
            );
        }
        // From here on dropping it removes what was made.
        let mesh = Self { plan, removed: false };
        exec::run_with_input("ip", &["-batch", "-"], &mesh.plan.ip_batch())
            .context("cannot make the network namespaces and links")?;
        for (i, node) in mesh.plan.nodes.iter().enumerate() {
            let what = || format!("cannot set up node {}", node.id);
            mesh.create(node).with_context(what)?;
            if i == 0 {
                // One answer is all nodes': they share the kernel, and the parameter stays written.
                let make = || mesh.create(node);
                ensure_algorithm(&node.id, "bat0", &mesh.plan.algorithm.to_string(), make).with_context(what)?;
            }
            mesh.configure(node).with_context(what)?;
        }
        Ok(mesh)
    }

    fn create(&self, node: &NodePlan) -> Result<()> {
        let batch = node.ip_batch(self.plan.algorithm);
        exec::run_with_input("ip", &["-n", &node.id, "-batch", "-"], &batch).map(drop)
    }

    fn configure(&self, node: &NodePlan) -> Result<()> {
        let queues = node.tc_batch();
        if !queues.is_empty() {
            exec::run_with_input("tc", &["-n", &node.id, "-batch", "-"], &queues)?;
        }
        for words in &node.batctl {
            exec::batctl(&node.id, words)?;
        }
        exec::run_with_input("ip", &["-n", &node.id, "-batch", "-"], &node.up_batch())?;
        Ok(())
    }

    /// The two ends of the link between two nodes.
    fn ends(&self, a: &str, b: &str) -> Result<[(&NodePlan, &InterfacePlan); 2]> {
        let end = |from: &str, to: &str| {
            let node = self.plan.nodes.iter().find(|node| node.id == from)?;
            let interface = node.interfaces.iter().find(|i| self.plan.nodes[i.peer].id == to)?;
            Some((node, interface))
        };
        match (end(a, b), end(b, a)) {
            (Some(one), Some(other)) => Ok([one, other]),
            _ => bail!("no link between `{a}` and `{b}` in this topology"),
        }
    }

    /// Makes a link as good or bad as said, both directions, while it is up.
    ///
    /// # Errors
    /// If there is no such link, or `tc` refuses.
    pub fn set_link(&self, a: &str, b: &str, impairment: Impairment) -> Result<()> {
        for (node, interface) in self.ends(a, b)? {
            let batch = plan::requeue_batch(&interface.name, impairment);
            exec::run_with_input("tc", &["-n", &node.id, "-batch", "-"], &batch)?;
        }
        Ok(())
    }

    /// Takes a link down or brings it up again, at both ends.
    ///
    /// # Errors
    /// If there is no such link, or `ip` refuses.
    pub fn set_link_up(&self, a: &str, b: &str, up: bool) -> Result<()> {
        for (node, interface) in self.ends(a, b)? {
            exec::run(
                "ip",
                &[
                    "-n",
                    &node.id,
                    "link",
                    "set",
                    &interface.name,
                    if up { "up" } else { "down" },
                ],
            )?;
        }
        Ok(())
    }

    /// Removes all namespaces, and with them what is in them.
    ///
    /// # Errors
    /// Names those that could not be removed.
    pub fn remove(mut self) -> Result<()> {
        self.remove_now()
    }

    fn remove_now(&mut self) -> Result<()> {
        if std::mem::replace(&mut self.removed, true) {
            return Ok(());
        }
        let names: Vec<_> = self.plan.nodes.iter().map(|node| node.id.as_str()).collect();
        remove_netns(&names)
    }
}

impl Drop for Mesh {
    fn drop(&mut self) {
        if let Err(error) = self.remove_now() {
            crate::wait::say(&format!("while removing the mesh: {error:#}"));
        }
    }
}

/// Sees to it that a mesh interface just made runs the algorithm that was asked for.
///
/// Older kernels ignore what `ip` asks for and take it from a module parameter: found out by reading back; then the
/// parameter is written, the interface deleted, and `make` called to make it anew.
///
/// # Errors
/// If the kernel does not have the algorithm.
pub fn ensure_algorithm(node: &str, mesh: &str, wanted: &str, make: impl Fn() -> Result<()>) -> Result<()> {
    if algorithm(node, mesh)? == wanted {
        return Ok(());
    }
    std::fs::write(ALGORITHM_PARAMETER, wanted)
        .with_context(|| format!("this kernel has no {wanted}: {ALGORITHM_PARAMETER} does not take it"))?;
    exec::run("ip", &["-n", node, "link", "del", mesh])?;
    make()?;
    let got = algorithm(node, mesh)?;
    if got != wanted {
        bail!("{mesh} runs {got} although {wanted} was asked for and written to {ALGORITHM_PARAMETER}");
    }
    Ok(())
}

/// The algorithm a mesh interface runs.
fn algorithm(node: &str, mesh: &str) -> Result<String> {
    let text = exec::batctl(node, &["meshif", mesh, "mesh_json"])?;
    let info: serde_json::Value =
        serde_json::from_str(&text).with_context(|| format!("batctl mesh_json printed {text:?}"))?;
    let name = info["algo_name"].as_str();
    Ok(name.context("batctl mesh_json names no algorithm")?.to_owned())
}

/// Whether a named network namespace exists.
#[must_use]
pub fn netns_exists(name: &str) -> bool {
    Path::new("/run/netns").join(name).exists()
}

/// Removes those of these namespaces that exist.
///
/// # Errors
/// Names those that could not be removed; the others are.
pub fn remove_netns<S: AsRef<str>>(names: &[S]) -> Result<()> {
    let batch: String = names
        .iter()
        .map(AsRef::as_ref)
        .filter(|name| netns_exists(name))
        .map(|name| format!("netns del {name}\n"))
        .collect();
    if batch.is_empty() {
        return Ok(());
    }
    exec::run_with_input("ip", &["-force", "-batch", "-"], &batch)
        .map(drop)
        .context("cannot remove network namespaces")
}
