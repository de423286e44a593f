use std::time::{Duration, SystemTime};

use rcgen::{BasicConstraints, CertificateParams, ExtendedKeyUsagePurpose, IsCa};
use time::OffsetDateTime;

use super::*;
use crate::tls::testing::{
    Ca, Made, client, intermediate, issue, key, params, root, rsa, server, server_params,
};

/// What is judged, in parts that a test exchanges.
struct Case {
    chain: Vec<CertificateDer<'static>>,
    key: Pin,
    ca: Vec<CertificateDer<'static>>,
    role: Role,
    names: Vec<ListenerName>,
    tls: TlsPolicy,
    now: SystemTime,
}

impl Case {
    fn new(role: Role, leaf: &Made, ca: &Ca) -> Self {
        Self {
            chain: vec![leaf.der.clone()],
            key: facts(&leaf.der).spki_sha256,
            ca: vec![ca.der().clone()],
            role,
            names: Vec::new(),
            tls: TlsPolicy::default(),
            now: SystemTime::now(),
        }
    }

    /// The findings, each as its weight and its text.
    fn judge(&self) -> Vec<String> {
        let chain: Vec<_> = self.chain.iter().map(facts).collect();
        let ca: Vec<_> = self.ca.iter().map(facts).collect();
        let material = Material {
            chain: Bundle {
                path: Path::new("own.crt"),
                facts: &chain,
            },
            leaf: self.chain.first(),
            key_path: Path::new("own.key"),
            key: Some(self.key),
            ca: Bundle {
                path: Path::new("ca.crt"),
                facts: &ca,
            },
        };
        let demands = Demands {
            role: self.role,
            occasion: Occasion::Check,
            names: &self.names,
            tls: &self.tls,
        };
        judge(&material, &demands, self.now)
            .iter()
            .map(|finding| format!("{:?} {finding}", finding.weight))
            .collect()
    }

    /// Exactly one finding, with these words.
    fn says(&self, parts: &[&str]) {
        let found = self.judge();
        let [finding] = found.as_slice() else {
            panic!("not one finding: {found:#?}");
        };
        for part in parts {
            assert!(finding.contains(part), "{part:?} is not in: {finding}");
        }
    }
}

fn facts(der: &CertificateDer<'static>) -> CertificateFacts {
    CertificateFacts::from_der(der).unwrap()
}

fn listener(change: impl FnOnce(&mut CertificateParams)) -> (Ca, Case) {
    let ca = root("Plant CA");
    let mut params = server_params();
    change(&mut params);
    let leaf = issue(&params, &ca, key());
    let case = Case::new(Role::Listener, &leaf, &ca);
    (ca, case)
}

#[test]
fn good_pairs_have_no_findings() {
    let ca = root("Plant CA");
    let between = intermediate("Between", &ca);
    for issuer in [&ca, &between] {
        let mut case = Case::new(Role::Listener, &server(issuer), &ca);
        if std::ptr::eq(issuer, &between) {
            case.chain.push(between.der().clone());
        }
        case.names = vec!["localhost".parse().unwrap()];
        assert_eq!(case.judge(), [""; 0]);
        case.chain.push(ca.der().clone());
        assert_eq!(case.judge(), [""; 0], "with the root");
    }
    let case = Case::new(Role::Connector, &client(&ca), &ca);
    assert_eq!(case.judge(), [""; 0]);
}

#[test]
fn a_key_of_another_certificate_is_told_with_the_one_that_it_belongs_to() {
    let ca = root("Plant CA");
    let (leaf, other) = (server(&ca), server(&ca));
    let mut case = Case::new(Role::Listener, &leaf, &ca);
    case.key = facts(&other.der).spki_sha256;
    case.says(&[
        "Problem own.key: ",
        "does not belong to",
        "own.crt",
        "another pair",
    ]);
    case.chain.push(other.der.clone());
    let found = case.judge();
    assert!(
        found[0].contains("certificate 2 (plant) of that file matches the key: put it first"),
        "{found:?}"
    );
}

#[test]
fn dates_are_told_with_the_clock() {
    let (_, mut case) = listener(|params| {
        params.not_before = time::macros::datetime!(2026-01-02 3:04:05 UTC);
        params.not_after = time::macros::datetime!(2026-02-03 4:05:06 UTC);
    });
    let at = |moment: OffsetDateTime| SystemTime::from(moment);
    case.now = at(time::macros::datetime!(2026-02-03 4:05:06 UTC));
    assert_eq!(case.judge(), [""; 0], "the last moment");
    case.now += Duration::from_secs(1);
    case.says(&[
        "Date own.crt: the certificate (plant) has expired on 2026-02-03 04:05:06 UTC",
        "clock it is 2026-02-03 04:05:07 UTC",
    ]);
    case.now = at(time::macros::datetime!(2026-01-02 3:04:04 UTC));
    case.says(&[
        "Date",
        "is not valid before 2026-01-02 03:04:05 UTC",
        "set the clock",
    ]);
}

#[test]
fn a_leaf_must_be_made_for_its_role() {
    let (ca, mut case) = listener(|_| {});
    case.role = Role::Connector;
    case.says(&["Problem", "not made for a client", "lacks clientAuth"]);
    let mut case = Case::new(Role::Connector, &client(&ca), &ca);
    case.role = Role::Listener;
    let found = case.judge();
    assert!(found[0].contains("lacks serverAuth"), "{found:?}");
    let (_, case) = listener(|params| params.extended_key_usages.clear());
    assert_eq!(case.judge(), [""; 0], "any purpose");
    let (_, case) = listener(|params| {
        params
            .extended_key_usages
            .push(ExtendedKeyUsagePurpose::ClientAuth);
    });
    assert_eq!(case.judge(), [""; 0], "both");
    let (_, case) = listener(|params| params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained));
    case.says(&[
        "Problem",
        "is a CA certificate (CA:TRUE)",
        "no peer takes for a server",
    ]);
}

#[test]
fn a_listener_must_have_the_names_that_it_is_called_by() {
    let (_, mut case) = listener(|_| {});
    case.names = ["localhost", "tunnel.example", "192.0.2.1"]
        .map(|name| name.parse().unwrap())
        .into();
    let found = case.judge();
    assert_eq!(found.len(), 2, "{found:?}");
    assert!(
        found[0].contains("does not have the name tunnel.example of server_names, but localhost")
    );
    assert!(found[1].contains("192.0.2.1"), "{found:?}");
    let (_, mut case) = listener(|params| {
        params.subject_alt_names = vec![rcgen::SanType::DnsName(
            "*.plant.example".try_into().unwrap(),
        )];
    });
    case.names = vec!["tunnel.plant.example".parse().unwrap()];
    assert_eq!(case.judge(), [""; 0], "a wildcard");
    let (_, case) = listener(|params| params.subject_alt_names.clear());
    case.says(&["Problem", "no subject alternative name", "subjectAltName"]);
}

#[test]
fn a_connector_without_a_common_name_is_told() {
    let ca = root("Plant CA");
    let mut params = params("");
    params.distinguished_name = rcgen::DistinguishedName::new();
    let leaf = issue(&params, &ca, key());
    Case::new(Role::Connector, &leaf, &ca).says(&["Warning own.crt", "no common name"]);
}

#[test]
fn the_order_of_a_chain_is_looked_at() {
    let ca = root("Plant CA");
    let (upper, other) = (intermediate("Upper", &ca), intermediate("Other", &ca));
    let lower = intermediate("Lower", &upper);
    let mut case = Case::new(Role::Listener, &server(&lower), &ca);
    case.chain
        .extend([upper.der().clone(), lower.der().clone()]);
    let found = case.judge();
    assert!(
        found[0].contains("Warning own.crt: certificate 1 (plant) was issued by certificate 3 (Lower), which does not follow"),
        "{found:?}"
    );
    case.chain.truncate(1);
    case.chain.push(other.der().clone());
    case.says(&[
        "Warning",
        "certificate 2 (Other) follows",
        "CN=Lower",
        "missing?",
    ]);
    // The same name with another key is another CA.
    let renewed = intermediate("Lower", &upper);
    case.chain[1] = renewed.der().clone();
    case.says(&["Warning", "has not issued it"]);
}

#[test]
fn the_ca_bundle_holds_cas() {
    let (ca, mut case) = listener(|_| {});
    case.ca.push(server(&ca).der);
    case.says(&[
        "Problem ca.crt: certificate 2 (plant) is no CA certificate",
        "Plant CA",
    ]);
    let own = server_params().self_signed(&key()).unwrap();
    case.ca = vec![own.der().clone()];
    case.says(&["Warning ca.crt: the certificate (plant)", "CA:FALSE"]);

    let mut expired = crate::tls::testing::ca_params("Old CA");
    expired.not_before = time::macros::datetime!(2020-01-01 0:00 UTC);
    expired.not_after = time::macros::datetime!(2021-01-01 0:00 UTC);
    let expired = Ca::self_signed(expired, key()).unwrap();
    case.ca = vec![expired.der().clone(), ca.der().clone()];
    case.says(&["Warning ca.crt: certificate 1 (Old CA) has expired on 2021-01-01"]);
}

#[test]
fn small_rsa_keys_are_told() {
    let ca = Ca::self_signed(crate::tls::testing::ca_params("RSA CA"), rsa()).unwrap();
    let leaf = issue(&server_params(), &ca, rsa());
    let mut case = Case::new(Role::Listener, &leaf, &ca);
    assert_eq!(case.judge(), [""; 0]);
    case.tls.min_rsa_bits = 3072;
    let found = case.judge();
    assert_eq!(found.len(), 2, "{found:?}");
    assert!(found[0].starts_with("Problem own.crt") && found[0].contains("RSA key of 2048 bits"));
    assert!(found[1].starts_with("Warning ca.crt"), "{found:?}");
}
