//! `node-agent`: see the library for what it does.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use mesh_daemon::{Exit, Span, log};
use mesh_proto::model::IfName;
use node_agent::actuate::reconcile::How;
use node_agent::app::{self, App};
use node_agent::command::{self, Read};
use node_agent::config::Config;
use node_agent::control::{self, Answer};
use node_agent::{ebpf, privilege};

/// Observes and manages batman-adv on this node and reports to the collector.
#[derive(Debug, Parser)]
#[command(version)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Observes, keeps the mesh as configured and reports, until it is told to stop.
    Run {
        /// The configuration (TOML).
        #[arg(long)]
        config: PathBuf,
    },
    /// Prints what `apply` would do, and changes nothing. Exits with 3 if there is something to do.
    Plan {
        /// The configuration (TOML).
        #[arg(long)]
        config: PathBuf,
    },
    /// Brings the mesh to the configuration, once.
    Apply {
        /// The configuration (TOML).
        #[arg(long)]
        config: PathBuf,
        /// Mesh interfaces may be made anew, which their addresses and VLANs do not survive.
        #[arg(long)]
        recreate: bool,
        /// Undo it unless `confirm` is run within this time, as in 2m.
        #[arg(long, value_name = "TIME", value_parser = confirm_within)]
        confirm_within: Option<Span>,
    },
    /// Keeps what `apply --confirm-within` changed.
    Confirm {
        /// The configuration (TOML).
        #[arg(long)]
        config: PathBuf,
    },
    /// Takes away what the agent made and sets back what it changed since the machine's start.
    Teardown {
        /// The configuration (TOML).
        #[arg(long)]
        config: PathBuf,
    },
    /// Prints the mesh tables of what the kernel has.
    Adopt {
        /// Written too, if it is not there yet.
        #[arg(long)]
        config: Option<PathBuf>,
        /// Only this mesh interface; may be given several times.
        #[arg(long)]
        mesh: Vec<IfName>,
    },
    /// Takes away the filters that a killed agent left on kernels before 6.6: the unit's stop hook.
    #[command(hide = true)]
    Sweep,
    /// Asks the agent that runs how it is.
    Status {
        /// The configuration of the agent that runs.
        #[arg(long)]
        config: PathBuf,
        /// For machines.
        #[arg(long)]
        json: bool,
    },
    /// Says which probes work on this kernel, and what is lost by those that do not.
    Probes {
        /// The configuration (TOML).
        #[arg(long)]
        config: PathBuf,
    },
}

fn main() -> ExitCode {
    let done = match Arguments::parse().command {
        Command::Run { config } => with_config(&config, |loaded| run(loaded, &config)),
        Command::Status { config, json } => with_config(&config, |config| status(&config.control.socket, json)),
        Command::Probes { config } => with_config(&config, |config| probes(&config)),
        Command::Sweep => {
            ebpf::sweep_all();
            Ok(Exit::Done)
        }
        Command::Plan { config } => with_text(&config, command::plan),
        Command::Apply {
            config,
            recreate,
            confirm_within,
        } => with_text(&config, |read| command::apply(read, recreate, confirm_within)),
        Command::Confirm { config } => with_text(&config, command::confirm),
        Command::Teardown { config } => with_text(&config, command::teardown),
        Command::Adopt { config, mesh } => answered(command::adopt(config.as_deref(), &mesh.into_iter().collect())),
    };
    match done {
        Ok(exit) => exit.into(),
        Err(error) => {
            say(&format!("node-agent: {error:#}"));
            Exit::Failed.into()
        }
    }
}

fn confirm_within(text: &str) -> Result<Span, String> {
    let span: Span = text.parse().map_err(|error| format!("{error}"))?;
    if How::CONFIRM_WITHIN.contains(&span.0) {
        Ok(span)
    } else {
        Err("allowed: 1s to 1d".to_owned())
    }
}

fn with_config(path: &Path, work: impl FnOnce(Config) -> anyhow::Result<()>) -> anyhow::Result<Exit> {
    match Config::load(path) {
        Ok(config) => work(config).map(|()| Exit::Done),
        Err(error) => {
            say(&chain(&error));
            Ok(Exit::Config)
        }
    }
}

fn with_text(path: &Path, work: impl FnOnce(&Read) -> std::io::Result<Answer>) -> anyhow::Result<Exit> {
    match Read::new(path) {
        Ok(read) => answered(work(&read)),
        Err(error) => {
            say(&chain(&error));
            Ok(Exit::Config)
        }
    }
}

fn answered(answer: std::io::Result<Answer>) -> anyhow::Result<Exit> {
    let answer = answer?;
    command::say(&answer);
    Ok(answer.code.into())
}

fn run(config: Config, path: &Path) -> anyhow::Result<()> {
    log::start(config.log.format, mesh_transport::LOG_DIRECTIVES);
    // Before there are threads.
    privilege::drop(&config)?;
    runtime()?.block_on(async {
        let app = App::new(config, path)?;
        Ok(app.run(app::until_told_to_stop()?).await?)
    })
}

fn status(socket: &Path, json: bool) -> anyhow::Result<()> {
    let status = control::ask(socket)?;
    command::print(&if json {
        serde_json::to_string_pretty(&status)? + "\n"
    } else {
        status.text()
    });
    Ok(())
}

/// The agent that runs knows best; where none does, the probes are loaded for a moment.
fn probes(config: &Config) -> anyhow::Result<()> {
    let states = match control::ask(&config.control.socket) {
        Ok(status) => status.snapshot.probes,
        Err(error) if error.is_absence() => runtime()?.block_on(app::try_probes(config)),
        Err(error) => return Err(error.into()),
    };
    let lines = states
        .iter()
        .map(|(name, probe)| match (probe.attached, probe.reason.as_str()) {
            (true, "") => format!("{name}: attached, by {}\n", probe.mechanism),
            (true, reason) => format!("{name}: attached, by {}; not everywhere: {reason}\n", probe.mechanism),
            (false, reason) => format!("{name}: not attached: {reason}\n"),
        });
    command::print(&lines.collect::<String>());
    Ok(())
}

fn runtime() -> std::io::Result<tokio::runtime::Runtime> {
    // Two threads: a router has few processors, and one must stay free while the other reads the kernel.
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
}

fn chain(error: &(dyn std::error::Error + 'static)) -> String {
    let causes = std::iter::successors(Some(error), |error| error.source());
    causes.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}

#[expect(clippy::print_stderr, reason = "logging is not started, or the command does not log")]
fn say(text: &str) {
    eprintln!("{text}");
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::Arguments;

    #[test]
    fn a_time_to_confirm_that_is_not_allowed_is_wrong_usage() {
        let code = |time: &str| {
            let line = ["node-agent", "apply", "--config", "a.toml", "--confirm-within", time];
            Arguments::try_parse_from(line).map_err(|error| error.exit_code()).err()
        };
        assert_eq!(["1s", "2m", "1d"].map(code), [None; 3]);
        assert_eq!(["0s", "999ms", "2d", "soon"].map(code), [Some(2); 4]);
    }
}
