//! `collector run --config FILE`.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use collector::app;
use collector::config::Config;
use mesh_daemon::{Exit, log};

/// Echolot's collector: knows the whole mesh, answers for it, and proposes what to rebalance.
#[derive(Debug, Parser)]
#[command(version)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Serve agents, operators and Prometheus until told to stop.
    Run {
        /// Configuration (TOML).
        #[arg(long, value_name = "FILE")]
        config: PathBuf,
    },
}

fn main() -> ExitCode {
    let Command::Run { config } = Arguments::parse().command;
    run(&config).into()
}

#[expect(clippy::print_stderr, reason = "there is no log yet")]
fn run(file: &Path) -> Exit {
    let config = match Config::load(file) {
        Ok(config) => config,
        Err(error) => {
            eprintln!("collector: {:#}", anyhow::Error::new(error));
            return Exit::Config;
        }
    };
    log::start(config.log.format, mesh_transport::LOG_DIRECTIVES);
    let outcome = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(anyhow::Error::new)
        .and_then(|runtime| {
            let outcome = runtime.block_on(app::run(config));
            // What still runs has had its time.
            runtime.shutdown_background();
            outcome
        });
    match outcome {
        Ok(()) => Exit::Done,
        Err(error) => {
            tracing::error!("{error:#}");
            Exit::Failed
        }
    }
}
