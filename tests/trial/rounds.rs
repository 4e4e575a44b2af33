//! A run of some rounds, by what it sends.

use std::fs;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Instant;

use runner::record::Record;
use runner::run::{self, Observer, Options, RunEvent};
use runner::scenario::{self, SystemContext};
use runner::telemetry::RunLog;
use tokio_util::sync::CancellationToken;

use crate::harness::raw_server::{RawServer, Response};

/// The world of a test: files, and no variables.
struct Files;

impl SystemContext for Files {
    fn read(&self, path: &Path) -> std::io::Result<String> {
        fs::read_to_string(path)
    }

    fn variable(&self, _: &str) -> Option<String> {
        None
    }
}

impl Observer for Files {
    fn event(&self, _: RunEvent<'_>) {}
}

#[test]
fn rounds_that_run_apart_send_what_the_whole_run_sends_and_merge_into_it() {
    let asked: Arc<Mutex<Vec<String>>> = Arc::default();
    let seen = Arc::clone(&asked);
    let server = RawServer::start(move |request| {
        seen.lock().unwrap().push(request.path().to_owned());
        Response::ok(request.path())
    });
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("a.toml");
    let text = format!(
        "seed = 7\n[server]\nurl = 'http://{}'\n[dirty]\npath = '/{{canary}}'\nexposures = 5\ntime = '1s'\ntriggers = ['overlap']\n\
         [matrix]\nrepeats = 2\n",
        server.address
    );
    fs::write(&file, text).unwrap();
    let scenario = scenario::load(&file, &[], &Files).unwrap_or_else(|problems| panic!("{}", problems.render(false)));
    let measure = |rounds: Option<std::ops::Range<u32>>| {
        let (reports, allowed_hosts, began) = (folder.path().to_owned(), Vec::new(), Instant::now());
        let options =
            Options { reports, allowed_hosts, began, log: RunLog::default(), resume: false, rounds, generators: None };
        let measured = run::measure(&scenario, &options, &Files, &CancellationToken::new());
        (measured, std::mem::take(&mut *asked.lock().unwrap()))
    };
    let (whole, sent) = measure(None);
    let [(first, sent_first), (second, sent_second)] = [0..1, 1..2].map(|rounds| measure(Some(rounds)));
    let with_canary = |sent: &[String]| sent.iter().filter(|path| path.len() > 8).take(3).cloned().collect::<Vec<_>>();
    for part in [&sent_first, &sent_second] {
        assert!(with_canary(part).iter().all(|path| sent.contains(path)), "{sent:?} {part:?}");
    }
    assert!(!with_canary(&sent_first).is_empty() && with_canary(&sent_first) != with_canary(&sent_second));
    let (whole, first, second) = (whole.unwrap(), first.unwrap(), second.unwrap());
    assert_eq!((whole.rounds, second.rounds.unwrap().range(), second.variants[0].planned_trials), (None, 1..2, 1));
    let merged = run::merge::merge(&scenario, vec![second, first]).unwrap();
    let judged = |record: &Record| {
        let of = &record.variants[0];
        (
            record.status,
            of.trials.len(),
            of.planned_trials,
            of.verdicts.iter().map(|verdict| verdict.kind.clone()).collect::<Vec<_>>(),
        )
    };
    assert_eq!(judged(&merged), judged(&whole));
    let (none, _) = measure(Some(1..3));
    assert_eq!(none.unwrap_err().to_string(), "the scenario has no rounds 1..3: it has 0..2");
}
