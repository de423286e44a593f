//! The state machine: events in, window out. No quinn in here.

use std::time::Instant;

use super::{
    acks::Acks,
    bounds::Bounds,
    delivery::Sampler,
    path::Path,
    phase::{BRAKE_GAIN, Phase, RttProbe, probe_gain},
    probe::Probe,
    round::{Round, Tally},
    startup::FullPipe,
    units::percent,
};

/// Windows from 4 GiB on would switch quinn's pacer off.
const MAX_WINDOW: u64 = u32::MAX as u64;

/// Datagrams in flight at the beginning (RFC 9002, section 7.2).
const INITIAL_DATAGRAMS: u64 = 10;

/// The smallest window, in datagrams (draft-ietf-ccwg-bbr, `BBRMinPipeCwnd`).
const MIN_DATAGRAMS: u64 = 4;

/// Rounds between two probes: these, and up to three more, so that flows do not probe in step.
const CRUISE_ROUNDS: u64 = 6;

/// A round at less than this much of the bandwidth is in doubt, in hundredths.
const SLOW_PERCENT: u64 = 80;

/// Doubts in a row before a slower or longer path is believed: a round at less than half of the bandwidth counts twice.
const DOUBTS: u8 = 4;

/// After persistent congestion.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Recovery {
    /// The smallest window, until something gets through.
    Blocked,
    /// Half of the model's window, for one round.
    Half,
}

/// The controller.
#[derive(Debug, Clone)]
pub(super) struct Core {
    path: Path,
    sampler: Sampler,
    phase: Phase,
    round: Round,
    full: FullPipe,
    probe: Option<Probe>,
    bounds: Bounds,
    recovery: Option<Recovery>,
    /// Rounds in a row in doubt.
    doubts: u8,
    /// Whether this round of the start showed a queue or much loss.
    brake: bool,
    /// The ACK frame at hand.
    acks: Option<Acks>,
    /// Bytes in flight, as far as known.
    in_flight: u64,
    window: u64,
}

impl Core {
    pub(super) fn new(now: Instant, mtu: u16) -> Self {
        let mtu = u64::from(mtu).max(1);
        Self {
            path: Path::new(now, mtu),
            sampler: Sampler::new(now),
            phase: Phase::Startup,
            round: Round::new(now),
            full: FullPipe::default(),
            probe: None,
            bounds: Bounds::default(),
            recovery: None,
            doubts: 0,
            brake: false,
            acks: None,
            in_flight: 0,
            window: INITIAL_DATAGRAMS * mtu,
        }
    }

    /// Bytes.
    pub(super) fn initial_window(&self) -> u64 {
        INITIAL_DATAGRAMS * self.path.mtu
    }

    /// Bytes that may be in flight.
    pub(super) fn window(&self) -> u64 {
        self.window.clamp(self.min_window(), MAX_WINDOW)
    }

    /// Bytes that may be in flight at all times.
    pub(super) fn min_window(&self) -> u64 {
        MIN_DATAGRAMS * self.path.mtu
    }

    pub(super) fn on_mtu_update(&mut self, mtu: u16) {
        self.path.mtu = u64::from(mtu).max(1);
    }

    pub(super) fn on_sent(&mut self, now: Instant, bytes: u64) {
        let rtt = self.path.min_rtt.get().unwrap_or_default();
        self.sampler.on_sent(now, self.in_flight == 0, rtt);
        self.in_flight = self.in_flight.saturating_add(bytes);
    }

    pub(super) fn on_ack(&mut self, now: Instant, sent: Instant, bytes: u64) {
        self.sampler.on_ack(now, sent, bytes);
        self.acks = Some(Acks::with(self.acks, now, sent, bytes));
        match self.probe.as_mut().and_then(|probe| probe.tally_of(sent)) {
            Some(tally) => tally.on_ack(bytes),
            None => self.round.tally.on_ack(bytes),
        }
    }

    /// `bytes` were lost, or marked by a router when there are none; the newest of them was sent at `sent`.
    pub(super) fn on_loss(&mut self, sent: Instant, bytes: u64) {
        self.in_flight = self.in_flight.saturating_sub(bytes);
        match self.probe.as_mut().and_then(|probe| probe.tally_of(sent)) {
            Some(tally) => tally.on_loss(bytes),
            None => self.round.tally.on_loss(bytes),
        }
    }

    /// Nothing got through for several timeouts (RFC 9002, section 7.6): the model is kept, but proven anew first.
    pub(super) fn on_persistent_congestion(&mut self, now: Instant) {
        self.recovery = Some(Recovery::Blocked);
        self.probe = None;
        self.doubts = 0;
        if self.phase != Phase::Startup {
            self.cruise();
        }
        self.round = Round::new(now);
        self.window = self.min_window();
    }

    /// An ACK frame has been reported packet by packet, and this is left in flight.
    pub(super) fn on_end_acks(&mut self, now: Instant, in_flight: u64, app_limited: bool) {
        self.in_flight = in_flight;
        let Some(acks) = self.acks.take() else {
            return;
        };
        self.measure(now, acks, app_limited);
        if self.round.ends_with(acks.newest) {
            self.end_round(now);
        }
        if let Some(probe) = self
            .probe
            .filter(|probe| probe.is_settled(now, acks.newest))
        {
            probe.judge(&self.path, &mut self.bounds);
            self.probe = None;
        }
        self.step(now);
        self.brake |= self.path.queued(Some(acks.rtt)) || self.round.tally.is_heavy(self.path.mtu);
        self.set_window(acks.bytes, app_limited);
    }

    fn measure(&mut self, now: Instant, acks: Acks, app_limited: bool) {
        self.round.see_rtt(acks.rtt);
        self.measure_rtt(now, acks);
        if app_limited || self.recovery.is_some() {
            self.sampler.mark_limited(self.in_flight);
        }
        if let Some(sample) = self.sampler.sample(now) {
            self.path.on_sample(sample);
            self.round.see_sample(sample);
        }
        if self.recovery.is_none() {
            self.path.see_acks(now, acks.bytes);
        }
    }

    /// A minimum that is in doubt is replaced at once while little is in flight, and by a probe otherwise.
    fn measure_rtt(&mut self, now: Instant, acks: Acks) {
        let quiet = self.path.bdp().is_some_and(|bdp| self.in_flight <= bdp / 2);
        if let Phase::ProbeRtt(probe) = &mut self.phase {
            probe.see(acks.rtt);
        } else if quiet && self.path.min_rtt.expired(now) {
            self.path.min_rtt.replace(now, acks.rtt);
        }
        self.path.min_rtt.update(now, acks.rtt);
    }

    fn end_round(&mut self, now: Instant) {
        let round = std::mem::replace(&mut self.round, Round::new(now));
        self.brake = false;
        let bdp = self.path.bdp().unwrap_or(0);
        let tally = round.carried.and(round.tally);
        let excess = if tally.total() > bdp / 2 || self.phase == Phase::Startup {
            tally.excess(self.path.ordinary_loss(), self.path.mtu)
        } else {
            // A probe took most of it, or there was little to send: the few losses say nothing until there is more.
            self.round.carried = tally;
            0
        };
        if round.busy && round.tally.total() > bdp / 2 {
            self.path.on_loss(round.tally.loss_ppm());
        }
        self.recovery = match self.recovery {
            Some(Recovery::Blocked) => Some(Recovery::Half),
            Some(Recovery::Half) | None => None,
        };
        if self.phase != Phase::Startup {
            self.bounds.on_round(self.window, tally, excess, bdp);
        }
        self.turn(now, &round, excess);
    }

    /// Goes from phase to phase at the end of a round.
    fn turn(&mut self, now: Instant, round: &Round, excess: u64) {
        match &mut self.phase {
            Phase::Startup => {
                let signs = excess > 0 || self.path.queued(round.rtt);
                if round.busy && self.full.on_round(self.path.bandwidth(), signs) {
                    self.phase = Phase::Drain;
                }
            }
            Phase::Cruise { rounds } => {
                *rounds = rounds.saturating_sub(1);
                if *rounds == 0 && self.recovery.is_none() {
                    self.begin_probe(now);
                }
                self.doubt(now, round);
            }
            Phase::Probe => {
                if let Some(probe) = &mut self.probe {
                    probe.end(now, round.busy);
                }
                self.phase = Phase::Drain;
            }
            Phase::Drain | Phase::ProbeRtt(_) => {}
        }
    }

    /// Rounds in a row that were slower than the bandwidth, in a queue all the time: the path has become slower, or longer,
    /// or someone else fills it. Whichever it is, the round trip is measured; when it is less than half, what is
    /// delivered is believed at once.
    fn doubt(&mut self, now: Instant, round: &Round) {
        let bandwidth = self.path.bandwidth();
        let slow = round.busy && round.rate < percent(bandwidth, SLOW_PERCENT);
        if !slow || !self.path.queued(round.rtt) {
            self.doubts = 0;
            return;
        }
        let halved = round.rate < bandwidth / 2;
        self.doubts = self.doubts.saturating_add(if halved { 2 } else { 1 });
        if self.doubts < DOUBTS || self.path.min_rtt.is_fresh(now) {
            return;
        }
        self.doubts = 0;
        if halved {
            self.path.slow_down(round.rate);
        }
        self.begin_rtt_probe();
    }

    fn begin_probe(&mut self, now: Instant) {
        self.path.rotate();
        self.bounds.forget_short();
        self.round.carried = Tally::default();
        self.phase = Phase::Probe;
        self.probe = Some(Probe::new(now));
    }

    fn begin_rtt_probe(&mut self) {
        self.probe = None;
        self.phase = Phase::ProbeRtt(RttProbe::default());
    }

    fn cruise(&mut self) {
        // Differs between flows, and from cycle to cycle.
        let more = self.sampler.delivered() / self.path.mtu % 4;
        self.phase = Phase::Cruise {
            rounds: (CRUISE_ROUNDS + more) * self.bounds.patience(),
        };
    }

    /// Goes from phase to phase where it does not take a round.
    fn step(&mut self, now: Instant) {
        let Some(bdp) = self.path.bdp() else { return };
        let target = percent(bdp, self.phase.gain()).max(self.min_window());
        let drained = self.in_flight <= target;
        match &mut self.phase {
            Phase::Drain if drained => self.cruise(),
            Phase::Drain | Phase::Cruise { .. } if self.path.min_rtt.expired(now) => {
                self.begin_rtt_probe();
            }
            Phase::ProbeRtt(probe) => {
                let least = self.path.min_rtt.get().unwrap_or_default();
                if let Some(rtt) = probe.step(now, drained, least) {
                    self.path.min_rtt.replace(now, rtt);
                    self.cruise();
                }
            }
            Phase::Startup | Phase::Drain | Phase::Cruise { .. } | Phase::Probe => {}
        }
    }

    fn set_window(&mut self, acked: u64, app_limited: bool) {
        let grown = self.window.saturating_add(acked);
        let window = match (self.path.bdp(), self.recovery, self.phase) {
            (_, Some(Recovery::Blocked), _) => 0,
            (_, _, Phase::Startup) if app_limited => self.window,
            (None, ..) => grown,
            (Some(bdp), _, Phase::Startup) => {
                grown.min(self.wanted(bdp).max(self.initial_window()))
            }
            (Some(bdp), Some(Recovery::Half), _) => self.wanted(bdp) / 2,
            (Some(bdp), None, _) => self.wanted(bdp),
        };
        self.window = window.clamp(self.min_window(), MAX_WINDOW);
        if let Some(probe) = &mut self.probe {
            probe.set_window(self.window);
        }
    }

    /// The window of the phase on a path of this bandwidth-delay product.
    fn wanted(&self, bdp: u64) -> u64 {
        let window = percent(bdp, self.gain());
        let roomy = window.saturating_add(self.path.slack(bdp));
        match self.phase {
            Phase::Startup => roomy,
            Phase::Drain | Phase::ProbeRtt(_) => window.min(self.bounds.cruise()),
            Phase::Cruise { .. } => roomy.min(self.bounds.cruise()),
            Phase::Probe => roomy.min(self.bounds.probe()),
        }
    }

    /// Hundredths of the bandwidth-delay product.
    fn gain(&self) -> u64 {
        match self.phase {
            Phase::Startup if self.brake => BRAKE_GAIN,
            Phase::Probe => probe_gain(self.path.ordinary_loss()),
            Phase::Startup | Phase::Drain | Phase::Cruise { .. } | Phase::ProbeRtt(_) => {
                self.phase.gain()
            }
        }
    }
}
