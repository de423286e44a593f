//! The listener of socket-warp: accepts connectors over QUIC with mutual TLS, and opens TCP ports for them on request.
//!
//! [`server`] puts the parts together. The two flows, told as lists of files, are in ARCHITECTURE.md.

pub mod accept;
pub mod admission;
pub mod api;
pub mod config;
mod connector;
pub mod doctor;
pub mod identity;
pub mod limits;
pub mod opening;
pub mod pki;
pub mod policy;
pub mod registry;
pub mod reload;
pub mod server;
pub mod store;
pub mod succession;
pub mod traffic;
