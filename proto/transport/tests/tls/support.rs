//! A Workload API with its identities, a listener with its outcomes, and peers by plain rustls that may do wrong.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt as _;
use mesh_devca::{DevCa, IdentitySpec, Settings};
use mesh_transport::{
    HandshakeLimits, HandshakeOutcome, IdentitySource, Observer, Peer, TrustDomain, WorkloadApi, listen_tls,
};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, RootCertStore, ServerConfig};
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio::time::timeout;

/// Longer than anything here takes; a test that waits this long has failed.
const PATIENCE: Duration = Duration::from_secs(20);

pub(crate) struct World {
    pub(crate) ca: DevCa,
    folder: tempfile::TempDir,
}

impl World {
    /// Each identity is exported to files of its name too.
    pub(crate) fn new(identities: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let settings = settings(folder.path(), identities);
        Self {
            ca: DevCa::start(&settings).unwrap(),
            folder,
        }
    }

    pub(crate) fn identity(&self, name: &str) -> IdentitySource {
        start(&self.ca.endpoint(name).unwrap())
    }

    fn certificate(&self, name: &str) -> (Vec<CertificateDer<'static>>, PrivateKeyDer<'static>) {
        let prefix = export_prefix(self.folder.path(), name);
        let chain = CertificateDer::pem_file_iter(prefix.with_extension("pem"))
            .unwrap()
            .collect::<Result<_, _>>()
            .unwrap();
        let key = PrivateKeyDer::from_pem_file(prefix.with_extension("key")).unwrap();
        (chain, key)
    }

    fn roots(&self) -> Arc<RootCertStore> {
        let mut roots = RootCertStore::empty();
        for certificate in CertificateDer::pem_file_iter(self.folder.path().join("bundle.pem")).unwrap() {
            roots.add(certificate.unwrap()).unwrap();
        }
        Arc::new(roots)
    }

    /// A TLS client that knows nothing of SPIFFE and shows the certificate of `name`, or none.
    pub(crate) fn plain_client(&self, name: Option<&str>) -> Arc<ClientConfig> {
        install_provider();
        let builder = ClientConfig::builder().with_root_certificates(self.roots());
        Arc::new(match name {
            None => builder.with_no_client_auth(),
            Some(name) => {
                let (chain, key) = self.certificate(name);
                builder.with_client_auth_cert(chain, key).unwrap()
            }
        })
    }

    /// A TLS server that lets anyone in and shows the certificate of `name`.
    pub(crate) fn plain_server(&self, name: &str) -> Arc<ServerConfig> {
        install_provider();
        let (chain, key) = self.certificate(name);
        Arc::new(
            ServerConfig::builder()
                .with_no_client_auth()
                .with_single_cert(chain, key)
                .unwrap(),
        )
    }
}

pub(crate) fn settings(folder: &Path, identities: &[&str]) -> Settings {
    let identities: Vec<IdentitySpec> = identities.iter().map(|text| text.parse().unwrap()).collect();
    Settings {
        trust_domain: "mesh.test".to_owned(),
        socket_dir: folder.to_owned(),
        exports: identities
            .iter()
            .map(|spec| (spec.name.clone(), export_prefix(folder, &spec.name)))
            .collect(),
        identities,
        ttl: Duration::from_secs(3_600),
        bundle: Some(folder.join("bundle.pem")),
    }
}

pub(crate) fn start(endpoint: &str) -> IdentitySource {
    IdentitySource::start(WorkloadApi::parse(endpoint).unwrap())
}

pub(crate) async fn soon<F: Future>(what: &str, future: F) -> F::Output {
    timeout(PATIENCE, future)
        .await
        .unwrap_or_else(|_| panic!("{what} did not happen within {PATIENCE:?}"))
}

fn export_prefix(folder: &Path, name: &str) -> PathBuf {
    folder.join(name.replace('/', "-"))
}

fn install_provider() {
    // Err: another test of this process was first.
    rustls::crypto::ring::default_provider().install_default().ok();
}

/// A listener of the collector's, and what came of each handshake.
pub(crate) struct Listener {
    pub(crate) address: String,
    pub(crate) outcomes: mpsc::UnboundedReceiver<HandshakeOutcome>,
    pub(crate) peers: mpsc::UnboundedReceiver<Peer>,
}

impl Listener {
    pub(crate) async fn new(identity: IdentitySource, limits: HandshakeLimits) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let (outcome_tx, outcomes) = mpsc::unbounded_channel();
        let observer: Observer = Arc::new(move |outcome: &HandshakeOutcome| {
            outcome_tx.send(outcome.clone()).ok();
        });
        let trust_domain = TrustDomain::new("mesh.test").unwrap();
        let mut incoming = listen_tls(listener, identity, trust_domain, limits, observer);
        let (peer_tx, peers) = mpsc::unbounded_channel();
        tokio::spawn(async move {
            let mut open = Vec::new();
            while let Some(Ok(connection)) = incoming.next().await {
                peer_tx.send(connection.peer().clone()).ok();
                open.push(connection);
            }
        });
        Self {
            address,
            outcomes,
            peers,
        }
    }

    /// The label of the next handshake.
    pub(crate) async fn result(&mut self) -> &'static str {
        let outcome = soon("a handshake", self.outcomes.recv()).await.unwrap();
        outcome.result.as_str()
    }
}
