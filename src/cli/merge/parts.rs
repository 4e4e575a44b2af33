//! What generators measured of one load, merged: by the function that merged it for the record.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::super::{Exit, print};
use crate::input;
use crate::load::part::LoadPart;
use crate::record::{Histograms, Quantiles};
use crate::report::short_micros;
use crate::units::{counted, show_count};

/// What `--keep-parts` writes of a generator.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(in crate::cli) struct PartFile {
    /// Who measured it; several once they are merged.
    pub generators: Vec<String>,
    pub part: LoadPart,
}

/// Parts that were merged.
#[derive(Debug, Serialize)]
struct MergedParts {
    generators: Vec<String>,
    /// As the record of the load has them.
    histogram: Histograms,
    part: LoadPart,
}

/// The parts, if all that was named are some; `None` if none is. The error is a message with advice.
pub(super) fn read(named: &[PathBuf]) -> Result<Option<Vec<PartFile>>, (String, String)> {
    let all: Vec<Option<PartFile>> = named.iter().map(|path| part(path)).collect();
    if all.iter().all(Option::is_none) {
        return Ok(None);
    }
    let other = || named.iter().zip(&all).find(|(_, part)| part.is_none()).map(|(path, _)| path.display().to_string());
    let found: Option<Vec<PartFile>> = all.iter().cloned().collect();
    found.map(Some).ok_or_else(|| {
        let message = format!("{} is not a part of a load, and others are", other().unwrap_or_default());
        (message, "merge parts with parts, and records with records".to_owned())
    })
}

fn part(path: &Path) -> Option<PartFile> {
    serde_json::from_str(&input::read(path).ok().filter(|text| text.contains("\"generators\""))?).ok()
}

/// Prints what they come to.
pub(super) fn merge(parts: Vec<PartFile>, json: bool) -> Exit {
    let Some(merged) = parts.into_iter().reduce(|mut all, one| {
        all.part.merge(&one.part);
        all.generators.extend(one.generators);
        all
    }) else {
        return Exit::Invalid;
    };
    if json {
        let whole = &merged.part.measured.whole;
        let histogram = Histograms::of(&whole.latency, &whole.service_time);
        let all = MergedParts { generators: merged.generators, histogram, part: merged.part };
        return match serde_json::to_string(&all) {
            Ok(text) => print::out(&(text + "\n")),
            Err(error) => {
                print::error(&format!("cannot print the part: {error}"), None);
                Exit::CouldNotRun
            }
        };
    }
    let whole = &merged.part.measured.whole;
    let latency = Quantiles::of(&whole.latency);
    print::out(&format!(
        "{}: {} started, {} answered, {} failed, {} unanswered; p50 {}, p99 {}\n",
        counted(merged.generators.len() as u64, "generator"),
        show_count(whole.started()),
        show_count(whole.completed),
        show_count(whole.failed()),
        show_count(whole.unanswered),
        short_micros(latency.p50),
        short_micros(latency.p99)
    ))
}
