use super::*;

fn conditions(text: &str) -> Conditions {
    let mut conditions = Conditions::default();
    for word in text.split_whitespace() {
        word.parse::<Setting>().unwrap().apply(&mut conditions);
    }
    conditions
}

#[test]
fn every_setting_has_its_value() {
    let text = "up=no delay=25ms jitter=500us loss=1% reorder=25%/10ms duplicate=2% corrupt=0.5% tamper=100% rate=1.5mbit \
                queue=64kb mtu=1280";
    let expected = Conditions {
        up: false,
        delay: Duration::from_millis(25),
        jitter: Duration::from_micros(500),
        loss: Loss::Random(0.01),
        reorder: Reorder {
            probability: 0.25,
            late: Duration::from_millis(10),
        },
        duplicate: 0.02,
        corrupt: 0.005,
        tamper: 1.0,
        rate: Some(1_500_000),
        queue: QueueLimit::Bytes(64_000),
        mtu: Some(1280),
    };
    assert_eq!(conditions(text), expected);
    assert_eq!(
        conditions("queue=1s").queue,
        QueueLimit::Time(Duration::from_secs(1))
    );
    assert_eq!(conditions("loss=5%/8").loss, Loss::bursts(0.05, 8.0));
    let fade = Loss::fades(0.05, Duration::from_millis(20));
    assert_eq!(conditions("loss=5%/20ms").loss, fade);
    assert_eq!(conditions(&format!("{text} rate=none mtu=none")).rate, None);
    assert_eq!(conditions("mtu=1280 mtu=none"), Conditions::default());
}

#[test]
fn a_direction_stands_before_the_name() {
    let both = Direction::BOTH;
    for (text, expected) in [
        ("delay=1s", [true, true]),
        ("ab.delay=1s", [true, false]),
        ("ba.delay=1s", [false, true]),
    ] {
        let setting: Setting = text.parse().unwrap();
        assert_eq!(
            both.map(|direction| setting.is_for(direction)),
            expected,
            "{text}"
        );
    }
}

#[test]
fn what_is_wrong_is_named() {
    for (text, expected) in [
        ("delay", r#""delay" is not like delay=25ms"#),
        ("", r#""" is not like delay=25ms"#),
        ("dealy=1s", r#"there is no setting "dealy""#),
        ("ac.delay=1s", r#"there is no setting "ac.delay""#),
        ("delay=5", r#"delay cannot be "5"; 25ms would do"#),
        ("delay=-5ms", r#"delay cannot be "-5ms"; 25ms would do"#),
        ("delay=1e300s", r#"delay cannot be "1e300s"; 25ms would do"#),
        (
            "loss=101%",
            r#"loss cannot be "101%"; 1% or 5%/20ms would do"#,
        ),
        (
            "loss=NaN%",
            r#"loss cannot be "NaN%"; 1% or 5%/20ms would do"#,
        ),
        (
            "loss=100%/8",
            r#"loss cannot be "100%/8"; 1% or 5%/20ms would do"#,
        ),
        (
            "loss=1%/0.5",
            r#"loss cannot be "1%/0.5"; 1% or 5%/20ms would do"#,
        ),
        ("reorder=1%", r#"reorder cannot be "1%"; 25%/10ms would do"#),
        ("ab.mtu=big", r#"mtu cannot be "big"; 1280 would do"#),
    ] {
        assert_eq!(text.parse::<Setting>().unwrap_err().to_string(), expected);
    }
}

#[test]
fn the_help_names_every_setting() {
    let lines = HELP.lines().skip(1);
    for line in lines {
        let example = line.split_whitespace().next().unwrap();
        let first = example.split('|').next().unwrap();
        assert!(first.parse::<Setting>().is_ok(), "{line}");
    }
}
