//! The lab's topology file: parsed, checked, and turned into a value that can be brought up.
//!
//! Pure. Every refusal names the file, the line and column, the key, and what is allowed there. A
//! [`Topology`] that exists is sound: ids are usable as names of network namespaces and are unique, links join
//! two different nodes that exist, at most one per pair, and every node with an agent can reach the collector.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::{Path, PathBuf};

use serde::Deserialize;

mod source;
#[cfg(test)]
mod tests;

use source::{LinkEntry, NodeEntry, Source};

/// How many nodes a topology may have: the planned size of one batman-adv domain.
pub const MAX_NODES: usize = 300;

/// Why a topology file was refused.
#[derive(Debug, thiserror::Error)]
pub enum TopologyError {
    /// The file could not be read.
    #[error("cannot read the topology file {}: give the path of a JSON file", path.display())]
    Read {
        /// The file as named by the caller.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// The content is not a topology.
    #[error("{}:{line}:{column}: {key}: {problem}", path.display())]
    Invalid {
        /// The file as named by the caller.
        path: PathBuf,
        /// Line of the value at fault, from 1.
        line: usize,
        /// Column of the value at fault, from 1.
        column: usize,
        /// The key at fault, such as `links[2].loss`.
        key: String,
        /// What is wrong with it and what is allowed.
        problem: String,
    },
}

/// The routing algorithm of all nodes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
pub enum Algorithm {
    /// Transmit quality, 0 to 255.
    #[serde(rename = "BATMAN_IV")]
    BatmanIv,
    /// Throughput.
    #[serde(rename = "BATMAN_V")]
    BatmanV,
}

impl fmt::Display for Algorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::BatmanIv => "BATMAN_IV",
            Self::BatmanV => "BATMAN_V",
        })
    }
}

/// A mesh to bring up.
#[derive(Debug, Clone, PartialEq)]
pub struct Topology {
    /// The `mesh` label of the metrics.
    pub name: String,
    /// The routing algorithm of all nodes.
    pub algorithm: Algorithm,
    /// Hop penalty of every mesh interface (0 to 255), or the kernel's default.
    pub hop_penalty: Option<u8>,
    /// Originator interval in milliseconds, or the kernel's default.
    pub orig_interval_ms: Option<u32>,
    /// Index of the node whose network namespace holds the collector; `None` where no node has an agent and none is named.
    pub collector: Option<usize>,
    /// The nodes, in the file's order.
    pub nodes: Vec<Node>,
    /// The links, in the file's order.
    pub links: Vec<Link>,
}

/// One mesh node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Node {
    /// Its id, which is also its network namespace's name.
    pub id: String,
    /// Whether a `node-agent` runs on it.
    pub agent: bool,
    /// Announced as an internet gateway, if set.
    pub gateway: Option<Gateway>,
}

/// What a gateway announces.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Gateway {
    /// Towards the mesh, in kbit/s.
    #[serde(default = "source::default_down_kbit")]
    pub down_kbit: u32,
    /// Towards the internet, in kbit/s.
    #[serde(default = "source::default_up_kbit")]
    pub up_kbit: u32,
}

/// A link between two nodes, alike in both directions.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Link {
    /// Index of one end.
    pub a: usize,
    /// Index of the other end.
    pub b: usize,
    /// How bad it is.
    pub impairment: Impairment,
}

/// How bad a link is, in each of its two directions.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Impairment {
    /// Share of frames lost, 0.0 to 1.0.
    pub loss: f64,
    /// Delay in milliseconds.
    pub delay_ms: u32,
    /// Rate limit in kbit/s; `None` for as fast as the machine.
    pub rate_kbit: Option<u32>,
}

impl Topology {
    /// Reads and checks a topology file.
    ///
    /// # Errors
    /// [`TopologyError`], fit to be shown as it is.
    pub fn load(path: &Path) -> Result<Self, TopologyError> {
        let text = std::fs::read_to_string(path).map_err(|source| TopologyError::Read {
            path: path.to_path_buf(),
            source,
        })?;
        Self::parse(path, &text)
    }

    /// Checks the text of a topology file; `path` is only named in errors.
    ///
    /// # Errors
    /// [`TopologyError::Invalid`].
    pub fn parse(path: &Path, text: &str) -> Result<Self, TopologyError> {
        let source = Source::new(path, text);
        let file = source.file()?;
        if file.nodes.is_empty() || file.nodes.len() > MAX_NODES {
            return Err(source.top(
                "nodes",
                format!("{} nodes; allowed: 1 to {MAX_NODES}", file.nodes.len()),
            ));
        }
        let (nodes, index) = nodes(&source, &file.nodes)?;
        let links = links(&source, &file.links, &index)?;
        let collector = match file.collector {
            None => nodes.iter().position(|node| node.agent),
            Some(raw) => {
                let id: String = source.element(raw, "collector")?;
                Some(lookup(&index, &id).map_err(|problem| source.at(raw, "collector", problem))?)
            }
        };
        if file.orig_interval_ms.is_some_and(|ms| ms < 40) {
            return Err(source.top(
                "orig_interval_ms",
                "less than 40; the kernel takes 40 or more".to_owned(),
            ));
        }
        let topology = Self {
            name: file.name.unwrap_or_else(|| "lab".to_owned()),
            algorithm: file.algorithm.unwrap_or(Algorithm::BatmanIv),
            hop_penalty: file.hop_penalty,
            orig_interval_ms: file.orig_interval_ms,
            collector,
            nodes,
            links,
        };
        topology.check_reach(&source, &file.nodes)?;
        Ok(topology)
    }

    /// The index of the node with this id.
    #[must_use]
    pub fn node(&self, id: &str) -> Option<usize> {
        self.nodes.iter().position(|node| node.id == id)
    }

    /// How many links the node has.
    #[must_use]
    pub fn degree(&self, node: usize) -> usize {
        self.links
            .iter()
            .filter(|link| link.a == node || link.b == node)
            .count()
    }

    /// The nodes that can be reached from `from`, itself included.
    #[must_use]
    pub fn reach(&self, from: usize) -> BTreeSet<usize> {
        let mut seen = BTreeSet::from([from]);
        let mut open = vec![from];
        while let Some(node) = open.pop() {
            for link in &self.links {
                let other = match node {
                    n if n == link.a => link.b,
                    n if n == link.b => link.a,
                    _ => continue,
                };
                if seen.insert(other) {
                    open.push(other);
                }
            }
        }
        seen
    }

    fn check_reach(&self, source: &Source<'_>, entries: &[&serde_json::value::RawValue]) -> Result<(), TopologyError> {
        let Some(collector) = self.collector else { return Ok(()) };
        let reached = self.reach(collector);
        for (i, (node, raw)) in self.nodes.iter().zip(entries).enumerate() {
            if node.agent && !reached.contains(&i) {
                let problem = format!(
                    "node `{}` has an agent but no way to the collector at `{}`; add a link or set \"agent\": false",
                    node.id, self.nodes[collector].id
                );
                return Err(source.at(raw, &format!("nodes[{i}]"), problem));
            }
        }
        Ok(())
    }
}

type Index = BTreeMap<String, usize>;

fn nodes(source: &Source<'_>, entries: &[&serde_json::value::RawValue]) -> Result<(Vec<Node>, Index), TopologyError> {
    let mut nodes = Vec::with_capacity(entries.len());
    let mut index = Index::new();
    for (i, raw) in entries.iter().enumerate() {
        let key = format!("nodes[{i}]");
        let entry: NodeEntry = source.element(raw, &key)?;
        if !usable_id(&entry.id) {
            let problem = format!(
                "`{}` cannot name a network namespace; allowed: 1 to 12 of a-z, 0-9 and -, not starting with -",
                entry.id
            );
            return Err(source.at(raw, &format!("{key}.id"), problem));
        }
        if index.insert(entry.id.clone(), i).is_some() {
            return Err(source.at(
                raw,
                &format!("{key}.id"),
                format!("a second node `{}`; ids are unique", entry.id),
            ));
        }
        nodes.push(Node {
            id: entry.id,
            agent: entry.agent,
            gateway: entry.gateway,
        });
    }
    Ok((nodes, index))
}

fn links(
    source: &Source<'_>,
    entries: &[&serde_json::value::RawValue],
    index: &Index,
) -> Result<Vec<Link>, TopologyError> {
    let mut links = Vec::with_capacity(entries.len());
    let mut pairs = BTreeSet::new();
    for (i, raw) in entries.iter().enumerate() {
        let key = format!("links[{i}]");
        let entry: LinkEntry = source.element(raw, &key)?;
        let end = |name: &str, id: &str| {
            lookup(index, id).map_err(|problem| source.at(raw, &format!("{key}.{name}"), problem))
        };
        let (a, b) = (end("a", &entry.a)?, end("b", &entry.b)?);
        if a == b {
            return Err(source.at(
                raw,
                &key,
                format!("links `{}` to itself; a link joins two nodes", entry.a),
            ));
        }
        if !pairs.insert((a.min(b), a.max(b))) {
            return Err(source.at(
                raw,
                &key,
                format!("a second link between `{}` and `{}`; allowed: one", entry.a, entry.b),
            ));
        }
        if entry.kind == source::Kind::Wifi {
            let problem = "wifi links are not supported yet by this release; allowed: veth".to_owned();
            return Err(source.at(raw, &format!("{key}.kind"), problem));
        }
        if !(0.0..=1.0).contains(&entry.loss) {
            let problem = format!("{} is no share of frames; allowed: 0.0 to 1.0", entry.loss);
            return Err(source.at(raw, &format!("{key}.loss"), problem));
        }
        let impairment = Impairment {
            loss: entry.loss,
            delay_ms: entry.delay_ms,
            rate_kbit: Some(entry.rate_kbit).filter(|rate| *rate > 0),
        };
        links.push(Link { a, b, impairment });
    }
    Ok(links)
}

fn lookup(index: &Index, id: &str) -> Result<usize, String> {
    index.get(id).copied().ok_or_else(|| {
        let known: Vec<_> = index.keys().map(String::as_str).collect();
        format!("no node `{id}`; nodes are {}", known.join(", "))
    })
}

/// Fits `ip netns`, an interface name after `to-` (15 bytes at most), and a file name.
fn usable_id(id: &str) -> bool {
    (1..=12).contains(&id.len())
        && !id.starts_with('-')
        && id
            .bytes()
            .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
}
