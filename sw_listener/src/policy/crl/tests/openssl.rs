//! CAs, certificates and CRLs made by the openssl of the system.

use std::{
    cell::Cell,
    fs,
    path::PathBuf,
    process::Command,
    time::{Duration, SystemTime},
};

use rustls::pki_types::{CertificateDer, pem::PemObject};
use tempfile::TempDir;
use time::{OffsetDateTime, macros::format_description};

use crate::policy::crl::{List, read};

pub(super) const HOUR: Duration = Duration::from_secs(3600);

/// The kinds of key, as arguments of `openssl genpkey`.
pub(super) const RSA: &[&str] = &["-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048"];
pub(super) const P256: &[&str] = &["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256"];
pub(super) const ED25519: &[&str] = &["-algorithm", "ED25519"];

const CONFIG: &str = "
[req]
distinguished_name = dn
prompt = no
[dn]
CN = unused
[root]
basicConstraints = critical,CA:TRUE
keyUsage = critical,keyCertSign,cRLSign
[no_crl_sign]
basicConstraints = critical,CA:TRUE
keyUsage = critical,keyCertSign
[leaf]
basicConstraints = critical,CA:FALSE
extendedKeyUsage = clientAuth
[ca]
default_ca = all
[all]
database = index.txt
crlnumber = number
certificate = ca.crt
private_key = ca.key
default_md = default
default_crl_days = 30
[delta]
2.5.29.27 = critical,DER:020101
[only_users]
issuingDistributionPoint = critical,@users
[users]
onlyuser = TRUE
[indirect]
issuingDistributionPoint = critical,@others
[others]
indirectCRL = TRUE
[unknown]
1.2.3.4 = critical,DER:0500
[harmless]
1.2.3.4 = DER:0500
";

/// A CA in a folder of its own.
pub(super) struct Ca {
    folder: TempDir,
    pub(super) certificate: CertificateDer<'static>,
    issued: Cell<u32>,
}

/// A certificate, and its file for `openssl ca -revoke`.
pub(super) struct Issued {
    pub(super) der: CertificateDer<'static>,
    file: PathBuf,
}

impl Ca {
    /// A root.
    pub(super) fn root(name: &str, key: &[&str]) -> Self {
        Self::root_with(name, key, "root")
    }

    /// A root with the extensions of a section of the configuration.
    pub(super) fn root_with(name: &str, key: &[&str], section: &str) -> Self {
        let folder = folder(key);
        let subject = format!("/CN={name}");
        let fixed = "req -x509 -config openssl.cnf -new -key ca.key -days 3650 -out ca.crt";
        run(&folder, fixed, &["-subj", &subject, "-extensions", section]);
        Self::in_folder(folder)
    }

    /// A CA below this one.
    pub(super) fn intermediate(&self, name: &str, key: &[&str]) -> (Self, Issued) {
        let folder = folder(key);
        let issued = self.sign(&folder, name, "root");
        fs::copy(&issued.file, folder.path().join("ca.crt")).unwrap();
        (Self::in_folder(folder), issued)
    }

    /// A leaf for a client.
    pub(super) fn leaf(&self, name: &str) -> Issued {
        let folder = folder(P256);
        self.sign(&folder, name, "leaf")
    }

    /// Signs the key in `folder`.
    fn sign(&self, folder: &TempDir, name: &str, section: &str) -> Issued {
        let number = self.issued.get() + 1;
        self.issued.set(number);
        let subject = format!("/CN={name}");
        let fixed = "req -config openssl.cnf -new -key ca.key -out request.pem";
        run(folder, fixed, &["-subj", &subject]);
        let request = folder.path().join("request.pem").display().to_string();
        let file = self.folder.path().join(format!("{number}.crt"));
        let (serial, out) = (format!("0x80{number:02x}"), file.display().to_string());
        let fixed = "x509 -req -CA ca.crt -CAkey ca.key -days 365 -extfile openssl.cnf";
        let rest = [
            "-extensions",
            section,
            "-in",
            &request,
            "-set_serial",
            &serial,
            "-out",
            &out,
        ];
        run(&self.folder, fixed, &rest);
        let der = certificate(&file);
        Issued { der, file }
    }

    pub(super) fn revoke(&self, issued: &Issued) {
        self.revoke_because(issued, "unspecified");
    }

    pub(super) fn revoke_because(&self, issued: &Issued, reason: &str) {
        let file = issued.file.display().to_string();
        let fixed = "ca -config openssl.cnf -batch";
        run(
            &self.folder,
            fixed,
            &["-crl_reason", reason, "-revoke", &file],
        );
    }

    /// A list of now, for 30 days, DER.
    pub(super) fn crl(&self) -> Vec<u8> {
        self.crl_with(&[])
    }

    /// A list from one time to another, DER.
    pub(super) fn crl_between(&self, from: SystemTime, to: SystemTime) -> Vec<u8> {
        let (from, to) = (stamp(from), stamp(to));
        self.crl_with(&["-crl_lastupdate", &from, "-crl_nextupdate", &to])
    }

    /// A list with further arguments of `openssl ca`, DER.
    pub(super) fn crl_with(&self, rest: &[&str]) -> Vec<u8> {
        run(
            &self.folder,
            "ca -config openssl.cnf -gencrl -out crl.pem",
            rest,
        );
        run(
            &self.folder,
            "crl -in crl.pem -outform DER -out crl.der",
            &[],
        );
        fs::read(self.folder.path().join("crl.der")).unwrap()
    }

    /// The last list as PEM, with the text that openssl writes above it.
    pub(super) fn pem(&self) -> String {
        run(&self.folder, "crl -in crl.pem -text -out text.pem", &[]);
        fs::read_to_string(self.folder.path().join("text.pem")).unwrap()
    }

    /// Sets the number of the next list, hexadecimal.
    pub(super) fn set_number(&self, number: &str) {
        fs::write(self.folder.path().join("number"), number).unwrap();
    }

    fn in_folder(folder: TempDir) -> Self {
        Self {
            certificate: certificate(&folder.path().join("ca.crt")),
            issued: Cell::new(0),
            folder,
        }
    }
}

/// The one list in these bytes.
pub(super) fn one(bytes: Vec<u8>) -> List {
    let mut lists = read(bytes).unwrap();
    assert_eq!(lists.len(), 1);
    lists.remove(0)
}

fn certificate(file: &PathBuf) -> CertificateDer<'static> {
    CertificateDer::from_pem_file(file).unwrap()
}

/// A folder with a key and what `openssl ca` wants.
fn folder(key: &[&str]) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("openssl.cnf"), CONFIG).unwrap();
    fs::write(folder.path().join("index.txt"), "").unwrap();
    fs::write(folder.path().join("number"), "01").unwrap();
    run(&folder, "genpkey -out ca.key", key);
    folder
}

fn stamp(time: SystemTime) -> String {
    let format = format_description!("[year repr:last_two][month][day][hour][minute][second]Z");
    OffsetDateTime::from(time).format(format).unwrap()
}

fn run(folder: &TempDir, fixed: &str, rest: &[&str]) {
    let output = Command::new("openssl")
        .args(fixed.split(' '))
        .args(rest)
        .current_dir(folder.path())
        .output()
        .expect("openssl is installed");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "openssl {fixed} {rest:?}: {said}");
}
