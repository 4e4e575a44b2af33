//! What a load thread is to do: its share of the load.

use std::sync::Arc;
use std::time::Duration;

use rand::RngExt as _;

use super::rng::{self, RandomStream};
use super::schedule::{Arrivals, Profile};
use crate::net::clock::Clock;
use crate::net::request::PreparedRequest;
use crate::net::target::Target;
use crate::scenario::template::Placeholder;
use crate::scenario::{self, Model, Protocol, Template, WeightedRequest};
use crate::session::Session;

/// What a load thread is to do.
#[derive(Debug)]
pub(super) struct ThreadPlan {
    /// Started again when the load begins.
    pub clock: Clock,
    pub target: Target,
    pub model: Model,
    pub profile: Profile,
    /// What is sent, ready but for its slots; in the order of `kinds`.
    pub requests: Vec<PreparedRequest>,
    /// The requests as the scenario has them, for scripts that change parts of them.
    pub kinds: Vec<WeightedRequest>,
    /// Whether requests carry trace ids.
    pub traced: bool,
    pub sleep: Option<Duration>,
    pub data: Option<Arc<scenario::Data>>,
    /// Its number, and how many there are. Connections are dealt out in turn, each with its users.
    pub index: u32,
    pub threads: u32,
    /// How many users it has, and how many requests each sends at once.
    pub users: u32,
    pub pipeline: u32,
    pub protocol: Protocol,
    /// When the measured part begins and ends, and when the last unanswered request is given up.
    pub begin: Duration,
    pub end: Duration,
    pub drained: Duration,
    pub timeout: Duration,
    pub pause: Duration,
    /// Measurement requests that it may start.
    pub limit: Option<u64>,
    pub seed: u64,
    /// What its users who have logged in were given, and what each sends, in their order; none without a login.
    logged_in: Vec<(Session, Vec<PreparedRequest>)>,
}

impl ThreadPlan {
    /// For thread `index` of `threads`.
    pub fn new(load: &scenario::LoadSpec, target: &Target, (index, threads): (u32, u32), seed: u64) -> Self {
        let fixed = |placeholder: &Placeholder| target.fixed(placeholder, load.sleep);
        let end = load.warmup + load.duration;
        let share = |whole: u64| (whole + u64::from(threads - 1 - index)) / u64::from(threads);
        ThreadPlan {
            clock: Clock::start(),
            target: target.for_load_thread(load),
            model: load.model,
            profile: Profile::new(load.warmup, &load.levels),
            requests: load
                .kinds
                .iter()
                .map(|kind| PreparedRequest::new(&kind.request, &target.authority, &fixed))
                .collect(),
            kinds: load.kinds.clone(),
            traced: load.kinds.iter().any(|kind| kind.request.has(|hole| *hole == Placeholder::Traceparent)),
            sleep: load.sleep,
            data: load.data.clone(),
            index,
            threads,
            users: users(load, index, threads),
            pipeline: load.protocol.pipeline(),
            protocol: load.protocol,
            begin: load.warmup,
            end,
            drained: end + load.drain,
            timeout: load.timeout,
            pause: load.pause,
            limit: load.requests.map(share),
            seed,
            logged_in: Vec::new(),
        }
    }

    /// With what all users of the load were given when they logged in, and with requests of their own that carry it: so
    /// nothing of it is to be done while the load is under way.
    pub fn of_users(mut self, all: &[Session]) -> Self {
        let own = (0..self.users).filter_map(|slot| all.get(self.number(slot) as usize));
        let prepare = |session: &Session| {
            let requests = self.kinds.iter().map(|kind| {
                let request = self.with_cookies(&kind.request, session);
                PreparedRequest::new(&request, &self.target.authority, &|hole| self.fixed_for(Some(session), hole))
            });
            (session.clone(), requests.collect())
        };
        self.logged_in = own.map(prepare).collect();
        self
    }

    /// What a user sends, by its number: one request of each kind.
    pub fn requests_of(&self, number: u32) -> &[PreparedRequest] {
        self.logged_in.get(self.slot(number)).map_or(&self.requests, |(_, requests)| requests)
    }

    /// What a user was given when it logged in, by its number.
    pub fn session_of(&self, number: u32) -> Option<&Session> {
        self.logged_in.get(self.slot(number)).map(|(session, _)| session)
    }

    /// The place among the users of this thread of the one with this number.
    fn slot(&self, number: u32) -> usize {
        let streams = self.protocol.streams();
        (number / streams / self.threads * streams + number % streams) as usize
    }

    /// What fills a placeholder in all requests of a user alike.
    pub fn fixed_for(&self, session: Option<&Session>, placeholder: &Placeholder) -> Option<String> {
        match (placeholder.captured(), session) {
            (Some(name), Some(session)) => Some(session.captured(name).unwrap_or_default().to_owned()),
            _ => self.target.fixed(placeholder, self.sleep),
        }
    }

    /// A request with the cookies of a session that go with it, behind its own.
    pub fn with_cookies(&self, request: &scenario::RequestSpec, session: &Session) -> scenario::RequestSpec {
        // What fills its slots is not known yet; where a cookie goes rarely depends on that.
        let mut sample = Vec::new();
        let prepared =
            PreparedRequest::once(request, &self.target.authority, &|hole| self.fixed_for(Some(session), hole));
        prepared.write(&mut sample, &mut |_, out| out.push(b'0'));
        let mut request = request.clone();
        let cookies = session.cookies_beside(&sample, self.target.dialer.speaks_tls()).into_iter();
        request.cookies.extend(cookies.map(|(name, value)| (name.to_owned(), Template::literal(value))));
        request
    }

    /// The number among all users of the one in this slot.
    pub fn number(&self, slot: u32) -> u32 {
        number(slot, self.index, self.threads, self.protocol.streams())
    }

    /// When its arrivals of an open load are due: all before the end, however the last one's time is rounded. A closed load
    /// has none.
    pub fn arrivals(&self) -> impl Iterator<Item = Duration> {
        let spacing = match self.model {
            Model::Open { spacing, .. } => Some(spacing),
            Model::Closed => None,
        };
        let all = spacing.map(|spacing| Arrivals::new(&self.profile, spacing, (self.index, self.threads), self.seed));
        all.into_iter().flatten().take_while(|due| *due < self.end)
    }

    /// The kind of a user's request, drawn by weight: the same in every run of one seed.
    pub fn draw_kind(&self, user: u32, seq: u64) -> usize {
        if self.kinds.len() == 1 {
            return 0;
        }
        let sum: u64 = self.kinds.iter().map(|kind| u64::from(kind.weight)).sum();
        let mut left = rng::stream(self.seed, RandomStream::Kinds, (user, seq)).random_range(0..sum.max(1));
        let weighs = |kind: &WeightedRequest| {
            let within = left < u64::from(kind.weight);
            left = left.saturating_sub(kind.weight.into());
            within
        };
        self.kinds.iter().position(weighs).unwrap_or(0)
    }

    /// The kind of a request that no user took up, as chance would have given it.
    pub fn kind_of_unsent(&self, due: Duration) -> usize {
        self.draw_kind(u32::MAX, due.as_nanos() as u64)
    }
}

/// The number among all users of the one in a slot of thread `index` of `threads`.
fn number(slot: u32, index: u32, threads: u32, streams: u32) -> u32 {
    let connection = index + slot / streams * threads;
    connection * streams + slot % streams
}

/// How many users thread `index` of `threads` has.
fn users(load: &scenario::LoadSpec, index: u32, threads: u32) -> u32 {
    let (all, streams) = (load.users(), load.protocol.streams());
    let connections = (load.connections() + threads - 1 - index) / threads;
    (0..connections * streams).filter(|slot| number(*slot, index, threads, streams) < all).count() as u32
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::load::slice::ThreadSlice;
    use crate::load::tests::plan;
    use crate::scenario::{Level, LoadSpec, Spacing};

    #[test]
    fn no_arrival_is_due_at_the_end_or_after_it() {
        let target = Target::tcp("127.0.0.1:1".parse().unwrap(), None);
        for (rate, seconds, arrivals) in [(125.0 / 60.0, 60.0, 125), (100.0, 1.1, 110), (1.0, 1.0, 1)] {
            let lasting = Duration::from_secs_f64(seconds);
            let levels = vec![Level { from: rate, to: rate, lasting }];
            let model = Model::Open { spacing: Spacing::Uniform, max_concurrency: 1 };
            let load = LoadSpec { model, levels, duration: lasting, ..plan() };
            let plan = ThreadPlan::new(&load, &target, (0, 1), 1);
            assert_eq!(plan.arrivals().count(), arrivals, "{rate}/s for {seconds} s");
        }
    }

    #[test]
    fn slices_of_a_load_have_the_arrivals_of_the_whole() {
        let target = Target::tcp("127.0.0.1:1".parse().unwrap(), None);
        let lasting = Duration::from_secs(3);
        for spacing in [Spacing::Uniform, Spacing::Poisson] {
            let levels = vec![Level { from: 100.0, to: 700.0, lasting }];
            let model = Model::Open { spacing, max_concurrency: 64 };
            let load = LoadSpec { model, levels, duration: lasting, ..plan() };
            let of = |indices: std::ops::Range<u32>| -> Vec<Duration> {
                let of_thread = |index| ThreadPlan::new(&load, &target, (index, 8), 7).arrivals().collect::<Vec<_>>();
                indices.flat_map(of_thread).collect()
            };
            let mut whole = of(ThreadSlice::whole(8).indices());
            let mut sliced: Vec<Duration> =
                (0..4).flat_map(|index| of(ThreadSlice::part(8, index, 4).indices())).collect();
            whole.sort_unstable();
            sliced.sort_unstable();
            assert_eq!(sliced, whole);
            assert!(whole.len() > 1_000 && whole.windows(2).all(|pair| pair[0] <= pair[1]), "{}", whole.len());
        }
    }

    #[test]
    fn each_user_belongs_to_one_thread_and_those_of_a_connection_to_the_same() {
        for (all, streams, threads) in [(1, 1, 1), (7, 1, 3), (8, 4, 2), (9, 4, 3), (100, 100, 1), (70, 32, 2)] {
            let levels = vec![Level { from: all.into(), to: all.into(), lasting: Duration::ZERO }];
            let load = LoadSpec { protocol: Protocol::Http2 { streams }, levels, ..plan() };
            let of_thread = |index| {
                (0..users(&load, index, threads)).map(move |slot| number(slot, index, threads, streams)).collect()
            };
            let dealt: Vec<Vec<u32>> = (0..threads).map(of_thread).collect();
            let mut numbers = dealt.concat();
            numbers.sort_unstable();
            assert_eq!(numbers, (0..all).collect::<Vec<_>>(), "{all} users of {threads} threads");
            for (index, users) in (0..).zip(&dealt) {
                assert!(users.iter().all(|number| number / streams % threads == index), "{users:?}");
            }
        }
    }
}
