//! Links as batctl sees them, for comparison.

use std::collections::BTreeMap;

use anyhow::{Context as _, Result};
use mesh_lab::{Lab, table};

/// (node, hard interface, neighbor's address): a link's near end, as the collector's labels name it.
pub type LinkEnd = (String, String, String);

/// Every link of the mesh with its TQ (BATMAN_IV) or throughput in kbit/s (BATMAN_V).
///
/// # Errors
/// If batctl fails on a node or prints something else than it is known to.
pub fn links(lab: &Lab, algorithm: &str) -> Result<BTreeMap<LinkEnd, f64>> {
    let mut links = BTreeMap::new();
    for node in &lab.topology().nodes {
        let (name, metric) = if algorithm == "BATMAN_IV" {
            ("oj", "tq")
        } else {
            ("nj", "throughput")
        };
        for row in table::rows(&node.id, "bat0", name)? {
            let field = |name: &str| row[name].as_str().map(str::to_owned);
            let neighbor = field("neigh_address").context("a row without neigh_address")?;
            // BATMAN_IV has a link's own quality in the entry of the neighbor as an originator.
            if name == "oj" && field("orig_address").as_ref() != Some(&neighbor) {
                continue;
            }
            let interface = field("hard_ifname").context("a row without hard_ifname")?;
            let value = row[metric]
                .as_f64()
                .with_context(|| format!("a row without {metric}"))?;
            links.insert((node.id.clone(), interface, neighbor), value);
        }
    }
    Ok(links)
}
