//! PEM files (RFC 7468). The one place that uses `rustls-pemfile`.

use std::{
    fmt,
    fs::{self, File},
    io::{self, Read},
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
};

use rustls::{
    RootCertStore,
    pki_types::{CertificateDer, PrivateKeyDer},
};
use rustls_pemfile::Item;
use thiserror::Error;

/// Largest certificate or key file that is read, in bytes.
const MAX_FILE: u64 = 1 << 20;

/// A certificate chain and its private key.
#[derive(Debug)]
pub struct Credentials {
    /// Leaf first, then intermediates.
    pub chain: Vec<CertificateDer<'static>>,
    /// The leaf's key.
    pub key: PrivateKeyDer<'static>,
}

/// What to do about a private key that others can read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyPermissions {
    /// Refuse it.
    Strict,
    /// Take it; for containers whose secrets cannot have other modes.
    AllowInsecure,
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

impl CertificateFiles {
    /// The leaf alone, whatever the state of the other files; `None` when it cannot be read.
    pub fn leaf(&self) -> Option<CertificateDer<'static>> {
        load_certificates(&self.chain).ok()?.into_iter().next()
    }

    /// Reads all of them.
    ///
    /// # Errors
    /// [`LoadErrors`]: every file that cannot be used, and what to do.
    pub fn load(&self) -> Result<(Credentials, RootCertStore), LoadErrors> {
        let chain = load_certificates(&self.chain);
        let key = load_key(&self.key, self.permissions);
        match (chain, key, load_ca(&self.ca)) {
            (Ok(chain), Ok(key), Ok(ca)) => Ok((Credentials { chain, key }, ca)),
            (chain, key, ca) => {
                let errors = [chain.err(), key.err(), ca.err()];
                Err(LoadErrors(errors.into_iter().flatten().collect()))
            }
        }
    }
}

impl From<bool> for KeyPermissions {
    /// The setting `allow_insecure_key_permissions`.
    fn from(allow_insecure: bool) -> Self {
        if allow_insecure {
            Self::AllowInsecure
        } else {
            Self::Strict
        }
    }
}

/// Every file that could not be used.
#[derive(Debug, Error)]
pub struct LoadErrors(Vec<LoadError>);

impl fmt::Display for LoadErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, error) in self.0.iter().enumerate() {
            if index > 0 {
                f.write_str("; ")?;
            }
            error.fmt(f)?;
        }
        Ok(())
    }
}

/// Why a file could not be used.
#[derive(Debug, Error)]
pub enum LoadError {
    /// It cannot be read.
    #[error("cannot read {path}: {source}")]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// It is no certificate or key file.
    #[error("{path} is larger than {MAX_FILE} bytes: that is no certificate or key")]
    TooLarge {
        /// The file.
        path: PathBuf,
    },
    /// It holds something else.
    #[error("{path} holds no {wanted}, but {found}")]
    Missing {
        /// The file.
        path: PathBuf,
        /// "certificate" or "private key".
        wanted: &'static str,
        /// What it holds instead.
        found: String,
    },
    /// A certificate in it is damaged, or not fit for a CA.
    #[error("{path}: {reason}")]
    Certificate {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// Others can read the key.
    #[error("{path} is readable by others (mode {mode:04o}): chmod 600 {path}")]
    Permissions {
        /// The file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
}

/// Reads a bundle of CA certificates.
///
/// # Errors
/// [`LoadError`] names the file and what to do.
fn load_ca(path: &Path) -> Result<RootCertStore, LoadError> {
    let mut store = RootCertStore::empty();
    for (index, certificate) in load_certificates(path)?.into_iter().enumerate() {
        store
            .add(certificate)
            .map_err(|error| LoadError::Certificate {
                path: path.to_owned(),
                reason: format!("certificate {} cannot be a CA: {error}", index + 1),
            })?;
    }
    Ok(store)
}

pub(super) fn load_certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, LoadError> {
    let items = read_items(path)?;
    let found = describe(&items);
    let certificates: Vec<_> = items
        .into_iter()
        .filter_map(|item| {
            if let Item::X509Certificate(certificate) = item {
                return Some(certificate);
            }
            None
        })
        .collect();
    if certificates.is_empty() {
        return Err(LoadError::Missing {
            path: path.to_owned(),
            wanted: "certificate",
            found,
        });
    }
    Ok(certificates)
}

fn load_key(path: &Path, permissions: KeyPermissions) -> Result<PrivateKeyDer<'static>, LoadError> {
    let items = read_items(path)?;
    let found = describe(&items);
    let key = items.into_iter().find_map(private_key);
    let key = key.ok_or_else(|| LoadError::Missing {
        path: path.to_owned(),
        wanted: "private key",
        found,
    })?;
    check_permissions(path, permissions)?;
    Ok(key)
}

#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "rustls-pemfile's enum is non-exhaustive"
)]
fn private_key(item: Item) -> Option<PrivateKeyDer<'static>> {
    match item {
        Item::Pkcs1Key(key) => Some(key.into()),
        Item::Pkcs8Key(key) => Some(key.into()),
        Item::Sec1Key(key) => Some(key.into()),
        _ => None,
    }
}

fn check_permissions(path: &Path, permissions: KeyPermissions) -> Result<(), LoadError> {
    let metadata = fs::metadata(path).map_err(|source| LoadError::Read {
        path: path.to_owned(),
        source,
    })?;
    let mode = metadata.mode() & 0o777;
    let credentials = std::env::var_os("CREDENTIALS_DIRECTORY").map(PathBuf::from);
    if permissions == KeyPermissions::Strict && mode & forbidden(path, credentials.as_deref()) != 0
    {
        return Err(LoadError::Permissions {
            path: path.to_owned(),
            mode,
        });
    }
    Ok(())
}

/// The permission bits that a private key must not have. Credentials of systemd (`LoadCredential=`) belong to root and
/// are opened to the service by an ACL, whose mask shows as the group's permission to read.
fn forbidden(path: &Path, credentials: Option<&Path>) -> u32 {
    if credentials.is_some_and(|folder| path.starts_with(folder)) {
        0o037
    } else {
        0o077
    }
}

fn read_items(path: &Path) -> Result<Vec<Item>, LoadError> {
    let failed = |source| LoadError::Read {
        path: path.to_owned(),
        source,
    };
    let mut bytes = Vec::new();
    // Opening a pipe would wait for a writer.
    if !fs::metadata(path).map_err(failed)?.is_file() {
        return Err(failed(io::Error::other("it is not a file")));
    }
    let file = File::open(path).map_err(failed)?;
    file.take(MAX_FILE + 1)
        .read_to_end(&mut bytes)
        .map_err(failed)?;
    if bytes.len() as u64 > MAX_FILE {
        return Err(LoadError::TooLarge {
            path: path.to_owned(),
        });
    }
    rustls_pemfile::read_all(&mut bytes.as_slice())
        .collect::<Result<_, _>>()
        .map_err(|error| LoadError::Certificate {
            path: path.to_owned(),
            reason: format!("damaged PEM: {error}"),
        })
}

fn describe(items: &[Item]) -> String {
    match items.first() {
        None => "nothing in PEM format".to_owned(),
        Some(Item::X509Certificate(_)) => "a certificate".to_owned(),
        Some(Item::Pkcs1Key(_) | Item::Pkcs8Key(_) | Item::Sec1Key(_)) => {
            "a private key".to_owned()
        }
        Some(Item::Csr(_)) => "a certificate signing request".to_owned(),
        Some(Item::Crl(_)) => "a revocation list".to_owned(),
        Some(_) => "another kind of PEM".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn write(name: &str, content: &str, mode: u32) -> (tempfile::TempDir, PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(name);
        fs::write(&path, content).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        (folder, path)
    }

    fn pair() -> (String, String) {
        let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        (made.cert.pem(), made.signing_key.serialize_pem())
    }

    #[test]
    fn a_readable_key_is_refused_with_the_command_that_mends_it() {
        let (_, key) = pair();
        let (_folder, path) = write("server.key", &key, 0o640);
        let error = load_key(&path, KeyPermissions::Strict).unwrap_err();
        assert!(error.to_string().contains("chmod 600"), "{error}");
        assert!(load_key(&path, KeyPermissions::AllowInsecure).is_ok());
    }

    #[test]
    fn credentials_of_systemd_may_show_an_acl() {
        let (key, folder) = (
            Path::new("/run/credentials/x/server.key"),
            Path::new("/run/credentials/x"),
        );
        assert_eq!(0o440 & forbidden(key, Some(folder)), 0);
        assert_ne!(0o444 & forbidden(key, Some(folder)), 0);
        assert_ne!(
            0o440 & forbidden(key, Some(Path::new("/run/credentials/y"))),
            0
        );
        assert_ne!(0o440 & forbidden(key, None), 0);
    }

    #[test]
    fn every_file_that_cannot_be_used_is_named() {
        let files = CertificateFiles {
            chain: "/nowhere/a.crt".into(),
            key: "/nowhere/a.key".into(),
            ca: "/nowhere/ca.crt".into(),
            permissions: KeyPermissions::Strict,
        };
        let text = files.load().unwrap_err().to_string();
        for name in ["a.crt", "a.key", "ca.crt"] {
            assert!(text.contains(name), "{text}");
        }
    }

    #[test]
    fn every_certificate_of_a_bundle_counts() {
        let bundle = format!("{}\nsome text between\n{}", pair().0, pair().0);
        let (_folder, path) = write("ca.crt", &bundle, 0o644);
        assert_eq!(load_ca(&path).unwrap().len(), 2);
    }

    #[test]
    fn errors_say_what_was_found_instead() {
        let (certificate, key) = pair();
        let (_folder, path) = write("x.pem", &key, 0o600);
        let error = load_ca(&path).unwrap_err().to_string();
        assert!(
            error.contains("no certificate, but a private key"),
            "{error}"
        );
        let (_folder, path) = write("x.pem", &certificate, 0o600);
        let error = load_key(&path, KeyPermissions::Strict).unwrap_err();
        assert!(error.to_string().contains("but a certificate"), "{error}");
        let (_folder, path) = write("x.pem", "", 0o600);
        let error = load_ca(&path).unwrap_err().to_string();
        assert!(error.contains("nothing in PEM format"), "{error}");
    }
}
