//! The mesh itself: namespaces, links with their queues, `bat0` in each; made, impaired and removed.
//!
//! Knows nothing of agents and collector. Few processes do much each (`ip -batch`, `tc -batch`), since starting
//! one is what costs in a VM.

use std::path::Path;

use anyhow::{Context as _, Result, bail};

use crate::exec;
use crate::plan::{self, InterfacePlan, NodePlan, Plan};
use crate::topology::{Impairment, Topology};

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
        for node in &mesh.plan.nodes {
            mesh.configure(node)
                .with_context(|| format!("cannot set up node {}", node.id))?;
        }
        Ok(mesh)
    }

    fn configure(&self, node: &NodePlan) -> Result<()> {
        let queues = node.tc_batch();
        if !queues.is_empty() {
            exec::run_with_input("tc", &["-n", &node.id, "-batch", "-"], &queues)?;
        }
        exec::run_with_input(
            "ip",
            &["-n", &node.id, "-batch", "-"],
            &node.ip_batch(self.plan.algorithm),
        )?;
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
