//! What runner says about each wrong scenario in `tests/golden`: `NAME.toml` and, beside it, `NAME.txt`.
//!
//! `UPDATE=1 cargo test --test scenario_errors` writes the texts anew; read the difference before you commit it.
//! A line `#: --set KEY=VALUE` at the top of a scenario is an argument of the command line.

use std::path::{Path, PathBuf};

use runner::scenario::{self, Problems, Scenario, SystemContext};

const WRONG: &str = "tests/golden";
const DOUBTFUL: &str = "tests/golden/warnings";

struct Disk;

impl SystemContext for Disk {
    fn read(&self, path: &Path) -> std::io::Result<String> {
        std::fs::read_to_string(path)
    }

    fn variable(&self, _: &str) -> Option<String> {
        None
    }
}

fn load(path: &Path) -> Result<Scenario, Problems> {
    let source = std::fs::read_to_string(path).unwrap();
    let overrides: Vec<String> =
        source.lines().map_while(|line| line.strip_prefix("#: --set ")).map(str::to_owned).collect();
    scenario::load(path, &overrides, &Disk)
}

fn scenarios(folder: &str) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).unwrap();
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "toml"));
    paths.sort();
    paths
}

/// Compares a text with the golden one beside its scenario, or writes that anew.
fn compare(path: &Path, text: &str, wrong: &mut Vec<String>) {
    let golden = path.with_extension("txt");
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(&golden, text).unwrap();
    } else if std::fs::read_to_string(&golden).unwrap_or_default() != text {
        wrong.push(format!("--- {} should be, but is:\n{text}", golden.display()));
    }
}

// fault: labels: a private key is encrypted -> refused as that, with the command that decrypts it
#[test]
fn every_wrong_scenario_is_explained_as_its_golden_text_says() {
    let mut wrong = Vec::new();
    for path in scenarios(WRONG) {
        let text = load(&path).expect_err("a golden scenario is wrong").to_string();
        compare(&path, &text, &mut wrong);
    }
    assert!(wrong.is_empty(), "{}\nUPDATE=1 writes them anew", wrong.join("\n"));
}

#[test]
fn every_doubtful_scenario_is_valid_and_warned_of_as_its_golden_text_says() {
    let mut wrong = Vec::new();
    for path in scenarios(DOUBTFUL) {
        let scenario = load(&path).unwrap_or_else(|problems| panic!("{problems}"));
        compare(&path, &scenario::warnings(&scenario).to_string(), &mut wrong);
    }
    assert!(wrong.is_empty(), "{}\nUPDATE=1 writes them anew", wrong.join("\n"));
}

#[test]
fn every_problem_has_a_title_in_lower_case_and_a_remedy() {
    for path in scenarios(WRONG) {
        let problems = load(&path).unwrap_err();
        for problem in problems.iter() {
            assert!(problem.help.is_some(), "{}: {}", path.display(), problem.title);
            let upper = problem.title.starts_with(char::is_uppercase) && !problem.title.starts_with("JSON");
            assert!(!upper && !problem.title.ends_with('.'), "{}: {}", path.display(), problem.title);
        }
    }
}

#[test]
fn color_adds_only_color() {
    for path in scenarios(WRONG) {
        let problems = load(&path).unwrap_err();
        let colored = problems.render(true);
        assert!(colored.contains("\u{1b}["));
        let mut plain = String::new();
        let mut rest = colored.as_str();
        while let Some((before, after)) = rest.split_once('\u{1b}') {
            plain.push_str(before);
            rest = after.split_once('m').map_or("", |(_, rest)| rest);
        }
        assert_eq!(plain + rest, problems.render(false), "{}", path.display());
    }
}
