//! Which packets are lost.

use rand::rngs::SmallRng;

use super::chance;

/// How packets are lost; all numbers are probabilities, 0 to 1.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub enum Loss {
    /// None is.
    #[default]
    None,
    /// Each for itself.
    Random(f64),
    /// In bursts (Gilbert-Elliott): before each packet the link may go from its good state to its bad one or back, and
    /// how likely a loss is depends on the state. It begins in the good one.
    Burst {
        /// From good to bad.
        enter: f64,
        /// From bad to good; a bad time lasts for `1 / leave` packets in the mean.
        leave: f64,
        /// Loss in the good state.
        good: f64,
        /// Loss in the bad state.
        bad: f64,
    },
}

impl Loss {
    /// Bursts that lose everything while they last: `loss` of all packets (less than 1), `length` packets a burst in the
    /// mean (at least 1).
    pub fn bursts(loss: f64, length: f64) -> Self {
        // Bad for `length` packets and good for `1 / enter`, so that loss = length / (length + 1 / enter).
        Self::Burst {
            enter: loss / (length * (1.0 - loss)),
            leave: 1.0 / length,
            good: 0.0,
            bad: 1.0,
        }
    }
}

/// The state between two packets.
#[derive(Debug, Default)]
pub(super) struct Losses {
    bad: bool,
}

impl Losses {
    /// Whether the next packet is lost.
    pub(super) fn next(&mut self, loss: Loss, random: &mut SmallRng) -> bool {
        match loss {
            Loss::None => {
                self.bad = false;
                false
            }
            Loss::Random(probability) => {
                self.bad = false;
                chance(random, probability)
            }
            Loss::Burst {
                enter,
                leave,
                good,
                bad,
            } => {
                let turn = if self.bad { leave } else { enter };
                self.bad ^= chance(random, turn);
                chance(random, if self.bad { bad } else { good })
            }
        }
    }
}
