//! A node whose mesh the agent owns: a small lab where one node's `bat0` is left to `node-agent`, and the agent's
//! commands on it, as an operator would type them.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use mesh_lab::processes::{Process, Spec};
use mesh_lab::wait::{self, Look};
use mesh_lab::{Lab, Options, Topology, exec};
use serde_json::Value;

/// The node whose mesh is the agent's; it has links `to-far` and `to-east`.
pub const NODE: &str = "near";
/// For states of a mesh under emulation.
pub const LIMIT: Duration = Duration::from_secs(120);
/// Who the agent is when it is not root, as its unit would have it.
const UNPRIVILEGED: &str = "65533";

/// The lab and the folder of the agent's files.
#[derive(Debug)]
pub struct Owned {
    /// Three nodes, each linked with both others.
    pub lab: Lab,
    folder: PathBuf,
    logs: PathBuf,
    agent: PathBuf,
}

/// How a command ended.
#[derive(Debug)]
pub struct Answer {
    /// Exit status.
    pub code: i32,
    /// What it printed.
    pub out: String,
    /// What it complained of.
    pub err: String,
}

/// Pings one after the other, and how many were answered.
#[derive(Debug)]
pub struct PingTrain(Child);

impl Owned {
    /// Brings the mesh up and takes the node's `bat0` away.
    ///
    /// # Errors
    /// As the lab's.
    pub fn up(algorithm: &str, test: &str) -> Result<Self> {
        let owned = Self::beside(algorithm, test)?;
        owned.ip("link del bat0")?;
        Ok(owned)
    }

    /// Brings the mesh up and leaves the node's `bat0`, as another manager made it.
    ///
    /// # Errors
    /// As the lab's.
    pub fn beside(algorithm: &str, test: &str) -> Result<Self> {
        let text = serde_json::json!({
            "name": "owned",
            "algorithm": algorithm,
            "nodes": [
                { "id": NODE, "agent": false },
                { "id": "far", "agent": false },
                { "id": "east", "agent": false },
            ],
            "links": [{ "a": NODE, "b": "far" }, { "a": NODE, "b": "east" }, { "a": "far", "b": "east" }],
        });
        let topology = Topology::parse("owned.json".as_ref(), &text.to_string())?;
        let options = Options::for_test(test)?;
        let (agent, logs) = (options.bin.join("node-agent"), options.logs.clone());
        ensure!(agent.exists(), "{} is not built", agent.display());
        let lab = Lab::raise(&topology, options)?;
        let folder = lab.folders().work.join("owned");
        std::fs::create_dir_all(&folder)?;
        Ok(Self {
            lab,
            folder,
            logs,
            agent,
        })
    }

    /// Writes the configuration: the mesh tables given, and where the agent keeps its files.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn configure(&self, meshes: &str) -> Result<PathBuf> {
        self.configure_as("agent.toml", meshes)
    }

    /// As [`Owned::configure`], to another file.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn configure_as(&self, file: &str, meshes: &str) -> Result<PathBuf> {
        let path = self.folder.join(file);
        let text = format!(
            "{meshes}\n[collect]\ninterval = \"1s\"\n[state]\ndirectory = \"{}\"\n[control]\nsocket = \"{}\"\n",
            self.folder.join("state").display(),
            self.folder.join("run/agent.sock").display()
        );
        std::fs::write(&path, text)?;
        Ok(path)
    }

    /// The folder of the agent's files.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Runs a command of the agent in the node's namespace to its end.
    ///
    /// # Errors
    /// If it cannot be started or a signal ended it.
    pub fn command(&self, words: &[&str], config: &Path) -> Result<Answer> {
        let output = self.prepared(words, config).output()?;
        Ok(Answer {
            code: output.status.code().context("a signal ended the command")?,
            out: String::from_utf8_lossy(&output.stdout).into_owned(),
            err: String::from_utf8_lossy(&output.stderr).into_owned(),
        })
    }

    /// Starts a command and leaves it running.
    ///
    /// # Errors
    /// If it cannot be started.
    pub fn start_command(&self, words: &[&str], config: &Path) -> Result<Child> {
        let mut command = self.prepared(words, config);
        Ok(command.stdout(Stdio::piped()).stderr(Stdio::inherit()).spawn()?)
    }

    fn prepared(&self, words: &[&str], config: &Path) -> Command {
        let mut command = Command::new("nsenter");
        command
            .args(exec::in_netns(NODE, &self.agent.to_string_lossy()))
            .args(words)
            .arg("--config")
            .arg(config)
            .stdin(Stdio::null());
        command
    }

    /// As [`Owned::command`], and it must end well.
    ///
    /// # Errors
    /// If it does not; with all it said.
    pub fn must(&self, words: &[&str], config: &Path) -> Result<String> {
        let answer = self.command(words, config)?;
        ensure!(answer.code == 0, "node-agent {words:?}: {answer:#?}");
        Ok(answer.out)
    }

    /// Starts the agent as root.
    ///
    /// # Errors
    /// If it cannot be started.
    pub fn run(&self, config: &Path) -> Result<Process> {
        let args = ["run", "--config", &config.to_string_lossy()]
            .map(str::to_owned)
            .to_vec();
        self.process(self.agent.clone(), args)
    }

    /// Starts the agent as its unit does: a user of its own with three ambient capabilities and no others to be had.
    ///
    /// # Errors
    /// If it cannot be started.
    pub fn run_unprivileged(&self, config: &Path) -> Result<Process> {
        let user: u32 = UNPRIVILEGED.parse()?;
        for folder in ["state", "run"] {
            let folder = self.folder.join(folder);
            std::fs::create_dir_all(&folder)?;
            exec::run("chown", &["-R", &format!("{user}:{user}"), &folder.to_string_lossy()])?;
        }
        // As `systemd/sysctl.d/echolot.conf` does: at Debian's own level no capability is enough for a kprobe.
        std::fs::write("/proc/sys/kernel/perf_event_paranoid", "2")?;
        let capabilities = "-all,+net_admin,+bpf,+perfmon";
        let mut args: Vec<String> = [
            "--reuid",
            UNPRIVILEGED,
            "--regid",
            UNPRIVILEGED,
            "--clear-groups",
            "--no-new-privs",
        ]
        .map(str::to_owned)
        .to_vec();
        for set in ["--inh-caps", "--ambient-caps", "--bounding-set"] {
            args.extend([set.to_owned(), capabilities.to_owned()]);
        }
        args.push(self.agent.display().to_string());
        args.extend(["run", "--config", &config.to_string_lossy()].map(str::to_owned));
        self.process("setpriv".into(), args)
    }

    fn process(&self, program: PathBuf, args: Vec<String>) -> Result<Process> {
        let spec = Spec {
            name: "node-agent".to_owned(),
            node: Some(NODE.to_owned()),
            program,
            args,
        };
        Process::start(spec, &self.logs)
    }

    /// What `node-agent status --json` says.
    ///
    /// # Errors
    /// If nobody answers.
    pub fn status(&self, config: &Path) -> Result<Value> {
        let text = self.must(&["status", "--json"], config)?;
        serde_json::from_str(&text).with_context(|| format!("status printed {text:?}"))
    }

    /// `ip` on the node.
    ///
    /// # Errors
    /// If it fails.
    pub fn ip(&self, words: &str) -> Result<String> {
        let words: Vec<&str> = ["-n", NODE].into_iter().chain(words.split_whitespace()).collect();
        exec::run("ip", &words)
    }

    /// One link in `ip`'s JSON; `None`: there is none of that name.
    ///
    /// # Errors
    /// If `ip` prints no JSON.
    pub fn link(&self, name: &str) -> Result<Option<Value>> {
        let text = exec::run("ip", &["-n", NODE, "-d", "-j", "link", "show"])?;
        let links: Vec<Value> = serde_json::from_str(&text)?;
        Ok(links.into_iter().find(|link| link["ifname"] == name))
    }

    /// `batctl` on the node.
    ///
    /// # Errors
    /// If it fails.
    pub fn batctl(&self, words: &str) -> Result<String> {
        let words: Vec<&str> = words.split_whitespace().collect();
        self.lab.batctl(NODE, &words)
    }

    /// A JSON table of batctl's: `mj`, or `hj` and `vj` with their object.
    ///
    /// # Errors
    /// If it prints no JSON.
    pub fn table(&self, words: &str) -> Result<Value> {
        let text = self.batctl(words)?;
        serde_json::from_str(&text).with_context(|| format!("batctl {words} printed {text:?}"))
    }

    /// Waits until the node's address answers pings from `far`.
    ///
    /// # Errors
    /// If it never does.
    pub fn reachable(&self) -> Result<()> {
        wait::until("the node is reached over its mesh", LIMIT, || {
            let address = self.lab.address(NODE)?.to_string();
            Ok(match self.lab.exec("far", "ping", &["-c", "1", "-W", "2", &address]) {
                Ok(_) => Look::Ready(()),
                Err(error) => Look::Pending(format!("{error:#}")),
            })
        })
    }

    /// Gives `bat0` the node's address, as its network manager would.
    ///
    /// # Errors
    /// If `ip` refuses.
    pub fn address(&self) -> Result<()> {
        let address = self.lab.address(NODE)?;
        self.ip(&format!("address add {address}/16 dev bat0")).map(drop)
    }

    /// Pings the node from `far`, five a second, until the train is asked.
    ///
    /// # Errors
    /// If ping cannot be started.
    pub fn ping_train(&self) -> Result<PingTrain> {
        let mut command = Command::new("nsenter");
        command
            .args(exec::in_netns("far", "ping"))
            .args(["-i", "0.2", "-w", "600", &self.lab.address(NODE)?.to_string()])
            .stdin(Stdio::null())
            .stdout(Stdio::piped());
        Ok(PingTrain(command.spawn()?))
    }
}

impl PingTrain {
    /// Ends it: packets sent, and packets lost.
    ///
    /// # Errors
    /// If ping says nothing.
    pub fn end(self) -> Result<(u32, u32)> {
        let pid = nix::unistd::Pid::from_raw(i32::try_from(self.0.id())?);
        nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGINT)?;
        let output = self.0.wait_with_output()?;
        let text = String::from_utf8_lossy(&output.stdout);
        let line = text.lines().find(|line| line.contains("packets transmitted"));
        let numbers: Vec<u32> = line
            .with_context(|| format!("ping printed {text:?}"))?
            .split(|c: char| !c.is_ascii_digit())
            .filter_map(|word| word.parse().ok())
            .collect();
        let [sent, received, ..] = numbers[..] else {
            bail!("ping printed {text:?}");
        };
        // The last one may have been under way.
        Ok((sent, sent.saturating_sub(received).saturating_sub(1)))
    }
}
