//! A simulated application: operations of several kinds, most of which wait as for a query, and leaks that are planted among
//! them by a seed. It is asked over a Unix socket, in the task of whoever asks: so its time can be halted.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::path::Path;
use std::time::Duration;

use futures::StreamExt as _;
use futures::stream::FuturesUnordered;
use rand::rngs::StdRng;
use rand::seq::IndexedRandom as _;
use rand::{RngExt as _, SeedableRng as _};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{UnixListener, UnixStream};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::kinds::{Held, Kept, Kind, Moment, Part};

/// For how long an operation waits, in milliseconds, if it does: most do.
const WAITS: std::ops::RangeInclusive<u64> = 5..=30;
const WAITING: f64 = 0.6;
/// What a request takes of the only processor, before its wait and after it.
const PROCESSOR: Duration = Duration::from_micros(25);
/// Of so many operations one shows what a middleware keeps.
const MIDDLEWARE: usize = 5;
/// Any of so many threads takes a request.
const THREADS: u64 = 8;

/// What an operation does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Nature {
    /// Shows who asks.
    Page,
    /// The same for everybody.
    About,
    /// `?q=`: what was searched for is private.
    Search,
    /// `?limit=`, of which it fails if that is no number.
    Report,
    /// A write whose text is private.
    Write,
}

const NATURES: [Nature; 10] = [
    Nature::Page,
    Nature::Write,
    Nature::Page,
    Nature::Search,
    Nature::About,
    Nature::Report,
    Nature::Page,
    Nature::Write,
    Nature::Search,
    Nature::Page,
];

#[derive(Debug)]
struct Operation {
    nature: Nature,
    wait: Duration,
    leaks: Vec<(usize, Part)>,
}

/// A leak to be planted: of which kind, and which operations have which part in it.
type Plan = (Kind, &'static [(Part, Fits)]);

/// Which operations may have a part in a leak.
type Fits = fn(Nature) -> bool;

const ANY: Fits = |nature| nature != Nature::Report;
const TELLS: Fits = |nature| !matches!(nature, Nature::About | Nature::Report);
const SHARED: Fits = |nature| nature == Nature::Page;
const SEARCH: Fits = |nature| nature == Nature::Search;
const REPORT: Fits = |nature| nature == Nature::Report;
const WRITE: Fits = |nature| nature == Nature::Write;

use Part::{Both, Source, Third, Victim};

/// Those of `tests/sweep/plan.py`, with a middleware in place of the third plain slot.
const PLANTED: [Plan; 28] = [
    (Kind::Slot, &[(Source, TELLS), (Victim, ANY)]),
    (Kind::Slot, &[(Source, TELLS), (Victim, ANY)]),
    (Kind::OwnSlot, &[(Both, TELLS), (Both, TELLS)]),
    (Kind::Slot, &[(Source, TELLS), (Victim, ANY)]),
    (Kind::Slot, &[(Source, WRITE), (Victim, ANY)]),
    (Kind::SingleFlight, &[(Both, SHARED)]),
    (Kind::PageCache, &[(Both, SHARED)]),
    (Kind::Stale, &[(Source, TELLS), (Victim, ANY)]),
    (Kind::Stale, &[(Source, SEARCH), (Victim, ANY)]),
    (Kind::Recent, &[(Both, TELLS)]),
    (Kind::ErrorState, &[(Source, REPORT), (Victim, ANY)]),
    (Kind::PerConnection, &[(Source, TELLS), (Victim, ANY)]),
    (Kind::Memo, &[(Both, SHARED)]),
    (Kind::Pool, &[(Source, TELLS), (Victim, ANY)]),
    (Kind::Stale, &[(Source, TELLS), (Victim, ANY)]),
    (Kind::Background, &[(Source, TELLS), (Victim, ANY)]),
    (Kind::PageCache, &[(Both, SHARED)]),
    (Kind::ThirdParty, &[(Third, ANY), (Source, TELLS), (Victim, ANY)]),
    (Kind::Abort, &[(Source, TELLS), (Victim, ANY)]),
    (Kind::OwnSlot, &[(Both, TELLS)]),
    (Kind::OwnSlot, &[(Both, TELLS)]),
    (Kind::Slot, &[(Source, TELLS), (Both, TELLS)]),
    (Kind::Slot, &[(Source, WRITE), (Victim, ANY)]),
    (Kind::SingleFlight, &[(Both, SHARED), (Both, SHARED)]),
    (Kind::ErrorPage, &[(Both, REPORT)]),
    // The middleware's: its operations are drawn below.
    (Kind::OwnSlot, &[]),
    (Kind::Fragment, &[(Both, TELLS), (Both, TELLS)]),
    (Kind::Slot, &[(Source, TELLS), (Victim, ANY)]),
];

/// What threads keep of different operations, for each thread.
const OF_THREADS: [Plan; 3] = [
    (Kind::ThreadLocal, &[(Source, TELLS), (Victim, ANY)]),
    (Kind::ThreadLocal, &[(Source, WRITE), (Victim, ANY)]),
    (Kind::ThreadLocal, &[(Source, TELLS), (Source, TELLS), (Victim, ANY)]),
];

/// What is planted.
#[derive(Debug)]
pub(super) struct Planted {
    pub kind: Kind,
    pub sources: BTreeSet<usize>,
    pub victims: BTreeSet<usize>,
    /// What is asked by a write is in its body, where nothing stays.
    tells_body: bool,
}

/// An application.
#[derive(Debug)]
pub(super) struct Application {
    operations: Vec<Operation>,
    pub planted: Vec<Planted>,
    /// After which a sweep of it has enough.
    exposures: u64,
}

impl Application {
    pub fn new(endpoints: usize, leaks: bool, seed: u64) -> Self {
        Application::planted(endpoints, if leaks { &PLANTED } else { &[] }, 10_000_000, seed)
    }

    /// One whose threads keep what is never cleared.
    pub fn of_threads(endpoints: usize, seed: u64) -> Self {
        Application::planted(endpoints, &OF_THREADS, 5_000, seed)
    }

    fn planted(endpoints: usize, plans: &[Plan], exposures: u64, seed: u64) -> Self {
        let mut random = StdRng::seed_from_u64(seed);
        let operations = (0..endpoints).map(|index| {
            let wait = if random.random_bool(WAITING) { random.random_range(WAITS) } else { 0 };
            let (nature, wait) = (NATURES[index % NATURES.len()], Duration::from_millis(wait));
            Operation { nature, wait, leaks: Vec::new() }
        });
        let mut application = Application { operations: operations.collect(), planted: Vec::new(), exposures };
        for (kind, parts) in plans {
            application.plant(*kind, parts, &mut random);
        }
        application
    }

    fn plant(&mut self, kind: Kind, parts: &[(Part, Fits)], random: &mut StdRng) {
        let number = self.planted.len();
        let mut members: Vec<(Part, usize)> = Vec::new();
        if parts.is_empty() {
            let all = (0..self.operations.len()).filter(|index| TELLS(self.operations[*index].nature));
            members.extend(all.step_by(MIDDLEWARE).map(|index| (Both, index)));
        }
        for (part, fits) in parts {
            // One that has the fewest leaks yet: in a small application some have several.
            let known: Vec<usize> = members.iter().map(|(_, index)| *index).collect();
            let fitting = |index: &usize| fits(self.operations[*index].nature) && !known.contains(index);
            let all: Vec<usize> = (0..self.operations.len()).filter(fitting).collect();
            let fewest = all.iter().map(|index| self.operations[*index].leaks.len()).min().unwrap();
            let all: Vec<usize> =
                all.into_iter().filter(|index| self.operations[*index].leaks.len() == fewest).collect();
            members.push((*part, *all.choose(random).unwrap()));
        }
        for (part, index) in &members {
            let operation = &mut self.operations[*index];
            operation.leaks.push((number, *part));
            // Somebody waits, also where the plain operation would not; a client that leaves has time to do so.
            let least = if kind == Kind::Abort { 20 } else { *WAITS.start() };
            if operation.wait < Duration::from_millis(least) {
                operation.wait = Duration::from_millis(random.random_range(least..=*WAITS.end()));
            }
        }
        let of = |parts: &[Part]| members.iter().filter(|(part, _)| parts.contains(part)).map(|(_, at)| *at).collect();
        // What a body brought leaks only by overlap: where it stays, nobody can tell it from a store.
        let tells_body = matches!(kind, Kind::Slot | Kind::OwnSlot | Kind::SingleFlight) && !parts.is_empty();
        self.planted.push(Planted { kind, sources: of(&[Source, Both]), victims: of(&[Victim, Both]), tells_body });
    }

    /// The scenario that sweeps it.
    pub fn scenario(&self) -> String {
        let mut text = format!(
            "[server]\nmode = 'async'\n[dirty]\nheaders = {{ x-user = '{{canary}}' }}\ntime = '1h'\n\
             exposures = {}\nexpect = 'report'\n",
            self.exposures
        );
        for (index, operation) in self.operations.iter().enumerate() {
            text += &match operation.nature {
                Nature::Page | Nature::About => format!("[[dirty.request]]\npath = '/{index}'\n"),
                Nature::Search => format!("[[dirty.request]]\npath = '/{index}?q={{canary}}'\n"),
                Nature::Report => format!("[[dirty.request]]\npath = '/{index}?limit=20'\n"),
                Nature::Write => {
                    format!("[[dirty.request]]\npath = '/{index}'\nmethod = 'POST'\njson = {{ text = '{{canary}}' }}\n")
                }
            };
        }
        text
    }

    fn at(&self, path: &str) -> Option<(usize, &Operation)> {
        let index: usize = path.split('?').next()?.strip_prefix('/')?.parse().ok()?;
        Some((index, self.operations.get(index)?))
    }
}

/// A request, as far as it is read.
#[derive(Debug, Default)]
struct Request {
    target: String,
    user: Option<String>,
    body: String,
}

impl Request {
    /// Takes a whole request from what was read; `None` if that is not whole.
    fn take(read: &mut Vec<u8>) -> Option<Request> {
        let end = memchr::memmem::find(read, b"\r\n\r\n")? + 4;
        let head = String::from_utf8_lossy(&read[..end]).into_owned();
        let header = |name: &str| {
            let of = |line: &str| {
                line.split_once(": ").filter(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, v)| v.to_owned())
            };
            head.lines().find_map(of)
        };
        let length: usize = header("content-length").and_then(|length| length.parse().ok()).unwrap_or_default();
        if read.len() < end + length {
            return None;
        }
        let body = String::from_utf8_lossy(&read[end..end + length]).into_owned();
        read.drain(..end + length);
        let target = head.split(' ').nth(1).unwrap_or_default().to_owned();
        Some(Request { target, user: header("x-user"), body })
    }

    fn parameter(&self, name: &str) -> Option<&str> {
        let (_, query) = self.target.split_once('?')?;
        query.split('&').find_map(|one| one.split_once('=').filter(|(known, _)| *known == name).map(|(_, value)| value))
    }

    fn text(&self) -> Option<String> {
        let json: serde_json::Value = serde_json::from_str(&self.body).ok()?;
        json.get("text")?.as_str().map(str::to_owned)
    }
}

/// An application that is being asked.
pub(super) struct Server<'a> {
    application: &'a Application,
    kept: RefCell<Vec<Kept>>,
    counts: RefCell<Counts>,
    /// It says stop after so many requests.
    most: u64,
    stop: CancellationToken,
    began: Instant,
    listener: UnixListener,
}

#[derive(Debug)]
struct Counts {
    requests: u64,
    connections: u64,
    /// Which of them takes a request.
    threads: StdRng,
    /// Until when the processor has work.
    busy: Instant,
}

impl<'a> Server<'a> {
    pub fn new(application: &'a Application, socket: &Path, most: u64, stop: CancellationToken) -> Self {
        let kept = application.planted.iter().map(|_| Kept::default()).collect();
        let began = Instant::now();
        let threads = StdRng::seed_from_u64(most);
        let counts = RefCell::new(Counts { requests: 0, connections: 0, threads, busy: began });
        Server {
            application,
            kept: RefCell::new(kept),
            counts,
            most,
            stop,
            began,
            listener: UnixListener::bind(socket).unwrap(),
        }
    }

    pub fn requests(&self) -> u64 {
        self.counts.borrow().requests
    }

    /// Serves for ever.
    pub async fn serve(&self) {
        let mut open = FuturesUnordered::new();
        loop {
            tokio::select! {
                biased;
                accepted = self.listener.accept() => {
                    let number = { let mut counts = self.counts.borrow_mut(); counts.connections += 1; counts.connections };
                    open.push(self.connection(accepted.unwrap().0, number));
                }
                Some(()) = open.next() => {}
            }
        }
    }

    async fn connection(&self, mut stream: UnixStream, number: u64) {
        let mut read = Vec::new();
        loop {
            let Some(request) = Request::take(&mut read) else {
                match stream.read_buf(&mut read).await {
                    Ok(1..) => continue,
                    _ => return,
                }
            };
            let response = self.handle(&request, number, &stream, &mut read).await;
            if stream.write_all(response.as_bytes()).await.is_err() {
                return;
            }
        }
    }

    /// Waits for its turn at the processor, and takes it.
    async fn work(&self) {
        let until = {
            let mut counts = self.counts.borrow_mut();
            counts.busy = counts.busy.max(Instant::now()) + PROCESSOR;
            counts.busy
        };
        tokio::time::sleep_until(until).await;
    }

    async fn handle(&self, request: &Request, connection: u64, stream: &UnixStream, read: &mut Vec<u8>) -> String {
        let thread = {
            let mut counts = self.counts.borrow_mut();
            counts.requests += 1;
            if counts.requests >= self.most {
                self.stop.cancel();
            }
            counts.threads.random_range(0..THREADS)
        };
        self.work().await;
        let Some((_, operation)) = self.application.at(&request.target) else {
            return response(404, "{}");
        };
        let failed = operation.nature == Nature::Report
            && request.parameter("limit").is_none_or(|limit| limit.parse::<u8>().is_err());
        let path = request.target.split('?').next().unwrap_or_default();
        let text = request.text();
        let told = |leak: usize| match operation.nature {
            Nature::About => None,
            Nature::Search => request.parameter("q"),
            Nature::Write if self.application.planted[leak].tells_body => text.as_deref(),
            Nature::Write | Nature::Page | Nature::Report => request.user.as_deref(),
        };
        let moment = |leak: usize, part: Part, gone: bool| Moment {
            part,
            told: told(leak),
            path,
            connection,
            thread,
            now: self.began.elapsed(),
            failed,
            gone,
        };
        let planted = |leak: usize| self.application.planted[leak].kind;
        let begin = |(leak, part): &(usize, Part)| {
            self.kept.borrow_mut()[*leak].begin(planted(*leak), &moment(*leak, *part, false))
        };
        let held: Vec<Held> = operation.leaks.iter().map(begin).collect();
        tokio::time::sleep(operation.wait).await;
        self.work().await;
        let gone = matches!(stream.try_read_buf(read), Ok(0));
        let mut fields = Vec::new();
        for ((leak, part), held) in operation.leaks.iter().zip(held) {
            let shown = self.kept.borrow_mut()[*leak].end(planted(*leak), &moment(*leak, *part, gone), held);
            fields.extend(shown.map(|shown| format!("{:?}:{shown:?}", field(*leak))));
        }
        if fields.is_empty() && operation.nature == Nature::Page {
            fields.extend(request.user.iter().map(|user| format!("\"user\":{user:?}")));
        }
        response(if failed { 500 } else { 200 }, &format!("{{{}}}", fields.join(",")))
    }
}

/// Where a leak shows.
pub(super) fn field(leak: usize) -> String {
    format!("leak{leak}")
}

fn response(status: u16, body: &str) -> String {
    let length = body.len();
    format!("HTTP/1.1 {status} Told\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\r\n{body}")
}
