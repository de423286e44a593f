//! Several runs as one result: a full run takes hours, and its scenarios can be run one by one.

use anyhow::{Result, bail};

use super::Report;

/// Puts the scenarios of runs behind each other.
///
/// # Errors
/// When there is none, when they were not measured on the same machine against the same reference, or when a scenario
/// comes twice.
pub fn all(reports: impl IntoIterator<Item = Report>) -> Result<Report> {
    let mut reports = reports.into_iter();
    let Some(mut all) = reports.next() else {
        bail!("there is no result");
    };
    for report in reports {
        add(&mut all, report)?;
    }
    Ok(all)
}

fn add(all: &mut Report, report: Report) -> Result<()> {
    if (&all.machine, &all.reference) != (&report.machine, &report.reference) {
        bail!("the runs were on different machines, or against different references");
    }
    for section in &report.scenarios {
        if all.scenarios.iter().any(|other| other.name == section.name) {
            bail!("{} was measured in two of the runs", section.name);
        }
    }
    for contender in report.contenders {
        if !all.contenders.contains(&contender) {
            all.contenders.push(contender);
        }
    }
    for line in report.left_out {
        if !all.left_out.contains(&line) {
            all.left_out.push(line);
        }
    }
    all.command.push('\n');
    all.command.push_str(&report.command);
    all.quick |= report.quick;
    all.rounds = all.rounds.filter(|rounds| Some(*rounds) == report.rounds);
    all.scenarios.extend(report.scenarios);
    all.failures.extend(report.failures);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::{super::example, *};

    #[test]
    fn runs_of_different_scenarios_become_one() {
        let first = example();
        let mut second = example();
        second.scenarios[0].name = "another".to_owned();
        let all = all([first.clone(), second]).unwrap();
        assert_eq!(all.scenarios.len(), 2);
        assert_eq!(all.contenders, first.contenders);
        assert_eq!(all.command.lines().count(), 2);
    }

    #[test]
    fn the_same_scenario_twice_or_another_reference_is_refused() {
        assert!(all([example(), example()]).is_err());
        let mut other = example();
        other.scenarios[0].name = "another".to_owned();
        other.reference = "somebody".to_owned();
        assert!(all([example(), other]).is_err());
        assert!(all([]).is_err());
    }
}
