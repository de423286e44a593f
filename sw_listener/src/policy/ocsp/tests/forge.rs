//! A small CA, and answers signed by whomever, saying whatever.

use std::time::{Duration, SystemTime};

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, CustomExtension, DnType,
    ExtendedKeyUsagePurpose, IsCa, KeyPair, SerialNumber, SignatureAlgorithm, SigningKey,
};
use rustls::{crypto::WebPkiSupportedAlgorithms, pki_types::CertificateDer};
use time::{OffsetDateTime, macros::format_description};
use x509_parser::prelude::{FromDer, X509Certificate};

use crate::{
    config::CertIdHash,
    policy::{
        chain::{Issuer, Link, Path},
        ocsp::{cert_id, cert_id::CertId, der, request, response},
    },
};

pub(super) type Ca = CertifiedIssuer<'static, KeyPair>;

pub(super) fn supported() -> WebPkiSupportedAlgorithms {
    rustls::crypto::aws_lc_rs::default_provider().signature_verification_algorithms
}

pub(super) fn ca(kind: &'static SignatureAlgorithm) -> Ca {
    let mut params = CertificateParams::default();
    params
        .distinguished_name
        .push(DnType::CommonName, "Plant CA");
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    Ca::self_signed(params, KeyPair::generate_for(kind).unwrap()).unwrap()
}

/// The CA as an issuer.
pub(super) fn issuer(ca: &Ca) -> Issuer {
    let (_, parsed) = X509Certificate::from_der(ca.der()).unwrap();
    Issuer {
        name: parsed.subject().as_raw().to_vec(),
        spki: parsed.public_key().raw.to_vec(),
    }
}

/// A leaf that names these responders.
pub(super) fn leaf(ca: &Ca, serial: u64, responders: &[&str]) -> Link {
    let mut params = CertificateParams::default();
    params.serial_number = Some(SerialNumber::from(serial));
    if !responders.is_empty() {
        let descriptions: Vec<_> = responders.iter().map(|url| access(url)).collect();
        let parts: Vec<_> = descriptions.iter().map(Vec::as_slice).collect();
        params.custom_extensions = vec![CustomExtension::from_oid_content(
            &[1, 3, 6, 1, 5, 5, 7, 1, 1],
            der::element(der::SEQUENCE, &parts),
        )];
    }
    let key = KeyPair::generate().unwrap();
    Link {
        certificate: params.signed_by(&key, ca).unwrap().der().clone(),
        issuer: issuer(ca),
    }
}

/// `AccessDescription` of an OCSP responder.
fn access(url: &str) -> Vec<u8> {
    let ocsp = der::element(
        der::OBJECT_IDENTIFIER,
        &[&[0x2b, 0x06, 0x01, 0x05, 0x05, 0x07, 0x30, 0x01]],
    );
    let url = der::element(der::primitive(6), &[url.as_bytes()]);
    der::element(der::SEQUENCE, &[&ocsp, &url])
}

pub(super) fn path(link: &Link) -> Path {
    Path {
        links: vec![link.clone()],
    }
}

pub(super) fn id(link: &Link) -> CertId {
    let (_, parsed) = X509Certificate::from_der(&link.certificate).unwrap();
    CertId::new(CertIdHash::Sha1, &link.issuer, parsed.raw_serial()).unwrap()
}

/// A responder's certificate and key.
pub(super) struct Delegate {
    pub(super) certificate: CertificateDer<'static>,
    pub(super) key: KeyPair,
}

/// One issued by `ca`, with changes.
pub(super) fn delegate(
    ca: &Ca,
    kind: &'static SignatureAlgorithm,
    change: impl FnOnce(&mut CertificateParams),
) -> Delegate {
    let mut params = CertificateParams::default();
    params
        .distinguished_name
        .push(DnType::CommonName, "OCSP of Plant CA");
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::OcspSigning];
    change(&mut params);
    let key = KeyPair::generate_for(kind).unwrap();
    let certificate = params.signed_by(&key, ca).unwrap().der().clone();
    Delegate { certificate, key }
}

/// Seconds since 1970 as a GeneralizedTime.
fn time(time: SystemTime) -> Vec<u8> {
    let format = format_description!("[year][month][day][hour][minute][second]Z");
    let text = OffsetDateTime::from(time).format(&format).unwrap();
    der::element(der::GENERALIZED_TIME, &[text.as_bytes()])
}

/// The parts of an answer.
#[derive(Clone)]
pub(super) struct Answer {
    pub(super) response_status: u8,
    pub(super) responder: Vec<u8>,
    pub(super) produced_at: SystemTime,
    pub(super) id: CertId,
    pub(super) status: Vec<u8>,
    pub(super) this_update: SystemTime,
    pub(super) next_update: Option<SystemTime>,
    /// How often the single response is there.
    pub(super) times: usize,
    pub(super) nonce: Option<Vec<u8>>,
    pub(super) certificates: Vec<CertificateDer<'static>>,
}

pub(super) fn good() -> Vec<u8> {
    der::element(der::primitive(0), &[])
}

pub(super) fn unknown() -> Vec<u8> {
    der::element(der::primitive(2), &[])
}

pub(super) fn revoked(when: SystemTime) -> Vec<u8> {
    let reason = der::element(der::ENUMERATED, &[&[1]]);
    let reason = der::element(der::constructed(0), &[&reason]);
    der::element(der::constructed(1), &[&time(when), &reason])
}

/// The responder's name of itself: its certificate's subject.
pub(super) fn by_name(certificate: &[u8]) -> Vec<u8> {
    let (_, parsed) = X509Certificate::from_der(certificate).unwrap();
    der::element(der::constructed(1), &[parsed.subject().as_raw()])
}

/// The same: the hash of its key.
pub(super) fn by_key(certificate: &[u8]) -> Vec<u8> {
    let (_, parsed) = X509Certificate::from_der(certificate).unwrap();
    let hash = cert_id::key_hash(parsed.public_key().raw).unwrap();
    let hash = der::element(der::OCTET_STRING, &[&hash]);
    der::element(der::constructed(2), &[&hash])
}

impl Answer {
    /// "Good", by the CA itself, for an hour.
    pub(super) fn new(ca: &Ca, id: CertId, now: SystemTime) -> Self {
        Self {
            response_status: 0,
            responder: by_name(ca.der()),
            produced_at: now,
            id,
            status: good(),
            this_update: now,
            next_update: Some(now + Duration::from_secs(3600)),
            times: 1,
            nonce: None,
            certificates: Vec::new(),
        }
    }

    /// DER, signed with a P-256 key.
    pub(super) fn sign(&self, key: &KeyPair) -> Vec<u8> {
        let next = self
            .next_update
            .map(|next| der::element(der::constructed(0), &[&time(next)]));
        let single = der::element(
            der::SEQUENCE,
            &[
                &self.id.to_der(),
                &self.status,
                &time(self.this_update),
                &next.unwrap_or_default(),
            ],
        );
        let singles = der::element(der::SEQUENCE, &vec![&single[..]; self.times]);
        let extensions = self.nonce.as_deref().map(|nonce| {
            let id = der::element(der::OBJECT_IDENTIFIER, &[request::NONCE]);
            let value = der::element(der::OCTET_STRING, &[&request::nonce_value(nonce)]);
            let extension = der::element(der::SEQUENCE, &[&id, &value]);
            let list = der::element(der::SEQUENCE, &[&extension]);
            der::element(der::constructed(1), &[&list])
        });
        let data = der::element(
            der::SEQUENCE,
            &[
                &self.responder,
                &time(self.produced_at),
                &singles,
                &extensions.unwrap_or_default(),
            ],
        );
        let signature = [vec![0], key.sign(&data).unwrap()].concat();
        let basic = der::element(
            der::SEQUENCE,
            &[
                &data,
                &ecdsa_with_sha256(),
                &der::element(0x03, &[&signature]),
                &self.certificates(),
            ],
        );
        let bytes = der::element(
            der::SEQUENCE,
            &[
                &der::element(der::OBJECT_IDENTIFIER, &[response::BASIC]),
                &der::element(der::OCTET_STRING, &[&basic]),
            ],
        );
        der::element(
            der::SEQUENCE,
            &[
                &der::element(der::ENUMERATED, &[&[self.response_status]]),
                &der::element(der::constructed(0), &[&bytes]),
            ],
        )
    }

    fn certificates(&self) -> Vec<u8> {
        if self.certificates.is_empty() {
            return Vec::new();
        }
        let all: Vec<&[u8]> = self.certificates.iter().map(AsRef::as_ref).collect();
        der::element(der::constructed(0), &[&der::element(der::SEQUENCE, &all)])
    }
}

fn ecdsa_with_sha256() -> Vec<u8> {
    const OID: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x02];
    der::element(
        der::SEQUENCE,
        &[&der::element(der::OBJECT_IDENTIFIER, &[OID])],
    )
}
