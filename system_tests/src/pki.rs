//! Certificates of all kinds, good and bad.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use aws_lc_rs::digest;
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DistinguishedName, DnType, DnValue,
    ExtendedKeyUsagePurpose, IsCa, KeyPair, KeyUsagePurpose, SanType, SigningKey,
};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use time::{Duration, OffsetDateTime};

/// A certificate authority, root or intermediate.
pub struct Ca {
    pub(crate) issuer: CertifiedIssuer<'static, KeyPair>,
}

/// A certificate with its key, and what is sent behind it.
pub struct Issued {
    /// Leaf first.
    pub chain: Vec<CertificateDer<'static>>,
    /// The leaf's key, PKCS #8.
    pub key: KeyPair,
}

impl Ca {
    /// A root.
    pub fn root(name: &str) -> Self {
        let issuer = CertifiedIssuer::self_signed(ca_params(name), key());
        Self {
            issuer: issuer.unwrap(),
        }
    }

    /// A root that ends in this time, or has ended before now.
    pub fn root_until(name: &str, left: Duration) -> Self {
        let mut params = ca_params(name);
        params.not_after = OffsetDateTime::now_utc() + left;
        let issuer = CertifiedIssuer::self_signed(params, key());
        Self {
            issuer: issuer.unwrap(),
        }
    }

    /// An intermediate under this one.
    pub fn intermediate(&self, name: &str) -> Self {
        let issuer = CertifiedIssuer::signed_by(ca_params(name), key(), &self.issuer);
        Self {
            issuer: issuer.unwrap(),
        }
    }

    /// Its certificate, PEM.
    pub fn pem(&self) -> String {
        self.issuer.pem()
    }

    /// Its certificate.
    pub fn der(&self) -> CertificateDer<'static> {
        self.issuer.der().clone()
    }

    /// Its key, PEM.
    pub fn key_pem(&self) -> String {
        self.issuer.key().serialize_pem()
    }

    /// Its serial number, big-endian.
    pub fn serial(&self) -> Vec<u8> {
        serial(self.issuer.der())
    }

    /// For a listener on loopback.
    pub fn server(&self) -> Issued {
        self.server_at(&[Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into()])
    }

    /// For a listener on these addresses.
    pub fn server_at(&self, addresses: &[IpAddr]) -> Issued {
        let mut params = CertificateParams::new(["localhost".to_owned()]).unwrap();
        let names = addresses.iter().map(|ip| SanType::IpAddress(*ip));
        params.subject_alt_names.extend(names);
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        self.sign(params)
    }

    /// For a connector with this UID.
    pub fn client(&self, uid: &str) -> Issued {
        self.sign(client_params(&[(DnType::CommonName, uid)]))
    }

    /// For a connector, valid since so many seconds; negative: not yet.
    pub fn client_since(&self, uid: &str, seconds: i64) -> Issued {
        let mut params = client_params(&[(DnType::CommonName, uid)]);
        params.not_before = OffsetDateTime::now_utc() - Duration::seconds(seconds);
        self.sign(params)
    }

    /// For a connector, with a subject of these attributes.
    pub fn client_with(&self, subject: &[(DnType, &str)]) -> Issued {
        self.sign(client_params(subject))
    }

    /// For a connector with a certificate of a day that ends in this time.
    pub fn client_of_a_day(&self, uid: &str, left: Duration) -> Issued {
        let mut params = client_params(&[(DnType::CommonName, uid)]);
        params.not_after = OffsetDateTime::now_utc() + left;
        params.not_before = params.not_after - Duration::DAY;
        self.sign(params)
    }

    /// For a connector with a certificate that began an hour ago and ends in this time.
    pub fn client_until(&self, uid: &str, left: Duration) -> Issued {
        let mut params = client_params(&[(DnType::CommonName, uid)]);
        params.not_before = OffsetDateTime::now_utc() - Duration::HOUR;
        params.not_after = OffsetDateTime::now_utc() + left;
        self.sign(params)
    }

    /// For a listener on loopback, with a certificate that ends in this time.
    pub fn server_until(&self, left: Duration) -> Issued {
        let mut params = CertificateParams::new(["localhost".to_owned()]).unwrap();
        params.distinguished_name = named(&[(DnType::CommonName, "listener")]);
        let loopback = SanType::IpAddress(Ipv4Addr::LOCALHOST.into());
        params.subject_alt_names.push(loopback);
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        params.not_after = OffsetDateTime::now_utc() + left;
        self.sign(params)
    }

    /// For a connector whose certificate has expired an hour ago.
    pub fn expired_client(&self, uid: &str) -> Issued {
        let mut params = client_params(&[(DnType::CommonName, uid)]);
        params.not_before = OffsetDateTime::now_utc() - Duration::days(2);
        params.not_after = OffsetDateTime::now_utc() - Duration::hours(1);
        self.sign(params)
    }

    /// For something that is no connector: a client's name, a server's purpose.
    pub fn server_named(&self, uid: &str) -> Issued {
        let mut params = client_params(&[(DnType::CommonName, uid)]);
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        self.sign(params)
    }

    /// For a connector whose CN shares its RDN with an organisation. The library cannot make one, so the subject's two
    /// SETs are joined into one (in the room of a two bytes longer CN) and the result is signed again.
    pub fn multi_valued_client(&self, uid: &str) -> Issued {
        let padded = format!("{uid}xx");
        let subject = [
            (DnType::OrganizationName, "o"),
            (DnType::CommonName, padded.as_str()),
        ];
        let mut issued = self.client_with(&subject);
        let leaf = issued.chain[0].to_vec();
        let (start, length) = contents(&leaf);
        let (inner, tbs_length) = contents(&leaf[start..start + length]);
        let mut tbs = leaf[start..start + inner + tbs_length].to_vec();
        let algorithm = &leaf[start + inner + tbs_length..];
        let algorithm = &algorithm[..2 + usize::from(algorithm[1])];

        let attribute = |oid: [u8; 3], text: &str| {
            let value = [&[0x0c, text.len() as u8][..], text.as_bytes()].concat();
            let inner = [&[0x06, 3][..], &oid, &value].concat();
            [&[0x30, inner.len() as u8][..], &inner].concat()
        };
        let set = |content: &[u8]| [&[0x31, content.len() as u8][..], content].concat();
        let (o, cn) = (
            attribute([0x55, 4, 10], "o"),
            attribute([0x55, 4, 3], &padded),
        );
        let two = [set(&o), set(&cn)].concat();
        // DER sorts the members of a SET.
        let long_cn = attribute([0x55, 4, 3], &format!("{padded}xx"));
        let mut members = [o, long_cn];
        members.sort();
        let one = set(&members.concat());
        assert_eq!(one.len(), two.len());
        let at = tbs.windows(two.len()).position(|bytes| bytes == two);
        let at = at.expect("the subject");
        tbs[at..at + one.len()].copy_from_slice(&one);

        let signature = self.issuer.key().sign(&tbs).unwrap();
        let bits = [&[0x03, signature.len() as u8 + 1, 0][..], &signature].concat();
        let body = [&tbs[..], algorithm, &bits].concat();
        let length = u16::try_from(body.len()).unwrap().to_be_bytes();
        let der = [&[0x30, 0x82][..], &length, &body].concat();
        issued.chain = vec![der.into()];
        issued
    }

    fn sign(&self, params: CertificateParams) -> Issued {
        let key = key();
        let leaf = params.signed_by(&key, &self.issuer).unwrap();
        Issued {
            chain: vec![leaf.der().clone()],
            key,
        }
    }
}

impl Issued {
    /// The chain, PEM.
    pub fn chain_pem(&self) -> String {
        let pem = |der: &CertificateDer<'_>| {
            pem::encode(&pem::Pem::new("CERTIFICATE", der.to_vec())).replace("\r\n", "\n")
        };
        self.chain.iter().map(pem).collect()
    }

    /// The leaf's serial number, big-endian.
    pub fn serial(&self) -> Vec<u8> {
        serial(&self.chain[0])
    }

    /// SHA-256 of the leaf, hexadecimal.
    pub fn fingerprint(&self) -> String {
        let digest = digest::digest(&digest::SHA256, &self.chain[0]);
        digest.as_ref().iter().map(|b| format!("{b:02x}")).collect()
    }

    /// The key, PEM.
    pub fn key_pem(&self) -> String {
        self.key.serialize_pem()
    }

    /// The key for rustls.
    pub fn key_der(&self) -> PrivateKeyDer<'static> {
        PrivateKeyDer::Pkcs8(self.key.serialize_der().into())
    }

    /// The same with another certificate behind it.
    pub fn followed_by(mut self, certificate: CertificateDer<'static>) -> Self {
        self.chain.push(certificate);
        self
    }
}

impl Clone for Issued {
    fn clone(&self) -> Self {
        Self {
            chain: self.chain.clone(),
            key: KeyPair::from_pem(&self.key_pem()).unwrap(),
        }
    }
}

fn key() -> KeyPair {
    KeyPair::generate().unwrap()
}

fn ca_params(name: &str) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = named(&[(DnType::CommonName, name)]);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params
}

fn client_params(subject: &[(DnType, &str)]) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = named(subject);
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
    params
}

fn named(subject: &[(DnType, &str)]) -> DistinguishedName {
    let mut name = DistinguishedName::new();
    for (kind, value) in subject {
        name.push(kind.clone(), DnValue::Utf8String((*value).to_owned()));
    }
    name
}

/// Certificate, TBSCertificate, version, then the number (RFC 5280, section 4.1).
fn serial(certificate: &[u8]) -> Vec<u8> {
    let (tbs, _) = contents(certificate);
    let version = tbs + contents(&certificate[tbs..]).0;
    let (start, length) = contents(&certificate[version..]);
    let number = version + start + length;
    assert_eq!(certificate[number], 0x02, "an INTEGER");
    let (start, length) = contents(&certificate[number..]);
    certificate[number + start..][..length].to_vec()
}

/// Where the contents of a DER value begin, and how long they are.
fn contents(der: &[u8]) -> (usize, usize) {
    match der[1] {
        short @ 0..=0x7f => (2, short.into()),
        0x81 => (3, der[2].into()),
        0x82 => (4, usize::from(u16::from_be_bytes([der[2], der[3]]))),
        other => panic!("a length of kind {other:#x}"),
    }
}
