//! The result as a picture (SVG): a panel for each headline figure, a bar for each contender.

use std::fmt::Write;

use super::{Report, Row, markdown::number, metric::Metric};
use crate::measure::statistics::{median, range};

/// What gets a panel: the first row of a scenario with this unit whose case contains this text.
const PANELS: &[(&str, Metric, &str)] = &[
    ("throughput", Metric::Gigabits, "1 stream, target"),
    ("throughput", Metric::Gigabits, "64 streams, target"),
    ("throughput", Metric::CpuPerGigabyte, "1 stream, target"),
    ("throughput-1500", Metric::Gigabits, "1 stream, target"),
    ("ping", Metric::P50Micros, ""),
    ("connect", Metric::PerSecond, "64 at once"),
    ("idle", Metric::MemoryEach, "1000 connections"),
    (
        "isolation",
        Metric::P50Micros,
        "target → client, ping on another connector",
    ),
    ("link", Metric::Megabits, "1 stream, target"),
    ("link-loss-1", Metric::Megabits, "1 stream, target"),
    ("link-loss-1", Metric::Megabits, "8 streams, target"),
    ("link-loss-1", Metric::P99Millis, "ping"),
];

/// Lengths in pixels.
const COLUMNS: usize = 2;
const PANEL: usize = 460;
const NAMES: usize = 130;
const BARS: usize = 240;
const BAR: usize = 20;
const HEAD: usize = 44;
const MARGIN: usize = 16;
const TOP: usize = 56;

/// The picture. Writing to a string does not fail, so results of `write!` are not looked at.
pub fn of(report: &Report) -> String {
    let panels: Vec<_> = PANELS
        .iter()
        .filter_map(|panel| find(report, panel))
        .collect();
    let height = HEAD + MARGIN + BAR * report.contenders.len();
    let (width, rows) = (COLUMNS * PANEL, panels.len().div_ceil(COLUMNS));
    let total = TOP + rows * height;
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{total}\" \
         viewBox=\"0 0 {width} {total}\" font-family=\"sans-serif\" font-size=\"12\" fill=\"#1f2933\">\n\
         <rect width=\"{width}\" height=\"{total}\" fill=\"#ffffff\"/>\n"
    );
    text(
        &mut svg,
        MARGIN,
        24,
        "font-size=\"16\" font-weight=\"bold\"",
        "socket-warp beside other ways",
    );
    let what = if report.quick {
        "a quick run: it shows that everything works; the figures mean nothing"
    } else {
        "medians, with lowest and highest round; bars longer than the panel are cut"
    };
    text(&mut svg, MARGIN, 42, "fill=\"#5f6c7b\"", what);
    for (number, (title, row)) in panels.iter().enumerate() {
        let (x, y) = (number % COLUMNS * PANEL, TOP + number / COLUMNS * height);
        let _ = writeln!(svg, "<g transform=\"translate({x} {y})\">");
        panel(report, title, row, &mut svg);
        svg += "</g>\n";
    }
    svg + "</svg>\n"
}

fn find<'a>(report: &'a Report, panel: &(&str, Metric, &str)) -> Option<(String, &'a Row)> {
    let (scenario, metric, case) = *panel;
    let section = report
        .scenarios
        .iter()
        .find(|section| section.name == scenario)?;
    let rows = &mut section.rows.iter();
    let row = rows.find(|row| row.metric == metric && row.case.contains(case))?;
    Some((format!("{}: {}", section.name, row.case), row))
}

fn panel(report: &Report, title: &str, row: &Row, svg: &mut String) {
    text(svg, MARGIN, 16, "font-weight=\"bold\"", title);
    let better = if row.metric.more_is_better() {
        "more"
    } else {
        "less"
    };
    let unit = format!("{}, {better} is better", row.metric.unit());
    text(svg, MARGIN, 32, "fill=\"#5f6c7b\"", &unit);
    let most = longest(report, row);
    for (line, contender) in report.contenders.iter().enumerate() {
        let y = HEAD + line * BAR;
        text(svg, MARGIN, y + 12, "", &contender.name);
        let figures = row.figures(&contender.name);
        if figures.is_empty() {
            text(svg, NAMES, y + 12, "fill=\"#9aa5b1\"", "–");
        } else {
            bar(&figures, most, colour(report, &contender.name), y, svg);
        }
    }
}

/// What a whole bar stands for. Direct TCP is far ahead of everybody, so it does not count where there is another.
fn longest(report: &Report, row: &Row) -> f64 {
    let highest = |keep: &dyn Fn(&str) -> bool| {
        let names = report
            .contenders
            .iter()
            .map(|contender| contender.name.as_str());
        let figures = names
            .filter(|name| keep(name))
            .flat_map(|name| row.figures(name));
        figures.fold(0.0, f64::max)
    };
    let tunnels = highest(&|name| name != "direct");
    if tunnels > 0.0 {
        tunnels
    } else {
        highest(&|_| true)
    }
}

fn bar(figures: &[f64], most: f64, colour: &str, y: usize, svg: &mut String) {
    let length = |value: f64| (value / most.max(f64::MIN_POSITIVE)).clamp(0.0, 1.0) * BARS as f64;
    let (middle, (lowest, highest)) = (median(figures), range(figures));
    let _ = writeln!(
        svg,
        "<rect x=\"{NAMES}\" y=\"{y}\" width=\"{:.1}\" height=\"14\" fill=\"{colour}\"/>",
        length(middle).max(1.0)
    );
    let (from, to) = (
        NAMES as f64 + length(lowest),
        NAMES as f64 + length(highest),
    );
    if to - from > 1.0 {
        let at = y + 7;
        let _ = writeln!(
            svg,
            "<path d=\"M{from:.1} {at}H{to:.1}\" stroke=\"#1f2933\"/>"
        );
    }
    if middle > most {
        let at = NAMES + BARS - 14;
        let cut = format!("M{at} {}l8 -18m4 0l-8 18", y + 16);
        let _ = writeln!(
            svg,
            "<path d=\"{cut}\" stroke=\"#ffffff\" stroke-width=\"2\"/>"
        );
    }
    let after = NAMES + length(middle.max(highest)).ceil() as usize + 6;
    text(svg, after, y + 12, "", &number(middle));
}

fn colour(report: &Report, name: &str) -> &'static str {
    if name == report.reference {
        "#0b6bcb"
    } else if name == "direct" {
        "#d3dae1"
    } else {
        "#93a1b0"
    }
}

fn text(svg: &mut String, x: usize, y: usize, style: &str, content: &str) {
    let content = content
        .replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;");
    let _ = writeln!(svg, "<text x=\"{x}\" y=\"{y}\" {style}>{content}</text>");
}

#[cfg(test)]
mod tests {
    use super::*;

    fn example() -> Report {
        let mut report = super::super::example();
        report.scenarios[0].rows[0].case = "1 stream, target <&> client".into();
        report
    }

    #[test]
    fn every_contender_has_a_bar() {
        let svg = of(&example());
        assert_eq!(svg.matches("height=\"14\"").count(), 2, "{svg}");
        // 6 of at most 10, and 8 of them; b is the reference.
        assert!(
            svg.contains("width=\"144.0\" height=\"14\" fill=\"#93a1b0\""),
            "{svg}"
        );
        assert!(
            svg.contains("width=\"192.0\" height=\"14\" fill=\"#0b6bcb\""),
            "{svg}"
        );
    }

    #[test]
    fn text_is_escaped() {
        let svg = of(&example());
        assert!(svg.contains("target &lt;&amp;&gt; client"));
        assert!(svg.starts_with("<svg ") && svg.ends_with("</svg>\n"));
    }

    #[test]
    fn who_was_not_measured_has_a_dash() {
        let mut report = example();
        report.scenarios[0].rows[0].values.remove("a");
        assert!(of(&report).contains(">–</text>"));
    }
}
