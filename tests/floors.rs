//! The floors of `lib.rs`: a module uses only those declared before it. Inside a floor there is no circle among files,
//! and no two public types have one name.

#[path = "floors/circles.rs"]
mod circles;
#[path = "floors/leftover.rs"]
mod leftover;
#[path = "floors/source.rs"]
mod source;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use circles::{Crate, circles};
use source::Source;

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
    for (library, lowest) in [("tokio::", "net"), ("hyper::", "server"), ("std::env::", "server"), ("clap::", "cli")] {
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

/// All files of the program without tests, as the floors see them.
fn program() -> Crate {
    let is_test = |path: &Path| path.iter().any(|part| part == "tests" || part == "tests.rs");
    let files = rust_files(Path::new("src")).into_iter().filter(|path| !is_test(path) && !path.ends_with("main.rs"));
    Crate::new(files.map(|path| {
        let below = path.strip_prefix("src").unwrap().with_extension("");
        let module = below.iter().map(|part| part.to_str().unwrap()).collect::<Vec<_>>().join("::");
        Source::read(if module == "lib" { "" } else { &module }, &fs::read_to_string(&path).unwrap())
    }))
}

/// What stands on the list must still be there: the list only shrinks.
fn leftovers<'a>(listed: &[&'a str], found: &[String]) -> Vec<&'a str> {
    listed.iter().filter(|listed| !found.iter().any(|found| found == **listed)).copied().collect()
}

#[test]
fn no_circle_among_files() {
    let uses = program().uses();
    let circles = circles(&uses);
    let listed = |circle: &BTreeSet<String>| {
        let among = |allowed: &&[&str]| circle.iter().all(|file| allowed.contains(&file.as_str()));
        leftover::CIRCLES.iter().copied().any(|allowed| among(&allowed))
    };
    let new: Vec<String> = circles.iter().filter(|circle| !listed(circle)).map(|circle| told(circle, &uses)).collect();
    assert!(new.is_empty(), "each of these files uses all others of its circle:\n{}", new.join("\n"));
    let found: Vec<String> = circles.into_iter().flatten().collect();
    let gone = leftovers(&leftover::CIRCLES.concat(), &found);
    assert!(gone.is_empty(), "in no circle any more, delete them from tests/floors/leftover.rs: {gone:?}");
}

/// A circle, with what each of its files uses of the others.
fn told(circle: &BTreeSet<String>, uses: &BTreeMap<String, BTreeSet<String>>) -> String {
    let of = |file: &String| uses[file].intersection(circle).cloned().collect::<Vec<_>>().join(", ");
    circle.iter().map(|file| format!("  {file} uses {}", of(file))).collect::<Vec<_>>().join("\n") + "\n"
}

#[test]
fn no_public_type_name_stands_for_two() {
    let mut twice = program().types_twice();
    let found: Vec<String> = twice.keys().cloned().collect();
    twice.retain(|name, _| !leftover::TYPES.contains(&name.as_str()));
    assert!(twice.is_empty(), "rename all but one of each: {twice:#?}");
    let gone = leftovers(leftover::TYPES, &found);
    assert!(gone.is_empty(), "these are unique now, delete them from tests/floors/leftover.rs: {gone:?}");
}

/// The files of a program as they would be found in `src`.
fn sample(files: &[(&str, &str)]) -> Crate {
    Crate::new(files.iter().map(|(module, text)| Source::read(module, text)))
}

fn circle_of(files: &[(&str, &str)]) -> Vec<Vec<String>> {
    circles(&sample(files).uses()).into_iter().map(|circle| circle.into_iter().collect()).collect()
}

const ROOT: (&str, &str) = ("", "mod a; mod b; mod c;");

#[test]
fn a_circle_is_seen_however_a_file_names_another() {
    for use_of_b in [
        "use crate::b::B;",
        "pub use crate::b::B as Other; fn f(x: Other) {}",
        "use crate::{a, b::{self, B}};",
        "use super::b; fn f() { b::go(); }",
        "use super::b as other; fn f() -> other::B { todo!() }",
        "fn f() { use crate::b::B; }",
        "fn f(x: super::b::B) {}",
        "fn f() { panic!(\"{}\", crate::b::NAME) }",
        "use crate::b::Shown as _;",
        "use crate::b::*;",
        "#[cfg(test)] mod tests; #[cfg(not(test))] use crate::b::B;",
    ] {
        let files =
            [ROOT, ("a", use_of_b), ("b", "use crate::c::C; pub struct B;"), ("c", "fn f() { crate::a::go() }")];
        assert_eq!(circle_of(&files), [["a", "b", "c"]], "{use_of_b}");
    }
}

#[test]
fn a_child_that_takes_from_its_parent_uses_the_file_that_defines() {
    let parent = ("a", "mod one; mod two; use one::One; pub use two::Two;");
    let files =
        [ROOT, parent, ("a::one", "use super::Two; pub struct One;"), ("a::two", "use super::One; pub struct Two;")];
    assert_eq!(circle_of(&files), [["a::one", "a::two"]]);
    let files = [ROOT, parent, ("a::one", "use super::Two; pub struct One;"), ("a::two", "pub struct Two;")];
    assert!(circle_of(&files).is_empty());
}

#[test]
fn what_is_no_circle_is_not_taken_for_one() {
    for (a, b) in [
        ("use crate::b::B;", "pub struct B; // crate::a::A"),
        ("use crate::b::B;", "#[cfg(test)] mod tests { use crate::a::A; } pub struct B;"),
        ("use crate::b::B;", "#[cfg(test)] use crate::a::{A, Other};\nconst TEXT: &str = \"crate::a::A\";"),
        ("use crate::b::B;", "use std::a::A; fn f(a: A) -> impl Fn() + use<> { a.a }"),
        ("pub use crate::b::B;", "use crate::a::A;"),
    ] {
        assert!(circle_of(&[ROOT, ("a", a), ("b", b)]).is_empty(), "{a} {b}");
    }
}

#[test]
fn a_public_type_name_that_stands_twice_is_seen() {
    let second = |text: &str| sample(&[("a", "pub struct Place;"), ("b", text)]).types_twice().len();
    for text in
        ["pub enum Place {}", "pub(crate) trait Place {}", "pub(super) type Place = u8;", "pub struct Place<T>(T);"]
    {
        assert_eq!(second(text), 1, "{text}");
    }
    for text in ["struct Place;", "pub fn f() { struct Place; }", "#[cfg(test)] pub struct Place;", "pub fn place() {}"]
    {
        assert_eq!(second(text), 0, "{text}");
    }
}
