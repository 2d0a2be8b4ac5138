//! What the programs in the kernel log (aya-log), as `tracing` events of target `ebpf`.

use aya::Ebpf;
use aya_log::EbpfLogger;
use log::{Log, Metadata, Record};

use super::ring::watch;

/// From which severity on the programs log. Each record costs the kernel some hundred instructions, so only rare
/// paths have any.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ProgramLog {
    /// Nothing is logged, and the code for it is not even loaded.
    #[default]
    Off,
    /// What a program could not do.
    Warn,
    /// Everything.
    Debug,
}

impl ProgramLog {
    /// As aya-log's programs have it in their read-only data.
    pub(super) const fn level(self) -> u8 {
        match self {
            Self::Off => 0,
            Self::Warn => aya_log::Level::Warn as u8,
            Self::Debug => aya_log::Level::Debug as u8,
        }
    }
}

struct Tracing;

impl Log for Tracing {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn log(&self, record: &Record<'_>) {
        let (text, program) = (record.args().to_string(), record.target());
        match record.level() {
            log::Level::Error => tracing::error!(target: "ebpf", program, text, "eBPF program"),
            log::Level::Warn => tracing::warn!(target: "ebpf", program, text, "eBPF program"),
            log::Level::Info => tracing::info!(target: "ebpf", program, text, "eBPF program"),
            log::Level::Debug | log::Level::Trace => tracing::debug!(target: "ebpf", program, text, "eBPF program"),
        }
    }

    fn flush(&self) {}
}

/// Forwards records until the returned task is aborted. It is a task of its own because aya-log panics on a record
/// it cannot decode: that ends the task, not the agent. Must be called within a tokio runtime.
pub(super) fn forward(ebpf: &mut Ebpf) -> Result<tokio::task::JoinHandle<()>, Box<dyn std::error::Error>> {
    let mut logger = watch(EbpfLogger::init_with_logger(ebpf, Tracing)?)?;
    Ok(tokio::spawn(async move {
        while let Ok(mut ready) = logger.readable_mut().await {
            ready.clear_ready();
            ready.get_inner_mut().flush();
        }
    }))
}
