//! The server: authorities, one socket and one renewal task per identity.

use std::collections::{BTreeMap, HashMap};
use std::fs::Permissions;
use std::os::unix::fs::{FileTypeExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use anyhow::{Context as _, bail};
use tokio::net::UnixListener;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio_stream::wrappers::UnixListenerStream;

use crate::authority::{Authority, Leaf, Svid};
use crate::export;
use crate::pb::spiffe_workload_api_server::SpiffeWorkloadApiServer;
use crate::service::{Current, Material, WorkloadApi};
use crate::spec::IdentitySpec;

/// What to serve.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Of all identities that name no other.
    pub trust_domain: String,
    /// Where the sockets go; made if missing.
    pub socket_dir: PathBuf,
    /// The identities, each with a name of its own.
    pub identities: Vec<IdentitySpec>,
    /// Lifetime of an SVID; renewed at half of it.
    pub ttl: Duration,
    /// Name of an identity and prefix of the files it is written to: `PREFIX.pem`, `PREFIX.key`.
    pub exports: Vec<(String, PathBuf)>,
    /// Where the trust bundle is written to, in PEM.
    pub bundle: Option<PathBuf>,
}

/// A running server. Dropped, it ends; its sockets go with it.
#[derive(Debug)]
pub struct DevCa {
    sockets: BTreeMap<String, PathBuf>,
    tasks: JoinSet<()>,
}

struct Authorities {
    main: Authority,
    /// By trust domain.
    others: BTreeMap<String, Authority>,
    /// In nobody's bundle.
    rogue: Authority,
}

impl DevCa {
    /// Writes all files and opens all sockets; they accept when this returns.
    pub fn start(settings: &Settings) -> anyhow::Result<Self> {
        std::fs::create_dir_all(&settings.socket_dir)
            .with_context(|| format!("{} could not be made", settings.socket_dir.display()))?;
        let authorities = Arc::new(Authorities::new(settings)?);
        if let Some(path) = &settings.bundle {
            export::file(path, &authorities.main.bundle_pem(), 0o644)?;
        }
        if let Some((name, _)) = settings
            .exports
            .iter()
            .find(|(name, _)| settings.identities.iter().all(|spec| spec.name != *name))
        {
            bail!("--export names {name}, but there is no such --identity");
        }
        let mut server = Self {
            sockets: BTreeMap::new(),
            tasks: JoinSet::new(),
        };
        for spec in &settings.identities {
            server.add(spec, settings, &authorities)?;
        }
        Ok(server)
    }

    /// The endpoint of an identity, as daemons take it: `unix:/…`.
    pub fn endpoint(&self, name: &str) -> Option<String> {
        self.sockets.get(name).map(|path| format!("unix:{}", path.display()))
    }

    /// Runs until a socket or a renewal fails; what failed is in the log.
    pub async fn failed(&mut self) {
        self.tasks.join_next().await;
    }

    fn add(&mut self, spec: &IdentitySpec, settings: &Settings, authorities: &Arc<Authorities>) -> anyhow::Result<()> {
        let path = settings.socket_dir.join(spec.socket_name());
        if self.sockets.values().any(|taken| *taken == path) {
            bail!("two identities are named {}: give one of them another name=", spec.name);
        }
        let renewal = Renewal {
            spec: spec.clone(),
            ttl: spec.ttl.unwrap_or(settings.ttl),
            exports: settings
                .exports
                .iter()
                .filter(|(name, _)| *name == spec.name)
                .map(|(_, prefix)| prefix.clone())
                .collect(),
            authorities: Arc::clone(authorities),
        };
        let (current, updates) = watch::channel(renewal.issue()?);
        let listener = listen(&path)?;
        self.sockets.insert(spec.name.clone(), path);
        self.tasks.spawn(async move {
            let service = SpiffeWorkloadApiServer::new(WorkloadApi::new(updates));
            if let Err(error) = tonic::transport::Server::builder()
                .add_service(service)
                .serve_with_incoming(UnixListenerStream::new(listener))
                .await
            {
                tracing::error!(%error, "a socket failed");
            }
        });
        self.tasks.spawn(renewal.run(current));
        Ok(())
    }
}

impl Drop for DevCa {
    fn drop(&mut self) {
        for path in self.sockets.values() {
            if let Err(error) = std::fs::remove_file(path) {
                tracing::debug!(%error, path = %path.display(), "socket not removed");
            }
        }
    }
}

struct Renewal {
    spec: IdentitySpec,
    ttl: Duration,
    exports: Vec<PathBuf>,
    authorities: Arc<Authorities>,
}

impl Renewal {
    async fn run(self, current: watch::Sender<Current>) {
        loop {
            tokio::time::sleep(self.ttl / 2).await;
            match self.issue() {
                Ok(material) => {
                    current.send_replace(material);
                }
                Err(error) => {
                    let error: &dyn std::error::Error = error.as_ref();
                    tracing::error!(error, identity = %self.spec.name, "an SVID could not be renewed");
                    return;
                }
            }
        }
    }

    /// A new SVID, in its files too.
    fn issue(&self) -> anyhow::Result<Current> {
        if self.spec.denied {
            return Ok(None);
        }
        let (svid, bundle, federated) = self.authorities.issue(&self.spec, self.ttl, now()?)?;
        for prefix in &self.exports {
            export::svid(prefix, &svid)?;
        }
        Ok(Some(Arc::new(Material {
            spiffe_id: svid.spiffe_id,
            certificate: svid.certificate_der,
            key: svid.key_der,
            bundle,
            federated,
        })))
    }
}

impl Authorities {
    fn new(settings: &Settings) -> anyhow::Result<Self> {
        let now = now()?;
        let domains = settings.identities.iter().filter_map(|spec| spec.trust_domain.clone());
        Ok(Self {
            main: Authority::new(&settings.trust_domain, now)?,
            others: domains
                .filter(|domain| *domain != settings.trust_domain)
                .map(|domain| Authority::new(&domain, now).map(|authority| (domain, authority)))
                .collect::<anyhow::Result<_>>()?,
            rogue: Authority::new(&settings.trust_domain, now)?,
        })
    }

    #[expect(clippy::type_complexity, reason = "the parts of one message, taken apart at once")]
    fn issue(
        &self,
        spec: &IdentitySpec,
        ttl: Duration,
        now: Duration,
    ) -> anyhow::Result<(Svid, (String, Vec<u8>), HashMap<String, Vec<u8>>)> {
        let hour = Duration::from_secs(3_600);
        let leaf = if spec.expired {
            Leaf {
                path: &spec.path,
                dns: &spec.dns,
                not_before: now.saturating_sub(2 * hour),
                not_after: now.saturating_sub(hour),
            }
        } else {
            Leaf {
                path: &spec.path,
                dns: &spec.dns,
                not_before: now,
                not_after: now + ttl,
            }
        };
        let foreign = spec.trust_domain.as_ref().and_then(|domain| self.others.get(domain));
        let own = foreign.unwrap_or(&self.main);
        let signer = if spec.rogue { &self.rogue } else { own };
        let federated = foreign
            .map(|_| (self.main.id(), self.main.bundle_der()))
            .into_iter()
            .collect();
        Ok((signer.issue(&leaf)?, (own.id(), own.bundle_der()), federated))
    }
}

fn listen(path: &Path) -> anyhow::Result<UnixListener> {
    match std::fs::symlink_metadata(path) {
        Ok(found) if found.file_type().is_socket() => {
            std::fs::remove_file(path).with_context(|| format!("old socket {} stays", path.display()))?;
        }
        Ok(_) => bail!("{} is in the way and no socket", path.display()),
        Err(_) => {}
    }
    let listener = UnixListener::bind(path)
        .with_context(|| format!("no socket at {} (its path may have at most 107 bytes)", path.display()))?;
    // The daemons it serves may run as other users.
    std::fs::set_permissions(path, Permissions::from_mode(0o777))
        .with_context(|| format!("mode of {} could not be set", path.display()))?;
    Ok(listener)
}

#[expect(
    clippy::disallowed_methods,
    reason = "certificates are valid by the wall clock; the one place that reads it"
)]
fn now() -> anyhow::Result<Duration> {
    SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .context("this machine's clock is before 1970")
}
