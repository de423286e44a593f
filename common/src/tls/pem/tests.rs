use super::*;
use crate::tls::testing::{root, server};

/// What `parse` makes of bytes, a word for each piece, or the error.
fn words(bytes: &[u8]) -> String {
    match parse(bytes) {
        Ok(pieces) => pieces
            .iter()
            .map(|piece| piece.found().to_string())
            .collect::<Vec<_>>()
            .join(", "),
        Err(error) => error.to_string(),
    }
}

#[test]
fn noise_around_blocks_is_no_fault() {
    let ca = root("ca");
    let pem = ca.pem().replace("\r\n", "\n");
    let indented = pem.replace('\n', "\n    ");
    let old_label = pem.replace("CERTIFICATE", "X509 CERTIFICATE");
    for text in [
        pem.clone(),
        pem.replace('\n', "\r\n"),
        pem.replace('\n', "\r"),
        format!("\u{feff}{pem}"),
        format!("\u{feff}\r\n\r\n{}", pem.replace('\n', "\r\n")),
        format!("\n\n  \nCertificate:\n    Data: \u{e4}\n{pem}\nthe end"),
        format!("0 is how this text begins, \u{e4}\n{pem}"),
        format!("    {indented}"),
        pem.trim_end().to_owned(),
        old_label,
    ] {
        let pieces = parse(text.as_bytes()).unwrap();
        let [Piece::Certificate(der)] = pieces.as_slice() else {
            panic!("{pieces:?} from {text:?}");
        };
        assert_eq!(der, ca.der(), "{text:?}");
    }
}

#[test]
fn many_blocks_keep_their_order() {
    let ca = root("ca");
    let leaf = server(&ca);
    let text = format!("{}{}{}", leaf.pem, leaf.key.serialize_pem(), ca.pem());
    assert_eq!(
        words(text.as_bytes()),
        "a certificate, a private key, a certificate"
    );
}

#[test]
fn damage_is_told_with_its_line() {
    let pem = root("ca").pem().replace("\r\n", "\n");
    let lines: Vec<_> = pem.lines().collect();
    let last = lines.len();
    let without_end = lines[..last - 1].join("\n");
    let cases = [
        (
            without_end.clone(),
            format!("line {}: the file ends within", last - 1),
        ),
        (
            format!("{without_end}\n{pem}"),
            format!("line {last}: another block begins before"),
        ),
        (
            format!("{pem}{without_end}\n-----END X509 CRL-----\n"),
            format!(
                "line {}: -----END CERTIFICATE----- should stand there",
                2 * last
            ),
        ),
        (
            pem.replace(lines[2], "abc!def"),
            "line 3: '!' does not belong into base64".to_owned(),
        ),
        (
            format!(
                "\r\n\r\n{}",
                pem.replace(lines[2], "a=bc").replace('\n', "\r\n")
            ),
            "line 3: the block CERTIFICATE that begins there is not whole".to_owned(),
        ),
        (
            pem.replace('\n', "\\n"),
            "line 1: the line breaks are written as \\n".to_owned(),
        ),
        (
            pem.replace('\n', ""),
            "line 1: a line break is missing".to_owned(),
        ),
        (
            pem.replace("-----BEGIN CERTIFICATE-----", "----BEGIN CERTIFICATE----"),
            "line 1: five dashes".to_owned(),
        ),
        (
            pem.replace("-----BEGIN CERTIFICATE-----", "-----BEGIN CERTIFICATE"),
            "line 1: five dashes are missing at the end".to_owned(),
        ),
    ];
    for (text, expected) in cases {
        let said = words(text.as_bytes());
        assert!(said.contains(&expected), "{said:?} is not {expected:?}");
    }
}

#[test]
fn what_is_no_pem_is_recognised() {
    let der = root("ca").der().to_vec();
    let base64 = data_encoding::BASE64.encode(&der);
    let utf16: Vec<_> = "\u{feff}-----BEGIN CERTIFICATE-----\r\n"
        .encode_utf16()
        .flat_map(u16::to_le_bytes)
        .collect();
    let cases: [(&[u8], &str); 14] = [
        (b"", "empty"),
        (b"\xef\xbb\xbf \r\n\n", "empty"),
        (b"hello\n", "without any PEM block"),
        (b"\0\x01\x02", "binary"),
        (&utf16, "UTF-16"),
        (&utf16[2..], "UTF-16"),
        (&base64.into_bytes(), "base64 without"),
        (b"<!DOCTYPE html>\n<p>404", "web page"),
        (b"PuTTY-User-Key-File-3: ssh-rsa\n", "PuTTY"),
        (b"ssh-ed25519 AAAAC3Nz x@y\n", "public key"),
        (b"\xfe\xed\xfe\xed\0\0\0\x02", "key store"),
        (&der, "a certificate"),
        (&der[..der.len() - 9], "cut off"),
        (b"0\x80\xff\xff\xff\xff", "binary"),
    ];
    for (bytes, expected) in cases {
        let said = words(bytes);
        assert!(said.contains(expected), "{said:?} is not {expected:?}");
    }
}

/// Whatever stands in a file, reading it ends with a word or an error.
#[test]
fn damaged_bytes_never_panic() {
    let ca = root("ca");
    let leaf = server(&ca);
    let pem = format!("{}{}", leaf.key.serialize_pem(), leaf.pem).into_bytes();
    for good in [pem, leaf.der.to_vec(), leaf.key.serialize_der()] {
        for at in 0..good.len() {
            let _ = parse(&good[..at]);
            for with in [0, b'-', b'\n', 0x30, 0x84, 0xff] {
                let mut bad = good.clone();
                bad[at] = with;
                for piece in parse(&bad).into_iter().flatten() {
                    if let Piece::Certificate(der) = piece {
                        let _ = crate::tls::CertificateFacts::from_der(&der);
                    }
                }
            }
        }
    }
}
