//! systemd-networkd's files.
//!
//! Read as networkd reads them: of files of one name that in the first folder counts, an empty one or a link to
//! `/dev/null` masks the others; files come in the order of their names; drop-ins (`NAME.d/*.conf`) add to them. Which
//! `.network` file networkd applied to an interface it says itself; only where it does not are `[Match]` sections
//! compared, by `Name=`, `MACAddress=` and `Kind=`: a file that asks for more is taken not to match.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use mesh_proto::model::{IfName, MacAddr};

use super::files::{entries, text};

pub(super) const NAME: &str = "systemd-networkd";
/// The first counts most.
const FOLDERS: [&str; 5] = [
    "etc/systemd/network",
    "run/systemd/network",
    "usr/local/lib/systemd/network",
    "usr/lib/systemd/network",
    "lib/systemd/network",
];

/// Where links to units say that they are started. Not the packages' own folders: some have the alias of each unit.
const UNIT_FOLDERS: [&str; 5] = [
    "etc/systemd/system",
    "run/systemd/system",
    "run/systemd/generator.early",
    "run/systemd/generator",
    "run/systemd/generator.late",
];
/// Its socket starts it too.
const UNITS: [&str; 2] = ["systemd-networkd.service", "systemd-networkd.socket"];

/// What networkd's files say of batman-adv.
#[derive(Debug, Clone, Default)]
pub(super) struct Networkd {
    /// By name of the mesh interface, the file that makes it.
    meshes: BTreeMap<String, PathBuf>,
    /// In the order networkd tries them.
    networks: Vec<Network>,
}

/// A `.network` file.
#[derive(Debug, Clone)]
struct Network {
    file: PathBuf,
    unit: Unit,
}

/// Section, key and value of each line of a unit file, in order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Unit(Vec<(String, String, String)>);

// === impl Networkd ===

impl Networkd {
    /// `None`: it neither runs here nor is started at boot.
    pub(super) fn read(root: &Path) -> Option<Self> {
        if !runs(root) && !is_enabled(root) {
            return None;
        }
        let mut networkd = Self::default();
        for (file, unit) in units(root, "netdev") {
            // Options of `[Match]` are about the machine; a file of it that does not apply here names no interface.
            if unit
                .last("NetDev", "Kind")
                .is_some_and(|kind| kind.eq_ignore_ascii_case("batadv"))
                && let Some(name) = unit.last("NetDev", "Name")
            {
                networkd.meshes.entry(name.to_owned()).or_insert(file);
            }
        }
        networkd.networks = units(root, "network")
            .into_iter()
            .map(|(file, unit)| Network { file, unit })
            .collect();
        Some(networkd)
    }

    pub(super) fn meshes(&self) -> impl Iterator<Item = &str> {
        self.meshes.keys().map(String::as_str)
    }

    /// The file that makes this mesh interface.
    pub(super) fn mesh(&self, ifname: &IfName) -> Option<PathBuf> {
        self.meshes.get(ifname.as_str()).cloned()
    }

    /// The file that makes this interface a member of some mesh interface.
    pub(super) fn member(&self, root: &Path, ifname: &IfName, kind: Option<&str>) -> Option<PathBuf> {
        let device = root.join("sys/class/net").join(ifname.as_str());
        let network = match applied(root, &device) {
            Applied::File(file) => self.networks.iter().find(|network| same(&network.file, &file))?,
            Applied::Nothing => return None,
            Applied::Unknown => {
                let address = std::fs::read_to_string(device.join("address"));
                let address = address.ok().and_then(|address| address.trim().parse().ok());
                let matching = |network: &&Network| network.unit.matches(ifname, address, kind);
                self.networks.iter().find(matching)?
            }
        };
        let mesh = network.unit.last("Network", "BatmanAdvanced")?;
        (!mesh.is_empty()).then(|| network.file.clone())
    }
}

/// Its folder in `/run` is made at boot on systems that do not use it; what it says of itself is written by itself.
fn runs(root: &Path) -> bool {
    root.join("run/systemd/netif/state").exists()
}

/// Whether systemd starts it: at boot we may be there first.
fn is_enabled(root: &Path) -> bool {
    let is_masked = |folder: &&str| {
        let unit = root.join(folder).join("systemd-networkd.service");
        std::fs::read_link(unit).is_ok_and(|target| target == Path::new("/dev/null"))
    };
    // Where a link leads is nothing to us, and below another root it leads nowhere.
    let is_link = |path: PathBuf| path.symlink_metadata().is_ok();
    !UNIT_FOLDERS.iter().any(is_masked)
        && UNIT_FOLDERS.iter().map(|folder| root.join(folder)).any(|folder| {
            is_link(folder.join("dbus-org.freedesktop.network1.service"))
                || entries(&folder)
                    .into_iter()
                    .filter(|path| path.extension().is_some_and(|end| end == "wants" || end == "requires"))
                    .any(|path| UNITS.iter().any(|unit| is_link(path.join(unit))))
        })
}

/// What networkd says it applied to an interface.
enum Applied {
    File(PathBuf),
    Nothing,
    Unknown,
}

fn applied(root: &Path, device: &Path) -> Applied {
    let said = std::fs::read_to_string(device.join("ifindex"))
        .ok()
        .and_then(|ifindex| {
            let ifindex: u32 = ifindex.trim().parse().ok()?;
            std::fs::read_to_string(root.join(format!("run/systemd/netif/links/{ifindex}"))).ok()
        });
    let Some(said) = said else { return Applied::Unknown };
    let file = said.lines().find_map(|line| line.strip_prefix("NETWORK_FILE="));
    match file.map(|file| file.trim_matches('"')) {
        Some(file) if !file.is_empty() => Applied::File(file.into()),
        _ => Applied::Nothing,
    }
}

/// Whether a file we found is the one networkd names: it names it without our root, and `/lib` may be `/usr/lib`.
fn same(ours: &Path, named: &Path) -> bool {
    let named = named.strip_prefix("/").unwrap_or(named);
    ours.ends_with(named) || (named.starts_with("lib") && ours.ends_with(Path::new("usr").join(named)))
}

/// Files of a kind, those that count, in networkd's order.
fn units(root: &Path, extension: &str) -> Vec<(PathBuf, Unit)> {
    let main = files(FOLDERS.map(|folder| root.join(folder)).into(), extension);
    main.into_iter()
        .filter_map(|(name, file)| {
            let main = text(&file).filter(|text| !text.is_empty())?;
            let mut unit = Unit::parse(&main);
            let mut folder = name;
            folder.push(".d");
            let drop_ins = FOLDERS.map(|parent| root.join(parent).join(&folder)).into();
            for text in files(drop_ins, "conf").values().filter_map(|file| text(file)) {
                unit.0.extend(Unit::parse(&text).0);
            }
            Some((file, unit))
        })
        .collect()
}

/// By name; the first folder that has one counts.
fn files(folders: Vec<PathBuf>, extension: &str) -> BTreeMap<OsString, PathBuf> {
    let mut files = BTreeMap::new();
    for folder in folders {
        for path in entries(&folder) {
            if path.extension().is_some_and(|found| found == extension)
                && let Some(name) = path.file_name()
            {
                files.entry(name.to_owned()).or_insert(path);
            }
        }
    }
    files
}

// === impl Unit ===

impl Unit {
    pub(super) fn parse(text: &str) -> Self {
        let mut section = String::new();
        let mut entries = Vec::new();
        let mut lines = text.lines();
        while let Some(line) = lines.next() {
            let mut line = line.trim().to_owned();
            if line.is_empty() || line.starts_with(['#', ';']) {
                continue;
            }
            // A line that ends so goes on in the next; comments between are skipped.
            while let Some(begun) = line.strip_suffix('\\') {
                let Some(next) = lines.by_ref().find(|next| !next.trim_start().starts_with(['#', ';'])) else {
                    line = begun.to_owned();
                    break;
                };
                line = format!("{begun} {}", next.trim());
            }
            if let Some(name) = line.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
                name.clone_into(&mut section);
            } else if let Some((key, value)) = line.split_once('=') {
                entries.push((section.clone(), key.trim().to_owned(), value.trim().to_owned()));
            }
        }
        Self(entries)
    }

    /// What stands last counts.
    pub(super) fn last(&self, section: &str, key: &str) -> Option<&str> {
        let found = self.0.iter().rev().find(|(s, k, _)| s == section && k == key);
        found.map(|(_, _, value)| value.as_str())
    }

    /// Words of a list; an empty value forgets those before it.
    fn words(&self, section: &str, key: &str) -> Option<Vec<&str>> {
        let mut words = None;
        for (_, _, value) in self.0.iter().filter(|(s, k, _)| s == section && k == key) {
            if value.is_empty() {
                words = None;
            } else {
                words.get_or_insert_with(Vec::new).extend(value.split_whitespace());
            }
        }
        words
    }

    /// Whether `[Match]` is about this interface, as far as we compare.
    fn matches(&self, ifname: &IfName, address: Option<MacAddr>, kind: Option<&str>) -> bool {
        const COMPARED: [&str; 3] = ["Name", "MACAddress", "Kind"];
        let asks_for_more = self
            .0
            .iter()
            .any(|(section, key, value)| section == "Match" && !value.is_empty() && !COMPARED.contains(&key.as_str()));
        if asks_for_more {
            return false;
        }
        let name = self.words("Match", "Name");
        let mac = self.words("Match", "MACAddress");
        let kinds = self.words("Match", "Kind");
        // One that asks for nothing matches nothing.
        (name.is_some() || mac.is_some() || kinds.is_some())
            && name.is_none_or(|patterns| any(&patterns, ifname.as_str()))
            && mac.is_none_or(|addresses| {
                let is_ours = |word: &&str| word.parse::<MacAddr>().is_ok_and(|mac| Some(mac) == address);
                addresses.iter().any(is_ours)
            })
            && kinds.is_none_or(|patterns| kind.is_some_and(|kind| any(&patterns, kind)))
    }
}

/// Shell globs; one that begins with `!` turns them all round.
fn any(patterns: &[&str], name: &str) -> bool {
    let not = patterns.first().is_some_and(|first| first.starts_with('!'));
    let found = patterns.iter().any(|pattern| {
        let pattern = pattern.strip_prefix('!').unwrap_or(pattern);
        glob::Pattern::new(pattern).is_ok_and(|pattern| pattern.matches(name))
    });
    found != not
}
