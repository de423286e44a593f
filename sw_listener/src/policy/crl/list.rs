//! One CRL in memory: its DER, and the position of every entry in the order of the serials.
//!
//! That is 4 bytes per entry beside the list itself: a million entries are the 27 to 55 MB of the list and 4 MB more. While a
//! list is read, another 24 bytes per entry are in use.

use std::{
    cmp::Ordering,
    fmt,
    sync::{Mutex, PoisonError},
    time::SystemTime,
};

use aws_lc_rs::digest;
use rustls::crypto::WebPkiSupportedAlgorithms;
use x509_parser::x509::ReasonCode;

use super::{
    parse::{self, Entry, ParseError},
    text,
};
use crate::policy::{
    chain::Issuer,
    signature::{self, SignatureError, Signed},
};

/// Keys for which the verdict on the signature is remembered. Only CAs of one name ask for it, so it is one as a rule.
const VERDICTS: usize = 16;

/// A CRL. Nothing is known of its signature before [`Self::verify`].
pub struct List {
    der: Vec<u8>,
    /// Where the entries begin, in the order of their serials.
    entries: Vec<u32>,
    issuer: Vec<u8>,
    this_update: SystemTime,
    next_update: SystemTime,
    number: Option<Vec<u8>>,
    digest: [u8; 32],
    verdicts: Mutex<Vec<Verdict>>,
}

/// A key (`SubjectPublicKeyInfo`, DER), and whether the list is signed with it.
type Verdict = (Vec<u8>, Result<(), SignatureError>);

/// What a list says of a revoked certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Revocation {
    /// Since when.
    pub date: SystemTime,
    /// Why (RFC 5280, section 5.3.1).
    pub reason: ReasonCode,
}

impl List {
    /// Reads a CRL (DER).
    ///
    /// # Errors
    /// [`ParseError`].
    pub fn parse(der: Vec<u8>) -> Result<Self, ParseError> {
        let parts = parse::parse(&der)?;
        let entries = parts.entries.iter().map(|(_, at)| *at).collect();
        let mut sum = [0; 32];
        sum.copy_from_slice(digest::digest(&digest::SHA256, &der).as_ref());
        Ok(Self {
            entries,
            issuer: parts.issuer.to_vec(),
            this_update: parts.this_update,
            next_update: parts.next_update,
            number: parts.number,
            digest: sum,
            verdicts: Mutex::default(),
            der,
        })
    }

    /// The list as it was read, DER.
    pub fn der(&self) -> &[u8] {
        &self.der
    }

    /// DER of the issuer's `Name`, with the SEQUENCE.
    pub fn issuer(&self) -> &[u8] {
        &self.issuer
    }

    /// The issuer for people.
    pub fn issuer_text(&self) -> String {
        text::name(&self.issuer)
    }

    /// When it was made.
    pub fn this_update(&self) -> SystemTime {
        self.this_update
    }

    /// When it is over.
    pub fn next_update(&self) -> SystemTime {
        self.next_update
    }

    /// How many certificates it revokes.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether it revokes none.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Bytes of the index, beside [`Self::der`].
    pub fn index_bytes(&self) -> usize {
        self.entries.capacity() * size_of::<u32>()
    }

    /// Whether these are the same bytes.
    pub fn is(&self, other: &Self) -> bool {
        self.digest == other.digest
    }

    /// What the list says of a serial number (contents of the INTEGER, DER).
    pub fn find(&self, serial: &[u8]) -> Option<Revocation> {
        let wanted = parse::trimmed(serial);
        let found = self.entries.binary_search_by(|at| {
            self.entry(*at)
                .map_or(Ordering::Less, |entry| entry.serial.cmp(wanted))
        });
        let entry = self.entry(*self.entries.get(found.ok()?)?)?;
        Some(Revocation {
            date: entry.date,
            reason: entry.reason,
        })
    }

    fn entry(&self, at: u32) -> Option<Entry<'_>> {
        let der = self.der.get(usize::try_from(at).ok()?..)?;
        Some(parse::entry(der).ok()?.1)
    }

    /// Whether the list is by this CA: name and signature. The verdict is remembered.
    ///
    /// # Errors
    /// [`SignatureError`]; another name is a wrong signature.
    pub fn verify(
        &self,
        supported: &WebPkiSupportedAlgorithms,
        issuer: &Issuer,
    ) -> Result<(), SignatureError> {
        if self.issuer != issuer.name {
            return Err(SignatureError::Wrong);
        }
        let mut verdicts = self.verdicts.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, verdict)) = verdicts.iter().find(|(spki, _)| *spki == issuer.spki) {
            return *verdict;
        }
        let verdict = Signed::split(&self.der)
            .ok_or(SignatureError::Wrong)
            .and_then(|signed| signature::verify(supported, &issuer.spki, signed));
        if verdicts.len() == VERDICTS {
            verdicts.drain(..1);
        }
        verdicts.push((issuer.spki.clone(), verdict));
        verdict
    }

    /// Which of two lists of one CA is the newer one, by `thisUpdate`, then by CRL number: the companion SCEP server's number
    /// is always the same. `Equal` for lists of the same second and number.
    pub fn age(&self, other: &Self) -> Ordering {
        let number = |list: &Self| {
            let digits = list.number.as_deref()?;
            Some((digits.len(), digits.to_vec()))
        };
        self.this_update
            .cmp(&other.this_update)
            .then_with(|| number(self).cmp(&number(other)))
    }
}

/// Without the bytes.
impl fmt::Debug for List {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("List")
            .field("issuer", &self.issuer_text())
            .field("this_update", &self.this_update)
            .field("entries", &self.entries.len())
            .finish_non_exhaustive()
    }
}
