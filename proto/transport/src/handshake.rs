//! What became of a handshake, under names fit for a metric's label and an operator's eye.
//!
//! TLS reports every refused certificate as some error of some layer; here they become one closed list.

use std::error::Error;
use std::io;

use rustls::{AlertDescription, CertificateError};

/// How a handshake ended, as this side saw it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum HandshakeResult {
    /// Both sides are who they should be.
    Ok,
    /// The peer showed no certificate.
    NoCertificate,
    /// The peer's certificate has ended, or a clock is wrong.
    Expired,
    /// The peer's certificate has not begun, or a clock is wrong.
    NotYetValid,
    /// Signed by nobody we trust.
    Untrusted,
    /// Of a trust domain that is not ours.
    WrongTrustDomain,
    /// Trusted, but not a SPIFFE ID that may come in here (server), or not the collector's (client).
    WrongId,
    /// No sound X.509-SVID.
    InvalidCertificate,
    /// Not done in time.
    Timeout,
    /// What came was no TLS that we speak.
    Protocol,
    /// The peer refused us by a TLS alert.
    Rejected,
    /// The peer went away in the middle.
    Closed,
    /// We have no valid SVID ourselves.
    Unavailable,
    /// Too many at once from one address.
    SourceLimit,
    /// Anything else.
    Other,
}

impl HandshakeResult {
    /// Every one, for metrics that begin at zero.
    pub const ALL: [Self; 15] = [
        Self::Ok,
        Self::NoCertificate,
        Self::Expired,
        Self::NotYetValid,
        Self::Untrusted,
        Self::WrongTrustDomain,
        Self::WrongId,
        Self::InvalidCertificate,
        Self::Timeout,
        Self::Protocol,
        Self::Rejected,
        Self::Closed,
        Self::Unavailable,
        Self::SourceLimit,
        Self::Other,
    ];

    /// The label's value.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::NoCertificate => "no_certificate",
            Self::Expired => "expired",
            Self::NotYetValid => "not_yet_valid",
            Self::Untrusted => "untrusted",
            Self::WrongTrustDomain => "wrong_trust_domain",
            Self::WrongId => "wrong_id",
            Self::InvalidCertificate => "invalid_certificate",
            Self::Timeout => "timeout",
            Self::Protocol => "protocol",
            Self::Rejected => "rejected",
            Self::Closed => "closed",
            Self::Unavailable => "unavailable",
            Self::SourceLimit => "source_limit",
            Self::Other => "other",
        }
    }

    /// The peer was refused for what it is: a denial, not a mishap.
    pub fn is_denial(self) -> bool {
        matches!(
            self,
            Self::NoCertificate
                | Self::Expired
                | Self::NotYetValid
                | Self::Untrusted
                | Self::WrongTrustDomain
                | Self::WrongId
                | Self::InvalidCertificate
        )
    }

    /// What an error anywhere in `error`'s chain of causes says of a handshake.
    pub fn of_error(error: &(dyn Error + 'static)) -> Self {
        let mut cause = Some(error);
        let mut found = Self::Other;
        while let Some(error) = cause {
            if let Some(error) = error.downcast_ref::<rustls::Error>() {
                return Self::of_tls(error);
            }
            if let Some(error) = error.downcast_ref::<io::Error>() {
                found = of_io(error);
                // An io::Error's own `source` skips the error it wraps.
                if let Some(inner) = error.get_ref() {
                    cause = Some(inner);
                    continue;
                }
            }
            cause = error.source();
        }
        found
    }

    fn of_tls(error: &rustls::Error) -> Self {
        match error {
            rustls::Error::NoCertificatesPresented => Self::NoCertificate,
            rustls::Error::InvalidCertificate(error) => of_certificate(error),
            // The peer's word for it; in TLS 1.3 a client hears it only after its own half is done.
            rustls::Error::AlertReceived(AlertDescription::CloseNotify) => Self::Closed,
            rustls::Error::AlertReceived(_) => Self::Rejected,
            rustls::Error::Other(other) => other
                .0
                .downcast_ref::<spiffe_rustls::Error>()
                .map_or(Self::Other, of_spiffe),
            // The certificate resolver had nothing to offer.
            rustls::Error::General(text) if text.contains("certificate chain") => Self::Unavailable,
            _ => Self::Protocol,
        }
    }
}

fn of_certificate(error: &CertificateError) -> HandshakeResult {
    match error {
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => HandshakeResult::Expired,
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => HandshakeResult::NotYetValid,
        CertificateError::UnknownIssuer | CertificateError::BadSignature => HandshakeResult::Untrusted,
        CertificateError::Other(other) => other
            .0
            .downcast_ref::<spiffe_rustls::Error>()
            .map_or(HandshakeResult::InvalidCertificate, of_spiffe),
        _ => HandshakeResult::InvalidCertificate,
    }
}

fn of_spiffe(error: &spiffe_rustls::Error) -> HandshakeResult {
    use spiffe_rustls::Error as E;
    match error {
        E::UnauthorizedSpiffeId(_) => HandshakeResult::WrongId,
        E::NoBundle(_) | E::TrustDomainNotAllowed(_) => HandshakeResult::WrongTrustDomain,
        E::MissingSpiffeId | E::MultipleSpiffeIds | E::InvalidLeaf(_) | E::CertParse(_) => {
            HandshakeResult::InvalidCertificate
        }
        E::NoSvid
        | E::SourceClosed
        | E::Source(_)
        | E::PendingRevision { .. }
        | E::MaterialUnavailable(_)
        | E::NoUsableRootStores
        | E::EmptyRootStore => HandshakeResult::Unavailable,
        E::Rustls(error) => HandshakeResult::of_tls(error),
        _ => HandshakeResult::Other,
    }
}

fn of_io(error: &io::Error) -> HandshakeResult {
    match error.kind() {
        io::ErrorKind::UnexpectedEof
        | io::ErrorKind::ConnectionReset
        | io::ErrorKind::ConnectionAborted
        | io::ErrorKind::BrokenPipe => HandshakeResult::Closed,
        io::ErrorKind::TimedOut => HandshakeResult::Timeout,
        _ => HandshakeResult::Other,
    }
}

#[cfg(test)]
mod tests;
