//! The other spelling of a certificate with an ECDSA signature.
//!
//! If (r, s) is a signature, (r, n − s) is one too, where n is the order of the signer's curve (SEC 1, section 4.1.4, looks
//! at the x coordinate alone). The signature lies outside of what is signed, so whoever holds a certificate can make a
//! second one that is as valid, and has another SHA-256. So a list that denies by fingerprint must know both.

use crate::policy::der::{self, BIT_STRING, INTEGER, Malformed, Reader, SEQUENCE};

/// The orders n of P-256, P-384 and P-521 (SP 800-186, section 3.2.1), big-endian.
const ORDERS: [&[u8]; 3] = [
    &[
        0xff, 0xff, 0xff, 0xff, 0x00, 0x00, 0x00, 0x00, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
        0xff, 0xbc, 0xe6, 0xfa, 0xad, 0xa7, 0x17, 0x9e, 0x84, 0xf3, 0xb9, 0xca, 0xc2, 0xfc, 0x63,
        0x25, 0x51,
    ],
    &[
        0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
        0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xc7, 0x63, 0x4d, 0x81, 0xf4, 0x37,
        0x2d, 0xdf, 0x58, 0x1a, 0x0d, 0xb2, 0x48, 0xb0, 0xa7, 0x7a, 0xec, 0xec, 0x19, 0x6a, 0xcc,
        0xc5, 0x29, 0x73,
    ],
    &[
        0x01, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
        0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
        0xff, 0xff, 0xff, 0xfa, 0x51, 0x86, 0x87, 0x83, 0xbf, 0x2f, 0x96, 0x6b, 0x7f, 0xcc, 0x01,
        0x48, 0xf7, 0x09, 0xa5, 0xd0, 0x3b, 0xb5, 0xc9, 0xb8, 0x89, 0x9c, 0x47, 0xae, 0xbb, 0x6f,
        0xb7, 0x1e, 0x91, 0x38, 0x64, 0x09,
    ],
];

/// The `AlgorithmIdentifier`s, without SEQUENCE, of ecdsa-with-SHA256, -SHA384 and -SHA512 (RFC 5758, section 3.2), less
/// their last octet.
const ECDSA_WITH_SHA2: [u8; 9] = [0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03];

/// The certificates (DER) that differ from this one in their signature's s alone: one for each curve that its issuer's key
/// may be on. Of those at most one is valid; the others are nobody's. None if the signature is of another kind.
pub(super) fn twins(certificate: &[u8]) -> Vec<Vec<u8>> {
    let Ok(Parts {
        signed,
        algorithm,
        r,
        s,
    }) = split(certificate)
    else {
        return Vec::new();
    };
    let twins = ORDERS.iter().filter_map(|order| {
        // r is smaller than n too.
        minus(order, number(r))?;
        let s = der::element(INTEGER, &[&positive(minus(order, number(s))?)]);
        let signature = der::element(SEQUENCE, &[&der::element(INTEGER, &[r]), &s]);
        let bits = der::element(BIT_STRING, &[&[0], &signature]);
        Some(der::element(SEQUENCE, &[signed, algorithm, &bits]))
    });
    twins.collect()
}

/// A certificate (RFC 5280, section 4.1.1) with an ECDSA signature (RFC 3279, section 2.2.3), taken apart.
struct Parts<'a> {
    /// `tbsCertificate`, whole.
    signed: &'a [u8],
    /// `signatureAlgorithm`, whole.
    algorithm: &'a [u8],
    /// The contents of the INTEGER.
    r: &'a [u8],
    /// The same.
    s: &'a [u8],
}

fn split(certificate: &[u8]) -> Result<Parts<'_>, Malformed> {
    let mut reader = Reader::new(der::only(certificate, SEQUENCE, "Certificate")?);
    let (signed, _) = reader.take_whole(SEQUENCE, "tbsCertificate")?;
    let (algorithm, name) = reader.take_whole(SEQUENCE, "signatureAlgorithm")?;
    let bits = reader.take(BIT_STRING, "signatureValue")?;
    reader.finish("Certificate")?;
    let ([first @ .., 2..=4], [0, signature @ ..]) = (name, bits) else {
        return Err(Malformed("signatureAlgorithm"));
    };
    if first != ECDSA_WITH_SHA2 {
        return Err(Malformed("signatureAlgorithm"));
    }
    let mut numbers = Reader::new(der::only(signature, SEQUENCE, "Ecdsa-Sig-Value")?);
    let (r, s) = (numbers.take(INTEGER, "r")?, numbers.take(INTEGER, "s")?);
    numbers.finish("Ecdsa-Sig-Value")?;
    Ok(Parts {
        signed,
        algorithm,
        r,
        s,
    })
}

/// The octets of an INTEGER without leading zeros.
fn number(integer: &[u8]) -> &[u8] {
    let zeros = integer.iter().take_while(|octet| **octet == 0).count();
    &integer[zeros..]
}

/// The octets of an INTEGER: no leading zeros but one in front of what would be a sign.
fn positive(octets: Vec<u8>) -> Vec<u8> {
    let octets = number(&octets);
    match octets.first() {
        Some(..0x80) => octets.to_vec(),
        _ => [&[0], octets].concat(),
    }
}

/// `order − number`, both big-endian and `order` the longer; `None` unless it is positive and `number` is.
fn minus(order: &[u8], number: &[u8]) -> Option<Vec<u8>> {
    let padding = order.len().checked_sub(number.len())?;
    let padded = [&vec![0; padding], number].concat();
    if number.is_empty() || padded.as_slice() >= order {
        return None;
    }
    let mut difference = order.to_vec();
    let mut borrow = false;
    for (octet, less) in difference.iter_mut().zip(padded).rev() {
        let (first, under) = octet.overflowing_sub(less);
        let (second, under_again) = first.overflowing_sub(borrow.into());
        *octet = second;
        borrow = under || under_again;
    }
    Some(difference)
}

#[cfg(test)]
mod tests;
