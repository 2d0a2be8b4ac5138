//! `cargo xtask`: everything a newcomer needs, in a few commands. See `cargo xtask --help`.
//!
//! Commands share one shape: *setup* brings what is missing, a *session* is the lab running somewhere (on this
//! kernel, or in a VM whose kernel has batman-adv), and what the session's inside does is the hidden `__guest`.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

mod apt;
mod check;
mod demo;
mod deny;
mod ebpf;
mod guest;
mod job;
mod kernel;
mod kustomize;
mod lab;
mod paths;
mod prometheus;
mod python;
mod report;
mod session;
mod setup;
mod suites;
mod test;
mod vm;

/// Builds, shows and tests Echolot.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask", version)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Bring up a real mesh with agents and a collector on this machine, and say where to look.
    Demo(demo::Args),
    /// Set up what is missing and run all tests, those in a VM among them.
    Test(test::Args),
    /// Bring up the mesh of a topology file and run a command beside it.
    Lab(lab::Args),
    /// Install what is missing for the other commands.
    Setup,
    /// Build the eBPF programs.
    Ebpf,
    /// The inside of a session; not for people.
    #[command(name = "__guest", hide = true)]
    Guest {
        /// The session's run folder.
        run: PathBuf,
    },
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    let result = match cli.command {
        Command::Demo(args) => demo::run(&args),
        Command::Test(args) => test::run(&args),
        Command::Lab(args) => lab::run(&args),
        Command::Setup => setup::run(),
        Command::Ebpf => paths::Paths::find().and_then(|paths| {
            let object = ebpf::build(&paths.root)?;
            report::say(&format!("{}", object.display()));
            Ok(ExitCode::SUCCESS)
        }),
        Command::Guest { run } => guest::run(&run),
    };
    result.unwrap_or_else(|error| {
        if error.is::<mesh_lab::interrupt::Interrupted>() {
            report::say("Interrupted.");
            return ExitCode::from(130);
        }
        report::say(&format!("\nfailed: {error:#}"));
        ExitCode::FAILURE
    })
}
