//! A bad network to test on, for kernels without `sch_netem` too: packets are delayed, lost, reordered, doubled, damaged
//! and queued by rules that a test chooses, and may change while it runs.
//!
//! [`link`] is the pure model of one direction of a link, for tests in virtual time. [`Lab`] joins two network namespaces
//! with such links in real time, for tests of real programs; it needs root and `/dev/net/tun`.

pub mod link;
pub mod netns;
pub mod settings;
mod site;
mod tun;

pub use self::site::{Direction, Lab, SetupError, Side};
