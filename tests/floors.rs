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

/// The code of a file, without its tests.
fn code(path: &Path) -> String {
    let text = fs::read_to_string(path).unwrap();
    text.split("#[cfg(test)]").next().unwrap_or_default().to_owned()
}

/// The files of the program that hold one of these words, without tests.
fn files_with(words: &[&str]) -> Vec<PathBuf> {
    let is_test = |path: &Path| path.components().any(|part| part.as_os_str() == "tests");
    let files = rust_files(Path::new("src")).into_iter().filter(|path| !is_test(path));
    files.filter(|path| words.iter().any(|word| code(path).contains(word))).collect()
}

#[test]
fn only_one_file_prints() {
    // The streams of the server's own processes are its log and a channel to runner.
    let printing = files_with(&["io::stdout()", "io::stderr()", "anstream::stdout", "anstream::stderr"]);
    let printing: Vec<PathBuf> = printing.into_iter().filter(|path| floor_of(path) != "server").collect();
    assert_eq!(printing, [Path::new("src/cli/print.rs")]);
}

#[test]
fn no_macro_prints_as_it_ends_the_program_where_it_cannot() {
    let none: [PathBuf; 0] = [];
    assert_eq!(files_with(&["println!", "print!", "dbg!"]), none);
}
