//! Every certificate of one's own file: dates, keys, signatures, order.

use time::OffsetDateTime;

use super::{Bundle, Findings, Occasion, Weight};
use crate::tls::facts::{SignatureFacts, date};

pub(super) fn judge(
    chain: Bundle<'_>,
    min_rsa_bits: u32,
    occasion: Occasion,
    now: OffsetDateTime,
    findings: &mut Findings,
) {
    for (index, facts) in chain.facts.iter().enumerate() {
        let label = chain.label(index);
        let clock = match occasion {
            Occasion::Start | Occasion::Check => {
                format!("; by this machine's clock it is {}", date(now))
            }
            // Judged again and again: the same trouble must have the same words.
            Occasion::Replace => String::new(),
        };
        if facts.not_after < now {
            let end = date(facts.not_after);
            findings.add_end(
                chain.path,
                Weight::Date,
                format!(
                    "{label} has expired on {end}{clock}: have a new one issued, or set the clock"
                ),
            );
        }
        let mut add = |weight, what| findings.add(chain.path, weight, what);
        if facts.not_before > now {
            let start = date(facts.not_before);
            add(
                Weight::Date,
                format!("{label} is not valid before {start}{clock}: set the clock, or wait"),
            );
        }
        if let Some(bits) = facts.key.rsa_bits().filter(|bits| *bits < min_rsa_bits) {
            add(
                Weight::Problem,
                format!(
                    "{label} has an RSA key of {bits} bits, and min_rsa_bits is {min_rsa_bits}: make a larger key, or one on P-256"
                ),
            );
        }
        // Nobody verifies what a root has signed for itself.
        if let SignatureFacts::Weak(hash) = facts.signature
            && (index == 0 || !facts.self_issued)
        {
            add(
                Weight::Problem,
                format!(
                    "{label} is signed with {hash}, which can be forged and is not accepted: have it issued again with SHA-256"
                ),
            );
        }
    }
    order(chain, findings);
}

/// Peers of ours find their way in any order (RFC 8446, section 4.4.2, asks for that), others may not.
fn order(chain: Bundle<'_>, findings: &mut Findings) {
    for (index, pair) in chain.facts.windows(2).enumerate() {
        let [child, next] = pair else {
            continue;
        };
        if child.is_issued_by(next) {
            continue;
        }
        let mut all = chain.facts.iter();
        let issuer = all.position(|other| other != child && child.is_issued_by(other));
        let what = match issuer {
            Some(issuer) => format!(
                "{} was issued by {}, which does not follow it: put every certificate before that of its issuer",
                chain.label(index),
                chain.label(issuer)
            ),
            None if child.self_issued => continue,
            None => format!(
                "{} follows {}, but has not issued it: is the intermediate certificate of {:?} missing?",
                chain.label(index + 1),
                chain.label(index),
                child.issuer
            ),
        };
        findings.add(chain.path, Weight::Warning, what);
    }
}
