//! A certificate as OCSP sees it: its name there, its issuer, and whom to ask.

use aws_lc_rs::digest;
use reqwest::Url;
use x509_parser::{
    extensions::{GeneralName, ParsedExtension},
    oid_registry::OID_PKIX_ACCESS_DESCRIPTOR_OCSP,
    prelude::{FromDer, X509Certificate},
};

use super::{
    cache::Key,
    cert_id::CertId,
    der::Malformed,
    finding::{OcspFinding, Whose},
};
use crate::{
    config::OcspConfig,
    policy::chain::{Issuer, Link},
};

/// Responders of one certificate that are asked, in their order; more are ignored.
const MAX_RESPONDERS: usize = 3;
/// The longest address that is taken from a certificate, in bytes.
const MAX_URL: usize = 2048;

/// A certificate to be checked.
#[derive(Debug, Clone)]
pub(super) struct Subject {
    pub(super) key: Key,
    pub(super) whose: Whose,
    pub(super) id: CertId,
    pub(super) issuer: Issuer,
    pub(super) responders: Vec<Url>,
}

impl Subject {
    /// The certificate of a link; `depth` counts from the leaf, 0.
    pub(super) fn new(config: &OcspConfig, link: &Link, depth: usize) -> Result<Self, OcspFinding> {
        let unreadable = |whose, part| OcspFinding::Unreadable { whose, part };
        let (_, certificate) = X509Certificate::from_der(&link.certificate)
            .map_err(|_| unreadable(whose(depth, ""), "it"))?;
        let whose = whose(depth, &certificate.subject().to_string());
        let id = CertId::new(config.cert_id_hash, &link.issuer, certificate.raw_serial())
            .map_err(|Malformed(part)| unreadable(whose.clone(), part))?;
        let mut key = Key::default();
        key.copy_from_slice(digest::digest(&digest::SHA256, &link.certificate).as_ref());
        Ok(Self {
            key,
            whose,
            id,
            issuer: link.issuer.clone(),
            responders: match &config.url {
                Some(url) => vec![url.as_url().clone()],
                None => responders(&certificate),
            },
        })
    }
}

fn whose(depth: usize, subject: &str) -> Whose {
    match depth {
        0 => Whose::Leaf,
        _ => Whose::Intermediate(subject.to_owned()),
    }
}

/// The addresses of OCSP responders in the certificate (RFC 5280, section 4.2.2.1), http and https. They are the CA's
/// word: paths are verified before anybody is asked.
fn responders(certificate: &X509Certificate<'_>) -> Vec<Url> {
    let mut urls = Vec::new();
    for extension in certificate.extensions() {
        let ParsedExtension::AuthorityInfoAccess(access) = extension.parsed_extension() else {
            continue;
        };
        for description in &access.accessdescs {
            let GeneralName::URI(text) = &description.access_location else {
                continue;
            };
            if description.access_method != OID_PKIX_ACCESS_DESCRIPTOR_OCSP || text.len() > MAX_URL
            {
                continue;
            }
            if let Ok(url) = text.parse::<Url>()
                && matches!(url.scheme(), "http" | "https")
                && urls.len() < MAX_RESPONDERS
                && !urls.contains(&url)
            {
                urls.push(url);
            }
        }
    }
    urls
}
