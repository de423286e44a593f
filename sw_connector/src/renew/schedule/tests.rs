//! A connector over years of virtual time.

use time::{Duration as Span, macros::datetime};

use super::*;

const START: OffsetDateTime = datetime!(2026-11-20 12:00:00 UTC);
const HOUR: Duration = Duration::from_secs(3600);
const DAY: Duration = Duration::from_secs(86_400);

fn plan(before: Option<Duration>) -> Plan {
    Plan {
        before,
        retry: HOUR,
    }
}

fn valid(from_days: i64, to_days: i64) -> Option<Validity> {
    Some(Validity {
        not_before: START + Span::days(from_days),
        not_after: START + Span::days(to_days),
    })
}

/// Both clocks, going together.
struct Clock {
    steady: Instant,
    passed: Duration,
}

impl Clock {
    fn new() -> Self {
        Self {
            steady: Instant::now(),
            passed: Duration::ZERO,
        }
    }

    fn now(&self) -> OffsetDateTime {
        START + self.passed
    }

    fn steady(&self) -> Instant {
        self.steady + self.passed
    }

    /// Waits as told until the command is to run; how long that took.
    fn run(&mut self, schedule: &mut Schedule, validity: Option<Validity>) -> (Reason, Duration) {
        let began = self.passed;
        loop {
            match schedule.next(self.now(), self.steady(), validity) {
                Step::Run(reason) => return (reason, self.passed - began),
                Step::Wait(wait) => {
                    assert!(!wait.is_zero() && wait <= LOOK, "{wait:?}");
                    self.passed += wait;
                }
            }
        }
    }
}

fn first_run(before: Option<Duration>, place: f64, validity: Option<Validity>) -> Duration {
    let mut schedule = Schedule::new(plan(before), place);
    let (reason, after) = Clock::new().run(&mut schedule, validity);
    assert_eq!(reason, Reason::Due);
    after
}

#[test]
fn it_is_due_so_many_days_before_the_end_or_after_two_thirds_of_the_lifetime() {
    assert_eq!(first_run(None, 0.0, valid(0, 90)), 60 * DAY);
    assert_eq!(first_run(Some(20 * DAY), 0.0, valid(0, 90)), 70 * DAY);
    assert_eq!(
        first_run(Some(20 * DAY), 0.0, valid(-80, 10)),
        Duration::ZERO
    );
    assert_eq!(first_run(None, 0.0, valid(-30, 60)), 30 * DAY);
}

#[test]
fn days_beyond_the_lifetime_do_not_mean_for_ever() {
    for days in [1, 2, 30] {
        let plan = plan(Some(days * DAY));
        assert!(plan.exceeds(valid(0, 1).unwrap()));
        assert_eq!(first_run(Some(days * DAY), 0.0, valid(0, 1)), 16 * HOUR);
    }
    assert!(!plan(Some(DAY)).exceeds(valid(0, 2).unwrap()));
    assert!(!plan(None).exceeds(valid(0, 2).unwrap()));
}

#[test]
fn many_connectors_are_spread_but_never_late() {
    let runs = (0..=100).map(|n| first_run(None, f64::from(n) / 100.0, valid(0, 90)));
    let runs: Vec<_> = runs.collect();
    assert!(runs.is_sorted() && runs[0] == 60 * DAY && runs[100] == 60 * DAY + HOUR);
    // Of a short life only a part: a day's certificate is renewed within the hour after 16 hours.
    assert_eq!(first_run(None, 1.0, valid(0, 1)), 17 * HOUR);
    assert_eq!(
        first_run(Some(4 * HOUR), 1.0, valid(0, 1)),
        20 * HOUR + HOUR / 2
    );
}

#[test]
fn what_cannot_be_used_or_has_expired_is_renewed_at_once() {
    let mut schedule = Schedule::new(plan(None), 1.0);
    let mut clock = Clock::new();
    let now = (Reason::Unusable, Duration::ZERO);
    assert_eq!(clock.run(&mut schedule, None), now);
    let now = (Reason::Expired, Duration::ZERO);
    assert_eq!(clock.run(&mut schedule, valid(-1, 0)), now);
    // Dates that make no sense.
    assert_eq!(clock.run(&mut schedule, valid(5, -5)), now);
}

#[test]
fn retries_come_at_growing_times_within_their_bounds() {
    for draw in [0.0, 0.3, 1.0] {
        let mut schedule = Schedule::new(plan(None), 0.0);
        let mut clock = Clock::new();
        let expired = valid(-90, 0);
        for ceiling in [450, 900, 1800, 3600, 3600, 3600].map(Duration::from_secs) {
            let wait = schedule.failed(clock.steady(), draw);
            assert!(wait >= ceiling / 2 && wait <= ceiling, "{wait:?}");
            let (reason, rested) = clock.run(&mut schedule, expired);
            assert_eq!((reason, rested), (Reason::Expired, wait));
        }
        for _ in 0..1000 {
            assert!(schedule.failed(clock.steady(), draw) <= HOUR);
        }
    }
}

#[test]
fn a_certificate_that_is_due_at_once_makes_no_loop() {
    let mut schedule = Schedule::new(plan(None), 0.0);
    let mut clock = Clock::new();
    let mut runs = 0;
    while clock.passed < DAY {
        clock.run(&mut schedule, valid(-1, 0));
        schedule.succeeded(clock.steady());
        runs += 1;
    }
    assert!(runs <= 24 * 8 + 1, "{runs}");
}

#[test]
fn a_new_certificate_ends_the_trouble_whoever_brought_it() {
    let mut schedule = Schedule::new(plan(None), 0.0);
    let mut clock = Clock::new();
    for _ in 0..9 {
        schedule.failed(clock.steady(), 1.0);
    }
    let (_, after) = clock.run(&mut schedule, valid(0, 90));
    assert_eq!(after, 60 * DAY);
    assert_eq!(schedule.failed(clock.steady(), 1.0), HOUR / 8);
}

#[test]
fn a_clock_that_jumps_is_noticed_at_the_next_look() {
    let mut schedule = Schedule::new(plan(None), 0.0);
    let steady = Instant::now();
    let validity = valid(0, 90);
    let Step::Wait(wait) = schedule.next(START, steady, validity) else {
        panic!("not due yet");
    };
    // The machine slept for 80 days, in which the steady clock stood still.
    let woken = schedule.next(START + Span::days(80), steady + wait, validity);
    assert_eq!(woken, Step::Run(Reason::Due));
    // Set back by years, it is not due any more; a rest is not made longer by it.
    schedule.failed(steady, 1.0);
    let expired = valid(-9000, -8000);
    assert_eq!(
        schedule.next(START - Span::days(7000), steady + HOUR, expired),
        Step::Run(Reason::Expired)
    );
}

/// A year of a certificate authority that is away one week in three: as long as it comes back, no day without a
/// certificate.
#[test]
fn a_year_with_outages_passes_without_expiry() {
    let mut seed = 1u64;
    let mut draw = || {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (seed >> 11) as f64 / (1u64 << 53) as f64
    };
    for _ in 0..20 {
        let mut schedule = Schedule::new(plan(None), draw());
        let mut clock = Clock::new();
        let mut validity = valid(0, 30).unwrap();
        let mut tries = 0;
        while clock.passed < 365 * DAY {
            let (reason, _) = clock.run(&mut schedule, Some(validity));
            assert_eq!(reason, Reason::Due);
            tries += 1;
            if (clock.passed.as_secs() / (7 * 86_400)).is_multiple_of(3) {
                schedule.failed(clock.steady(), draw());
                continue;
            }
            schedule.succeeded(clock.steady());
            validity = Validity {
                not_before: clock.now(),
                not_after: clock.now() + Span::days(30),
            };
        }
        assert!(tries < 365 * 48, "{tries}");
    }
}
