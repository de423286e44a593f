//! The state machine: events in, window out. No quinn in here.

use std::time::{Duration, Instant};

use super::{
    bounds::Bounds,
    delivery::Sampler,
    path::Path,
    phase::{PROBE_RTT_TIME, Phase},
    round::{Round, Tally},
    startup::FullPipe,
    units::percent,
};

/// Windows from 4 GiB on would switch quinn's pacer off.
const MAX_WINDOW: u64 = u32::MAX as u64;

/// Datagrams in flight at the beginning (RFC 9002, section 7.2).
const INITIAL_DATAGRAMS: u64 = 10;

/// Rounds between two probes: these, and up to three more, so that flows do not probe in step.
const CRUISE_ROUNDS: u64 = 6;

/// Rounds in a row that speak of a slower or longer path before it is believed.
const DOUBTS: u8 = 2;

/// A probe: what was sent in it, and what became of that.
#[derive(Debug, Clone, Copy)]
struct Probe {
    began: Instant,
    /// `None` while it lasts.
    ended: Option<Instant>,
    window: u64,
    tally: Tally,
    limited: bool,
}

impl Probe {
    fn sent_at(&self, sent: Instant) -> bool {
        sent >= self.began && self.ended.is_none_or(|ended| sent < ended)
    }
}

/// The controller.
#[derive(Debug, Clone)]
pub(super) struct Core {
    path: Path,
    sampler: Sampler,
    round: Round,
    phase: Phase,
    full: FullPipe,
    probe: Option<Probe>,
    bounds: Bounds,
    window: u64,
    /// Bytes in flight, as far as known.
    in_flight: u64,
    /// Bytes of the ACK frame at hand, when its newest packet was sent, and its shortest round trip.
    acked: u64,
    newest: Option<Instant>,
    shortest: Duration,
    /// Clean rounds since persistent congestion; `None` without one.
    recovery: Option<u8>,
    doubts: u8,
}

impl Core {
    pub(super) fn new(now: Instant, mtu: u16) -> Self {
        let mtu = u64::from(mtu).max(1);
        Self {
            path: Path::new(now, mtu),
            sampler: Sampler::new(now),
            round: Round::new(now),
            phase: Phase::Startup,
            full: FullPipe::default(),
            probe: None,
            bounds: Bounds::default(),
            window: INITIAL_DATAGRAMS * mtu,
            in_flight: 0,
            acked: 0,
            newest: None,
            shortest: Duration::MAX,
            recovery: None,
            doubts: 0,
        }
    }

    pub(super) fn initial_window(&self) -> u64 {
        INITIAL_DATAGRAMS * self.path.mtu
    }

    pub(super) fn window(&self) -> u64 {
        self.window.clamp(self.path.min_window(), MAX_WINDOW)
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
        let rtt = now.saturating_duration_since(sent);
        self.sampler.on_ack(now, sent, bytes);
        self.acked = self.acked.saturating_add(bytes);
        self.newest = self.newest.max(Some(sent));
        self.shortest = self.shortest.min(rtt);
        match &mut self.probe {
            Some(probe) if probe.sent_at(sent) => {
                probe.tally.acked = probe.tally.acked.saturating_add(bytes);
            }
            _ => self.round.tally.acked = self.round.tally.acked.saturating_add(bytes),
        }
    }

    pub(super) fn on_loss(&mut self, _now: Instant, sent: Instant, bytes: u64) {
        self.in_flight = self.in_flight.saturating_sub(bytes);
        let tally = match &mut self.probe {
            Some(probe) if probe.sent_at(sent) => &mut probe.tally,
            _ => &mut self.round.tally,
        };
        tally.lost = tally.lost.saturating_add(bytes);
    }

    /// Nothing got through for several timeouts (RFC 9002, section 7.6): the model is kept, but proven anew first.
    pub(super) fn on_persistent_congestion(&mut self, now: Instant) {
        self.window = self.path.min_window();
        self.recovery = Some(0);
        self.probe = None;
        self.doubts = 0;
        if self.phase != Phase::Startup {
            self.cruise();
        }
        self.round = Round::new(now);
    }

    pub(super) fn on_end_acks(&mut self, now: Instant, in_flight: u64, app_limited: bool) {
        self.in_flight = in_flight;
        let acked = std::mem::take(&mut self.acked);
        let rtt = std::mem::replace(&mut self.shortest, Duration::MAX);
        let Some(newest) = self.newest.take() else {
            return;
        };
        self.measure(now, acked, rtt, app_limited);
        if self.round.ends_with(newest) {
            self.on_round_end(now);
        }
        self.judge_probe(now, newest);
        self.step(now);
        self.set_window(acked, app_limited);
    }

    fn measure(&mut self, now: Instant, acked: u64, rtt: Duration, app_limited: bool) {
        self.round.see_rtt(rtt);
        self.measure_rtt(now, rtt);
        if app_limited || self.recovery.is_some() {
            self.sampler.mark_limited(self.in_flight);
        }
        if let Some(sample) = self.sampler.sample(now) {
            self.path.on_sample(sample);
            self.round.rate = self.round.rate.max(sample.rate);
            self.round.busy |= !sample.limited;
        }
        let bandwidth = self.path.bandwidth();
        self.path.aggregation.on_acks(now, acked, bandwidth);
    }

    /// A minimum that is in doubt is replaced at once while little is in flight, and by a probe otherwise.
    fn measure_rtt(&mut self, now: Instant, rtt: Duration) {
        let quiet = self.path.bdp().is_some_and(|bdp| self.in_flight < bdp / 2);
        if let Phase::ProbeRtt { shortest, .. } = &mut self.phase {
            *shortest = Some(shortest.map_or(rtt, |shortest| shortest.min(rtt)));
        } else if quiet && self.path.min_rtt.expired(now) {
            self.path.min_rtt.replace(now, rtt);
        }
        self.path.min_rtt.update(now, rtt);
    }

    fn on_round_end(&mut self, now: Instant) {
        let round = std::mem::replace(&mut self.round, Round::new(now));
        let excess = round.tally.excess(self.path.ordinary_loss(), self.path.mtu);
        self.recover(excess);
        if round.busy {
            self.path.on_loss(round.tally.loss_ppm());
        }
        let bdp = self.path.bdp().unwrap_or(0);
        match self.phase {
            Phase::Startup if round.busy => {
                let signs = excess > 0 || self.path.queued(round.rtt);
                if self.full.on_round(self.path.bandwidth(), signs) {
                    self.phase = Phase::Drain;
                }
            }
            Phase::Startup => {}
            Phase::Cruise { rounds } => {
                self.bounds.on_round(self.window, round.tally, excess, bdp);
                self.phase = Phase::Cruise {
                    rounds: rounds.saturating_sub(1),
                };
                self.doubt(&round);
            }
            Phase::Drain | Phase::Probe | Phase::ProbeRtt { .. } => {
                self.bounds.on_round(self.window, round.tally, excess, bdp);
            }
        }
        self.end_round_of_phase(now, round.busy);
    }

    fn end_round_of_phase(&mut self, now: Instant, busy: bool) {
        match self.phase {
            Phase::Cruise { rounds: 0 } if self.recovery.is_none() => self.begin_probe(now),
            Phase::Probe => {
                if let Some(probe) = &mut self.probe {
                    probe.ended = Some(now);
                    probe.limited = !busy;
                }
                self.phase = Phase::Drain;
            }
            Phase::Startup | Phase::Drain | Phase::Cruise { .. } | Phase::ProbeRtt { .. } => {}
        }
    }

    /// Two rounds in a row at less than half of the bandwidth, in a queue all the time: the path has become slower, or
    /// longer, or someone else fills it. Whichever it is, what is delivered is believed, and the round trip measured.
    fn doubt(&mut self, round: &Round) {
        let slow = round.busy && round.rate < self.path.bandwidth() / 2;
        if !slow || !self.path.queued(round.rtt) {
            self.doubts = 0;
            return;
        }
        self.doubts += 1;
        if self.doubts >= DOUBTS {
            self.doubts = 0;
            self.path.slow_down(round.rate);
            self.begin_probe_rtt();
        }
    }

    fn recover(&mut self, excess: u64) {
        match self.recovery {
            Some(0) if excess == 0 => self.recovery = Some(1),
            Some(_) if excess == 0 => self.recovery = None,
            _ => {}
        }
    }

    fn begin_probe(&mut self, now: Instant) {
        self.path.rotate();
        self.bounds.forget_short();
        self.phase = Phase::Probe;
        self.probe = Some(Probe {
            began: now,
            ended: None,
            window: 0,
            tally: Tally::default(),
            limited: false,
        });
    }

    /// A probe is judged when a packet is acknowledged that was sent after it.
    fn judge_probe(&mut self, now: Instant, newest: Instant) {
        let Some(probe) = self.probe else { return };
        if probe
            .ended
            .is_none_or(|ended| newest < ended || now == ended)
        {
            return;
        }
        self.probe = None;
        let ordinary = self.path.ordinary_loss();
        let excess = probe.tally.excess(ordinary, self.path.mtu);
        let bdp = self.path.bdp().unwrap_or(0);
        if !probe.limited || excess > 0 {
            self.bounds.on_probe(probe.window, probe.tally, excess, bdp);
        }
    }

    fn begin_probe_rtt(&mut self) {
        self.probe = None;
        self.phase = Phase::ProbeRtt {
            until: None,
            shortest: None,
        };
    }

    fn cruise(&mut self) {
        // Differs between flows, and from cycle to cycle.
        let more = self.sampler.delivered() / self.path.mtu % 4;
        self.phase = Phase::Cruise {
            rounds: CRUISE_ROUNDS + more,
        };
    }

    /// Goes from phase to phase where it does not take a round.
    fn step(&mut self, now: Instant) {
        let Some(bdp) = self.path.bdp() else { return };
        match self.phase {
            Phase::Drain if self.in_flight <= percent(bdp, Phase::Drain.gain()) => self.cruise(),
            Phase::ProbeRtt { until, shortest } => self.step_probe_rtt(now, until, shortest, bdp),
            Phase::Drain | Phase::Cruise { .. } if self.path.min_rtt.expired(now) => {
                self.begin_probe_rtt();
            }
            Phase::Startup | Phase::Drain | Phase::Cruise { .. } | Phase::Probe => {}
        }
    }

    fn step_probe_rtt(
        &mut self,
        now: Instant,
        until: Option<Instant>,
        shortest: Option<Duration>,
        bdp: u64,
    ) {
        let drained = self.in_flight <= percent(bdp, self.phase.gain()).max(self.path.min_window());
        match until {
            None if drained => {
                // What was seen before was seen in a queue.
                let rtt = self.path.min_rtt.get().unwrap_or_default();
                self.phase = Phase::ProbeRtt {
                    until: now.checked_add(PROBE_RTT_TIME.max(rtt)),
                    shortest: None,
                };
            }
            Some(until) if now >= until => {
                if let Some(shortest) = shortest {
                    self.path.min_rtt.replace(now, shortest);
                }
                self.cruise();
            }
            _ => {}
        }
    }

    fn set_window(&mut self, acked: u64, app_limited: bool) {
        let floor = self.path.min_window();
        let Some(bdp) = self.path.bdp() else {
            // Before the first sample.
            self.window = self.window.saturating_add(acked);
            return;
        };
        let wanted = self.wanted(bdp);
        self.window = match (self.phase, self.recovery) {
            (Phase::Startup, _) if app_limited => self.window,
            (Phase::Startup, _) => {
                let grown = self.window.saturating_add(acked);
                grown.min(wanted.max(self.initial_window()))
            }
            (_, Some(0)) => floor,
            (_, Some(_)) => wanted / 2,
            (_, None) => wanted,
        }
        .clamp(floor, MAX_WINDOW);
        if let Some(probe) = self.probe.as_mut().filter(|probe| probe.ended.is_none()) {
            probe.window = self.window;
        }
    }

    fn wanted(&self, bdp: u64) -> u64 {
        let window = percent(bdp, self.phase.gain());
        let slack = self.path.slack(bdp);
        match self.phase {
            Phase::Startup => window.saturating_add(slack),
            Phase::Drain | Phase::ProbeRtt { .. } => window.min(self.bounds.cruise()),
            Phase::Cruise { .. } => window.saturating_add(slack).min(self.bounds.cruise()),
            Phase::Probe => window.saturating_add(slack).min(self.bounds.probe()),
        }
    }
}
