//! A certificate authority of one trust domain, and the SVIDs it signs.

use std::time::Duration;

use anyhow::Context as _;
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DistinguishedName, DnType, IsCa, KeyPair, KeyUsagePurpose,
    SanType, date_time_ymd,
};

/// Allowance for clocks that are a little behind, as other CAs make it.
const BACKDATED: Duration = Duration::from_secs(60);
const AUTHORITY_LIFETIME: Duration = Duration::from_secs(10 * 365 * 86_400);

/// A self-signed root with its key in memory only.
pub(crate) struct Authority {
    trust_domain: String,
    issuer: CertifiedIssuer<'static, KeyPair>,
}

/// What a leaf says.
pub(crate) struct Leaf<'a> {
    pub(crate) path: &'a str,
    pub(crate) dns: &'a [String],
    /// Since the Unix epoch.
    pub(crate) not_before: Duration,
    /// Since the Unix epoch.
    pub(crate) not_after: Duration,
}

/// An SVID and its key.
pub(crate) struct Svid {
    pub(crate) spiffe_id: String,
    pub(crate) certificate_der: Vec<u8>,
    pub(crate) certificate_pem: String,
    pub(crate) key_der: Vec<u8>,
    pub(crate) key_pem: String,
}

impl Authority {
    /// `now`: since the Unix epoch.
    pub(crate) fn new(trust_domain: &str, now: Duration) -> anyhow::Result<Self> {
        let mut params = CertificateParams::default();
        params.distinguished_name = name(&format!("Echolot development CA for {trust_domain}"));
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        params.subject_alt_names = vec![uri(&format!("spiffe://{trust_domain}"))?];
        params.not_before = date_time_ymd(1970, 1, 1) + now.saturating_sub(BACKDATED);
        params.not_after = date_time_ymd(1970, 1, 1) + now + AUTHORITY_LIFETIME;
        let key = KeyPair::generate().context("no key for the CA")?;
        Ok(Self {
            trust_domain: trust_domain.to_owned(),
            issuer: CertifiedIssuer::self_signed(params, key).context("the CA's certificate could not be made")?,
        })
    }

    pub(crate) fn bundle_der(&self) -> Vec<u8> {
        self.issuer.der().to_vec()
    }

    pub(crate) fn bundle_pem(&self) -> String {
        self.issuer.pem()
    }

    /// The trust domain's own SPIFFE ID, by which bundles are keyed.
    pub(crate) fn id(&self) -> String {
        format!("spiffe://{}", self.trust_domain)
    }

    pub(crate) fn issue(&self, leaf: &Leaf<'_>) -> anyhow::Result<Svid> {
        let spiffe_id = format!("spiffe://{}/{}", self.trust_domain, leaf.path);
        let mut params = CertificateParams::default();
        params.distinguished_name = name(leaf.path);
        // Present and false: a leaf without the extension is refused by strict verifiers.
        params.is_ca = IsCa::ExplicitNoCa;
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![
            rcgen::ExtendedKeyUsagePurpose::ServerAuth,
            rcgen::ExtendedKeyUsagePurpose::ClientAuth,
        ];
        params.use_authority_key_identifier_extension = true;
        params.subject_alt_names = vec![uri(&spiffe_id)?];
        for dns in leaf.dns {
            let dns = dns.as_str().try_into().with_context(|| format!("DNS name {dns:?}"))?;
            params.subject_alt_names.push(SanType::DnsName(dns));
        }
        params.not_before = date_time_ymd(1970, 1, 1) + leaf.not_before.saturating_sub(BACKDATED);
        params.not_after = date_time_ymd(1970, 1, 1) + leaf.not_after;
        let key = KeyPair::generate().context("no key for an SVID")?;
        let certificate = params
            .signed_by(&key, &self.issuer)
            .with_context(|| format!("no SVID for {spiffe_id}"))?;
        Ok(Svid {
            spiffe_id,
            certificate_der: certificate.der().to_vec(),
            certificate_pem: certificate.pem(),
            key_der: key.serialize_der(),
            key_pem: key.serialize_pem(),
        })
    }
}

fn name(common_name: &str) -> DistinguishedName {
    let mut name = DistinguishedName::new();
    name.push(DnType::CommonName, common_name);
    name
}

fn uri(text: &str) -> anyhow::Result<SanType> {
    Ok(SanType::URI(text.try_into().with_context(|| format!("URI {text:?}"))?))
}
