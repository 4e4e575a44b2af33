//! `--live`: a page on this machine that shows a run as it goes on. It costs nothing while nobody looks.

use std::io::{self, Write as _};
use std::net::TcpStream;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use serde::Serialize;

use super::progress::Style;
use super::{Exit, print};
use crate::pages::{PageRequest, PageServer, respond};
use crate::record::Quantiles;
use crate::report::short_micros;
use crate::run::{LoadSoFar, Observer, RunEvent};

const PAGE: &str = include_str!("live/page.html");
/// How often those who look are told.
const EVERY: Duration = Duration::from_secs(1);
/// So many points are kept, the last ones.
const MOST: usize = 600;
/// After the end the report is there for so long at most, for those who look.
const LEAVE: Duration = Duration::from_secs(10);

/// What the page shows.
#[derive(Debug, Clone, Default, Serialize)]
struct LiveState {
    scenario: String,
    /// Which trial of how many, and of which variant.
    variant: String,
    number: usize,
    of: usize,
    left_s: Option<f64>,
    /// What is under way, in words.
    doing: String,
    elapsed_s: f64,
    planned_s: f64,
    started: u64,
    completed: u64,
    failed: u64,
    /// What the server uses, where it is looked at.
    cores: Option<f64>,
    rss_bytes: Option<u64>,
    exposures: u64,
    leaks: u64,
    /// Of the load under way: seconds, answers a second, requests in flight.
    points: Vec<[f64; 3]>,
    /// Of the load under way: how many requests were started, and what is known of their latencies, in words.
    measured: u64,
    percentiles: Vec<(&'static str, String)>,
    /// Reasons to trust its figures less, and what helps.
    caveats: Vec<(String, String)>,
    troubles: Vec<String>,
    /// The report's page, once it is there.
    report: Option<String>,
    /// All scenarios have ended.
    over: bool,
}

impl LiveState {
    fn take(&mut self, so_far: &LoadSoFar) {
        let Quantiles { p50, p75, p90, p95, p99, p999, max, .. } = so_far.latency_us;
        let shown =
            [("p50", p50), ("p75", p75), ("p90", p90), ("p95", p95), ("p99", p99), ("p99.9", p999), ("max", max)];
        self.measured = so_far.started;
        self.percentiles = shown.map(|(name, value)| (name, short_micros(value))).into();
        let told = so_far.caveats.iter().map(|caveat| (caveat.message.clone(), caveat.advice.clone()));
        self.caveats = told.collect();
    }

    fn forget_figures(&mut self) {
        self.measured = 0;
        self.percentiles.clear();
        self.caveats.clear();
    }
}

#[derive(Debug, Default)]
struct Shared {
    state: Mutex<LiveState>,
    changed: Condvar,
    /// How many look, or were told of a report that they have not fetched yet.
    looking: Mutex<usize>,
}

/// The page, and what feeds it.
pub(super) struct LivePage {
    shared: Arc<Shared>,
    server: PageServer,
}

impl LivePage {
    /// Serves the page on a port, 0 for a free one.
    pub fn start(port: u16) -> io::Result<LivePage> {
        let shared = Arc::new(Shared::default());
        let answering = Arc::clone(&shared);
        let server = PageServer::start(port, Arc::new(move |request, stream| answer(&answering, request, stream)))?;
        Ok(LivePage { shared, server })
    }

    /// Where it is.
    pub fn address(&self) -> String {
        format!("http://{}/", self.server.address())
    }

    /// The next scenario begins.
    pub fn begin(&self, scenario: &str) {
        self.change(|state| *state = LiveState { scenario: scenario.to_owned(), ..LiveState::default() });
    }

    /// How far something is that is no run of this process.
    #[cfg(feature = "fleet")]
    pub fn show(&self, doing: &str, elapsed: Duration, planned: Duration) {
        self.change(|state| {
            doing.clone_into(&mut state.doing);
            (state.elapsed_s, state.planned_s) = (elapsed.as_secs_f64(), planned.as_secs_f64());
        });
    }

    /// A scenario has left a report: its page.
    pub fn report(&self, page: Option<String>) {
        self.change(|state| state.report = page);
    }

    /// Nothing more comes. Those who look get the last of it.
    pub fn end(self) {
        self.change(|state| state.over = true);
        let until = Instant::now() + LEAVE;
        while *locked(&self.shared.looking) > 0 && Instant::now() < until {
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    fn change(&self, change: impl FnOnce(&mut LiveState)) {
        change(&mut locked(&self.shared.state));
        self.shared.changed.notify_all();
    }

    fn is_looked_at(&self) -> bool {
        *locked(&self.shared.looking) > 0
    }

    /// Takes an event of the run.
    fn note(&self, event: &RunEvent<'_>) {
        let mut state = locked(&self.shared.state);
        match event {
            RunEvent::Trial { variant, number, of, left } => {
                (state.variant, state.number, state.of) = ((*variant).to_owned(), *number, *of);
                state.left_s = left.map(|left| left.as_secs_f64());
                state.forget_figures();
            }
            RunEvent::ServerStarting { elapsed, set_up, .. } => {
                let what = if set_up.is_some() { "setting up the server" } else { "starting the server" };
                state.doing = format!("{what}, {:.1} s", elapsed.as_secs_f64());
            }
            RunEvent::LoadBegan { description } => {
                state.points.clear();
                state.forget_figures();
                state.doing = (*description).to_owned();
            }
            RunEvent::CapacityBegan { description }
            | RunEvent::InspectionBegan { description }
            | RunEvent::DirtyBegan { description } => state.doing = (*description).to_owned(),
            RunEvent::Load { elapsed, planned, progress, used } => {
                (state.cores, state.rss_bytes) = used.map(|used| (used.cores, used.rss)).unzip();
                let (t, before) = (elapsed.as_secs_f64(), (state.elapsed_s, state.completed));
                (state.elapsed_s, state.planned_s) = (t, planned.as_secs_f64());
                (state.started, state.completed, state.failed) =
                    (progress.started, progress.completed, progress.failed + progress.error_status);
                let over = t - before.0;
                if over > 0.0 && progress.completed >= before.1 {
                    let rate = (progress.completed - before.1) as f64 / over;
                    state.points.push([t, rate, progress.in_flight() as f64]);
                }
                let more = state.points.len().saturating_sub(MOST);
                state.points.drain(..more);
            }
            RunEvent::LoadSoFar { so_far } => state.take(so_far),
            RunEvent::Capacity { elapsed, planned, doing }
            | RunEvent::Inspection { elapsed, planned, doing }
            | RunEvent::Crossover { elapsed, planned, doing } => {
                (state.elapsed_s, state.planned_s) = (elapsed.as_secs_f64(), planned.as_secs_f64());
                state.doing = (*doing).to_owned();
            }
            RunEvent::Dirty { elapsed, planned, exposures, leaks, doing } => {
                (state.elapsed_s, state.planned_s) = (elapsed.as_secs_f64(), planned.as_secs_f64());
                (state.exposures, state.leaks) = (*exposures, *leaks);
                if let Some(doing) = doing {
                    state.doing = (*doing).to_owned();
                }
            }
            RunEvent::Trouble { message } => state.troubles.push((*message).to_owned()),
            _ => {}
        }
    }
}

/// Tells both the screen and the page.
pub(super) struct WithLive<'a> {
    pub screen: &'a dyn Observer,
    pub page: Option<&'a LivePage>,
}

impl Observer for WithLive<'_> {
    fn event(&self, event: RunEvent<'_>) {
        if let Some(page) = self.page {
            page.note(&event);
        }
        self.screen.event(event);
    }

    fn wants_load_so_far(&self) -> bool {
        self.screen.wants_load_so_far() || self.page.is_some_and(LivePage::is_looked_at)
    }
}

fn answer(shared: &Shared, request: &PageRequest, stream: &mut TcpStream) -> io::Result<()> {
    match (request.method.as_str(), request.path.as_str()) {
        ("GET", "/") => respond(stream, "200 OK", "text/html", PAGE.as_bytes()),
        ("GET", "/report") => {
            let page = locked(&shared.state).report.clone();
            match page {
                Some(page) => {
                    let sent = respond(stream, "200 OK", "text/html", page.as_bytes());
                    let mut looking = locked(&shared.looking);
                    *looking = looking.saturating_sub(1);
                    sent
                }
                None => respond(stream, "404 Not Found", "text/plain", b"there is no report yet"),
            }
        }
        ("GET", "/events") => {
            *locked(&shared.looking) += 1;
            let told = tell(shared, stream);
            // Who was told of a report comes for it.
            let comes = told.is_ok() && locked(&shared.state).report.is_some();
            if !comes {
                *locked(&shared.looking) -= 1;
            }
            told
        }
        _ => respond(stream, "404 Not Found", "text/plain", b"no such page"),
    }
}

/// Server-sent events: the state, once a second for as long as something changes, and at once at the end.
fn tell(shared: &Shared, stream: &mut TcpStream) -> io::Result<()> {
    stream.write_all(
        b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ncache-control: no-store\r\nconnection: close\r\n\r\n",
    )?;
    loop {
        let (over, text) = {
            let state = locked(&shared.state);
            // The report is fetched by itself.
            let shown = LiveState { report: state.report.as_ref().map(|_| "/report".to_owned()), ..state.clone() };
            (state.over, serde_json::to_string(&shown)?)
        };
        stream.write_all(format!("data: {text}\n\n").as_bytes())?;
        if over {
            return Ok(());
        }
        let began = Instant::now();
        let mut state = locked(&shared.state);
        while !state.over && began.elapsed() < EVERY {
            let left = EVERY.saturating_sub(began.elapsed());
            state = shared.changed.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The page, if a port is given for one, and says where it is; or what to exit with, once it was said why it cannot be served.
pub(super) fn started(port: Option<u16>, style: &Style) -> Result<Option<LivePage>, Exit> {
    let Some(port) = port else { return Ok(None) };
    match LivePage::start(port) {
        Ok(page) => {
            style.say(&format!("live: {}", page.address()));
            Ok(Some(page))
        }
        Err(error) => {
            let message = format!("cannot serve the live page on port {port}: {error}");
            print::error(&message, Some("leave the port out, as in --live, and a free one is taken"));
            Err(Exit::CouldNotRun)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::load::LoadProgress;
    use crate::measured_value::MeasuredValue;
    use crate::record::Caveat;

    #[test]
    fn what_is_known_of_a_load_is_told_until_the_next_begins() {
        let page = LivePage::start(0).unwrap();
        let latency_us = Quantiles { p50: Some(MeasuredValue::Exactly(1500.0)), ..Quantiles::default() };
        let caveats = vec![Caveat::new("late", "raise the threads")];
        page.note(&RunEvent::LoadSoFar { so_far: &LoadSoFar { started: 7, latency_us, caveats } });
        let state = locked(&page.shared.state).clone();
        assert_eq!((state.measured, &state.percentiles[0]), (7, &("p50", "1.50 ms".to_owned())));
        assert_eq!(state.caveats, [("late".to_owned(), "raise the threads".to_owned())]);
        page.note(&RunEvent::LoadBegan { description: "the next" });
        let state = locked(&page.shared.state).clone();
        assert!(state.percentiles.is_empty() && state.caveats.is_empty());
    }

    #[test]
    fn a_load_becomes_points_and_no_more_than_are_drawn() {
        let page = LivePage::start(0).unwrap();
        page.begin("shop");
        for number in 1..=(MOST as u64 + 50) {
            let progress = LoadProgress { started: number * 10 + 4, completed: number * 10, ..LoadProgress::default() };
            let elapsed = Duration::from_millis(number * 100);
            page.note(&RunEvent::Load { elapsed, planned: Duration::from_secs(90), progress, used: None });
        }
        let state = locked(&page.shared.state).clone();
        assert_eq!((state.scenario.as_str(), state.points.len()), ("shop", MOST));
        let [t, rate, in_flight] = state.points[MOST - 1];
        assert!((t - 65.0).abs() < 1e-9 && (rate - 100.0).abs() < 1e-6 && in_flight == 4.0, "{t} {rate} {in_flight}");
    }
}
