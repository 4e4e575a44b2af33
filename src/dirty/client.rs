//! Sends the requests of a dirty check, each with a canary of its own, and keeps whole responses.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::ops::Range;
use std::time::{Duration, Instant};

use tokio::sync::Barrier;

use super::events;
use super::identity::Identity;
use super::limit::Throttle;
use super::observation::{CanariesFound, Observation, RecipePlace, Role, Seen};
use super::recipe::{Anomaly, RecipeRequest, SleepLength};
use super::request_forms::RequestForms;
use super::samples::{ResponseSamples, SampleKind};
use super::stopwatch::Stopwatch;
use crate::canary::{Canaries, CanaryShape, Found, Fragment, Fragments, Length};
use crate::exchange::{Exchange, Outcome};
use crate::net::dialer::Dialer;
use crate::net::http2::connection::Http2Connection;
use crate::net::sink::BufferedResponse;
use crate::net::target::Target;
use crate::net::tls;
use crate::scenario::{self, Version};
use crate::session::Captured;

mod hops;
mod multiplexed;
mod patience;
mod principals;
mod streams;
mod wire;
mod writing;

use hops::Trace;
pub(super) use principals::{AskOrder, Created};
use principals::{Creations, Principals};
pub(super) use streams::{Streams, Watched};
pub(super) use wire::Received;
pub(super) use wire::{Stray, Wire};

/// The response header by which a built-in worker names itself.
const WORKER_HEADER: &[u8] = b"x-worker:";
/// The longest nap is this many times the long one, and at least and at most so long.
const LONGEST_NAP: u32 = 3;
const LEAST_LONGEST: Duration = Duration::from_millis(1500);
const MOST_LONGEST: Duration = Duration::from_secs(5);

/// The last canaries of which a part is recognised.
const FRAGMENTS_OF: usize = 300;

/// What all requests of a check share.
#[derive(Debug)]
pub(super) struct CheckClient {
    pub clock: Stopwatch,
    pub forms: RequestForms,
    target: Target,
    version: Version,
    timeout: Duration,
    /// For how long a response of unknown length is read, if the scenario says so.
    stream: Option<Duration>,
    /// Responses that did not end by themselves.
    endless: Cell<u64>,
    /// How many redirects are followed.
    follow: u32,
    /// A log-in is kept for as long as the server takes it.
    once: bool,
    sleeps: Option<scenario::Sleeps>,
    shape: CanaryShape,
    /// Tells this check's URLs from those of another check.
    salt: u64,
    identities_named: Vec<BTreeMap<String, String>>,
    public: Vec<regex::bytes::Regex>,
    group: Option<String>,
    /// The group of each owner who is in one.
    groups: RefCell<HashMap<u64, String>>,
    canaries: RefCell<Canaries>,
    fragments: RefCell<Fragments>,
    requests: Cell<u64>,
    identities: Cell<u64>,
    connections: Cell<u64>,
    quickest: Cell<Duration>,
    observations: RefCell<Vec<Observation>>,
    strays: RefCell<Vec<Stray>>,
    /// Connections on which something came that no request had asked for.
    unsolicited: Cell<u64>,
    /// See [`CheckClient::be_patient`] and [`CheckClient::end_by`].
    patient_until: Cell<Option<Instant>>,
    waited: Cell<Duration>,
    end: Cell<Option<Duration>>,
    /// The time of the check.
    time: Duration,
    throttle: RefCell<Throttle>,
    shut_out: Cell<bool>,
    samples: RefCell<ResponseSamples>,
    /// For whom somebody asks, in a sweep.
    principals: RefCell<Principals>,
    /// What a sweep creates.
    creations: RefCell<Creations>,
    /// Where responses of a sweep show what others have stored: the page, and the place in its response.
    permitted: RefCell<BTreeSet<(usize, String)>>,
    /// Connections on which a stream was reset; held until the round ends.
    left: RefCell<Vec<Http2Connection>>,
}

/// One request to be sent.
#[derive(Clone)]
pub(super) struct Ask<'a> {
    pub shot: RecipeRequest,
    pub role: Role,
    pub place: RecipePlace,
    pub identity: Option<&'a Identity>,
    /// `{seq}` and `{random}` follow from it; from the request's number if there is none.
    pub variation: Option<u64>,
    /// Its URL is no other request's.
    pub own_url: bool,
    /// Where its last byte waits for those of others.
    pub gate: Option<&'a Barrier>,
}

impl<'a> Ask<'a> {
    /// An ordinary request beside which there is no other.
    pub fn alone(identity: &'a Identity) -> Self {
        Ask {
            shot: RecipeRequest::plain(),
            role: Role::Probe,
            place: RecipePlace::default(),
            identity: Some(identity),
            variation: None,
            own_url: false,
            gate: None,
        }
    }
}

impl CheckClient {
    pub fn new(plan: &scenario::DirtySpec, target: &Target, seed: u64, clock: Stopwatch) -> Self {
        CheckClient {
            clock,
            forms: RequestForms::new(plan, target),
            target: speaking(plan, target),
            version: plan.version,
            timeout: plan.timeout,
            stream: plan.stream,
            endless: Cell::new(0),
            follow: plan.follow,
            once: plan.login.as_ref().is_some_and(|login| login.once),
            sleeps: plan.sleep,
            shape: plan.shape,
            salt: seed,
            identities_named: plan.identities.clone(),
            // What compiled for text compiles for bytes.
            public: plan.public.iter().filter_map(|text| regex::bytes::Regex::new(text.as_str()).ok()).collect(),
            group: plan.group.clone(),
            groups: RefCell::default(),
            canaries: RefCell::new(Canaries::new(seed)),
            fragments: RefCell::new(Fragments::new(FRAGMENTS_OF)),
            requests: Cell::new(0),
            identities: Cell::new(0),
            connections: Cell::new(0),
            quickest: Cell::new(Duration::MAX),
            observations: RefCell::default(),
            strays: RefCell::default(),
            unsolicited: Cell::new(0),
            patient_until: Cell::default(),
            waited: Cell::default(),
            end: Cell::default(),
            time: plan.budget.time,
            throttle: RefCell::default(),
            shut_out: Cell::new(false),
            samples: RefCell::default(),
            principals: RefCell::default(),
            creations: RefCell::default(),
            permitted: RefCell::default(),
            left: RefCell::default(),
        }
    }

    /// The client that there is, or a new one, for a server.
    pub fn aimed(
        known: Option<CheckClient>,
        plan: &scenario::DirtySpec,
        target: &Target,
        seed: u64,
        clock: &Stopwatch,
    ) -> CheckClient {
        match known {
            Some(mut client) => {
                client.aim(plan, target);
                client
            }
            None => CheckClient::new(plan, target, seed, clock.clone()),
        }
    }

    /// Turns to another server, or to the same one started anew.
    pub fn aim(&mut self, plan: &scenario::DirtySpec, target: &Target) {
        self.forms = RequestForms::new(plan, target);
        self.target = speaking(plan, target);
    }

    /// Sends to somewhere else from now on, in the same words; returns where requests went before.
    pub fn divert(&mut self, dialer: Dialer) -> Dialer {
        std::mem::replace(&mut self.target.dialer, dialer)
    }

    /// Somebody who has not asked yet; in a sweep, on behalf of the principal whose turn it is.
    pub fn somebody(&self, twist: Anomaly) -> Identity {
        self.somebody_for(0, twist)
    }

    /// Somebody who has not asked yet, for this page.
    pub fn somebody_for(&self, page: usize, twist: Anomaly) -> Identity {
        self.for_a_principal(self.stranger(twist), page)
    }

    /// Somebody who has not asked yet.
    pub fn stranger(&self, twist: Anomaly) -> Identity {
        let number = self.identities.get() + 1;
        self.identities.set(number);
        let length = match twist {
            Anomaly::LongCanary => Length::Long,
            Anomaly::ShortCanary => Length::Short,
            _ => Length::Any,
        };
        Identity { number, canary: self.canary_of(number, length), ..Identity::default() }
    }

    /// A new canary of this owner, who may have others.
    fn canary_of(&self, owner: u64, length: Length) -> String {
        let canary = self.canaries.borrow_mut().make(owner, self.shape, length);
        self.fragments.borrow_mut().add(owner, &canary);
        canary
    }

    /// Somebody who asks again and again: with the fields that the scenario gives to a persona.
    pub fn persona(&self, persona: usize) -> Identity {
        let identity = self.somebody(Anomaly::None);
        let fields = self.identities_named.get(persona).cloned().unwrap_or_default();
        if let Some(group) = self.group.as_ref().and_then(|group| fields.get(group)) {
            self.groups.borrow_mut().insert(identity.number, group.clone());
        }
        Identity { persona: Some(persona), fields, ..identity }
    }

    /// Whether two may see each other's data: they are one, or of one group.
    pub fn may_share(&self, one: u64, other: u64) -> bool {
        let groups = self.groups.borrow();
        one == other || groups.get(&one).is_some_and(|group| groups.get(&other) == Some(group))
    }

    /// Whether what stands there is declared to be for everybody.
    pub fn is_public(&self, text: &[u8], range: &Range<usize>) -> bool {
        let covers = |found: regex::bytes::Match<'_>| found.start() <= range.start && range.end <= found.end();
        self.public.iter().any(|public| public.find_iter(text).any(covers))
    }

    /// A part of somebody's recent canary in `text`, too long for chance, that accuses; `whole` are the canaries in it.
    pub fn fragment_in(
        &self,
        text: &[u8],
        own: Option<u64>,
        whole: &[Found],
        accuses: impl Fn(&Fragment) -> bool,
    ) -> Option<Fragment> {
        self.fragments.borrow().find(text, own.unwrap_or_default(), whole, accuses)
    }

    /// Whether a log-in is kept for as long as the server takes it.
    pub fn stays_logged_in(&self) -> bool {
        self.once
    }

    /// Keeps what a request of a log-in was answered with, as a sample.
    pub fn sample_login(&self, identity: &Identity, bytes: &[u8], status: u16, kept: &BufferedResponse) {
        let (line, who) = (self.show(bytes), (SampleKind::Login, identity.label()));
        let outcome = Outcome::Answered(status);
        self.samples.borrow_mut().take(who, &line, outcome, kept, identity.session.secrets());
    }

    /// Every canary of this check in `text`.
    pub fn canaries_in(&self, text: &[u8]) -> Vec<Found> {
        self.canaries.borrow().scan(text)
    }

    /// Gives each of the last two observed the other's response, as if it had come so.
    pub fn exchange_replies(&self) {
        if let [.., one, other] = self.observations.borrow_mut().as_mut_slice() {
            std::mem::swap(&mut one.reply, &mut other.reply);
        }
    }

    /// Everything observed since the last call. Responses are searched only here, once, and while no request waits.
    pub fn take_observations(&self) -> Vec<Observation> {
        self.left.take();
        let mut observations = self.observations.take();
        let search = |reply: &BufferedResponse| CanariesFound {
            head: self.canaries_in(&reply.head),
            body: self.canaries_in(&reply.body),
        };
        for observation in &mut observations {
            observation.reply.decode();
            self.sample(&observation.seen, &observation.reply, &observation.captured);
            observation.canaries = search(&observation.reply);
            self.note_created(observation);
            for hop in &mut observation.hops {
                hop.reply.decode();
                hop.canaries = search(&hop.reply);
            }
            let holds = |owner| observation.all_canaries().any(|found| found.owner == owner);
            let seen = &observation.seen;
            let own = seen.identity.into_iter().chain(seen.principal).any(holds);
            let seen = &mut observation.seen;
            seen.own = own;
            if seen.own && seen.is_ordinary() {
                self.quickest.set(self.quickest.get().min(seen.exchange.service_time()));
            }
        }
        observations
    }

    /// The least time in which an ordinary request was answered well; `None` if none was.
    pub fn quickest(&self) -> Option<Duration> {
        Some(self.quickest.get()).filter(|quickest| *quickest < Duration::MAX)
    }

    /// How responses are read that need not end.
    pub fn streams(&self) -> Streams {
        Streams { clock: self.clock.clock(), given: self.stream }
    }

    /// Whether responses did not end by themselves.
    pub fn has_met_streams(&self) -> bool {
        self.endless.get() > 0
    }

    /// All that came unasked since the last call.
    pub fn take_strays(&self) -> Vec<Stray> {
        self.strays.take()
    }

    /// On how many connections something came unasked, since the last call.
    pub fn take_unsolicited(&self) -> u64 {
        self.unsolicited.take()
    }

    /// What came, for reports.
    pub fn samples(&self) -> ResponseSamples {
        self.samples.borrow().clone()
    }

    /// What a handler is asked to sleep.
    pub fn sleep(&self, nap: SleepLength) -> Option<Duration> {
        self.sleeps.map(|sleeps| match nap {
            SleepLength::Short => sleeps.short,
            SleepLength::Long => sleeps.long,
            SleepLength::Longest => (sleeps.long * LONGEST_NAP).clamp(LEAST_LONGEST, MOST_LONGEST).max(sleeps.long),
        })
    }

    fn keep(&self, request: u64, ask: &Ask<'_>, bytes: Vec<u8>, connection: u64, exchange: Exchange, came: Trace) {
        let captured = ask.identity.map(|identity| identity.session.secrets().clone()).unwrap_or_default();
        let Trace { reply, url, hops } = came;
        let seen = Seen {
            request,
            identity: ask.identity.map(|identity| identity.number),
            persona: ask.identity.and_then(|identity| identity.persona),
            principal: ask.identity.and_then(|identity| Some(identity.known_as.as_ref()?.0)),
            page: ask.shot.page,
            canary: ask.identity.map(|identity| identity.canary.clone()).unwrap_or_default(),
            role: ask.role,
            place: ask.place,
            line: captured.hide(&self.show(&bytes)),
            connection,
            worker: worker_of(&reply.head),
            sleep: self.sleep(ask.shot.nap),
            exchange,
            bytes: (reply.head.len() + reply.body.len()) as u64,
            tells: false,
            own: false,
        };
        events::exchange(&seen);
        let canaries = CanariesFound::default();
        let observation = Observation { seen, request: bytes, reply, url, hops, captured, canaries };
        self.observations.borrow_mut().push(observation);
    }
}

/// The target, for connections of the version that the plan asks for.
fn speaking(plan: &scenario::DirtySpec, target: &Target) -> Target {
    match plan.version {
        Version::One => target.clone(),
        Version::Two => Target { dialer: target.dialer.clone().for_protocol(tls::HTTP_2), ..target.clone() },
    }
}

impl CheckClient {
    /// Keeps what came of a request, unless that says nothing: one that was to fail, or to be left.
    fn sample(&self, seen: &Seen, reply: &BufferedResponse, captured: &Captured) {
        let at = match (seen.role, seen.identity) {
            _ if !seen.is_well_behaved() => return,
            (_, None) => SampleKind::Anonymous,
            (Role::Probe, _) if seen.persona.is_some() => SampleKind::Solo,
            (Role::Probe, _) => SampleKind::Control,
            _ => SampleKind::Trigger,
        };
        let fields = seen.persona.and_then(|persona| self.identities_named.get(persona)).cloned().unwrap_or_default();
        let who = Identity { persona: seen.persona, fields, ..Identity::default() }.label();
        self.samples.borrow_mut().take((at, who), &seen.line, seen.exchange.outcome, reply, captured);
    }
}

fn worker_of(head: &[u8]) -> Option<String> {
    let line = head
        .split(|byte| *byte == b'\n')
        .find(|line| line.get(..WORKER_HEADER.len()).is_some_and(|name| name.eq_ignore_ascii_case(WORKER_HEADER)))?;
    Some(String::from_utf8_lossy(line[WORKER_HEADER.len()..].trim_ascii()).into_owned())
}

#[cfg(test)]
pub(super) mod tests;
