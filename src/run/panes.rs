//! Two servers side by side, for a person who wants to feel the difference: each pane of the page drives its own.

use std::io::{self, Read as _, Write as _};
use std::net::{Shutdown, TcpStream};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use super::examples;
use super::facts;
use super::private::Private;
use super::trial;
use crate::load::LiveCounters;
use crate::net::endpoint::{Endpoint, connect_unix};
use crate::net::target::Target;
use crate::pages::{PageRequest, PageServer, respond};
use crate::scenario::{Level, LoadSpec, Model, RequestSpec, Variant};
use crate::server::{Log, Server, StartError, UsedNow};
use crate::units::parse_sleep;

const PAGE: &str = include_str!("panes/page.html");
/// How often the servers are looked after.
const LOOK: Duration = Duration::from_millis(100);
/// Looks between two readings of what they use.
const LOOKS_A_READING: u32 = 5;
/// A request that takes longer has no answer.
const LONGEST: Duration = Duration::from_secs(120);
/// The longest wait that a person may ask for, and the most users.
const LONGEST_WAIT: f64 = 30.0;
const MOST_USERS: u32 = 1000;
/// How long users go on asking, if nobody stops them.
const LOAD_LASTS: Duration = Duration::from_secs(3600);

/// Why there are no panes, or no longer.
#[derive(Debug, thiserror::Error)]
pub enum PanesError {
    #[error("{}: {}", .0, .1.message)]
    NotStarted(String, StartError),
    #[error("cannot serve the page: {0}")]
    NoPage(io::Error),
    #[error("the server of {0} ended: {1}")]
    Died(String, String),
    #[error("interrupted before both servers were ready")]
    Interrupted,
}

/// One pane.
struct Pane {
    name: String,
    /// `built-in async, 1 worker`
    server: String,
    request: RequestSpec,
    workers: Option<u32>,
    endpoint: Endpoint,
    authority: String,
    load: Option<LoadSpec>,
    target: Target,
    background: Mutex<Background>,
    used: Mutex<UsedNow>,
}

/// Users who ask all the time.
#[derive(Default)]
struct Background {
    users: u32,
    wait: f64,
    live: Option<Arc<LiveCounters>>,
    stop: Option<CancellationToken>,
}

impl Drop for Pane {
    fn drop(&mut self) {
        locked(&self.background).stop.take().into_iter().for_each(|stop| stop.cancel());
    }
}

/// Starts the servers of two variants and serves the page until `cancel`; `ready` is told where.
pub fn panes(
    variants: [&Variant; 2],
    port: u16,
    allowed_hosts: &[String],
    ready: &dyn Fn(&str),
    cancel: &CancellationToken,
) -> Result<(), PanesError> {
    let no_log = |error: io::Error| {
        let advice = "check TMPDIR and its free space".to_owned();
        PanesError::NotStarted("the log".to_owned(), StartError { message: error.to_string(), advice })
    };
    let log = Private::new().map_err(no_log)?;
    let mut servers: Vec<Server> = Vec::new();
    for variant in variants {
        let started =
            Server::start(&variant.server, Log::from_here(log.path()), allowed_hosts, &|_| cancel.is_cancelled());
        servers.push(started.map_err(|error| match cancel.is_cancelled() {
            true => PanesError::Interrupted,
            false => PanesError::NotStarted(variant.name.clone(), error),
        })?);
    }
    let of = |(variant, server): (&&Variant, &Server)| pane(variant, server);
    let panes: Arc<Vec<Pane>> = Arc::new(variants.iter().zip(&servers).filter_map(of).collect());
    let answering = Arc::clone(&panes);
    let page = PageServer::start(port, Arc::new(move |request, stream| answer(&answering, request, stream)));
    let page = page.map_err(PanesError::NoPage)?;
    ready(&format!("http://{}/", page.address()));
    let mut looks = 0;
    let died = loop {
        if cancel.is_cancelled() {
            break None;
        }
        let dead = servers.iter_mut().zip(variants).find_map(|(server, of)| Some((of.name.clone(), server.watch()?)));
        if let Some((name, death)) = dead {
            break Some(PanesError::Died(name, death.end.sentence()));
        }
        looks += 1;
        if looks % LOOKS_A_READING == 0 {
            servers
                .iter()
                .zip(panes.iter())
                .for_each(|(server, pane)| *locked(&pane.used) = server.used_now().unwrap_or_default());
        }
        std::thread::sleep(LOOK);
    };
    panes.iter().for_each(|pane| set_users(pane, 0, 0.0));
    drop(page);
    servers.into_iter().for_each(|server| drop(server.stop()));
    died.map_or(Ok(()), Err)
}

/// `None` of a variant that asks nothing.
fn pane(variant: &Variant, server: &Server) -> Option<Pane> {
    let of_dirty = variant.dirty.as_ref().map(|dirty| dirty.request.clone());
    let of_load = || variant.load.as_ref()?.kinds.first().map(|kind| kind.request.clone());
    Some(Pane {
        name: variant.name.clone(),
        server: facts::describe_server(&variant.server),
        request: of_dirty.or_else(of_load)?,
        workers: variant.server.workers(),
        endpoint: server.endpoint().clone(),
        authority: server.authority().to_owned(),
        // A script's users are made when a trial begins.
        load: variant.load.clone().filter(|load| load.script.is_none() && load.login.is_none()),
        target: trial::target(server, &variant.server),
        background: Mutex::default(),
        used: Mutex::default(),
    })
}

fn answer(panes: &[Pane], request: &PageRequest, stream: &mut TcpStream) -> io::Result<()> {
    let path: Vec<&str> = request.path.trim_matches('/').split('/').collect();
    let pane = path.get(1).and_then(|index| index.parse::<usize>().ok()).and_then(|index| panes.get(index));
    match (request.method.as_str(), path[0], pane) {
        ("GET", "", _) => respond(stream, "200 OK", "text/html", page(panes).as_bytes()),
        ("GET", "state", _) => respond(stream, "200 OK", "application/json", state(panes).to_string().as_bytes()),
        ("GET", "ask", Some(pane)) => ask(pane, request, stream),
        ("POST", "users", Some(pane)) => {
            let users = request.parameter("n").and_then(|n| n.parse().ok()).unwrap_or(0).min(MOST_USERS);
            set_users(pane, users, wait(request));
            respond(stream, "204 No Content", "text/plain", b"")
        }
        _ => respond(stream, "404 Not Found", "text/plain", b"no such page"),
    }
}

/// Seconds that a handler is to wait.
fn wait(request: &PageRequest) -> f64 {
    let asked = request.parameter("wait").and_then(|text| parse_sleep(text).ok());
    asked.map_or(0.0, |wait| wait.as_secs_f64()).min(LONGEST_WAIT)
}

fn page(panes: &[Pane]) -> String {
    let of = |pane: &Pane| {
        json!({
            "name": pane.name,
            "server": pane.server,
            "target": pane.request.target().to_string(),
            "background": pane.load.is_some(),
        })
    };
    let data = json!(panes.iter().map(of).collect::<Vec<_>>()).to_string().replace('<', "\\u003c");
    PAGE.replace("{{panes}}", &data)
}

fn state(panes: &[Pane]) -> Value {
    let of = |pane: &Pane| {
        let background = locked(&pane.background);
        let progress = background.live.as_ref().map(|live| live.progress()).unwrap_or_default();
        let UsedNow { cores, rss } = *locked(&pane.used);
        json!({
            "users": background.users,
            "started": progress.started,
            "completed": progress.completed,
            "failed": progress.failed,
            "cores": cores,
            "rss_bytes": rss,
        })
    };
    panes.iter().map(of).collect()
}

/// Sends one request of a person to the pane's server, and hands back what it answers as it comes.
fn ask(pane: &Pane, request: &PageRequest, stream: &mut TcpStream) -> io::Result<()> {
    let who = request.parameter("who").unwrap_or("test");
    let wait = Duration::try_from_secs_f64(wait(request)).unwrap_or_default();
    let target = examples::fill(&pane.request, Some(wait), who, pane.workers);
    let head =
        format!("GET {target} HTTP/1.1\r\nhost: {}\r\naccept: text/html\r\nconnection: close\r\n\r\n", pane.authority);
    match exchange(pane, head.as_bytes()) {
        Ok(response) => stream.write_all(&response),
        Err(error) => respond(stream, "502 Bad Gateway", "text/plain", error.to_string().as_bytes()),
    }
}

/// The whole response, to the end of the connection.
fn exchange(pane: &Pane, request: &[u8]) -> io::Result<Vec<u8>> {
    const MOST: u64 = 8 << 20;
    let mut response = Vec::new();
    match &pane.endpoint {
        Endpoint::Tcp(address) => {
            let mut server = TcpStream::connect(address)?;
            server.set_read_timeout(Some(LONGEST))?;
            server.write_all(request)?;
            server.take(MOST).read_to_end(&mut response)?;
        }
        Endpoint::Unix(path) => {
            let mut server = connect_unix(path)?;
            server.set_read_timeout(Some(LONGEST))?;
            server.write_all(request)?;
            server.shutdown(Shutdown::Write)?;
            server.take(MOST).read_to_end(&mut response)?;
        }
    }
    Ok(response)
}

/// Has so many users ask in the background, in place of those before.
fn set_users(pane: &Pane, users: u32, wait: f64) {
    let Some(load) = &pane.load else { return };
    let mut background = locked(&pane.background);
    if (background.users, background.wait) == (users, wait) {
        return;
    }
    background.stop.take().into_iter().for_each(|stop| stop.cancel());
    *background = Background { users, wait, ..Background::default() };
    if users == 0 {
        return;
    }
    let level = Level { from: f64::from(users), to: f64::from(users), lasting: LOAD_LASTS };
    let plan = LoadSpec {
        model: Model::Closed,
        levels: vec![level],
        duration: LOAD_LASTS,
        requests: None,
        warmup: Duration::ZERO,
        drain: Duration::ZERO,
        sleep: Some(Duration::try_from_secs_f64(wait).unwrap_or_default()),
        ..load.clone()
    };
    let live = Arc::new(LiveCounters::new(crate::load::threads(&plan)));
    let (stop, target) = (CancellationToken::new(), pane.target.clone());
    let (ends, counts) = (stop.clone(), Arc::clone(&live));
    let started = std::thread::Builder::new().name("users".to_owned()).spawn(move || {
        // What it came to is on the page already.
        let _ = crate::load::run(&plan, None, &[], &target, 0, &ends, &counts);
    });
    if started.is_ok() {
        background.live = Some(live);
        background.stop = Some(stop);
    }
}

fn locked<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
