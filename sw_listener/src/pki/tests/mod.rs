//! The whole command, from arguments to files, and what rustls thinks of those.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command as Process;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use clap::Parser;
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::ServerCertVerifier;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::server::WebPkiClientVerifier;
use rustls::sign::CertifiedKey;
use rustls::{CertificateError, RootCertStore};
use tempfile::TempDir;
use x509_parser::prelude::{FromDer, X509Certificate};

use super::*;

mod authority;
mod chain;
mod files;
mod intermediate;
mod list;
mod renewal;
mod revocation;
mod shown;

/// 2026-11-20T13:00:00Z.
const NOW: u64 = 1_795_179_600;
const DAY: u64 = 86_400;

#[derive(Parser)]
struct Cli {
    #[command(flatten)]
    pki: PkiArgs,
}

/// A folder that is not there yet, in one that is.
struct Site(TempDir);

impl Site {
    fn new() -> Self {
        Self(TempDir::new().unwrap())
    }

    fn with_ca() -> Self {
        let site = Self::new();
        site.run(&["init"]).unwrap();
        site
    }

    fn dir(&self) -> PathBuf {
        self.0.path().join("pki")
    }

    fn file(&self, name: &str) -> PathBuf {
        self.dir().join(name)
    }

    fn run(&self, words: &[&str]) -> Result<String, PkiError> {
        self.run_at(NOW, words)
    }

    fn run_at(&self, seconds: u64, words: &[&str]) -> Result<String, PkiError> {
        let dir = self.dir();
        let line = ["pki"]
            .iter()
            .chain(words)
            .chain(&["--dir"])
            .map(Path::new)
            .chain([dir.as_path()]);
        let args = Cli::try_parse_from(line.map(Path::as_os_str)).unwrap().pki;
        run(&args, SystemTime::UNIX_EPOCH + Duration::from_secs(seconds))
    }

    fn names(&self) -> Vec<String> {
        let entries = fs::read_dir(self.dir()).unwrap();
        let mut names: Vec<_> = entries
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    fn der(&self, name: &str) -> CertificateDer<'static> {
        CertificateDer::from_pem_file(self.file(name)).unwrap()
    }

    fn roots(&self) -> Arc<RootCertStore> {
        let mut roots = RootCertStore::empty();
        roots.add(self.der("ca.crt")).unwrap();
        Arc::new(roots)
    }

    fn text(&self, name: &str) -> String {
        fs::read_to_string(self.file(name)).unwrap()
    }
}

/// Runs the real `openssl` in a folder, and returns whether it was content, and all that it said.
fn openssl(dir: &Path, words: &[&str]) -> (bool, String) {
    let mut command = Process::new("openssl");
    let output = command.args(words).current_dir(dir).output().unwrap();
    let said = [output.stdout, output.stderr].concat();
    (output.status.success(), String::from_utf8(said).unwrap())
}

impl Site {
    /// What `openssl verify` says of a certificate file with all lists checked, some seconds after [`NOW`].
    fn openssl_verify(&self, name: &str, later: u64) -> (bool, String) {
        let time = (NOW + later).to_string();
        let words = [
            "verify",
            "-CAfile",
            "ca.crt",
            "-untrusted",
            name,
            "-crl_check_all",
        ];
        let more = ["-CRLfile", "crl.pem", "-attime", &time, name];
        openssl(&self.dir(), &[&words[..], &more].concat())
    }

    fn serial(&self, name: &str) -> String {
        let (_, said) = openssl(&self.dir(), &["x509", "-noout", "-serial", "-in", name]);
        said.trim().strip_prefix("serial=").unwrap().to_owned()
    }
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::aws_lc_rs::default_provider())
}

fn at(seconds: u64) -> UnixTime {
    UnixTime::since_unix_epoch(Duration::from_secs(seconds))
}

fn verify_client(site: &Site, name: &str, seconds: u64) -> Result<(), rustls::Error> {
    let verifier = WebPkiClientVerifier::builder_with_provider(site.roots(), provider())
        .build()
        .unwrap();
    verifier
        .verify_client_cert(&site.der(name), &[], at(seconds))
        .map(|_| ())
}

fn verify_server(site: &Site, name: &str, dialled: &str) -> Result<(), rustls::Error> {
    let verifier = WebPkiServerVerifier::builder_with_provider(site.roots(), provider())
        .build()
        .unwrap();
    let dialled = ServerName::try_from(dialled.to_owned()).unwrap();
    verifier
        .verify_server_cert(&site.der(name), &[], &dialled, &[], at(NOW))
        .map(|_| ())
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o7777
}

fn chain(error: &dyn std::error::Error) -> String {
    let cause = error
        .source()
        .map(|cause| format!(": {}", chain(cause)))
        .unwrap_or_default();
    format!("{error}{cause}")
}

#[test]
fn the_command_line_is_sound() {
    use clap::CommandFactory;
    Cli::command().debug_assert();
}
