//! What a sweep found, in sentences.

use crate::record::{DirtyRecord, FindingRecord, SweepRecord};
use crate::units::{counted, show_count, show_percentage};

/// A sweep in one sentence.
pub(super) fn sweep_fact(dirty: &DirtyRecord, sweep: &SweepRecord) -> String {
    let exposures = counted(dirty.exposures, "exposure");
    if dirty.leaks > 0 {
        let causes = counted(sweep.findings.len() as u64, "cause");
        let victims: std::collections::BTreeSet<&String> =
            sweep.findings.iter().flat_map(|finding| &finding.victims).collect();
        let where_seen = counted(victims.len() as u64, "endpoint");
        return format!(
            "{} of {exposures} leaked, for {causes}, in responses of {where_seen}",
            show_count(dirty.leaks)
        );
    }
    if let Some(reason) = &dirty.inconclusive {
        return format!("the sweep cannot conclude: {reason}");
    }
    format!(
        "no leak in {exposures} of {}, so at most {} of exposures leak, and at most {} of any endpoint, at 95 % confidence",
        counted(exercised(sweep), "endpoint"),
        show_percentage(dirty.bound),
        show_percentage(sweep.bound_worst)
    )
}

fn exercised(sweep: &SweepRecord) -> u64 {
    sweep.operations.iter().filter(|operation| operation.exercised && operation.is_asked()).count() as u64
}

/// What was asked, what answered, and what was left out.
pub(crate) fn swept(sweep: &SweepRecord) -> String {
    let asked = sweep.operations.iter().filter(|operation| operation.is_asked()).count() as u64;
    let left_out = sweep.omitted.iter().filter(|omitted| !omitted.chosen).count() as u64;
    let others = if left_out > 0 { format!(", {} left out", show_count(left_out)) } else { String::new() };
    format!(
        "{} of {} answered{others}; {} of all pairs were handled at one time",
        show_count(exercised(sweep)),
        counted(asked, "endpoint"),
        show_percentage(sweep.pairs)
    )
}

/// Writes that nothing removes: `no operation removes what these requests may have stored: 571 by POST /entries`. `show` renders a name.
pub(crate) fn unremovable(sweep: &SweepRecord, show: impl Fn(&str) -> String) -> Option<String> {
    let writes: Vec<String> =
        sweep.unremovable.iter().map(|(name, count)| format!("{} by {}", show_count(*count), show(name))).collect();
    (!writes.is_empty())
        .then(|| format!("no operation removes what these requests may have stored: {}", writes.join(", ")))
}

/// From where to where values got: `POST /login -> GET /search`, and how many others.
pub(crate) fn finding(finding: &FindingRecord) -> String {
    let source = finding.source.as_deref().unwrap_or("an unknown request");
    let source = if finding.source_likely { format!("{source} (likely)") } else { source.to_owned() };
    let (sources, victims) = (finding.sources.len(), finding.victims.len());
    let more = match (sources, victims) {
        (0 | 1, 1) => String::new(),
        _ => format!(
            " (one cause: {} into {})",
            counted(sources as u64, "endpoint"),
            counted(victims as u64, "endpoint")
        ),
    };
    if finding.source.as_ref() == Some(&finding.victim) {
        return format!("{} shows the data of another {source}{more}", finding.victim);
    }
    format!("{} shows the data of {source}{more}", finding.victim)
}
