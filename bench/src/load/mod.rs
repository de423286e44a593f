//! Clients and targets: blocking threads that do as little as possible besides.

pub mod bulk;
pub mod client;
pub mod connect;
pub mod ping;
pub mod request;
pub mod target;
pub mod transfer;

/// How much is read or written at once, in bytes.
pub const CHUNK: usize = 256 * 1024;
/// The length of a ping and of what is echoed for the connection rate, in bytes.
pub const PING: usize = 64;
