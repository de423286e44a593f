//! The result as Markdown.

use std::fmt::Write;

use super::{Report, Row, Section};
use crate::measure::statistics::{median, range, ratio};

/// The whole text. Writing to a string does not fail, so results of `write!` are not looked at.
pub fn of(report: &Report) -> String {
    let mut text = String::new();
    head(report, &mut text);
    for section in &report.scenarios {
        table(report, section, &mut text);
    }
    failures(report, &mut text);
    text
}

fn head(report: &Report, text: &mut String) {
    for command in report.command.lines() {
        let _ = writeln!(text, "`{command}`\n");
    }
    let _ = writeln!(text, "{}, {}.", report.started, report.machine.describe());
    if report.quick {
        let _ = writeln!(
            text,
            "**A quick run: it shows that everything works; the figures mean nothing.**"
        );
    }
    let _ = writeln!(
        text,
        "Medians of the rounds (lowest–highest); ×: the median of the rounds' ratios to {}.\n",
        report.reference
    );
    for contender in &report.contenders {
        let _ = writeln!(text, "- **{}**: {}", contender.name, contender.about);
    }
    for line in &report.left_out {
        let _ = writeln!(text, "- left out: {line}");
    }
}

fn table(report: &Report, section: &Section, text: &mut String) {
    let _ = writeln!(text, "\n## {}\n", section.name);
    let _ = writeln!(
        text,
        "{}. Path: {}; TCP: {}; rounds: {}.\n",
        section.title, section.path, section.congestion_control, section.rounds
    );
    let takes_part = |name: &&str| {
        section
            .rows
            .iter()
            .any(|row| row.values.contains_key(*name))
    };
    let names = report
        .contenders
        .iter()
        .map(|contender| contender.name.as_str());
    let names: Vec<_> = names.filter(takes_part).collect();
    if !names.is_empty() {
        let _ = writeln!(text, "| | | {} |", names.join(" | "));
        let _ = writeln!(text, "|---|---|{}", "---|".repeat(names.len()));
    }
    let mut before = "";
    for row in &section.rows {
        let case = if row.case == before { "" } else { &row.case };
        let cells: Vec<_> = names
            .iter()
            .map(|name| cell(row, name, &report.reference))
            .collect();
        let _ = writeln!(
            text,
            "| {case} | {} | {} |",
            row.metric.unit(),
            cells.join(" | ")
        );
        before = &row.case;
    }
    for note in &section.notes {
        let _ = writeln!(text, "\n{note}.");
    }
}

fn cell(row: &Row, name: &str, reference: &str) -> String {
    let figures = row.figures(name);
    if figures.is_empty() {
        return "–".to_owned();
    }
    let mut text = number(median(&figures));
    if figures.len() > 1 {
        let (lowest, highest) = range(&figures);
        let _ = write!(text, " ({}–{})", number(lowest), number(highest));
    }
    if name != reference
        && let (Some(values), Some(compared)) = (row.values.get(name), row.values.get(reference))
        && let Some(ratio) = ratio(values, compared)
    {
        let _ = write!(text, " ×{}", number(ratio));
    }
    text
}

/// Three significant digits, and no fraction from 100 on.
pub fn number(value: f64) -> String {
    let size = value.abs();
    if value == 0.0 {
        "0".to_owned()
    } else if size >= 99.95 {
        format!("{value:.0}")
    } else if size >= 9.995 {
        format!("{value:.1}")
    } else if size >= 0.9995 {
        format!("{value:.2}")
    } else {
        format!("{value:.3}")
    }
}

fn failures(report: &Report, text: &mut String) {
    if report.failures.is_empty() {
        return;
    }
    let _ = writeln!(text, "\n## What did not work\n");
    for failure in &report.failures {
        let _ = writeln!(
            text,
            "- {}, {}, round {}: {}",
            failure.scenario, failure.contender, failure.round, failure.error
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_digits() {
        let cases = [
            (0.0, "0"),
            (0.01234, "0.012"),
            (0.9999, "1.00"),
            (8.044, "8.04"),
            (9.999, "10.0"),
            (38.26, "38.3"),
            (99.99, "100"),
            (2757.4, "2757"),
        ];
        for (value, text) in cases {
            assert_eq!(number(value), text);
        }
    }

    #[test]
    fn a_table_has_medians_ranges_and_ratios() {
        let text = of(&super::super::example());
        assert!(
            text.contains("| | | a | b |\n|---|---|---|---|\n"),
            "{text}"
        );
        let row = "| 1 stream | Gbit/s | 6.00 (4.00–8.00) ×0.733 | 8.00 (6.00–10.0) |";
        assert!(text.contains(row), "{text}");
        assert!(text.contains("left out: c: not there"));
        assert!(text.contains("\nb: too slow.\n"));
        assert!(text.contains("- throughput, a, round 2: it broke"));
    }
}
