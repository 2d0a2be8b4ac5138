//! An identity as TLS configurations: made when first needed, kept while their source lives.
//!
//! They hold no certificate: SVID and bundles are looked up anew in each handshake, so that renewals need no new
//! configuration, and live connections none at all.

use std::sync::{Arc, Mutex, PoisonError};

use rustls::{ClientConfig, ServerConfig};
use spiffe::{SpiffeId, TrustDomain};
use spiffe_rustls::{TerminalSourcePolicy, TlsStatus, TrustDomainPolicy, mtls_client, mtls_server};

use super::{IdentitySource, NoIdentity};
use crate::role::Role;

const ALPN: [&[u8]; 1] = [b"h2"];

/// The TLS server's side of an identity.
pub(crate) struct ServerTls {
    identity: IdentitySource,
    trust_domain: TrustDomain,
    built: Mutex<Option<(Arc<ServerConfig>, TlsStatus)>>,
}

/// The TLS client's side of an identity.
pub(crate) struct ClientTls {
    identity: IdentitySource,
    collector: SpiffeId,
    built: Mutex<Option<(Arc<ClientConfig>, TlsStatus)>>,
}

impl ServerTls {
    /// Admits IDs of `trust_domain` that name a [`Role`].
    pub(crate) fn new(identity: IdentitySource, trust_domain: TrustDomain) -> Self {
        Self {
            identity,
            trust_domain,
            built: Mutex::new(None),
        }
    }

    pub(crate) fn trust_domain(&self) -> &TrustDomain {
        &self.trust_domain
    }

    pub(crate) fn config(&self) -> Result<Arc<ServerConfig>, NoIdentity> {
        current(&self.built, || {
            let trust_domain = self.trust_domain.clone();
            mtls_server(self.identity.current()?)
                .authorize(move |id: &SpiffeId| Role::of(id, &trust_domain).is_ok())
                .trust_domain_policy(TrustDomainPolicy::LocalOnly(self.trust_domain.clone()))
                .terminal_source_policy(TerminalSourcePolicy::FailClosed)
                .with_alpn_protocols(ALPN)
                .build_with_status()
                .map_err(|error| NoIdentity::Unusable(Box::new(error)))
        })
    }
}

impl ClientTls {
    /// Talks to `collector` and nobody else.
    pub(crate) fn new(identity: IdentitySource, collector: SpiffeId) -> Self {
        Self {
            identity,
            collector,
            built: Mutex::new(None),
        }
    }

    pub(crate) fn config(&self) -> Result<Arc<ClientConfig>, NoIdentity> {
        current(&self.built, || {
            let collector = self.collector.clone();
            let trust_domain = TrustDomain::new(collector.trust_domain_name())
                .map_err(|error| NoIdentity::Unusable(Box::new(spiffe_rustls::Error::Internal(error.to_string()))))?;
            mtls_client(self.identity.current()?)
                .authorize(move |id: &SpiffeId| *id == collector)
                .trust_domain_policy(TrustDomainPolicy::LocalOnly(trust_domain))
                .terminal_source_policy(TerminalSourcePolicy::FailClosed)
                .with_alpn_protocols(ALPN)
                .build_with_status()
                .map_err(|error| NoIdentity::Unusable(Box::new(error)))
        })
    }
}

/// The configuration built before, as long as its source lives; it follows renewals by itself.
fn current<C>(
    built: &Mutex<Option<(Arc<C>, TlsStatus)>>,
    build: impl FnOnce() -> Result<(C, TlsStatus), NoIdentity>,
) -> Result<Arc<C>, NoIdentity> {
    let mut built = built.lock().unwrap_or_else(PoisonError::into_inner);
    match &*built {
        Some((config, status)) if status.current().refreshing => Ok(Arc::clone(config)),
        _ => {
            let (config, status) = build()?;
            let config = Arc::new(config);
            *built = Some((Arc::clone(&config), status));
            Ok(config)
        }
    }
}
