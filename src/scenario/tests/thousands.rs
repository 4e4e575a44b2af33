//! Files with thousands of problems: each is counted, a few are drawn, and none makes the others slower.

use super::*;

const MANY: usize = 3_000;

/// `before`, a line each, and `after`.
fn file(before: &str, line: impl Fn(usize) -> String, after: &str) -> String {
    let lines: String = (0..MANY).map(line).collect();
    format!("{before}{lines}{after}")
}

const LOAD: &str = "[load]\npath = \"/\"\nconcurrency = 1\nduration = \"1s\"\n";

// fault: endless: thousands of problems in one file -> twenty are shown, the rest are counted
#[test]
fn each_of_thousands_of_problems_is_found_and_a_few_are_drawn() {
    let server = "[server]\nmode = \"async\"\n";
    let no_path = LOAD.replace("path = \"/\"\n", "");
    for (source, more) in [
        (file(server, |i| format!("key{i} = 5\n"), LOAD), 0),
        (file(&format!("{server}{LOAD}headers = {{"), |i| format!("x-{i} = 3, "), "}\n"), 0),
        (file(&format!("{server}{LOAD}headers = {{"), |i| format!("x-{i} = \"{{nope}}\", "), "}\n"), 0),
        (file(&format!("{server}{LOAD}[assert]\nthat = ["), |_| "3,\n".to_owned(), "]\n"), 0),
        (file(&format!("{server}{LOAD}[assert]\nthat = ["), |i| format!("\"none{i} < 5\",\n"), "]\n"), 0),
        // The requests, cut as they are, leave the load without one.
        (file(&format!("{server}{no_path}"), |i| format!("[[load.request]]\nname = \"{i}\"\npath = 7\n"), ""), MANY),
    ] {
        let found = World::of(&source).load_with(&[]).unwrap_err();
        let count = found.count();
        assert!((MANY..=MANY + 1 + more).contains(&count), "{count}: {}", &source[..200]);
        let drawn = found.to_string();
        let more = format!("\n\nand {} more\n", crate::units::show_count((count - 20) as u64));
        assert!(drawn.ends_with(&more) && drawn.matches("error: ").count() == 20, "{}", &drawn[drawn.len() - 200..]);
    }
}

#[test]
fn what_is_read_apart_is_put_together_again() {
    // Four wrong entries, after which each entry of the list is read by itself; the others stay as they are.
    let wrong: String = (0..5).map(|i| format!("{{ weight = \"x\", path = \"/w{i}\" }}, ")).collect();
    let source = format!(
        "[server]\nmode = \"async\"\n[load]\nconcurrency = 1\nduration = \"1s\"\n\
         request = [{wrong}{{ path = \"/a\" }}, {{ path = \"/b\", weight = 2 }}]\n[assert]\nthat = [\"none < 1\"]\n"
    );
    let titles = problems(&source);
    let of = |part: &str| titles.iter().filter(|title| title.contains(part)).count();
    assert_eq!((of("`weight`"), of("`none`"), titles.len()), (5, 1, 6), "{titles:?}");
}
