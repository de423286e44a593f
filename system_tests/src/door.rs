//! Who is let in, and who is not: a listener with rules, asked with certificates.

use crate::{listener::Listener, peer::Peer, pki::Issued, site::Site};

/// Close code: the certificate has been revoked.
pub const REVOKED: u64 = 0x5703;
/// Close code: a rule is against it.
pub const DENIED: u64 = 0x5704;
/// Close code: a check could not be made.
pub const UNAVAILABLE: u64 = 0x5705;

/// A listener and the files around it.
pub struct Door {
    /// The listener.
    pub listener: Listener,
    /// Its files.
    pub site: Site,
}

impl Door {
    /// A listener with these variables.
    pub fn new(site: Site, settings: &[(&str, &str)]) -> Self {
        let listener = Listener::with(&site, settings);
        Self { listener, site }
    }

    /// Asks with a certificate: the session, or how it was refused.
    ///
    /// # Errors
    /// The close code and its text.
    pub fn knock(&self, issued: &Issued) -> Result<Peer, (u64, String)> {
        let mut peer = Peer::connect(&self.site, Some(issued.clone()), self.listener.quic);
        match peer.hello() {
            Some(_) => Ok(peer),
            None => Err(peer.refusal()),
        }
    }

    /// Expects a session under this UID, and ends it.
    ///
    /// # Panics
    /// When there is none.
    pub fn admits(&self, uid: &str, issued: &Issued) {
        let peer = self.knock(issued);
        let peer = peer.unwrap_or_else(|refusal| panic!("{uid} is refused: {refusal:x?}"));
        assert!(self.listener.api.connector(uid).is_some(), "{uid}");
        drop(peer);
        self.listener.api.wait_gone(uid);
    }

    /// Expects a refusal for this reason, which stands in the log; gives the words that the connector is told.
    ///
    /// # Panics
    /// When there is a session, or another reason.
    pub fn refuses(&self, issued: &Issued, number: u64, code: &str) -> String {
        let mark = self.listener.log().mark();
        let Err((found, told)) = self.knock(issued) else {
            panic!("a session where {code} was expected");
        };
        let line = self
            .listener
            .wait_log_after(mark, &["session refused", "code"]);
        assert_eq!(line.field("code"), Some(code), "{line}");
        assert_eq!(found, number, "{found:x} for {code}: {told}");
        told
    }

    /// Expects that a check cannot be made, and that the connector hears of nothing inside the listener.
    ///
    /// # Panics
    /// When it is otherwise.
    pub fn cannot_check(&self, issued: &Issued, code: &str) {
        let told = self.refuses(issued, UNAVAILABLE, code);
        let words = "the listener could not check the certificate and refuses to guess";
        assert_eq!(told, words, "{code}");
    }
}
