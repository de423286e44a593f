//! The path from a leaf to a CA (RFC 5280, section 6): verified, and kept for the checks of revocation.

use std::time::SystemTime;

use rustls::{
    RootCertStore,
    crypto::WebPkiSupportedAlgorithms,
    pki_types::{CertificateDer, UnixTime},
};
use thiserror::Error;
use webpki::{EndEntityCert, KeyUsage, VerifiedPath};
use x509_parser::prelude::{FromDer, X509Certificate};

use super::der;

/// Whom we trust to vouch for connectors.
#[derive(Debug, Clone)]
pub struct Authorities {
    /// Their keys and names.
    pub roots: RootCertStore,
    /// Their certificates.
    pub certificates: Vec<CertificateDer<'static>>,
}

/// A verified path, leaf first; the last certificate's issuer is a CA of the bundle.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Path {
    /// The certificates below the CA, each with its issuer. At least one: the leaf.
    pub links: Vec<Link>,
}

/// A certificate of a path, and who has issued it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Link {
    /// The certificate, DER.
    pub certificate: CertificateDer<'static>,
    /// The key and name that have signed it.
    pub issuer: Issuer,
}

/// A CA, as far as signatures are concerned.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Issuer {
    /// DER of its `Name`, with the SEQUENCE.
    pub name: Vec<u8>,
    /// DER of its `SubjectPublicKeyInfo`, with the SEQUENCE.
    pub spki: Vec<u8>,
}

/// Why there is no path.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ChainError {
    /// The leaf's time is over.
    #[error("the certificate has expired")]
    Expired,
    /// The leaf's time has not come, or a clock is wrong.
    #[error("the certificate is not valid yet")]
    NotYetValid,
    /// Neither its issuer nor a certificate in between is known.
    #[error("no CA of the bundle has issued the certificate")]
    UnknownIssuer,
    /// The leaf is not made for clients.
    #[error("the certificate is not made for clients (extended key usage)")]
    Usage,
    /// Anything else.
    #[error("the certificate chain is not valid: {0}")]
    Invalid(String),
}

impl ChainError {
    /// Stable, for programs that read the log.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Expired => "certificate_expired",
            Self::NotYetValid => "certificate_not_yet_valid",
            Self::UnknownIssuer => "unknown_ca",
            Self::Usage => "wrong_usage",
            Self::Invalid(_) => "chain_invalid",
        }
    }
}

/// Finds the path from `chain` (leaf first) to one of `roots`, for a TLS client, at a time.
///
/// # Errors
/// [`ChainError`].
pub fn verify(
    supported: &WebPkiSupportedAlgorithms,
    roots: &RootCertStore,
    chain: &[CertificateDer<'_>],
    now: SystemTime,
) -> Result<Path, ChainError> {
    let (leaf, between) = chain.split_first().ok_or(ChainError::UnknownIssuer)?;
    let time = now
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap_or_default();
    let leaf = EndEntityCert::try_from(leaf).map_err(invalid)?;
    let path = leaf
        .verify_for_usage(
            supported.all,
            &roots.roots,
            between,
            UnixTime::since_unix_epoch(time),
            KeyUsage::client_auth(),
            None,
            None,
        )
        .map_err(invalid)?;
    links(&path).ok_or_else(|| ChainError::Invalid("it cannot be parsed".to_owned()))
}

/// The error of the path builder in our words.
fn invalid(error: webpki::Error) -> ChainError {
    use webpki::Error as E;
    #[expect(
        clippy::wildcard_enum_match_arm,
        reason = "the library's enum is non-exhaustive"
    )]
    match error {
        E::CertExpired { .. } => ChainError::Expired,
        E::CertNotValidYet { .. } => ChainError::NotYetValid,
        E::UnknownIssuer => ChainError::UnknownIssuer,
        E::RequiredEkuNotFoundContext(_) => ChainError::Usage,
        other => ChainError::Invalid(other.to_string()),
    }
}

fn links(path: &VerifiedPath<'_>) -> Option<Path> {
    let mut certificates = vec![owned(&path.end_entity().der())];
    certificates.extend(path.intermediate_certificates().map(|c| owned(&c.der())));
    let mut issuers: Vec<_> = certificates[1..]
        .iter()
        .map(|c| issuer(c))
        .collect::<Option<_>>()?;
    let anchor = path.anchor();
    // Trust anchors are kept without their SEQUENCE.
    let sequence = |contents: &[u8]| der::element(der::SEQUENCE, &[contents]);
    issuers.push(Issuer {
        name: sequence(&anchor.subject),
        spki: sequence(&anchor.subject_public_key_info),
    });
    let links = certificates.into_iter().zip(issuers);
    let links = links.map(|(certificate, issuer)| Link {
        certificate,
        issuer,
    });
    Some(Path {
        links: links.collect(),
    })
}

fn owned(certificate: &[u8]) -> CertificateDer<'static> {
    CertificateDer::from(certificate.to_vec())
}

/// A CA certificate (DER) as an issuer.
pub(crate) fn issuer(certificate: &[u8]) -> Option<Issuer> {
    let (_, parsed) = X509Certificate::from_der(certificate).ok()?;
    Some(Issuer {
        name: parsed.subject().as_raw().to_vec(),
        spki: parsed.public_key().raw.to_vec(),
    })
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use rcgen::{
        BasicConstraints, CertificateParams, CertifiedIssuer, ExtendedKeyUsagePurpose, IsCa,
        KeyPair,
    };

    use super::*;

    type Ca = CertifiedIssuer<'static, KeyPair>;

    fn ca_params(name: &str) -> CertificateParams {
        let mut params = CertificateParams::default();
        params
            .distinguished_name
            .push(rcgen::DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params
    }

    fn leaf(issuer: &Ca, usage: ExtendedKeyUsagePurpose) -> CertificateDer<'static> {
        let mut params = CertificateParams::default();
        params.extended_key_usages = vec![usage];
        let key = KeyPair::generate().unwrap();
        params.signed_by(&key, issuer).unwrap().der().clone()
    }

    fn check(root: &Ca, chain: &[CertificateDer<'_>], now: SystemTime) -> Result<Path, ChainError> {
        let mut roots = RootCertStore::empty();
        roots.add(root.der().clone()).unwrap();
        let provider = rustls::crypto::aws_lc_rs::default_provider();
        verify(
            &provider.signature_verification_algorithms,
            &roots,
            chain,
            now,
        )
    }

    #[test]
    fn every_certificate_of_a_path_has_its_issuer() {
        use ExtendedKeyUsagePurpose::ClientAuth;
        let root = Ca::self_signed(ca_params("root"), KeyPair::generate().unwrap()).unwrap();
        let between =
            Ca::signed_by(ca_params("between"), KeyPair::generate().unwrap(), &root).unwrap();
        let chain = [leaf(&between, ClientAuth), between.der().clone()];
        let path = check(&root, &chain, SystemTime::now()).unwrap();
        assert_eq!(path.links.len(), 2);
        assert_eq!(path.links[0].issuer, issuer(between.der()).unwrap());
        assert_eq!(path.links[1].issuer, issuer(root.der()).unwrap());
        let alone = check(&root, &chain[..1], SystemTime::now());
        assert_eq!(alone, Err(ChainError::UnknownIssuer));
    }

    #[test]
    fn what_is_wrong_has_its_own_word() {
        use ExtendedKeyUsagePurpose::{ClientAuth, ServerAuth};
        let root = Ca::self_signed(ca_params("root"), KeyPair::generate().unwrap()).unwrap();
        let chain = [leaf(&root, ClientAuth)];
        let at = |years: u64| SystemTime::UNIX_EPOCH + Duration::from_secs(years * 31_557_600);
        assert_eq!(check(&root, &chain, at(3000)), Err(ChainError::Expired));
        assert_eq!(check(&root, &chain, at(1)), Err(ChainError::NotYetValid));
        let chain = [leaf(&root, ServerAuth)];
        assert_eq!(
            check(&root, &chain, SystemTime::now()),
            Err(ChainError::Usage)
        );
        assert_eq!(
            check(&root, &[], SystemTime::now()),
            Err(ChainError::UnknownIssuer)
        );
        let garbage = [CertificateDer::from(vec![1, 2, 3])];
        let error = check(&root, &garbage, SystemTime::now()).unwrap_err();
        assert!(matches!(error, ChainError::Invalid(_)), "{error}");
    }
}
