//! What a round sends, as data. Triggers make recipes, the client carries them out, shrinking thins them out, the
//! record keeps them, and a replay reads them back.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// Bounds of what is carried out from a record, far above what triggers make.
const MOST_LINES: usize = 1_000;
const MOST_REQUESTS: usize = 100_000;
const LONGEST_MS: f64 = 600_000.0;

/// Lines of requests, side by side.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Recipe {
    pub lines: Vec<Line>,
    /// Only a server that nothing was asked of before will do.
    #[serde(default, skip_serializing_if = "is_default")]
    pub fresh_server: bool,
    /// `{seq}` and `{random}` are the same in all of its requests, so that nothing but the identity tells them apart.
    #[serde(default, skip_serializing_if = "is_default")]
    pub same_url: bool,
    /// Each request has a URL of its own, by a parameter that no handler reads: past any cache whose key is the URL.
    #[serde(default, skip_serializing_if = "is_default")]
    pub own_url: bool,
    /// It goes over HTTP/2.
    #[serde(default, skip_serializing_if = "is_default")]
    pub http2: bool,
    /// Over HTTP/2: all lines share one connection.
    #[serde(default, skip_serializing_if = "is_default")]
    pub one_connection: bool,
}

/// Requests that are sent one after the other.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Line {
    pub start: Start,
    /// All over one connection; else each over a new one.
    #[serde(default, skip_serializing_if = "is_default")]
    pub reuse: bool,
    /// All are sent before the first response is read. Over one connection.
    #[serde(default, skip_serializing_if = "is_default")]
    pub pipelined: bool,
    pub shots: Vec<RecipeRequest>,
    /// Sends its shots again and again until another line has ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Until>,
}

/// Repeats a line until another has ended.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Until {
    /// The index of the other line.
    pub line: usize,
    /// No more often than this: bounds the memory of a round.
    pub most: u32,
}

/// When a line's first request is sent.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Start {
    /// This many milliseconds after the round began.
    At(f64),
    /// When the line with this index has ended.
    After(usize),
    /// Its first request is sent but for its last byte, which goes out together with that of all other such lines.
    Gate,
}

impl Default for Start {
    fn default() -> Self {
        Start::At(0.0)
    }
}

/// One request.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct RecipeRequest {
    pub who: Principal,
    #[serde(default, skip_serializing_if = "is_default")]
    pub nap: SleepLength,
    #[serde(default, skip_serializing_if = "is_default")]
    pub twist: Anomaly,
    /// Milliseconds to wait before it.
    #[serde(default, skip_serializing_if = "is_default")]
    pub pause_ms: f64,
    /// Which page it asks for: the scenario's `path`, or one of those that it names in `also`, from 1.
    #[serde(default, skip_serializing_if = "is_default")]
    pub page: usize,
}

/// Whose request it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Principal {
    /// Somebody who asks nothing else in this round.
    Another,
    /// Nobody: the request leaves out what would say who asks.
    Nobody,
    /// The persona with this index, who asks again and again.
    Persona(usize),
}

/// What the handler is asked to sleep, where the scenario has a `{sleep}`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SleepLength {
    #[default]
    Short,
    Long,
    /// Long enough that a server's own time-out may fire.
    Longest,
}

/// What is out of the ordinary about a request.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Anomaly {
    #[default]
    None,
    /// The canary is as long as its shape allows.
    LongCanary,
    /// The canary is as short as its shape allows.
    ShortCanary,
    /// Spoilt in the way with this index, so that the handler fails.
    Malformed(usize),
    /// With a body of more than 64 KiB.
    Big,
    /// The client leaves with a reset, this many milliseconds after it has sent all of it.
    Abort(f64),
    /// Half of it is sent, the rest this many milliseconds later.
    Halting(f64),
    /// Its body looks like another request, with another canary of the same identity; it is made to be refused in the way
    /// with this index.
    Smuggling(usize),
    /// Its URL ends like that of a file that anybody may have, in the way with this index.
    Suffixed(usize),
    /// For a page that does not exist.
    Elsewhere,
}

impl Anomaly {
    /// For which the client waits.
    fn millis(self) -> f64 {
        match self {
            Anomaly::Abort(millis) | Anomaly::Halting(millis) => millis,
            Anomaly::None
            | Anomaly::LongCanary
            | Anomaly::ShortCanary
            | Anomaly::Malformed(_)
            | Anomaly::Big
            | Anomaly::Smuggling(_)
            | Anomaly::Suffixed(_)
            | Anomaly::Elsewhere => 0.0,
        }
    }
}

impl RecipeRequest {
    /// An ordinary request by somebody else.
    pub fn plain() -> RecipeRequest {
        RecipeRequest { who: Principal::Another, nap: SleepLength::Short, twist: Anomaly::None, pause_ms: 0.0, page: 0 }
    }

    /// An ordinary request for a page, by its index.
    pub fn of_page(page: usize) -> RecipeRequest {
        RecipeRequest { page, ..RecipeRequest::plain() }
    }

    /// A request that leaves out what would say who asks.
    pub fn anonymous() -> RecipeRequest {
        RecipeRequest { who: Principal::Nobody, ..RecipeRequest::plain() }
    }

    /// A request that sleeps for the long time.
    pub fn long() -> RecipeRequest {
        RecipeRequest { nap: SleepLength::Long, ..RecipeRequest::plain() }
    }

    /// A request that is sent in an unusual way.
    pub fn twisted(twist: Anomaly) -> RecipeRequest {
        RecipeRequest { twist, ..RecipeRequest::plain() }
    }
}

impl Line {
    /// These requests, one after the other, each over a new connection.
    pub fn of(shots: Vec<RecipeRequest>) -> Line {
        Line { shots, ..Line::default() }
    }

    /// Ordinary requests for these pages, one after the other, each over a new connection.
    pub fn of_pages(pages: &[usize]) -> Line {
        Line::of(pages.iter().copied().map(RecipeRequest::of_page).collect())
    }

    /// The same line, which begins then.
    pub fn starting(self, start: Start) -> Line {
        Line { start, ..self }
    }

    /// What is wrong with it as the line of this index. It may wait only for those before it: so none wait for each other.
    fn validate(&self, index: usize) -> Result<(), String> {
        let start = match self.start {
            Start::After(other) if other >= index => {
                return Err(format!("starts after line {other}, which is not before it"));
            }
            Start::Gate if self.pipelined => return Err("is pipelined, and waits at the gate".to_owned()),
            Start::At(millis) => millis,
            Start::After(_) | Start::Gate => 0.0,
        };
        if let Some(until) = self.until.filter(|until| until.line >= index) {
            return Err(format!("goes on until line {} has ended, which is not before it", until.line));
        }
        if self.shots.is_empty() {
            return Err("sends nothing".to_owned());
        }
        let times = self.shots.iter().flat_map(|shot| [shot.pause_ms, shot.twist.millis()]);
        match std::iter::once(start).chain(times).find(|millis| !(0.0..=LONGEST_MS).contains(millis)) {
            Some(millis) => Err(format!("waits for {millis:e} ms, and may wait for 0 to {LONGEST_MS}")),
            None => Ok(()),
        }
    }

    /// All requests over one connection.
    pub fn on_one_connection(self) -> Line {
        Line { reuse: true, ..self }
    }
}

impl Recipe {
    /// These lines, beside each other.
    pub fn of(lines: Vec<Line>) -> Recipe {
        Recipe { lines, ..Recipe::default() }
    }

    /// What makes it impossible to carry out, as a sentence without its full stop: a record may come from anywhere.
    pub fn validate(&self) -> Result<(), String> {
        if self.lines.is_empty() || self.lines.len() > MOST_LINES {
            return Err(format!("it has {} lines, and may have 1 to {MOST_LINES}", self.lines.len()));
        }
        let sent =
            |line: &Line| line.shots.len().saturating_mul(line.until.map_or(1, |until| until.most.max(1)) as usize);
        let requests = self.lines.iter().map(sent).fold(0, usize::saturating_add);
        if requests > MOST_REQUESTS {
            return Err(format!("it sends {requests} requests, and may send {MOST_REQUESTS}"));
        }
        self.lines
            .iter()
            .enumerate()
            .try_for_each(|(index, line)| line.validate(index).map_err(|what| format!("its line {index} {what}")))
    }

    /// How long it takes at least: what it waits for, and what the server sleeps, as `sleep` has it for each nap.
    pub fn takes(&self, sleep: impl Fn(SleepLength) -> Duration) -> Duration {
        let millis = |millis: f64| Duration::try_from_secs_f64(millis / 1e3).unwrap_or_default();
        let mut ends: Vec<Duration> = Vec::new();
        for line in &self.lines {
            let begin = match line.start {
                Start::At(at) => millis(at),
                Start::After(other) => ends.get(other).copied().unwrap_or_default(),
                Start::Gate => Duration::ZERO,
            };
            let shots = line.shots.iter().map(|shot| match shot.twist {
                // It leaves before it is answered.
                Anomaly::Abort(after) => millis(shot.pause_ms + after),
                twist => millis(shot.pause_ms + twist.millis()) + sleep(shot.nap),
            });
            // Answers are not waited for, but pauses are.
            let pauses: f64 = line.shots.iter().map(|shot| shot.pause_ms).sum();
            let all =
                if line.pipelined { millis(pauses) + shots.max().unwrap_or_default() } else { shots.sum::<Duration>() };
            ends.push(begin + all);
        }
        ends.into_iter().max().unwrap_or_default()
    }

    /// The greatest index of a persona that asks, if any does.
    pub fn last_persona(&self) -> Option<usize> {
        let persona = |(_, shot): (usize, &RecipeRequest)| {
            if let Principal::Persona(index) = shot.who { Some(index) } else { None }
        };
        self.shots().filter_map(persona).max()
    }

    /// All shots, with the line that each is on.
    pub fn shots(&self) -> impl Iterator<Item = (usize, &RecipeRequest)> {
        self.lines.iter().enumerate().flat_map(|(index, line)| line.shots.iter().map(move |shot| (index, shot)))
    }
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_recipe_takes_is_what_it_waits_for_and_has_the_server_sleep() {
        let ms = Duration::from_millis;
        let sleep = |nap| if nap == SleepLength::Short { ms(30) } else { ms(700) };
        let takes = |lines: Vec<Line>| Recipe::of(lines).takes(sleep);
        let plain = || Line::of(vec![RecipeRequest::plain(); 2]);
        assert_eq!(takes(vec![Line::of(vec![RecipeRequest::long()]), plain()]), ms(700));
        assert_eq!(takes(vec![Line::of(vec![RecipeRequest::long()]), plain().starting(Start::After(0))]), ms(760));
        assert_eq!(takes(vec![plain().starting(Start::At(100.0))]), ms(160));
        assert_eq!(takes(vec![Line { pipelined: true, ..plain() }]), ms(30));
        let later = RecipeRequest { pause_ms: 5.0, ..RecipeRequest::plain() };
        assert_eq!(takes(vec![Line { pipelined: true, ..Line::of(vec![later; 3]) }]), ms(50), "pauses add up");
        let halting = RecipeRequest { pause_ms: 5.0, ..RecipeRequest::twisted(Anomaly::Halting(1500.0)) };
        assert_eq!(takes(vec![Line::of(vec![halting])]), ms(1535));
        let leaving = RecipeRequest { nap: SleepLength::Long, ..RecipeRequest::twisted(Anomaly::Abort(20.0)) };
        assert_eq!(takes(vec![Line::of(vec![leaving])]), ms(20));
    }

    #[test]
    fn a_recipe_that_would_hang_or_panic_is_refused() {
        let plain = || Line::of(vec![RecipeRequest::plain()]);
        let wrong = |lines: Vec<Line>| Recipe::of(lines).validate().err().unwrap_or_default();
        let until = |line| Some(Until { line, most: 10 });
        assert_eq!(wrong(vec![plain(), plain().starting(Start::After(0)), Line { until: until(0), ..plain() }]), "");
        assert!(wrong(Vec::new()).contains("0 lines") && wrong(vec![Line::default()]).contains("sends nothing"));
        assert!(wrong(vec![plain().starting(Start::After(0))]).contains("line 0 starts after line 0"));
        assert!(wrong(vec![Line { until: until(0), ..plain() }]).contains("goes on until line 0"));
        assert!(wrong(vec![Line { pipelined: true, ..plain().starting(Start::Gate) }]).contains("the gate"));
        for millis in [1e300, f64::NAN, -1.0] {
            assert!(wrong(vec![plain().starting(Start::At(millis))]).contains("waits for"), "{millis}");
            assert!(
                wrong(vec![Line::of(vec![RecipeRequest::twisted(Anomaly::Abort(millis))])]).contains("waits for"),
                "{millis}"
            );
        }
        let endless = Line { until: Some(Until { line: 0, most: u32::MAX }), ..plain() };
        assert!(wrong(vec![plain(), endless]).contains("requests, and may send"));
    }
}
