//! The real grpcurl, over mutual TLS as an operator.

use anyhow::{Context as _, Result, bail};
use mesh_lab::Lab;
use serde_json::Value;

/// Calls `symbol` (`list`, or a method with its request) and returns what grpcurl prints.
///
/// # Errors
/// If it is not installed (`cargo xtask setup` does), or with what it says when it fails.
pub fn text(lab: &Lab, request: Option<&Value>, symbol: &str) -> Result<String> {
    let grpcurl = std::env::var_os("MESH_GRPCURL").context("MESH_GRPCURL is not set: `cargo xtask test` does")?;
    let mut command = std::process::Command::new(&grpcurl);
    for (option, file) in [
        ("-cacert", "bundle.pem"),
        ("-cert", "operator.pem"),
        ("-key", "operator.key"),
    ] {
        command.arg(option).arg(lab.certs().join(file));
    }
    if let Some(request) = request {
        command.arg("-d").arg(request.to_string());
    }
    command
        .arg(lab.grpc().context("this lab has no collector")?)
        .arg(symbol);
    let output = command
        .output()
        .with_context(|| format!("cannot start {}", grpcurl.to_string_lossy()))?;
    if !output.status.success() {
        bail!("grpcurl {symbol}: {}", String::from_utf8_lossy(&output.stderr));
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// Calls a method and reads its one answer.
///
/// # Errors
/// As [`text`], or if the answer is no JSON.
pub fn call(lab: &Lab, method: &str, request: &Value) -> Result<Value> {
    let answer = text(lab, Some(request), method)?;
    serde_json::from_str(&answer).with_context(|| format!("grpcurl {method} printed {answer:?}"))
}

/// What happened, as far as `request` (of `ListEvents`) asks for it: all pages, the newest last.
///
/// # Errors
/// As [`call`].
pub fn events(lab: &Lab, request: &Value) -> Result<Vec<Value>> {
    let (mut request, mut events) = (request.clone(), Vec::new());
    loop {
        let page = call(lab, "mesh.v1.TopologyService/ListEvents", &request)?;
        events.extend(page["events"].as_array().cloned().unwrap_or_default());
        match page["next_page_token"].as_str() {
            Some(token) if !token.is_empty() => request["page_token"] = Value::from(token),
            _ => return Ok(events),
        }
    }
}
