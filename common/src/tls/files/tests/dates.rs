//! Certificates that are not valid now.

use super::*;

/// The choice of [`Occasion`]: at the start there is nothing better, later there is.
#[test]
fn a_certificate_that_is_not_valid_now_is_used_at_the_start_only() {
    let (place, tls) = (place(), TlsPolicy::default());
    let files = place.files("server.crt", "server.key", "ca.crt");
    for years in [-60_i64, 6000] {
        let seconds = Duration::from_secs(years.unsigned_abs() * 31_557_600);
        let now = match years < 0 {
            true => SystemTime::now() - seconds + Duration::from_secs(31_557_600 * 4),
            false => SystemTime::now() + seconds,
        };
        for (occasion, taken) in [
            (Occasion::Start, true),
            (Occasion::Replace, false),
            (Occasion::Check, false),
        ] {
            let demands = Demands {
                occasion,
                ..demands(Role::Listener, &tls)
            };
            let loaded = files.load(&demands, now);
            assert_eq!(loaded.is_ok(), taken, "{occasion:?} {loaded:?}");
            let Ok(loaded) = loaded else { continue };
            assert_eq!(loaded.warnings[0].weight, Weight::Date);
        }
    }
}

/// A reload is tried every minute, and the same trouble is said once: its words may not tell the time.
#[test]
fn a_reload_that_fails_for_a_date_has_the_same_words_each_time() {
    let (place, tls) = (place(), TlsPolicy::default());
    let files = place.files("server.crt", "server.key", "ca.crt");
    let words = |occasion, seconds| {
        let demands = Demands {
            occasion,
            ..demands(Role::Listener, &tls)
        };
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(seconds);
        files.load(&demands, now).unwrap_err().to_string()
    };
    let first = words(Occasion::Replace, 60);
    assert!(first.contains("not valid before"), "{first}");
    assert_eq!(words(Occasion::Replace, 120), first);
    assert_ne!(words(Occasion::Check, 120), words(Occasion::Check, 60));
}
