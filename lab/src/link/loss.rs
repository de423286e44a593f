//! Which packets are lost.

use std::time::Duration;

use rand::rngs::SmallRng;

use super::chance;

/// How packets are lost; all plain numbers are probabilities, 0 to 1.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub enum Loss {
    /// None is.
    #[default]
    None,
    /// Each for itself.
    Random(f64),
    /// In bursts (Gilbert-Elliott): before each packet the link may go from its good state to its bad one or back, and
    /// how likely a loss is depends on the state. It begins in the good one.
    ///
    /// A burst lasts for packets, not for a time: a sender that sends less and less while nothing gets through, as TCP and
    /// QUIC do, stays in it for the longer. [`Self::Fade`] is nearer to what networks do.
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
    /// In bursts that last for a time: good times, in which nothing is lost, and bad ones, in which everything is, follow
    /// each other whether packets are sent or not. It begins with a good one; their lengths are exponentially distributed.
    Fade {
        /// How long a good time lasts in the mean.
        good: Duration,
        /// How long a bad time lasts in the mean.
        bad: Duration,
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

    /// Bad times that are `loss` of all time (more than 0, less than 1) and last for `length` in the mean.
    pub fn fades(loss: f64, length: Duration) -> Self {
        Self::Fade {
            good: length.mul_f64((1.0 - loss) / loss),
            bad: length,
        }
    }
}

/// The state between two packets.
#[derive(Debug, Default)]
pub(super) struct Losses {
    bad: bool,
    /// When the last packet was sent.
    last: Duration,
}

impl Losses {
    /// Whether the next packet is lost.
    pub(super) fn next(&mut self, now: Duration, loss: Loss, random: &mut SmallRng) -> bool {
        let elapsed = now.saturating_sub(self.last);
        self.last = now;
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
            Loss::Fade { good, bad } => {
                self.bad = chance(random, faded(self.bad, elapsed, good, bad));
                self.bad
            }
        }
    }
}

/// How likely it is bad when it was so `elapsed` ago: the two-state Markov chain in continuous time, which forgets the
/// state at the sum of both rates.
fn faded(was: bool, elapsed: Duration, good: Duration, bad: Duration) -> f64 {
    let (elapsed, good, bad) = (elapsed.as_secs_f64(), good.as_secs_f64(), bad.as_secs_f64());
    let share = bad / (good + bad);
    let memory = (-elapsed * (1.0 / good + 1.0 / bad)).exp();
    let before = f64::from(u8::from(was));
    share + (before - share) * memory
}
