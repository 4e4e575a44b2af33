//! All documents of a folder: how long each takes, what it gives, what it leaves out, and whether its bodies validate.
//!
//! `scripts/measure-import FOLDER` runs it.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use runner::scenario::import::{Effect, ImportFormat, Imported, import, to_toml};

use crate::bodies::faults;

fn files(folder: &Path) -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { files.extend(self::files(&path)) } else { files.push(path) }
    }
    files.sort();
    files
}

/// How long the operations of one path may take.
const MOST_OF_ONE: Duration = Duration::from_millis(50);

/// The path of a document that takes longest, above what a document without paths takes.
fn slowest_path(bytes: &[u8]) -> (String, Duration) {
    let text = String::from_utf8_lossy(bytes);
    let options = serde_saphyr::options! { strict_booleans: true };
    let document =
        serde_json::from_str(&text).ok().or_else(|| serde_saphyr::from_str_with_options(&text, options).ok());
    let mut document: serde_json::Value = document.unwrap();
    let paths = document["paths"].as_object().unwrap().clone();
    let mut took = |paths: serde_json::Value| {
        document["paths"] = paths;
        let text = document.to_string();
        let once = || {
            let began = Instant::now();
            drop(import(text.as_bytes(), None));
            began.elapsed()
        };
        once().min(once())
    };
    let without = took(serde_json::json!({}));
    let each = paths
        .iter()
        .map(|(path, item)| (path.clone(), took(serde_json::json!({ path: item })).saturating_sub(without)));
    each.max_by_key(|(_, took)| *took).unwrap_or_default()
}

fn megabytes() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    peak.trim().split(' ').next().unwrap().parse::<u64>().unwrap() / 1024
}

fn line(name: &str, imported: &Imported, took: Duration) -> String {
    let count = |effect: Effect| imported.operations.iter().filter(|operation| operation.effect == effect).count();
    let carrying = imported.operations.iter().filter(|operation| !operation.carriers.is_empty()).count();
    let captures: usize = imported.operations.iter().map(|operation| operation.captures.len()).sum();
    let dangerous = imported.operations.iter().filter(|operation| operation.danger.is_some()).count();
    format!(
        "{name:<60} {:<8} {:>6.1} ms {:>4} taken ({:>3} read {:>3} write {:>3} delete) {:>4} left out {carrying:>4} carry {captures:>4} captures {dangerous:>3} dangerous{}{}",
        imported.format.to_string(),
        took.as_secs_f64() * 1e3,
        imported.operations.len(),
        count(Effect::Read),
        count(Effect::Write),
        count(Effect::Delete),
        imported.left_out.len(),
        if imported.login.is_some() { " login" } else { "" },
        if imported.signup.is_some() { " signup" } else { "" },
    )
}

#[test]
#[ignore = "reads a folder of documents that is named in IMPORT_FOLDER"]
fn every_document_of_a_folder_is_imported_in_time() {
    let folder = PathBuf::from(std::env::var("IMPORT_FOLDER").expect("IMPORT_FOLDER names a folder"));
    let is_talkative = std::env::var_os("IMPORT_REASONS").is_some();
    let shows_requests = std::env::var_os("IMPORT_REQUESTS").is_some();
    let times_each = std::env::var_os("IMPORT_EACH").is_some();
    let judges_bodies = std::env::var_os("IMPORT_BODIES").is_some();
    let (mut slow, mut failed, mut faulty, mut bodies) = (Vec::new(), Vec::new(), Vec::new(), 0);
    let mut reasons: BTreeMap<String, usize> = BTreeMap::new();
    for path in files(&folder) {
        let name = path.strip_prefix(&folder).unwrap().display().to_string();
        let bytes = fs::read(&path).unwrap();
        let began = Instant::now();
        let result = import(&bytes, None);
        let took = began.elapsed();
        if took > Duration::from_secs(1) {
            slow.push(format!("{name}: {took:?}"));
        }
        let imported = match result {
            Ok(imported) => imported,
            Err(error) => {
                println!("{name:<60} {error}");
                failed.push(name);
                continue;
            }
        };
        println!("{}", line(&name, &imported, took));
        if shows_requests {
            for operation in &imported.operations {
                let request = &operation.request;
                let body = request.content().map(|body| body.to_string()).unwrap_or_default();
                let captures: Vec<&str> = operation.captures.iter().map(|capture| capture.name.as_str()).collect();
                println!(
                    "    {} {} {body} gives {captures:?}{}",
                    request.method,
                    request.target(),
                    if operation.danger.is_some() { " DANGER" } else { "" }
                );
            }
        }
        let written = to_toml(&imported, "trial", "trial");
        if let Err(error) = toml::from_str::<toml::Table>(&written) {
            faulty.push(format!("{name}: the scenario is no TOML: {error}"));
        }
        for left_out in &imported.left_out {
            let reason = left_out.reason.to_string();
            let kind = reason.split('`').next().unwrap_or_default().to_owned();
            *reasons.entry(kind).or_default() += 1;
            if is_talkative {
                println!("    {}: {reason}", left_out.name);
            }
        }
        if times_each && imported.format == ImportFormat::OpenApi && took > MOST_OF_ONE {
            let (path, most) = slowest_path(&bytes);
            println!("    the slowest path takes {:.1} ms: {path}", most.as_secs_f64() * 1e3);
            if most > MOST_OF_ONE {
                slow.push(format!("{name}: {path}: {most:?}"));
            }
        }
        if judges_bodies && imported.format == ImportFormat::OpenApi {
            let text = String::from_utf8_lossy(&bytes);
            let options = serde_saphyr::options! { strict_booleans: true };
            let document = serde_json::from_str(&text)
                .ok()
                .or_else(|| serde_saphyr::from_str_with_options(&text, options.clone()).ok());
            let (looked_at, found) = faults(&document.unwrap(), &imported);
            bodies += looked_at;
            faulty.extend(found.into_iter().map(|fault| format!("{name}: {fault}")));
        }
    }
    println!("\nleft out: {reasons:#?}");
    println!("bodies validated: {bodies}; at most {} MB", megabytes());
    println!("failed: {failed:#?}\nslow: {slow:#?}\nfaulty: {faulty:#?}");
    assert!(slow.is_empty());
}
