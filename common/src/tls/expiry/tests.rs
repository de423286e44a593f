use std::time::SystemTime;

use time::macros::datetime;
use tokio::sync::watch as channel;

use super::{watch::Reporter, *};
use crate::tls::{
    Demands, Occasion, Role, TlsPolicy,
    testing::{Place, client, intermediate, root},
};

const NOW: OffsetDateTime = datetime!(2026-11-20 12:00:00 UTC);

fn item(name: &str, left: Duration) -> Item {
    Item {
        kind: Kind::Leaf,
        file: "a.crt".into(),
        name: name.to_owned(),
        not_after: NOW + left,
    }
}

#[test]
fn what_ends_within_the_days_is_found_in_order() {
    let items = [
        item("later", Duration::days(30)),
        item("soon", Duration::days(30) - Duration::SECOND),
        item("now", Duration::ZERO),
        item("over", -Duration::SECOND),
        item("long over", Duration::days(-400)),
    ];
    let found = findings(NOW, 30, items.clone());
    let told: Vec<_> = found
        .iter()
        .map(|f| (f.item.name.as_str(), f.days_left, f.is_over()))
        .collect();
    let expected = [
        ("long over", -400, true),
        ("over", -1, true),
        ("now", 0, false),
        ("soon", 29, false),
    ];
    assert_eq!(told, expected);
    let only_over = findings(NOW, 0, items);
    assert!(only_over.iter().all(Finding::is_over) && only_over.len() == 2);
}

#[test]
fn ones_own_certificate_is_reported_before_the_cas() {
    let ca = |days| Item {
        kind: Kind::Ca,
        ..item("ca", Duration::days(days))
    };
    let found = findings(NOW, 30, [ca(-9), item("own", Duration::DAY), ca(-8)]);
    assert_eq!(found[2].item.name, "own");
    let told = Reporter::default().select(NOW, &found)[0].item.name.clone();
    assert_eq!(told, "own");
}

#[test]
fn the_ends_of_time_are_no_trouble() {
    let (first, last) = (
        datetime!(0000-01-01 0:00 UTC),
        datetime!(9999-12-31 23:59:59 UTC),
    );
    assert_eq!(days_left(first, last), 3_652_424);
    assert_eq!(days_left(last, first), -3_652_425);
}

#[test]
fn the_report_comes_daily_and_what_is_new_at_once() {
    let mut reporter = Reporter::default();
    let mut count = |hours: i64, left: &[i64]| {
        let now = NOW + Duration::hours(hours);
        let items = left
            .iter()
            .map(|hours| item(&hours.to_string(), Duration::hours(*hours)));
        let found = findings(now, 30, items);
        reporter.select(now, &found).len()
    };
    assert_eq!(count(0, &[100, 200]), 2, "at the start");
    assert_eq!(count(1, &[100, 200]), 0, "told an hour ago");
    assert_eq!(count(2, &[100, 200, 300]), 1, "one is new");
    assert_eq!(count(23, &[100, 200, 300]), 0);
    assert_eq!(count(24, &[100, 200, 300]), 3, "a day later");
    assert_eq!(count(48, &[100, 200, 300]), 3, "two days later");
    assert_eq!(count(60, &[100, 200, 300]), 0);
    assert_eq!(count(70, &[60, 200, 300]), 1, "one is over");
    assert_eq!(count(71, &[60, 200, 300]), 0);
    assert_eq!(count(-300, &[60, 200, 300]), 3, "the clock was set back");
    reporter.forget();
    let found = findings(NOW, 30, [item("x", Duration::ZERO)]);
    assert_eq!(reporter.select(NOW, &found).len(), 1);
    reporter.forget();
    assert_eq!(reporter.select(NOW, &found).len(), 1, "after a reload");
}

/// What is in force is reported, in whatever state the files are.
#[test]
fn the_dates_are_those_of_what_was_read() {
    let place = Place::new();
    let (peers, root) = (root("peers"), root("root"));
    let between = intermediate("between", &root);
    let leaf = client(&between);
    let files = place.files("a.crt", "a.key", "ca.crt");
    place.write("a.crt", leaf.pem.clone() + &between.pem());
    place.write("a.key", leaf.key.serialize_pem());
    place.write("ca.crt", peers.pem());
    let demands = Demands {
        role: Role::Connector,
        occasion: Occasion::Start,
        names: &[],
        tls: &TlsPolicy::default(),
    };
    let loaded = files.load(&demands, SystemTime::now()).unwrap();
    place.write("a.crt", "");
    let items = loaded.items(&files);
    let seen: Vec<_> = items
        .iter()
        .map(|item| (item.kind, &item.file, item.name.as_str()))
        .collect();
    let expected = [
        (Kind::Leaf, &files.chain, "device1"),
        (Kind::Intermediate, &files.chain, "between"),
        (Kind::Ca, &files.ca, "peers"),
    ];
    for (seen, expected) in seen.iter().zip(&expected) {
        assert_eq!((seen.0, seen.1), (expected.0, expected.1));
        assert!(seen.2.contains(expected.2), "{seen:?}");
    }
    assert_eq!(seen.len(), 3);
    assert_eq!(items[0].not_after, loaded.chain_facts[0].not_after);
}

#[test]
fn further_cas_have_their_dates_too() {
    let folder = tempfile::tempdir().unwrap();
    let other = folder.path().join("scep-ca.crt");
    assert_eq!(of_cas(&other), []);
    let made = rcgen::generate_simple_self_signed(["scep".to_owned()]).unwrap();
    std::fs::write(&other, made.cert.pem()).unwrap();
    let read = of_cas(&other);
    let [item] = read.as_slice() else {
        panic!("{read:?}")
    };
    assert_eq!((item.kind, &item.file), (Kind::Ca, &other));
}

#[tokio::test]
async fn a_reload_is_followed_by_a_look() {
    let reloads = channel::Sender::new(());
    let watch = Watch::new(30);
    let mut seen = watch.subscribe();
    let mut names = ["first", "second"].into_iter();
    let items = || {
        let not_after = OffsetDateTime::now_utc() + Duration::days(3);
        let name = names.next().unwrap().to_owned();
        vec![Item {
            not_after,
            ..item(&name, Duration::ZERO)
        }]
    };
    let checks = async {
        let mut next = async || {
            seen.changed().await.unwrap();
            seen.borrow_and_update()[0].item.name.clone()
        };
        assert_eq!(next().await, "first");
        reloads.send_replace(());
        assert_eq!(next().await, "second");
        assert_eq!(watch.current()[0].days_left, 3);
    };
    tokio::select! {
        () = checks => {}
        () = watch.run(items, reloads.subscribe()) => unreachable!(),
    }
}
