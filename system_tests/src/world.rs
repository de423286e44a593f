//! One listener, one connector with a session, and a folder for their files: what most tests begin with.

use std::net::{Ipv4Addr, SocketAddr};

use serde_json::{Value, json};

use crate::{connector::Connector, listener::Listener, site::Site};

/// The UID of the connector.
pub const UID: &str = "device1";

/// Both daemons; the connector has a session.
pub struct World {
    /// The connector.
    pub connector: Connector,
    /// The listener.
    pub listener: Listener,
    /// Their files.
    pub site: Site,
}

impl Default for World {
    fn default() -> Self {
        Self::new()
    }
}

impl World {
    /// With the built-in settings.
    pub fn new() -> Self {
        Self::with(&[], &json!({}))
    }

    /// With these variables for the listener and settings for the connector.
    pub fn with(listener: &[(&str, &str)], connector: &Value) -> Self {
        Self::of(Site::new(), listener, connector)
    }

    /// The same over a folder that holds some files already.
    pub fn of(site: Site, listener: &[(&str, &str)], connector: &Value) -> Self {
        let listener = Listener::with(&site, listener);
        let connector = Connector::with(&site, UID, listener.quic, connector);
        listener.api.wait_connected(UID);
        Self {
            connector,
            listener,
            site,
        }
    }

    /// Opens any free port to a target: where clients connect.
    pub fn open(&self, target: SocketAddr) -> SocketAddr {
        self.open_for(UID, target)
    }

    /// The same for another UID.
    ///
    /// # Panics
    /// When it is not opened.
    pub fn open_for(&self, uid: &str, target: SocketAddr) -> SocketAddr {
        let view = self.listener.api.open(uid, 0, target).ok();
        let port = u16::try_from(view["port"].as_u64().unwrap()).unwrap();
        (Ipv4Addr::LOCALHOST, port).into()
    }

    /// Opens with options.
    ///
    /// # Panics
    /// When it is not opened.
    pub fn open_with(&self, target: SocketAddr, options: &Value) -> SocketAddr {
        let mut body = crate::api::open_body(UID, 0, target);
        for (key, value) in options.as_object().into_iter().flatten() {
            body[key] = value.clone();
        }
        let view = self.listener.api.json("POST", "/open", &body).ok();
        let port = u16::try_from(view["port"].as_u64().unwrap()).unwrap();
        (Ipv4Addr::LOCALHOST, port).into()
    }
}
