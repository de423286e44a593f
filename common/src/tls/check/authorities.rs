//! The CA bundle for the other side.

use time::OffsetDateTime;

use super::{Bundle, Findings, Weight};
use crate::tls::facts::date;

pub(super) fn judge(
    ca: Bundle<'_>,
    min_rsa_bits: u32,
    now: OffsetDateTime,
    findings: &mut Findings,
) {
    for (index, facts) in ca.facts.iter().enumerate() {
        let label = ca.label(index);
        let mut add = |weight, what| findings.add(ca.path, weight, what);
        match (facts.ca, facts.self_issued, facts.version) {
            (false, false, _) => add(
                Weight::Problem,
                format!(
                    "{label} is no CA certificate, but one that {:?} has issued, and in this file its holder could issue others \
                     that are trusted: put the certificate of the CA in its place",
                    facts.issuer
                ),
            ),
            (false, true, 3) => add(
                Weight::Warning,
                format!(
                    "{label} is no CA certificate (CA:FALSE); all the same, what its key has signed is trusted"
                ),
            ),
            // CAs of version 1 cannot say that they are.
            (false, true, _) | (true, _, _) => {}
        }
        if facts.not_after < now {
            let end = date(facts.not_after);
            findings.add_end(
                ca.path,
                Weight::Warning,
                format!(
                    "{label} has expired on {end}: put the new one beside it, and take this one out when nobody needs it"
                ),
            );
        }
        let mut add = |weight, what| findings.add(ca.path, weight, what);
        if facts.not_before > now {
            let start = date(facts.not_before);
            add(
                Weight::Warning,
                format!(
                    "{label} is not valid before {start}: is the clock right? It says {}",
                    date(now)
                ),
            );
        }
        if let Some(bits) = facts.key.rsa_bits().filter(|bits| *bits < min_rsa_bits) {
            add(
                Weight::Warning,
                format!(
                    "{label} has an RSA key of {bits} bits, and min_rsa_bits is {min_rsa_bits}: nothing that it has signed is accepted"
                ),
            );
        }
    }
}
