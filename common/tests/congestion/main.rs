//! The congestion controllers on real QUIC connections over a simulated bottleneck. Time is virtual and chance is seeded,
//! so figures are exact.

mod sim;
mod table;
