//! The result as a part of the documentation.

use std::{fs, path::Path};

use anyhow::{Context, Result, bail};

use super::{Report, chart, markdown};

/// What is between these lines of `performance.md` is replaced.
const BEGIN: &str = "<!-- begin of the last run -->";
const END: &str = "<!-- end of the last run -->";

/// Writes `performance.json` and `performance.svg`, and the marked part of `performance.md`.
///
/// # Errors
/// When `performance.md` has no marked part, or a file cannot be written. A quick run is not published.
pub fn into(report: &Report, folder: &Path) -> Result<()> {
    if report.quick {
        bail!("the figures of a quick run mean nothing");
    }
    let page = folder.join("performance.md");
    let text = fs::read_to_string(&page).with_context(|| page.display().to_string())?;
    let text = replace(&text, &markdown::of(report))
        .with_context(|| format!("{} has no lines {BEGIN} and {END}", page.display()))?;
    let json = serde_json::to_string_pretty(report)? + "\n";
    let files = [
        ("performance.json", json),
        ("performance.svg", chart::of(report)),
        ("performance.md", text),
    ];
    for (name, content) in files {
        let path = folder.join(name);
        fs::write(&path, content).with_context(|| format!("cannot write {}", path.display()))?;
    }
    Ok(())
}

fn replace(page: &str, run: &str) -> Option<String> {
    let (before, rest) = page.split_once(BEGIN)?;
    let (_, after) = rest.split_once(END)?;
    let picture = "![The headline figures as bars](performance.svg)";
    Some(format!(
        "{before}{BEGIN}\n\n{picture}\n\n{}\n\n{END}{after}",
        run.trim()
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_marked_part_is_replaced() {
        let page = format!("head\n{BEGIN}\nold\n{END}\nfoot\n");
        let once = replace(&page, "new\n").unwrap();
        assert!(once.starts_with("head\n") && once.ends_with("\nfoot\n"));
        assert!(once.contains("\n\nnew\n\n") && !once.contains("old"));
        assert_eq!(replace(&once, "new\n").unwrap(), once);
        assert_eq!(replace("no marks", "new"), None);
    }

    #[test]
    fn a_quick_run_is_not_published() {
        let mut report = super::super::example();
        report.quick = true;
        assert!(into(&report, Path::new("/nowhere")).is_err());
    }
}
