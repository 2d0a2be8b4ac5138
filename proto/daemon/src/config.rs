//! Reads a TOML configuration; an error names file, line, key and what is allowed.
//!
//! What the keys are is each daemon's business: its type says so (`#[serde(deny_unknown_fields)]`, newtypes whose
//! errors name what is allowed).

use std::ops::Range;
use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

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
    let key = match DeTable::parse(text) {
        Ok(table) => key_in(table.get_ref(), start),
        Err(_) => key_at(text, line),
    };
    ConfigError::Invalid {
        path: path.to_owned(),
        line: line + 1,
        key,
        message: message.trim().replace('\n', "; "),
    }
}

/// Tables and key of what stands at an offset; elements of an array are called as the array is.
fn key_in(table: &DeTable<'_>, offset: usize) -> Option<String> {
    table.iter().find_map(|(key, value)| {
        let name = quoted(key.get_ref());
        if let Some(inner) = key_in_value(value.get_ref(), offset) {
            return Some(format!("{name}.{inner}"));
        }
        let here = [key.span(), value.span()].iter().any(|span| span.contains(&offset)) || is_element(value, offset);
        here.then_some(name)
    })
}

fn key_in_value(value: &DeValue<'_>, offset: usize) -> Option<String> {
    match value {
        DeValue::Table(table) => key_in(table, offset),
        DeValue::Array(elements) => elements
            .iter()
            .find_map(|element| key_in_value(element.get_ref(), offset)),
        _ => None,
    }
}

/// An array of tables stands in several places.
fn is_element(value: &Spanned<DeValue<'_>>, offset: usize) -> bool {
    match value.get_ref() {
        DeValue::Array(elements) => elements.iter().any(|element| element.span().contains(&offset)),
        _ => false,
    }
}

fn quoted(key: &str) -> String {
    let bare = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-');
    if !key.is_empty() && key.chars().all(bare) {
        key.to_owned()
    } else {
        format!("{key:?}")
    }
}

/// Table and key of a line of what is no TOML, by looking: its own `key =`, and the nearest `[table]` above.
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
