//! A live session with a download on it, and how it ends when its certificate does not pass any more.

use std::time::{Duration, Instant};

use serde_json::json;

use crate::{
    connector::Connector, download::Download, listener::Listener, log::Line, peer::Peer,
    pki::Issued, site::Site, until, world::UID,
};

/// Both daemons and the download.
pub struct Live {
    /// The connector.
    pub connector: Connector,
    /// The listener.
    pub listener: Listener,
    /// Their files.
    pub site: Site,
    /// The connector's certificate.
    pub issued: Issued,
    download: Download,
    began: Instant,
}

impl Live {
    /// With a certificate of the site's CA, and these variables for the listener.
    pub fn start(site: Site, settings: &[(&str, &str)]) -> Self {
        let issued = site.ca.client(UID);
        Self::with(site, issued, settings)
    }

    /// With this certificate.
    pub fn with(site: Site, issued: Issued, settings: &[(&str, &str)]) -> Self {
        let listener = Listener::with(&site, settings);
        let connector = Connector::certified(&site, UID, &issued, listener.quic, &json!({}));
        listener.api.wait_connected(UID);
        let download = Download::start(&listener, UID);
        Self {
            connector,
            listener,
            site,
            issued,
            download,
            began: Instant::now(),
        }
    }

    /// When the download began.
    pub fn began(&self) -> Instant {
        self.began
    }

    /// Whether the download goes on.
    pub fn goes_on(&self) -> bool {
        self.download.runs()
    }

    /// How often the listener has warned that the certificate cannot be checked.
    pub fn warnings(&self) -> usize {
        let warned = ["cannot be checked for now", "WARN"];
        self.listener.log().find(&warned).len()
    }

    /// Expects the session to be closed for this reason and the download to be cut, at most `limit` after `since`. Gives
    /// both daemons back, and what the connector says of it.
    ///
    /// # Panics
    /// When it is otherwise.
    pub fn is_cut(self, since: Instant, limit: Duration, code: &str) -> Ended {
        let Self {
            connector,
            listener,
            site,
            issued,
            download,
            ..
        } = self;
        download.is_cut(&listener, since, limit);
        let line = listener.wait_log(&["the session is closed"]);
        assert_eq!(line.field("code"), Some(code), "{line}");
        let said = connector.wait_log(&["no session; trying on", "session lost"]);
        Ended {
            connector,
            listener,
            site,
            issued,
            closed: line,
            said: said.field("cause").unwrap().replace("\\\"", "\""),
        }
    }
}

/// What is left when the session was closed.
pub struct Ended {
    /// The connector, which goes on trying.
    pub connector: Connector,
    /// The listener.
    pub listener: Listener,
    /// Their files.
    pub site: Site,
    /// The connector's certificate.
    pub issued: Issued,
    /// What the listener logged.
    pub closed: Line,
    /// Why, in the connector's words.
    pub said: String,
}

impl Ended {
    /// Expects the connector's words to have this in them.
    ///
    /// # Panics
    /// When they have not.
    pub fn says(self, words: &str) -> Self {
        assert!(self.said.contains(words), "{:?} in {:?}", words, self.said);
        self
    }

    /// Expects the certificate to be let in again, and the connector to come back. It waits long after such a refusal, so
    /// another one takes its place.
    ///
    /// # Panics
    /// When it does not.
    pub fn comes_back(mut self) {
        self.connector.stop();
        until("the certificate is let in again", || {
            let issued = self.issued.clone();
            let mut peer = Peer::connect(&self.site, Some(issued), self.listener.quic);
            peer.hello()
        });
        self.listener.api.wait_gone(UID);
        let settings = json!({});
        let _connector =
            Connector::certified(&self.site, UID, &self.issued, self.listener.quic, &settings);
        self.listener.api.wait_connected(UID);
    }
}
