//! Reading lists.

use x509_parser::{
    prelude::{FromDer, X509Certificate},
    x509::ReasonCode,
};

use super::{
    openssl::{Ca, ED25519, Issued, P256, RSA, one},
    supported,
};
use crate::policy::{
    chain::Issuer,
    crl::{List, ParseError, SourceError, read},
    signature::SignatureError,
};

fn issuer(ca: &Ca) -> Issuer {
    let (_, parsed) = X509Certificate::from_der(&ca.certificate).unwrap();
    Issuer {
        name: parsed.subject().as_raw().to_vec(),
        spki: parsed.public_key().raw.to_vec(),
    }
}

fn reason(list: &List, issued: &Issued) -> Option<ReasonCode> {
    let (_, parsed) = X509Certificate::from_der(&issued.der).unwrap();
    list.find(parsed.raw_serial()).map(|found| found.reason)
}

#[test]
fn lists_of_openssl_are_read_in_der_and_pem() {
    for key in [RSA, P256, ED25519] {
        let ca = Ca::root("Plant CA", key);
        let stranger = Ca::root("Plant CA", key);
        let empty = one(ca.crl());
        assert!(empty.is_empty());
        let leaves: Vec<_> = (0..5).map(|n| ca.leaf(&format!("device{n}"))).collect();
        ca.revoke(&leaves[1]);
        ca.revoke_because(&leaves[2], "keyCompromise");
        ca.revoke_because(&leaves[3], "certificateHold");
        ca.revoke_because(&leaves[4], "removeFromCRL");
        let der = ca.crl();
        for bytes in [der, ca.pem().into_bytes()] {
            let list = one(bytes);
            assert_eq!(list.issuer_text(), "Plant CA");
            assert_eq!(list.len(), 3);
            let reasons: Vec<_> = leaves.iter().map(|leaf| reason(&list, leaf)).collect();
            let expected = [
                None,
                Some(ReasonCode::Unspecified),
                Some(ReasonCode::KeyCompromise),
                Some(ReasonCode::CertificateHold),
                None,
            ];
            assert_eq!(reasons, expected);
            assert_eq!(list.verify(&supported(), &issuer(&ca)), Ok(()));
            let wrong = list.verify(&supported(), &issuer(&stranger));
            assert_eq!(wrong, Err(SignatureError::Wrong));
            // The remembered verdicts are the same.
            assert_eq!(list.verify(&supported(), &issuer(&ca)), Ok(()));
            assert!(list.age(&empty).is_gt(), "its number is higher");
        }
    }
}

#[test]
fn what_covers_only_a_part_is_refused() {
    let ca = Ca::root("Plant CA", P256);
    let leaf = ca.leaf("device1");
    ca.revoke(&leaf);
    let read_with = |section| read(ca.crl_with(&["-crlexts", section]));
    for (section, expected) in [
        ("delta", ParseError::Delta),
        (
            "only_users",
            ParseError::Partial("issuing distribution point"),
        ),
        (
            "indirect",
            ParseError::Partial("issuing distribution point"),
        ),
        ("unknown", ParseError::Critical),
    ] {
        match read_with(section) {
            Err(SourceError::List { number: 1, source }) => assert_eq!(source, expected),
            other => panic!("{section}: {other:?}"),
        }
    }
    assert_eq!(read_with("harmless").unwrap()[0].len(), 1);
}

#[test]
fn no_damaged_byte_panics_or_passes() {
    let ca = Ca::root("Plant CA", ED25519);
    for name in ["device1", "device2"] {
        ca.revoke_because(&ca.leaf(name), "superseded");
    }
    let der = ca.crl();
    let issuer = issuer(&ca);
    let mut parsed = 0;
    for at in 0..der.len() {
        assert!(List::parse(der[..at].to_vec()).is_err());
        for flip in [0x01, 0x20, 0x80, 0xff] {
            let mut damaged = der.clone();
            damaged[at] ^= flip;
            if let Ok(list) = List::parse(damaged) {
                parsed += 1;
                assert!(list.verify(&supported(), &issuer).is_err(), "{at} {flip}");
                for serial in [&[0x80, 0x01][..], &[0, 0x80, 0x02], &[]] {
                    let _ = list.find(serial);
                }
                let _ = list.issuer_text();
            }
        }
    }
    assert!(parsed > 100, "flips in names and signatures still parse");
    let mut longer = der.clone();
    longer.push(0);
    assert!(List::parse(longer).is_err());
    assert!(
        List::parse(der)
            .unwrap()
            .verify(&supported(), &issuer)
            .is_ok()
    );
}

#[test]
fn a_file_holds_several_lists_and_says_what_else_it_holds() {
    let ca = Ca::root("Plant CA", P256);
    ca.crl();
    let pem = ca.pem();
    assert_eq!(
        read(format!("{pem}\r\n{pem}").into_bytes()).unwrap().len(),
        2
    );
    let certificate = pem::encode(&pem::Pem::new("CERTIFICATE", &ca.certificate[..]));
    let begin = pem.find("-----BEGIN").unwrap();
    let cut = format!("{pem}{}", &pem[begin..pem.len() - 40]);
    for (bytes, expected) in [
        (b"".to_vec(), "empty"),
        (b" \n".to_vec(), "empty"),
        (b"<html>".to_vec(), "not a CRL"),
        (certificate.clone().into_bytes(), "CERTIFICATE"),
        (ca.certificate.to_vec(), "not a CRL"),
        (cut.into_bytes(), "PEM"),
        (
            pem.replace("-----BEGIN X509 CRL-----\nM", "-----BEGIN X509 CRL-----\n*")
                .into_bytes(),
            "PEM",
        ),
    ] {
        let error = common::errors::chain(&read(bytes).unwrap_err());
        assert!(error.contains(expected), "{expected}: {error}");
    }
    // A CA certificate beside it does no harm.
    assert_eq!(
        read(format!("{certificate}{pem}").into_bytes())
            .unwrap()
            .len(),
        1
    );
}

/// DER: a tag, the length in four bytes, the contents.
fn der(tag: u8, contents: &[u8]) -> Vec<u8> {
    let length = u32::try_from(contents.len()).unwrap().to_be_bytes();
    [&[tag, 0x84][..], &length, contents].concat()
}

#[test]
fn a_long_list_is_four_bytes_an_entry_beside_its_der() {
    const ENTRIES: u32 = 100_000;
    let time = b"\x17\x0d300101000000Z";
    let mut entries = Vec::new();
    // Multiplying by an odd number visits every value once, in no order.
    for n in (0..ENTRIES).map(|n| n.wrapping_mul(0x9e37_79b1) | 1 << 31) {
        let serial = [&[2, 5, 0][..], &n.to_be_bytes()].concat();
        let entry = [&serial[..], time].concat();
        entries.extend([&[0x30, 22][..], &entry].concat());
    }
    let algorithm = b"\x30\x05\x06\x03\x2b\x65\x70";
    let name = b"\x30\x00";
    let tbs = [
        &b"\x02\x01\x01"[..],
        algorithm,
        name,
        time,
        time,
        &der(0x30, &entries),
    ]
    .concat();
    let list = [&der(0x30, &tbs)[..], algorithm, b"\x03\x01\x00"].concat();
    let list = List::parse(der(0x30, &list)).unwrap();
    assert_eq!(list.len(), ENTRIES as usize);
    assert_eq!(list.index_bytes(), 4 * ENTRIES as usize);
    for n in [0, 1, 2, 777, ENTRIES / 2, ENTRIES - 1] {
        let serial = (n.wrapping_mul(0x9e37_79b1) | 1 << 31).to_be_bytes();
        assert!(list.find(&serial).is_some(), "{n}");
        assert!(list.find(&[&[0, 0], &serial[..]].concat()).is_some());
        assert!(list.find(&serial[1..]).is_none());
    }
    assert!(list.find(&[]).is_none());
}
