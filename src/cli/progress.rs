//! Progress on standard error: a live line on a terminal, a plain line every few seconds elsewhere.

use std::cell::{Cell, RefCell};
use std::ffi::OsStr;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

use super::print;
use crate::record::Quantiles;
use crate::report::{clip, height, one_line, short_micros};
use crate::run::{Observer, RunEvent};
use crate::units::{counted, show_count, show_duration, show_rate, show_size};

/// How often a plain line comes.
const PLAIN_EVERY: Duration = Duration::from_secs(5);

/// A start that takes longer than this is told of.
const SLOW_START: Duration = Duration::from_secs(1);

/// The heading while a crossover is searched for.
const CROSSOVER: &str = "search for where the better one changes: ";

/// Where a terminal does not know how wide it is.
const USUAL_COLUMNS: usize = 100;

/// So many seconds of a load are shown as heights.
const SECONDS: usize = 60;

/// The rate that is shown is taken over this stretch.
const RATE_OVER: Duration = Duration::from_secs(1);

/// Shows events as they come.
pub(super) struct Progress {
    /// The log tells when parts begin and end, and of trouble.
    logged: bool,
    style: Style,
    /// When the last plain line came, in the time of the part that it was about.
    last_plain: Cell<Duration>,
    /// When the last plain line about a start came, in the time of that start.
    last_starting: Cell<Duration>,
    /// When the rate was last taken, the answers until then, and the rate.
    last_count: Cell<(Duration, u64, f64)>,
    heading: RefCell<String>,
    /// The rate of each second of the load under way.
    rates: RefCell<Vec<f64>>,
    /// The percentiles of the load under way, as a line.
    percentiles: RefCell<String>,
    /// Whether anything has been measured.
    measured: Cell<bool>,
    /// What went wrong before: should nothing be measured at all, the error that ends the run says it.
    held_back: RefCell<Vec<String>>,
}

/// How progress is shown; the same for all scenarios of a run.
#[derive(Clone)]
pub(super) enum Style {
    Silent,
    Plain,
    Live(ProgressBar),
}

impl Style {
    pub fn of(quiet: bool) -> Self {
        if quiet {
            Style::Silent
        } else if can_redraw(print::notes_are_on_a_terminal(), std::env::var_os("TERM").as_deref()) {
            Style::Live(bar())
        } else {
            Style::Plain
        }
    }

    /// A line that is no progress, so that even the silent print it. A live line makes way for it.
    pub fn say(&self, text: &str) {
        match self {
            Style::Silent | Style::Plain => print::note(text),
            Style::Live(bar) => bar.println(text),
        }
    }
}

impl Progress {
    pub fn new(logged: bool, style: Style) -> Self {
        Progress {
            logged,
            style,
            last_plain: Cell::default(),
            last_starting: Cell::default(),
            last_count: Cell::default(),
            heading: RefCell::default(),
            rates: RefCell::default(),
            percentiles: RefCell::default(),
            measured: Cell::default(),
            held_back: RefCell::default(),
        }
    }

    /// Clears the live line.
    pub fn close(&self) {
        if let Style::Live(bar) = &self.style {
            bar.finish_and_clear();
        }
    }

    /// A line that stays.
    fn line(&self, text: &str) {
        match &self.style {
            Style::Silent => {}
            shown => shown.say(text),
        }
    }

    fn trouble(&self, message: &str) {
        if self.logged {
            return;
        }
        let text = format!("trouble: {message}");
        if self.measured.get() { self.line(&text) } else { self.held_back.borrow_mut().push(text) }
    }

    fn measured(&self) {
        if !self.measured.replace(true) {
            self.held_back.take().iter().for_each(|text| self.line(text));
        }
    }

    fn part(&self, text: &str) {
        self.last_plain.set(Duration::ZERO);
        self.last_count.set((Duration::ZERO, 0, 0.0));
        self.rates.borrow_mut().clear();
        self.percentiles.borrow_mut().clear();
        match &self.style {
            Style::Plain if self.logged => {}
            Style::Plain => self.line(&format!("{}{text}", self.heading.borrow())),
            Style::Live(bar) => {
                let columns = print::columns().unwrap_or(USUAL_COLUMNS);
                bar.set_prefix(clip(&format!("{}{text}", self.heading.borrow()), columns));
                bar.set_message("");
                bar.reset();
            }
            Style::Silent => {}
        }
    }

    /// How far a part has come.
    fn advance(&self, elapsed: Duration, planned: Duration, text: &str) {
        match &self.style {
            Style::Silent => {}
            Style::Live(bar) => {
                bar.set_length(planned.as_millis() as u64);
                bar.set_position(elapsed.min(planned).as_millis() as u64);
                bar.set_message(text.to_owned());
            }
            Style::Plain if elapsed.saturating_sub(self.last_plain.get()) >= PLAIN_EVERY => {
                self.last_plain.set(elapsed);
                let planned = show_duration(planned);
                self.line(&format!("  {:.0}s of {planned}: {text}", elapsed.as_secs_f64()));
            }
            Style::Plain => {}
        }
    }

    /// The rates of the last seconds, as a line of their heights; only where a line can be drawn over.
    fn sparkline(&self) -> String {
        let rates = self.rates.borrow();
        if !matches!(self.style, Style::Live(_)) || rates.len() < 2 {
            return String::new();
        }
        let shown = &rates[rates.len().saturating_sub(SECONDS)..];
        let most = shown.iter().copied().fold(f64::MIN_POSITIVE, f64::max);
        format!("\n{}", shown.iter().map(|rate| height(rate / most)).collect::<String>())
    }

    /// How many users have logged in; how long that takes nobody knows.
    fn logging_in(&self, elapsed: Duration, done: u32, of: u32) {
        let text = format!("logging in: {} of {}", show_count(done.into()), counted(of.into(), "user"));
        match &self.style {
            Style::Silent => {}
            Style::Live(bar) => {
                bar.set_length(of.into());
                bar.set_position(done.into());
                bar.set_message(text);
            }
            Style::Plain if elapsed.saturating_sub(self.last_plain.get()) >= PLAIN_EVERY => {
                self.last_plain.set(elapsed);
                self.line(&format!("  {:.0}s: {text}", elapsed.as_secs_f64()));
            }
            Style::Plain => {}
        }
    }

    /// A start that takes its time.
    fn starting(&self, number: u32, elapsed: Duration, set_up: Option<&str>) {
        if elapsed < SLOW_START {
            return self.last_starting.set(Duration::ZERO);
        }
        let seconds = elapsed.as_secs_f64();
        let text = match set_up {
            None => format!("starting the server, {} time, {seconds:.1} s", nth(number)),
            Some("") => format!("setting up the server, {seconds:.1} s"),
            Some(line) => format!("setting up the server, {seconds:.1} s: {}", one_line(line)),
        };
        match &self.style {
            Style::Silent => {}
            Style::Live(bar) => bar.set_message(text),
            Style::Plain if elapsed >= self.last_starting.get() + PLAIN_EVERY => {
                self.last_starting.set(elapsed);
                self.line(&format!("  {text}"));
            }
            Style::Plain => {}
        }
    }

    /// Answers per second, over at least the last second: users in step answer in bursts. Until there is a whole second, over
    /// what there is of the first.
    fn rate(&self, elapsed: Duration, count: u64) -> f64 {
        let (then, before, rate) = self.last_count.get();
        let span = elapsed.saturating_sub(then);
        if span < RATE_OVER {
            let first = then.is_zero() && !span.is_zero();
            return if first { count as f64 / span.as_secs_f64() } else { rate };
        }
        let rate = count.saturating_sub(before) as f64 / span.as_secs_f64();
        self.rates.borrow_mut().push(rate);
        self.last_count.set((elapsed, count, rate));
        rate
    }
}

impl Observer for Progress {
    fn event(&self, event: RunEvent<'_>) {
        match event {
            RunEvent::Trial { variant, number, of, left } => {
                let left = left.map(|left| format!(", {} left", roughly(left))).unwrap_or_default();
                let heading =
                    if of > 1 { format!("[{number}/{of}{left}] {variant}: ") } else { format!("{variant}: ") };
                self.heading.replace(heading);
            }
            RunEvent::Crossover { elapsed, planned, doing } => {
                if elapsed < self.last_plain.get() || self.heading.borrow().as_str() != CROSSOVER {
                    self.heading.replace(CROSSOVER.to_owned());
                    self.part(&format!("for {} at most", show_duration(planned)));
                }
                self.advance(elapsed, planned, doing);
            }
            RunEvent::ServerStarting { number, elapsed, set_up } => self.starting(number, elapsed, set_up),
            RunEvent::ServerReady { .. } => self.last_starting.set(Duration::ZERO),
            RunEvent::LoggingIn { elapsed, done, of } => self.logging_in(elapsed, done, of),
            RunEvent::LoadBegan { description }
            | RunEvent::CapacityBegan { description }
            | RunEvent::InspectionBegan { description }
            | RunEvent::DirtyBegan { description } => self.part(description),
            RunEvent::Load { elapsed, planned, progress, used } => {
                self.measured();
                let rate = show_rate(self.rate(elapsed, progress.completed));
                let errors = progress.failed + progress.error_status;
                let open = progress.in_flight();
                let server = used
                    .filter(|_| matches!(self.style, Style::Live(_)))
                    .map(|used| format!("; server: {:.2} cores, {}", used.cores, show_size(used.rss)));
                let server = server.unwrap_or_default();
                let text = format!("{rate}, {}, {} in flight{server}", counted(errors, "error"), show_count(open));
                let percentiles = self.percentiles.borrow();
                self.advance(elapsed, planned, &format!("{text}{percentiles}{}", self.sparkline()));
            }
            // Where the page alone wants it, lines that stay are left as they are.
            RunEvent::LoadSoFar { .. } if !self.wants_load_so_far() => {}
            RunEvent::LoadSoFar { so_far } => {
                let columns = print::columns().unwrap_or(USUAL_COLUMNS);
                self.percentiles.replace(format!("\n{}", clip(&percentiles(&so_far.latency_us), columns)));
            }
            RunEvent::Capacity { elapsed, planned, doing } | RunEvent::Inspection { elapsed, planned, doing } => {
                self.measured();
                self.advance(elapsed, planned, doing);
            }
            RunEvent::Dirty { elapsed, planned, exposures, leaks, doing } => {
                self.measured();
                let doing = doing.map(|doing| format!(", {doing}")).unwrap_or_default();
                let text = format!("{}, {}{doing}", counted(exposures, "exposure"), counted(leaks, "leak"));
                self.advance(elapsed, planned, &text);
            }
            RunEvent::LoadEnded | RunEvent::CapacityEnded | RunEvent::DirtyEnded => {}
            RunEvent::Reported => self.measured(),
            RunEvent::Trouble { message } => self.trouble(message),
        }
    }

    /// Only where a line can be drawn over.
    fn wants_load_so_far(&self) -> bool {
        matches!(self.style, Style::Live(_))
    }
}

/// The latencies of a load so far, in a line.
fn percentiles(latency_us: &Quantiles) -> String {
    let shown = [("p50", latency_us.p50), ("p90", latency_us.p90), ("p99", latency_us.p99), ("max", latency_us.max)];
    let shown = shown.map(|(name, value)| format!("{name} {}", short_micros(value)));
    format!("latency so far: {}", shown.join(", "))
}

/// A time that is still to come, to the second, of more than two minutes to the minute: `40 s`, `3 min`.
fn roughly(time: Duration) -> String {
    match time.as_secs_f64().round() {
        seconds if seconds <= 120.0 => format!("{seconds} s"),
        seconds => format!("{:.0} min", (seconds / 60.0).ceil()),
    }
}

/// Whether a line can be drawn over: not on what is no terminal, nor on one that says of itself that it cannot.
fn can_redraw(is_terminal: bool, term: Option<&OsStr>) -> bool {
    is_terminal && term.is_some_and(|term| !term.is_empty() && term != "dumb")
}

/// `1st`, `2nd`, `13th`.
fn nth(number: u32) -> String {
    let ending = match (number % 10, number % 100 / 10) {
        (_, 1) => "th",
        (1, _) => "st",
        (2, _) => "nd",
        (3, _) => "rd",
        _ => "th",
    };
    format!("{number}{ending}")
}

fn bar() -> ProgressBar {
    let bar = ProgressBar::new(1);
    // What is under way, how far it has come, and what comes of it: lines of their own, so that none is longer than the screen.
    let style = ProgressStyle::with_template("{prefix}\n[{bar:40}] {percent}%\n{msg}");
    bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()).progress_chars("=> "));
    bar
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::measured_value::MeasuredValue;

    #[test]
    fn a_terminal_that_cannot_redraw_gets_plain_lines() {
        assert!(can_redraw(true, Some("xterm-256color".as_ref())));
        assert!(!can_redraw(true, Some("dumb".as_ref())));
        assert!(!can_redraw(true, None));
        assert_eq!(
            [0.4, 40.0, 119.6, 121.0].map(|s| roughly(Duration::from_secs_f64(s))),
            ["0 s", "40 s", "120 s", "3 min"]
        );
        assert!(!can_redraw(false, Some("xterm".as_ref())));
    }

    #[test]
    fn percentiles_are_a_line() {
        let known = |us| Some(MeasuredValue::Exactly(us));
        let latency_us =
            Quantiles { p50: known(1500.0), p99: Some(MeasuredValue::MoreThan(2e6)), ..Quantiles::default() };
        assert_eq!(percentiles(&latency_us), "latency so far: p50 1.50 ms, p90 –, p99 > 2.00 s, max –");
    }

    #[test]
    fn starts_are_numbered_as_people_do() {
        let said: Vec<String> = [1, 2, 3, 4, 11, 12, 13, 21, 112, 122].map(nth).into();
        assert_eq!(said.join(" "), "1st 2nd 3rd 4th 11th 12th 13th 21st 112th 122nd");
    }

    #[test]
    fn the_rate_of_the_first_second_is_that_of_what_there_is_of_it() {
        let progress = Progress::new(false, Style::Silent);
        let at = |millis, count| progress.rate(Duration::from_millis(millis), count);
        assert_eq!(at(0, 0), 0.0);
        assert_eq!(at(250, 1_000), 4_000.0);
        assert_eq!(at(1_000, 4_500), 4_500.0);
        assert_eq!(at(1_500, 9_999), 4_500.0, "until the next whole second");
        assert_eq!(at(2_000, 9_500), 5_000.0);
        progress.part("the next");
        assert_eq!(at(500, 50), 100.0);
    }
}
