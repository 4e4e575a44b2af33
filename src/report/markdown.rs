//! `report.md`: first the answer, then the picture, then tables, then evidence, then how to reproduce.

mod capacity;
mod checks;
mod decision;
mod dirty;
mod evidence;
mod inspection;
mod load;
mod located;
mod overview;
mod reproduce;
mod server;
mod sweep;
mod verdicts;

use crate::analysis::median_trial::{median_capacity, median_trial};
use crate::record::{CapacityRecord, FigureRecord, LeakRecord, LogOf, Record, ScenarioRecord, Status, VariantRecord};
use crate::units::counted;

use super::chart;
use super::escape::{code, fence, inline};
use super::format::{capital, outcome, status};
use super::merged;
use super::sentence;
use super::{ReportFile, ReportFormat, ReportLocation};

/// `report.md` and the pictures that it shows.
pub(super) const FORMAT: ReportFormat = ReportFormat { name: "markdown", main: MAIN, render };

const MAIN: &str = "report.md";

/// The page, while it is made.
struct ReportPage {
    markdown: String,
    pictures: Vec<ReportFile>,
}

fn render(record: &Record, home: ReportLocation<'_>, _: &[ReportFile]) -> Vec<ReportFile> {
    let ReportPage { markdown, pictures } = page(record, home);
    let main = ReportFile { name: MAIN.to_owned(), content: markdown };
    std::iter::once(main).chain(pictures).collect()
}

fn page(record: &Record, home: ReportLocation<'_>) -> ReportPage {
    let mut page = ReportPage { markdown: head(record), pictures: Vec::new() };
    let scenario = &record.scenario;
    let figures =
        |index: usize| record.comparison.as_ref().and_then(|of| of.figures.get(index)).map_or(&[][..], Vec::as_slice);
    match record.variants.as_slice() {
        [] => {}
        [variant] => {
            let place = Place {
                level: 2,
                suffix: suffix(record, 0),
                first: true,
                pictures: true,
                home,
                scenario,
                leaks_before: 0,
                figures: figures(0),
            };
            section(&mut page, variant, &place);
        }
        variants => {
            decision::decision(&mut page, record);
            if let Some(svg) = chart::overview(variants) {
                show(&mut page, "overview.svg".to_owned(), "Throughput and latency by variant", svg);
            }
            page.markdown += &overview::overview(variants);
            side_by_side(&mut page, record);
            page.markdown += &overview::scaling(&record.scaling);
            let mut leaks_before = 0;
            for (index, variant) in variants.iter().enumerate() {
                let number = index + 1;
                let state = outcome(variant);
                page.markdown += &format!("## Variant {number}: {} – {state}\n\n", code(&variant.name));
                let (suffix, first) = (suffix(record, index), index == 0);
                let figures = figures(index);
                let pictures = variants.len() <= OF_THEIR_OWN;
                let place = Place { level: 3, suffix, first, pictures, home, scenario, leaks_before, figures };
                section(&mut page, variant, &place);
                leaks_before += variant.distinct_leaks().len();
            }
        }
    }
    page.markdown += &reproduce::reproduce(record, home);
    let trimmed = page.markdown.trim_end().len();
    page.markdown.truncate(trimmed);
    page.markdown.push('\n');
    page
}

/// More variants than this have no pictures of their own: they share some.
const OF_THEIR_OWN: usize = 4;

/// What all variants came to, in panels that share their axes.
fn side_by_side(page: &mut ReportPage, record: &Record) {
    let variants = record.variants.as_slice();
    let many = variants.len() > OF_THEIR_OWN;
    let alternatives = record.comparison.as_ref().and_then(|comparison| chart::alternatives(comparison, variants));
    let of_each = || many.then(|| chart::by_variant(variants)).flatten();
    if let Some(svg) = alternatives.or_else(of_each) {
        show(page, "latencies.svg".to_owned(), "Latency by percentile, side by side", svg);
    }
    if !many {
        return;
    }
    let capacities: Vec<(String, &CapacityRecord)> = variants
        .iter()
        .enumerate()
        .filter_map(|(index, of)| Some((format!("{}  {}", index + 1, of.name), median_capacity(of)?)))
        .collect();
    let drawn = [
        ("capacities.svg", "Latency by arrival rate, side by side", chart::capacity(&capacities)),
        ("throughputs.svg", "Throughput over time, side by side", chart::throughputs(variants)),
        ("servers.svg", "What the servers used over time, side by side", chart::servers(variants)),
    ];
    for (name, title, svg) in drawn {
        if let Some(svg) = svg {
            show(page, name.to_owned(), title, svg);
        }
    }
}

/// Where a variant's section stands on the page.
struct Place<'a> {
    /// Of its headings.
    level: usize,
    /// What its files' names end in, before `.svg`.
    suffix: String,
    /// Whether it is the first section, which explains the words that all use.
    first: bool,
    /// Whether its load and its server have pictures of their own.
    pictures: bool,
    home: ReportLocation<'a>,
    scenario: &'a ScenarioRecord,
    /// Leaks are numbered through all sections.
    leaks_before: usize,
    /// Over the trials.
    figures: &'a [FigureRecord],
}

impl Place<'_> {
    fn heading(&self, text: &str) -> String {
        format!("{} {text}\n\n", "#".repeat(self.level))
    }

    fn explain(&self, text: &str) -> String {
        if self.first { format!("{text}\n\n") } else { String::new() }
    }

    fn deeper(&self) -> Place<'_> {
        Place { level: self.level + 1, suffix: self.suffix.clone(), ..*self }
    }
}

fn head(record: &Record) -> String {
    let state = status(record.status);
    let mut out = format!("# {}: {state}\n\n", inline(&record.scenario.name));
    out += &format!("**{}.** {}\n\n", capital(state), inline(&capital(&sentence::reason(record))));
    if let Some(about) = record.scenario.about.as_ref().filter(|about| !about.trim().is_empty()) {
        out += &format!("The scenario: {}\n\n", inline(about));
    }
    if let Some(merged) = merged::merged_from(record) {
        out += &format!("{} (they are listed [below](#how-to-reproduce)).\n\n", capital(&merged));
    }
    out
}

fn section(page: &mut ReportPage, variant: &VariantRecord, place: &Place) {
    let what = format!("Server: {}. {}", inline(variant.server.trim_end_matches('.')), load::what_was_sent(variant));
    page.markdown += &format!("{}\n\n", what.trim_end());
    page.markdown += &what_happened(variant, place);
    if let Some(over) = super::decision::over_trials(place.figures) {
        page.markdown += &format!("{}.\n\n", inline(&over));
    }
    pictures(page, variant, place);
    page.markdown += &verdicts::verdicts(variant, place);
    page.markdown += &load::load(variant, place);
    page.markdown += &checks::checks(variant, place);
    capacity::capacity(page, variant, place);
    inspection::inspection(page, variant, place);
    sweep::sweep(page, variant, place);
    page.markdown += &dirty::dirty(variant, place);
    evidence(page, variant, place);
    server::server(page, variant, place);
    page.markdown += &verdicts::caveats(variant, place);
}

/// Why a trial could not run, or not to its end.
fn what_happened(variant: &VariantRecord, place: &Place) -> String {
    let mut out = String::new();
    if variant.status() == Status::NotStarted {
        out += "**Not started:** the run was ended before this variant had its turn.\n\n";
    }
    for (index, trial) in variant.trials.iter().enumerate() {
        let which = if variant.trials.len() > 1 { format!("Trial {}: ", index + 1) } else { String::new() };
        if trial.interrupted {
            out += &format!("{which}**Interrupted** by the user; what follows was measured until then.\n\n");
        }
        let Some(failure) = &trial.failure else { continue };
        out += &place.heading("What happened");
        let the = if which.is_empty() { "The" } else { "the" };
        out += &format!("{which}{the} run failed: {}.\n\n", inline(failure.message.trim_end_matches('.')));
        if !failure.advice.trim().is_empty() {
            out += &format!("What to do: {}.\n\n", inline(failure.advice.trim_end_matches('.')));
        }
        if !failure.log_tail.is_empty() {
            let whose = match failure.log_of {
                LogOf::Server => "server",
                LogOf::Script => "script",
            };
            out += &format!("The last {} of the {whose}'s log:\n\n", counted(failure.log_tail.len() as u64, "line"));
            out += &fence(&failure.log_tail, "text");
            out.push('\n');
        }
    }
    out
}

/// The charts of the trial that stands for the variant.
fn pictures(page: &mut ReportPage, variant: &VariantRecord, place: &Place) {
    if let Some((_, leak)) = variant.distinct_leaks().first() {
        page.markdown += &format!("{}.\n\n", inline(&capital(&sentence::leak(leak))));
        leak_picture(page, leak, place.leaks_before + 1, place);
    }
    let Some((number, trial)) = median_trial(variant).filter(|_| place.pictures) else { return };
    let Some(load) = &trial.load else { return };
    let several = variant.trials.len() > 1;
    let of = if several { format!(" (trial {number}, the one of median throughput)") } else { String::new() };
    let latency = chart::latency(load, &format!("Latency by percentile{of}"));
    let throughput = chart::throughput(load, &format!("Throughput over time{of}"));
    let drawn = [("latency", "Latency by percentile", latency), ("throughput", "Throughput over time", throughput)];
    for (name, title, svg) in drawn {
        if let Some(svg) = svg {
            show(page, format!("{name}{}.svg", place.suffix), title, svg);
        }
    }
}

/// A block and a picture for each distinct leak.
fn evidence(page: &mut ReportPage, variant: &VariantRecord, place: &Place) {
    let distinct = variant.distinct_leaks();
    if distinct.is_empty() {
        return;
    }
    let all = sentence::leaks(variant).count();
    page.markdown += &place.heading("Evidence");
    for (index, (_, leak)) in distinct.iter().enumerate() {
        let number = place.leaks_before + index + 1;
        page.markdown += &evidence::found(leak, number, &place.deeper());
        // The first one's picture is above, with the others of its kind.
        if index > 0 {
            leak_picture(page, leak, number, place);
        }
        page.markdown += &located::located(leak);
        page.markdown += &evidence::proof(leak, number, place.scenario, place.home);
    }
    if all > distinct.len() {
        let more = counted((all - distinct.len()) as u64, "more leak");
        page.markdown += &format!("`record.json` holds the evidence of {more} of the same classes.\n\n");
    }
}

fn leak_picture(page: &mut ReportPage, leak: &LeakRecord, number: usize, place: &Place) {
    let LeakPicture { name, title, leak } = LeakPicture::of(leak, number, &place.suffix);
    let svg = chart::leak(leak, &title);
    show(page, name, &title, svg);
}

/// The picture of a leak, by its name in the report.
pub(super) struct LeakPicture<'a> {
    pub name: String,
    pub title: String,
    pub leak: &'a LeakRecord,
}

impl<'a> LeakPicture<'a> {
    fn of(leak: &'a LeakRecord, number: usize, suffix: &str) -> Self {
        let title = format!("Leak {number}: who was in flight when");
        LeakPicture { name: format!("leak{suffix}-{number}.svg"), title, leak }
    }

    /// Those of a record, in the order of their numbers.
    pub fn all(record: &'a Record) -> Vec<Self> {
        let mut all = Vec::new();
        for (index, variant) in record.variants.iter().enumerate() {
            let suffix = suffix(record, index);
            for (_, leak) in variant.distinct_leaks() {
                all.push(LeakPicture::of(leak, all.len() + 1, &suffix));
            }
        }
        all
    }
}

/// What tells the pictures of a variant from those of the others.
fn suffix(record: &Record, index: usize) -> String {
    if record.variants.len() > 1 { format!("-{}", index + 1) } else { String::new() }
}

fn show(page: &mut ReportPage, name: String, title: &str, svg: String) {
    page.markdown += &format!("![{title}]({name})\n\n");
    page.pictures.push(ReportFile { name, content: svg });
}

/// A status as a table shows it: what needs attention stands out.
fn mark(word: &str) -> String {
    if ["passed", "no rules"].contains(&word) { word.to_owned() } else { format!("**{word}**") }
}
