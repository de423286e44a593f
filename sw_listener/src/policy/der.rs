//! The little DER (X.690) that OCSP and the lists need: elements read one after another, and written.
//!
//! By hand, over the reader that x509-parser brings along. `rasn-ocsp` would add thirty crates with a second and a
//! third parser, `x509-ocsp` calls itself not ready to use and stands on superseded versions of `der` and `x509-cert`;
//! and both forget the bytes that were signed, so that those would have to be cut out by hand all the same.

use std::time::SystemTime;

use thiserror::Error;
use x509_parser::asn1_rs::{Any, FromDer, GeneralizedTime};

pub(super) const BOOLEAN: u8 = 0x01;
pub(super) const INTEGER: u8 = 0x02;
pub(super) const BIT_STRING: u8 = 0x03;
pub(super) const OCTET_STRING: u8 = 0x04;
pub(super) const NULL: u8 = 0x05;
pub(super) const OBJECT_IDENTIFIER: u8 = 0x06;
pub(super) const ENUMERATED: u8 = 0x0a;
pub(super) const GENERALIZED_TIME: u8 = 0x18;
pub(super) const SEQUENCE: u8 = 0x30;

/// The identifier octet of `[number] EXPLICIT`, or of `[number] IMPLICIT` around something constructed.
pub(super) const fn constructed(number: u8) -> u8 {
    0xa0 | number
}

/// The identifier octet of `[number] IMPLICIT` around something primitive.
pub(super) const fn primitive(number: u8) -> u8 {
    0x80 | number
}

/// Some part is not what it must be. It names the part as the RFC does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("{0} cannot be read")]
pub(super) struct Malformed(pub(super) &'static str);

/// Reads the elements of a SEQUENCE one after another.
#[derive(Debug, Clone, Copy)]
pub(super) struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    /// Reads from `contents`, which begin with an element.
    pub(super) fn new(contents: &'a [u8]) -> Self {
        Self { rest: contents }
    }

    /// Whether all has been read.
    pub(super) fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    /// The identifier octet of the next element.
    pub(super) fn next_tag(&self) -> Option<u8> {
        self.rest.first().copied()
    }

    /// The contents of the next element, which must have this identifier octet.
    pub(super) fn take(&mut self, tag: u8, part: &'static str) -> Result<&'a [u8], Malformed> {
        self.take_whole(tag, part).map(|(_, contents)| contents)
    }

    /// The next element with its header, and its contents.
    pub(super) fn take_whole(
        &mut self,
        tag: u8,
        part: &'static str,
    ) -> Result<(&'a [u8], &'a [u8]), Malformed> {
        if self.next_tag() != Some(tag) {
            return Err(Malformed(part));
        }
        let (rest, element) = Any::from_der(self.rest).map_err(|_| Malformed(part))?;
        let whole = &self.rest[..self.rest.len() - rest.len()];
        self.rest = rest;
        Ok((whole, element.data))
    }

    /// The contents of the next element, if it has this identifier octet.
    pub(super) fn take_optional(
        &mut self,
        tag: u8,
        part: &'static str,
    ) -> Result<Option<&'a [u8]>, Malformed> {
        if self.next_tag() != Some(tag) {
            return Ok(None);
        }
        self.take(tag, part).map(Some)
    }

    /// The next element, a GeneralizedTime in UTC with seconds (RFC 5280, section 4.1.2.5.2).
    pub(super) fn take_time(&mut self, part: &'static str) -> Result<SystemTime, Malformed> {
        let text = self.take(GENERALIZED_TIME, part)?;
        if text.len() != "YYYYMMDDHHMMSSZ".len() || !text.ends_with(b"Z") {
            return Err(Malformed(part));
        }
        let time = GeneralizedTime::from_bytes(text).and_then(|time| time.utc_datetime());
        time.map(SystemTime::from).map_err(|_| Malformed(part))
    }

    /// Nothing may be left.
    pub(super) fn finish(self, part: &'static str) -> Result<(), Malformed> {
        if self.is_empty() {
            Ok(())
        } else {
            Err(Malformed(part))
        }
    }
}

/// The contents of an element that is all there is.
pub(super) fn only<'a>(der: &'a [u8], tag: u8, part: &'static str) -> Result<&'a [u8], Malformed> {
    let mut reader = Reader::new(der);
    let contents = reader.take(tag, part)?;
    reader.finish(part)?;
    Ok(contents)
}

/// An element: identifier octet, length, and the parts one after another.
pub(super) fn element(tag: u8, parts: &[&[u8]]) -> Vec<u8> {
    let length: usize = parts.iter().map(|part| part.len()).sum();
    let mut der = vec![tag];
    let octets = length.to_be_bytes();
    let significant = &octets[octets.iter().take_while(|octet| **octet == 0).count()..];
    match (length, u8::try_from(significant.len())) {
        (..0x80, _) => der.push(significant.first().copied().unwrap_or(0)),
        (_, count) => {
            der.push(0x80 | count.unwrap_or(u8::MAX));
            der.extend_from_slice(significant);
        }
    }
    for part in parts {
        der.extend_from_slice(part);
    }
    der
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        for length in [0, 1, 0x7f, 0x80, 0xff, 0x100, 0x1_0000] {
            let contents = vec![7; length];
            let der = element(OCTET_STRING, &[&contents]);
            assert_eq!(only(&der, OCTET_STRING, "it"), Ok(&contents[..]));
            assert!(only(&der[..der.len() - 1], OCTET_STRING, "it").is_err());
            assert!(only(&[&der[..], &[0]].concat(), OCTET_STRING, "it").is_err());
            assert!(only(&der, SEQUENCE, "it").is_err());
        }
    }

    #[test]
    fn a_time_is_in_utc_and_has_seconds() {
        let read = |text: &str| {
            let der = element(GENERALIZED_TIME, &[text.as_bytes()]);
            Reader::new(&der).take_time("it")
        };
        assert_eq!(read("19700101000000Z"), Ok(SystemTime::UNIX_EPOCH));
        for text in [
            "19700101000000",
            "197001010000Z",
            "19700101000000.5Z",
            "19701301000000Z",
            "19700231000000Z",
        ] {
            assert_eq!(read(text), Err(Malformed("it")), "{text}");
        }
    }
}
