//! One end of one connection: a real quinn-proto endpoint, driven by hand, that sends or receives as much as it can.

use std::{
    net::{Ipv4Addr, SocketAddr},
    sync::Arc,
    time::{Duration, Instant},
};

use aws_lc_rs::{hkdf, hmac};
use bytes::BytesMut;
use quinn_proto::{
    ClientConfig, Connection, ConnectionHandle, DatagramEvent, Dir, Endpoint, EndpointConfig,
    Event, ServerConfig, StreamEvent, StreamId, Transmit, TransportConfig,
};

use super::plain::Plain;

/// Datagrams of a call, as quinn has it.
const MAX_DATAGRAMS: usize = 10;

/// tokio's timers have a resolution of a millisecond, and are never early.
const TIMER: Duration = Duration::from_millis(1);

/// What is written over and over.
static DATA: [u8; 1 << 16] = [7; 1 << 16];

pub(crate) struct Host {
    endpoint: Endpoint,
    connection: Option<(ConnectionHandle, Connection)>,
    epoch: Instant,
    stream: Option<StreamId>,
    sender: bool,
    /// Bytes still to be sent.
    pub(crate) to_send: u64,
    pub(crate) received: u64,
    /// When the next timer fires.
    pub(crate) wake: Option<Duration>,
    /// Why the connection has ended.
    pub(crate) lost: Option<String>,
}

fn address(port: u16) -> SocketAddr {
    (Ipv4Addr::LOCALHOST, port).into()
}

impl Host {
    pub(crate) fn new(
        sender: bool,
        seed: u64,
        epoch: Instant,
        transport: &Arc<TransportConfig>,
    ) -> Self {
        let mut config = EndpointConfig::new(Arc::new(hmac::Key::new(hmac::HMAC_SHA256, &[0; 64])));
        let mut bytes = [u8::from(sender); 32];
        bytes[..8].copy_from_slice(&seed.to_be_bytes());
        config.rng_seed(Some(bytes));
        let server = (!sender).then(|| {
            let token = hkdf::Salt::new(hkdf::HKDF_SHA256, &[]).extract(&[0; 32]);
            let mut server = ServerConfig::new(Arc::new(Plain), Arc::new(token));
            server.transport_config(transport.clone());
            Arc::new(server)
        });
        Self {
            endpoint: Endpoint::new(Arc::new(config), server, true, None),
            connection: None,
            epoch,
            stream: None,
            sender,
            to_send: u64::MAX,
            received: 0,
            wake: None,
            lost: None,
        }
    }

    pub(crate) fn connect(&mut self, now: Duration, transport: &Arc<TransportConfig>) {
        let mut config = ClientConfig::new(Arc::new(Plain));
        config.transport_config(transport.clone());
        let now = self.epoch + now;
        let connection = self.endpoint.connect(now, config, address(2), "host");
        self.connection = Some(connection.expect("connect"));
    }

    pub(crate) fn stats(&self) -> Option<quinn_proto::ConnectionStats> {
        Some(self.connection.as_ref()?.1.stats())
    }

    pub(crate) fn handle(&mut self, now: Duration, datagram: &[u8]) {
        let now = self.epoch + now;
        let mut buffer = Vec::new();
        let remote = address(if self.sender { 2 } else { 1 });
        let event = self.endpoint.handle(
            now,
            remote,
            None,
            None,
            BytesMut::from(datagram),
            &mut buffer,
        );
        match event {
            Some(DatagramEvent::NewConnection(incoming)) if self.connection.is_none() => {
                let accepted = self.endpoint.accept(incoming, now, &mut buffer, None);
                self.connection = accepted.ok();
            }
            Some(DatagramEvent::NewConnection(incoming)) => self.endpoint.ignore(incoming),
            Some(DatagramEvent::ConnectionEvent(_, event)) => {
                if let Some((_, connection)) = &mut self.connection {
                    connection.handle_event(event);
                }
            }
            Some(DatagramEvent::Response(_)) | None => {}
        }
    }

    /// Fires timers, moves data, and gives what is to be sent.
    pub(crate) fn drive(&mut self, now: Duration) -> Vec<Vec<u8>> {
        let Some((handle, mut connection)) = self.connection.take() else {
            return Vec::new();
        };
        if self.wake.is_some_and(|wake| wake <= now) {
            connection.handle_timeout(self.epoch + now);
        }
        self.move_data(&mut connection);
        while let Some(event) = connection.poll_endpoint_events() {
            if let Some(event) = self.endpoint.handle_event(handle, event) {
                connection.handle_event(event);
            }
        }
        let mut packets = Vec::new();
        let mut buffer = Vec::new();
        while let Some(transmit) =
            connection.poll_transmit(self.epoch + now, MAX_DATAGRAMS, &mut buffer)
        {
            split(&transmit, &buffer, &mut packets);
            buffer.clear();
            self.move_data(&mut connection);
        }
        self.wake = connection.poll_timeout().map(|at| self.round_up(at, now));
        self.connection = Some((handle, connection));
        packets
    }

    fn round_up(&self, at: Instant, now: Duration) -> Duration {
        let ticks = at
            .saturating_duration_since(self.epoch)
            .as_nanos()
            .div_ceil(TIMER.as_nanos());
        let at = TIMER * u32::try_from(ticks).unwrap_or(u32::MAX);
        at.max(now + Duration::from_nanos(1))
    }

    fn move_data(&mut self, connection: &mut Connection) {
        while let Some(event) = connection.poll() {
            match event {
                Event::Connected if self.sender => {
                    self.stream = connection.streams().open(Dir::Uni)
                }
                Event::Stream(StreamEvent::Opened { dir }) => {
                    self.stream = connection.streams().accept(dir);
                }
                Event::ConnectionLost { reason } => self.lost = Some(reason.to_string()),
                Event::HandshakeDataReady
                | Event::Connected
                | Event::Stream(_)
                | Event::DatagramReceived
                | Event::DatagramsUnblocked => {}
            }
        }
        let Some(stream) = self.stream else { return };
        if self.sender {
            self.write(connection, stream);
        } else {
            self.received += read(connection, stream);
        }
    }

    fn write(&mut self, connection: &mut Connection, stream: StreamId) {
        while self.to_send > 0 {
            let length = self.to_send.min(DATA.len() as u64) as usize;
            match connection.send_stream(stream).write(&DATA[..length]) {
                Ok(written) => self.to_send -= written as u64,
                Err(_) => return,
            }
        }
    }
}

fn read(connection: &mut Connection, stream: StreamId) -> u64 {
    let mut stream = connection.recv_stream(stream);
    let Ok(mut chunks) = stream.read(true) else {
        return 0;
    };
    let mut bytes = 0;
    while let Ok(Some(chunk)) = chunks.next(usize::MAX) {
        bytes += chunk.bytes.len() as u64;
    }
    let _ = chunks.finalize();
    bytes
}

fn split(transmit: &Transmit, buffer: &[u8], packets: &mut Vec<Vec<u8>>) {
    let buffer = &buffer[..transmit.size];
    let size = transmit.segment_size.unwrap_or(buffer.len());
    packets.extend(buffer.chunks(size).map(<[u8]>::to_vec));
}
