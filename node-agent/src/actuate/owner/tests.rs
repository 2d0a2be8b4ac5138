use std::collections::BTreeMap;

use proptest::prelude::*;

use super::networkd::Unit;
use super::*;

/// A machine's files; dropped with the test.
struct Root(tempfile::TempDir);

impl Root {
    /// Of files by path and text.
    fn of(files: &[(&str, &str)]) -> Self {
        let root = Self(tempfile::tempdir().unwrap());
        for (path, text) in files {
            root.write(path, text);
        }
        root
    }

    /// One on which networkd runs.
    fn networkd(files: &[(&str, &str)]) -> Self {
        let root = Self::of(files);
        root.write("run/systemd/netif/state", "OPER_STATE=routable\n");
        root
    }

    /// One on which netifd runs.
    fn netifd(files: &[(&str, &str)]) -> Self {
        let root = Self::of(files);
        root.write("sbin/netifd", "");
        root
    }

    fn write(&self, path: &str, text: &str) {
        let path = self.0.path().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }

    fn link(&self, path: &str, target: &str) {
        let path = self.0.path().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::os::unix::fs::symlink(target, path).unwrap();
    }

    /// Manager and file, the file as seen from the root.
    fn owner(&self, ifname: &str, kind: Option<&str>) -> Option<(&'static str, String)> {
        let owner = Owners::read(self.0.path()).of(&ifname.parse().unwrap(), kind)?;
        let file = owner.file.strip_prefix(self.0.path()).unwrap();
        Some((owner.manager, file.to_str().unwrap().to_owned()))
    }

    fn mesh(&self, ifname: &str) -> Option<(&'static str, String)> {
        self.owner(ifname, Some("batadv"))
    }

    fn member(&self, ifname: &str) -> Option<(&'static str, String)> {
        self.owner(ifname, None)
    }
}

fn by_networkd(file: &str) -> Option<(&'static str, String)> {
    Some(("systemd-networkd", file.to_owned()))
}

fn by_netifd(file: &str) -> Option<(&'static str, String)> {
    Some(("netifd", file.to_owned()))
}

const NETDEV: &str = "[NetDev]\nName=bat0\nKind=batadv\n\n[BatmanAdvanced]\nGatewayMode=off\n";
const MEMBER: &str = "[Match]\nName=eth1 wl*\n\n[Network]\nBatmanAdvanced=bat0\n";

#[test]
fn a_machine_without_managers_owns_nothing() {
    let root = Root::of(&[]);
    assert_eq!(root.mesh("bat0"), None);
    assert_eq!(root.member("eth1"), None);
}

#[test]
fn the_netdev_file_that_makes_a_mesh_interface_owns_it() {
    let root = Root::networkd(&[("etc/systemd/network/20-bat.netdev", NETDEV)]);
    assert_eq!(root.mesh("bat0"), by_networkd("etc/systemd/network/20-bat.netdev"));
    assert_eq!(root.mesh("bat1"), None);
}

/// systemd-tmpfiles makes `/run/systemd/netif` on machines that never start networkd.
#[test]
fn a_manager_that_does_not_run_owns_nothing() {
    let root = Root::of(&[
        ("etc/systemd/network/20-bat.netdev", NETDEV),
        ("run/systemd/netif/links/.keep", ""),
        ("etc/config/network", "config interface bat0\n\toption proto batadv\n"),
    ]);
    assert_eq!(root.mesh("bat0"), None);
}

#[test]
fn networkd_owns_before_it_runs_where_it_is_started_at_boot() {
    for link in [
        "etc/systemd/system/multi-user.target.wants/systemd-networkd.service",
        "etc/systemd/system/network-online.target.requires/systemd-networkd.service",
        "etc/systemd/system/sockets.target.wants/systemd-networkd.socket",
        "etc/systemd/system/dbus-org.freedesktop.network1.service",
        "run/systemd/generator/multi-user.target.wants/systemd-networkd.service",
    ] {
        let root = Root::of(&[("etc/systemd/network/20-bat.netdev", NETDEV)]);
        root.link(link, "/usr/lib/systemd/system/nowhere.service");
        let file = by_networkd("etc/systemd/network/20-bat.netdev");
        assert_eq!(root.mesh("bat0"), file, "{link}");
        root.link("etc/systemd/system/systemd-networkd.service", "/dev/null");
        assert_eq!(root.mesh("bat0"), None, "masked");
    }
}

#[test]
fn what_only_has_networkd_in_its_name_does_not_start_it() {
    let root = Root::of(&[("etc/systemd/network/20-bat.netdev", NETDEV)]);
    let unit = "/usr/lib/systemd/system/nowhere.service";
    root.link(
        "etc/systemd/system/network-online.target.wants/systemd-networkd-wait-online.service",
        unit,
    );
    root.link("etc/systemd/system/old.wants.bak/systemd-networkd.service", unit);
    assert_eq!(root.mesh("bat0"), None);
}

#[test]
fn mesh_interfaces_are_claimed_whether_they_are_there_or_not() {
    let root = Root::networkd(&[
        ("etc/systemd/network/20-bat.netdev", NETDEV),
        ("etc/systemd/network/br.netdev", "[NetDev]\nName=br0\nKind=bridge\n"),
        (
            "etc/systemd/network/odd.netdev",
            "[NetDev]\nName=a name that is far too long\nKind=batadv\n",
        ),
        ("etc/config/network", UCI),
        ("sbin/netifd", ""),
    ]);
    let claimed = Owners::read(root.0.path()).claimed();
    let claimed: Vec<_> = claimed.iter().map(|(mesh, of)| (mesh.as_str(), of.manager)).collect();
    assert_eq!(claimed, [("bat0", "systemd-networkd"), ("bat9", "netifd")]);
    let stopped = Root::of(&[("etc/systemd/network/20-bat.netdev", NETDEV)]);
    assert!(Owners::read(stopped.0.path()).claimed().is_empty());
}

#[test]
fn a_netdev_of_another_kind_owns_no_mesh_interface() {
    let root = Root::networkd(&[("etc/systemd/network/a.netdev", "[NetDev]\nName=bat0\nKind=bridge\n")]);
    assert_eq!(root.mesh("bat0"), None);
}

#[test]
fn a_file_in_etc_masks_those_of_its_name_elsewhere() {
    let root = Root::networkd(&[
        ("usr/lib/systemd/network/20-bat.netdev", NETDEV),
        ("etc/systemd/network/20-bat.netdev", ""),
    ]);
    assert_eq!(root.mesh("bat0"), None);
    let link = root.0.path().join("run/systemd/network/30-bat.netdev");
    root.write("usr/local/lib/systemd/network/30-bat.netdev", NETDEV);
    assert!(root.mesh("bat0").is_some());
    std::fs::create_dir_all(link.parent().unwrap()).unwrap();
    std::os::unix::fs::symlink("/dev/null", link).unwrap();
    assert_eq!(root.mesh("bat0"), None);
}

#[test]
fn a_drop_in_adds_to_a_file_wherever_it_lies() {
    let root = Root::networkd(&[
        (
            "usr/lib/systemd/network/20-bat.netdev",
            "[NetDev]\nName=mesh\nKind=batadv\n",
        ),
        ("etc/systemd/network/20-bat.netdev.d/name.conf", "[NetDev]\nName=bat7\n"),
        ("etc/systemd/network/20-bat.netdev.d/name.txt", "[NetDev]\nName=bat8\n"),
    ]);
    assert_eq!(root.mesh("bat7"), by_networkd("usr/lib/systemd/network/20-bat.netdev"));
    assert_eq!(root.mesh("mesh"), None);
    assert_eq!(root.mesh("bat8"), None);
}

#[test]
fn a_member_is_matched_by_glob() {
    let root = Root::networkd(&[("etc/systemd/network/30-m.network", MEMBER)]);
    assert_eq!(root.member("eth1"), by_networkd("etc/systemd/network/30-m.network"));
    assert_eq!(root.member("wlan0"), by_networkd("etc/systemd/network/30-m.network"));
    assert_eq!(root.member("eth2"), None);
}

#[test]
fn the_first_file_that_matches_counts_even_if_it_makes_no_member() {
    let root = Root::networkd(&[
        (
            "usr/lib/systemd/network/10-lan.network",
            "[Match]\nName=eth*\n[Network]\nDHCP=yes\n",
        ),
        ("etc/systemd/network/30-m.network", MEMBER),
    ]);
    assert_eq!(root.member("eth1"), None);
    assert!(root.member("wlan0").is_some());
}

#[test]
fn what_networkd_says_it_applied_counts_more_than_what_matches() {
    let root = Root::networkd(&[
        (
            "usr/lib/systemd/network/10-lan.network",
            "[Match]\nName=eth*\n[Network]\nDHCP=yes\n",
        ),
        ("etc/systemd/network/30-m.network", MEMBER),
        ("sys/class/net/eth1/ifindex", "7\n"),
        (
            "run/systemd/netif/links/7",
            "ADMIN_STATE=configured\nNETWORK_FILE=/etc/systemd/network/30-m.network\n",
        ),
        ("sys/class/net/wlan0/ifindex", "8\n"),
        ("run/systemd/netif/links/8", "ADMIN_STATE=unmanaged\n"),
    ]);
    assert!(root.member("eth1").is_some());
    assert_eq!(root.member("wlan0"), None);
}

#[test]
fn a_member_is_matched_by_address() {
    let root = Root::networkd(&[
        (
            "etc/systemd/network/m.network",
            "[Match]\nMACAddress=02:00:00:00:00:09 02:00:00:00:00:01\n[Network]\nBatmanAdvanced=bat0\n",
        ),
        ("sys/class/net/eth1/address", "02:00:00:00:00:01\n"),
        ("sys/class/net/eth2/address", "02:00:00:00:00:02\n"),
    ]);
    assert!(root.member("eth1").is_some());
    assert_eq!(root.member("eth2"), None);
    assert_eq!(root.member("eth3"), None);
}

#[test]
fn a_match_turned_round_matches_the_others() {
    let root = Root::networkd(&[(
        "etc/systemd/network/m.network",
        "[Match]\nName=!eth0 lo\n[Network]\nBatmanAdvanced=bat0\n",
    )]);
    assert!(root.member("eth1").is_some());
    assert_eq!(root.member("eth0"), None);
    assert_eq!(root.member("lo"), None);
}

#[test]
fn a_match_on_what_we_cannot_compare_is_none() {
    let files = |text| [("etc/systemd/network/m.network", text)];
    let more = "[Match]\nName=eth1\nDriver=e1000\n[Network]\nBatmanAdvanced=bat0\n";
    assert_eq!(Root::networkd(&files(more)).member("eth1"), None);
    let nothing = "[Match]\n[Network]\nBatmanAdvanced=bat0\n";
    assert_eq!(Root::networkd(&files(nothing)).member("eth1"), None);
}

#[test]
fn a_kind_is_compared() {
    let root = Root::networkd(&[(
        "etc/systemd/network/m.network",
        "[Match]\nKind=vx*\n[Network]\nBatmanAdvanced=bat0\n",
    )]);
    assert!(root.owner("v0", Some("vxlan")).is_some());
    assert_eq!(root.owner("v0", Some("veth")), None);
    assert_eq!(root.owner("v0", None), None);
}

#[test]
fn an_emptied_membership_is_none() {
    let root = Root::networkd(&[
        ("etc/systemd/network/m.network", MEMBER),
        (
            "etc/systemd/network/m.network.d/off.conf",
            "[Network]\nBatmanAdvanced=\n",
        ),
    ]);
    assert_eq!(root.member("eth1"), None);
}

#[test]
fn unit_files_are_read_with_comments_and_long_lines() {
    let unit = Unit::parse("# c\n; d\nlost=1\n[ Match\n[Match]\nName = a \\\n# between\n   b\\\n\tc\nodd\n=\nName=\\");
    assert_eq!(unit.last("Match", "Name"), Some(""));
    let unit = Unit::parse("[Match]\nName = a \\\n# between\n   b\n");
    assert_eq!(
        unit.last("Match", "Name")
            .unwrap()
            .split_whitespace()
            .collect::<Vec<_>>(),
        ["a", "b"]
    );
}

const UCI: &str = "
config interface 'bat0'
	option proto 'batadv'
	option routing_algo 'BATMAN_IV'

config interface 'hard'
	option proto 'batadv_hardif'
	option master 'bat9'
	option device 'eth1'
	option ifname 'eth2 eth3'

config interface lan
	option proto static
	list device br-lan

config interface 'off'
	option proto 'batadv'
	option disabled '1'
";

#[test]
fn netifd_owns_its_mesh_interfaces_and_their_members() {
    let root = Root::netifd(&[("etc/config/network", UCI)]);
    let file = by_netifd("etc/config/network");
    assert_eq!(root.mesh("bat0"), file);
    assert_eq!(root.mesh("bat9"), file, "made by its member");
    assert_eq!(root.mesh("off"), None);
    assert_eq!(root.mesh("lan"), None);
    for member in ["eth1", "eth2", "eth3"] {
        assert_eq!(root.member(member), file);
    }
    assert_eq!(root.member("br-lan"), None);
}

#[test]
fn netifd_owns_the_radios_it_puts_into_a_mesh() {
    let wireless = "
config wifi-iface mesh
	option ifname wlan0
	option mode mesh
	list network hard
config wifi-iface ap
	option ifname wlan1
	option network lan
config wifi-iface idle
	option ifname wlan2
	option network hard
	option disabled 1
config wifi-iface unnamed
	option network 'lan hard'
";
    let root = Root::netifd(&[("etc/config/network", UCI), ("etc/config/wireless", wireless)]);
    assert_eq!(root.member("wlan0"), by_netifd("etc/config/wireless"));
    assert_eq!(root.member("wlan1"), None);
    assert_eq!(root.member("wlan2"), None);
}

#[test]
fn uci_words_are_quoted_in_all_ways() {
    let text = "config x 'a b' # comment\noption k \"q\\\"uo\"'te'd\nlist l a\n list l 'b#c'\nlist l d#e\noption k2";
    let found = uci::sections(text);
    let values = BTreeMap::from([
        ("k".to_owned(), vec!["q\"uoted".to_owned()]),
        ("l".to_owned(), ["a", "b#c", "d#e"].map(str::to_owned).to_vec()),
    ]);
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].name, "a b");
    assert_eq!(found[0].values, values);
}

#[test]
fn files_that_are_no_text_say_nothing() {
    let root = Root::networkd(&[]);
    let file = root.0.path().join("etc/systemd/network/x.netdev");
    std::fs::create_dir_all(file.parent().unwrap()).unwrap();
    std::fs::write(&file, b"[NetDev]\nName=\xff\xfe\nKind=batadv\n").unwrap();
    std::fs::create_dir_all(file.with_file_name("y.network")).unwrap();
    assert_eq!(root.mesh("bat0"), None);
    assert_eq!(root.member("eth1"), None);
}

/// What is logged meanwhile.
fn logged(run: impl FnOnce()) -> String {
    #[derive(Clone, Default)]
    struct Log(std::sync::Arc<std::sync::Mutex<Vec<u8>>>);

    impl std::io::Write for Log {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().extend(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    let log = Log::default();
    let writer = log.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_ansi(false)
        .with_writer(move || writer.clone());
    tracing::subscriber::with_default(subscriber.finish(), run);
    let bytes = log.0.lock().unwrap().clone();
    String::from_utf8(bytes).unwrap()
}

/// Nothing is closed to root, so a folder is what cannot be read here.
#[test]
fn a_file_that_cannot_be_read_is_said_once() {
    let root = Root::networkd(&[
        ("etc/systemd/network/20-bat.netdev", NETDEV),
        ("etc/systemd/network/99-closed.netdev/x", ""),
        ("etc/config/network/x", ""),
        ("sbin/netifd", ""),
    ]);
    root.link("etc/systemd/network/30-gone.network", "/nowhere/at/all");
    let log = logged(|| {
        for _ in 0..3 {
            assert!(root.mesh("bat0").is_some(), "the others count");
        }
    });
    assert_eq!(log.matches("99-closed.netdev").count(), 1, "{log}");
    assert_eq!(log.matches("etc/config/network").count(), 1, "{log}");
    assert_eq!(
        log.matches("WARN").count(),
        2,
        "what is not there is nothing to say: {log}"
    );
}

proptest! {
    #[test]
    fn no_text_is_too_odd(text: String, lines in prop::collection::vec("[\\[\\]a-z=\\\\'\"#; ]{0,12}", 0..20)) {
        for text in [text, lines.join("\n")] {
            Unit::parse(&text);
            uci::sections(&text);
        }
    }

}

proptest! {
    // Each case makes files.
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn no_match_is_too_odd(pattern in "[!*?\\[\\]a-z -]{0,12}", ifname in "[a-z0-9]{1,15}") {
        let text = format!("[Match]\nName={pattern}\n[Network]\nBatmanAdvanced=bat0\n");
        Root::networkd(&[("etc/systemd/network/m.network", &text)]).member(&ifname);
    }
}
