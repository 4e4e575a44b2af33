//! The floors of `lib.rs`: a module uses only those declared before it.

use std::fs;
use std::path::{Path, PathBuf};

fn floors() -> Vec<String> {
    let lib = fs::read_to_string("src/lib.rs").unwrap();
    lib.lines().filter_map(|line| line.strip_prefix("pub mod ")?.strip_suffix(';')).map(str::to_owned).collect()
}

fn rust_files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries
        .flat_map(|path| if path.is_dir() { rust_files(&path) } else { vec![path] })
        .filter(|path| path.extension().is_some_and(|extension| extension == "rs"))
        .collect()
}

/// The floor that a file belongs to: the first part of its path below `src`.
fn floor_of(path: &Path) -> String {
    let below = path.strip_prefix("src").unwrap();
    below.iter().next().unwrap().to_str().unwrap().trim_end_matches(".rs").to_owned()
}

/// Every floor that a text names after `crate::`, also in groups such as `crate::{stats, units}`, with its line.
fn uses(text: &str) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    for (number, line) in text.lines().enumerate().filter(|(_, line)| !line.trim_start().starts_with("//")) {
        for (at, _) in line.match_indices("crate::") {
            let rest = &line[at + "crate::".len()..];
            let names = match rest.strip_prefix('{') {
                Some(group) => group.split('}').next().unwrap().split(',').collect(),
                None => vec![rest],
            };
            for name in names {
                let word = name.trim().split(|c: char| !c.is_alphanumeric() && c != '_').next().unwrap();
                found.push((number + 1, word.to_owned()));
            }
        }
    }
    found
}

#[test]
fn no_floor_uses_one_above_it() {
    let floors = floors();
    assert!(floors.len() > 10, "the list in lib.rs was not read");
    let rank = |name: &str| floors.iter().position(|floor| floor == name);
    let mut upward = Vec::new();
    for path in rust_files(Path::new("src")) {
        let own = floor_of(&path);
        let Some(own_rank) = rank(&own) else { continue };
        for (line, used) in uses(&fs::read_to_string(&path).unwrap()) {
            if rank(&used).is_some_and(|used_rank| used_rank > own_rank) {
                upward.push(format!("{}:{line}: {own} uses {used}", path.display()));
            }
        }
    }
    assert!(upward.is_empty(), "upward uses:\n{}", upward.join("\n"));
}

#[test]
fn an_upward_use_would_be_seen() {
    assert_eq!(uses("use crate::{load, units};\nlet x = crate::run::go();")[2], (2, "run".to_owned()));
}

/// Libraries that belong to one floor or above.
#[test]
fn nothing_below_its_floor_knows_a_library() {
    let floors = floors();
    let rank = |name: &str| floors.iter().position(|floor| floor == name).unwrap();
    for (library, lowest) in [("tokio::", "server"), ("hyper::", "server"), ("std::env::", "server"), ("clap::", "cli")]
    {
        for path in rust_files(Path::new("src")) {
            let own = floor_of(&path);
            if own == "lib" || own == "main" || rank(&own) >= rank(lowest) {
                continue;
            }
            let text = fs::read_to_string(&path).unwrap();
            assert!(!text.contains(library), "{} is below {lowest} and knows {library}", path.display());
        }
    }
}

#[test]
fn only_the_command_line_prints() {
    let is_test = |path: &Path| path.components().any(|part| part.as_os_str() == "tests");
    for path in rust_files(Path::new("src")).into_iter().filter(|path| !is_test(path)) {
        let text = fs::read_to_string(&path).unwrap();
        let code = text.split("#[cfg(test)]").next().unwrap();
        let prints = ["println!", "print!", "eprintln!", "eprint!"].iter().any(|print| code.contains(print));
        assert!(!prints || floor_of(&path) == "cli", "{} prints", path.display());
    }
}
