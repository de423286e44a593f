//! A stand-in for the SCEP server's verify API, well-behaved or not.

use std::ops::Deref;

pub use crate::web::Behaviour;
use crate::web::Web;

/// The server.
pub struct Scep(Web);

impl Scep {
    /// A server.
    pub fn new(behaviour: Behaviour) -> Self {
        Self(Web::new(behaviour))
    }

    /// 200 with a `uid`, as procube-open/scep answers.
    pub fn vouches(uid: &str) -> Behaviour {
        let body = format!(r#"{{"uid": "{uid}", "status": "ACTIVE", "attributes": {{}}}}"#);
        Behaviour::Answer(200, body)
    }

    /// 401, as it answers for a certificate that is revoked.
    pub fn refuses() -> Behaviour {
        Behaviour::Answer(401, "{}".to_owned())
    }

    /// What belongs into `SWL_SCEP_URL`.
    pub fn url(&self) -> String {
        self.at("/api/cert/verify")
    }
}

impl Deref for Scep {
    type Target = Web;

    fn deref(&self) -> &Web {
        &self.0
    }
}
