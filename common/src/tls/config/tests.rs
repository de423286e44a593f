//! Handshakes of the two configurations, in memory.

use std::io::{Read, Write};

use rcgen::KeyPair;
use rustls::{
    ClientConnection, Connection, ServerConnection,
    server::ResolvesServerCert,
    sign::{CertifiedKey, SingleCertAndKey},
};

use super::*;
use crate::tls::{
    Pin,
    testing::{
        Ca, Made, ca_params, client as client_leaf, client_with, intermediate, issue, key, root,
        roots, rsa, server as server_leaf, server_params,
    },
};

/// Both sides, in parts that a test exchanges.
struct Case {
    server: Credentials,
    client: Credentials,
    listener: TlsPolicy,
    connector: TlsPolicy,
    checks: ListenerChecks,
    ca: Ca,
}

impl Case {
    fn new(ca: Ca) -> Self {
        Self {
            server: server_leaf(&ca).credentials(&[]),
            client: client_leaf(&ca).credentials(&[]),
            listener: TlsPolicy::default(),
            connector: TlsPolicy::default(),
            checks: ListenerChecks::default(),
            ca,
        }
    }

    fn with_server(leaf: &Made, between: &[&Ca], ca: Ca) -> Self {
        Self {
            server: leaf.credentials(between),
            ..Self::new(ca)
        }
    }

    fn server_config(&self) -> ServerConfig {
        let copy = copy(&self.server);
        server(copy, roots(&self.ca), &self.listener, true).unwrap()
    }

    /// The suite and the group that both have agreed on, or the error of whoever had one.
    fn shake(&self) -> Result<(String, String), String> {
        self.shake_with(self.server_config())
    }

    fn shake_with(&self, server: ServerConfig) -> Result<(String, String), String> {
        let (copy, checks) = (copy(&self.client), &self.checks);
        let client = client(copy, roots(&self.ca), &self.connector, checks, true).unwrap();
        let name = "localhost".try_into().unwrap();
        let client = ClientConnection::new(Arc::new(client), name).unwrap();
        let server = ServerConnection::new(Arc::new(server)).unwrap();
        let (mut client, mut server) = (client.into(), server.into());
        // Three flights either way are enough, even with a HelloRetryRequest.
        for _ in 0..3 {
            carry(&mut client, &mut server)?;
            carry(&mut server, &mut client)?;
        }
        // The client is done first; its certificate is accepted when data comes through.
        server.writer().write_all(b"x").unwrap();
        carry(&mut server, &mut client)?;
        let mut byte = [0];
        client
            .reader()
            .read_exact(&mut byte)
            .map_err(|error| error.to_string())?;
        let suite = client.negotiated_cipher_suite().unwrap().suite();
        let group = client.negotiated_key_exchange_group().unwrap().name();
        Ok((format!("{suite:?}"), format!("{group:?}")))
    }

    fn fails_with(&self, parts: &[&str]) {
        let error = self.shake().unwrap_err();
        for part in parts {
            assert!(error.contains(part), "{part:?} is not in: {error}");
        }
    }
}

fn carry(from: &mut Connection, to: &mut Connection) -> Result<(), String> {
    let mut bytes = Vec::new();
    while from.wants_write() {
        from.write_tls(&mut bytes).unwrap();
    }
    let mut left = bytes.as_slice();
    while !left.is_empty() {
        to.read_tls(&mut left).unwrap();
        to.process_new_packets()
            .map_err(|error| error.to_string())?;
    }
    Ok(())
}

fn copy(credentials: &Credentials) -> Credentials {
    Credentials {
        chain: credentials.chain.clone(),
        key: credentials.key.clone_key(),
    }
}

fn pin_of(der: &[u8]) -> Pin {
    crate::tls::CertificateFacts::from_der(der)
        .unwrap()
        .spki_sha256
}

#[test]
fn the_fastest_suite_and_the_post_quantum_group_are_agreed_on() {
    let (suite, group) = Case::new(root("CA")).shake().unwrap();
    assert_eq!(suite, "TLS13_AES_128_GCM_SHA256");
    assert_eq!(group, "X25519MLKEM768");
}

#[test]
fn the_settings_decide_about_suite_and_group() {
    let mut case = Case::new(root("CA"));
    case.listener.suites = vec!["TLS_CHACHA20_POLY1305_SHA256".parse().unwrap()];
    case.connector.groups = vec!["SECP384R1".parse().unwrap(), "X25519".parse().unwrap()];
    let (suite, group) = case.shake().unwrap();
    assert_eq!(suite, "TLS13_CHACHA20_POLY1305_SHA256");
    assert_eq!(group, "secp384r1");
    // The listener takes the connector's favourite only where it has offered a share for it.
    case.listener.groups = vec!["X25519".parse().unwrap()];
    assert_eq!(
        case.shake().unwrap().1,
        "X25519",
        "after a HelloRetryRequest"
    );
    case.listener.groups = vec!["SECP256R1".parse().unwrap()];
    assert!(case.shake().is_err(), "nothing in common");
}

/// QUIC's first packets are AES-128-GCM, whatever the settings say.
#[test]
fn quic_works_without_aes_128() {
    let case = Case::new(root("CA"));
    let policy = TlsPolicy {
        suites: vec!["TLS_AES_256_GCM_SHA384".parse().unwrap()],
        ..TlsPolicy::default()
    };
    server_config(copy(&case.server), roots(&case.ca), &policy, true).unwrap();
    let (copy, checks) = (copy(&case.client), ListenerChecks::default());
    client_config(copy, roots(&case.ca), &policy, &checks, true).unwrap();
}

#[test]
fn keys_of_every_kind_are_accepted() {
    let kinds: [fn() -> KeyPair; 4] = [
        rsa,
        || KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256).unwrap(),
        || KeyPair::generate_for(&rcgen::PKCS_ECDSA_P384_SHA384).unwrap(),
        || KeyPair::generate_for(&rcgen::PKCS_ED25519).unwrap(),
    ];
    for make in kinds {
        let ca = Ca::self_signed(ca_params("CA"), make()).unwrap();
        let mut case = Case::new(ca);
        case.server = issue(&server_params(), &case.ca, make()).credentials(&[]);
        case.client = client_with(&case.ca, make()).credentials(&[]);
        case.shake().unwrap();
    }
}

#[test]
fn a_pin_may_be_of_the_leaf_an_intermediate_or_the_root() {
    let ca = root("CA");
    let (upper, stranger) = (intermediate("Upper", &ca), intermediate("Stranger", &ca));
    let lower = intermediate("Lower", &upper);
    let leaf = server_leaf(&lower);
    let der = [&leaf.der, lower.der(), upper.der(), ca.der()].map(|der| pin_of(der));
    let stranger_pin = pin_of(stranger.der());
    // A certificate that is sent along, but vouches for nothing, does not match.
    let mut case = Case::with_server(&leaf, &[&lower, &upper, &stranger], ca);
    for pin in der {
        case.checks.pins = vec![Pin::of_spki(b"another"), pin];
        case.shake().unwrap();
    }
    case.checks.pins = vec![stranger_pin];
    let own = format!("the listener's own is {}", der[0]);
    let root = format!("its CA's is {}", der[3]);
    case.fails_with(&["is in listener_pins", &own, &root, "changed on purpose"]);
}

/// What a SCEP server can be talked into: the listener's name, from the same CA.
#[test]
fn a_pin_tells_the_listener_from_a_namesake() {
    let ca = root("CA");
    let (listener, namesake) = (server_leaf(&ca), server_leaf(&ca));
    let mut case = Case::with_server(&namesake, &[], ca);
    case.shake().unwrap();
    case.checks.pins = vec![pin_of(&listener.der)];
    case.fails_with(&["somebody else has a certificate with the listener's name"]);
}

#[test]
fn a_pin_replaces_none_of_the_other_checks() {
    let (ca, other) = (root("CA"), root("Other"));
    let leaf = server_leaf(&other);
    let mut case = Case::with_server(&leaf, &[], ca);
    case.checks.pins = vec![pin_of(&leaf.der)];
    case.fails_with(&["UnknownIssuer"]);
}

#[test]
fn an_expected_name_may_be_a_subject_alternative_name_or_the_common_name() {
    let ca = root("CA");
    let mut params = server_params();
    let names = ["*.plant.example", "tunnel.example"];
    params
        .subject_alt_names
        .extend(names.map(|name| rcgen::SanType::DnsName(name.try_into().unwrap())));
    let leaf = issue(&params, &ca, key());
    let mut case = Case::with_server(&leaf, &[], ca);
    for name in [
        "plant",
        "tunnel.example",
        "TUNNEL.example",
        "a.plant.example",
        "localhost",
    ] {
        case.checks.expected_name = Some(name.parse().unwrap());
        case.shake()
            .unwrap_or_else(|error| panic!("{name}: {error}"));
    }
    for name in ["Plant", "plan", "plant.example", "192.0.2.1", "a b"] {
        case.checks.expected_name = Some(name.parse().unwrap());
        case.fails_with(&[name, "expected_listener_name", "tunnel.example, plant"]);
    }
}

#[test]
fn a_listener_that_is_not_verified_must_still_have_the_key_of_its_certificate() {
    let (ca, other) = (root("CA"), root("Other"));
    let mut case = Case::with_server(&server_leaf(&other), &[], ca);
    case.fails_with(&["UnknownIssuer"]);
    case.checks.insecure_skip = true;
    case.shake().unwrap();
    let mut config = case.server_config();
    config.cert_resolver = with_wrong_key(&case.server);
    let error = case.shake_with(config).unwrap_err();
    assert!(error.contains("BadSignature"), "{error}");
}

/// The chain of `credentials`, and a key that does not belong to it.
fn with_wrong_key(credentials: &Credentials) -> Arc<dyn ResolvesServerCert> {
    let key = key().serialize_der();
    let provider = TlsPolicy::default().provider().key_provider;
    let signing = provider.load_private_key(rustls::pki_types::PrivateKeyDer::Pkcs8(key.into()));
    let pair = CertifiedKey::new(credentials.chain.clone(), signing.unwrap());
    Arc::new(SingleCertAndKey::from(pair))
}

#[test]
fn small_rsa_keys_are_refused_at_the_handshake_wherever_they_stand() {
    let ca = root("CA");
    let between = Ca::signed_by(ca_params("Between"), rsa(), &ca).unwrap();
    let leaf = issue(&server_params(), &ca, rsa());
    let mut case = Case::with_server(&leaf, &[], ca);
    case.shake().unwrap();
    case.connector.min_rsa_bits = 3072;
    case.fails_with(&[
        "the certificate has an RSA key of 2048 bits",
        "min_rsa_bits is 3072",
    ]);
    case.server = server_leaf(&between).credentials(&[&between]);
    case.fails_with(&["its intermediate certificate has an RSA key of 2048 bits"]);
    // Beside the path it does not matter.
    case.server = server_leaf(&case.ca).credentials(&[&between]);
    case.shake().unwrap();

    case.listener.min_rsa_bits = 3072;
    case.shake().unwrap();
    case.client = client_with(&case.ca, rsa()).credentials(&[]);
    case.fails_with(&["the certificate has an RSA key of 2048 bits"]);
    let mut case = Case::new(Ca::self_signed(ca_params("CA"), rsa()).unwrap());
    case.listener.min_rsa_bits = 3072;
    case.fails_with(&["its CA has an RSA key of 2048 bits"]);
}

/// How long a handshake takes with and without the post-quantum group: `cargo test -p common --lib -- --ignored --nocapture
/// groups`.
#[test]
#[ignore = "a measurement"]
fn what_groups_cost() {
    let mut case = Case::new(root("CA"));
    for round in 0..3 {
        for group in ["X25519", "X25519MLKEM768"] {
            case.connector.groups = vec![group.parse().unwrap()];
            let start = std::time::Instant::now();
            for _ in 0..200 {
                case.shake().unwrap();
            }
            println!("{round} {group}: {:?}", start.elapsed() / 200);
        }
    }
}
