//! Whole scenarios, loaded from memory.

use std::collections::HashMap;
use std::path::Path;
use std::time::Duration;

use super::template::Template;
use super::*;
use crate::mode::Mode;

mod alone;
mod any_text;
mod dirty;
mod thousands;

/// Files and variables in memory.
#[derive(Default)]
struct World {
    files: HashMap<String, String>,
    variables: HashMap<String, String>,
}

impl World {
    fn of(source: &str) -> World {
        let mut world = World::default();
        world.files.insert("s/test.toml".to_owned(), source.to_owned());
        world.files.insert("s/handlers/a.rhai".to_owned(), "fn a(request) { \"\" }".to_owned());
        world.files.insert("s/handlers/broken.rhai".to_owned(), "fn a(request) {\n  BROKEN\n}".to_owned());
        world.variables.insert("NAME".to_owned(), "value".to_owned());
        world.variables.insert("API_TOKEN".to_owned(), "s3cret".to_owned());
        world
    }

    fn load_with(&self, overrides: &[&str]) -> Result<Scenario, Problems> {
        let overrides: Vec<String> = overrides.iter().map(|text| (*text).to_owned()).collect();
        load_with(Path::new("s/test.toml"), &overrides, self, &|source, _| match source.find("BROKEN") {
            None => Ok(()),
            Some(_) => Err(script::ScriptError {
                message: "unknown word".to_owned(),
                function: Some("a".to_owned()),
                file: source.contains("IMPORT").then(|| "lib".to_owned()),
                line: 2,
                column: 3,
                ..script::ScriptError::default()
            }),
        })
    }
}

#[test]
fn versions_of_http_are_compared_each_with_what_belongs_to_it() {
    let head = "[server]\nmode = \"async\"\n[load]\npath = \"/health\"\nconcurrency = 8\nstreams = 4\npipeline = 2\n";
    let scenario = World::of(&format!("{head}[matrix]\n\"load.http\" = [\"1.1\", \"2\"]\n")).load_with(&[]).unwrap();
    let protocols = scenario.variants.iter().map(|variant| variant.load.as_ref().unwrap().protocol);
    assert_eq!(protocols.collect::<Vec<_>>(), [Protocol::Http1 { pipeline: 2 }, Protocol::Http2 { streams: 4 }]);
    assert!(World::of(head).load_with(&[]).is_err(), "of one version, the other's has no effect");
}

impl SystemContext for World {
    fn read(&self, path: &Path) -> std::io::Result<String> {
        let missing = || std::io::Error::from(std::io::ErrorKind::NotFound);
        self.files.get(&*path.to_string_lossy()).cloned().ok_or_else(missing)
    }

    fn variable(&self, name: &str) -> Option<String> {
        self.variables.get(name).cloned()
    }
}

/// A command with these words, and nothing else that matters.
pub(crate) fn command(line: &str) -> CommandSpec {
    CommandSpec {
        scenario: "a.toml".to_owned(),
        command: line.split_whitespace().map(|word| Template::parse(word).unwrap()).collect(),
        cwd: ".".into(),
        env: Vec::new(),
        setup: None,
        setup_within: Duration::ZERO,
        workers: 1,
        listen: ListenSpec::Tcp { port: None, handed: false },
        ready: ReadySpec { check: ReadyCheck::Port, within: Duration::ZERO, foreign: false },
        stop: StopSpec { signal: "TERM".to_owned(), grace: Duration::ZERO },
        tls: None,
    }
}

/// What a scenario that reads this variable must not show.
pub(crate) fn secrets(name: &str, value: &str) -> Secrets {
    let mut secrets = Secrets::default();
    secrets.add(name, value);
    secrets
}

/// A scenario of this text.
#[track_caller]
pub(crate) fn loaded(source: &str) -> Scenario {
    World::of(source).load_with(&[]).unwrap_or_else(|problems| panic!("{problems}"))
}

fn problems(source: &str) -> Vec<String> {
    titles(World::of(source).load_with(&[]))
}

fn titles(result: Result<Scenario, Problems>) -> Vec<String> {
    let problems = result.expect_err("there are problems");
    assert!(problems.iter().all(|problem| problem.help.is_some()), "each has a remedy:\n{problems}");
    problems.iter().map(|problem| problem.title.clone()).collect()
}

const SHORT: &str = "[server]\nmode = 'async'\n[load]\npath = '/'\nconcurrency = 5\n";

#[test]
fn a_short_file_gets_the_documented_defaults() {
    let scenario = loaded(SHORT);
    assert_eq!((scenario.name.as_str(), scenario.repeats, scenario.variants.len()), ("test", 1, 1));
    let variant = &scenario.variants[0];
    assert_eq!(variant.name, "test");
    let ServerSpec::Builtin(server) = &variant.server else { panic!("a built-in server") };
    assert_eq!((server.mode, server.workers, server.sleep), (Mode::Async, 1, Duration::ZERO));
    assert_eq!(server.grace, Duration::from_secs(1));
    let load = variant.load.as_ref().unwrap();
    assert_eq!((load.model, load.users(), load.kinds[0].request.method.as_str()), (Model::Closed, 5, "GET"));
    assert_eq!((load.duration, load.warmup), (Duration::from_secs(10), Duration::ZERO));
    assert_eq!((load.timeout, load.drain), (Duration::from_secs(10), Duration::from_secs(1)));
}

#[test]
fn a_dirty_check_gets_the_documented_defaults() {
    let dirty = |rest: &str| {
        let source =
            format!("[server]\nmode = 'async'\n[dirty]\npath = '/?e={{canary}}&s={{sleep}}'\nsleep = '7s'\n{rest}");
        loaded(&source).variants[0].dirty.clone().unwrap()
    };
    let check = dirty("");
    let sleep = check.sleep.unwrap();
    assert_eq!((sleep.long, sleep.short), (Duration::from_secs(7), Duration::from_secs(7)));
    assert_eq!((check.expect, check.budget.exposures), (Expect::Clean, 3000));
    assert_eq!((check.timeout, check.budget.time), (Duration::from_secs(12), Duration::from_secs(30)));
    assert_eq!(dirty("exposures = 10").budget.exposures, 10);
    assert_eq!(dirty("exposures = 10\nbound = '1%'").budget.exposures, 299);
    assert_eq!(dirty("exposures = 500\nbound = '1%'").budget.exposures, 500);
}

#[test]
fn a_command_gets_its_paths_and_defaults() {
    let source = "[server]\ncommand = ['gunicorn', '-b', '{host}:{port}']\ncwd = 'apps'\nenv = { A = '${NAME}' }\n\
                  stop = { signal = 'INT' }\n[load]\npath = '/'\nconcurrency = 5\n";
    let scenario = loaded(source);
    let ServerSpec::Command(server) = &scenario.variants[0].server else { panic!("a command") };
    assert_eq!(server.cwd, Path::new("s/apps"));
    assert_eq!(server.env, [("A".to_owned(), Template::literal("value"))]);
    assert_eq!(server.command[2].to_string(), "{host}:{port}");
    assert!(matches!(server.ready.check, ReadyCheck::Port));
    assert_eq!((server.stop.signal.as_str(), server.stop.grace), ("INT", Duration::from_secs(5)));
}

#[test]
fn the_matrix_makes_every_combination_in_the_order_of_the_file() {
    let source = "[server]\nthreads = 4\n[load]\npath = '/?s={sleep}'\nconcurrency = 5\n\
                  [matrix]\n'server.mode' = ['threaded', 'sync']\nload.sleep = ['1ms', '2ms']\nrepeats = 3";
    let scenario = loaded(source);
    let names: Vec<&str> = scenario.variants.iter().map(|variant| variant.name.as_str()).collect();
    assert_eq!(
        names,
        ["mode=threaded sleep=1ms", "mode=threaded sleep=2ms", "mode=sync sleep=1ms", "mode=sync sleep=2ms"]
    );
    assert_eq!(scenario.repeats, 3);
    assert_eq!(scenario.variants[1].settings[1], ("load.sleep".to_owned(), "2ms".into()));
    assert_eq!(scenario.variants[1].load.as_ref().unwrap().sleep, Some(Duration::from_millis(2)));
    let ServerSpec::Builtin(server) = &scenario.variants[0].server else { panic!("a built-in server") };
    assert_eq!((server.mode, server.threads), (Mode::Threaded, Some(4)));
}

#[test]
fn steps_of_the_same_name_are_told_apart_by_their_whole_paths() {
    let source = format!(
        "{SHORT}[dirty]\npath='/{{canary}}'\n[matrix]\n'load.sleep'=['1ms']\n'dirty.sleep'=['2ms']\n'load.timeout' = ['1s']"
    );
    assert_eq!(loaded(&source).variants[0].name, "load.sleep=1ms dirty.sleep=2ms timeout=1s");
}

#[test]
fn rules_are_for_the_variants_that_they_name() {
    let source = "[servers.a]\nmode = 'sync'\n[servers.b]\nmode = 'async'\n[load]\npath = '/'\nconcurrency = 5\n\
                  [matrix]\nserver = ['a', 'b']\n[assert]\nthat = ['errors.count == 0', \
                  { rule = 'throughput > 5/s', when = { server = 'b' } }]\nabort_when = ['errors.rate > 5% for 2s']";
    let scenario = loaded(source);
    let rules = |index: usize| scenario.variants[index].rules.iter().map(|r| r.text.as_str()).collect::<Vec<_>>();
    assert_eq!(rules(0), ["errors.count == 0"]);
    assert_eq!(rules(1), ["errors.count == 0", "throughput > 5/s"]);
    assert_eq!(scenario.variants[0].abort_when.len(), 1);
}

/// One key path of the matrix may be the beginning of another.
#[test]
fn a_rule_for_a_server_holds_where_the_matrix_varies_keys_of_servers_too() {
    let servers = "[servers.a]\nmode = 'sync'\n[servers.b]\nmode = 'async'\n[load]\npath = '/'\nconcurrency = 5\n";
    for key in ["server.workers", "server.threads", "server.sleep", "server.script"] {
        let (values, picked) = match key {
            "server.threads" => ("[2]", "['c', 'd']"),
            "server.workers" => ("[1, 2]", "['a', 'b']"),
            "server.script" => ("['handlers/a.rhai']", "['a', 'b']"),
            _ => ("['1ms', '2ms']", "['a', 'b']"),
        };
        let source = format!(
            "{servers}[servers.c]\nmode = 'threaded'\n[servers.d]\nmode = 'async_pool'\n[matrix]\nserver = {picked}\n\
             '{key}' = {values}\n[assert]\nthat = [{{ rule = 'errors.count == 0', when = {{ server = 'NAME' }} }}]"
        );
        let first = if picked.contains('a') { "a" } else { "c" };
        let scenario = loaded(&source.replace("NAME", first));
        let judged = scenario.variants.iter().filter(|variant| !variant.rules.is_empty()).count();
        assert_eq!(judged * 2, scenario.variants.len(), "{key}");
        let problems = World::of(&source.replace("NAME", "bb")).load_with(&[]).unwrap_err();
        assert!(problems.to_string().contains("the matrix never sets `server` to `bb`"), "{key}: {problems}");
    }
}

#[test]
fn cookies_and_bodies_become_headers_and_text() {
    let source = "[server]\nmode = 'async'\n[load]\npath = '/'\nconcurrency = 5\nheaders = { x-b = '1', X-A = '{user}' }\n\
                  cookies = { id = '{canary}', lang = 'pt' }\njson = { name = '\"{seq}\"', list = [1, true, { a = 1.5 }] }";
    let request = loaded(source).variants[0].load.clone().unwrap().kinds[0].request.clone();
    let headers: Vec<(String, String)> =
        request.header_lines().iter().map(|(n, v)| (n.clone(), v.to_string())).collect();
    let expected =
        [("x-b", "1"), ("X-A", "{user}"), ("cookie", "id={canary}; lang=pt"), ("content-type", "application/json")];
    assert!(headers.iter().map(|(n, v)| (n.as_str(), v.as_str())).eq(expected), "{headers:?}");
    assert_eq!(request.method, "POST");
    let expected = Template::parse(r#"{{"name":"\"{seq}\"","list":[1,true,{{"a":1.5}}]}}"#).unwrap();
    assert_eq!(request.content().unwrap(), expected);
}

#[test]
fn forms_encode_what_is_not_a_hole() {
    let source = format!("{SHORT}form = {{ 'a b' = 'x&y {{canary}}', n = 5 }}");
    let request = loaded(&source).variants[0].load.clone().unwrap().kinds[0].request.clone();
    assert_eq!(request.content().unwrap().to_string(), "a%20b=x%26y%20{canary}&n=5");
}

#[test]
fn an_override_sets_any_key_and_pins_what_the_matrix_varies() {
    let world = World::of(&format!(
        "{SHORT}[matrix]\n'load.timeout' = ['1s', '2s']\n'load.warmup' = ['1s', '2s']\n[assert]\nthat = [\
         {{ rule = 'errors.count == 0', when = {{ timeout = '1s' }} }}, \
         {{ rule = 'errors.count == 1', when = {{ 'load.warmup' = '1s' }} }}]"
    ));
    let overrides = ["load.concurrency=50", "load.path=/a?x=1", "load.warmup=3s", "load.headers.authorization=abc"];
    let scenario = world.load_with(&overrides).unwrap_or_else(|problems| panic!("{problems}"));
    let names: Vec<&str> = scenario.variants.iter().map(|variant| variant.name.as_str()).collect();
    assert_eq!(names, ["timeout=1s warmup=3s", "timeout=2s warmup=3s"]);
    let load = scenario.variants[0].load.as_ref().unwrap();
    assert_eq!((load.users(), load.kinds[0].request.target().to_string().as_str()), (50, "/a?x=1"));
    assert_eq!(scenario.variants[0].rules.len(), 1);
    assert_eq!(scenario.overrides[3], "load.headers.authorization=${RUNNER_LOAD_HEADERS_AUTHORIZATION}");
    assert!(!scenario.effective.contains("abc"), "{}", scenario.effective);
    let mut again = World::of(&scenario.effective);
    again.variables.insert("RUNNER_LOAD_HEADERS_AUTHORIZATION".to_owned(), "abc".to_owned());
    let again = again.load_with(&[]).unwrap_or_else(|problems| panic!("{problems}"));
    assert_eq!((again.variants.len(), &again.effective), (2, &scenario.effective));
}

#[test]
fn an_override_is_shown_without_the_secrets_in_it() {
    let given = [
        ("load.headers.authorization=abc", "load.headers.authorization=${RUNNER_LOAD_HEADERS_AUTHORIZATION}"),
        (
            "load.headers={ x-api-key = \"abc\", accept = \"text/html\" }",
            "load.headers={ x-api-key = \"${RUNNER_LOAD_HEADERS_X_API_KEY}\", accept = \"text/html\" }",
        ),
        (
            "matrix.load.cookies=[{ sid = \"abc\" }]",
            "matrix.load.cookies=[{ sid = \"${RUNNER_MATRIX_LOAD_COOKIES_SID}\" }]",
        ),
        ("load.headers.authorization=Bearer ${NAME}", "load.headers.authorization=Bearer ${NAME}"),
        ("load.headers={ accept = \"text/html\" }", "load.headers={ accept = \"text/html\" }"),
        ("load.path=/?api_key=hunter2", "load.path=/?api_key=${RUNNER_LOAD_PATH_API_KEY}"),
        ("load.path=/?a=s3cret", "load.path=/?a=s3cret"),
    ];
    for (given, expected) in given {
        let scenario = World::of(SHORT).load_with(&[given]).unwrap_or_else(|problems| panic!("{problems}"));
        assert_eq!(scenario.overrides, [expected]);
    }
}

#[test]
fn an_override_picks_a_server() {
    let world =
        World::of("[servers.a]\nmode = 'sync'\n[servers.b]\nmode = 'async'\n[load]\npath = '/'\nconcurrency = 5");
    assert_eq!(titles(world.load_with(&[])), ["no server is picked from [servers]"]);
    let scenario = world.load_with(&["server=b", "server.workers=3"]).unwrap_or_else(|problems| panic!("{problems}"));
    assert_eq!(scenario.variants[0].name, "server=b");
    assert_eq!(scenario.variants[0].server.workers(), Some(3));
}

#[test]
fn another_mode_for_one_run_does_not_quarrel_with_the_threads_of_the_file() {
    let source = "[server]\nmode = 'threaded'\nthreads = 4\n[load]\npath = '/'\nconcurrency = 5";
    let scenario = World::of(source).load_with(&["server.mode=sync"]).unwrap_or_else(|problems| panic!("{problems}"));
    loaded(&scenario.effective);
    let both = World::of(&source.replace("threads = 4\n", "")).load_with(&["server.mode=sync", "server.threads=2"]);
    assert_eq!(titles(both).len(), 1, "`--set` of the one is not excused by `--set` of the other");
}

#[test]
fn a_hole_in_a_path_may_hold_spaces() {
    let source = format!("{}\n", SHORT.replace("'/'", "'/?n={random(1, 6)}'"));
    assert!(loaded(&source).variants[0].load.as_ref().unwrap().kinds[0].request.target().holes().count() == 1);
}

#[test]
fn deep_nesting_ends_in_a_problem_not_in_a_crash() {
    for text in [
        format!("{} = 1", vec!["a"; 100_000].join(".")),
        format!("a = {}{}", "[".repeat(100_000), "]".repeat(100_000)),
        format!("[{}]", vec!["a"; 100_000].join(".")),
        format!("[matrix]\n\"{}\" = [1]", vec!["a"; 100_000].join(".")),
        format!("a = {}1{}", "{a=".repeat(100_000), "}".repeat(100_000)),
    ] {
        assert!(World::of(&text).load_with(&[]).is_err());
        assert!(World::of(SHORT).load_with(&[&text]).is_err());
    }
}

#[test]
fn the_only_one_of_servers_is_taken() {
    let scenario = loaded("[servers.a]\nmode = 'sync'\n[load]\npath = '/'\nconcurrency = 5");
    assert!(matches!(&scenario.variants[0].server, ServerSpec::Builtin(server) if server.mode == Mode::Sync));
}

#[test]
fn what_is_effective_loads_to_the_same() {
    let source = "about = 'x'\n[server]\nmode = 'async'\n[load]\npath = '/${NAME}/${NONE:-d}'\nconcurrency = 5\n\
                  headers = { x-a = '${API_TOKEN}' }\n[matrix]\n'load.timeout' = ['1s', '2s']\nrepeats = 2";
    let world = World::of(source);
    let scenario = world.load_with(&["load.concurrency=7"]).unwrap_or_else(|problems| panic!("{problems}"));
    assert!(scenario.effective.contains("${API_TOKEN}") && !scenario.effective.contains("s3cret"));
    let again = loaded(&scenario.effective);
    assert_eq!(again.effective, scenario.effective);
    assert_eq!(format!("{:?}", again.variants), format!("{:?}", scenario.variants));
    assert_eq!(scenario.variants[0].load.as_ref().unwrap().kinds[0].request.target().to_string(), "/value/d");
}

#[test]
fn all_problems_are_found_at_once_and_none_twice() {
    let source = "nmae = 'x'\n[server]\nmode = 'asinc'\nworkers = 0\n[load]\npath = 'x'\nconcurrency = '5'\ntimeout = 5\n\
                  [matrix]\n'load.sleep' = ['1ms', '2']\n'load.duration' = ['1s', '2s']\n[assert]\nthat = ['latncy.p99 < 5ms']";
    assert_eq!(
        problems(source),
        [
            "unknown key `nmae`",
            "unknown mode `asinc`",
            "`workers` is out of range",
            "a path must start with `/`",
            "`concurrency` must be a whole number",
            "`5` is not a duration",
            "`2` is not a duration",
            "unknown metric `latncy.p99`",
        ]
    );
}

#[test]
fn a_script_that_does_not_compile_is_shown_where_it_is_wrong() {
    let source = SHORT.replace("[load]", "script = 'handlers/broken.rhai'\n[load]");
    let mut world = World::of(&source);
    let shown = world.load_with(&[]).unwrap_err().to_string();
    assert!(shown.contains("--> s/handlers/broken.rhai:2:3") && shown.contains("::: s/test.toml:3:10"), "{shown}");
    assert!(shown.contains("the script does not compile: unknown word"), "{shown}");

    world.files.insert("s/handlers/broken.rhai".to_owned(), "BROKEN IMPORT".to_owned());
    world.files.insert("s/handlers/lib.rhai".to_owned(), "//\nlet x = ;".to_owned());
    let shown = world.load_with(&[]).unwrap_err().to_string();
    assert!(shown.contains("--> s/handlers/lib.rhai:2:3"), "{shown}");
}

#[test]
fn a_missing_file_is_a_problem_without_a_place() {
    let problems = load_with(Path::new("none.toml"), &[], &World::default(), &|_, _| Ok(())).unwrap_err();
    assert_eq!(problems.count(), 1);
    assert!(problems.to_string().starts_with("error: cannot read `none.toml`: no such file"), "{problems}");
}

#[test]
fn stages_become_levels_and_a_ramp_begins_where_the_stage_before_ended() {
    let scenario = loaded(
        "[server]\nmode = 'async'\n[load]\npath = '/'\nspacing = 'poisson'\nmax_concurrency = 200\n\
         stages = [{ rate = '50/s', for = '2s' }, { rate = '5/s', for = '5s', ramp = true }, { rate = '9/s', for = '1s' }]",
    );
    let load = scenario.variants[0].load.as_ref().unwrap();
    assert_eq!(load.model, Model::Open { spacing: Spacing::Poisson, max_concurrency: 200 });
    let level = |from, to, seconds| Level { from, to, lasting: Duration::from_secs(seconds) };
    assert_eq!(load.levels, [level(50.0, 50.0, 2), level(50.0, 5.0, 5), level(9.0, 9.0, 1)]);
    assert_eq!((load.duration, load.users()), (Duration::from_secs(8), 200));
}

/// Every file that is shipped loads.
#[test]
fn shipped_scenarios_load() {
    let mut loaded = 0;
    for entry in std::fs::read_dir("scenarios").unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|extension| extension != "toml") {
            continue;
        }
        let scenario = load_with(&path, &[], &Disk, &|_, _| Ok(())).unwrap_or_else(|problems| panic!("{problems}"));
        assert_eq!(scenario.name, path.file_stem().unwrap().to_string_lossy());
        loaded += 1;
    }
    assert!(loaded >= 7);
}

struct Disk;

impl SystemContext for Disk {
    fn read(&self, path: &Path) -> std::io::Result<String> {
        std::fs::read_to_string(path)
    }

    fn variable(&self, _: &str) -> Option<String> {
        None
    }
}

#[test]
fn the_starter_scenario_loads() {
    let (toml, rhai) = sample::new_scenario("shop");
    let mut world = World::of(&toml);
    world.files.insert("s/handlers/shop.rhai".to_owned(), rhai);
    let scenario = world.load_with(&[]).unwrap_or_else(|problems| panic!("{problems}"));
    assert!(scenario.variants[0].load.is_some() && scenario.variants[0].dirty.is_some());
    assert_eq!(scenario.variants[0].rules.len(), 3);
}

#[test]
fn a_short_word_in_a_body_is_no_slip_of_a_short_placeholder() {
    let source =
        "[server]\nmode = 'async'\n[load]\npath = '/'\nmethod = 'POST'\nbody = '{id} {f} {ab}'\nconcurrency = 5\n";
    assert!(loaded(source).variants[0].load.as_ref().unwrap().kinds[0].request.body.is_some());
}
