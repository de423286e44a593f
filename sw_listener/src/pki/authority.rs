//! The CA in the folder: loading it from disk, and signing with it.

use std::io;
use std::path::{Path, PathBuf};

use rcgen::{
    Certificate, CertificateParams, CertificateRevocationList, CertificateRevocationListParams,
    Issuer, KeyIdMethod, KeyPair,
};
use rustls::pki_types::CertificateDer;
use time::OffsetDateTime;
use x509_parser::certificate::X509Certificate;

use super::error::{CaError, PkiError, StoreError};
use super::facts::{Unreadable, first_der, parse};
use super::names::CaId;
use super::store::Store;
use super::text::{ca_command, stamp};

/// A new certificate and its private key.
pub(super) struct Pair {
    pub(super) certificate: Certificate,
    pub(super) key: KeyPair,
    /// Who has issued it.
    pub(super) issuer: CaId,
    /// PEM of the certificates between it and the root.
    above: String,
}

impl Pair {
    /// A new P-256 key, and a certificate for it signed by itself.
    ///
    /// # Errors
    ///
    /// The cryptographic library fails.
    pub(super) fn self_signed(params: &CertificateParams) -> Result<Self, rcgen::Error> {
        let key = KeyPair::generate()?;
        let certificate = params.self_signed(&key)?;
        Ok(Self {
            certificate,
            key,
            issuer: CaId::Root,
            above: String::new(),
        })
    }

    /// What its certificate file holds: the certificate, and those between it and the root.
    pub(super) fn chain_pem(&self) -> String {
        self.certificate.pem() + &self.above
    }
}

/// A CA that is whole, and valid now.
pub(super) struct Authority {
    /// Which one it is.
    pub(super) id: CaId,
    issuer: Issuer<'static, KeyPair>,
    /// Where its certificate is.
    path: PathBuf,
    /// Its certificate.
    pub(super) der: CertificateDer<'static>,
    /// DER of its subject.
    subject: Vec<u8>,
    /// What goes behind the certificates that it issues, up to the root.
    above: String,
    /// End of its validity; nothing issued may be valid longer.
    pub(super) not_after: OffsetDateTime,
}

impl Authority {
    /// Loads the certificate and the key of `id`.
    ///
    /// # Errors
    ///
    /// One is missing or damaged, they are not a pair, the certificate is not a CA's, or it is not valid at `now`.
    pub(super) fn load(store: &Store, id: &CaId, now: OffsetDateTime) -> Result<Self, PkiError> {
        let files = CaFiles::new(store, id);
        let (certificate, key) = files.read()?;
        let unreadable = |source| files.unreadable(source);
        let der = first_der(&certificate).map_err(unreadable)?;
        let x509 = parse(&der).map_err(unreadable)?;
        let not_after = files.check_authority(&x509, now)?;
        let key = files.parse_key(&key)?;
        files.check_pair(&x509, &key)?;
        let subject = x509.subject().as_raw().to_vec();
        let issuer = Issuer::from_ca_cert_der(&der, key).map_err(|error| {
            unreadable(Unreadable::X509 {
                reason: error.to_string(),
            })
        })?;
        let above = match id {
            CaId::Root => String::new(),
            CaId::Intermediate(_) => pem(&der),
        };
        Ok(Self {
            id: id.clone(),
            issuer,
            path: files.certificate,
            der,
            subject,
            above,
            not_after,
        })
    }

    /// A new P-256 key, and a certificate for it.
    ///
    /// # Errors
    ///
    /// The cryptographic library fails, or the issuer in the certificate would not be the subject of the CA.
    pub(super) fn issue(
        &self,
        params: &CertificateParams,
        subject: &str,
    ) -> Result<Pair, PkiError> {
        let key = KeyPair::generate().map_err(|source| PkiError::Make {
            subject: subject.to_owned(),
            source,
        })?;
        self.issue_for(key, params, subject)
    }

    /// A certificate for a key that is there.
    ///
    /// # Errors
    ///
    /// As [`Self::issue`].
    pub(super) fn issue_for(
        &self,
        key: KeyPair,
        params: &CertificateParams,
        subject: &str,
    ) -> Result<Pair, PkiError> {
        let make = |source| PkiError::Make {
            subject: subject.to_owned(),
            source,
        };
        let certificate = params.signed_by(&key, &self.issuer).map_err(make)?;
        let issued = parse(certificate.der()).map_err(|source| PkiError::ReadBack {
            subject: subject.to_owned(),
            source,
        })?;
        self.check_issuer(issued.issuer().as_raw())?;
        Ok(Pair {
            certificate,
            key,
            issuer: self.id.clone(),
            above: self.above.clone(),
        })
    }

    /// Signs a revocation list.
    ///
    /// # Errors
    ///
    /// The certificate of the CA does not allow it, the cryptographic library fails, or the issuer in the list would not
    /// be the subject of the CA.
    pub(super) fn sign_crl(
        &self,
        mut params: CertificateRevocationListParams,
    ) -> Result<CertificateRevocationList, PkiError> {
        let unsigned = |source| PkiError::Crl {
            path: self.path.clone(),
            source,
        };
        // The list must name the key as the certificate does, which need not be how rcgen would.
        if let Some(id) = self.key_id()? {
            params.key_identifier_method = KeyIdMethod::PreSpecified(id);
        }
        let crl = params.signed_by(&self.issuer).map_err(unsigned)?;
        let issuer = super::crl_file::issuer(crl.der());
        self.check_issuer(&issuer.unwrap_or_default())?;
        Ok(crl)
    }

    /// The subject key identifier in the certificate.
    fn key_id(&self) -> Result<Option<Vec<u8>>, PkiError> {
        use x509_parser::extensions::ParsedExtension::SubjectKeyIdentifier;
        let x509 = parse(&self.der).map_err(|source| PkiError::ReadBack {
            subject: self.id.to_string(),
            source,
        })?;
        let named = x509.iter_extensions().find_map(|extension| {
            if let SubjectKeyIdentifier(id) = extension.parsed_extension() {
                return Some(id.0.to_vec());
            }
            None
        });
        Ok(named)
    }

    /// rcgen keeps one value for each type of attribute: a subject with two organizational units loses one, and what it
    /// issues would chain to nothing.
    fn check_issuer(&self, issuer: &[u8]) -> Result<(), CaError> {
        match issuer == self.subject {
            true => Ok(()),
            false => Err(CaError::Subject {
                path: self.path.clone(),
            }),
        }
    }
}

/// The two files of the CA, and how errors about them are told.
struct CaFiles {
    certificate: PathBuf,
    key: PathBuf,
    /// The way out.
    init: String,
}

impl CaFiles {
    fn new(store: &Store, id: &CaId) -> Self {
        let (certificate, key) = store.paths(&id.stem());
        let init = ca_command(id, store.dir());
        Self {
            certificate,
            key,
            init,
        }
    }

    /// The contents of the certificate and of the key.
    fn read(&self) -> Result<(Vec<u8>, String), PkiError> {
        let certificate = read_if_there(&self.certificate)?;
        let key = read_if_there(&self.key)?;
        let half = |path: &Path, present: &Path| CaError::Half {
            path: path.to_owned(),
            present: present.to_owned(),
            init: self.init.clone(),
        };
        match (certificate, key) {
            // Bytes that are not UTF-8 make it no PEM text, which the parser of the key then says.
            (Some(certificate), Some(key)) => {
                Ok((certificate, String::from_utf8_lossy(&key).into_owned()))
            }
            (Some(_), None) => Err(half(&self.key, &self.certificate).into()),
            (None, Some(_)) => Err(half(&self.certificate, &self.key).into()),
            (None, None) => Err(CaError::Missing {
                path: self.certificate.clone(),
                init: self.init.clone(),
            }
            .into()),
        }
    }

    fn unreadable(&self, source: Unreadable) -> CaError {
        CaError::Certificate {
            path: self.certificate.clone(),
            init: self.init.clone(),
            source,
        }
    }

    /// Returns the end of validity of a certificate that may issue at `now`.
    fn check_authority(
        &self,
        x509: &X509Certificate<'_>,
        now: OffsetDateTime,
    ) -> Result<OffsetDateTime, CaError> {
        let may_sign = matches!(x509.key_usage(), Ok(Some(usage)) if usage.value.key_cert_sign());
        if !x509.is_ca() || !may_sign {
            return Err(CaError::NotCa {
                path: self.certificate.clone(),
                init: self.init.clone(),
            });
        }
        let validity = x509.validity();
        let (not_before, not_after) = (
            validity.not_before.to_datetime(),
            validity.not_after.to_datetime(),
        );
        if now < not_before || now >= not_after {
            return Err(CaError::NotValid {
                path: self.certificate.clone(),
                not_before: stamp(not_before),
                not_after: stamp(not_after),
                now: stamp(now),
                init: self.init.clone(),
            });
        }
        Ok(not_after)
    }

    fn parse_key(&self, text: &str) -> Result<KeyPair, CaError> {
        KeyPair::from_pem(text).map_err(|source| CaError::Key {
            path: self.key.clone(),
            init: self.init.clone(),
            source,
        })
    }

    fn check_pair(&self, x509: &X509Certificate<'_>, key: &KeyPair) -> Result<(), CaError> {
        if x509.public_key().subject_public_key.data.as_ref() == key.public_key_raw() {
            return Ok(());
        }
        Err(CaError::Mismatch {
            certificate: self.certificate.clone(),
            key: self.key.clone(),
            init: self.init.clone(),
        })
    }
}

/// A certificate as PEM.
fn pem(der: &[u8]) -> String {
    pem::encode_config(
        &pem::Pem::new("CERTIFICATE", der),
        pem::EncodeConfig::new().set_line_ending(pem::LineEnding::LF),
    )
}

fn read_if_there(path: &Path) -> Result<Option<Vec<u8>>, StoreError> {
    match std::fs::read(path) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(source) => Err(StoreError::Io {
            action: "read",
            path: path.to_owned(),
            source,
        }),
    }
}
