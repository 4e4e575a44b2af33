//! The leaks of a simulated application, as those of `tests/sweep/leaks.py`: what each keeps, when a request writes it, and
//! when one shows it.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

/// What leaks, and how.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// Held while the source works, and cleared after it.
    Slot,
    /// Written when the source begins, and never cleared: a module, a thread, a worker's context.
    Stale,
    /// The same, of each of many threads.
    ThreadLocal,
    /// Written when a request begins, and read when it ends.
    OwnSlot,
    /// Who asks while the answer is being made gets that one.
    SingleFlight,
    /// By path, for a time.
    PageCache,
    /// Of all its operations, for a time.
    Fragment,
    /// By path, for ever.
    Memo,
    /// The last three who asked.
    Recent,
    /// Whose request failed.
    ErrorState,
    /// A failing request shows whose last one did not fail.
    ErrorPage,
    PerConnection,
    /// A pool of things on which a user is set.
    Pool,
    /// Written a little after the response.
    Background,
    /// A slot that is written only for a time after a third operation was asked.
    ThirdParty,
    /// What a client that left did not wait for goes to the next.
    Abort,
}

/// An operation's part in a leak.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Part {
    Source,
    Victim,
    Both,
    Third,
}

const KEPT_FOR: Duration = Duration::from_secs(2);
const ARMED_FOR: Duration = Duration::from_millis(300);
const IN_THE_BACKGROUND: Duration = Duration::from_millis(10);
const REMEMBERED: usize = 3;

/// A request at one moment, as a leak sees it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Moment<'a> {
    pub part: Part,
    /// What only its sender may see again.
    pub told: Option<&'a str>,
    pub path: &'a str,
    pub connection: u64,
    pub thread: u64,
    pub now: Duration,
    pub failed: bool,
    /// Its client has left.
    pub gone: bool,
}

/// What a request holds of a leak while it works.
#[derive(Debug, Default)]
pub(super) struct Held {
    value: Option<String>,
    /// It is the one whose answer others wait for.
    is_first: bool,
}

/// What a leak keeps.
#[derive(Debug, Default)]
pub(super) struct Kept {
    value: Option<String>,
    until: Duration,
    by_path: BTreeMap<String, (String, Duration)>,
    /// By connection, or by thread.
    by_connection: BTreeMap<u64, String>,
    several: VecDeque<String>,
    idle: Vec<Option<String>>,
}

impl Kept {
    /// A request begins.
    pub fn begin(&mut self, kind: Kind, at: &Moment<'_>) -> Held {
        let writes = matches!(at.part, Part::Source | Part::Both);
        let told = at.told.map(str::to_owned);
        let mut held = Held::default();
        match kind {
            Kind::Slot | Kind::Stale | Kind::OwnSlot if writes => self.value = told,
            Kind::SingleFlight if self.value.is_none() => {
                self.value = told;
                held.is_first = true;
            }
            Kind::SingleFlight => held.value = self.value.clone(),
            Kind::PerConnection if writes => {
                self.by_connection.extend(told.map(|told| (at.connection, told)));
            }
            Kind::ThreadLocal if writes => {
                self.by_connection.extend(told.map(|told| (at.thread, told)));
            }
            Kind::Pool => {
                let taken = self.idle.pop().flatten();
                held.value = if writes { told } else { taken };
            }
            Kind::ThirdParty if writes => self.value = told.filter(|_| at.now < self.until),
            Kind::Abort if !writes => held.value = self.value.take(),
            _ => {}
        }
        held
    }

    /// A request ends: what it shows.
    pub fn end(&mut self, kind: Kind, at: &Moment<'_>, held: Held) -> Option<String> {
        let (writes, shows) = (at.part != Part::Victim, matches!(at.part, Part::Victim | Part::Both));
        let told = at.told.map(str::to_owned);
        let shown = match kind {
            Kind::Slot => {
                let shown = self.value.clone();
                if writes {
                    self.value = None;
                }
                shown
            }
            Kind::Stale | Kind::OwnSlot => self.value.clone(),
            Kind::SingleFlight if held.is_first => self.value.take(),
            Kind::SingleFlight => held.value,
            Kind::PageCache | Kind::Memo => {
                let kept =
                    self.by_path.get(at.path).filter(|(_, until)| *until > at.now).map(|(value, _)| value.clone());
                let until = if kind == Kind::Memo { Duration::MAX } else { at.now + KEPT_FOR };
                if kept.is_none() {
                    self.by_path.extend(told.clone().map(|told| (at.path.to_owned(), (told, until))));
                }
                kept
            }
            Kind::Fragment => {
                if self.until < at.now && told.is_some() {
                    (self.value, self.until) = (told.clone(), at.now + KEPT_FOR);
                }
                self.value.clone()
            }
            Kind::Recent => {
                self.several.extend(told.clone());
                while self.several.len() > REMEMBERED {
                    self.several.pop_front();
                }
                Some(Vec::from(self.several.clone()).join(", "))
            }
            Kind::ErrorState => {
                if writes && at.failed {
                    self.value = told.clone();
                }
                self.value.clone()
            }
            Kind::ErrorPage if at.failed => self.value.clone(),
            Kind::ErrorPage => {
                self.value = told.clone();
                None
            }
            Kind::PerConnection => self.by_connection.get(&at.connection).cloned(),
            Kind::ThreadLocal => self.by_connection.get(&at.thread).cloned(),
            Kind::Pool => {
                self.idle.push(held.value.clone());
                held.value
            }
            Kind::Background => {
                if writes {
                    let ready = at.now + IN_THE_BACKGROUND;
                    self.by_path.extend(told.clone().map(|told| (at.path.to_owned(), (told, ready))));
                }
                self.by_path.values().find(|(_, ready)| *ready <= at.now).map(|(value, _)| value.clone())
            }
            Kind::ThirdParty => {
                if at.part == Part::Third {
                    self.until = at.now + ARMED_FOR;
                }
                self.value.clone()
            }
            Kind::Abort => {
                if writes && at.gone {
                    self.value = told.clone();
                }
                held.value
            }
        };
        shown.or(told).filter(|_| shows)
    }
}
