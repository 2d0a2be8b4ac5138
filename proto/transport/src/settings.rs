//! What both daemons' configurations say of identities, checked as it is read: for `#[serde(deserialize_with = …)]`.

use serde::{Deserialize as _, Deserializer, de::Error as _};
use spiffe::TrustDomain;

use crate::WorkloadApi;

const TRUST_DOMAIN: &str = "lower-case letters, digits, '.', '-' and '_', as in \"mesh.example\"";

/// A SPIFFE trust domain.
///
/// # Errors
/// Naming what is allowed.
pub fn trust_domain<'de, D: Deserializer<'de>>(deserializer: D) -> Result<TrustDomain, D::Error> {
    let text = String::deserialize(deserializer)?;
    // A whole SPIFFE ID would be taken as well, and its path silently dropped.
    if text.contains('/') {
        return Err(D::Error::custom(format_args!(
            "{text:?} is no trust domain; allowed: {TRUST_DOMAIN}"
        )));
    }
    TrustDomain::new(&text).map_err(|error| {
        D::Error::custom(format_args!(
            "{text:?} is no trust domain ({error}); allowed: {TRUST_DOMAIN}"
        ))
    })
}

/// A trust domain that may be left out, with `#[serde(default)]`.
///
/// # Errors
/// As [`trust_domain`].
pub fn optional_trust_domain<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<TrustDomain>, D::Error> {
    trust_domain(deserializer).map(Some)
}

/// The Workload API's endpoint.
///
/// # Errors
/// Naming what is allowed.
pub fn workload_api<'de, D: Deserializer<'de>>(deserializer: D) -> Result<WorkloadApi, D::Error> {
    WorkloadApi::parse(&String::deserialize(deserializer)?).map_err(D::Error::custom)
}
