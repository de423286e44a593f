//! The steps about one's own files: `files`, `dates`, `clock`. Pure, but for the reading that their caller does.

use time::OffsetDateTime;

use super::Line;
use crate::tls::{
    CertificateFacts, LoadError, LoadErrors, Loaded, PermissionError, Weight,
    expiry::{Item, days_left, findings},
};

/// Step `files`: everything that is wrong with them. What is wrong with the dates is told by [`dates`].
pub fn files(loaded: &Result<Loaded, LoadErrors>) -> Vec<Line> {
    let step = "files";
    let loaded = match loaded {
        Ok(loaded) => loaded,
        Err(errors) => {
            let errors = errors.0.iter();
            return errors.map(bad_file).collect();
        }
    };
    let findings = loaded.warnings.iter();
    let findings = findings.filter(|finding| finding.weight != Weight::Date);
    let mut lines: Vec<_> = findings
        .map(|finding| Line::warn(step, finding.to_string(), None))
        .collect();
    if lines.is_empty() {
        let names = loaded
            .chain_facts
            .first()
            .map(CertificateFacts::name)
            .unwrap_or_default();
        let count = loaded.ca_facts.len();
        let what = format!(
            "certificate {names:?}, its private key, {count} CA certificate(s) for the other side"
        );
        lines.push(Line::ok(step, what));
    }
    lines
}

fn bad_file(error: &LoadError) -> Line {
    let step = "files";
    if let LoadError::Permissions(PermissionError::Owner {
        path,
        owner,
        user: 0,
    }) = error
    {
        // Root's own key would be right for root, and of no use to the daemon.
        let what = format!(
            "{} belongs to user {owner}, probably the daemon's, and this is root",
            path.display()
        );
        let advice =
            format!("look as that user: sudo -u '#{owner}' COMMAND; leave the file as it is");
        return Line::fail(step, what, advice);
    }
    Line::fail(step, error.to_string(), None)
}

/// Step `dates`: what has ended, or ends within `warn_days`.
pub fn dates(items: &[Item], warn_days: u32, now: OffsetDateTime) -> Vec<Line> {
    let step = "dates";
    let found = findings(now, warn_days, items.iter().cloned());
    if found.is_empty() {
        let first = items.iter().min_by_key(|item| item.not_after);
        return first
            .map(|item| Line::ok(step, format!("the first to end is {}", ends(item, now))))
            .into_iter()
            .collect();
    }
    let line = |finding: crate::tls::expiry::Finding| {
        let (what, advice) = (ends(&finding.item, now), finding.advice().to_owned());
        match finding.is_over() {
            true => Line::fail(step, what, advice),
            false => Line::warn(step, what, advice),
        }
    };
    found.into_iter().map(line).collect()
}

fn ends(item: &Item, now: OffsetDateTime) -> String {
    let days = days_left(now, item.not_after);
    let left = match days {
        0.. => format!("ends in {days} days"),
        _ => "has ended".to_owned(),
    };
    let Item {
        kind,
        name,
        not_after,
        ..
    } = item;
    format!(
        "the {kind} of {name:?} in {}: it {left} ({})",
        item.file.display(),
        day(*not_after)
    )
}

/// Step `clock`: this machine's clock against the certificates, which somebody made at a time that has passed.
pub fn clock(facts: &[CertificateFacts], now: OffsetDateTime) -> Line {
    let step = "clock";
    let future = facts.iter().max_by_key(|facts| facts.not_before);
    match future.filter(|facts| facts.not_before > now) {
        None => Line::ok(step, format!("{} UTC, after all certificates were made", minute(now))),
        Some(facts) => Line::fail(
            step,
            format!(
                "it is {} UTC here, but the certificate of {:?} is valid from {} on",
                minute(now),
                facts.name(),
                minute(facts.not_before)
            ),
            "set the clock (timedatectl set-ntp true), or mend that of the CA and make the certificate anew".to_owned(),
        ),
    }
}

fn day(moment: OffsetDateTime) -> String {
    moment.date().to_string()
}

fn minute(moment: OffsetDateTime) -> String {
    let moment = moment.to_offset(time::UtcOffset::UTC);
    format!(
        "{} {:02}:{:02}",
        moment.date(),
        moment.hour(),
        moment.minute()
    )
}

#[cfg(test)]
mod tests {
    use time::{Duration, macros::datetime};

    use super::*;
    use crate::{doctor::Outcome, tls::expiry::Kind};

    const NOW: OffsetDateTime = datetime!(2026-11-20 12:00:00 UTC);

    fn item(kind: Kind, left: Duration) -> Item {
        Item {
            kind,
            file: "c.pem".into(),
            name: "CN=x".to_owned(),
            not_after: NOW + left,
        }
    }

    #[test]
    fn the_end_decides() {
        let far = item(Kind::Leaf, Duration::days(90));
        let further = item(Kind::Ca, Duration::days(900));
        let [line] = &dates(&[further.clone(), far.clone()], 30, NOW)[..] else {
            panic!("one line");
        };
        assert_eq!(line.outcome, Outcome::Ok);
        assert!(
            line.detail.contains("ends in 90 days (2027-02-18)"),
            "{line:?}"
        );
        let soon = item(Kind::Intermediate, Duration::days(29));
        let over = item(Kind::Ca, -Duration::SECOND);
        let lines = dates(&[far, soon, over], 30, NOW);
        let outcomes: Vec<_> = lines.iter().map(|line| line.outcome).collect();
        assert_eq!(outcomes, [Outcome::Fail, Outcome::Warn]);
        assert!(lines[0].detail.contains("has ended"), "{lines:?}");
        assert!(lines[1].advice.is_some());
        assert!(dates(&[], 30, NOW).is_empty());
    }

    #[test]
    fn root_is_not_told_to_take_the_daemons_key() {
        let line = |user| {
            let (path, owner) = ("k.pem".into(), 998);
            bad_file(&PermissionError::Owner { path, owner, user }.into())
        };
        assert!(line(0).advice.unwrap().contains("sudo -u '#998'"));
        assert!(!line(0).detail.contains("chown"));
        assert!(line(7).detail.contains("chown 7"));
    }

    #[test]
    fn a_certificate_of_the_future_accuses_the_clock() {
        let key = rcgen::KeyPair::generate().unwrap();
        let params = rcgen::CertificateParams::new(["x".to_owned()]).unwrap();
        let made = params.self_signed(&key).unwrap();
        let facts = CertificateFacts::from_der(made.der()).unwrap();
        let made = facts.not_before;
        let late = clock(std::slice::from_ref(&facts), made + Duration::SECOND);
        assert_eq!(late.outcome, Outcome::Ok, "{late:?}");
        let early = clock(&[facts], made - Duration::SECOND);
        assert_eq!(early.outcome, Outcome::Fail);
        assert!(early.advice.unwrap().contains("timedatectl"));
    }
}
