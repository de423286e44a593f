//! A bad network to test on, for kernels without `sch_netem` too: packets are delayed, lost, reordered, doubled, damaged
//! and queued by rules that a test chooses, and may change while it runs.
//!
//! [`link`] is the pure model of one direction of a link.

pub mod link;
