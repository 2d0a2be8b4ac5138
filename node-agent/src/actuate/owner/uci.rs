//! netifd's files: `/etc/config/network` and `/etc/config/wireless`, in UCI's notation.
//!
//! An interface of `/etc/config/wireless` that has no `ifname` gets one from netifd which the files do not tell; its
//! mesh interface is known to be netifd's all the same.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use mesh_proto::model::IfName;

use super::files;

pub(super) const NAME: &str = "netifd";

/// What netifd's files say of batman-adv.
#[derive(Debug, Clone, Default)]
pub(super) struct Netifd {
    /// Mesh interfaces.
    meshes: BTreeSet<String>,
    /// Members, and the file that says so.
    members: BTreeMap<String, PathBuf>,
    network: PathBuf,
}

/// A section of a UCI file.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Section {
    pub(super) kind: String,
    /// Empty: it has none.
    pub(super) name: String,
    /// Options have one value, lists several.
    pub(super) values: BTreeMap<String, Vec<String>>,
}

// === impl Netifd ===

impl Netifd {
    /// `None`: it is not there.
    pub(super) fn read(root: &Path) -> Option<Self> {
        if !root.join("sbin/netifd").exists() {
            return None;
        }
        let config = root.join("etc/config");
        let read = |name: &str| {
            let text = files::text(&config.join(name)).unwrap_or_default();
            sections(&text)
        };
        let network = config.join("network");
        let mut netifd = Self {
            network: network.clone(),
            ..Self::default()
        };
        // By its name a section of members is known to /etc/config/wireless.
        let mut memberships = BTreeSet::new();
        for section in read("network") {
            if section.kind != "interface" || section.is_disabled() {
                continue;
            }
            match section.one("proto") {
                Some("batadv") => {
                    netifd.meshes.insert(section.name);
                }
                Some("batadv_hardif") => {
                    // A mesh interface need not have a section: a member makes it too.
                    netifd.meshes.extend(section.one("master").map(str::to_owned));
                    for device in section.words(&["device", "ifname"]) {
                        netifd.members.insert(device.to_owned(), network.clone());
                    }
                    memberships.insert(section.name);
                }
                _ => {}
            }
        }
        for section in read("wireless") {
            let is_member = || section.words(&["network"]).any(|network| memberships.contains(network));
            if section.kind == "wifi-iface" && !section.is_disabled() && is_member() {
                let ifname = section.one("ifname").map(str::to_owned);
                netifd
                    .members
                    .extend(ifname.map(|ifname| (ifname, config.join("wireless"))));
            }
        }
        Some(netifd)
    }

    pub(super) fn meshes(&self) -> impl Iterator<Item = &str> {
        self.meshes.iter().map(String::as_str)
    }

    /// The file that makes this mesh interface.
    pub(super) fn mesh(&self, ifname: &IfName) -> Option<PathBuf> {
        self.meshes.contains(ifname.as_str()).then(|| self.network.clone())
    }

    /// The file that makes this interface a member of some mesh interface.
    pub(super) fn member(&self, ifname: &IfName) -> Option<PathBuf> {
        self.members.get(ifname.as_str()).cloned()
    }
}

// === impl Section ===

impl Section {
    fn one(&self, key: &str) -> Option<&str> {
        self.values.get(key)?.last().map(String::as_str)
    }

    /// Words of options or lists; both are written both ways.
    fn words<'a>(&'a self, keys: &'a [&str]) -> impl Iterator<Item = &'a str> {
        keys.iter()
            .filter_map(|key| self.values.get(*key))
            .flatten()
            .flat_map(|value| value.split_whitespace())
    }

    fn is_disabled(&self) -> bool {
        matches!(self.one("disabled"), Some("1" | "yes" | "on" | "true" | "enabled"))
    }
}

/// The sections of a UCI file. Lines that are none of its notation are passed over.
pub(super) fn sections(text: &str) -> Vec<Section> {
    let mut sections = Vec::<Section>::new();
    for line in text.lines() {
        let mut words = words(line).into_iter();
        match (words.next().as_deref(), words.next(), words.next()) {
            (Some("config"), Some(kind), name) => sections.push(Section {
                kind,
                name: name.unwrap_or_default(),
                ..Section::default()
            }),
            (Some(word @ ("option" | "list")), Some(key), Some(value)) => {
                if let Some(section) = sections.last_mut() {
                    let values = section.values.entry(key).or_default();
                    if word == "option" {
                        values.clear();
                    }
                    values.push(value);
                }
            }
            _ => {}
        }
    }
    sections
}

/// Words of a line; single and double quotes hold words together, `#` begins a comment.
fn words(line: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut chars = line.chars();
    while let Some(char) = chars.next() {
        match char {
            '\'' => word
                .get_or_insert_default()
                .extend(chars.by_ref().take_while(|&char| char != '\'')),
            '"' => {
                let word = word.get_or_insert_default();
                while let Some(char) = chars.next() {
                    match char {
                        '"' => break,
                        '\\' => word.extend(chars.next()),
                        char => word.push(char),
                    }
                }
            }
            '\\' => word.get_or_insert_default().extend(chars.next()),
            '#' if word.is_none() => break,
            char if char.is_whitespace() => words.extend(word.take()),
            char => word.get_or_insert_default().push(char),
        }
    }
    words.extend(word);
    words
}
