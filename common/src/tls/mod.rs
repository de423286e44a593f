//! TLS 1.3 (RFC 8446) with client certificates: files, suites, and the two configurations.

mod config;
mod load;

pub use self::{
    config::{TlsError, client_config, server_config},
    load::{Credentials, KeyPermissions, LoadError, load_ca, load_credentials},
};
