//! Logs go to standard error, one line per transition; `RUST_LOG` chooses which (default `info`).

use std::io::IsTerminal as _;

use tracing_subscriber::EnvFilter;

/// How log lines look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    /// For people.
    #[default]
    Text,
    /// For machines: one JSON object a line.
    Json,
}

/// Starts logging. To be called once, before anything that logs. `directives` says which libraries keep to less, in
/// the words of `RUST_LOG`.
pub fn start(format: Format, directives: &str) {
    let default = || EnvFilter::new(format!("info,{directives}"));
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| default());
    let lines = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr);
    match format {
        Format::Text => lines.with_ansi(std::io::stderr().is_terminal()).init(),
        Format::Json => lines.json().init(),
    }
}
