//! The certificate that is shown, and its key.

use rustls::{client::verify_server_name, server::ParsedCertificate};

use super::{CertificateFacts, Demands, Findings, Material, Role, Weight};

pub(super) fn judge(material: &Material<'_>, demands: &Demands<'_>, findings: &mut Findings) {
    let Some(leaf) = material.chain.facts.first() else {
        return;
    };
    let path = material.chain.path;
    let label = material.chain.label(0);
    match_key(material, findings);
    let mut problem = |what: String| findings.add(path, Weight::Problem, what);
    if leaf.version != 3 {
        // Without extensions nothing below can be right either.
        return problem(format!(
            "{label} is X.509 version {}; sign it with extensions (openssl x509 -req ... -extfile FILE)",
            leaf.version
        ));
    }
    if leaf.ca {
        problem(format!(
            "{label} is a CA certificate (CA:TRUE), which no peer takes for a {}: issue one from it, with CA:FALSE",
            noun(demands.role)
        ));
    }
    if !fits(leaf, demands.role) {
        let usage = match demands.role {
            Role::Listener => "serverAuth",
            Role::Connector => "clientAuth",
        };
        problem(format!(
            "{label} is not made for a {}: its extended key usage lacks {usage}; have it issued again with it",
            noun(demands.role)
        ));
    }
    match demands.role {
        Role::Listener => names(material, demands, findings),
        Role::Connector if leaf.common_name.is_none() => findings.add(
            path,
            Weight::Warning,
            format!("{label} has no common name, in which the listener looks for the UID (unless its uid_source is uid)"),
        ),
        Role::Connector => {}
    }
}

/// What a certificate of this role vouches for.
fn noun(role: Role) -> &'static str {
    match role {
        Role::Listener => "server",
        Role::Connector => "client",
    }
}

fn fits(leaf: &CertificateFacts, role: Role) -> bool {
    leaf.purposes.is_none_or(|purposes| match role {
        Role::Listener => purposes.server,
        Role::Connector => purposes.client,
    })
}

fn match_key(material: &Material<'_>, findings: &mut Findings) {
    let (Some(key), certificates) = (material.key, material.chain) else {
        return;
    };
    let position = certificates
        .facts
        .iter()
        .position(|facts| facts.spki_sha256 == key);
    let chain = certificates.path.display();
    let advice = match position {
        Some(0) => return,
        Some(index) => format!(
            "{} of that file matches the key: put it first",
            certificates.label(index)
        ),
        None => "one of the two files is of another pair".to_owned(),
    };
    findings.add(
        material.key_path,
        Weight::Problem,
        format!(
            "the private key does not belong to {} of {chain}; {advice}",
            certificates.label(0)
        ),
    );
}

/// The names of a listener (RFC 9525): peers look at the subject alternative names only.
fn names(material: &Material<'_>, demands: &Demands<'_>, findings: &mut Findings) {
    let (path, label) = (material.chain.path, material.chain.label(0));
    let sans = material
        .chain
        .facts
        .first()
        .map_or(&[][..], |leaf| &leaf.sans);
    if sans.is_empty() {
        return findings.add(
            path,
            Weight::Problem,
            format!(
                "{label} has no subject alternative name, and connectors do not look at the common name: have it issued \
                 again with subjectAltName, such as DNS:tunnel.example.com or IP:192.0.2.1"
            ),
        );
    }
    let parsed = match material.leaf.map(ParsedCertificate::try_from) {
        Some(Ok(parsed)) => parsed,
        Some(Err(error)) => {
            return findings.add(path, Weight::Problem, format!("{label}: {error}"));
        }
        None => return,
    };
    for name in demands.names {
        if verify_server_name(&parsed, name.as_server_name()).is_err() {
            findings.add(
                path,
                Weight::Problem,
                format!(
                    "{label} does not have the name {name} of server_names, but {}",
                    sans.join(", ")
                ),
            );
        }
    }
}
