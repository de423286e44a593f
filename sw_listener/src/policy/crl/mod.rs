//! Certificate revocation lists (RFC 5280, sections 5 and 6.3).
//!
//! [`CrlKeeper`] reads files and fetches addresses, keeps the newest list of every CA on its [`Shelf`], and publishes
//! [`CrlSnapshot`]s, against which paths are checked. Parsing, shelf, check and schedule are pure.
//!
//! Not here: delta CRLs, CRLs of some certificates only, and indirect CRLs. They are refused, not misread.

mod cache;
mod distribution;
mod finding;
mod handle;
mod keeper;
mod list;
mod parse;
mod shelf;
mod snapshot;
mod source;
mod status;
mod text;

pub use self::{
    cache::{Cache, CacheError, Kept},
    distribution::{CrlUrl, Schedule},
    finding::CrlFinding,
    handle::CrlHandle,
    keeper::{CrlKeeper, CrlSetup},
    list::{List, Revocation},
    parse::ParseError,
    shelf::{Received, Refusal, Shelf},
    snapshot::{CrlFact, CrlScope, CrlSnapshot},
    source::{SourceError, read, read_file},
    status::{CrlStatus, SourceStatus},
};

#[cfg(test)]
mod tests;
