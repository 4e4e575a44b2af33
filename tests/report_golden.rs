//! What reports look like, and that nothing from outside can take part in how.

#[path = "golden_reports/capacity.rs"]
mod capacity;
#[path = "golden_reports/inspection.rs"]
mod inspection;
#[path = "golden_reports/fixtures.rs"]
mod fixtures;
#[path = "golden_reports/located.rs"]
mod located;
#[path = "golden_reports/more_fixtures.rs"]
mod more_fixtures;
#[path = "golden_reports/server.rs"]
mod server;

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use comrak::nodes::NodeValue;
use comrak::{Arena, Options, parse_document};
use proptest::prelude::*;
use runner::measured_value::MeasuredValue;
use runner::record::{Confidence, LeakClass, Record, Status};
use runner::report;
use snapbox::assert_data_eq;

/// All but the hostile one.
const STORIES: usize = 16;

/// `report.md`, and the pictures with their names; `report.html`; and the files of other formats.
struct Page {
    markdown: String,
    html: String,
    files: Vec<(String, String)>,
    others: Vec<(String, String)>,
}

/// The report beside its record.
fn render(record: &Record) -> Page {
    let folder = "reports/dirty/2026-07-23T10-00-00Z".as_ref();
    render_at(record, report::ReportLocation { folder, beside: true })
}

fn render_at(record: &Record, home: report::ReportLocation<'_>) -> Page {
    let mut files: Vec<(String, String)> =
        report::render(record, home).into_iter().map(|file| (file.name, file.content)).collect();
    let (name, markdown) = files.remove(0);
    assert_eq!(name, "report.md");
    let at = files.iter().position(|(name, _)| name == "report.html").unwrap();
    let (_, html) = files.remove(at);
    let (files, others) = files.into_iter().partition(|(name, _)| name.ends_with(".svg"));
    Page { markdown, html, files, others }
}

/// The kinds of elements of the page and of its pictures. What is risky may stand as code.
fn elements(page: &Page) -> std::collections::BTreeSet<String> {
    let body = page.html.split("<body").nth(1).unwrap().split("<script").next().unwrap();
    let names = body
        .split('<')
        .skip(1)
        .map(|rest| rest.split(|c: char| !c.is_ascii_alphanumeric() && c != '/').next().unwrap());
    names.chain(["code", "/code"]).map(str::to_owned).collect()
}

#[test]
fn every_format_leaves_the_file_that_it_names_and_no_two_leave_one() {
    let home = report::ReportLocation { folder: "reports/x".as_ref(), beside: true };
    let names: Vec<String> = report::render(&fixtures::dirty(), home).into_iter().map(|file| file.name).collect();
    assert!(report::FORMATS.iter().all(|format| names.iter().any(|name| name == format.main)), "{names:?}");
    assert_eq!(names.iter().collect::<std::collections::BTreeSet<_>>().len(), names.len(), "{names:?}");
}

fn every_story() -> Vec<(&'static str, Record)> {
    vec![
        ("sync_sleep", fixtures::sync_sleep()),
        ("async_sleep", fixtures::async_sleep()),
        ("stumbling", fixtures::stumbling()),
        ("crossover", fixtures::crossover()),
        ("dirty", fixtures::dirty()),
        ("clean_in_every_mode", fixtures::clean_in_every_mode()),
        ("server_died", fixtures::server_died()),
        ("interrupted", more_fixtures::interrupted()),
        ("empty", fixtures::empty()),
        ("aborted", more_fixtures::aborted()),
        ("broken_probe", more_fixtures::broken_probe()),
        ("serial", more_fixtures::serial()),
        ("half_started", more_fixtures::half_started()),
        ("leaking", more_fixtures::leaking()),
        ("interrupted_matrix", more_fixtures::interrupted_matrix()),
        ("capacity", capacity::capacity()),
        ("inspection", inspection::inspection()),
        (
            "hostile",
            fixtures::hostile("<script>alert(1)</script> | [x](http://e.vil) ![y](z) `a` \u{1b}[31m\nred @me :x: #1"),
        ),
    ]
}

/// `cargo test --test report_golden -- --ignored` writes them below target/reports, to be looked at.
#[test]
#[ignore = "writes files for people to look at"]
fn every_report_for_people_to_look_at() {
    for (name, record) in every_story() {
        let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("target/reports").join(name);
        std::fs::create_dir_all(&folder).unwrap();
        let start = std::time::Instant::now();
        let page = render(&record);
        println!("{name}: {:?}, {} files", start.elapsed(), page.files.len());
        std::fs::write(folder.join("report.md"), page.markdown).unwrap();
        std::fs::write(folder.join("summary.txt"), report::terminal::summary(&record, 100, false)).unwrap();
        for (file, svg) in page.files {
            std::fs::write(folder.join(file), svg).unwrap();
        }
    }
}

#[test]
fn the_sync_story_reads_as_agreed() {
    let page = render(&fixtures::sync_sleep());
    assert_data_eq!(page.markdown, snapbox::file!["golden_reports/sync_sleep.md"].raw());
}

#[test]
fn the_dirty_story_reads_as_agreed() {
    let page = render(&fixtures::dirty());
    assert_data_eq!(page.markdown, snapbox::file!["golden_reports/dirty.md"].raw());
}

#[test]
fn searches_for_the_capacity_read_as_agreed() {
    let mut record = capacity::capacity();
    let summary = report::terminal::summary(&record, 100, false);
    let several = render(&record).markdown;
    record.variants.truncate(1);
    record.scaling.clear();
    let alone = report::terminal::summary(&record, 100, false);
    let section = several.split("## Capacity").nth(1).unwrap().split("\n#").next().unwrap();
    let overview = several.split("## Overview").nth(1).unwrap().split("\n#").next().unwrap();
    let all = format!("# Overview{overview}\n# Capacity{section}\n# Several\n\n{summary}\n# One\n\n{alone}");
    assert_data_eq!(all, snapbox::file!["golden_reports/capacity.md"].raw());
}

#[test]
fn inspections_read_as_agreed() {
    let record = inspection::inspection();
    let summary = report::terminal::summary(&record, 100, false);
    let mut one = record.clone();
    one.variants.remove(0);
    one.variants.truncate(1);
    let one = report::terminal::summary(&one, 100, false);
    let loaded = inspection::load_and_inspection();
    let (loaded, of_load) = (report::terminal::summary(&loaded, 100, false), render(&loaded).markdown);
    let of_load = of_load.split("## Load").nth(1).unwrap().split("\n#").next().unwrap().to_owned();
    let page = render(&record).markdown;
    let overview = page.split("## Overview").nth(1).unwrap().split("\n#").next().unwrap();
    let sections = page.split("### Requests at once").skip(1).map(|text| text.split("\n#").next().unwrap());
    let sections: String = sections.map(|text| format!("### Requests at once{text}")).collect();
    let all = format!("# Overview{overview}\n{sections}\n# Load{of_load}\n# Terminal\n\n{summary}\n{one}\n{loaded}");
    assert_data_eq!(all, snapbox::file!["golden_reports/inspection.md"].raw());
}

#[test]
fn a_location_reads_as_agreed_however_sure_it_is() {
    let mut all = String::new();
    for confidence in Confidence::ALL {
        let record = located::story(located::location(confidence));
        let page = render(&record);
        let evidence = page.markdown.split("### Leak 1").nth(1).unwrap().split("\nFound in").next().unwrap();
        let about = evidence.split_once("\n\n").unwrap().1.split_once("\n\n").unwrap().1;
        let summary = report::terminal::summary(&record, 100, false);
        let lines = summary.lines().skip_while(|line| !line.starts_with("  least"));
        let lines: Vec<&str> = lines.take_while(|line| !line.is_empty()).collect();
        all += &format!("# {}\n\n{about}\n{}\n\n", confidence.name(), lines.join("\n"));
    }
    assert_data_eq!(all, snapbox::file!["golden_reports/located.md"].raw());
}

#[test]
fn what_a_line_of_code_did_is_marked_on_the_bars_and_in_that_order() {
    let marks = |located| {
        let page = render(&located::story(located));
        let svg = page.files.into_iter().find(|(name, _)| name == "leak-1.svg").unwrap().1;
        [">wrote", ">read"].map(|mark| svg.replace('\n', "").matches(mark).count())
    };
    assert_eq!(marks(located::location(Confidence::Located)), [2, 1]);
    assert_eq!(marks(located::location(Confidence::SameCallee)), [1, 1]);
    assert_eq!(marks(located::location(Confidence::Partly)), [0, 1]);
    assert_eq!(marks(located::location(Confidence::NotLocated)), [0, 0]);
}

#[test]
fn the_clean_matrix_reads_as_agreed() {
    let page = render(&fixtures::clean_in_every_mode());
    assert_data_eq!(page.markdown, snapbox::file!["golden_reports/clean_in_every_mode.md"].raw());
}

#[test]
fn variants_that_were_not_started_say_so() {
    let record = more_fixtures::interrupted_matrix();
    let statuses: Vec<Status> = record.variants.iter().map(|variant| variant.status()).collect();
    assert_eq!(statuses, [Status::Interrupted, Status::NotStarted, Status::NotStarted]);
    assert_eq!(record.status, Status::Interrupted);
    let page = render(&record);
    assert_data_eq!(page.markdown, snapbox::file!["golden_reports/interrupted_matrix.md"].raw());
}

#[test]
fn a_record_of_format_1_reads_as_it_did() {
    let text = include_str!("fixtures/record_format_1.json");
    let value = runner::record::upgrade::upgraded(serde_json::from_str(text).unwrap()).unwrap();
    let record: Record = serde_json::from_value(value).unwrap();
    let page = render(&record);
    assert_data_eq!(page.markdown, snapbox::file!["golden_reports/record_format_1.md"].raw());
}

#[test]
fn summaries_read_as_agreed() {
    let all: String = every_story()
        .iter()
        .take(STORIES)
        .map(|(_, record)| report::terminal::summary(record, 100, false) + "\n")
        .collect();
    assert_data_eq!(all, snapbox::file!["golden_reports/summaries.txt"].raw());
}

#[test]
fn answers_hold_the_numbers_that_decide() {
    let all: String = every_story()
        .iter()
        .take(STORIES)
        .map(|(name, record)| format!("{name}: {}\n", report::answer(record)))
        .collect();
    assert_data_eq!(all, snapbox::file!["golden_reports/answers.txt"].raw());
}

#[test]
fn more_than_four_variants_share_their_pictures_and_four_have_their_own() {
    let names = |count: usize| {
        let mut record = fixtures::crossover();
        record.variants.truncate(count);
        record.comparison = runner::analysis::comparison::compare(&record.variants);
        let page = render(&record);
        let shown = |name: &str| page.markdown.contains(&format!("]({name})"));
        assert!(page.files.iter().all(|(name, _)| shown(name)), "a picture is not shown");
        page.files.into_iter().map(|(name, _)| name).collect::<Vec<_>>()
    };
    let shared = ["latencies.svg", "throughputs.svg"];
    let own = ["latency-4.svg", "throughput-4.svg"];
    let (four, five) = (names(4), names(5));
    let has = |names: &[String], wanted: &str| names.iter().any(|name| name == wanted);
    assert!(own.iter().all(|name| has(&four, name) && !has(&five, name)), "{four:?} {five:?}");
    assert!(shared.iter().all(|name| has(&five, name)) && !has(&four, "throughputs.svg"), "{four:?} {five:?}");
}

#[test]
fn requests_that_are_not_kept_are_counted_in_the_picture() {
    let mut record = fixtures::dirty();
    record.variants[0].trials[0].dirty.as_mut().unwrap().evidence[0].round_requests = 93;
    let page = render(&record);
    assert!(page.files.iter().any(|(_, svg)| svg.contains("and 83 more requests of this round, not drawn")));
}

#[test]
fn a_check_without_overlap_is_marked() {
    let page = render(&more_fixtures::serial());
    let marked: Vec<&str> = page.markdown.lines().filter(|line| line.contains('¹')).collect();
    let [row, note] = marked[..] else { panic!("{marked:?}") };
    assert!(row.contains("server.mode=sync") && row.contains(" 0 ¹ |"), "{row}");
    assert_eq!(note, "¹ Not exercised: overlap (the server handles one request at a time).");
}

#[test]
fn the_command_of_a_server_is_one_piece() {
    let mut record = fixtures::sync_sleep();
    record.variants[0].server = "`gunicorn -w 3 -b {host}:{port} app:wsgi`, 3 workers".to_owned();
    let page = render(&record).markdown;
    assert!(page.contains("Server: `gunicorn -w 3 -b {host}:{port} app:wsgi`, 3 workers. Load: "), "{page}");
}

#[test]
fn answers_without_a_canary_are_counted() {
    let page = render(&more_fixtures::broken_probe());
    assert!(page.markdown.contains("without any canary") && page.markdown.contains("under 10 ms"), "{}", page.markdown);
    assert!(!render(&fixtures::dirty()).markdown.contains("without any canary"));
}

#[test]
fn colour_is_only_there_if_asked_for() {
    let record = fixtures::dirty();
    let (plain, coloured) =
        (report::terminal::summary(&record, 80, false), report::terminal::summary(&record, 80, true));
    assert!(!plain.contains('\u{1b}') && coloured.contains("\u{1b}[1m\u{1b}[32mPASSED"), "{coloured:?}");
    assert!(plain.lines().count() <= 25, "{plain}");
    assert!(plain.lines().all(|line| line.chars().count() <= 80), "{plain}");
}

#[test]
fn a_failed_rule_is_the_answer() {
    let mut record = fixtures::async_sleep();
    record.status = Status::Failed;
    record.variants[0].verdicts[1] = fixtures::verdict("latency.p99 < 100ms", Status::Failed, "< 100 ms", "109 ms");
    let answer = report::answer(&record);
    assert!(answer.starts_with("Failed: `latency.p99 < 100ms` does not hold, observed 109 ms. 4,950/s"), "{answer}");
}

#[test]
fn a_leak_without_a_source_is_told_too() {
    let mut record = fixtures::dirty();
    let leak = &mut record.variants[0].trials[0].dirty.as_mut().unwrap().evidence[0];
    (leak.class, leak.overlapped, leak.source) = (LeakClass::StaleState, false, None);
    let page = render(&record);
    assert!(
        page.markdown
            .contains("on connection 2, was answered with the canary of a request too long ago to be remembered.")
    );
}

#[test]
fn leaks_of_one_class_in_several_variants_are_told_apart_from_those_of_several_classes() {
    let mut record = fixtures::dirty();
    let one_variant = report::terminal::summary(&record, 100, false);
    assert!(one_variant.contains("and 1 more leak, of a class of its own each"), "{one_variant}");
    record.variants.push(fixtures::dirty().variants.remove(0));
    let two_variants = report::terminal::summary(&record, 100, false);
    assert!(two_variants.contains("and 3 more leaks, each of another class or variant"), "{two_variants}");
}

#[test]
fn the_bound_of_a_variant_is_that_of_the_exposures_beside_it() {
    let mut record = fixtures::clean_in_every_mode();
    for variant in &mut record.variants {
        variant.trials.push(variant.trials[0].clone());
    }
    let summary = report::terminal::summary(&record, 100, false);
    assert!(summary.contains("6,000 (<= 0.0499 %)"), "{summary}");
    let page = render(&record).markdown;
    let overview = page.split("## Variant 1").next().unwrap();
    assert!(overview.contains("6,000 |               0.0499 % |"), "{overview}");
    assert!(report::answer(&record).contains("at most 0.0499 % of a variant's"), "{}", report::answer(&record));
}

#[test]
fn the_statuses_that_are_errors_are_named() {
    let mut record = fixtures::async_sleep();
    let load = record.variants[0].trials[0].load.as_mut().unwrap();
    load.errors = [("status".to_owned(), 11_222)].into();
    load.status = [("200".to_owned(), 5), ("404".to_owned(), 11_220), ("503".to_owned(), 2)].into();
    let summary = report::terminal::summary(&record, 100, false).replace("\n               ", " ");
    assert!(summary.contains("11,222 answered with a status of 400 or above (404: 11,220, 503: 2)"), "{summary}");
}

#[test]
fn a_leak_and_a_rule_that_does_not_hold_are_told_in_one_sentence() {
    let mut record = fixtures::dirty();
    record.status = Status::Failed;
    let verdict = |rule| fixtures::verdict(rule, Status::Failed, "no leak", "12");
    record.variants[0].verdicts = vec![verdict("dirty.expect = \"clean\""), verdict("dirty.leaks == 0")];
    let answer = report::answer(&record);
    let said = "Failed: the server was expected to be clean, and it leaks; 1 other rule does not hold either. ";
    assert!(answer.starts_with(said), "{answer}");
}

#[test]
fn a_report_elsewhere_says_where_its_record_is() {
    let home = report::ReportLocation { folder: "kept/of mine".as_ref(), beside: false };
    let page = render_at(&fixtures::dirty(), home).markdown;
    assert!(page.contains("`runner replay 'kept/of mine' 1`"), "{page}");
    assert!(page.contains("- in `kept/of mine`: `effective.toml`") && !page.contains("beside this report"), "{page}");
}

#[test]
fn a_leak_where_none_was_expected_is_the_answer() {
    let mut record = fixtures::dirty();
    record.status = Status::Failed;
    record.variants[0].verdicts =
        vec![fixtures::verdict("dirty.expect = \"clean\"", Status::Failed, "no leak", "12 leaks")];
    let answer = report::answer(&record);
    assert!(
        answer.starts_with("Failed: the server was expected to be clean, and it leaks. 12 of 161 exposures leaked"),
        "{answer}"
    );
}

#[test]
fn numbers_without_sense_are_reported_too() {
    for nonsense in [f64::NAN, f64::INFINITY, f64::MAX, -1.0, 0.0, 1e-12] {
        let mut record = fixtures::stumbling();
        record.variants.push(fixtures::dirty().variants.remove(0));
        for trial in record.variants.iter_mut().flat_map(|variant| &mut variant.trials) {
            if let Some(load) = &mut trial.load {
                (load.timeout_s, load.planned_duration_s, load.duration_s, load.throughput) =
                    (nonsense, Some(nonsense), nonsense, nonsense);
                (load.latency_us.p50, load.latency_us.p99) =
                    (Some(MeasuredValue::Exactly(nonsense)), Some(MeasuredValue::MoreThan(nonsense)));
                load.timeline.iter_mut().for_each(|row| (row.t_s, row.length_s) = (nonsense, nonsense));
                load.generator.cpu_max = nonsense;
            }
            for leak in trial.dirty.iter_mut().flat_map(|dirty| &mut dirty.evidence) {
                (leak.victim.done_ms, leak.victim.sent_ms, leak.victim.sleep_ms) = (nonsense, nonsense, Some(nonsense));
                leak.source.as_mut().unwrap().first_byte_ms = Some(nonsense);
            }
        }
        blocks(&render(&record));
        assert!(!report::terminal::summary(&record, 0, true).is_empty() && !report::answer(&record).is_empty());
    }
}

#[test]
fn text_that_begins_like_a_variable_of_the_shell_is_harmless() {
    for text in ["$`<script>", "$<script>", "$X`<script>", "$\"<b", "$"] {
        blocks(&render(&hostile(text)));
    }
}

#[test]
fn a_report_is_fast() {
    // Debug builds are an order of magnitude slower than what people run, and share their cores with other tests.
    let limit = Duration::from_millis(if cfg!(debug_assertions) { 20_000 } else { 50 });
    for (name, record) in every_story() {
        // The best of three: other tests run at the same time.
        let took = || {
            let start = Instant::now();
            render(&record);
            start.elapsed()
        };
        let best = (0..3).map(|_| took()).min().unwrap();
        assert!(best < limit, "{name} took {best:?}");
    }
}

/// How often each kind of block occurs, in the eyes of a reader of GitHub's markdown. Fails on what would act: links,
/// HTML, pictures that are not the report's own.
fn blocks(page: &Page) -> BTreeMap<&'static str, usize> {
    let mut options = Options::default();
    options.extension.autolink = true;
    options.extension.table = true;
    options.extension.strikethrough = true;
    options.extension.tasklist = true;
    options.extension.footnotes = true;
    options.extension.math_dollars = true;
    options.extension.math_code = true;
    options.extension.alerts = true;
    let arena = Arena::new();
    let mut counts = BTreeMap::new();
    for node in parse_document(&arena, &page.markdown, &options).descendants() {
        let kind = match &node.data().value {
            NodeValue::Heading(_) => "heading",
            NodeValue::Table(_) => "table",
            NodeValue::TableRow(_) => "row",
            NodeValue::TableCell => "cell",
            NodeValue::List(_) => "list",
            NodeValue::Item(_) => "item",
            NodeValue::Strong => "strong",
            NodeValue::Image(link) => {
                assert!(page.files.iter().any(|(name, _)| *name == link.url), "a picture from outside: {}", link.url);
                "picture"
            }
            NodeValue::Document
            | NodeValue::Paragraph
            | NodeValue::Text(_)
            | NodeValue::SoftBreak
            | NodeValue::Code(_) => continue,
            NodeValue::CodeBlock(block) => {
                assert!(block.fenced, "an indented block: {:?}", block.literal);
                continue;
            }
            other => panic!("{other:?} in\n{}", page.markdown),
        };
        *counts.entry(kind).or_insert(0) += 1;
    }
    counts
}

/// Lines of a table in the raw text have the same number of edges.
fn check_raw_tables(markdown: &str) {
    let mut edges = None;
    for line in markdown.lines() {
        if !line.starts_with("| ") {
            edges = None;
            continue;
        }
        let found = line.matches('|').count();
        assert_eq!(*edges.get_or_insert(found), found, "{line}");
    }
}

fn check_svg(svg: &str) {
    for (at, _) in svg.match_indices('<') {
        let tag = svg[at + 1..].trim_start_matches('/').split(|c: char| !c.is_ascii_alphanumeric()).next().unwrap();
        assert!(
            ["svg", "style", "rect", "line", "polyline", "polygon", "circle", "text"].contains(&tag),
            "{tag} in {svg}"
        );
    }
    assert!(svg.starts_with("<svg width=") && svg.trim_end().ends_with("</svg>"));
}

fn has_controls(text: &str) -> bool {
    text.chars().any(|c| (c.is_control() && c != '\n') || ('\u{202a}'..='\u{202e}').contains(&c))
}

/// The hostile record without its histograms, which take long to draw and hold no text.
fn hostile(text: &str) -> Record {
    let mut record = fixtures::hostile(text);
    for trial in record.variants.iter_mut().flat_map(|variant| &mut variant.trials) {
        trial.load.as_mut().unwrap().histogram = Default::default();
    }
    record
}

/// Text made of what markdown, HTML and terminals act upon.
fn nasty() -> impl Strategy<Value = String> {
    let token = prop::sample::select(vec![
        "<script>",
        "</script>",
        "<b",
        ">",
        "<",
        "&lt;",
        "&",
        "|",
        "\\|",
        "\\",
        "`",
        "``",
        "```",
        "~~~",
        "*",
        "**",
        "_",
        "__",
        "~~",
        "[x](y)",
        "![x](y)",
        "[",
        "]",
        "(",
        ")",
        "http://e.vil",
        "www.e.vil",
        "a@b.cd",
        "mailto:a@b.cd",
        "#",
        "# ",
        "- ",
        "1. ",
        "> ",
        "\n",
        "\n\n",
        "\r",
        "\t",
        "---",
        "===",
        "$",
        "$$",
        "$`",
        "^",
        ":x:",
        "[^1]",
        "[ ]",
        "!",
        "\u{1b}[31m",
        "\u{1b}]0;",
        "\u{7}",
        "\u{202e}",
        "\u{0}",
        "\"",
        "'",
        " ",
        "  ",
        "a",
        "word",
        "2,000",
        "%",
        "é",
        "汉",
        "<!--",
        "-->",
        "<?",
        "[!NOTE]",
    ]);
    prop_oneof![prop::collection::vec(token, 1..8).prop_map(|tokens| tokens.concat()), ".{1,20}"]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn nothing_from_outside_takes_part_in_how_a_report_looks(text in nasty()) {
        let text = format!("x{text}");
        let record = hostile(&text);
        let page = render(&record);
        prop_assert_eq!(blocks(&page), blocks(&render(&hostile("harmless"))), "{}", page.markdown);
        prop_assert_eq!(elements(&page), elements(&render(&hostile("harmless"))), "{}", page.html);
        prop_assert_eq!(page.html.matches("<script").count(), render(&hostile("harmless")).html.matches("<script").count());
        check_raw_tables(&page.markdown);
        page.files.iter().for_each(|(_, svg)| check_svg(svg));
        let files: Vec<(String, String)> = page.files.into_iter().chain(page.others).collect();
        let names_are_safe = files.iter().all(|(name, _)| name.chars().all(|c| c.is_ascii_alphanumeric() || "-.".contains(c)));
        prop_assert!(names_are_safe);
        let all = [page.markdown, report::answer(&record), report::terminal::summary(&record, 80, false)];
        prop_assert!(all.iter().chain(files.iter().map(|(_, text)| text)).all(|text| !has_controls(text)));
        prop_assert!(!report::answer(&record).contains('\n'));
    }

    #[test]
    fn text_that_begins_with_a_token_is_harmless_too(text in nasty()) {
        let page = render(&hostile(&text));
        blocks(&page);
        check_raw_tables(&page.markdown);
    }
}
