//! Tables of batman-adv as batctl prints them in JSON.

use std::collections::BTreeMap;

use anyhow::{Context as _, Result};
use serde_json::Value;

use crate::exec;

#[cfg(test)]
mod tests;

/// The rows of a table such as `oj` of a mesh interface in the network namespace of `node`.
///
/// Older kernels give a hard interface's index alone: its name is put beside it, so that rows are alike everywhere.
///
/// # Errors
/// If batctl fails or prints something else.
pub fn rows(node: &str, mesh: &str, table: &str) -> Result<Vec<Value>> {
    let mut rows = parse(&exec::batctl(node, &["meshif", mesh, table])?)
        .with_context(|| format!("batctl printed no table {table}"))?;
    if rows.iter().any(is_nameless) {
        let names = names(&exec::run("ip", &["-n", node, "-json", "link", "show"])?)?;
        rows.iter_mut().for_each(|row| name(row, &names));
    }
    Ok(rows)
}

/// What batctl prints; nothing at all is an empty table.
fn parse(json: &str) -> Result<Vec<Value>> {
    if json.trim().is_empty() {
        return Ok(Vec::new());
    }
    serde_json::from_str(json).with_context(|| format!("this is no table: {json}"))
}

fn is_nameless(row: &Value) -> bool {
    row.get("hard_ifindex").is_some() && row.get("hard_ifname").is_none()
}

fn name(row: &mut Value, names: &BTreeMap<u64, String>) {
    if is_nameless(row)
        && let Some(name) = row["hard_ifindex"].as_u64().and_then(|index| names.get(&index))
    {
        row["hard_ifname"] = name.as_str().into();
    }
}

/// Names by index, from `ip -json link show`.
fn names(json: &str) -> Result<BTreeMap<u64, String>> {
    let links: Vec<Value> = serde_json::from_str(json).context("ip printed no JSON")?;
    let name = |link: &Value| Some((link["ifindex"].as_u64()?, link["ifname"].as_str()?.to_owned()));
    Ok(links.iter().filter_map(name).collect())
}
