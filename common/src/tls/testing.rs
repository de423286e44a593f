//! Certificates for the tests of this folder: by rcgen where it can make them, else by openssl.

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::Command,
};

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa,
    KeyPair,
};
use rustls::{RootCertStore, pki_types::CertificateDer};

use super::{CertificateFiles, Credentials, KeyPermissions};

pub(super) type Ca = CertifiedIssuer<'static, KeyPair>;

/// A leaf with its key.
pub(super) struct Made {
    pub(super) der: CertificateDer<'static>,
    pub(super) pem: String,
    pub(super) key: KeyPair,
}

pub(super) fn key() -> KeyPair {
    KeyPair::generate().unwrap()
}

pub(super) fn params(name: &str) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, name);
    params.use_authority_key_identifier_extension = true;
    params
}

pub(super) fn ca_params(name: &str) -> CertificateParams {
    let mut params = params(name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params
}

pub(super) fn root(name: &str) -> Ca {
    Ca::self_signed(ca_params(name), key()).unwrap()
}

pub(super) fn rsa() -> KeyPair {
    KeyPair::generate_rsa_for(&rcgen::PKCS_RSA_SHA256, rcgen::RsaKeySize::_2048).unwrap()
}

pub(super) fn intermediate(name: &str, issuer: &Ca) -> Ca {
    Ca::signed_by(ca_params(name), key(), issuer).unwrap()
}

pub(super) fn issue(params: &CertificateParams, issuer: &Ca, key: KeyPair) -> Made {
    let certificate = params.signed_by(&key, issuer).unwrap();
    Made {
        der: certificate.der().clone(),
        pem: certificate.pem(),
        key,
    }
}

pub(super) fn server_params() -> CertificateParams {
    let mut params = CertificateParams::new(["localhost".to_owned()]).unwrap();
    params.distinguished_name.push(DnType::CommonName, "plant");
    params.use_authority_key_identifier_extension = true;
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    params
}

pub(super) fn server(issuer: &Ca) -> Made {
    issue(&server_params(), issuer, key())
}

pub(super) fn client(issuer: &Ca) -> Made {
    client_with(issuer, key())
}

pub(super) fn client_with(issuer: &Ca, key: KeyPair) -> Made {
    let mut params = params("device1");
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
    issue(&params, issuer, key)
}

impl Made {
    pub(super) fn credentials(&self, others: &[&Ca]) -> Credentials {
        let mut chain = vec![self.der.clone()];
        chain.extend(others.iter().map(|ca| ca.der().clone()));
        Credentials {
            chain,
            key: rustls::pki_types::PrivateKeyDer::Pkcs8(self.key.serialize_der().into()),
        }
    }
}

pub(super) fn roots(ca: &Ca) -> RootCertStore {
    let mut roots = RootCertStore::empty();
    roots.add(ca.der().clone()).unwrap();
    roots
}

/// A folder with files.
pub(super) struct Place(tempfile::TempDir);

impl Place {
    pub(super) fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// Writes a file that only its owner can read.
    pub(super) fn write(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path(name);
        fs::write(&path, content).unwrap();
        mode(&path, 0o600);
        path
    }

    pub(super) fn read(&self, name: &str) -> Vec<u8> {
        fs::read(self.path(name)).unwrap()
    }

    /// Runs `openssl` in the folder with these words; its files can be read by their owner only.
    pub(super) fn openssl(&self, words: &str) {
        let output = Command::new("openssl")
            .args(words.split_whitespace())
            .current_dir(self.0.path())
            .output()
            .unwrap();
        let text = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "openssl {words}: {text}");
        for entry in fs::read_dir(self.0.path()).unwrap() {
            mode(&entry.unwrap().path(), 0o600);
        }
    }

    pub(super) fn files(&self, chain: &str, key: &str, ca: &str) -> CertificateFiles {
        CertificateFiles {
            chain: self.path(chain),
            key: self.path(key),
            ca: self.path(ca),
            permissions: KeyPermissions::Strict,
        }
    }
}

pub(super) fn mode(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

pub(super) fn pem_block(label: &str, der: &[u8]) -> String {
    let base64 = data_encoding::BASE64.encode(der);
    let lines: Vec<_> = base64
        .as_bytes()
        .chunks(64)
        .map(|line| String::from_utf8_lossy(line).into_owned())
        .collect();
    format!(
        "-----BEGIN {label}-----\n{}\n-----END {label}-----\n",
        lines.join("\n")
    )
}
