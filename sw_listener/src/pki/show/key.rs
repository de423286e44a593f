//! Keys: what kind they are, their pins, and the public half of a private one.

use aws_lc_rs::digest;
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use rustls::crypto::aws_lc_rs::sign::any_supported_type;
use rustls::pki_types::PrivateKeyDer;
use x509_parser::oid_registry::asn1_rs::oid;
use x509_parser::prelude::FromDer;
use x509_parser::public_key::PublicKey;
use x509_parser::x509::SubjectPublicKeyInfo;

use super::super::text::hex;

/// `sha256:HEX` of a certificate (DER), as deny lists have it.
pub(super) fn fingerprint(der: &[u8]) -> String {
    format!(
        "sha256:{}",
        hex(digest::digest(&digest::SHA256, der).as_ref())
    )
}

/// `sha256/BASE64` of a `SubjectPublicKeyInfo` (DER), as in RFC 7469, section 2.4.
pub(super) fn pin(spki: &[u8]) -> String {
    let digest = digest::digest(&digest::SHA256, spki);
    format!("sha256/{}", BASE64_STANDARD.encode(digest))
}

/// The `SubjectPublicKeyInfo` (DER) of a private key; `None` when it is damaged or of a kind that TLS here does not use.
pub(super) fn public_of(key: &PrivateKeyDer<'_>) -> Option<Vec<u8>> {
    let key = any_supported_type(key).ok()?;
    Some(key.public_key()?.as_ref().to_vec())
}

/// As in "ECDSA P-256" or "RSA 2048"; what is not known is named by its number.
pub(super) fn kind(spki: &[u8]) -> String {
    let Ok((_, key)) = SubjectPublicKeyInfo::from_der(spki) else {
        return "unreadable".to_owned();
    };
    let algorithm = key.algorithm.algorithm.clone();
    if algorithm == oid!(1.3.101.112) {
        return "Ed25519".to_owned();
    }
    match key.parsed() {
        Ok(PublicKey::RSA(rsa)) => {
            let modulus: &[u8] = rsa.modulus;
            let zeros: usize = modulus.iter().take_while(|byte| **byte == 0).count();
            let top = modulus
                .get(zeros)
                .map_or(0, |byte| byte.leading_zeros() as usize);
            format!("RSA {}", (modulus.len() - zeros) * 8 - top)
        }
        Ok(PublicKey::EC(_)) => format!("ECDSA {}", curve(&key)),
        _ => algorithm.to_id_string(),
    }
}

fn curve(key: &SubjectPublicKeyInfo<'_>) -> String {
    let named = key
        .algorithm
        .parameters
        .as_ref()
        .and_then(|any| any.as_oid().ok());
    let Some(curve) = named else {
        return "with a curve of its own".to_owned();
    };
    let known = [
        (oid!(1.2.840.10045.3.1.7), "P-256"),
        (oid!(1.3.132.0.34), "P-384"),
        (oid!(1.3.132.0.35), "P-521"),
    ];
    let name = known
        .iter()
        .find(|(id, _)| *id == curve)
        .map(|(_, name)| (*name).to_owned());
    name.unwrap_or_else(|| curve.to_id_string())
}

#[cfg(test)]
mod tests {
    use rcgen::{KeyPair, PublicKeyData};

    use super::*;

    #[test]
    fn kinds_have_names_and_the_public_half_is_found() {
        for (algorithm, expected) in [
            (&rcgen::PKCS_ECDSA_P256_SHA256, "ECDSA P-256"),
            (&rcgen::PKCS_ECDSA_P384_SHA384, "ECDSA P-384"),
            (&rcgen::PKCS_ED25519, "Ed25519"),
            (&rcgen::PKCS_RSA_SHA256, "RSA 2048"),
        ] {
            let key = KeyPair::generate_for(algorithm).unwrap();
            let spki = key.subject_public_key_info();
            assert_eq!(kind(&spki), expected);
            let private = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
            assert_eq!(public_of(&private), Some(spki), "{expected}");
        }
        assert_eq!(kind(b"x"), "unreadable");
    }
}
