use std::sync::Arc;

use super::*;

fn other(error: spiffe_rustls::Error) -> rustls::Error {
    rustls::Error::Other(rustls::OtherError(Arc::new(error)))
}

#[test]
fn the_reason_is_found_however_deep_it_is_wrapped() {
    let id = "spiffe://mesh.test/ghost/x".parse().unwrap();
    let tls = other(spiffe_rustls::Error::UnauthorizedSpiffeId(id));
    let wrapped = io::Error::other(io::Error::new(io::ErrorKind::InvalidData, tls));
    assert_eq!(HandshakeResult::of_error(&wrapped), HandshakeResult::WrongId);
}

#[test]
fn each_refusal_has_its_own_label() {
    let cases = [
        (rustls::Error::NoCertificatesPresented, "no_certificate"),
        (CertificateError::Expired.into(), "expired"),
        (CertificateError::NotValidYet.into(), "not_yet_valid"),
        (CertificateError::UnknownIssuer.into(), "untrusted"),
        (CertificateError::BadEncoding.into(), "invalid_certificate"),
        (
            other(spiffe_rustls::Error::NoBundle("other.test".try_into().unwrap())),
            "wrong_trust_domain",
        ),
        (rustls::Error::AlertReceived(AlertDescription::AccessDenied), "rejected"),
        (rustls::Error::DecryptError, "protocol"),
        (other(spiffe_rustls::Error::NoSvid), "unavailable"),
    ];
    for (error, label) in cases {
        assert_eq!(HandshakeResult::of_error(&error).as_str(), label, "{error}");
    }
}

#[test]
fn a_peer_that_goes_away_is_not_denied() {
    let error = io::Error::from(io::ErrorKind::UnexpectedEof);
    let result = HandshakeResult::of_error(&error);
    assert_eq!(result, HandshakeResult::Closed);
    assert!(!result.is_denial());
}

#[test]
fn labels_are_unique() {
    let labels: std::collections::BTreeSet<_> = HandshakeResult::ALL.map(HandshakeResult::as_str).into();
    assert_eq!(labels.len(), HandshakeResult::ALL.len());
}
