//! UDP under QUIC: sockets with large buffers, and large sends.

mod batch;
mod bind;
mod merging;
mod pace;
mod route;

pub use self::bind::{BindError, UdpBuffers, bind};
pub(super) use self::{merging::MergingSocket, route::longest_payload};
