//! Whether certificate, key and CAs can do their work, told before they are used. Pure: the time is an argument.

mod authorities;
mod chain;
mod leaf;

use std::{
    fmt,
    path::{Path, PathBuf},
    time::SystemTime,
};

use rustls::pki_types::CertificateDer;
use time::OffsetDateTime;

use super::{CertificateFacts, ListenerName, Pin, TlsPolicy};

/// Whose certificate it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// The listener's: a TLS server.
    Listener,
    /// A connector's: a TLS client.
    Connector,
}

/// Why the files are read. It decides what becomes of a certificate that is not valid now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Occasion {
    /// The daemon starts, or a connector dials, and there is nothing better to go on with: a certificate that has expired
    /// or is not valid yet is told, and used. A device whose clock is not set yet, or whose renewal is on its way, heals
    /// without a restart; until then the other side refuses the certificate anyway.
    Start,
    /// A certificate in use is to be replaced: one that is not valid now would be worse.
    Replace,
    /// Somebody asks whether all is well.
    Check,
}

/// What the files must be fit for.
#[derive(Debug, Clone, Copy)]
pub struct Demands<'a> {
    /// Whose files they are.
    pub role: Role,
    /// Why they are read.
    pub occasion: Occasion,
    /// Names that connectors use for the listener: its certificate must have all of them.
    pub names: &'a [ListenerName],
    /// Which TLS is spoken.
    pub tls: &'a TlsPolicy,
}

/// How bad a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Weight {
    /// It cannot work, or must not.
    Problem,
    /// It is not valid at this time; [`Occasion`] decides.
    Date,
    /// It works, but somebody should look.
    Warning,
}

/// One thing that is wrong with a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// The file.
    pub path: PathBuf,
    /// How bad it is.
    pub weight: Weight,
    /// What is wrong, and what to do.
    pub what: String,
    /// Whether it is that a certificate has ended, which the report of a running daemon tells as well
    /// ([`expiry`](super::expiry)).
    pub is_end: bool,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.path.display(), self.what)
    }
}

/// Certificates of one file, with its name.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bundle<'a> {
    pub(super) path: &'a Path,
    pub(super) facts: &'a [CertificateFacts],
}

/// What was read; empty where a file could not be used, so that the rest is judged all the same.
#[derive(Debug, Clone, Copy)]
pub(super) struct Material<'a> {
    pub(super) chain: Bundle<'a>,
    pub(super) leaf: Option<&'a CertificateDer<'a>>,
    pub(super) key_path: &'a Path,
    /// The public half of the private key.
    pub(super) key: Option<Pin>,
    pub(super) ca: Bundle<'a>,
}

/// Everything that is wrong with the files for this use, at this time.
pub(super) fn judge(
    material: &Material<'_>,
    demands: &Demands<'_>,
    now: SystemTime,
) -> Vec<Finding> {
    let now = OffsetDateTime::from(now);
    let mut findings = Findings::default();
    leaf::judge(material, demands, &mut findings);
    chain::judge(
        material.chain,
        demands.tls.min_rsa_bits,
        demands.occasion,
        now,
        &mut findings,
    );
    authorities::judge(material.ca, demands.tls.min_rsa_bits, now, &mut findings);
    findings.0
}

#[derive(Debug, Default)]
struct Findings(Vec<Finding>);

impl Findings {
    fn add(&mut self, path: &Path, weight: Weight, what: String) {
        self.0.push(Finding {
            path: path.to_owned(),
            weight,
            what,
            is_end: false,
        });
    }

    fn add_end(&mut self, path: &Path, weight: Weight, what: String) {
        self.add(path, weight, what);
        if let Some(last) = self.0.last_mut() {
            last.is_end = true;
        }
    }
}

impl Bundle<'_> {
    /// How to call the certificate at an index: by its number only where there are several.
    fn label(&self, index: usize) -> String {
        let name = self.facts.get(index).map_or("?", CertificateFacts::name);
        match self.facts.len() {
            1 => format!("the certificate ({name})"),
            _ => format!("certificate {} ({name})", index + 1),
        }
    }
}

#[cfg(test)]
mod tests;
