//! `node-agent`: see the library for what it does.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use mesh_daemon::{Exit, log};
use node_agent::app::{self, App};
use node_agent::config::Config;
use node_agent::control;

/// Observes batman-adv on this node and reports to the collector.
#[derive(Debug, Parser)]
#[command(version)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Observes and reports until it is told to stop.
    Run {
        /// The configuration (TOML).
        #[arg(long)]
        config: PathBuf,
    },
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
    let arguments = Arguments::parse();
    let (Command::Run { config } | Command::Status { config, .. } | Command::Probes { config }) = &arguments.command;
    let config = match Config::load(config) {
        Ok(config) => config,
        Err(error) => {
            say(&chain(&error));
            return Exit::Config.into();
        }
    };
    let done = match arguments.command {
        Command::Run { .. } => run(config),
        Command::Status { json, .. } => status(&config.control.socket, json),
        Command::Probes { .. } => probes(&config),
    };
    match done {
        Ok(()) => Exit::Done.into(),
        Err(error) => {
            say(&format!("node-agent: {error:#}"));
            Exit::Failed.into()
        }
    }
}

fn run(config: Config) -> anyhow::Result<()> {
    log::start(config.log.format, mesh_transport::LOG_DIRECTIVES);
    runtime()?.block_on(async {
        let app = App::new(config)?;
        Ok(app.run(app::until_told_to_stop()?).await?)
    })
}

fn status(socket: &Path, json: bool) -> anyhow::Result<()> {
    let status = control::ask(socket)?;
    print(&if json {
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
    print(&lines.collect::<String>());
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

#[expect(clippy::print_stdout, reason = "what a command was asked for")]
fn print(text: &str) {
    print!("{text}");
}

#[expect(clippy::print_stderr, reason = "logging is not started, or the command does not log")]
fn say(text: &str) {
    eprintln!("{text}");
}
