//! Long answers in pages.
//!
//! A token carries the key of the last entry given, so it stays good while entries come and go: what is new before that
//! key is not seen any more, nothing is seen twice. Its form is nobody's business but this module's.

use tonic::Status;

/// Most entries of one page.
pub(crate) const MAX_SIZE: usize = 1_000;
/// Longest key taken: a decision's id at its longest.
const MAX_KEY: usize = 512;

/// Which list a token belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// `GetTopology` and `ListNodes`: key of a node.
    Nodes,
    /// `ListDecisions`: id of a decision.
    Decisions,
    /// `ListEvents`: number of an event.
    Events,
}

// === impl Kind ===

impl Kind {
    fn tag(self) -> &'static str {
        match self {
            Self::Nodes => "n",
            Self::Decisions => "d",
            Self::Events => "e",
        }
    }
}

/// Entries per page as asked for; 0: `default`.
pub(crate) fn size(asked: u32, default: usize) -> Result<usize, Status> {
    match usize::try_from(asked) {
        Ok(0) => Ok(default),
        Ok(size) if size <= MAX_SIZE => Ok(size),
        _ => Err(Status::invalid_argument(format!(
            "page_size is {asked}: use 1 to {MAX_SIZE}, or 0 for {default}"
        ))),
    }
}

/// The token that goes on after this key.
pub(crate) fn encode(kind: Kind, key: &str) -> String {
    let bytes = kind.tag().bytes().chain(key.bytes());
    bytes.map(|byte| format!("{byte:02x}")).collect()
}

/// The key after which a page begins; `None`: the first page.
pub(crate) fn decode<K>(kind: Kind, token: &str, parse: impl FnOnce(&str) -> Option<K>) -> Result<Option<K>, Status> {
    if token.is_empty() {
        return Ok(None);
    }
    key(kind, token).and_then(|key| parse(&key)).map(Some).ok_or_else(|| {
        Status::invalid_argument(
            "page_token is none of this list: give next_page_token of its previous page as it was, or none to begin",
        )
    })
}

fn key(kind: Kind, token: &str) -> Option<String> {
    let token = token.as_bytes();
    if !token.len().is_multiple_of(2) || token.len() > 2 * (MAX_KEY + 1) {
        return None;
    }
    let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    let bytes = token
        .chunks_exact(2)
        .map(|pair| Some(digit(pair[0])? << 4 | digit(pair[1])?));
    let text = String::from_utf8(bytes.collect::<Option<Vec<u8>>>()?).ok()?;
    Some(text.strip_prefix(kind.tag())?.to_owned())
}

/// The first `size` entries, and whether there are more.
pub(crate) fn cut<T>(entries: impl Iterator<Item = T>, size: usize) -> (Vec<T>, bool) {
    let mut page: Vec<T> = entries.take(size + 1).collect();
    let more = page.len() > size;
    page.truncate(size);
    (page, more)
}

#[cfg(test)]
mod tests;
