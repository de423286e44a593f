//! The congestion controllers on real QUIC connections over a simulated bottleneck. Time is virtual and chance is seeded,
//! so figures are exact, and the same each time.

mod any;
mod change;
mod fixed;
mod scenario;
mod share;
mod sim;
mod steady;
mod table;
