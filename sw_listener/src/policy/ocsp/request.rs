//! The question: `OCSPRequest` (RFC 6960, section 4.1.1), and whether it travels as GET or POST.

use base64::{Engine, engine::general_purpose::STANDARD};
use reqwest::Url;

use super::{cert_id::CertId, der};

/// 1.3.6.1.5.5.7.48.1.2, id-pkix-ocsp-nonce
pub(super) const NONCE: &[u8] = &[0x2b, 0x06, 0x01, 0x05, 0x05, 0x07, 0x30, 0x01, 0x02];
/// Bytes of a nonce: what every responder must take (RFC 8954, section 2.1; RFC 9654 demands at least as many).
pub(super) const NONCE_LENGTH: usize = 32;
/// The longest question that travels as GET, in characters after encoding (RFC 5019, section 5).
const LONGEST_GET: usize = 255;

/// How a question travels (RFC 6960, appendix A.1).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Travel {
    /// In the address.
    Get(Url),
    /// In the body.
    Post(Vec<u8>),
}

/// The DER of a question for one certificate.
pub(super) fn encode(id: &CertId, nonce: Option<&[u8]>) -> Vec<u8> {
    let request = der::element(der::SEQUENCE, &[&id.to_der()]);
    let list = der::element(der::SEQUENCE, &[&request]);
    let extensions = nonce.map(extensions).unwrap_or_default();
    let to_be_signed = der::element(der::SEQUENCE, &[&list, &extensions]);
    der::element(der::SEQUENCE, &[&to_be_signed])
}

/// `[2] EXPLICIT Extensions` with the nonce.
fn extensions(nonce: &[u8]) -> Vec<u8> {
    let extension = der::element(
        der::SEQUENCE,
        &[
            &der::element(der::OBJECT_IDENTIFIER, &[NONCE]),
            &der::element(der::OCTET_STRING, &[&nonce_value(nonce)]),
        ],
    );
    let list = der::element(der::SEQUENCE, &[&extension]);
    der::element(der::constructed(2), &[&list])
}

/// `Nonce ::= OCTET STRING`, DER.
pub(super) fn nonce_value(nonce: &[u8]) -> Vec<u8> {
    der::element(der::OCTET_STRING, &[nonce])
}

/// A short question without a nonce goes as GET, so that caches on the way can answer it; no cache may answer one with
/// a nonce.
pub(super) fn travel(responder: &Url, question: Vec<u8>, has_nonce: bool) -> Travel {
    if has_nonce {
        return Travel::Post(question);
    }
    let segment = STANDARD
        .encode(&question)
        .replace('+', "%2B")
        .replace('/', "%2F")
        .replace('=', "%3D");
    if segment.len() > LONGEST_GET {
        return Travel::Post(question);
    }
    let mut url = responder.clone();
    let path = format!("{}/{segment}", url.path().trim_end_matches('/'));
    url.set_path(&path);
    Travel::Get(url)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_questions_without_a_nonce_are_in_the_address() {
        let responder: Url = "http://ocsp.example/a/".parse().unwrap();
        let question = vec![0xfb, 0xff, 0xfe, 0x00];
        let Travel::Get(url) = travel(&responder, question.clone(), false) else {
            panic!("it went as POST");
        };
        assert_eq!(url.as_str(), "http://ocsp.example/a/%2B%2F%2F%2BAA%3D%3D");
        assert_eq!(
            travel(&responder, question.clone(), true),
            Travel::Post(question)
        );
        let long = vec![0; 200];
        assert_eq!(travel(&responder, long.clone(), false), Travel::Post(long));
    }
}
