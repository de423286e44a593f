//! Links between TUN devices, in real time.

mod device;
mod wire;

pub(crate) use self::{
    device::{Device, NAME},
    wire::Wire,
};
