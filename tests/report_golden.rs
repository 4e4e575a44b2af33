//! What reports look like, and that nothing from outside can take part in how.

#[path = "golden_reports/fixtures.rs"]
mod fixtures;

use runner::record::Record;
use runner::report;

fn every_story() -> Vec<(&'static str, Record)> {
    vec![
        ("sync_sleep", fixtures::sync_sleep()),
        ("async_sleep", fixtures::async_sleep()),
        ("crossover", fixtures::crossover()),
        ("dirty", fixtures::dirty()),
        ("clean_in_every_mode", fixtures::clean_in_every_mode()),
        ("server_died", fixtures::server_died()),
        ("interrupted", fixtures::interrupted()),
        ("empty", fixtures::empty()),
        (
            "hostile",
            fixtures::hostile("<script>alert(1)</script> | [x](http://e.vil) ![y](z) `a` \u{1b}[31m\nred @me :x: #1"),
        ),
    ]
}

/// `cargo test --test report_golden -- --ignored` writes them below target/reports, to be looked at.
#[test]
#[ignore = "writes files for people to look at"]
fn every_report_for_people_to_look_at() {
    for (name, record) in every_story() {
        let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("target/reports").join(name);
        std::fs::create_dir_all(&folder).unwrap();
        let start = std::time::Instant::now();
        let page = report::render(&record);
        println!("{name}: {:?}, {} files", start.elapsed(), page.files.len());
        std::fs::write(folder.join("report.md"), page.markdown).unwrap();
        std::fs::write(folder.join("summary.txt"), report::terminal::summary(&record, 100, false)).unwrap();
        for (file, svg) in page.files {
            std::fs::write(folder.join(file), svg).unwrap();
        }
    }
}
