//! Cryptography that encrypts nothing: the simulation is about packets and time, and must give the same bytes each time.

use std::{any::Any, sync::Arc};

use bytes::BytesMut;
use quinn_proto::{
    ConnectError, ConnectionId, Side, TransportError,
    crypto::{
        ClientConfig, CryptoError, ExportKeyingMaterialError, HeaderKey, KeyPair, Keys, PacketKey,
        ServerConfig, Session, UnsupportedVersion,
    },
    transport_parameters::TransportParameters,
};

/// The length of an AES-GCM tag.
const TAG: usize = 16;

/// Both sides' configuration.
pub(crate) struct Plain;

impl ClientConfig for Plain {
    fn start_session(
        self: Arc<Self>,
        _version: u32,
        _server_name: &str,
        params: &TransportParameters,
    ) -> Result<Box<dyn Session>, ConnectError> {
        Ok(Box::new(PlainSession::new(Side::Client, params)))
    }
}

impl ServerConfig for Plain {
    fn initial_keys(&self, _: u32, _: &ConnectionId) -> Result<Keys, UnsupportedVersion> {
        Ok(keys())
    }

    fn retry_tag(&self, _: u32, _: &ConnectionId, _: &[u8]) -> [u8; 16] {
        [0; 16]
    }

    fn start_session(
        self: Arc<Self>,
        _version: u32,
        params: &TransportParameters,
    ) -> Box<dyn Session> {
        Box::new(PlainSession::new(Side::Server, params))
    }
}

/// A handshake of one message each way with the transport parameters, then one of a single byte each way.
struct PlainSession {
    side: Side,
    own: Vec<u8>,
    peer: Option<TransportParameters>,
    /// Messages received and steps written.
    received: u8,
    written: u8,
}

impl PlainSession {
    fn new(side: Side, params: &TransportParameters) -> Self {
        let mut own = Vec::new();
        params.write(&mut own);
        Self {
            side,
            own,
            peer: None,
            received: 0,
            written: 0,
        }
    }

    /// The step to write now: what was received that allows it, and the message.
    fn next(&self) -> Option<(Vec<u8>, bool)> {
        let (needed, message, keys) = match (self.side, self.written) {
            (Side::Client, 0) => (0, self.own.clone(), false),
            (Side::Client, 1) => (1, Vec::new(), true),
            (Side::Client, 2) => (2, vec![1], true),
            (Side::Server, 0) => (1, self.own.clone(), true),
            (Side::Server, 1) => (1, vec![1], true),
            _ => return None,
        };
        (self.received >= needed).then_some((message, keys))
    }
}

impl Session for PlainSession {
    fn initial_keys(&self, _: &ConnectionId, _: Side) -> Keys {
        keys()
    }

    fn handshake_data(&self) -> Option<Box<dyn Any>> {
        None
    }

    fn peer_identity(&self) -> Option<Box<dyn Any>> {
        None
    }

    fn early_crypto(&self) -> Option<(Box<dyn HeaderKey>, Box<dyn PacketKey>)> {
        None
    }

    fn early_data_accepted(&self) -> Option<bool> {
        None
    }

    fn is_handshaking(&self) -> bool {
        self.received < 2
    }

    fn read_handshake(&mut self, mut buf: &[u8]) -> Result<bool, TransportError> {
        self.received += 1;
        if self.peer.is_none() {
            self.peer = Some(TransportParameters::read(self.side, &mut buf)?);
        }
        Ok(false)
    }

    fn transport_parameters(&self) -> Result<Option<TransportParameters>, TransportError> {
        Ok(self.peer)
    }

    fn write_handshake(&mut self, buf: &mut Vec<u8>) -> Option<Keys> {
        let (message, upgrade) = self.next()?;
        self.written += 1;
        buf.extend(message);
        upgrade.then(keys)
    }

    fn next_1rtt_keys(&mut self) -> Option<KeyPair<Box<dyn PacketKey>>> {
        Some(keys().packet)
    }

    fn is_valid_retry(&self, _: &ConnectionId, _: &[u8], _: &[u8]) -> bool {
        true
    }

    fn export_keying_material(
        &self,
        _: &mut [u8],
        _: &[u8],
        _: &[u8],
    ) -> Result<(), ExportKeyingMaterialError> {
        Err(ExportKeyingMaterialError)
    }
}

struct NoKey;

impl PacketKey for NoKey {
    fn encrypt(&self, _: u64, _: &mut [u8], _: usize) {}

    fn decrypt(&self, _: u64, _: &[u8], payload: &mut BytesMut) -> Result<(), CryptoError> {
        let length = payload.len().checked_sub(TAG).ok_or(CryptoError)?;
        payload.truncate(length);
        Ok(())
    }

    fn tag_len(&self) -> usize {
        TAG
    }

    fn confidentiality_limit(&self) -> u64 {
        u64::MAX
    }

    fn integrity_limit(&self) -> u64 {
        u64::MAX
    }
}

impl HeaderKey for NoKey {
    fn decrypt(&self, _: usize, _: &mut [u8]) {}

    fn encrypt(&self, _: usize, _: &mut [u8]) {}

    fn sample_size(&self) -> usize {
        0
    }
}

fn keys() -> Keys {
    let header = || Box::new(NoKey) as Box<dyn HeaderKey>;
    let packet = || Box::new(NoKey) as Box<dyn PacketKey>;
    Keys {
        header: KeyPair {
            local: header(),
            remote: header(),
        },
        packet: KeyPair {
            local: packet(),
            remote: packet(),
        },
    }
}
