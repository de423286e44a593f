//! Both daemons with a bad link between them, each in a network of its own. Needs root, iproute2 and `/dev/net/tun`.

use std::net::{IpAddr, SocketAddr};

use lab::{Lab, Side, link::Conditions};
use serde_json::{Value, json};

use crate::{connector::Connector, listener::Listener, site::Site, target::Target, world::UID};

/// The connector is on side A, as the test and its targets are; the listener is on side B, as its clients are.
pub struct Far<'a> {
    /// The connector; it has a session.
    pub connector: Connector,
    /// The listener. Its API is called through [`Self::there`].
    pub listener: Listener,
    /// Their files.
    pub site: Site,
    /// The link between them.
    pub lab: &'a Lab,
}

/// Runs a test on side A.
///
/// # Panics
/// When there can be no lab: without root, for example.
pub fn far(conditions: Conditions, test: impl FnOnce(&Far) + Send) {
    let lab = Lab::new(conditions, 1).unwrap_or_else(|error| panic!("no lab: {error:#?}"));
    lab.inside(Side::A, || test(&Far::start(&lab)));
}

impl<'a> Far<'a> {
    fn start(lab: &'a Lab) -> Self {
        let site = Site::new();
        let address = IpAddr::from(Side::B.ipv4());
        site.issue("server", &site.ca.server_at(&[address]));
        let settings = [("SWL_ADDRS", &*address.to_string())];
        let listener = lab.inside(Side::B, || Listener::with(&site, &settings));
        let connector = Connector::with(&site, UID, listener.quic, &json!({}));
        let far = Self {
            connector,
            listener,
            site,
            lab,
        };
        far.there(|| far.listener.api.wait_connected(UID));
        far
    }

    /// Does something on the listener's side: what its clients do, and the users of its API.
    pub fn there<T: Send>(&self, what: impl FnOnce() -> T + Send) -> T {
        self.lab.inside(Side::B, what)
    }

    /// Opens any free port to a target: where clients connect.
    pub fn open(&self, target: &Target) -> SocketAddr {
        let opened = self.there(|| self.listener.api.open(UID, 0, target.address).ok());
        let port = u16::try_from(opened["port"].as_u64().unwrap()).unwrap();
        ([127, 0, 0, 1], port).into()
    }

    /// Which session the connector has now.
    ///
    /// # Panics
    /// When it has none.
    pub fn session(&self) -> Value {
        let view = self.there(|| self.listener.api.connector(UID));
        view.expect("a session")["session"].clone()
    }
}
