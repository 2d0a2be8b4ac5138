//! Meshes at random, each by its seed.

use mesh_lab::Topology;

/// A connected mesh of `nodes` nodes all with agents: a random tree and `extra` links more, losses of 0 to 20 %, rates of
/// 10 to 200 Mbit/s.
///
/// # Errors
/// If the lab refuses it, which its text says.
pub fn random(algorithm: &str, nodes: usize, extra: usize, seed: u64) -> anyhow::Result<Topology> {
    let mut random = SplitMix(seed);
    let mut pairs = std::collections::BTreeSet::new();
    for node in 1..nodes {
        pairs.insert((random.below(node), node));
    }
    let wanted = (pairs.len() + extra).min(nodes * (nodes - 1) / 2);
    while pairs.len() < wanted {
        let (a, b) = (random.below(nodes), random.below(nodes));
        if a != b {
            pairs.insert((a.min(b), a.max(b)));
        }
    }
    let ids: Vec<_> = (0..nodes)
        .map(|node| serde_json::json!({ "id": format!("n{node}") }))
        .collect();
    let links: Vec<_> = pairs
        .into_iter()
        .map(|(a, b)| {
            let loss = [0.0, 0.0, 0.05, 0.1, 0.2][random.below(5)];
            let rate_kbit = [10_000, 20_000, 50_000, 100_000, 200_000][random.below(5)];
            serde_json::json!({
                "a": format!("n{a}"),
                "b": format!("n{b}"),
                "loss": loss,
                "rate_kbit": rate_kbit,
            })
        })
        .collect();
    let text = serde_json::json!({ "name": "random", "algorithm": algorithm, "nodes": ids, "links": links });
    Ok(Topology::parse("random.json".as_ref(), &text.to_string())?)
}

/// Sebastiano Vigna's SplitMix64 (public domain): the same numbers on every machine.
struct SplitMix(u64);

impl SplitMix {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, limit: usize) -> usize {
        usize::try_from(self.next() % limit as u64).unwrap_or(0)
    }
}
