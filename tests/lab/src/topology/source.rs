//! The topology file as text: its entries as serde sees them, and where in the text each of them stands.
//!
//! Entries of the two lists are kept as raw slices of the text, so that an error found after parsing (a link to
//! a node that is not there) still names the line of the entry.

use std::path::Path;

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;

use super::{Algorithm, Gateway, TopologyError};

/// The file's top level.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct FileEntry<'a> {
    pub(super) name: Option<String>,
    pub(super) algorithm: Option<Algorithm>,
    pub(super) hop_penalty: Option<u8>,
    pub(super) orig_interval_ms: Option<u32>,
    #[serde(borrow)]
    pub(super) collector: Option<&'a RawValue>,
    #[serde(borrow)]
    pub(super) nodes: Vec<&'a RawValue>,
    #[serde(borrow, default)]
    pub(super) links: Vec<&'a RawValue>,
}

/// An entry of `nodes`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct NodeEntry {
    pub(super) id: String,
    #[serde(default = "yes")]
    pub(super) agent: bool,
    #[serde(default)]
    pub(super) gateway: Option<Gateway>,
}

/// An entry of `links`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct LinkEntry {
    pub(super) a: String,
    pub(super) b: String,
    #[serde(default)]
    pub(super) kind: Kind,
    #[serde(default)]
    pub(super) loss: f64,
    #[serde(default)]
    pub(super) delay_ms: u32,
    #[serde(default)]
    pub(super) rate_kbit: u32,
    /// Means something for wifi links only; accepted everywhere so that files can switch between the kinds.
    #[serde(default, rename = "channel")]
    _channel: Option<u32>,
}

/// What a link is made of.
#[derive(Deserialize, PartialEq, Eq, Default)]
#[serde(rename_all = "lowercase")]
pub(super) enum Kind {
    #[default]
    Veth,
    Wifi,
}

fn yes() -> bool {
    true
}

/// The kernel's own default of an announcing gateway, 10/2 Mbit/s.
pub(super) fn default_down_kbit() -> u32 {
    10_000
}

/// See [`default_down_kbit`].
pub(super) fn default_up_kbit() -> u32 {
    2_000
}

/// A file's text together with its name.
pub(super) struct Source<'a> {
    path: &'a Path,
    text: &'a str,
}

impl<'a> Source<'a> {
    pub(super) fn new(path: &'a Path, text: &'a str) -> Self {
        Self { path, text }
    }

    pub(super) fn file(&self) -> Result<FileEntry<'a>, TopologyError> {
        serde_json::from_str(self.text).map_err(|e| self.invalid(e.line(), e.column(), "file", without_position(&e)))
    }

    /// Parses one entry; serde's position within it becomes one within the file.
    pub(super) fn element<T: DeserializeOwned>(&self, raw: &RawValue, key: &str) -> Result<T, TopologyError> {
        serde_json::from_str(raw.get()).map_err(|e| {
            let (line, column) = self.position(raw);
            let column = if e.line() <= 1 {
                column + e.column().saturating_sub(1)
            } else {
                e.column()
            };
            self.invalid(line + e.line().saturating_sub(1), column, key, without_position(&e))
        })
    }

    /// An error about `raw`, an entry of this text.
    pub(super) fn at(&self, raw: &RawValue, key: &str, problem: String) -> TopologyError {
        let (line, column) = self.position(raw);
        self.invalid(line, column, key, problem)
    }

    /// An error about a key of the top level: the line where the key is written.
    pub(super) fn top(&self, key: &str, problem: String) -> TopologyError {
        let offset = self.text.find(&format!("\"{key}\"")).unwrap_or(0);
        let (line, column) = self.line_column(offset);
        self.invalid(line, column, key, problem)
    }

    fn position(&self, raw: &RawValue) -> (usize, usize) {
        // Raw values are slices of the text, so the distance of their addresses is the offset.
        let offset = (raw.get().as_ptr() as usize).saturating_sub(self.text.as_ptr() as usize);
        self.line_column(offset)
    }

    fn line_column(&self, offset: usize) -> (usize, usize) {
        let before = self.text.get(..offset).unwrap_or("");
        let column = before.rsplit('\n').next().map_or(0, |line| line.chars().count()) + 1;
        (before.matches('\n').count() + 1, column)
    }

    fn invalid(&self, line: usize, column: usize, key: &str, problem: String) -> TopologyError {
        TopologyError::Invalid {
            path: self.path.to_path_buf(),
            line,
            column,
            key: key.to_owned(),
            problem,
        }
    }
}

fn without_position(e: &serde_json::Error) -> String {
    let text = e.to_string();
    match text.rfind(" at line ") {
        Some(end) => text[..end].to_owned(),
        None => text,
    }
}
