//! Sends the requests of a dirty check, each with a canary of its own, and keeps whole responses.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, HashMap};
use std::ops::Range;
use std::time::Duration;

use tokio::sync::Barrier;

use super::forms::{self, Forms};
use super::identity::{Identity, Session};
use super::observation::{InReply, Observation, Place, Role, Seen, without_token};
use super::recipe::{Nap, Shot, Twist};
use crate::canary::{Canaries, Found, Fragment, Fragments, Length, Shape};
use crate::exchange::{Exchange, Failure, Outcome};
use crate::load::Target;
use crate::load::clock::Clock;
use crate::load::connection::dialer::{Dialer, NoConnection};
use crate::load::connection::http1::{Answer, Broken, Connection};
use crate::load::connection::reply::Kept;
use crate::load::request::{Prepared, show_sleep};
use crate::scenario;
use crate::scenario::template::Placeholder;

/// The response header by which a built-in worker names itself.
const WORKER_HEADER: &[u8] = b"x-worker:";
/// The longest nap is so many times the long one, and at least and at most so long.
const LONGEST_NAP: u32 = 3;
const LEAST_LONGEST: Duration = Duration::from_millis(1500);
const MOST_LONGEST: Duration = Duration::from_secs(5);

/// The last canaries of which a part is recognised.
const FRAGMENTS_OF: usize = 300;

/// What all requests of a check share.
#[derive(Debug)]
pub(super) struct Client {
    pub clock: Clock,
    pub forms: Forms,
    target: Target,
    timeout: Duration,
    sleeps: Option<scenario::Sleeps>,
    shape: Shape,
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
}

/// A connection with its number in the check.
#[derive(Debug, Default)]
pub(super) struct Wire {
    open: Option<Connection>,
    number: u64,
    /// The last request that was answered on it.
    last: u64,
}

/// Bytes that came on a connection although nothing was asked.
#[derive(Debug, Clone)]
pub(super) struct Stray {
    /// The last request on that connection before them.
    pub after: u64,
    pub bytes: Vec<u8>,
}

/// One request to be sent.
#[derive(Clone)]
pub(super) struct Ask<'a> {
    pub shot: Shot,
    pub role: Role,
    pub place: Place,
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
            shot: Shot::plain(),
            role: Role::Probe,
            place: Place::default(),
            identity: Some(identity),
            variation: None,
            own_url: false,
            gate: None,
        }
    }
}

/// How far a request has come.
#[derive(Debug, Default)]
struct Way {
    sent: Option<Duration>,
    kept: Kept,
}

/// What became of an attempt.
enum Came {
    Answer(Answer),
    /// The client left.
    Left,
}

impl Client {
    pub fn new(plan: &scenario::Dirty, target: &Target, seed: u64, clock: Clock) -> Self {
        Client {
            clock,
            forms: Forms::new(plan, target),
            target: target.clone(),
            timeout: plan.timeout,
            sleeps: plan.sleep,
            shape: plan.shape,
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
        }
    }

    /// Turns to another server, or to the same one started anew.
    pub fn aim(&mut self, plan: &scenario::Dirty, target: &Target) {
        self.forms = Forms::new(plan, target);
        self.target = target.clone();
    }

    /// Sends to somewhere else from now on, in the same words; returns where requests went before.
    pub fn divert(&mut self, dialer: Dialer) -> Dialer {
        std::mem::replace(&mut self.target.dialer, dialer)
    }

    /// Somebody who has not asked yet.
    pub fn somebody(&self, twist: Twist) -> Identity {
        let number = self.identities.get() + 1;
        self.identities.set(number);
        let length = match twist {
            Twist::LongCanary => Length::Long,
            Twist::ShortCanary => Length::Short,
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
        let identity = self.somebody(Twist::None);
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

    /// Logs everybody in, one after the other, where the scenario has a login; the error says who was refused, and how.
    pub async fn log_in(&self, identities: &mut [Identity]) -> Result<(), String> {
        let Some(login) = &self.forms.login else { return Ok(()) };
        for identity in identities {
            identity.session = Session::default();
            let ask = Ask::alone(identity);
            let bytes = self.fill(&login.request, identity.number, &ask);
            let line = self.show(&bytes);
            let mut way = Way::default();
            let mut wire = Wire::default();
            let attempt = self.attempt(&mut wire, &bytes, &ask, &mut way);
            let came = tokio::time::timeout(self.timeout, attempt).await;
            match came {
                Ok(Ok(Came::Answer(answer))) if answer.status < 400 => {}
                Ok(Ok(Came::Answer(answer))) => {
                    return Err(format!("the login {line} was answered with status {}", answer.status));
                }
                Ok(Err(broken)) => return Err(format!("the login {line} got no answer ({})", broken.failure().name())),
                Ok(Ok(Came::Left)) | Err(_) => return Err(format!("the login {line} got no answer")),
            }
            identity.session.take_cookies(&way.kept.head);
            if let Some(path) = &login.token {
                identity.session.take_token(&way.kept.body, path).map_err(|why| format!("the login {line}: {why}"))?;
            }
        }
        Ok(())
    }

    /// Every canary of this check in `text`.
    pub fn canaries_in(&self, text: &[u8]) -> Vec<Found> {
        self.canaries.borrow().scan(text)
    }

    /// Everything observed since the last call. Responses are searched only here, once, and while no request waits.
    pub fn take_observations(&self) -> Vec<Observation> {
        let mut observations = self.observations.take();
        for Observation { seen, reply, canaries, .. } in &mut observations {
            *canaries = InReply { head: self.canaries_in(&reply.head), body: self.canaries_in(&reply.body) };
            let holds = |owner| canaries.all().any(|found| found.owner == owner);
            seen.own = seen.identity.is_some_and(holds);
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

    /// All that came unasked since the last call.
    pub fn take_strays(&self) -> Vec<Stray> {
        self.strays.take()
    }

    /// What a handler is asked to sleep.
    pub fn sleep(&self, nap: Nap) -> Option<Duration> {
        self.sleeps.map(|sleeps| match nap {
            Nap::Short => sleeps.short,
            Nap::Long => sleeps.long,
            Nap::Longest => (sleeps.long * LONGEST_NAP).clamp(LEAST_LONGEST, MOST_LONGEST).max(sleeps.long),
        })
    }

    /// Sends one request on `wire`, which is opened if need be, and waits for its response. What is observed is kept here,
    /// so that a check that is cut short loses nothing. Returns whether it was answered.
    pub async fn send(&self, wire: &mut Wire, ask: &Ask<'_>) -> bool {
        self.look_for_strays(wire);
        let (request, bytes) = self.write(ask);
        let mut way = Way::default();
        let intended = self.clock.now();
        let work = self.converse(wire, &bytes, ask, &mut way);
        let came = tokio::time::timeout(self.timeout, work).await.unwrap_or(Err(Failure::Timeout));
        let exchange = self.exchange(intended, way.sent, came);
        wire.last = request;
        self.keep(request, ask, &bytes, wire.number, exchange, way.kept);
        matches!(exchange.outcome, Outcome::Answered(_))
    }

    /// Sends requests on one connection without waiting for answers, then reads as many answers.
    pub async fn send_together(&self, wire: &mut Wire, asks: &[Ask<'_>]) {
        let written: Vec<(u64, Vec<u8>)> = asks.iter().map(|ask| self.write(ask)).collect();
        let intended = self.clock.now();
        let all: Vec<u8> = written.iter().flat_map(|(_, bytes)| bytes).copied().collect();
        let mut connection = tokio::time::timeout(self.timeout, self.connect(wire)).await.ok().and_then(Result::ok);
        if let Some(open) = &mut connection {
            // One that refuses some of it may still answer the first.
            let _ = tokio::time::timeout(self.timeout, open.send(&all)).await;
        }
        for (ask, (request, bytes)) in asks.iter().zip(&written) {
            let mut kept = Kept::default();
            let came = match &mut connection {
                None => Err(Failure::Closed),
                Some(open) => {
                    let answer = open.receive(self.forms.of(&ask.shot).head_only, self.clock, &mut kept);
                    let came = tokio::time::timeout(self.timeout, answer).await;
                    came.map_or(Err(Failure::Timeout), |came| came.map(Came::Answer).map_err(|broken| broken.failure()))
                }
            };
            if !matches!(came, Ok(Came::Answer(Answer { close: false, .. }))) {
                connection = None;
            }
            wire.last = *request;
            let exchange = self.exchange(intended, Some(intended), came);
            self.keep(*request, ask, bytes, wire.number, exchange, kept);
        }
        wire.open = connection;
        self.look_for_strays(wire);
    }

    /// Keeps what has come on an idle connection. Such a connection is not used again.
    pub fn look_for_strays(&self, wire: &mut Wire) {
        let Some(connection) = &mut wire.open else { return };
        let bytes = connection.unasked();
        if !bytes.is_empty() {
            wire.open = None;
            self.strays.borrow_mut().push(Stray { after: wire.last, bytes });
        }
    }

    fn exchange(&self, intended: Duration, sent: Option<Duration>, came: Result<Came, Failure>) -> Exchange {
        let (outcome, first_byte, done) = match came {
            Ok(Came::Answer(answer)) => (Outcome::Answered(answer.status), Some(answer.first_byte), answer.done),
            Ok(Came::Left) => (Outcome::Unanswered, None, self.clock.now()),
            Err(failure) => (Outcome::Failed(failure), None, self.clock.now()),
        };
        Exchange { intended, sent, first_byte, done, outcome }
    }

    fn keep(&self, request: u64, ask: &Ask<'_>, bytes: &[u8], connection: u64, exchange: Exchange, reply: Kept) {
        let token = ask.identity.and_then(|identity| identity.session.token.clone());
        let seen = Seen {
            request,
            identity: ask.identity.map(|identity| identity.number),
            persona: ask.identity.and_then(|identity| identity.persona),
            canary: ask.identity.map(|identity| identity.canary.clone()).unwrap_or_default(),
            role: ask.role,
            place: ask.place,
            line: without_token(&self.show(bytes), token.as_deref()),
            connection,
            worker: worker_of(&reply.head),
            sleep: self.sleep(ask.shot.nap),
            exchange,
            tells: false,
            own: false,
        };
        let canaries = InReply::default();
        self.observations.borrow_mut().push(Observation { seen, request: bytes.to_vec(), reply, token, canaries });
    }

    /// One request and its response. If the connection at hand turns out to be closed before a byte of a response has
    /// come, as it may be after a pause, the request is sent once more on a new one.
    async fn converse(&self, wire: &mut Wire, bytes: &[u8], ask: &Ask<'_>, way: &mut Way) -> Result<Came, Failure> {
        let again = wire.open.is_some() && ask.gate.is_none();
        match self.attempt(wire, bytes, ask, way).await {
            Err(Broken::Closed { untouched: true }) if again => {
                let again = self.attempt(wire, bytes, ask, way).await;
                again.map_err(|broken| match broken {
                    // The request had been sent, on a connection that was closed.
                    Broken::Refused(_) => Failure::Closed,
                    broken => broken.failure(),
                })
            }
            first => first.map_err(|broken| broken.failure()),
        }
    }

    async fn attempt(&self, wire: &mut Wire, bytes: &[u8], ask: &Ask<'_>, way: &mut Way) -> Result<Came, Broken> {
        let opened = self.connect(wire).await;
        if let (Err(_), Some(gate)) = (&opened, ask.gate) {
            // The others must not wait for this one.
            gate.wait().await;
        }
        let mut connection = opened.map_err(Broken::Refused)?;
        way.sent = Some(self.clock.now());
        // A server may refuse a request before it has read all of it, and close: its answer is there to be read.
        let cut_off = self.deliver(&mut connection, bytes, ask, way).await.is_err();
        let head_only = self.forms.of(&ask.shot).head_only;
        let answer = connection.receive(head_only, self.clock, &mut way.kept);
        let Twist::Abort(after) = ask.shot.twist else {
            let answer = answer.await?;
            wire.open = (!answer.close && !cut_off).then_some(connection);
            return Ok(Came::Answer(answer));
        };
        match tokio::time::timeout(millis(after), answer).await {
            Ok(answer) => answer.map(Came::Answer),
            Err(_) => {
                connection.abort();
                Ok(Came::Left)
            }
        }
    }

    /// The connection at hand, or a new one.
    async fn connect(&self, wire: &mut Wire) -> Result<Connection, NoConnection> {
        if let Some(connection) = wire.open.take() {
            return Ok(connection);
        }
        self.connections.set(self.connections.get() + 1);
        wire.number = self.connections.get();
        Connection::open(&self.target.dialer).await
    }

    /// Sends the bytes of a request: at once, in halves, or but for the last byte, which waits at the gate.
    async fn deliver(
        &self,
        connection: &mut Connection,
        bytes: &[u8],
        ask: &Ask<'_>,
        way: &mut Way,
    ) -> std::io::Result<()> {
        let (first, pause, rest) = match (ask.gate, ask.shot.twist) {
            (Some(_), _) => (bytes.len().saturating_sub(1), 0.0, 1),
            (None, Twist::Halting(pause)) => (bytes.len() / 2, pause, 1),
            (None, _) => (bytes.len(), 0.0, 0),
        };
        let early = connection.send(&bytes[..first]).await;
        if rest == 0 {
            return early;
        }
        match ask.gate {
            Some(gate) => {
                gate.wait().await;
            }
            None => tokio::time::sleep(millis(pause)).await,
        }
        // Before its last byte no request is handled.
        way.sent = Some(self.clock.now());
        early?;
        connection.send(&bytes[first..]).await
    }

    /// The next request's number and its bytes.
    fn write(&self, ask: &Ask<'_>) -> (u64, Vec<u8>) {
        let request = self.requests.get() + 1;
        self.requests.set(request);
        let bytes = self.written(request, ask);
        match (ask.shot.twist, ask.identity) {
            (Twist::Smuggling(way), Some(identity)) => {
                let inner = Identity { canary: self.canary_of(identity.number, Length::Any), ..identity.clone() };
                let inner = self.written(request, &Ask { identity: Some(&inner), ..ask.clone() });
                (request, forms::smuggling(&bytes, way, &inner))
            }
            _ => (request, bytes),
        }
    }

    fn written(&self, request: u64, ask: &Ask<'_>) -> Vec<u8> {
        let mut bytes = self.fill(self.forms.of(&ask.shot), request, ask);
        if ask.own_url {
            forms::with_own_url(&mut bytes, request);
        }
        if let Some(identity) = ask.identity {
            identity.session.add_cookies(&mut bytes);
        }
        bytes
    }

    fn fill(&self, form: &Prepared, request: u64, ask: &Ask<'_>) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(512);
        let variation = ask.variation.unwrap_or(request);
        let canary = || ask.identity.map(|identity| identity.canary.clone());
        form.write(&mut bytes, &mut |placeholder, out| {
            let value = match placeholder {
                Placeholder::Canary => canary().unwrap_or_default(),
                Placeholder::Sleep => self.sleep(ask.shot.nap).map(show_sleep).unwrap_or_default(),
                Placeholder::User => "0".to_owned(),
                Placeholder::Seq => variation.to_string(),
                Placeholder::Random(low, high) => {
                    // Derived from the request's number, so that a seed repeats it.
                    (low + variation.wrapping_mul(0x9e37_79b9_7f4a_7c15) % (high - low).saturating_add(1)).to_string()
                }
                Placeholder::Identity(field) => {
                    ask.identity.and_then(|identity| identity.fields.get(field)).cloned().unwrap_or_default()
                }
                Placeholder::Token => ask.identity.and_then(|of| of.session.token.clone()).unwrap_or_default(),
                // Nothing: the same in every request, or refused when the scenario was read.
                Placeholder::Host
                | Placeholder::Port
                | Placeholder::Workers
                | Placeholder::Socket
                | Placeholder::Data(_) => return,
            };
            out.extend_from_slice(value.as_bytes());
        });
        bytes
    }

    /// Method and target of a request, for people.
    fn show(&self, bytes: &[u8]) -> String {
        let target = bytes.split(|byte| *byte == b' ').nth(1).unwrap_or_default();
        let method = bytes.split(|byte| *byte == b' ').next().unwrap_or_default();
        format!("{} {}", String::from_utf8_lossy(method), String::from_utf8_lossy(target))
    }
}

fn millis(millis: f64) -> Duration {
    Duration::from_secs_f64(millis.max(0.0) / 1e3)
}

fn worker_of(head: &[u8]) -> Option<String> {
    let line = head
        .split(|byte| *byte == b'\n')
        .find(|line| line.get(..WORKER_HEADER.len()).is_some_and(|name| name.eq_ignore_ascii_case(WORKER_HEADER)))?;
    Some(String::from_utf8_lossy(line[WORKER_HEADER.len()..].trim_ascii()).into_owned())
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;

    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::TcpListener;

    use super::*;
    use crate::scenario::{Budget, Dirty, Expect, Request, Template};

    const OK: &str = "HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n";

    fn client(address: SocketAddr, path: &str) -> Client {
        let path = Template::parse(path).unwrap();
        let plan = Dirty {
            request: Request::get(&path),
            identities: Vec::new(),
            group: None,
            login: None,
            shape: Shape::Word,
            public: Vec::new(),
            triggers: vec!["overlap"],
            sleep: None,
            expect: Expect::Clean,
            budget: Budget { exposures: 1, time: Duration::from_secs(5), exhaustive: false },
            timeout: Duration::from_secs(5),
        };
        Client::new(&plan, &Target::tcp(address, Some(4)), 1, Clock::start())
    }

    /// What comes of three requests on one connection to a server that, on each connection in turn, gives these answers and
    /// then closes.
    async fn outcomes(connections: &[&[&str]]) -> Vec<Outcome> {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let client = client(listener.local_addr().unwrap(), "/?q={canary}");
        let server = async {
            for answers in connections {
                let (mut stream, _) = listener.accept().await.unwrap();
                for answer in *answers {
                    assert!(stream.read(&mut [0; 4096]).await.unwrap() > 0);
                    stream.write_all(answer.as_bytes()).await.unwrap();
                }
            }
            // Nobody listens from here on.
            drop(listener);
        };
        let asking = async {
            let mut wire = Wire::default();
            let mut outcomes = Vec::new();
            for _ in 0..3 {
                let somebody = client.somebody(Twist::None);
                client.send(&mut wire, &Ask::alone(&somebody)).await;
                outcomes.extend(client.take_observations().iter().map(|observation| observation.seen.exchange.outcome));
            }
            outcomes
        };
        tokio::join!(server, asking).1
    }

    #[tokio::test]
    async fn garbage_on_a_reused_connection_is_not_glossed_over_by_asking_again() {
        let protocol = Outcome::Failed(Failure::Protocol);
        let came = outcomes(&[&[OK, "garbage\r\n\r\n"], &[OK]]).await;
        assert_eq!(came, [Outcome::Answered(200), protocol, Outcome::Answered(200)]);
    }

    #[tokio::test]
    async fn a_connection_that_was_closed_meanwhile_is_replaced_once() {
        let closed = Outcome::Failed(Failure::Closed);
        let answered = Outcome::Answered(200);
        assert_eq!(outcomes(&[&[OK], &[OK], &[OK]]).await, [answered; 3]);
        assert_eq!(outcomes(&[&[OK], &[], &[OK]]).await, [answered, closed, answered]);
        assert_eq!(outcomes(&[&[OK, OK]]).await, [answered, answered, closed], "nobody to ask again is no refusal");
    }

    #[tokio::test]
    async fn the_number_of_workers_is_filled_in() {
        let bytes = client(([127, 0, 0, 1], 80).into(), "/{workers}/{port}?q={canary}");
        let somebody = Identity { canary: "c".to_owned(), ..Identity::default() };
        let bytes = bytes.fill(bytes.forms.of(&Shot::plain()), 1, &Ask::alone(&somebody));
        assert!(bytes.starts_with(b"GET /4/80?q=c HTTP/1.1\r\n"), "{}", String::from_utf8_lossy(&bytes));
    }
}
