//! What a process has used, and figures about figures.

pub mod moved;
pub mod statistics;
pub mod usage;
