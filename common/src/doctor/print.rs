//! Lines as text or JSON, block after block, each as soon as it is there.

use std::{
    borrow::Cow,
    io::{self, Write},
};

use serde_json::json;
use tokio::time::{Instant, timeout_at};

use super::{Block, LIMIT, Line, Outcome};

/// Longest text of a line, in characters: strangers are quoted.
const LONGEST: usize = 2000;

/// How lines are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// For people.
    Text,
    /// An object a line: `about` (if there are several blocks), `step`, `outcome`, `detail`, `advice`.
    Json,
}

/// Prints the blocks until they end, or until `deadline`: whether nothing failed.
///
/// # Errors
/// When nothing can be written.
pub async fn print(
    blocks: Vec<Block>,
    form: Form,
    deadline: Instant,
    out: &mut impl Write,
) -> io::Result<bool> {
    let mut well = true;
    for mut block in blocks {
        let about = block.about.as_deref().map(plain);
        let about = about.as_deref();
        if let (Some(about), Form::Text) = (about, form) {
            writeln!(out, "{about}:")?;
        }
        loop {
            let line = match timeout_at(deadline, block.lines.recv()).await {
                Ok(Some(line)) => line,
                Ok(None) => break,
                Err(_) => {
                    let late = Line::fail("time", late(), None);
                    writeln!(out, "{}", render(&late, about, form))?;
                    return Ok(false);
                }
            };
            well &= line.outcome != Outcome::Fail;
            writeln!(out, "{}", render(&line, about, form))?;
            out.flush()?;
        }
    }
    Ok(well)
}

fn late() -> String {
    format!("{LIMIT:?} are over: the rest was not looked at")
}

/// A line without its end. Nothing in it can move a cursor or begin another line.
fn render(line: &Line, about: Option<&str>, form: Form) -> String {
    let (step, detail) = (line.step, plain(&line.detail));
    let advice = line.advice.as_deref().map(plain);
    let outcome = match (form, line.outcome) {
        (_, Outcome::Ok) => "ok",
        (_, Outcome::Warn) => "warn",
        (_, Outcome::Fail) => "fail",
        (Form::Text, Outcome::Skipped) => "skip",
        (Form::Json, Outcome::Skipped) => "skipped",
    };
    match (form, advice) {
        (Form::Text, None) => format!("{outcome:<5} {step:<9} {detail}"),
        (Form::Text, Some(advice)) => format!("{outcome:<5} {step:<9} {detail}: {advice}"),
        (Form::Json, advice) => {
            let mut object =
                json!({"step": step, "outcome": outcome, "detail": detail, "advice": advice});
            if let Some(about) = about {
                object["about"] = about.into();
            }
            object.to_string()
        }
    }
}

/// The text without what could deceive whoever reads it on a terminal: control characters, and those that turn the
/// direction of writing (Unicode, UAX #9).
fn plain(text: &str) -> Cow<'_, str> {
    let odd = |c: char| {
        c.is_control()
            || matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    if text.len() <= LONGEST && !text.contains(odd) {
        return Cow::Borrowed(text);
    }
    let mut plain = String::new();
    for c in text.chars().take(LONGEST) {
        match odd(c) {
            true => plain.extend(c.escape_default()),
            false => plain.push(c),
        }
    }
    if text.chars().nth(LONGEST).is_some() {
        plain.push('…');
    }
    Cow::Owned(plain)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use serde_json::Value;

    use super::*;

    async fn printed(lines: Vec<Line>, about: Option<&str>, form: Form) -> (bool, String) {
        let (steps, block) = Block::new(about.map(str::to_owned));
        steps.tell_all(lines).await;
        drop(steps);
        let mut out = Vec::new();
        let deadline = Instant::now() + Duration::from_secs(9);
        let well = print(vec![block], form, deadline, &mut out).await.unwrap();
        (well, String::from_utf8(out).unwrap())
    }

    #[tokio::test]
    async fn a_line_says_what_and_what_to_do() {
        let lines = vec![
            Line::ok("dns", "a.example → 192.0.2.1"),
            Line::warn("mtu", "small", "look".to_owned()),
            Line::skipped("tls", "no connection"),
        ];
        let (well, text) = printed(lines.clone(), Some("a.example:1"), Form::Text).await;
        assert!(well);
        assert_eq!(
            text,
            "a.example:1:\nok    dns       a.example → 192.0.2.1\nwarn  mtu       small: look\nskip  tls       no connection\n"
        );
        let (well, text) = printed(lines, None, Form::Json).await;
        assert!(well);
        let objects: Vec<Value> = text
            .lines()
            .map(|l| serde_json::from_str(l).unwrap())
            .collect();
        assert_eq!(
            objects[1],
            json!({"step": "mtu", "outcome": "warn", "detail": "small", "advice": "look"})
        );
        assert_eq!(objects[2]["outcome"], "skipped");
    }

    #[tokio::test]
    async fn one_failure_is_a_failure() {
        let lines = vec![Line::fail("udp", "no", None), Line::ok("dns", "yes")];
        assert!(!printed(lines, None, Form::Text).await.0);
    }

    #[tokio::test]
    async fn strangers_cannot_forge_lines() {
        let evil = "x\x1b[2J\nok    tls       \u{202e}all is well\r";
        let line = || vec![Line::warn("tls", evil, evil.to_owned())];
        let (_, text) = printed(line(), Some(evil), Form::Text).await;
        assert_eq!(text.lines().count(), 2, "{text}");
        assert!(!text.contains(['\x1b', '\r', '\u{202e}']), "{text:?}");
        let (_, text) = printed(line(), Some(evil), Form::Json).await;
        assert_eq!(text.lines().count(), 1);
        assert!(!text.contains('\x1b'), "{text:?}");
        let (_, text) = printed(vec![Line::ok("tls", "ä".repeat(9999))], None, Form::Text).await;
        assert!(text.chars().count() < LONGEST + 50);
    }

    #[tokio::test]
    async fn a_step_that_never_ends_does_not_hold_up_the_end() {
        let (steps, block) = Block::new(None);
        steps.tell(Line::ok("dns", "x")).await;
        let mut out = Vec::new();
        let deadline = Instant::now() + Duration::from_millis(10);
        let well = print(vec![block], Form::Text, deadline, &mut out).await;
        assert!(!well.unwrap());
        assert!(String::from_utf8(out).unwrap().contains("not looked at"));
        drop(steps);
    }
}
