//! Taking a CRL (RFC 5280, section 5.1) apart, one entry at a time: the list may have a million of them.
//!
//! What cannot be understood whole is refused: a list that is misread lets revoked certificates in.

use std::time::SystemTime;

use thiserror::Error;
use x509_parser::{
    asn1_rs::{Any, Class, Tag, nom::Offset},
    extensions::{ParsedExtension, X509Extension},
    oid_registry::{
        OID_X509_EXT_CRL_NUMBER, OID_X509_EXT_DELTA_CRL_INDICATOR, OID_X509_EXT_ISSUER,
        OID_X509_EXT_ISSUER_DISTRIBUTION_POINT, OID_X509_EXT_REASON_CODE,
    },
    prelude::FromDer,
    time::ASN1Time,
    x509::ReasonCode,
};

/// Why a CRL is not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum ParseError {
    /// Not DER, or not a `CertificateList`.
    #[error("not a CRL, or damaged ({0})")]
    Damaged(&'static str),
    /// More bytes than positions are kept for.
    #[error("longer than 4 GiB")]
    TooLong,
    /// `deltaCRLIndicator` (section 5.2.4).
    #[error("a delta CRL: publish complete CRLs for socket-warp")]
    Delta,
    /// `issuingDistributionPoint` (section 5.2.5), or an entry with `certificateIssuer` (section 5.3.3).
    #[error(
        "it covers only part of what its CA has issued, or other CAs ({0}): publish complete CRLs for socket-warp"
    )]
    Partial(&'static str),
    /// An extension that must be understood, and is not.
    #[error("it has a critical extension that socket-warp does not know")]
    Critical,
}

/// The parts of a CRL.
#[derive(Debug)]
pub(super) struct Parts<'a> {
    /// DER of the issuer's `Name`, with the SEQUENCE.
    pub(super) issuer: &'a [u8],
    pub(super) this_update: SystemTime,
    pub(super) next_update: SystemTime,
    /// The CRL number (section 5.2.3), big endian without leading zeros.
    pub(super) number: Option<Vec<u8>>,
    /// The revoked serials without leading zeros, sorted, and where in the DER the entry begins.
    pub(super) entries: Vec<(&'a [u8], u32)>,
}

/// An entry of the list.
#[derive(Debug)]
pub(super) struct Entry<'a> {
    /// The serial number, without leading zeros.
    pub(super) serial: &'a [u8],
    pub(super) date: SystemTime,
    pub(super) reason: ReasonCode,
}

type Parsed<'a, T> = Result<(&'a [u8], T), ParseError>;

/// Takes a CRL (DER) apart.
///
/// # Errors
/// [`ParseError`].
pub(super) fn parse(der: &[u8]) -> Result<Parts<'_>, ParseError> {
    u32::try_from(der.len()).map_err(|_| ParseError::TooLong)?;
    let (rest, list) = sequence(der, "its frame")?;
    finished(rest, "bytes after its end")?;
    let (rest, tbs) = sequence(list, "tbsCertList")?;
    let (rest, outer) = sequence(rest, "signatureAlgorithm")?;
    let (rest, _) = take(rest, Tag::BitString).ok_or(damaged("signatureValue"))?;
    finished(rest, "something behind its signature")?;
    let mut rest = tbs;
    if let Some((after, version)) = take(rest, Tag::Integer) {
        if version != [1] {
            return Err(ParseError::Damaged("its version is not 2"));
        }
        rest = after;
    }
    let (rest, inner) = sequence(rest, "signature")?;
    if inner != outer {
        // Section 5.1.1.2: they must be the same.
        return Err(ParseError::Damaged("it names two signature algorithms"));
    }
    let (after, _) = sequence(rest, "issuer")?;
    let issuer = &rest[..rest.len() - after.len()];
    let (rest, this_update) = time(after, "thisUpdate")?;
    // Section 5.1.2.5 demands it; without it nobody could tell whether the list is still current.
    let (rest, next_update) = time(rest, "no nextUpdate")?;
    let (rest, entries) = entries(der, rest)?;
    Ok(Parts {
        issuer,
        this_update,
        next_update,
        number: number(rest)?,
        entries,
    })
}

fn entries<'a>(der: &'a [u8], rest: &'a [u8]) -> Parsed<'a, Vec<(&'a [u8], u32)>> {
    let Some((after, mut list)) = take(rest, Tag::Sequence) else {
        return Ok((rest, Vec::new()));
    };
    let mut entries = Vec::new();
    while !list.is_empty() {
        let at = u32::try_from(der.offset(list)).map_err(|_| ParseError::TooLong)?;
        let (next, entry) = entry(list)?;
        // Section 5.3.1: only delta CRLs take certificates back off; here it says that the serial is not revoked.
        if entry.reason != ReasonCode::RemoveFromCRL {
            entries.push((entry.serial, at));
        }
        list = next;
    }
    entries.sort_unstable();
    entries.shrink_to_fit();
    Ok((after, entries))
}

/// Reads the entry at the beginning of `der`.
pub(super) fn entry(der: &[u8]) -> Parsed<'_, Entry<'_>> {
    let (next, fields) = sequence(der, "an entry")?;
    let (rest, serial) = take(fields, Tag::Integer).ok_or(damaged("the serial of an entry"))?;
    let (rest, date) = time(rest, "the date of an entry")?;
    let mut reason = ReasonCode::Unspecified;
    if !rest.is_empty() {
        let (rest, list) = sequence(rest, "the extensions of an entry")?;
        finished(rest, "an entry")?;
        each_extension(list, |extension| {
            if extension.oid == OID_X509_EXT_REASON_CODE {
                let ParsedExtension::ReasonCode(code) = extension.parsed_extension() else {
                    return Err(damaged("the reason of an entry"));
                };
                reason = *code;
                return Ok(());
            }
            if extension.oid == OID_X509_EXT_ISSUER {
                return Err(ParseError::Partial("an indirect CRL"));
            }
            known(extension)
        })?;
    }
    Ok((
        next,
        Entry {
            serial: trimmed(serial),
            date,
            reason,
        },
    ))
}

/// The CRL number, out of `[0] EXPLICIT Extensions OPTIONAL`; every other extension is judged.
fn number(der: &[u8]) -> Result<Option<Vec<u8>>, ParseError> {
    if der.is_empty() {
        return Ok(None);
    }
    let (rest, explicit) = Any::from_der(der).map_err(|_| damaged("its extensions"))?;
    finished(rest, "something behind its extensions")?;
    if explicit.class() != Class::ContextSpecific || explicit.tag() != Tag(0) {
        return Err(damaged("its extensions"));
    }
    let (rest, list) = sequence(explicit.data, "its extensions")?;
    finished(rest, "its extensions")?;
    let mut number = None;
    each_extension(list, |extension| {
        if extension.oid == OID_X509_EXT_DELTA_CRL_INDICATOR {
            return Err(ParseError::Delta);
        }
        if extension.oid == OID_X509_EXT_ISSUER_DISTRIBUTION_POINT {
            return Err(ParseError::Partial("issuing distribution point"));
        }
        if extension.oid == OID_X509_EXT_CRL_NUMBER {
            let (rest, value) = take(extension.value, Tag::Integer).ok_or(damaged("its number"))?;
            finished(rest, "its number")?;
            number = Some(trimmed(value).to_vec());
            return Ok(());
        }
        known(extension)
    })?;
    Ok(number)
}

/// Section 5.2: a list with a critical extension that is not understood must not be used.
fn known(extension: &X509Extension<'_>) -> Result<(), ParseError> {
    if extension.critical {
        return Err(ParseError::Critical);
    }
    Ok(())
}

fn each_extension(
    mut list: &[u8],
    mut judge: impl FnMut(&X509Extension<'_>) -> Result<(), ParseError>,
) -> Result<(), ParseError> {
    while !list.is_empty() {
        let (rest, extension) =
            X509Extension::from_der(list).map_err(|_| damaged("an extension"))?;
        judge(&extension)?;
        list = rest;
    }
    Ok(())
}

/// The contents of the universal element with this tag at the beginning of `der`.
fn take(der: &[u8], tag: Tag) -> Option<(&[u8], &[u8])> {
    let (rest, any) = Any::from_der(der).ok()?;
    let form = any.header.constructed() == (tag == Tag::Sequence);
    (any.class() == Class::Universal && any.tag() == tag && form).then_some((rest, any.data))
}

fn sequence<'a>(der: &'a [u8], what: &'static str) -> Parsed<'a, &'a [u8]> {
    take(der, Tag::Sequence).ok_or(damaged(what))
}

fn time<'a>(der: &'a [u8], what: &'static str) -> Parsed<'a, SystemTime> {
    let (rest, time) = ASN1Time::from_der(der).map_err(|_| damaged(what))?;
    Ok((rest, time.to_datetime().into()))
}

fn finished(rest: &[u8], what: &'static str) -> Result<(), ParseError> {
    rest.is_empty().then_some(()).ok_or(damaged(what))
}

fn damaged(what: &'static str) -> ParseError {
    ParseError::Damaged(what)
}

/// A number without leading zeros: not every CA writes them as DER wants.
pub(super) fn trimmed(number: &[u8]) -> &[u8] {
    let zeros = number.iter().take_while(|byte| **byte == 0).count();
    &number[zeros..]
}
