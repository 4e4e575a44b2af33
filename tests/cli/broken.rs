//! Broken scenario files: every problem drawn as the golden file says, exit 2, nothing started.

use std::fs;

use crate::harness::{Runner, shipped};

#[test]
fn every_golden_scenario_is_refused_as_drawn() {
    let mut seen = 0;
    for entry in fs::read_dir(shipped("tests/golden")).unwrap() {
        let path = entry.unwrap().path();
        let expected = path.with_extension("txt");
        if path.extension().is_none_or(|extension| extension != "toml") || !expected.is_file() {
            continue;
        }
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        let mut runner = Runner::new(&[&format!("tests/golden/{name}")]);
        // A line `#: --set key=value` at the top of a file is an argument of its run.
        for key_value in fs::read_to_string(&path).unwrap().lines().map_while(|line| line.strip_prefix("#: --set ")) {
            runner = runner.set(key_value);
        }
        std::os::unix::fs::symlink(shipped("tests"), runner.folder().join("tests")).unwrap();
        let outcome = runner.run().exit(2).no_report();
        assert_eq!(outcome.stderr.trim_end(), fs::read_to_string(expected).unwrap().trim_end(), "{name}");
        assert_eq!(outcome.stdout, "", "{name}");
        seen += 1;
    }
    assert!(seen >= 12, "only {seen} golden files");
}

// fault: input: one of two scenarios is broken -> neither is started
#[test]
fn one_broken_file_of_two_starts_neither() {
    Runner::new(&["good.toml", "bad.toml"])
        .file(
            "good.toml",
            "[server]\nmode = \"async\"\n[load]\npath = \"/health\"\nconcurrency = 1\nduration = \"100ms\"\n",
        )
        .file("bad.toml", "[server]\nmode = \"asink\"\n[load]\npath = \"/\"\nconcurrency = 1\n")
        .run()
        .exit(2)
        .stderr_has("bad.toml:2")
        .stderr_has("async")
        .no_report();
}

#[test]
fn a_file_that_is_not_there_is_named() {
    Runner::new(&["nowhere.toml"]).run().exit(2).stderr_has("nowhere.toml").no_report();
}
