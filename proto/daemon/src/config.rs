//! Reads a TOML configuration; an error names file, line, key and what is allowed.
//!
//! What the keys are is each daemon's business: its type says so (`#[serde(deny_unknown_fields)]`, newtypes whose
//! errors name what is allowed).

use std::ops::Range;
use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;

/// A configuration that cannot be used. The daemon exits with 78.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// No such file, no permission …
    #[error("{}: the configuration cannot be read", .path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// A key or a value that is not allowed.
    #[error("{}:{line}: {}{message}", .path.display(), .key.as_ref().map(|key| format!("{key}: ")).unwrap_or_default())]
    Invalid {
        /// The file.
        path: PathBuf,
        /// Counted from 1.
        line: usize,
        /// Table and key, as in `collect.interval`.
        key: Option<String>,
        /// What is wrong, and what is allowed.
        message: String,
    },
}

/// Reads and checks the file.
///
/// # Errors
/// [`ConfigError`], ready to be shown.
pub fn load<T: DeserializeOwned>(path: &Path) -> Result<T, ConfigError> {
    let text = std::fs::read_to_string(path).map_err(|source| ConfigError::Read {
        path: path.to_owned(),
        source,
    })?;
    parse(path, &text)
}

/// Checks a text as if it were the file's.
///
/// # Errors
/// [`ConfigError::Invalid`].
pub fn parse<T: DeserializeOwned>(path: &Path, text: &str) -> Result<T, ConfigError> {
    toml::from_str(text).map_err(|error| invalid(path, text, error.span(), error.message()))
}

fn invalid(path: &Path, text: &str, span: Option<Range<usize>>, message: &str) -> ConfigError {
    let start = span.map_or(0, |span| span.start).min(text.len());
    let line = text.as_bytes()[..start].iter().filter(|byte| **byte == b'\n').count();
    ConfigError::Invalid {
        path: path.to_owned(),
        line: line + 1,
        key: key_at(text, line),
        message: message.trim().replace('\n', "; "),
    }
}

/// Table and key of a line, by looking: its own `key =`, and the nearest `[table]` above.
fn key_at(text: &str, line: usize) -> Option<String> {
    let header = |line: &str| {
        let line = line.trim();
        line.strip_prefix('[')?
            .split(']')
            .next()
            .map(|name| name.trim_start_matches('[').trim().to_owned())
    };
    let lines: Vec<&str> = text.lines().take(line + 1).collect();
    let own = lines.last()?;
    let table = lines.iter().rev().find_map(|line| header(line));
    let key = own.split_once('=').map(|(key, _)| key.trim().to_owned());
    match (table, key) {
        _ if own.trim().starts_with('#') => None,
        (Some(table), Some(key)) => Some(format!("{table}.{key}")),
        (Some(name), None) | (None, Some(name)) => Some(name),
        (None, None) => None,
    }
}

#[cfg(test)]
mod tests;
