//! Arguments of a night: which scenarios, what for other programs, baselines, and what is kept.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Subcommand};

use super::REPORTS;

/// Which of the scenarios that were named are meant.
#[derive(Debug, Default, Args)]
pub(in crate::cli) struct ScenarioSelection {
    /// Only scenarios with this tag; may be repeated: those with any of them
    #[arg(long = "tag", value_name = "TAG")]
    pub tags: Vec<String>,

    /// Only scenarios of this name, or whose names match a pattern, as in 'sync_*'; may be repeated
    #[arg(long = "only", value_name = "NAME")]
    pub only: Vec<String>,

    /// Only this part of the scenarios, as in 2/5: all parts take about the same time, and each scenario is in one
    #[arg(long, value_name = "PART/OF", value_parser = shard)]
    pub shard: Option<Shard>,
}

/// A part of the scenarios, one of so many.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::cli) struct Shard {
    /// From 1.
    pub part: usize,
    pub of: usize,
}

/// What is written for other programs.
#[derive(Debug, Default, Args)]
#[command(next_help_heading = "For other programs")]
pub(in crate::cli) struct Exports {
    /// Write a test report as JUnit XML: a case for each rule; under GitLab CI written to junit.xml among the reports
    #[arg(long, value_name = "FILE")]
    pub junit: Option<PathBuf>,

    /// Write the figures as one flat JSON object
    #[arg(long, value_name = "FILE")]
    pub metrics: Option<PathBuf>,

    /// Write the figures in the text format of Prometheus; under GitLab CI written to metrics.txt among the reports
    #[arg(long, value_name = "FILE")]
    pub prometheus: Option<PathBuf>,

    /// Push the figures to a Pushgateway, as in http://127.0.0.1:9091; another machine must be named by --allow-host
    #[arg(long, value_name = "URL")]
    pub push: Option<String>,
}

/// What a run is compared with.
#[derive(Debug, Default, Args)]
#[command(next_help_heading = "Compared with")]
pub(in crate::cli) struct Against {
    /// Compare each scenario with the baseline of this name, as `runner baseline save` has kept it
    #[arg(long, value_name = "NAME")]
    pub baseline: Option<String>,

    /// Fail where a figure is worse than in the baseline, or for the server `candidate` than for `base`, beyond the tolerance
    #[arg(long)]
    pub fail_on_regression: bool,

    /// How far figures may be apart and still count as the same
    #[arg(allow_negative_numbers = true, long, value_name = "PERCENT", default_value = "5%", value_parser = super::tolerance)]
    pub tolerance: f64,
}

/// Where reports are.
#[derive(Debug, Args)]
pub(in crate::cli) struct ReportsFolder {
    /// Where reports go, a folder per scenario; if not given, what RUNNER_REPORTS says, or `reports`
    #[arg(long = "reports", value_name = "DIR")]
    reports: Option<PathBuf>,
}

impl ReportsFolder {
    /// The folder, if an option or a variable says. An empty variable is one that is not set.
    pub fn given(&self) -> Option<PathBuf> {
        let variable = || std::env::var_os("RUNNER_REPORTS").filter(|value| !value.is_empty());
        self.reports.clone().or_else(|| variable().map(PathBuf::from))
    }

    /// The folder, whatever says it.
    pub fn path(&self) -> PathBuf {
        self.given().unwrap_or_else(|| PathBuf::from(REPORTS))
    }
}

/// `runner index`
#[derive(Debug, Args)]
pub(in crate::cli) struct IndexArguments {
    #[command(flatten)]
    pub reports: ReportsFolder,

    /// Print what the page says as JSON, and write nothing
    #[arg(long)]
    pub json: bool,
}

/// `runner merge`
#[derive(Debug, Args)]
pub(in crate::cli) struct MergeArguments {
    /// Records, the folders that hold them, or whole folders of reports, of which the last night counts; or parts of one load, as
    /// `--keep-parts` writes them
    #[arg(required = true, value_name = "RECORD")]
    pub records: Vec<PathBuf>,

    #[command(flatten)]
    pub reports: ReportsFolder,

    /// Print the merged records, one line of JSON per scenario, and nothing else to standard output
    #[arg(long)]
    pub json: bool,
}

/// `runner prune`
#[derive(Debug, Args)]
pub(in crate::cli) struct Prune {
    /// Remove reports that are older than this: days, or with a unit as in 12h, 30d, 8w
    #[arg(long, value_name = "AGE", value_parser = age)]
    pub keep: Duration,

    /// Remove reports of nights with a failure or a leak, too
    #[arg(long)]
    pub failures_too: bool,

    /// Say what would be removed, and remove nothing
    #[arg(long)]
    pub dry_run: bool,

    #[command(flatten)]
    pub reports: ReportsFolder,
}

/// `runner baseline`
#[derive(Debug, Subcommand)]
pub(in crate::cli) enum BaselineCommand {
    /// Keep the latest record of each scenario, or of those named, as a baseline
    Save {
        /// The baseline's name, as in main: letters, digits, - and _
        name: String,
        /// Scenarios; all that have reports if none is named
        scenarios: Vec<String>,
        #[command(flatten)]
        reports: ReportsFolder,
    },
    /// List the baselines and their scenarios
    List {
        #[command(flatten)]
        reports: ReportsFolder,
    },
}

fn shard(text: &str) -> Result<Shard, String> {
    let parts = text.split_once('/').and_then(|(part, of)| Some((part.parse().ok()?, of.parse().ok()?)));
    match parts {
        Some((part, of)) if (1..=of).contains(&part) => Ok(Shard { part, of }),
        _ => Err("write the part and how many there are, as in 2/5".to_owned()),
    }
}

fn age(text: &str) -> Result<Duration, String> {
    let bad = || format!("`{text}` is not an age: write a number with h, d or w, as in 30d");
    let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let number: u64 = text[..end].parse().map_err(|_| bad())?;
    let seconds = match &text[end..] {
        "h" => 3600,
        "" | "d" => 86_400,
        "w" => 7 * 86_400,
        _ => return Err(bad()),
    };
    number.checked_mul(seconds).map(Duration::from_secs).ok_or_else(bad)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_and_ages_are_read_or_refused_with_an_example() {
        assert_eq!(shard("2/5"), Ok(Shard { part: 2, of: 5 }));
        for bad in ["0/5", "6/5", "2", "a/b", "1/0"] {
            assert!(shard(bad).unwrap_err().contains("2/5"), "{bad}");
        }
        assert_eq!(["30d", "2", "12h", "1w"].map(|text| age(text).unwrap().as_secs() / 3600), [720, 48, 12, 168]);
        for bad in ["", "d", "30m", "-1d", "99999999999999999999d"] {
            assert!(age(bad).is_err(), "{bad}");
        }
    }
}
