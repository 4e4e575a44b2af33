//! One request of a dirty check and the whole response to it.

use std::time::Duration;

use url::Url;

use super::recipe::{Anomaly, Principal, RecipeRequest, SleepLength};
use crate::canary::Found;
use crate::exchange::{Exchange, Outcome};
use crate::net::sink::BufferedResponse;
use crate::session::Captured;
use crate::trigger::Trigger;

/// What part a request plays.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// Alone, in the control run.
    Probe,
    /// Around the short ones.
    Long,
    /// An ordinary one, within the long one or beside its like.
    Short,
    /// Does not say who asks.
    Anonymous,
    /// Spoilt, so that its handler fails.
    Failing,
    /// Its client left before the response.
    Leaving,
    /// For another page than the scenario's `path`, or for a URL that looks like another: nothing is known of what a lone
    /// one gets.
    Elsewhere,
}

impl Role {
    /// Whether it does not go to its end as others do: it fails, or its client leaves.
    pub const fn is_odd(self) -> bool {
        self.trigger().is_some()
    }

    /// The trigger whose requests do not go to their end in this way.
    pub const fn trigger(self) -> Option<Trigger> {
        match self {
            Role::Failing => Some(Trigger::Error),
            Role::Leaving => Some(Trigger::Abort),
            Role::Probe | Role::Long | Role::Short | Role::Anonymous | Role::Elsewhere => None,
        }
    }

    /// The name in records and reports.
    pub const fn name(self) -> &'static str {
        match self {
            Role::Probe => "probe",
            Role::Long => "long",
            Role::Short => "short",
            Role::Anonymous => "anonymous",
            Role::Failing => "failing",
            Role::Leaving => "leaving",
            Role::Elsewhere => "elsewhere",
        }
    }

    /// That of a shot; in a sweep no page is another than the one that is checked.
    pub(super) fn of(shot: &RecipeRequest, is_sweep: bool) -> Role {
        match (shot.who, shot.twist, shot.nap) {
            (_, Anomaly::Abort(_), _) => Role::Leaving,
            (_, Anomaly::Malformed(_) | Anomaly::Smuggling(_), _) => Role::Failing,
            (_, Anomaly::Suffixed(_), _) => Role::Elsewhere,
            _ if shot.page > 0 && !is_sweep => Role::Elsewhere,
            (Principal::Nobody, ..) => Role::Anonymous,
            (_, _, SleepLength::Long | SleepLength::Longest) => Role::Long,
            _ => Role::Short,
        }
    }
}

/// Where in its recipe a request stands.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct RecipePlace {
    pub line: usize,
    pub shot: usize,
}

/// What is remembered of a request when its response is gone. Times count from the start of the check.
#[derive(Debug, Clone)]
pub struct Seen {
    /// Its number in the whole check, from 1.
    pub request: u64,
    /// Who asked: the owner of its canary. `None` if nobody, as of an anonymous request.
    pub identity: Option<u64>,
    /// The index of the persona who asked.
    pub persona: Option<usize>,
    /// In a sweep, the principal for whom it asked: the owner of what all of that one's requests say.
    pub principal: Option<u64>,
    /// Which page it was for: the scenario's `path`, or one of the others, from 1; in a sweep, the index of the operation.
    pub page: usize,
    /// Empty for an anonymous request.
    pub canary: String,
    pub role: Role,
    pub place: RecipePlace,
    /// `GET /dirty/?sleep=0.7&email=...`.
    pub line: String,
    /// The number of its connection in the whole check, from 1.
    pub connection: u64,
    /// The process that answered, where the response says so.
    pub worker: Option<String>,
    /// What it asked its handler to sleep.
    pub sleep: Option<Duration>,
    pub exchange: Exchange,
    /// Bytes that were read of its response, head and body.
    pub bytes: u64,
    /// A leak would have shown in its response: that held a canary, its own or another's, or had a status below 400 and was
    /// not asked for one, or shows who asks in another way.
    pub tells: bool,
    /// Its response held its own canary.
    pub own: bool,
}

impl Seen {
    /// When it was sent, on the clock of the run; when it was due if it never was.
    pub fn sent(&self) -> Duration {
        self.exchange.sent.unwrap_or(self.exchange.intended)
    }

    /// Answered, whatever the status, in a way in which a leak would show.
    pub fn is_usable(&self) -> bool {
        self.tells && self.status().is_some()
    }

    /// Answered well, to a request with nothing unusual about it.
    pub fn is_ordinary(&self) -> bool {
        matches!(self.role, Role::Probe | Role::Short) && self.status().is_some_and(|status| status < 400)
    }

    /// Neither spoilt nor left by its client, and for the page that is checked.
    pub fn is_well_behaved(&self) -> bool {
        !matches!(self.role, Role::Failing | Role::Leaving | Role::Elsewhere)
    }

    /// It was not answered, although its client stayed.
    pub fn failed_to_be_answered(&self) -> bool {
        self.status().is_none() && self.role != Role::Leaving
    }

    /// Whether a canary of this owner came with it.
    pub fn brought(&self, owner: u64) -> bool {
        self.identity == Some(owner) || self.principal == Some(owner)
    }

    /// The status of its response; `None` without one.
    pub fn status(&self) -> Option<u16> {
        match self.exchange.outcome {
            Outcome::Answered(status) => Some(status),
            _ => None,
        }
    }

    /// From when to when it was surely being handled. A client does not see that, only when a request was sent and
    /// answered; but a handler that slept for so long was at it for at least so long before its response. Where no sleep is
    /// known, the whole wait stands for the handling.
    pub fn handling(&self) -> (Duration, Duration) {
        let done = self.exchange.done;
        let start = self.sleep.map_or(self.sent(), |sleep| done.saturating_sub(sleep).max(self.sent()));
        (start, done)
    }

    /// Whether both were being handled at one time.
    pub fn coincided_with(&self, other: &Seen) -> bool {
        let ((a_start, a_end), (b_start, b_end)) = (self.handling(), other.handling());
        a_start < b_end && b_start < a_end
    }
}

/// A request and its response.
#[derive(Debug, Clone)]
pub struct Observation {
    pub seen: Seen,
    /// As it was sent.
    pub request: Vec<u8>,
    pub reply: BufferedResponse,
    /// Where the last request for it went, if it went by a redirect.
    pub url: Option<Url>,
    /// Responses on the way to this one, which redirected it.
    pub hops: Vec<Hop>,
    /// What a login gave for it, which is not for a record.
    pub captured: Captured,
    /// The canaries that stand in the response.
    pub canaries: CanariesFound,
}

/// A response that was a redirect, and was followed.
#[derive(Debug, Clone)]
pub struct Hop {
    pub status: u16,
    /// Where its request went.
    pub url: Option<Url>,
    pub reply: BufferedResponse,
    pub canaries: CanariesFound,
}

impl Observation {
    /// Every canary in the response, and in those that redirected to it.
    pub fn all_canaries(&self) -> impl Iterator<Item = &Found> {
        self.canaries.all().chain(self.hops.iter().flat_map(|hop| hop.canaries.all()))
    }

    /// Whether the end of a response was not kept.
    pub fn is_cut(&self) -> bool {
        self.reply.cut || self.hops.iter().any(|hop| hop.reply.cut)
    }
}

/// The variable of a shell that stands in place of a secret with this name: `$AUTHORIZATION`.
pub fn variable(name: &str) -> String {
    let fits = |c: char| if c.is_ascii_alphanumeric() { c.to_ascii_uppercase() } else { '_' };
    format!("${}", name.chars().map(fits).collect::<String>())
}

/// What was found in the two parts of a response.
#[derive(Debug, Clone, Default)]
pub struct CanariesFound {
    pub head: Vec<Found>,
    pub body: Vec<Found>,
}

impl CanariesFound {
    /// What was found in the body, then what was found in the head.
    pub fn all(&self) -> impl Iterator<Item = &Found> {
        self.body.iter().chain(&self.head)
    }
}
