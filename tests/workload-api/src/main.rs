//! `mesh-devca`: a Workload API server for the demo and the tests. Prints `ready` once all sockets accept and all files
//! are written; ends at SIGTERM or SIGINT and takes its sockets along.

use std::io::Write as _;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context as _, bail};
use clap::Parser;
use mesh_devca::{DevCa, IdentitySpec, Settings, parse_duration};
use tokio::signal::unix::{SignalKind, signal};
use tracing_subscriber::EnvFilter;

/// Hands out SPIFFE identities over Unix sockets. It checks nobody: never use it outside demo and tests.
#[derive(Parser)]
#[command(version)]
struct Arguments {
    /// Trust domain of the identities, as in mesh.test.
    #[arg(long, value_name = "NAME")]
    trust_domain: String,
    /// Where the sockets go, one per identity: its path with '-' for '/', and .sock.
    #[arg(long, value_name = "DIR")]
    socket_dir: PathBuf,
    /// An identity: PATH[,dns=NAME]…[,ttl=TIME][,td=TRUST_DOMAIN][,name=NAME][,expired][,rogue][,denied].
    #[arg(long = "identity", value_name = "IDENTITY", required = true)]
    identities: Vec<IdentitySpec>,
    /// Lifetime of the certificates; each is renewed at half of it.
    #[arg(long, value_name = "TIME", default_value = "1h", value_parser = parse_duration)]
    ttl: Duration,
    /// Write an identity to PREFIX.pem and PREFIX.key, and again at each renewal.
    #[arg(long = "export", value_name = "NAME=PREFIX", value_parser = parse_export)]
    exports: Vec<(String, PathBuf)>,
    /// Write the trust bundle there, in PEM.
    #[arg(long, value_name = "FILE")]
    bundle: Option<PathBuf>,
}

fn parse_export(text: &str) -> Result<(String, PathBuf), String> {
    match text.split_once('=') {
        Some((name, prefix)) if !name.is_empty() && !prefix.is_empty() => Ok((name.to_owned(), prefix.into())),
        _ => Err("expected NAME=PREFIX, as in operator/lab=certs/operator".to_owned()),
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    tracing_subscriber::fmt()
        .with_env_filter(EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info")))
        .with_writer(std::io::stderr)
        .init();
    let mut terminate = signal(SignalKind::terminate()).context("SIGTERM cannot be waited for")?;
    let mut interrupt = signal(SignalKind::interrupt()).context("SIGINT cannot be waited for")?;
    let mut server = DevCa::start(&Settings {
        trust_domain: arguments.trust_domain,
        socket_dir: arguments.socket_dir,
        identities: arguments.identities,
        ttl: arguments.ttl,
        exports: arguments.exports,
        bundle: arguments.bundle,
    })?;
    let mut stdout = std::io::stdout();
    writeln!(stdout, "ready")
        .and_then(|()| stdout.flush())
        .context("stdout is closed")?;
    tokio::select! {
        _ = terminate.recv() => Ok(()),
        _ = interrupt.recv() => Ok(()),
        () = server.failed() => bail!("a socket or a renewal failed; see above"),
    }
}
