//! Looks whether the collector lives, and tells systemd (`WatchdogSec=`) while it does.
//!
//! It lives if the topology's writer has looked at its clock since the last time, which it does at least each second, and if
//! the gRPC server answers a health check over the collector's own Unix socket.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use mesh_daemon::Watchdog;
use tonic::transport::Endpoint;
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_client::HealthClient;

/// For the server to answer; it does so in milliseconds.
const ANSWER_WITHIN: Duration = Duration::from_secs(5);

/// How often the topology's writer has looked at its clock.
#[derive(Debug, Clone, Default)]
pub struct Pulse(Arc<AtomicU64>);

impl Pulse {
    /// The clock, with each look counted.
    pub fn counted<T, F: Fn() -> T>(&self, now: F) -> impl Fn() -> T + use<T, F> {
        let beats = Arc::clone(&self.0);
        move || {
            beats.fetch_add(1, Ordering::Relaxed);
            now()
        }
    }

    fn beats(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// Runs for ever. `socket` is where the gRPC server listens.
pub async fn run(mut watchdog: Watchdog, pulse: Pulse, socket: PathBuf) {
    let mut seen = pulse.beats();
    loop {
        tokio::time::sleep(watchdog.every()).await;
        let beats = pulse.beats();
        let found = match answers(&socket, ANSWER_WITHIN).await {
            Ok(()) if beats == seen => Err("the topology's writer does nothing".to_owned()),
            other => other,
        };
        seen = beats;
        watchdog.sign(found.as_ref().copied().map_err(String::as_str));
    }
}

async fn answers(socket: &Path, within: Duration) -> Result<(), String> {
    let check = async {
        let endpoint =
            Endpoint::from_shared(format!("unix://{}", socket.display())).map_err(|error| error.to_string())?;
        let channel = endpoint.connect().await.map_err(|error| error.to_string())?;
        let asked = HealthClient::new(channel).check(HealthCheckRequest::default()).await;
        asked.map(drop).map_err(|status| status.to_string())
    };
    tokio::time::timeout(within, check)
        .await
        .unwrap_or_else(|_| Err("no answer in time".to_owned()))
        .map_err(|reason| format!("the gRPC server does not answer: {reason}"))
}

#[cfg(test)]
mod tests {
    use std::os::unix::net::UnixListener;

    use tonic_health::server::health_reporter;

    use super::*;

    const SOON: Duration = Duration::from_secs(1);

    #[tokio::test]
    async fn a_server_that_answers_lives() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("collector.sock");
        let settings = mesh_transport::UnixSettings {
            path: path.clone(),
            mode: 0o600,
            group: None,
        };
        let incoming = mesh_transport::listen_unix(&settings).unwrap();
        let (_health, service) = health_reporter();
        let server = mesh_transport::server::builder().add_service(service);
        let serving = tokio::spawn(server.serve_with_incoming(incoming));
        assert_eq!(answers(&path, ANSWER_WITHIN).await, Ok(()));
        serving.abort();
    }

    #[tokio::test]
    async fn a_server_that_accepts_and_says_nothing_does_not_live() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("collector.sock");
        let _listener = UnixListener::bind(&path).unwrap();
        assert!(answers(&path, SOON).await.unwrap_err().contains("does not answer"));
        assert!(answers(&folder.path().join("none"), SOON).await.is_err());
    }

    #[test]
    fn each_look_at_the_clock_is_a_beat() {
        let pulse = Pulse::default();
        let now: Box<dyn Fn() -> u8 + 'static> = Box::new(pulse.counted(|| 7));
        assert_eq!((now(), now(), pulse.beats()), (7, 7, 2));
    }
}
