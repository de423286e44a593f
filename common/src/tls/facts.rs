//! What a certificate says about itself, read once from its DER. Pure.

use std::{
    fmt,
    net::{Ipv4Addr, Ipv6Addr},
};

use aws_lc_rs::digest;
use data_encoding::HEXLOWER;
use thiserror::Error;
use time::{OffsetDateTime, macros::format_description};
use x509_parser::{
    extensions::{GeneralName, ParsedExtension},
    prelude::{FromDer, X509Certificate},
    public_key::PublicKey,
    x509::{SubjectPublicKeyInfo, X509Version},
};

use super::Pin;
use crate::printable::printable;

/// Why bytes are no certificate.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum FactsError {
    /// The structure is wrong.
    #[error("it is not an X.509 certificate ({0})")]
    Structure(String),
    /// There is something behind it.
    #[error("{0} bytes that do not belong to it follow the certificate")]
    Trailing(usize),
}

/// What an operator wants to know about a certificate, and what is judged before it is used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CertificateFacts {
    /// The holder's name, without control characters.
    pub subject: String,
    /// The issuer's name, without control characters.
    pub issuer: String,
    /// The first common name of the subject.
    pub common_name: Option<String>,
    /// The serial number, hexadecimal with colons.
    pub serial: String,
    /// The first moment of its validity.
    pub not_before: OffsetDateTime,
    /// The last moment of its validity.
    pub not_after: OffsetDateTime,
    /// The subject alternative names: DNS names and IP addresses as they are, others with their kind.
    pub sans: Vec<String>,
    /// Kind and size of the public key.
    pub key: KeyFacts,
    /// SHA-256 of the whole certificate, hexadecimal.
    pub fingerprint_sha256: String,
    /// SHA-256 of the `SubjectPublicKeyInfo`: what a pin is compared with.
    pub spki_sha256: Pin,
    /// 1, 2 or 3.
    pub version: u32,
    /// Whether the basic constraints say that it is a CA.
    pub ca: bool,
    /// The extended key usage; `None`: any purpose.
    pub purposes: Option<Purposes>,
    /// The algorithm of the signature, as far as it matters.
    pub signature: SignatureFacts,
    /// Whether subject and issuer are the same name.
    pub self_issued: bool,
    names: Names,
}

/// Kind and size of a public key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KeyFacts {
    /// RSA with a modulus of so many bits.
    Rsa(u32),
    /// A point on a curve with a field of so many bits.
    Ec(u32),
    /// Ed25519 (RFC 8410).
    Ed25519,
    /// Something else, by its object identifier.
    Other(String),
}

/// What the extended key usage allows (RFC 5280, section 4.2.1.12).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Purposes {
    /// serverAuth.
    pub server: bool,
    /// clientAuth.
    pub client: bool,
}

/// How a certificate is signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SignatureFacts {
    /// With a hash that can be forged today; its name.
    Weak(&'static str),
    /// Otherwise.
    Other,
}

/// What ties a certificate to its issuer.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Names {
    subject: Vec<u8>,
    issuer: Vec<u8>,
    /// Subject key identifier.
    key: Option<Vec<u8>>,
    /// Authority key identifier.
    issuer_key: Option<Vec<u8>>,
}

impl CertificateFacts {
    /// Reads a certificate (DER).
    ///
    /// # Errors
    /// [`FactsError`] when it is not exactly one certificate.
    pub fn from_der(der: &[u8]) -> Result<Self, FactsError> {
        let (rest, certificate) = X509Certificate::from_der(der)
            .map_err(|error| FactsError::Structure(error.to_string()))?;
        if !rest.is_empty() {
            return Err(FactsError::Trailing(rest.len()));
        }
        let validity = certificate.validity();
        Ok(Self {
            subject: printable(&certificate.subject().to_string()),
            issuer: printable(&certificate.issuer().to_string()),
            common_name: common_name(&certificate),
            serial: certificate.raw_serial_as_string(),
            not_before: validity.not_before.to_datetime(),
            not_after: validity.not_after.to_datetime(),
            sans: sans(&certificate),
            key: KeyFacts::of(certificate.public_key()),
            fingerprint_sha256: HEXLOWER.encode(digest::digest(&digest::SHA256, der).as_ref()),
            spki_sha256: Pin::of_spki(certificate.public_key().raw),
            version: match certificate.version() {
                X509Version(number) => number + 1,
            },
            ca: certificate.is_ca(),
            purposes: purposes(&certificate),
            signature: signature(&certificate),
            self_issued: certificate.subject().as_raw() == certificate.issuer().as_raw(),
            names: Names::of(&certificate),
        })
    }

    /// Whether the names, and the key identifiers where both have them, say that `issuer` has signed this certificate.
    pub fn is_issued_by(&self, issuer: &Self) -> bool {
        let keys = self
            .names
            .issuer_key
            .as_ref()
            .zip(issuer.names.key.as_ref());
        self.names.issuer == issuer.names.subject && keys.is_none_or(|(wanted, is)| wanted == is)
    }

    /// Whether this moment is within its validity, both ends included (RFC 5280, section 4.1.2.5).
    pub fn is_valid_at(&self, moment: OffsetDateTime) -> bool {
        self.not_before <= moment && moment <= self.not_after
    }

    /// The common name, or else the whole subject, for messages.
    pub fn name(&self) -> &str {
        self.common_name.as_deref().unwrap_or(&self.subject)
    }
}

impl KeyFacts {
    fn of(spki: &SubjectPublicKeyInfo<'_>) -> Self {
        let oid = spki.algorithm.algorithm.to_id_string();
        if oid == "1.3.101.112" {
            return Self::Ed25519;
        }
        match spki.parsed() {
            Ok(PublicKey::RSA(rsa)) => Self::Rsa(bits(rsa.modulus)),
            // P-521 does not fill its bytes.
            Ok(PublicKey::EC(point)) => Self::Ec(match point.key_size() {
                528 => 521,
                size => u32::try_from(size).unwrap_or(u32::MAX),
            }),
            Ok(
                PublicKey::DSA(_)
                | PublicKey::GostR3410(_)
                | PublicKey::GostR3410_2012(_)
                | PublicKey::Unknown(_),
            )
            | Err(_) => Self::Other(oid),
        }
    }

    /// The size of an RSA key in bits.
    pub fn rsa_bits(&self) -> Option<u32> {
        match self {
            Self::Rsa(bits) => Some(*bits),
            Self::Ec(_) | Self::Ed25519 | Self::Other(_) => None,
        }
    }
}

impl fmt::Display for KeyFacts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Rsa(bits) => write!(f, "RSA {bits}"),
            Self::Ec(bits) => write!(f, "EC P-{bits}"),
            Self::Ed25519 => f.write_str("Ed25519"),
            Self::Other(oid) => write!(f, "algorithm {oid}"),
        }
    }
}

impl Names {
    fn of(certificate: &X509Certificate<'_>) -> Self {
        let (mut key, mut issuer_key) = (None, None);
        for extension in certificate.extensions() {
            let parsed = extension.parsed_extension();
            if let ParsedExtension::SubjectKeyIdentifier(id) = parsed {
                key = Some(id.0.to_vec());
            }
            if let ParsedExtension::AuthorityKeyIdentifier(id) = parsed {
                issuer_key = id.key_identifier.as_ref().map(|id| id.0.to_vec());
            }
        }
        Self {
            subject: certificate.subject().as_raw().to_vec(),
            issuer: certificate.issuer().as_raw().to_vec(),
            key,
            issuer_key,
        }
    }
}

/// The size of the RSA key in a `SubjectPublicKeyInfo` (DER), in bits; `None` for every other key.
pub(super) fn rsa_bits(spki: &[u8]) -> Option<u32> {
    let (_, parsed) = SubjectPublicKeyInfo::from_der(spki).ok()?;
    KeyFacts::of(&parsed).rsa_bits()
}

/// A moment as people write it, to the second, in UTC.
pub(super) fn date(moment: OffsetDateTime) -> String {
    let format = format_description!("[year]-[month]-[day] [hour]:[minute]:[second] UTC");
    moment
        .to_offset(time::UtcOffset::UTC)
        .format(format)
        .unwrap_or_else(|_| moment.to_string())
}

/// Bits of a big-endian number.
fn bits(number: &[u8]) -> u32 {
    let zeros = number.iter().take_while(|byte| **byte == 0).count();
    let Some(first) = number.get(zeros) else {
        return 0;
    };
    let whole = u32::try_from(number.len() - zeros).unwrap_or(u32::MAX / 8);
    whole * 8 - first.leading_zeros()
}

fn common_name(certificate: &X509Certificate<'_>) -> Option<String> {
    let mut names = certificate.subject().iter_common_name();
    names.next()?.as_str().ok().map(printable)
}

fn sans(certificate: &X509Certificate<'_>) -> Vec<String> {
    let Ok(Some(names)) = certificate.subject_alternative_name() else {
        return Vec::new();
    };
    let names = names.value.general_names.iter();
    names.map(|name| printable(&san(name))).collect()
}

fn san(name: &GeneralName<'_>) -> String {
    if let GeneralName::DNSName(name) = name {
        return (*name).to_owned();
    }
    let GeneralName::IPAddress(bytes) = name else {
        return name.to_string();
    };
    if let Ok(four) = <[u8; 4]>::try_from(*bytes) {
        return Ipv4Addr::from(four).to_string();
    }
    match <[u8; 16]>::try_from(*bytes) {
        Ok(sixteen) => Ipv6Addr::from(sixteen).to_string(),
        Err(_) => HEXLOWER.encode(bytes),
    }
}

fn purposes(certificate: &X509Certificate<'_>) -> Option<Purposes> {
    let usage = certificate.extended_key_usage().ok()??;
    Some(Purposes {
        server: usage.value.server_auth,
        client: usage.value.client_auth,
    })
}

fn signature(certificate: &X509Certificate<'_>) -> SignatureFacts {
    let oid = certificate.signature_algorithm.algorithm.to_id_string();
    match oid.as_str() {
        "1.2.840.113549.1.1.2" => SignatureFacts::Weak("MD2"),
        "1.2.840.113549.1.1.4" => SignatureFacts::Weak("MD5"),
        "1.2.840.113549.1.1.5" | "1.2.840.10045.4.1" | "1.2.840.10040.4.3" | "1.3.14.3.2.29" => {
            SignatureFacts::Weak("SHA-1")
        }
        _ => SignatureFacts::Other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tls::testing::{Place, root, server};

    /// openssl is the judge.
    #[test]
    fn facts_are_those_that_openssl_shows() {
        let place = Place::new();
        place.openssl(
            "req -x509 -newkey rsa:2048 -nodes -keyout k -outform DER -out c -subj /O=Plant/CN=tunnel -days 9 -set_serial \
             0x1234 -addext subjectAltName=DNS:tunnel.example,IP:192.0.2.1,IP:2001:db8::1,email:a@b -addext \
             extendedKeyUsage=serverAuth",
        );
        let facts = CertificateFacts::from_der(&place.read("c")).unwrap();
        assert_eq!(facts.subject, "O=Plant, CN=tunnel");
        assert_eq!(facts.issuer, facts.subject);
        assert_eq!((facts.name(), facts.serial.as_str()), ("tunnel", "12:34"));
        assert_eq!(
            facts.sans[..3],
            ["tunnel.example", "192.0.2.1", "2001:db8::1"]
        );
        assert!(facts.sans[3].contains("a@b"), "{:?}", facts.sans);
        assert_eq!(facts.not_after - facts.not_before, time::Duration::days(9));
        assert_eq!(facts.key.to_string(), "RSA 2048");
        let purposes = facts.purposes.unwrap();
        assert!(purposes.server && !purposes.client && facts.ca && facts.self_issued);

        place.openssl("x509 -in c -inform DER -noout -fingerprint -sha256 -out fingerprint");
        let shown = String::from_utf8(place.read("fingerprint")).unwrap();
        let shown = shown.split('=').nth(1).unwrap().trim().replace(':', "");
        assert_eq!(facts.fingerprint_sha256, shown.to_lowercase());
        // As the error of a wrong pin tells people to make one.
        place.openssl("pkey -in k -pubout -outform DER -out spki");
        place.openssl("dgst -sha256 -binary -out digest spki");
        let pin = data_encoding::BASE64.encode(&place.read("digest"));
        assert_eq!(facts.spki_sha256.to_string(), format!("sha256/{pin}"));
    }

    #[test]
    fn keys_have_kind_and_size() {
        let place = Place::new();
        for (options, text) in [
            ("ec -pkeyopt ec_paramgen_curve:P-256", "EC P-256"),
            ("ec -pkeyopt ec_paramgen_curve:P-384", "EC P-384"),
            ("ec -pkeyopt ec_paramgen_curve:P-521", "EC P-521"),
            ("ed25519", "Ed25519"),
            ("ed448", "algorithm 1.3.101.113"),
            ("rsa:1024", "RSA 1024"),
        ] {
            place.openssl(&format!(
                "req -x509 -newkey {options} -nodes -keyout k -outform DER -out c -subj /CN=x -days 9"
            ));
            let facts = CertificateFacts::from_der(&place.read("c")).unwrap();
            assert_eq!(facts.key.to_string(), text);
        }
    }

    #[test]
    fn names_cannot_move_the_cursor() {
        let mut params = rcgen::CertificateParams::default();
        let name = "a\x1b[2J\u{202e}b";
        params
            .distinguished_name
            .push(rcgen::DnType::CommonName, name);
        let made = params.self_signed(&rcgen::KeyPair::generate().unwrap());
        let facts = CertificateFacts::from_der(made.unwrap().der()).unwrap();
        assert_eq!(facts.name(), "a\\u{1b}[2J\\u{202e}b");
        assert!(facts.subject.contains(facts.name()), "{}", facts.subject);
    }

    #[test]
    fn exactly_one_certificate_is_read() {
        let der = server(&root("CA")).der;
        assert!(matches!(
            CertificateFacts::from_der(&der[..der.len() - 1]),
            Err(FactsError::Structure(_))
        ));
        let more = [&der[..], b"x"].concat();
        assert_eq!(
            CertificateFacts::from_der(&more),
            Err(FactsError::Trailing(1))
        );
    }
}
