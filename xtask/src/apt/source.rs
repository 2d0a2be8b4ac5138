//! Reads the machine's apt sources, in both formats, and writes one for another suite of the same archive.

use std::path::Path;

/// A field of a source, such as `URIs`, and its value; lines of a long value are kept.
type Field = (String, String);

/// One entry, whichever format it came in, as deb822 fields.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Entry(Vec<Field>);

impl Entry {
    fn get(&self, name: &str) -> &str {
        self.0
            .iter()
            .find(|(n, _)| n.eq_ignore_ascii_case(name))
            .map_or("", |(_, value)| value.as_str())
    }

    fn lists(&self, name: &str, word: &str) -> bool {
        self.get(name).split_whitespace().any(|w| w == word)
    }
}

/// The machine's entries.
pub(super) fn machine() -> Vec<Entry> {
    let mut entries = Vec::new();
    let parts = std::fs::read_dir("/etc/apt/sources.list.d")
        .into_iter()
        .flatten()
        .flatten()
        .map(|e| e.path());
    for path in std::iter::once("/etc/apt/sources.list".into()).chain(parts) {
        let Ok(text) = std::fs::read_to_string(&path) else {
            continue;
        };
        match Path::new(&path).extension().and_then(|e| e.to_str()) {
            Some("list") => entries.extend(parse_lines(&text)),
            Some("sources") => entries.extend(parse_stanzas(&text)),
            _ => {}
        }
    }
    entries
}

/// deb822 texts for `suite`, one per entry that serves the release `codename` itself.
pub(super) fn derive(entries: &[Entry], codename: &str, suite: &str) -> Vec<String> {
    entries
        .iter()
        .filter(|e| e.lists("Types", "deb") && e.lists("Suites", codename) && e.lists("Components", "main"))
        .filter(|e| !e.get("Enabled").eq_ignore_ascii_case("no"))
        .map(|e| {
            let kept = e
                .0
                .iter()
                .filter(|(name, _)| !["types", "suites", "components"].contains(&name.to_ascii_lowercase().as_str()));
            let kept: String = kept.map(|(name, value)| format!("{name}: {value}\n")).collect();
            format!("Types: deb\nSuites: {suite}\nComponents: main\n{kept}")
        })
        .collect()
}

/// The older format: `deb [option=value …] URI suite component…`.
pub(super) fn parse_lines(text: &str) -> Vec<Entry> {
    text.lines().filter_map(parse_line).collect()
}

fn parse_line(line: &str) -> Option<Entry> {
    let line = line.split('#').next()?.trim();
    let (kind, rest) = line.split_once(char::is_whitespace)?;
    let rest = rest.trim_start();
    let (options, rest) = match rest.strip_prefix('[') {
        Some(rest) => rest.split_once(']')?,
        None => ("", rest),
    };
    let mut words = rest.split_whitespace();
    let (uri, suite) = (words.next()?, words.next()?);
    let mut fields: Vec<Field> = vec![
        ("Types".to_owned(), kind.to_owned()),
        ("URIs".to_owned(), uri.to_owned()),
        ("Suites".to_owned(), suite.to_owned()),
        ("Components".to_owned(), words.collect::<Vec<_>>().join(" ")),
    ];
    for option in options.split_whitespace() {
        let (name, value) = option.split_once('=')?;
        // The two formats name their options alike but for plurals and case.
        let name = match name {
            "arch" => "Architectures",
            "signed-by" => "Signed-By",
            "trusted" => "Trusted",
            other => other,
        };
        fields.push((name.to_owned(), value.replace(',', " ")));
    }
    Some(Entry(fields))
}

/// The newer format: stanzas of `Field: value`, continued by indented lines.
pub(super) fn parse_stanzas(text: &str) -> Vec<Entry> {
    let mut entries = vec![Entry(Vec::new())];
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        if line.trim().is_empty() {
            entries.push(Entry(Vec::new()));
        } else if let Some(Entry(fields)) = entries.last_mut() {
            if line.starts_with([' ', '\t']) {
                if let Some((_, value)) = fields.last_mut() {
                    value.push('\n');
                    value.push_str(line);
                }
            } else if let Some((name, value)) = line.split_once(':') {
                fields.push((name.trim().to_owned(), value.trim().to_owned()));
            }
        }
    }
    entries.retain(|entry| !entry.0.is_empty());
    entries
}
