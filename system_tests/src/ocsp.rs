//! openssl's OCSP responder for a test CA, ended by its process.

use std::{
    fmt::Write,
    io::{BufRead, BufReader},
    process::{Child, Command, Stdio},
};

use crate::{
    pki::{Ca, Issued},
    ports,
    site::Site,
};

/// What it says of a certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    /// It is in order.
    Good,
    /// It is revoked, since [`crate::crl::REVOKED_ON`].
    Revoked,
}

/// A responder on a port of its own, which may be away for a while.
pub struct Responder {
    port: u16,
    process: Option<Child>,
}

impl Responder {
    /// One that is away.
    pub fn away() -> Self {
        Self {
            port: ports::free(),
            process: None,
        }
    }

    /// What belongs into `SWL_OCSP_URL`.
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}/", self.port)
    }

    /// Goes away.
    pub fn stop(&mut self) {
        if let Some(mut process) = self.process.take() {
            // It fails only when it is gone already.
            let _ = process.kill();
            let _ = process.wait();
        }
    }

    /// Begins anew, says this of certificates of the site's CA, and signs as `signer`. Others are unknown to it.
    ///
    /// # Panics
    /// When openssl does not start to listen.
    pub fn say(&mut self, site: &Site, signer: &Ca, about: &[(&Issued, Status)]) {
        self.stop();
        let mut index = String::new();
        for (issued, status) in about {
            let serial: String = issued.serial().iter().fold(String::new(), |mut all, b| {
                let _ = write!(all, "{b:02X}");
                all
            });
            let (letter, since) = match status {
                Status::Good => ('V', ""),
                Status::Revoked => ('R', "251102000000Z"),
            };
            let _ = writeln!(
                index,
                "{letter}\t400101000000Z\t{since}\t{serial}\tunknown\t/CN=a"
            );
        }
        site.write("index.txt", &index);
        site.write("responder.crt", &signer.pem());
        site.write("responder.key", &signer.key_pem());
        let mut process = Command::new("openssl")
            .current_dir(site.path(""))
            .args([
                "ocsp",
                "-ignore_err",
                "-index",
                "index.txt",
                "-CA",
                "ca.crt",
            ])
            .args(["-rsigner", "responder.crt", "-rkey", "responder.key"])
            .args(["-port", &self.port.to_string()])
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("openssl is installed");
        let output = BufReader::new(process.stdout.take().unwrap());
        let mut lines = output.lines().map_while(Result::ok);
        let listens = lines.any(|line| line.starts_with("ACCEPT "));
        self.process = Some(process);
        assert!(listens, "openssl does not listen on {}", self.port);
    }
}

impl Drop for Responder {
    fn drop(&mut self) {
        self.stop();
    }
}
