//! A TUN device: what the kernel routes to it is read here, and what is written here comes into the kernel.

use std::{
    io,
    os::fd::{AsFd, BorrowedFd},
};

use tun_rs::{DeviceBuilder, SyncDevice};

use crate::netns::Namespace;

/// The device's name in its namespace.
pub(crate) const NAME: &str = "lab0";

/// The largest packet that the kernel gives to the device, bytes. A smaller MTU is the link's business.
const MTU: u16 = 1500;

/// Packets that may wait for being read: 0.1 s at 1 Gbit/s, longer than a reader is ever kept from running.
const QUEUE: u32 = 10_000;

/// The device of a namespace; it is gone when this is dropped.
pub(crate) struct Device(SyncDevice);

impl Device {
    /// Makes one that is up and has no address.
    pub(crate) fn create(namespace: &Namespace) -> io::Result<Self> {
        let build = || {
            let builder = DeviceBuilder::new().name(NAME).mtu(MTU).tx_queue_len(QUEUE);
            let device = builder.build_sync()?;
            device.set_nonblocking(true)?;
            Ok(Self(device))
        };
        namespace.inside(build)?
    }

    /// The next packet from the kernel, if one waits.
    pub(crate) fn read(&self, room: &mut [u8]) -> io::Result<Option<usize>> {
        match self.0.recv(room) {
            Ok(bytes) => Ok(Some(bytes)),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Gives a packet to the kernel. It refuses what damage has made unreadable; that packet is lost, as it would be on
    /// any network.
    pub(crate) fn write(&self, packet: &[u8]) {
        let _ = self.0.send(packet);
    }
}

impl AsFd for Device {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}
