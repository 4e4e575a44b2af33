//! The pages in a real browser: nothing on them fails, asks the network, or runs what came from outside.

use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::chromium::{Browser, Tab};
use crate::harness::{Runner, shipped, wait_for};

const TWO: &str = "about = 'two'\n[server]\nthreads = 4\n[load]\npath = '/sync_sleep/?sleep=0.01'\nconcurrency = 8\nduration = '300ms'\n\
                   [matrix]\n'server.mode' = ['threaded', 'async']\n[assert]\nthat = ['latency.p99 < 1us']\n";

/// Opens a file at every size and scheme; what the page complains of, and where it asked.
fn opened<'b>(browser: &'b Browser, file: &Path) -> Tab<'b> {
    let tab = browser.tab();
    tab.listen();
    for size in [(1400, 900), (400, 800)] {
        for dark in [false, true] {
            tab.look(size, dark);
            tab.open(&format!("file://{}", file.display()));
            tab.wait();
            let wide = "document.documentElement.scrollWidth <= window.innerWidth";
            assert_eq!(tab.evaluate(wide), true, "{} at {size:?} is wider than its window", file.display());
        }
    }
    assert_eq!(tab.complaints(), Vec::<String>::new(), "{}", file.display());
    let asked = "JSON.stringify(performance.getEntriesByType('resource').map((entry) => entry.name).filter((name) => !name.startsWith('file:')))";
    assert_eq!(tab.evaluate(asked), "[]");
    tab
}

#[test]
fn a_report_and_the_index_are_pages_to_click_through() {
    let came = Runner::with(TWO).run().exit(1);
    let browser = Browser::start();
    let page = came.latest("scenario").join("report.html");
    let tab = opened(&browser, &page);
    assert!(tab.text().contains("latency.p99 < 1us"), "{}", tab.text());
    assert_eq!(tab.evaluate("document.querySelectorAll('.chart canvas').length"), 1);
    // The chart is switched, and a table sorted by a click.
    tab.evaluate("const kind = document.getElementById('chart-kind'); kind.value = 4; kind.onchange(); ''");
    let sorted = "(() => { const table = [...document.querySelectorAll('.table table')].find((table) => table.tBodies[0].rows.length > 1); \
                  const column = (n) => [...table.tBodies[0].rows].map((row) => row.cells[n].textContent).join(); \
                  const head = table.tHead.rows[0].querySelector('button'); const at = head.closest('th').cellIndex; const before = column(at); \
                  head.click(); const up = column(at); head.click(); return up !== column(at) && [before, before.split(',').reverse().join()].includes(up); })()";
    assert_eq!(tab.evaluate(sorted), true);
    assert!(fs::metadata(&page).unwrap().len() < 500_000);
    let index = opened(&browser, &came.folder.path().join("reports/index.html"));
    assert!(
        index.text().contains("The scenario failed") || index.text().to_lowercase().contains("1 failed"),
        "{}",
        index.text()
    );
}

#[test]
fn a_leak_is_a_timeline_to_point_at_and_to_walk_through_by_the_keyboard() {
    let record = fs::read_to_string(shipped("reports/sample/record.json")).unwrap();
    let came = Runner::new(&["report", "."]).file("record.json", &record).run().exit(0);
    let browser = Browser::start();
    let tab = opened(&browser, &came.folder.path().join("report.html"));
    tab.look((1400, 900), false);
    let told = |what: &str| {
        let tips = "[...document.querySelectorAll('.timeline .tip')].filter((tip) => tip.checkVisibility())";
        let text = tab.evaluate(&format!("{tips}.map((tip) => tip.innerText).join('|')"));
        let text = text.as_str().unwrap_or_default().to_owned();
        assert!(!text.contains('|'), "{what}: one at a time: {text}");
        text
    };
    assert_eq!(told("at first"), "");
    tab.point_at(".timeline .source .bar");
    let source = told("the source");
    assert!(
        source.contains("sent +700 ms") && source.contains("its canary: zq9qv758n5a1cjnhvqpw4sp4yjywcf"),
        "{source}"
    );
    let cursor = tab.evaluate("document.querySelector('.timeline .cursor').innerText");
    assert!(cursor.as_str().unwrap_or_default().ends_with(" in flight"), "{cursor}");
    tab.point_at("h1");
    assert_eq!(told("beside it"), "");
    // By the keyboard: from the victim to what its request wrote, read, and hidden again.
    tab.evaluate("document.querySelector('.timeline .victim .bar').focus()");
    let victim = told("the victim");
    assert!(victim.contains("in its body: <p>Hello, zq9qv758n5a1cjnhvqpw4sp4yjywcf</p>"), "{victim}");
    tab.press("ArrowRight", 39);
    assert!(told("a mark").contains("dirty.rhai:4"), "{}", told("a mark"));
    tab.press("ArrowRight", 39);
    assert!(told("the next").contains("`<p>Hello, ${process.email}</p>`"), "{}", told("the next"));
    tab.press("Escape", 27);
    assert_eq!(told("after Escape"), "");
    let nameless = "document.querySelectorAll('.timeline button:not([aria-label])').length";
    assert_eq!(tab.evaluate(nameless), 0);
    assert_eq!(tab.complaints(), Vec::<String>::new());
}

#[test]
fn a_hostile_record_does_nothing() {
    const HOSTILE: &str = "<img src=x onerror=\"window.hacked=1\"><script>window.hacked=1</script>\u{1b}[31m`|](javascript:alert(1))\u{202e}</script><!--";
    fn spoil(value: &mut Value, key: &str) {
        match value {
            // Free text, and names: anything else is a word that the record's reader knows.
            Value::String(text)
                if text.contains(' ') || ["name", "about", "file", "rule", "label", "excerpt"].contains(&key) =>
            {
                *text = format!("{HOSTILE}{text}");
            }
            Value::Array(items) => items.iter_mut().for_each(|item| spoil(item, key)),
            Value::Object(entries) => entries.iter_mut().for_each(|(key, item)| spoil(item, key)),
            _ => {}
        }
    }
    let mut record: Value = serde_json::from_slice(&fs::read(shipped("reports/sample/record.json")).unwrap()).unwrap();
    let spared = [record["scenario"]["effective"].clone(), record["environment"].clone()];
    spoil(&mut record, "");
    record["scenario"]["effective"] = spared[0].clone();
    record["environment"] = spared[1].clone();
    let came = Runner::new(&["report", "."]).file("record.json", &record.to_string()).run().exit(0);
    let browser = Browser::start();
    let tab = opened(&browser, &came.folder.path().join("report.html"));
    assert_eq!(tab.evaluate("typeof window.hacked"), "undefined");
    assert!(tab.text().contains("<img src=x"), "it is shown as what it is");
}

#[test]
fn a_run_can_be_watched_and_the_page_becomes_its_report() {
    let running = Runner::with(&TWO.replace("300ms", "4s")).arguments(&["--live"]).start();
    let address = wait_for("the page", || {
        let said = running.said();
        Some(said.split("live: ").nth(1)?.split_whitespace().next()?.to_owned())
    });
    let browser = Browser::start();
    let tab = browser.tab();
    tab.listen();
    tab.open(&address);
    tab.wait();
    wait_for("figures", || tab.text().contains("answers a second").then_some(()));
    wait_for("a load", || tab.text().contains("users for 4s").then_some(()));
    let percentiles = "[...document.querySelectorAll('#percentiles div')].map((box) => box.textContent).join()";
    let told = wait_for("percentiles", || {
        tab.evaluate(percentiles).as_str().filter(|told| !told.is_empty()).map(str::to_owned)
    });
    assert!(told.starts_with("p50") && told.contains(" ms,p90") && told.contains(",max"), "{told}");
    assert!(tab.text().contains("latency so far, of "), "{}", tab.text());
    wait_for("a caveat", || tab.text().contains("fewer than 10 requests beyond").then_some(()));
    let came = running.wait();
    assert_eq!(came.code, Some(1), "{}", came.stderr);
    assert!(!came.stderr.contains("latency so far"), "the page alone asked for it: {}", came.stderr);
    wait_for("the report", || tab.text().contains("How to reproduce").then_some(()));
    assert_eq!(tab.complaints(), Vec::<String>::new());
}
