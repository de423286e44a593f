//! openssl's responder on loopback, ended by its process ID.

use std::{
    fs,
    io::{BufRead, BufReader},
    path::Path as FilePath,
    process::{Child, Command, Stdio},
    time::SystemTime,
};

use rcgen::{KeyPair, SignatureAlgorithm};
use tempfile::TempDir;

use super::forge::{self, Ca, Delegate};

/// The CA's files: certificate, keys, the list of certificates.
pub(super) struct Site {
    folder: TempDir,
    pub(super) ca: Ca,
}

/// A running responder.
pub(super) struct Responder {
    process: Child,
    pub(super) port: u16,
    pub(super) url: String,
}

impl Drop for Responder {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

impl Site {
    pub(super) fn new(kind: &'static SignatureAlgorithm) -> Self {
        let ca = forge::ca(kind);
        let folder = tempfile::tempdir().unwrap();
        let site = Self { folder, ca };
        site.write("ca.crt", &site.ca.pem());
        site.write("ca.key", &site.ca.key().serialize_pem());
        site.index("");
        site
    }

    fn path(&self) -> &FilePath {
        self.folder.path()
    }

    fn write(&self, name: &str, text: &str) {
        fs::write(self.path().join(name), text).unwrap();
    }

    /// Lines of `index.txt`, with spaces for tabs.
    pub(super) fn index(&self, lines: &str) {
        self.write("index.txt", &lines.replace(' ', "\t"));
    }

    /// Makes the files of a delegate: `NAME.crt` and `NAME.key`.
    pub(super) fn delegate(&self, name: &str, delegate: &Delegate) {
        self.pair(name, &delegate.certificate, &delegate.key);
    }

    /// Makes `NAME.crt` and `NAME.key`.
    pub(super) fn pair(&self, name: &str, certificate: &[u8], key: &KeyPair) {
        let certificate = pem::encode(&pem::Pem::new("CERTIFICATE", certificate));
        self.write(&format!("{name}.crt"), &certificate);
        self.write(&format!("{name}.key"), &key.serialize_pem());
    }

    /// Starts a responder that signs with `NAME.key`, and waits until it listens. Port 0: any.
    pub(super) fn respond(&self, port: u16, signer: &str, more: &[&str]) -> Responder {
        let mut process = Command::new("openssl")
            .current_dir(self.path())
            .args([
                "ocsp",
                "-index",
                "index.txt",
                "-CA",
                "ca.crt",
                "-ignore_err",
            ])
            .args(["-port", &port.to_string()])
            .args(["-rsigner", &format!("{signer}.crt")])
            .args(["-rkey", &format!("{signer}.key")])
            .args(more)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let output = BufReader::new(process.stdout.take().unwrap());
        let line = output
            .lines()
            .map(|line| line.unwrap())
            .find(|line| line.starts_with("ACCEPT "))
            .expect("openssl did not start to listen");
        // "ACCEPT [::]:45187 PID=23190"
        let address = line.split(' ').nth(1).unwrap();
        let port: u16 = address.rsplit(':').next().unwrap().parse().unwrap();
        Responder {
            process,
            port,
            url: format!("http://127.0.0.1:{port}/"),
        }
    }
}

/// A time as `index.txt` has it.
pub(super) fn index_time(time: SystemTime) -> String {
    let format = time::macros::format_description!(
        "[year repr:last_two][month][day][hour][minute][second]Z"
    );
    time::OffsetDateTime::from(time).format(&format).unwrap()
}
