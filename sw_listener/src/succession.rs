//! May a new session take over from the one that holds its UID? Pure.
//!
//! A connector whose certificate was renewed dials a second session while the first one goes on. Its UID alone proves
//! nothing, because every session of the UID has it: the newcomer must name the session, which only its connector and
//! the listener's operators know, and show a newer certificate.

use common::ids::{SessionId, Uid};
use thiserror::Error;

use crate::identity::Identity;

/// The proof that a session may take over from another. Only [`judge`] makes one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Succession {
    uid: Uid,
    from: SessionId,
}

/// Why it may not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum Unfit {
    /// It asks for nothing, or for the place of a session that does not hold the UID.
    #[error("it names another session than the one that holds the UID")]
    OtherSession,
    /// The certificates name different connectors.
    #[error("its certificate names another UID")]
    OtherUid,
    /// It shows the certificate of the session that it wants to replace.
    #[error("its certificate is the same")]
    SameCertificate,
    /// Its certificate was issued before the other.
    #[error("its certificate is older")]
    OlderCertificate,
}

impl Succession {
    /// Whose sessions they are.
    pub fn uid(&self) -> &Uid {
        &self.uid
    }

    /// The session that hands over.
    pub fn from(&self) -> SessionId {
        self.from
    }
}

/// Judges a new session with the certificate of `new`, which asks for the place of `replaces`, against the session that
/// holds the UID. Certificates are as new as the start of their validity; two of the same second may follow each other.
///
/// # Errors
/// [`Unfit`].
pub fn judge(
    replaces: Option<SessionId>,
    new: &Identity,
    holder: (SessionId, &Identity),
) -> Result<Succession, Unfit> {
    let (from, old) = holder;
    if replaces != Some(from) {
        return Err(Unfit::OtherSession);
    }
    if new.uid != old.uid {
        return Err(Unfit::OtherUid);
    }
    if new.fingerprint == old.fingerprint {
        return Err(Unfit::SameCertificate);
    }
    if new.not_before < old.not_before {
        return Err(Unfit::OlderCertificate);
    }
    let uid = new.uid.clone();
    Ok(Succession { uid, from })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn identity(uid: &str, fingerprint: &str, not_before: i64) -> Identity {
        Identity {
            uid: uid.parse().unwrap(),
            serial: String::new(),
            not_before,
            not_after: not_before + 100,
            fingerprint: fingerprint.to_owned(),
        }
    }

    #[test]
    fn only_a_newer_certificate_that_knows_the_session_takes_over() {
        let (id, other) = (SessionId::random(), SessionId::random());
        let old = identity("a", "one", 1000);
        let judge = |replaces, new: &Identity| {
            judge(replaces, new, (id, &old)).map(|succession| succession.from())
        };
        for (replaces, new, verdict) in [
            (Some(id), identity("a", "two", 1001), Ok(id)),
            (Some(id), identity("a", "two", 1000), Ok(id)),
            (
                Some(id),
                identity("a", "two", 999),
                Err(Unfit::OlderCertificate),
            ),
            (
                Some(id),
                identity("a", "one", 1000),
                Err(Unfit::SameCertificate),
            ),
            (Some(id), identity("b", "two", 1001), Err(Unfit::OtherUid)),
            (
                Some(other),
                identity("a", "two", 1001),
                Err(Unfit::OtherSession),
            ),
            (None, identity("a", "two", 1001), Err(Unfit::OtherSession)),
        ] {
            assert_eq!(judge(replaces, &new), verdict, "{new:?}");
        }
    }
}
