//! What a person reads after a run, in a terminal.

mod layout;
mod load;

use std::collections::BTreeSet;

use anstyle::{AnsiColor, Style};

use crate::analysis::exposures::dirty_totals;
use crate::analysis::median_trial::{median_capacity, median_trial};
use crate::analysis::server_use::server_use;
use crate::record::{
    Checks, InspectionRecord, LoadRecord, Record, Status, SweepRecord, Trial, TrialFailure, VariantRecord, Verdict,
    VerdictKind, Witness,
};
use crate::units::{counted, show_count, show_percentage, show_rate, show_size, show_time};

use super::capacity;
use super::cause;
use super::ceiling;
use super::decision;
use super::escape::{clean, clip};
use super::footnote;
use super::format::{
    NONE, amount, capital, checks_in_words, ends, failures, micros, observed, outside, sent_again, short_micros, status,
};
use super::inspection;
use super::location;
use super::merged::merged_from;
use super::reproduction;
use super::response_samples;
use super::sentence;
use super::table::{Align, pad};
use layout::{columns, wrap};

pub use load::{OPTIONS, load};

/// The fewest columns that a line is wrapped to.
const NARROWEST: usize = 40;
/// The most verdicts, caveats and lines of a log that are shown; the report has all.
const VERDICTS: usize = 12;
const CAVEATS: usize = 3;
const FAILURES: usize = 3;
const LOG_LINES: usize = 8;
/// The most findings of a sweep that are shown; the report has all.
const FINDINGS: usize = 12;
/// The most samples of what came in a dirty check that concluded nothing; the report has all.
const CAME: usize = 5;
/// The most statuses that the line of requests names.
const STATUSES: usize = 4;
/// The longest sample of a check, in characters.
const LONGEST_SAMPLE: usize = 300;

/// The answer, the key numbers, the verdicts, one leak and the caveats; about a screen. Ends in a line break.
pub fn summary(record: &Record, width: usize, color: bool) -> String {
    let page = Terminal { width: width.max(NARROWEST), color };
    let mut blocks = vec![page.head(record), page.what_happened(record)];
    match record.variants.as_slice() {
        [] => {}
        [variant] => {
            blocks.push(page.facts(variant) + page.over_trials(record).as_str());
            blocks.push(page.verdicts(variant.verdicts.iter().map(|verdict| (None, verdict))));
        }
        variants => {
            blocks.push(page.side_by_side(variants));
            blocks.push(record.scaling.iter().map(|fit| page.entry("workers", &capacity::scaling(fit))).collect());
            let all = variants
                .iter()
                .flat_map(|variant| variant.verdicts.iter().map(move |verdict| (Some(variant), verdict)));
            blocks.push(page.verdicts(all.filter(|(_, verdict)| verdict.status != Status::Passed)));
        }
    }
    blocks.push(page.leak(&record.variants));
    blocks.push(page.caveats(&record.variants, CAVEATS));
    blocks.retain(|block| !block.is_empty());
    blocks.join("\n")
}

struct Terminal {
    width: usize,
    color: bool,
}

impl Terminal {
    fn paint(&self, text: &str, style: Style) -> String {
        if self.color { format!("{style}{text}{style:#}") } else { text.to_owned() }
    }

    fn head(&self, record: &Record) -> String {
        let state = self.paint(&status(record.status).to_uppercase(), style(record.status));
        let name = self.paint(&clip(&record.scenario.name, 60), Style::new().bold());
        let proof =
            sentence::proof(record.status, &record.variants).map(|proof| format!(", {proof}")).unwrap_or_default();
        let merged = merged_from(record).map(|merged| format!(", {merged}")).unwrap_or_default();
        format!("{state}  {name}{proof}{merged}\n{}", wrap(&capital(&sentence::reason(record)), self.width, ""))
    }

    /// A failed trial's advice and log.
    fn what_happened(&self, record: &Record) -> String {
        let trials =
            record.variants.iter().flat_map(|variant| variant.trials.iter().map(move |trial| (variant, trial)));
        let failures = trials.filter_map(|(variant, trial)| Some((variant, trial.failure.as_ref()?)));
        let mut out = String::new();
        for (index, (variant, failure)) in failures.take(FAILURES).enumerate() {
            let place =
                if record.variants.len() > 1 { format!("{}: ", clip(&variant.name, 60)) } else { String::new() };
            // The first one of a run that could not run is its answer.
            if index > 0 || record.status != Status::CouldNotRun {
                out += &self.entry("failure", &format!("{place}{}", failure.message));
            }
            out += &self.advice_and_log(failure);
        }
        out
    }

    fn advice_and_log(&self, failure: &TrialFailure) -> String {
        let mut out = String::new();
        if !failure.advice.trim().is_empty() {
            out += &self.entry("advice", &failure.advice);
        }
        let skipped = failure.log_tail.len().saturating_sub(LOG_LINES);
        for line in failure.log_tail.iter().skip(skipped) {
            out += &format!(
                "  {} {}\n",
                self.paint("log |", Style::new().dimmed()),
                clip(line, self.width.saturating_sub(8))
            );
        }
        out
    }

    /// A word in front of wrapped text.
    fn entry(&self, name: &str, text: &str) -> String {
        let lines = wrap(&clean(text), self.width.saturating_sub(FACT_INDENT.len()), "");
        let mut out = String::new();
        for (index, line) in lines.lines().enumerate() {
            let head =
                if index == 0 { pad(name, FACT_INDENT.len() - 2, Align::Left) } else { FACT_INDENT[2..].to_owned() };
            out += &format!("  {}{line}\n", if index == 0 { self.paint(&head, Style::new().dimmed()) } else { head });
        }
        out
    }

    fn over_trials(&self, record: &Record) -> String {
        let figures = record.comparison.as_ref().and_then(|comparison| comparison.figures.first());
        let over = figures.and_then(|figures| decision::over_trials(figures));
        over.map(|over| self.entry("spread", &over)).unwrap_or_default()
    }

    fn facts(&self, variant: &VariantRecord) -> String {
        let mut out = self.entry("server", &variant.server);
        let Some((_, trial)) = median_trial(variant) else { return out };
        if variant.trials.len() > 1 {
            out += &self
                .entry("trials", &format!("{}, of which the one of median throughput is shown", variant.trials.len()));
        }
        if let Some(load) = &trial.load {
            out += &self.entry(
                "throughput",
                &format!(
                    "{} over {} {} {}{}",
                    show_rate(load.throughput),
                    show_time(load.duration_s),
                    if load.open.is_some() { "at" } else { "by" },
                    amount(load),
                    outside(load).map(|note| format!("; {note}")).unwrap_or_default()
                ),
            );
            out += &self.entry("latency", &quantiles(load));
            out += &trial.ceiling.map(|found| self.entry("ceiling", &ceiling::ceiling(&found))).unwrap_or_default();
            out += &self.entry("requests", &outcomes(load));
            for (status, body) in load.error_bodies.iter().filter(|(_, body)| !body.is_empty()) {
                out += &self.entry(&format!("a {status}"), &clip(body, LONGEST_SAMPLE));
            }
            out += &load.checks.as_ref().map(|checks| self.checks(checks)).unwrap_or_default();
        }
        if let Some(found) = median_capacity(variant) {
            let sentences = [Some(capacity::rates(found)), capacity::limit(found), capacity::cost(found)];
            out += &self.entry("capacity", &sentences.into_iter().flatten().collect::<Vec<_>>().join("; "));
        }
        out += &trial.inspection.as_ref().map(|inspection| self.inspection(inspection)).unwrap_or_default();
        if let Some(dirty) = &trial.dirty {
            let name = if dirty.sweep.is_some() { "sweep" } else { "dirty check" };
            let fact = sentence::dirty_fact(dirty);
            let fact = fact.trim_start_matches("the dirty check ").trim_start_matches("the sweep ");
            out += &self.entry(name, fact);
            out += &dirty.sweep.as_ref().map(|sweep| self.sweep(sweep)).unwrap_or_default();
            for (index, sample) in response_samples::told(dirty).into_iter().take(CAME).enumerate() {
                out += &self.entry(
                    if index == 0 { "what came" } else { "" },
                    &clip(&response_samples::in_words(sample), LONGEST_SAMPLE),
                );
            }
        }
        out + self.used(trial).as_str()
    }

    /// What was asked, and what was found, a line a cause.
    fn sweep(&self, sweep: &SweepRecord) -> String {
        let mut out = self.entry("asked", &sentence::swept(sweep));
        for (index, finding) in sweep.findings.iter().enumerate().take(FINDINGS) {
            out += &self.entry(&format!("finding {}", index + 1), &sentence::finding(finding));
        }
        let more = sweep.findings.len().saturating_sub(FINDINGS);
        if more > 0 {
            out += &self.entry("", &format!("and {}, which the report has", counted(more as u64, "more finding")));
        }
        for place in sweep.unsettled.iter().take(FINDINGS) {
            out += &self.entry("unsettled", &format!("{} ({}): {}", place.victim, place.place, place.line));
        }
        let left: Vec<String> =
            sweep.left_behind.iter().map(|(name, count)| format!("{} by {name}", show_count(*count))).collect();
        if !left.is_empty() {
            out += &self.entry("left behind", &left.join(", "));
        }
        out +=
            &sentence::unremovable(sweep, |name| name.to_owned()).map(|s| self.entry("stored", &s)).unwrap_or_default();
        out
    }

    /// The answer, why that is known, and what to do.
    fn inspection(&self, found: &InspectionRecord) -> String {
        let mut out = self.entry("at once", &inspection::answer(found));
        for (index, sentence) in inspection::evidence(found).iter().enumerate() {
            out += &self.entry(if index == 0 { "because" } else { "" }, sentence);
        }
        out += &inspection::advice(found).map(|advice| self.entry("advice", &advice)).unwrap_or_default();
        out
    }

    /// The counts, and the first request that failed.
    fn checks(&self, checks: &Checks) -> String {
        let mut out = self.entry("checks", &checks_in_words(checks));
        for (name, sample) in [("a failed one", checks.samples.first()), ("script", checks.script_errors.first())] {
            let Some(sample) = sample else { continue };
            let came = match (sample.status, &sample.failure) {
                (Some(status), _) => format!(" got {status}"),
                (None, Some(failure)) => format!(" failed ({failure})"),
                (None, None) => String::new(),
            };
            let line = if sample.line.is_empty() { "no request" } else { &sample.line };
            let text = format!("{line}{came}, user {}, request {}: {}", sample.user, sample.seq, sample.said);
            out += &self.entry(name, &clip(&text, LONGEST_SAMPLE));
        }
        out
    }

    fn used(&self, trial: &Trial) -> String {
        let end = ends(&trial.servers);
        let Some(used) = server_use(trial) else {
            return if end.is_empty() {
                String::new()
            } else {
                self.entry("used", &format!("not measured; end: {end}"))
            };
        };
        let cores = used.cpu_mean.map(|cores| format!(", {cores:.2} cores on average")).unwrap_or_default();
        self.entry("used", &format!("{} of memory at its peak{cores}; end: {end}", show_size(used.rss_peak_bytes)))
    }

    fn side_by_side(&self, variants: &[VariantRecord]) -> String {
        let heads = ["", "variant", "throughput", "p50", "p99", "leaks", "exposures"];
        let mut rows: Vec<Vec<String>> = vec![heads.map(str::to_owned).to_vec()];
        rows.extend(variants.iter().map(|variant| row(variant, &footnote::mark(variant, variants))));
        let mut aligns = [[Align::Left; 2].as_slice(), [Align::Right; 5].as_slice()].concat();
        if variants.iter().any(|variant| median_capacity(variant).is_some()) {
            let rates =
                variants.iter().map(|variant| median_capacity(variant).map_or(NONE.to_owned(), capacity::rates));
            let cells = std::iter::once("capacity".to_owned()).chain(rates);
            rows.iter_mut().zip(cells).for_each(|(row, cell)| row.insert(CAPACITY_COLUMN, cell));
            aligns.insert(CAPACITY_COLUMN, Align::Right);
        }
        let mut lines = columns(&rows, &aligns).into_iter();
        let head = lines.next().map(|line| format!("  {}\n", self.paint(line.trim_end(), Style::new().dimmed())));
        let mut out = head.unwrap_or_default();
        for (line, variant) in lines.zip(variants) {
            let state = variant.status();
            let word = if variant.verdicts.is_empty() && state == Status::Passed { "ran " } else { tag(state) };
            let rest = line.get(word.len()..).unwrap_or_default();
            out += &format!("  {}{}\n", self.paint(word, style(state)), rest.trim_end());
        }
        for variant in variants {
            let Some(found) = variant.trials.iter().find_map(|trial| trial.inspection.as_ref()) else { continue };
            out += &self.entry("at once", &format!("{}: {}", clip(&variant.name, 60), inspection::answer(found)));
        }
        for note in footnote::notes(variants) {
            out += &format!("  {}\n", wrap(&clean(&note), self.width.saturating_sub(4), "    ").trim_end());
        }
        out
    }

    fn verdicts<'a>(&self, verdicts: impl Iterator<Item = (Option<&'a VariantRecord>, &'a Verdict)>) -> String {
        let all: Vec<_> = verdicts.collect();
        let rules: Vec<String> = all.iter().map(|(_, verdict)| clip(&verdict.title(), 60)).collect();
        // A longer rule has a line of its own, so that it does not squeeze the others' texts.
        let fitting = rules.iter().map(|rule| rule.chars().count()).filter(|length| *length <= self.width / 3);
        let column = fitting.max().unwrap_or(0);
        let mut out = String::new();
        for ((variant, verdict), rule) in all.iter().zip(&rules).take(VERDICTS) {
            let place = variant.map(|variant| format!("{}: ", clip(&variant.name, 60))).unwrap_or_default();
            let word = self.paint(tag(verdict.status), style(verdict.status));
            let own_line = rule.chars().count() > column;
            let indent = " ".repeat(if own_line { 8 } else { column + 10 });
            let text = format!("{place}{}", seen_and_wanted(verdict));
            let text = wrap(&text, self.width.saturating_sub(indent.len()), &indent);
            let gap = if own_line { format!("\n{indent}") } else { "  ".to_owned() };
            out += &format!(
                "  {word}  {}{gap}{}\n",
                pad(rule, if own_line { 0 } else { column }, Align::Left),
                text.trim()
            );
        }
        if all.len() > VERDICTS {
            out += &format!("  and {}\n", counted((all.len() - VERDICTS) as u64, "more verdict"));
        }
        out
    }

    /// The first leak and the least that shows it; the report has the others.
    fn leak(&self, variants: &[VariantRecord]) -> String {
        let distinct: Vec<_> = variants.iter().flat_map(|variant| variant.distinct_leaks()).collect();
        let Some((_, leak)) = distinct.first() else { return String::new() };
        let place = sentence::found_in(leak.oracle, &leak.place).map(|place| format!(", {place}")).unwrap_or_default();
        let mut out = self.entry("leak", &format!("{}{place}", sentence::leak(leak)));
        let traces = |witness: &Witness| witness.trace_id.clone();
        if let Some(victim) = traces(&leak.victim) {
            let source = leak.source.as_ref().and_then(traces).map(|id| format!("; source {id}")).unwrap_or_default();
            out += &self.entry("traces", &format!("victim {victim}{source}"));
        }
        if let Some(shrunk) = &leak.shrunk {
            out += &self.entry("least", &reproduction::in_words(shrunk));
        }
        for (name, text) in leak.located.iter().flat_map(location::entries) {
            out += &self.entry(name, &text);
        }
        out += &self.entry("cause", &cause::in_words(leak));
        if distinct.len() > 1 {
            let classes: BTreeSet<_> = distinct.iter().map(|(_, leak)| leak.class.name()).collect();
            let which = if classes.len() == distinct.len() {
                "of a class of its own each"
            } else {
                "each of another class or variant"
            };
            out += &self.entry("", &format!("and {}, {which}", counted(distinct.len() as u64 - 1, "more leak")));
        }
        out
    }

    /// At most this many.
    fn caveats(&self, variants: &[VariantRecord], most: usize) -> String {
        let all: Vec<_> =
            variants.iter().flat_map(|variant| variant.caveats.iter().map(move |caveat| (variant, caveat))).collect();
        let mut out = String::new();
        for (variant, caveat) in all.iter().take(most) {
            let place = if variants.len() > 1 { format!("{}: ", clip(&variant.name, 60)) } else { String::new() };
            out += &self.entry("caveat", &format!("{place}{}; {}", caveat.message, caveat.advice));
        }
        if all.len() > most {
            out += &self.entry("", &format!("and {}", counted((all.len() - most) as u64, "more caveat")));
        }
        out
    }
}

/// Where the capacity stands in the table of variants, if any has one.
const CAPACITY_COLUMN: usize = 3;

/// As wide as the longest name of an entry, its margin and its gap.
const FACT_INDENT: &str = "               ";

fn style(of: Status) -> Style {
    let color = match of {
        Status::Passed => AnsiColor::Green,
        Status::Failed => AnsiColor::Red,
        Status::CouldNotRun => AnsiColor::Magenta,
        Status::Inconclusive | Status::Interrupted | Status::NotStarted => AnsiColor::Yellow,
    };
    color.on_default().bold()
}

/// What was observed; and what was expected, where that is not what came.
fn seen_and_wanted(verdict: &Verdict) -> String {
    let seen = clip(&observed(verdict), 240);
    match verdict.status {
        Status::Passed => seen,
        // Both rules say themselves what was expected.
        _ if matches!(verdict.kind, VerdictKind::AbortWhen { .. } | VerdictKind::DirtyCheck { .. }) => seen,
        _ => format!("{seen}; expected {}", clip(&verdict.expected, 80)),
    }
}

/// A status in four characters.
fn tag(of: Status) -> &'static str {
    match of {
        Status::Passed => "PASS",
        Status::Failed => "FAIL",
        Status::Inconclusive => "?   ",
        Status::CouldNotRun => "ERR ",
        Status::Interrupted => "CUT ",
        Status::NotStarted => "SKIP",
    }
}

fn quantiles(load: &LoadRecord) -> String {
    let of = &load.latency_us;
    let shown = [("p50", of.p50), ("p90", of.p90), ("p99", of.p99), ("p99.9", of.p999), ("max", of.max)];
    shown.map(|(name, value)| format!("{name} {}", micros(value))).join(", ")
}

fn outcomes(load: &LoadRecord) -> String {
    let mut parts =
        vec![format!("{} started", show_count(load.started)), format!("{} answered", show_count(load.completed))];
    parts.extend(failures(load));
    if load.unanswered > 0 {
        parts.push(format!("{} unanswered at the end", show_count(load.unanswered)));
    }
    if let Some(refused) = load.errors.get("status").filter(|n| **n > 0) {
        let which = refusals(load).map(|which| format!(" ({which})")).unwrap_or_default();
        parts.push(format!("{} answered with a status of 400 or above{which}", show_count(*refused)));
    }
    parts.extend(sent_again(load));
    parts.join(", ")
}

/// The statuses of 400 and above, the most frequent first: `404: 11,222, 500: 3 and 2 others`.
fn refusals(load: &LoadRecord) -> Option<String> {
    let of_errors = load.status.iter().filter(|(status, _)| status.parse::<u16>().is_ok_and(|code| code >= 400));
    let mut all: Vec<(&String, &u64)> = of_errors.collect();
    all.sort_by_key(|(_, count)| std::cmp::Reverse(**count));
    let named = all.iter().take(STATUSES).map(|(status, count)| format!("{status}: {}", show_count(**count)));
    let named = named.collect::<Vec<_>>().join(", ");
    let rest = all.len().saturating_sub(STATUSES) as u64;
    let others = if rest > 0 { format!(" and {}", counted(rest, "other")) } else { String::new() };
    (!all.is_empty()).then(|| format!("{named}{others}"))
}

/// A line of the table; `mark` leads from its leaks to a note below.
fn row(variant: &VariantRecord, mark: &str) -> Vec<String> {
    let load = median_trial(variant).and_then(|(_, trial)| trial.load.as_ref());
    let of_load = |show: &dyn Fn(&LoadRecord) -> String| load.map_or(NONE.to_owned(), show);
    let none = || (NONE.to_owned(), NONE.to_owned());
    let (leaks, exposures) = dirty_totals(variant).map_or_else(none, |sums| {
        (show_count(sums.leaks), format!("{} (<= {})", show_count(sums.exposures), show_percentage(sums.bound)))
    });
    vec![
        // Filled in with its colour by the caller.
        "    ".to_owned(),
        clip(&variant.name, 60),
        of_load(&|load| show_rate(load.throughput)),
        of_load(&|load| short_micros(load.latency_us.p50)),
        of_load(&|load| short_micros(load.latency_us.p99)),
        leaks + mark,
        exposures,
    ]
}
