//! The connector of socket-warp: dials out to the listener, stays connected, and dials targets on request.
//!
//! [`daemon`] puts the parts together. The two flows, told as lists of files, are in ARCHITECTURE.md.

mod client;
pub mod config;
pub mod daemon;
mod dial;
pub mod doctor;
mod handover;
mod insecure;
mod link;
mod material;
mod renew;
mod serve;
mod target_dial;
pub mod target_policy;
