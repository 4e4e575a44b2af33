//! What the program says of time, where a busy machine would change it: these tests run one after another, and nothing else
//! runs beside them. `cargo test` runs test binaries in turn, and each test of this one holds `alone`; nextest is told the
//! same in `.config/nextest.toml`.

mod cut_off;
#[path = "../harness/mod.rs"]
#[expect(dead_code, reason = "each test binary uses a part of it")]
mod harness;
mod load;
mod models;
mod still;

use std::fs;

#[test]
fn each_test_here_runs_alone() {
    for entry in fs::read_dir(harness::shipped("tests/timing")).unwrap() {
        let path = entry.unwrap().path();
        if path.ends_with("main.rs") {
            continue;
        }
        let text = fs::read_to_string(&path).unwrap();
        let tests: Vec<&str> = text.split("#[test]\n").skip(1).collect();
        assert!(!tests.is_empty(), "{}", path.display());
        for test in tests {
            let second = test.lines().nth(1).unwrap();
            assert_eq!(second.trim(), "let _alone = alone();", "{}: {}", path.display(), test.lines().next().unwrap());
        }
    }
}
