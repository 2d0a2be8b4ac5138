//! The units as they are shipped, under a real systemd: one of its own in the node's network namespace, with nothing but
//! the two daemons and no network, no journal and no SPIRE to wait for. Needs root and batman-adv: run in the VM.
#![expect(clippy::unwrap_used, reason = "a test's helpers fail the test")]

use std::path::Path;

use anyhow::{Context as _, Result};
use mesh_lab::exec;
use mesh_lab::processes::{Process, Spec};
use mesh_lab::wait::{self, Look};
use mesh_tests::kernel;
use mesh_tests::owned::{LIMIT, NODE, Owned};

const AGENT: &str = "[mesh.bat0]\npolicy = \"enforce\"\nhop_penalty = 15\n[[mesh.bat0.member]]\npattern = \"to-*\"\n\
                     [collect]\ninterval = \"1s\"\n[collector]\naddresses = [\"10.77.0.2:7443\"]\n\
                     [identity]\ntrust_domain = \"mesh.test\"\n";
const COLLECTOR: &str = "trust_domain = \"mesh.test\"\n";

/// Everything it writes goes to a file system of its own: the machine's /etc, /usr/bin and /var stay as they are.
const BOOT: &str = r#"
set -e
mount -t tmpfs tmpfs /mnt
for folder in etc usr/bin var/lib; do
    mkdir -p /mnt/$folder/upper /mnt/$folder/work
    mount -t overlay overlay -o lowerdir=/$folder,upperdir=/mnt/$folder/upper,workdir=/mnt/$folder/work /$folder
done
mkdir -p /mnt/units /etc/echolot
for target in sysinit basic shutdown default network-pre network local-fs multi-user; do
    printf '[Unit]\nDefaultDependencies=no\n' > /mnt/units/$target.target
done
cp "$REPO"/systemd/*.service /mnt/units
for daemon in node-agent collector; do
    cp "$BIN/$daemon" /usr/bin/
    cp "$FILES/$daemon.toml" /etc/echolot/
    mkdir /mnt/units/$daemon.service.d
    printf '[Service]\nStandardOutput=append:%s\nStandardError=inherit\nWatchdogSec=20s\nRestartSec=100ms\n' \
        "$LOGS/$daemon-unit.log" > /mnt/units/$daemon.service.d/lab.conf
done
systemd-sysusers "$REPO"/systemd/sysusers.d/echolot.conf
sysctl -p "$REPO"/systemd/sysctl.d/echolot.conf
exec env container=lab SYSTEMD_UNIT_PATH=/mnt/units /lib/systemd/systemd --system --unit=default.target \
    --log-target=console --log-level=info
"#;

struct Systemd {
    pid: u32,
    /// Its children are killed with it.
    _process: Process,
}

impl Systemd {
    fn boot(owned: &Owned, bin: &Path, logs: &Path) -> Result<Self> {
        let script = owned.folder().join("boot.sh");
        std::fs::write(&script, BOOT)?;
        std::fs::write(owned.folder().join("node-agent.toml"), AGENT)?;
        std::fs::write(owned.folder().join("collector.toml"), COLLECTOR)?;
        let repo = Path::new(env!("CARGO_MANIFEST_DIR"))
            .parent()
            .context("tests/ is in the repository")?;
        let mut args: Vec<String> = ["--pid", "--fork", "--kill-child", "--mount", "--mount-proc", "env"]
            .map(str::to_owned)
            .to_vec();
        for (name, path) in [("REPO", repo), ("BIN", bin), ("LOGS", logs), ("FILES", owned.folder())] {
            args.push(format!("{name}={}", path.display()));
        }
        args.extend(["sh".to_owned(), script.display().to_string()]);
        let spec = Spec {
            name: "systemd".to_owned(),
            node: Some(NODE.to_owned()),
            program: "unshare".into(),
            args,
        };
        let mut process = Process::start(spec, logs)?;
        let children = format!("/proc/{0}/task/{0}/children", process.pid());
        let pid = wait::until("systemd is started", LIMIT, || {
            process.check()?;
            let pid = std::fs::read_to_string(&children).unwrap_or_default().trim().parse();
            Ok(pid.map_or_else(|_| Look::Pending("no child yet".into()), Look::Ready))
        })?;
        let systemd = Self { pid, _process: process };
        wait::until("systemd runs", LIMIT, || {
            Ok(match systemd.exec("systemctl is-system-running") {
                Ok(_) => Look::Ready(()),
                Err(error) => Look::Pending(format!("{error:#}")),
            })
        })?;
        systemd.exec(&format!(
            "systemd-tmpfiles --create {}/systemd/tmpfiles.d/echolot.conf",
            repo.display()
        ))?;
        Ok(systemd)
    }

    /// Runs a command beside it.
    fn exec(&self, words: &str) -> Result<String> {
        let pid = self.pid.to_string();
        let into = ["-t", &pid, "-m", "-p", "-C", "--"];
        exec::run(
            "nsenter",
            &into.into_iter().chain(words.split_whitespace()).collect::<Vec<_>>(),
        )
    }

    fn property(&self, unit: &str, name: &str) -> Result<String> {
        let text = self.exec(&format!("systemctl show --value -p {name} {unit}"))?;
        Ok(text.trim().to_owned())
    }

    /// Waits until the unit is active in another process than this one.
    fn active_again(&self, unit: &str, before: &str) -> String {
        wait::until(&format!("{unit} is up again"), LIMIT, || {
            let (pid, state) = (self.property(unit, "MainPID")?, self.property(unit, "ActiveState")?);
            Ok(if state == "active" && pid != before && pid != "0" {
                Look::Ready(pid)
            } else {
                Look::Pending(format!("{state}, {pid}"))
            })
        })
        .unwrap()
    }
}

fn penalty(owned: &Owned, wanted: u64) {
    wait::until(&format!("the hop penalty is {wanted}"), LIMIT, || {
        let found = owned.table("meshif bat0 mj").map(|table| table["hop_penalty"].clone());
        Ok(match found {
            Ok(found) if found == wanted => Look::Ready(()),
            other => Look::Pending(format!("{other:?}")),
        })
    })
    .unwrap();
}

#[test]
fn smoke_the_units_work_before_network_and_spire_and_after_a_crash_and_a_hang() {
    let owned = Owned::up("BATMAN_IV", "the_units").unwrap();
    let bin = std::env::var_os("MESH_BIN").unwrap();
    let logs = owned.lab.logs().to_owned();
    let systemd = Systemd::boot(&owned, bin.as_ref(), &logs).unwrap();

    systemd.exec("systemctl start node-agent").unwrap();
    penalty(&owned, 15);
    let pid = systemd.property("node-agent", "MainPID").unwrap();
    let user = systemd.property("node-agent", "User").unwrap();
    let uid = systemd.exec(&format!("id -u {user}")).unwrap();
    let status = systemd.exec(&format!("cat /proc/{pid}/status")).unwrap();
    let line = |key: &str| {
        status
            .lines()
            .find_map(|line| line.strip_prefix(key))
            .unwrap()
            .trim()
            .to_owned()
    };
    assert_ne!(uid.trim(), "0");
    assert_eq!(line("Uid:").split_whitespace().next(), Some(uid.trim()));
    // NET_ADMIN 12, PERFMON 38, BPF 39.
    let three = format!("{:016x}", 1u64 << 12 | 1 << 38 | 1 << 39);
    assert_eq!((line("CapPrm:"), line("CapEff:")), (three.clone(), three.clone()));
    assert_eq!((line("CapBnd:"), line("NoNewPrivs:")), (three, "1".to_owned()));
    let shown = systemd
        .exec("node-agent probes --config /etc/echolot/node-agent.toml")
        .unwrap();
    let lost =
        |line: &&str| line.contains("not attached") && (kernel::describes_batman_adv() || !line.starts_with("routes"));
    assert_eq!(shown.lines().find(lost), None, "the hardening takes no probe away");

    owned.batctl("meshif bat0 hop_penalty 200").unwrap();
    penalty(&owned, 15);

    systemd.exec(&format!("kill -9 {pid}")).unwrap();
    let pid = systemd.active_again("node-agent", &pid);
    owned.batctl("meshif bat0 hop_penalty 201").unwrap();
    penalty(&owned, 15);

    // One that hangs is noticed and replaced.
    systemd.exec(&format!("kill -STOP {pid}")).unwrap();
    systemd.active_again("node-agent", &pid);
    owned.batctl("meshif bat0 hop_penalty 202").unwrap();
    penalty(&owned, 15);

    systemd.exec("systemctl start collector").unwrap();
    wait::until("the collector answers", LIMIT, || {
        Ok(
            match exec::run(
                "nsenter",
                &[
                    &format!("--net=/run/netns/{NODE}"),
                    "--",
                    "curl",
                    "-sf",
                    "http://127.0.0.1:9464/healthz",
                ],
            ) {
                Ok(_) => Look::Ready(()),
                Err(error) => Look::Pending(format!("{error:#}")),
            },
        )
    })
    .unwrap();
    assert_eq!(systemd.property("collector", "User").unwrap(), "echolot");
    assert_eq!(systemd.property("collector", "NRestarts").unwrap(), "0");

    systemd.exec("systemctl stop node-agent collector").unwrap();
    for unit in ["node-agent", "collector"] {
        assert_eq!(systemd.property(unit, "Result").unwrap(), "success", "{unit}");
    }
    penalty(&owned, 15);
    assert_eq!(
        owned.link("to-far").unwrap().unwrap()["master"],
        "bat0",
        "stopping changes nothing"
    );
}
