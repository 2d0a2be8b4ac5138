//! Debian's Prometheus on the host, scraping the collector: the machine's own, or unpacked below `target/`.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, bail};
use mesh_lab::processes::{Process, Spec};
use mesh_lab::wait::Look;
use mesh_lab::{exec, http};
use serde_json::Value;

use crate::apt;
use crate::paths::{Paths, program};
use crate::session::free_port;

/// A running Prometheus. Ended on drop.
#[derive(Debug)]
pub(crate) struct Prometheus {
    process: Process,
    pub(crate) address: SocketAddr,
}

fn unpacked(paths: &Paths) -> PathBuf {
    paths.tools().join("prometheus")
}

/// The two programs if they are here; unpacked ones count.
pub(crate) fn find(paths: &Paths) -> Option<(PathBuf, PathBuf)> {
    let own = |name: &str| {
        program(name).or_else(|| Some(unpacked(paths).join("usr/bin").join(name)).filter(|file| file.exists()))
    };
    Some((own("prometheus")?, own("promtool")?))
}

/// Prometheus and promtool, unpacked if the machine has none: installing the package would start a service.
pub(crate) fn get(paths: &Paths) -> Result<(PathBuf, PathBuf)> {
    if find(paths).is_none() {
        let into = unpacked(paths);
        crate::paths::fresh(&into, &[])?;
        apt::unpack_own(&paths.target().join("apt"), "prometheus", &into)?;
    }
    find(paths).context("Debian's package prometheus holds no prometheus and promtool")
}

/// Has the page of metrics checked by promtool; what it complains about.
pub(crate) fn lint(paths: &Paths, page: &str) -> Result<()> {
    let (_, promtool) = get(paths)?;
    exec::run_with_input(&promtool.to_string_lossy(), &["check", "metrics"], page).map(drop)
}

impl Prometheus {
    /// Starts it with `folder` for its data; it scrapes this port of loopback.
    pub(crate) fn start(paths: &Paths, folder: &Path, logs: &Path, metrics_port: u16) -> Result<Self> {
        let (program, promtool) = get(paths)?;
        crate::paths::fresh(folder, &[])?;
        let config = folder.join("prometheus.yml");
        let text = format!(
            "global:\n  scrape_interval: 2s\nscrape_configs:\n  - job_name: collector\n    static_configs:\n      \
             - targets: ['127.0.0.1:{metrics_port}']\n"
        );
        std::fs::write(&config, text).with_context(|| format!("cannot write {}", config.display()))?;
        let mut check = Command::new(promtool);
        let output = check
            .args(["check", "config"])
            .arg(&config)
            .stdin(Stdio::null())
            .output()?;
        if !output.status.success() {
            bail!(
                "promtool refuses the configuration: {}",
                String::from_utf8_lossy(&output.stderr).trim()
            );
        }
        let port = free_port(9090)?;
        let args = vec![
            format!("--config.file={}", config.display()),
            format!("--storage.tsdb.path={}", folder.join("data").display()),
            format!("--web.listen-address=127.0.0.1:{port}"),
            "--log.level=warn".to_owned(),
        ];
        let process = Process::start(
            Spec {
                name: "prometheus".to_owned(),
                node: None,
                program,
                args,
            },
            logs,
        )?;
        Ok(Self {
            process,
            address: (Ipv4Addr::LOCALHOST, port).into(),
        })
    }

    /// Fails if it has ended by itself.
    pub(crate) fn check(&mut self) -> Result<()> {
        self.process.check()
    }

    /// Whether it has targets and scraped all of them well.
    pub(crate) fn look_targets(&mut self) -> Result<Look<usize>> {
        self.check()?;
        let page = match http::get(self.address, "/api/v1/targets") {
            Ok(page) if page.status == 200 => page,
            Ok(page) => return Ok(Look::Pending(format!("Prometheus answers {}", page.status))),
            Err(error) => return Ok(Look::Pending(format!("{error:#}"))),
        };
        let answer: Value = serde_json::from_str(&page.body).context("Prometheus does not answer in JSON")?;
        let targets = answer["data"]["activeTargets"].as_array().cloned().unwrap_or_default();
        let bad = targets.iter().find(|target| target["health"] != "up");
        Ok(match bad {
            _ if targets.is_empty() => Look::Pending("no targets yet".to_owned()),
            Some(target) => Look::Pending(format!(
                "{} is {} {}",
                target["scrapeUrl"], target["health"], target["lastError"]
            )),
            None => Look::Ready(targets.len()),
        })
    }

    /// Ends it.
    pub(crate) fn stop(self) -> Result<()> {
        self.process.stop()
    }
}
