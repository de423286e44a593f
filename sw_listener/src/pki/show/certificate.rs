//! What certificates and requests say.

use time::OffsetDateTime;
use x509_parser::certification_request::X509CertificationRequest;
use x509_parser::extensions::{ExtendedKeyUsage, GeneralName, ParsedExtension};
use x509_parser::prelude::FromDer;

use super::super::facts::{Unreadable, general_name, parse, serial_text};
use super::super::text::printable;
use super::key;
use super::parts::{self, Certificate, Request, Uid, Validity};
use crate::identity::{self, UidSource};
use crate::policy::signature::{self, Signed};

/// Everything about a certificate (DER); `above` is the next one of the file.
///
/// # Errors
///
/// It is none.
pub(super) fn describe(
    der: &[u8],
    above: Option<&[u8]>,
    now: OffsetDateTime,
) -> Result<Certificate, Unreadable> {
    let x509 = parse(der)?;
    let (from, until) = (x509.validity().not_before, x509.validity().not_after);
    let constraints = x509.basic_constraints().ok().flatten();
    let names = x509.subject_alternative_name().ok().flatten();
    let usage = x509.key_usage().ok().flatten();
    let extended = x509.extended_key_usage().ok().flatten();
    Ok(Certificate {
        subject: printable(&x509.subject().to_string()),
        uid_by_cn: uid(der, UidSource::CommonName),
        uid_by_uid: uid(der, UidSource::UserId),
        issuer: printable(&x509.issuer().to_string()),
        serial: serial_text(x509.raw_serial()),
        not_before: parts::time(from),
        not_after: parts::time(until),
        validity: Validity::at(now, from.to_datetime(), Some(until.to_datetime())),
        days_left: (until.to_datetime() - now)
            .whole_seconds()
            .div_euclid(86_400),
        names: names
            .map(|names| texts(&names.value.general_names))
            .unwrap_or_default(),
        ca: x509.is_ca(),
        path_length: constraints.and_then(|one| one.value.path_len_constraint),
        key_usage: usage
            .map(|usage| words(&usage.value.to_string()))
            .unwrap_or_default(),
        extended_key_usage: extended
            .map(|usage| purposes(usage.value))
            .unwrap_or_default(),
        key: key::kind(x509.public_key().raw),
        sha256: key::fingerprint(der),
        spki_pin: key::pin(x509.public_key().raw),
        signed_by_next: above
            .and_then(|above| parse(above).ok())
            .is_some_and(|above| {
                x509.issuer().as_raw() == above.subject().as_raw()
                    && signed(der, above.public_key().raw)
            }),
        self_signed: x509.issuer().as_raw() == x509.subject().as_raw()
            && signed(der, x509.public_key().raw),
    })
}

/// Everything about a certificate request (DER, RFC 2986).
///
/// # Errors
///
/// What the parser says.
pub(super) fn request(der: &[u8]) -> Result<Request, String> {
    let (_, request) =
        X509CertificationRequest::from_der(der).map_err(|error| error.to_string())?;
    let info = &request.certification_request_info;
    let names = request
        .requested_extensions()
        .into_iter()
        .flatten()
        .find_map(|extension| {
            if let ParsedExtension::SubjectAlternativeName(names) = extension {
                return Some(texts(&names.general_names));
            }
            None
        });
    Ok(Request {
        subject: printable(&info.subject.to_string()),
        names: names.unwrap_or_default(),
        key: key::kind(info.subject_pki.raw),
        spki_pin: key::pin(info.subject_pki.raw),
        signature_good: signed(der, info.subject_pki.raw),
    })
}

fn signed(der: &[u8], spki: &[u8]) -> bool {
    let supported = rustls::crypto::aws_lc_rs::default_provider().signature_verification_algorithms;
    Signed::split(der).is_some_and(|signed| signature::verify(&supported, spki, signed).is_ok())
}

fn uid(der: &[u8], source: UidSource) -> Uid {
    match identity::read(der, source) {
        Ok(identity) => Uid::Uid(identity.uid.to_string()),
        Err(error) => Uid::None(printable(&error.to_string())),
    }
}

fn texts(names: &[GeneralName<'_>]) -> Vec<String> {
    names
        .iter()
        .map(|name| printable(&general_name(name)))
        .collect()
}

/// The parser's list, whose items are apart by commas.
fn words(list: &str) -> Vec<String> {
    let words = list
        .split(',')
        .map(str::trim)
        .filter(|word| !word.is_empty());
    words.map(str::to_owned).collect()
}

/// The names of RFC 5280, section 4.2.1.12; the rest by number.
fn purposes(usage: &ExtendedKeyUsage<'_>) -> Vec<String> {
    let known = [
        (usage.any, "anyExtendedKeyUsage"),
        (usage.server_auth, "serverAuth"),
        (usage.client_auth, "clientAuth"),
        (usage.code_signing, "codeSigning"),
        (usage.email_protection, "emailProtection"),
        (usage.time_stamping, "timeStamping"),
        (usage.ocsp_signing, "OCSPSigning"),
    ];
    let known = known
        .into_iter()
        .filter(|(there, _)| *there)
        .map(|(_, name)| name.to_owned());
    known
        .chain(usage.other.iter().map(|oid| oid.to_id_string()))
        .collect()
}
