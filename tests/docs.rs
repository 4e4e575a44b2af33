//! Runs the documentation, so that it cannot drift from the program.
//!
//! What the fences mean: `toml` is a whole valid scenario, `toml wrong` one that is refused with the text of the next
//! `text stderr`; `rhai` is a script that compiles; a line of `sh` that begins with `runner` is run, and exits with 0
//! or with what a comment says (`# exit 1`). A line such as `handlers/x.rhai`: before a fence names its file.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use runner::exchange::Failure;
use runner::mode::Mode;
use runner::record::Record;
use runner::rule::Metric;
use runner::rule::metric::MetricGroup;
use runner::script::{
    HandlerCall, HandlerRequest, HandlerResponse, HandlerStep, Limits, Process, Program, Resumed, reference,
};
use runner::trigger::Trigger;
use runner::units::show_count;
use serde_json::Value;

const RUNNER: &str = env!("CARGO_BIN_EXE_runner");
const SAMPLE: &str = "reports/sample";

/// What a sample is renewed with.
const RENEW: &str = "renew the sample: runner --reports /tmp/sample scenarios/dirty.toml && \
                     cp /tmp/sample/dirty/latest/* reports/sample/ && runner report reports/sample, and the figures in \
                     README.md";

/// A page of the documentation.
struct Page {
    path: PathBuf,
    text: String,
}

/// A fenced block.
struct Block {
    /// As in `README.md:12`.
    place: String,
    line: usize,
    info: String,
    text: String,
    /// The file that the line before it names.
    file: Option<String>,
}

fn pages() -> Vec<Page> {
    let docs = fs::read_dir("docs").unwrap().map(|entry| entry.unwrap().path());
    let mut paths: Vec<PathBuf> = docs.filter(|path| path.extension().is_some_and(|end| end == "md")).collect();
    paths.extend(["README.md", "CHANGELOG.md"].map(PathBuf::from));
    paths.extend(keys_pages());
    paths.sort();
    assert!(paths.len() >= 6, "{paths:?}");
    paths.into_iter().map(|path| Page { text: fs::read_to_string(&path).unwrap(), path }).collect()
}

/// The pages of `make docs.scenarios`.
fn keys_pages() -> Vec<PathBuf> {
    fs::read_dir("docs/scenarios").unwrap().map(|entry| entry.unwrap().path()).collect()
}

#[test]
fn every_key_has_a_page_that_says_what_the_schema_says() {
    let texts: Vec<String> = keys_pages().iter().map(|path| fs::read_to_string(path).unwrap()).collect();
    let mut problems = Vec::new();
    let schema = schema();
    let sections = schema["$defs"].as_object().unwrap().values().chain([&schema]);
    for (key, property) in sections.filter_map(|section| section["properties"].as_object()).flatten() {
        let about =
            property["description"].as_str().unwrap_or_default().split_whitespace().collect::<Vec<_>>().join(" ");
        let ends = [format!(".{key}`\n\n{about}"), format!("# `{key}`\n\n{about}")];
        if !texts.iter().any(|text| ends.iter().any(|end| text.contains(end.as_str()))) {
            problems.push(format!("{key}: `make docs.scenarios` writes its page anew"));
        }
    }
    none(problems);
}

fn page(path: &str) -> Page {
    Page { path: path.into(), text: fs::read_to_string(path).unwrap() }
}

impl Page {
    fn blocks(&self) -> Vec<Block> {
        let mut blocks = Vec::new();
        let mut open: Option<Block> = None;
        let mut file = None;
        for (index, line) in self.text.lines().enumerate() {
            let fence = line.strip_prefix("```");
            match (&mut open, fence) {
                (None, Some(info)) => {
                    let place = format!("{}:{}", self.path.display(), index + 1);
                    let (info, text) = (info.trim().to_owned(), String::new());
                    open = Some(Block { place, line: index + 1, info, text, file: file.take() });
                }
                (Some(_), Some(_)) => blocks.extend(open.take()),
                (Some(block), None) => block.text += &format!("{line}\n"),
                (None, None) if line.is_empty() => {}
                (None, None) => file = named_file(line),
            }
        }
        assert!(open.is_none(), "{}: a fence is not closed", self.path.display());
        blocks
    }

    /// The text outside of fences.
    fn prose(&self) -> String {
        let mut inside = false;
        let outside = self.text.lines().filter(|line| {
            let fence = line.starts_with("```");
            inside ^= fence;
            !inside && !fence
        });
        outside.collect::<Vec<_>>().join("\n")
    }

    /// The text between a heading and the next of the same level.
    fn section(&self, heading: &str) -> &str {
        let start = self.text.find(&format!("\n{heading}\n")).unwrap_or_else(|| panic!("no heading `{heading}`"));
        let rest = &self.text[start + 1 + heading.len()..];
        let level = heading.split(' ').next().unwrap();
        rest.find(&format!("\n{level} ")).map_or(rest, |end| &rest[..end])
    }
}

/// `handlers/x.rhai` of "`handlers/x.rhai`:" or of "A whole example, `x.toml`:".
fn named_file(line: &str) -> Option<String> {
    let name = line.split('`').nth(1).filter(|_| line.ends_with(':'))?;
    (name.ends_with(".toml") || name.ends_with(".rhai")).then(|| name.to_owned())
}

/// The words in backticks, outside of fences.
fn code_words(text: &str) -> BTreeSet<&str> {
    text.lines().flat_map(|line| line.split('`').skip(1).step_by(2)).collect()
}

/// The rows of the tables whose first column is headed by one of these words: names in backticks, and the whole row.
fn rows<'a>(text: &'a str, heads: &[&str]) -> Vec<(Vec<&'a str>, &'a str)> {
    let lines: Vec<&str> = text.lines().collect();
    let mut rows = Vec::new();
    let mut counts = false;
    for (index, line) in lines.iter().enumerate() {
        let Some(row) = line.strip_prefix("| ") else {
            counts = false;
            continue;
        };
        let first = row.split(" |").next().unwrap();
        if lines.get(index + 1).is_some_and(|next| next.starts_with("| ---")) {
            counts = heads.contains(&first);
        } else if counts && !first.starts_with("---") {
            rows.push((first.split('`').skip(1).step_by(2).collect(), *line));
        }
    }
    rows
}

fn command(folder: &Path, arguments: &[&str]) -> Output {
    command_with(folder, &[], arguments)
}

fn command_with(folder: &Path, variables: &[(String, String)], arguments: &[&str]) -> Output {
    let mut command = Command::new(RUNNER);
    command.env_remove("RUNNER_LOG").envs(variables.iter().cloned());
    command.args(arguments).current_dir(folder).stdin(Stdio::null());
    command.env_remove("RUNNER_REPORTS").env("NO_COLOR", "1").output().unwrap()
}

fn shown(output: &Output) -> String {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    format!("exit {:?}\n{}{}", output.status.code(), text(&output.stdout), text(&output.stderr))
}

/// A folder with the shipped scenarios in it, and the files that a page writes.
fn workshop(page: &Page) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    copy(Path::new("scenarios"), &folder.path().join("scenarios"));
    copy(Path::new("scenarios/handlers"), &folder.path().join("handlers"));
    for block in page.blocks() {
        if let Some(file) = block.file {
            let path = folder.path().join(file);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, block.text).unwrap();
        }
    }
    folder
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        let target = to.join(path.file_name().unwrap());
        // A virtual environment is neither shipped nor needed.
        if path.file_name().unwrap().as_encoded_bytes().starts_with(b".") {
            continue;
        }
        if path.is_dir() {
            copy(&path, &target);
        } else {
            fs::copy(&path, target).unwrap();
        }
    }
}

fn schema() -> Value {
    runner::scenario::schema::json()
}

/// Fails with all problems at once.
#[track_caller]
fn none(problems: Vec<String>) {
    assert!(problems.is_empty(), "\n{}", problems.join("\n"));
}

#[test]
fn every_fence_is_of_a_kind_that_is_tested() {
    let known = ["toml", "toml wrong", "text stderr", "rhai", "sh", "text", "text summary"];
    let unknown = |block: &Block| !known.contains(&block.info.as_str());
    let blocks = pages().iter().flat_map(Page::blocks).filter(unknown).collect::<Vec<_>>();
    none(blocks.iter().map(|block| format!("{}: what is ```{}?", block.place, block.info)).collect());
}

#[test]
fn every_scenario_is_valid() {
    let mut problems = Vec::new();
    let mut checked = 0;
    for page in pages() {
        let folder = workshop(&page);
        for block in page.blocks().iter().filter(|block| block.info == "toml") {
            let name = block.file.clone().unwrap_or_else(|| format!("line_{}.toml", block.line));
            fs::write(folder.path().join(&name), &block.text).unwrap();
            let output = command(folder.path(), &["check", &name]);
            checked += 1;
            if output.status.code() != Some(0) {
                problems.push(format!("{}: {}", block.place, shown(&output)));
            }
        }
    }
    assert!(checked >= 10, "only {checked} scenarios were found");
    none(problems);
}

#[test]
fn every_wrong_scenario_is_refused_as_the_page_says() {
    let mut problems = Vec::new();
    let mut checked = 0;
    for page in pages() {
        let folder = workshop(&page);
        let blocks = page.blocks();
        for (index, block) in blocks.iter().enumerate().filter(|(_, block)| block.info == "toml wrong") {
            let output = command(folder.path(), &["check", block.file.as_deref().unwrap()]);
            let expected = blocks.get(index + 1).filter(|next| next.info == "text stderr").expect("a `text stderr`");
            let stderr = String::from_utf8(output.stderr.clone()).unwrap();
            checked += 1;
            if output.status.code() != Some(2) || stderr.trim() != expected.text.trim() {
                problems.push(format!("{}: {}", block.place, shown(&output)));
            }
        }
    }
    assert!(checked >= 1);
    none(problems);
}

#[test]
fn every_script_compiles() {
    let mut problems = Vec::new();
    let mut checked = 0;
    for page in pages() {
        let folder = workshop(&page);
        for block in page.blocks().iter().filter(|block| block.info == "rhai") {
            let name = block.file.clone().unwrap_or_else(|| format!("line_{}.rhai", block.line));
            fs::write(folder.path().join(&name), &block.text).unwrap();
            let scenario = format!(
                "[server]\nmode = \"async\"\nscript = \"{name}\"\n[load]\npath = \"/health\"\nconcurrency = 1\n"
            );
            fs::write(folder.path().join("compiles.toml"), scenario).unwrap();
            let output = command(folder.path(), &["check", "compiles.toml"]);
            checked += 1;
            if output.status.code() != Some(0) {
                problems.push(format!("{}: {}", block.place, shown(&output)));
            }
        }
    }
    assert!(checked >= 5, "only {checked} scripts were found");
    none(problems);
}

/// An answer that a script's comment promises: `// GET /greet/?name=ann -> 200 Hello`. A body may follow the target;
/// what an answer's text leaves open ends in `...`.
struct Promise {
    request: HandlerRequest,
    status: u16,
    body: String,
}

impl Promise {
    fn read(line: &str) -> Option<Promise> {
        let (asked, answer) = line.trim().strip_prefix("// ")?.split_once(" -> ")?;
        let mut words = asked.splitn(3, ' ');
        let method = words.next().filter(|method| ["GET", "POST"].contains(method))?;
        let target = words.next()?;
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let (status, body) = answer.split_once(' ').unwrap_or((answer, ""));
        let request = HandlerRequest {
            method: method.to_owned(),
            path: path.to_owned(),
            query: form_urlencoded::parse(query.as_bytes()).into_owned().collect(),
            headers: vec![("host".to_owned(), "docs.test".to_owned())],
            body: words.next().unwrap_or("").as_bytes().to_vec(),
        };
        Some(Promise { request, status: status.parse().expect("a status"), body: body.to_owned() })
    }

    /// What else the script answers, if it does.
    fn broken(&self, program: &std::sync::Arc<Program>, process: &Process) -> Option<String> {
        let Some(handler) = program.handler_for(&self.request.path) else { return Some("no handler".to_owned()) };
        let mut call = HandlerCall::new(program, process, handler, self.request.clone());
        let mut answer = Resumed::Nothing;
        let result = loop {
            answer = match call.resume_with(answer) {
                HandlerStep::Done(result) => break result,
                // Every server is healthy, and knows nothing else.
                HandlerStep::Fetch(outgoing) if outgoing.url.ends_with("/health") => {
                    Resumed::Fetched(Ok(HandlerResponse { status: 200, ..HandlerResponse::default() }))
                }
                HandlerStep::Fetch(_) => Resumed::Fetched(Err("nobody answers".to_owned())),
                _ => Resumed::Nothing,
            };
        };
        let (status, body) = match result {
            Ok(response) => (response.status, String::from_utf8(response.body).unwrap()),
            Err(error) => (500, error.to_string()),
        };
        let kept = match self.body.strip_suffix("...") {
            Some(start) => body.starts_with(start),
            None => body == self.body,
        };
        (status != self.status || !kept).then(|| format!("{status} {body}"))
    }
}

#[test]
fn every_script_of_the_handlers_page_answers_as_its_comments_say() {
    let page = page("docs/handlers.md");
    let folder = workshop(&page);
    let mut problems = Vec::new();
    for block in page.blocks().iter().filter(|block| block.info == "rhai") {
        let file = block.file.clone().unwrap_or_else(|| panic!("{}: no file is named", block.place));
        let promises: Vec<Promise> = block.text.lines().filter_map(Promise::read).collect();
        // What lies deeper is there to be imported.
        if promises.is_empty() && !file.contains("/shared/") {
            problems.push(format!("{}: no comment says what it answers", block.place));
        }
        let program = Program::compile(&block.text, &folder.path().join("handlers"), Limits::default()).unwrap();
        let process = Process::new(std::time::Duration::ZERO, None);
        for promise in promises {
            let broken = promise.broken(&program, &process);
            problems.extend(broken.map(|answer| format!("{}: {} answers {answer}", block.place, promise.request.path)));
        }
    }
    none(problems);
}

#[test]
fn generated_tables_are_what_the_program_says() {
    let functions = [("request", reference::request_table()), ("functions", reference::function_table())];
    generated("docs/handlers.md", &functions);
    let [load, capacity, dirty, server] = MetricGroup::ALL.map(Metric::table);
    let tables = [
        ("modes", Mode::table()),
        ("triggers", Trigger::table()),
        ("metrics load", load),
        ("metrics capacity", capacity),
        ("metrics dirty", dirty),
        ("metrics server", server),
    ];
    generated("docs/scenario.md", &tables);
}

/// Compares the tables of a page with what they are made from; with `UPDATE=1` writes them anew.
fn generated(path: &str, tables: &[(&str, String)]) {
    let mut text = fs::read_to_string(path).unwrap();
    let before = text.clone();
    for (name, table) in tables {
        let opening = format!("<!-- generated: {name} -->\n");
        let start = text.find(&opening).unwrap_or_else(|| panic!("no {opening}")) + opening.len();
        let end = start + text[start..].find("<!-- /generated -->").expect("an end");
        text.replace_range(start..end, &format!("\n{table}\n"));
    }
    if std::env::var_os("UPDATE").is_some() {
        fs::write(path, &text).unwrap();
    } else {
        assert!(text == before, "the tables of {path} are not what the source says: UPDATE=1 writes them anew");
    }
}

#[test]
fn every_command_runs_and_exits_as_the_page_says() {
    let pages = pages();
    // The commands of a page share a folder and run in turn, those of different pages at once.
    let ran = std::thread::scope(|scope| {
        let threads: Vec<_> = pages.iter().map(|page| scope.spawn(|| commands_of(page))).collect();
        threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect::<Vec<_>>()
    });
    assert!(ran.len() >= 10, "only {} commands were found", ran.len());
    none(ran.into_iter().flatten().collect());
}

/// Runs the commands of a page; for each of them what is wrong, if anything is.
fn commands_of(page: &Page) -> Vec<Option<String>> {
    let folder = workshop(page);
    let mut ran = Vec::new();
    for block in page.blocks().iter().filter(|block| block.info == "sh") {
        for line in block.text.lines() {
            let (typed, comment) = line.split_once(" # ").map_or((line, ""), |(typed, after)| (typed, after.trim()));
            let mut words = shell_words(typed);
            let variables = variables(&mut words);
            match words.first().map(String::as_str) {
                Some("runner") => {}
                Some("make" | "jq") | None => continue,
                Some(other) => panic!("{}: nobody tests `{other}`", block.place),
            }
            words.remove(0);
            words.extend(shortened(folder.path(), &words));
            let arguments: Vec<&str> = words.iter().map(String::as_str).collect();
            let expected = comment.strip_prefix("exit ").map_or(0, |code| code.parse().unwrap());
            let output = command_with(folder.path(), &variables, &arguments);
            let wrong = output.status.code() != Some(expected);
            ran.push(wrong.then(|| format!("{}: `{}`: {}", block.place, words.join(" "), shown(&output))));
        }
    }
    ran
}

/// Takes the variables that a command line sets before its program, as in `RUNNER_LOG=debug runner`.
fn variables(words: &mut Vec<String>) -> Vec<(String, String)> {
    let is_name = |name: &str| name.bytes().all(|byte| byte.is_ascii_uppercase() || byte == b'_');
    let set = |word: &String| word.split_once('=').filter(|(name, _)| is_name(name)).map(|(n, v)| (n.into(), v.into()));
    let found: Vec<(String, String)> = words.iter().map_while(set).collect();
    words.drain(..found.len());
    found
}

/// The words of a command line; a word may be in single quotes.
fn shell_words(line: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut quoted = false;
    for c in line.trim().chars() {
        match c {
            '\'' => quoted = !quoted,
            ' ' if !quoted => words.push(String::new()),
            c => words.last_mut().unwrap().push(c),
        }
    }
    words.retain(|word| !word.is_empty());
    words
}

/// What makes the run of a shipped load short, and its rules, which are for a longer one, silent.
fn shortened(folder: &Path, words: &[String]) -> Vec<String> {
    let starts_nothing =
        ["check", "report", "compare", "new", "schema", "definitions", "completions", "index", "prune", "baseline"]
            .contains(&words[0].as_str());
    let shipped = words.iter().find(|word| word.starts_with("scenarios/")).filter(|_| !starts_nothing);
    let Some(shipped) = shipped else { return Vec::new() };
    let text = fs::read_to_string(folder.join(shipped)).unwrap();
    let load = ["--set", "load.duration=300ms", "--set", "load.warmup=0ms", "--set", "assert.that=[]"];
    let capacity = ["--set", "capacity.time=5s"];
    let crossover = ["--set", "crossover.time=2s"];
    let more =
        [("[load]", load.as_slice()), ("[capacity]", capacity.as_slice()), ("[crossover]", crossover.as_slice())];
    let more = more.into_iter().filter(|(section, _)| text.contains(section));
    more.flat_map(|(_, words)| words).map(|word| (*word).to_owned()).collect()
}

#[test]
fn the_install_line_is_the_same_everywhere() {
    let line = |text: &str| {
        let all = text.lines().filter_map(|line| line.split_once("cargo install --locked --git "));
        all.map(|(_, rest)| rest.split(" #").next().unwrap().trim().to_owned()).collect::<Vec<_>>()
    };
    let documented = line(&page("README.md").text);
    assert_eq!(documented.len(), 1, "{documented:?}");
    let files = fs::read_dir("docs/ci").unwrap().map(|entry| fs::read_to_string(entry.unwrap().path()).unwrap());
    let used: Vec<String> = files.flat_map(|text| line(&text)).collect();
    assert!(used.len() >= 3 && used.iter().all(|line| *line == documented[0]), "{used:?}");
}

#[test]
fn every_target_of_make_exists() {
    let makefile = fs::read_to_string("Makefile").unwrap();
    let mut named = 0;
    let mut problems = Vec::new();
    for page in pages() {
        let commands = page.text.lines().filter_map(|line| line.strip_prefix("make "));
        let inline = code_words(&page.text).into_iter().filter_map(|word| word.strip_prefix("make "));
        for target in commands.chain(inline).filter_map(|rest| rest.split_whitespace().next()) {
            named += 1;
            if !makefile.lines().any(|line| line.starts_with(&format!("{target}:"))) {
                problems.push(format!("{}: no target `{target}` in the Makefile", page.path.display()));
            }
        }
    }
    assert!(named >= 2);
    none(problems);
}

#[test]
fn every_link_leads_somewhere() {
    let mut problems = Vec::new();
    for page in pages() {
        let folder = page.path.parent().unwrap();
        let prose = page.prose();
        for link in prose.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            let (file, anchor) = link.split_once('#').unwrap_or((link, ""));
            if file.contains("://") {
                continue;
            }
            let target = if file.is_empty() { page.path.clone() } else { folder.join(file) };
            let Ok(text) = fs::read_to_string(&target) else {
                problems.push(format!("{}: there is no {}", page.path.display(), target.display()));
                continue;
            };
            if !anchor.is_empty() && !headings(&text).contains(anchor) {
                problems.push(format!("{}: there is no heading for {link}", page.path.display()));
            }
        }
    }
    none(problems);
}

/// The anchors of the headings, as GitHub makes them.
fn headings(text: &str) -> BTreeSet<String> {
    let headings = text.lines().filter(|line| line.starts_with('#'));
    let anchor = |line: &str| {
        let title = line.trim_start_matches('#').trim().to_lowercase().replace(' ', "-");
        title.chars().filter(|c| c.is_alphanumeric() || matches!(c, '-' | '_')).collect()
    };
    headings.map(anchor).collect()
}

/// Where `docs/scenario.md` describes each type of the schema.
const SECTIONS: [(&str, &str); 19] = [
    ("", "## Top of the file"),
    ("Server", "## `[server]`"),
    ("Ready", "## `[server]`"),
    ("Stop", "## `[server]`"),
    ("Load", "## `[load]`"),
    ("Stage", "## `[load]`"),
    ("Kind", "## `[load]`"),
    ("Capacity", "## `[capacity]`"),
    ("Inspect", "## `[inspect]`"),
    ("Dirty", "## `[dirty]`"),
    ("SweepRequest", "## `[dirty]`"),
    ("LongAndShort", "## `[dirty]`"),
    ("Login", "## Logging in"),
    ("LoginStep", "## Logging in"),
    ("Capture", "## Logging in"),
    ("Tls", "## `[server]`"),
    ("Matrix", "## `[matrix]`"),
    ("Crossover", "## `[crossover]`"),
    ("Assert", "## `[assert]`"),
];

#[test]
fn every_key_of_the_schema_is_described_with_its_limit_and_default() {
    let (schema, page) = (schema(), page("docs/scenario.md"));
    let mut problems = Vec::new();
    let mut sections: Vec<(&str, &str)> = SECTIONS.to_vec();
    sections.push(("ConditionalRule", "## `[assert]`"));
    let described: BTreeSet<&str> = sections.iter().map(|(definition, _)| *definition).collect();
    for (definition, object) in schema["$defs"].as_object().unwrap() {
        let has_keys = object["properties"].is_object();
        assert!(!has_keys || described.contains(definition.as_str()), "no section is for {definition}");
    }
    for (definition, heading) in sections {
        let object = if definition.is_empty() { &schema } else { &schema["$defs"][definition] };
        let text = page.section(heading);
        let table = rows(text, &["key"]);
        for (key, property) in object["properties"].as_object().unwrap() {
            let mentioned: Vec<&str> =
                table.iter().filter(|(keys, _)| keys.contains(&key.as_str())).map(|(_, row)| *row).collect();
            if mentioned.is_empty() && !code_words(text).contains(key.as_str()) {
                problems.push(format!("{heading}: `{key}` is not described"));
            }
            for fact in facts(property).iter().filter(|_| !mentioned.is_empty()) {
                if !mentioned.iter().any(|row| row.contains(fact.as_str())) {
                    problems.push(format!("{heading}: `{key}` is described without `{fact}`"));
                }
            }
        }
    }
    none(problems);
}

/// The upper limit of a key, and the numbers of its default, as its description gives them.
fn facts(property: &Value) -> Vec<String> {
    let mut facts: Vec<String> = property["maximum"].as_u64().map(show_count).into_iter().collect();
    let description = property["description"].as_str().unwrap_or_default().replace('\n', " ");
    let default = description.split(". ").find(|sentence| sentence.contains("if not given"));
    let numbers = default.into_iter().flat_map(|text| text.split([' ', ',']));
    facts.extend(numbers.filter(|word| word.starts_with(|c: char| c.is_ascii_digit())).map(str::to_owned));
    facts
}

#[test]
fn no_key_is_described_that_is_not_there() {
    let (schema, page) = (schema(), page("docs/scenario.md"));
    let known = |heading: &str| {
        let mut keys = BTreeSet::new();
        let types = SECTIONS.iter().filter(|(_, of)| *of == heading).map(|(definition, _)| *definition);
        for definition in types.chain((heading == "## `[assert]`").then_some("ConditionalRule")) {
            let object = if definition.is_empty() { &schema } else { &schema["$defs"][definition] };
            keys.extend(object["properties"].as_object().unwrap().keys().cloned());
        }
        keys
    };
    let mut problems = Vec::new();
    for heading in SECTIONS.iter().map(|(_, heading)| *heading).collect::<BTreeSet<_>>() {
        let known = known(heading);
        for key in rows(page.section(heading), &["key"]).into_iter().flat_map(|(keys, _)| keys) {
            if !known.contains(key) {
                problems.push(format!("{heading}: there is no key `{key}`"));
            }
        }
    }
    none(problems);
}

#[test]
fn every_value_of_a_key_is_described() {
    let (schema, page) = (schema(), page("docs/scenario.md"));
    let mut problems = Vec::new();
    let mut values = 0;
    for definition in ["Mode", "Signal", "Spacing", "Expect", "Shape"] {
        let choices = schema["$defs"][definition]["oneOf"].as_array().unwrap();
        for value in choices.iter().filter_map(|choice| choice["const"].as_str()) {
            values += 1;
            let words = code_words(&page.text);
            if !words.contains(value) && !words.contains(format!("\"{value}\"").as_str()) {
                problems.push(format!("{definition} `{value}` is not described"));
            }
        }
    }
    assert!(values >= 14, "{values}");
    none(problems);
}

#[test]
fn the_modes_are_the_same_everywhere() {
    let schema = schema();
    let modes = schema["$defs"]["Mode"]["oneOf"].as_array().unwrap();
    let modes: BTreeSet<&str> = modes.iter().filter_map(|mode| mode["const"].as_str()).collect();
    let readme = page("README.md");
    let scenario = page("docs/scenario.md");
    for text in [readme.section("## Built-in servers"), scenario.section("## `[server]`")] {
        let listed = rows(text, &["`mode`", "mode"]);
        let listed: BTreeSet<&str> = listed.into_iter().flat_map(|(names, _)| names).collect();
        assert_eq!(listed, modes);
    }
    let handlers = page("docs/handlers.md");
    let words = code_words(handlers.section("## What each mode does"));
    assert!(modes.iter().all(|mode| words.contains(mode)), "{words:?}");
}

#[test]
fn what_abort_when_watches_is_described() {
    let page = page("docs/scenario.md");
    let sentence = page.text.split("it can watch").nth(1).unwrap().split(".\n").next().unwrap();
    let watchable = Metric::WATCHABLE.map(Metric::name);
    assert_eq!(code_words(sentence), watchable.iter().map(String::as_str).collect());
}

#[test]
fn every_kind_of_error_is_described() {
    let page = page("docs/report.md");
    let row = page.text.lines().find(|line| line.starts_with("| `errors` | by kind")).unwrap();
    let missing = Failure::ALL.into_iter().filter(|failure| !code_words(row).contains(failure.name()));
    none(missing.map(|failure| format!("{} is not in the row of errors", failure.name())).collect());
}

#[test]
fn every_placeholder_is_described() {
    let page = page("docs/scenario.md");
    let words = code_words(page.section("## Placeholders"));
    let missing = |name: &&&str| !words.contains(format!("{{{name}}}").as_str());
    let names = runner::scenario::template::Placeholder::NAMES;
    none(names.iter().filter(missing).map(|name| format!("no `{{{name}}}`")).collect());
}

/// The names that `src/script` registers with rhai, as its source has them.
fn script_names() -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    let mut folders = vec![PathBuf::from("src/script")];
    while let Some(folder) = folders.pop() {
        for path in fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
            if path.is_dir() {
                folders.extend((!path.ends_with("tests")).then_some(path));
                continue;
            }
            let source = fs::read_to_string(path).unwrap();
            for call in [
                "register_fn(\"",
                "register_get(\"",
                "volatile(\"",
                "timed(engine, \"",
                "FuncRegistration::new(\"",
                "const NAME: &'static str = \"",
            ] {
                let found = source.split(call).skip(1).filter_map(|rest| rest.split('"').next());
                // Operators are described in prose.
                names.extend(found.filter(|name| name.starts_with(char::is_alphabetic)).map(str::to_owned));
            }
        }
    }
    names
}

#[test]
fn every_function_of_scripts_is_described() {
    let names = script_names();
    for known in ["sleep", "respond", "random", "process", "query", "keys"] {
        assert!(names.contains(known), "{known} was not found in src/script: {names:?}");
    }
    let page = page("docs/handlers.md");
    // Methods of the three objects have no table; the rest has.
    let client = self::page("docs/client-scripts.md");
    let heads = ["function", "property", "where"];
    let tables = [rows(&page.text, &heads), rows(&client.text, &heads)].concat();
    let in_tables = tables.iter().flat_map(|(names, _)| names.iter().copied());
    let methods = code_words(page.section("## State")).into_iter().filter(|word| word.contains('('));
    let responses = code_words(page.section("## The response")).into_iter().filter(|word| word.contains('.'));
    let words: Vec<Vec<&str>> =
        in_tables.chain(methods).chain(responses).map(|word| word.split(['.', '(', ' ']).collect()).collect();
    let described = |name: &str| {
        let is_name = |parts: &[&str]| match parts {
            ["request" | "response" | "exchange", property, ..] => *property == name,
            parts => parts[0] == name,
        };
        words.iter().any(|parts| is_name(parts))
    };
    none(names.iter().filter(|name| !described(name)).map(|name| format!("no `{name}`")).collect());
}

#[test]
fn the_limits_of_scripts_are_those_of_the_page() {
    let page = page("docs/handlers.md");
    let section = page.section("## Limits");
    let limits = Limits::default();
    let numbers = [
        limits.operations,
        limits.call_depth as u64,
        limits.string_bytes as u64,
        limits.array_items as u64,
        limits.map_items as u64,
    ];
    let missing = numbers.into_iter().map(show_count).filter(|number| !section.contains(&format!("| {number}")));
    none(missing.map(|number| format!("no limit of {number}")).collect());
}

#[test]
fn every_key_of_the_record_is_described() {
    let parts = fs::read_dir("src/record").unwrap().map(|entry| entry.unwrap().path());
    let files = parts.chain(["src/record.rs", "src/process_end.rs"].map(PathBuf::from));
    let source: String = files.map(|path| fs::read_to_string(path).unwrap()).collect();
    // A flattened field has no key of its own, and one that is renamed not this one.
    let has_another = |above: &str| above.contains("serde(flatten)") || above.contains("serde(rename =");
    let fields = source.lines().zip(source.lines().skip(1)).filter(|(above, _)| !has_another(above));
    let fields = fields.filter_map(|(_, line)| line.strip_prefix("    pub ")?.split_once(": "));
    let keys: BTreeSet<&str> = fields.map(|(name, _)| name).filter(|name| !name.contains('(')).collect();
    assert!(keys.len() > 80, "{keys:?}");
    let page = page("docs/report.md");
    let words = code_words(&page.text);
    let described = |key: &str| words.iter().any(|word| *word == key || word.split('.').any(|part| part == key));
    none(keys.into_iter().filter(|key| !described(key)).map(|key| format!("no `{key}`")).collect());
}

#[test]
fn every_command_option_and_exit_code_is_in_the_readme() {
    let readme = page("README.md");
    let section = readme.section("## Commands");
    let folder = tempfile::tempdir().unwrap();
    let help = |arguments: &[&str]| String::from_utf8(command(folder.path(), arguments).stdout).unwrap();
    let main = help(&["--help"]);
    let commands = main.split("Commands:\n").nth(1).unwrap().split("\n\n").next().unwrap();
    let commands: Vec<&str> = commands.lines().filter_map(|line| line.strip_prefix("  ")?.split(' ').next()).collect();
    let commands: Vec<&str> = commands.into_iter().filter(|name| !name.is_empty() && *name != "help").collect();
    assert!(commands.len() >= 6, "{commands:?}");
    let mut problems = Vec::new();
    let mut options = BTreeSet::new();
    for name in commands {
        if !section.contains(&format!("`runner {name} ")) && !section.contains(&format!("`runner {name}`")) {
            problems.push(format!("no `runner {name}`"));
        }
        let text = help(&[name, "--help"]) + main.as_str();
        options.extend(
            text.split_whitespace()
                .filter(|word| word.starts_with("--"))
                .map(|word| word.split('[').next().unwrap_or(word))
                .map(|word| word.trim_end_matches(|c: char| !c.is_alphanumeric()).to_owned()),
        );
    }
    let tables = rows(section, &["command", "option"]);
    let described = |option: &str| tables.iter().any(|(_, row)| row.contains(option));
    problems.extend(options.iter().filter(|option| !described(option)).map(|o| format!("no {o}")));
    let codes = main.split("Exit codes:").nth(1).unwrap();
    for code in codes.split(|c: char| !c.is_ascii_digit()).filter(|code| !code.is_empty()) {
        if !section.contains(&format!("\n| {code} |")) {
            problems.push(format!("no exit code {code}"));
        }
    }
    none(problems);
}

fn sample() -> Record {
    let text = fs::read_to_string(Path::new(SAMPLE).join("record.json")).unwrap();
    serde_json::from_str(&text).expect(RENEW)
}

#[test]
fn the_sample_renders_again_to_what_is_committed() {
    let folder = tempfile::tempdir().unwrap();
    let place = folder.path().join(SAMPLE);
    fs::create_dir_all(&place).unwrap();
    fs::copy(Path::new(SAMPLE).join("record.json"), place.join("record.json")).unwrap();
    let output = command(folder.path(), &["report", SAMPLE]);
    assert!(output.status.success(), "{RENEW}\n{}", shown(&output));
    let read = |folder: &Path| -> BTreeMap<String, String> {
        let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
        let rendered = entries.filter(|path| path.extension().is_some_and(|end| end == "md" || end == "svg"));
        let name = |path: &PathBuf| path.file_name().unwrap().to_string_lossy().into_owned();
        rendered.map(|path| (name(&path), fs::read_to_string(&path).unwrap())).collect()
    };
    let (again, committed) = (read(&place), read(Path::new(SAMPLE)));
    assert!(again.contains_key("report.md"));
    assert_eq!(again.keys().collect::<Vec<_>>(), committed.keys().collect::<Vec<_>>(), "{RENEW}");
    for (name, text) in &again {
        let same = *text == committed[name];
        assert!(same, "{SAMPLE}/{name} is not what its record renders to: `runner report {SAMPLE}/record.json`");
    }
}

#[test]
fn the_sample_is_a_run_of_the_scenario_that_is_shipped() {
    let record = sample();
    assert_eq!((record.scenario.file.as_str(), record.scenario.overrides.len()), ("scenarios/dirty.toml", 0));
    let effective: toml::Table = record.scenario.effective.parse().unwrap();
    let shipped: toml::Table = fs::read_to_string("scenarios/dirty.toml").unwrap().parse().unwrap();
    assert_eq!(effective, shipped, "{RENEW}");
    assert_eq!(fs::read_to_string(Path::new(SAMPLE).join("effective.toml")).unwrap(), record.scenario.effective);
    for path in fs::read_dir(SAMPLE).unwrap().map(|entry| entry.unwrap().path()) {
        let text = fs::read_to_string(&path).unwrap();
        for place in ["/home/", "/root/", "/tmp/", "/work/"] {
            assert!(!text.contains(place), "{} names a path of a machine: {place}", path.display());
        }
    }
}

#[test]
fn the_output_in_the_readme_is_that_of_the_sample() {
    let summary = runner::report::terminal::summary(&sample(), 100, false);
    let summary: Vec<&str> = summary.lines().collect();
    let blocks = page("README.md").blocks();
    let block = blocks.iter().find(|block| block.info == "text summary").unwrap();
    let strange = block.text.lines().filter(|line| !summary.contains(line));
    none(strange.map(|line| format!("not in the summary of {SAMPLE}/record.json: {line}")).collect());
}

#[test]
fn the_first_scenario_of_the_readme_has_ten_lines_and_its_handler_is_the_shipped_one() {
    let blocks = page("README.md").blocks();
    let first = blocks.iter().find(|block| block.info == "toml").unwrap();
    assert_eq!(first.text.lines().count(), 10);
    let handler = &blocks.iter().find(|block| block.info == "rhai").unwrap().text;
    assert!(fs::read_to_string("scenarios/handlers/dirty.rhai").unwrap().contains(handler.as_str()));
}

#[test]
fn the_table_of_faults_is_made_from_the_tests() {
    let made = Command::new("scripts/list-faults").output().unwrap();
    assert!(made.status.success(), "{}", shown(&made));
    let committed = fs::read_to_string("docs/reliability.md").unwrap();
    assert!(
        committed == String::from_utf8(made.stdout).unwrap(),
        "docs/reliability.md is old: `make docs.reliability`"
    );
}
