//! The certificate files of a daemon: read, and judged whole before they are used.

use std::{
    fs::{self, File, Metadata},
    io::Read,
    path::{Path, PathBuf},
    time::SystemTime,
};

use rustls::{
    RootCertStore,
    pki_types::{CertificateDer, PrivateKeyDer},
};
use tracing::{error, warn};

use super::{
    CertificateFacts, Demands, Finding, LoadError, LoadErrors, Occasion, Pin, Role, TlsPolicy,
    Wanted, Weight,
    check::{self, Bundle, Material},
    pem::{self, Piece},
    permissions::{self, KeyPermissions},
};

/// Largest certificate or key file that is read, in bytes.
pub(super) const MAX_FILE: u64 = 1 << 20;

/// A certificate chain and its private key.
#[derive(Debug)]
pub struct Credentials {
    /// Leaf first, then intermediates.
    pub chain: Vec<CertificateDer<'static>>,
    /// The leaf's key.
    pub key: PrivateKeyDer<'static>,
}

/// The files of a daemon: its own certificate and key, and the CAs of its peers.
#[derive(Debug, Clone)]
pub struct CertificateFiles {
    /// The chain, leaf first.
    pub chain: PathBuf,
    /// The leaf's key.
    pub key: PathBuf,
    /// The CA bundle for the other side.
    pub ca: PathBuf,
    /// Whether others may be able to read the key.
    pub permissions: KeyPermissions,
}

/// What was read, and found fit for use.
#[derive(Debug)]
pub struct Loaded {
    /// What is shown to the other side.
    pub credentials: Credentials,
    /// What the other side is verified with.
    pub ca: RootCertStore,
    /// The same as they stand in the file.
    pub ca_certificates: Vec<CertificateDer<'static>>,
    /// What the own certificates say, leaf first.
    pub chain_facts: Vec<CertificateFacts>,
    /// What the CA certificates say.
    pub ca_facts: Vec<CertificateFacts>,
    /// What somebody should look at.
    pub warnings: Vec<Finding>,
}

/// Logs what somebody should look at, but for certificates that have ended: of those the report of what ends tells. A
/// listener whose certificate is not valid yet is broken: no connector takes it.
pub fn log_findings(findings: &[Finding], role: Role) {
    for finding in findings.iter().filter(|finding| !finding.is_end) {
        let path = finding.path.display();
        match (finding.weight, role) {
            (Weight::Date | Weight::Problem, Role::Listener) => {
                error!(file = %path, "{}", finding.what);
            }
            (_, Role::Listener | Role::Connector) => warn!(file = %path, "{}", finding.what),
        }
    }
}

/// Certificates, with what they say.
#[derive(Debug, Default)]
struct Certificates {
    der: Vec<CertificateDer<'static>>,
    facts: Vec<CertificateFacts>,
    /// Whether a private key stands beside them.
    with_key: bool,
}

impl CertificateFiles {
    /// Reads all of them and judges them together: the one way to certificates, at start, at a check and at a reload.
    ///
    /// # Errors
    /// [`LoadErrors`]: everything that is wrong with any of them, and what to do.
    pub fn load(&self, demands: &Demands<'_>, now: SystemTime) -> Result<Loaded, LoadErrors> {
        let mut errors = Vec::new();
        let mut warnings = Vec::new();
        let chain = note(
            read_certificates(&self.chain, Wanted::Certificate),
            &mut errors,
        );
        let keys = note(self.read_keys(), &mut errors);
        let ca = note(read_certificates(&self.ca, Wanted::Ca), &mut errors);
        let key = keys.and_then(|keys| {
            let leaf = chain.facts.first();
            note(self.choose(keys, leaf, demands.tls), &mut errors)
        });
        let store = note(self.store(&ca.der).map(Some), &mut errors);

        warnings.extend(self.strays(&chain, &ca));
        let material = Material {
            chain: Bundle {
                path: &self.chain,
                facts: &chain.facts,
            },
            leaf: chain.der.first(),
            key_path: &self.key,
            key: key.as_ref().map(|(_, pin)| *pin),
            ca: Bundle {
                path: &self.ca,
                facts: &ca.facts,
            },
        };
        for finding in check::judge(&material, demands, now) {
            let tolerable = match finding.weight {
                Weight::Problem => false,
                Weight::Date => demands.occasion == Occasion::Start,
                Weight::Warning => true,
            };
            match tolerable {
                true => warnings.push(finding),
                false => errors.push(LoadError::Unfit(finding)),
            }
        }
        let (Some((key, _)), Some(ca_store), true) = (key, store, errors.is_empty()) else {
            return Err(LoadErrors(errors));
        };
        Ok(Loaded {
            credentials: Credentials {
                chain: chain.der,
                key,
            },
            ca: ca_store,
            ca_certificates: ca.der,
            chain_facts: chain.facts,
            ca_facts: ca.facts,
            warnings,
        })
    }

    /// The leaf alone, whatever the state of the other files; `None` when it cannot be read.
    pub fn leaf(&self) -> Option<(CertificateDer<'static>, CertificateFacts)> {
        let Certificates { der, facts, .. } =
            read_certificates(&self.chain, Wanted::Certificate).ok()?;
        der.into_iter().zip(facts).next()
    }

    /// All private keys of the key file; at least one.
    fn read_keys(&self) -> Result<Option<Vec<PrivateKeyDer<'static>>>, LoadError> {
        let (pieces, metadata) = read(&self.key)?;
        if !pieces.iter().any(|piece| matches!(piece, Piece::Key(_))) {
            return Err(LoadError::missing(self.key.clone(), Wanted::Key, &pieces));
        }
        if self.permissions == KeyPermissions::Strict {
            permissions::check(&self.key, &metadata)?;
        }
        let keys = pieces.into_iter().filter_map(|piece| match piece {
            Piece::Key(key) => Some(key),
            Piece::Certificate(_) | Piece::Crl | Piece::Other(_) => None,
        });
        Ok(Some(keys.collect()))
    }

    /// The key of the leaf, or else the first, with the pin of its public half.
    fn choose(
        &self,
        keys: Vec<PrivateKeyDer<'static>>,
        leaf: Option<&CertificateFacts>,
        tls: &TlsPolicy,
    ) -> Result<Option<(PrivateKeyDer<'static>, Pin)>, LoadError> {
        let provider = tls.provider().key_provider;
        let mut usable = Vec::new();
        for key in keys {
            let damaged = |reason: String| LoadError::Damaged {
                path: self.key.clone(),
                reason,
            };
            let signing = provider
                .load_private_key(key.clone_key())
                .map_err(|error| {
                    damaged(format!(
                        "the private key cannot be used ({error}): it is damaged, or neither RSA of at least 2048 bits nor on \
                         P-256, P-384, P-521 nor Ed25519"
                    ))
                })?;
            let spki = signing.public_key().ok_or_else(|| {
                damaged("the private key does not say what its public half is".to_owned())
            })?;
            usable.push((key, Pin::of_spki(&spki)));
        }
        let own = leaf.and_then(|leaf| usable.iter().position(|(_, pin)| *pin == leaf.spki_sha256));
        Ok(usable.into_iter().nth(own.unwrap_or(0)))
    }

    fn store(&self, ca: &[CertificateDer<'static>]) -> Result<RootCertStore, LoadError> {
        let mut store = RootCertStore::empty();
        for (index, certificate) in ca.iter().enumerate() {
            store
                .add(certificate.clone())
                .map_err(|error| LoadError::Damaged {
                    path: self.ca.clone(),
                    reason: format!("certificate {} cannot be a CA: {error}", index + 1),
                })?;
        }
        Ok(store)
    }

    /// Private keys where none belong, and key files that anyone could exchange.
    fn strays(&self, chain: &Certificates, ca: &Certificates) -> Vec<Finding> {
        let mut found = Vec::new();
        let mut add = |path: &Path, what: String| {
            found.push(Finding {
                path: path.to_owned(),
                weight: Weight::Warning,
                what,
                is_end: false,
            });
        };
        for (path, certificates) in [(&self.chain, chain), (&self.ca, ca)] {
            if certificates.with_key && *path != self.key {
                add(
                    path,
                    "holds a private key beside the certificates, and who may read those is not checked: take the key out"
                        .to_owned(),
                );
            }
        }
        if self.permissions == KeyPermissions::Strict
            && let Some(what) = permissions::folder_warning(&self.key)
        {
            add(&self.key, what);
        }
        found
    }
}

/// Reads certificates alone, as CAs of a server.
///
/// # Errors
/// [`LoadError`] names the file and what to do.
pub fn load_certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, LoadError> {
    read_certificates(path, Wanted::Ca).map(|certificates| certificates.der)
}

/// What the certificates of a file say, whatever they are fit for.
///
/// # Errors
/// [`LoadError`] names the file and what to do.
pub(super) fn load_facts(path: &Path) -> Result<Vec<CertificateFacts>, LoadError> {
    read_certificates(path, Wanted::Ca).map(|certificates| certificates.facts)
}

/// Keeps an error for later, and goes on with nothing in its place.
fn note<T: Default>(result: Result<T, LoadError>, errors: &mut Vec<LoadError>) -> T {
    result.unwrap_or_else(|error| {
        errors.push(error);
        T::default()
    })
}

fn read_certificates(path: &Path, wanted: Wanted) -> Result<Certificates, LoadError> {
    let (pieces, _) = read(path)?;
    let mut certificates = Certificates::default();
    for piece in &pieces {
        let Piece::Certificate(der) = piece else {
            certificates.with_key |= matches!(piece, Piece::Key(_));
            continue;
        };
        let facts = CertificateFacts::from_der(der).map_err(|error| LoadError::Damaged {
            path: path.to_owned(),
            reason: format!("certificate {}: {error}", certificates.der.len() + 1),
        })?;
        certificates.der.push(der.clone());
        certificates.facts.push(facts);
    }
    if certificates.der.is_empty() {
        return Err(LoadError::missing(path.to_owned(), wanted, &pieces));
    }
    Ok(certificates)
}

/// What a file holds, and whose it is.
fn read(path: &Path) -> Result<(Vec<Piece>, Metadata), LoadError> {
    let failed = |source| LoadError::Read {
        path: path.to_owned(),
        source,
    };
    // Opening a pipe would wait for a writer.
    let metadata = fs::metadata(path).map_err(failed)?;
    if !metadata.is_file() {
        let what = match metadata.is_dir() {
            true => "a folder",
            false => "no regular file",
        };
        return Err(LoadError::NoFile {
            path: path.to_owned(),
            what,
        });
    }
    let file = File::open(path).map_err(failed)?;
    // Of what is read, in case the file has been replaced since.
    let metadata = file.metadata().map_err(failed)?;
    let mut bytes = Vec::new();
    file.take(MAX_FILE + 1)
        .read_to_end(&mut bytes)
        .map_err(failed)?;
    if bytes.len() as u64 > MAX_FILE {
        return Err(LoadError::TooLarge {
            path: path.to_owned(),
        });
    }
    let pieces = pem::parse(&bytes).map_err(|source| LoadError::Pem {
        path: path.to_owned(),
        source,
    })?;
    Ok((pieces, metadata))
}

#[cfg(test)]
mod tests;
