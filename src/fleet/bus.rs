//! The connection to NATS: calls that block, on an event loop of its own thread.

use std::path::PathBuf;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use async_nats::connection::State;
use async_nats::jetstream::{self, Context};
use async_nats::{Client, ConnectErrorKind, ConnectOptions, Event};
use futures::StreamExt as _;
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::runtime::Handle;
use tokio::task::AbortHandle;
use tokio_util::sync::CancellationToken;
use tracing::{debug, info, warn};
use url::Url;

use super::bundle::BundleError;
use super::message::{Refusal, decode, encode};

/// A server that is there answers a connection within this.
const CONNECT_WITHIN: Duration = Duration::from_secs(5);
/// How often the server is asked whether it is there: two that are not answered end the connection.
const PING: Duration = Duration::from_secs(2);
/// A request to the server itself.
const SERVER_WITHIN: Duration = Duration::from_secs(5);
/// The longest pause between two attempts to connect again.
const RECONNECT: Duration = Duration::from_millis(500);

/// How NATS is reached.
#[derive(Debug, Clone)]
pub struct NatsOptions {
    /// User and password, if the URL has none.
    pub login: Option<(String, String)>,
    /// `nats://host:4222` or `tls://host:4222`, with `user:password@` if need be; several with commas between.
    pub url: String,
    /// A file with credentials, as `nsc generate creds` writes it.
    pub credentials: Option<PathBuf>,
    /// A file (PEM) with the authorities that may sign the server's certificate, besides the system's.
    pub ca: Option<PathBuf>,
}

/// Why NATS, or what was asked over it, is not to be had.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{message}")]
pub struct BusError {
    pub message: String,
    pub advice: String,
    /// It may be otherwise soon: nobody listened, or nobody answered.
    pub passing: bool,
    /// It is a fault of what was asked, and nothing that a server or an agent could mend.
    pub invalid: bool,
}

impl BusError {
    pub(super) fn new(message: impl Into<String>, advice: impl Into<String>) -> Self {
        BusError { message: message.into(), advice: advice.into(), passing: false, invalid: false }
    }

    pub(super) fn invalid(message: impl Into<String>, advice: impl Into<String>) -> Self {
        BusError { invalid: true, ..BusError::new(message, advice) }
    }

    fn passing(message: impl Into<String>, advice: impl Into<String>) -> Self {
        BusError { passing: true, ..BusError::new(message, advice) }
    }
}

impl From<BundleError> for BusError {
    /// It is about files of whoever asks.
    fn from(error: BundleError) -> Self {
        BusError::invalid(error.message, error.advice)
    }
}

impl From<BusError> for Refusal {
    fn from(error: BusError) -> Self {
        Refusal { message: error.message, advice: error.advice }
    }
}

/// A connection to NATS. Cheap to clone; the last one to go ends it.
#[derive(Debug, Clone)]
pub(super) struct Bus {
    pub client: Client,
    pub jetstream: Context,
    pub handle: Handle,
    /// What the server has said last that this user may not do.
    denied: Arc<Mutex<Option<String>>>,
    /// The event loop ends when nobody holds this any more.
    _alive: tokio::sync::mpsc::Sender<()>,
}

/// A server that is away for a while comes back: what has to arrive is tried again for so long.
const PERSIST_FOR: Duration = Duration::from_secs(120);
/// How long after a try that failed.
const PERSIST_EVERY: Duration = Duration::from_millis(500);

/// Tries something until it is done, for two minutes or until `cancel`; the last error is returned. `what` is said of each try that fails.
pub(super) fn persist<T>(
    what: &str,
    cancel: &CancellationToken,
    mut attempt: impl FnMut() -> Result<T, BusError>,
) -> Result<T, BusError> {
    let begun = Instant::now();
    loop {
        match attempt() {
            Err(error) if begun.elapsed() < PERSIST_FOR && !cancel.is_cancelled() => {
                warn!(%error, "{what} is sent again");
                std::thread::sleep(PERSIST_EVERY);
            }
            came => return came,
        }
    }
}

/// A message that came.
#[derive(Debug)]
pub(super) struct Heard {
    pub payload: bytes::Bytes,
    pub reply: Option<String>,
}

/// Messages on a subject, until it is dropped.
#[derive(Debug)]
pub(super) struct Subscription {
    heard: Receiver<Heard>,
    _forwarding: AbortOnDrop,
}

/// Ends a task with its owner.
#[derive(Debug)]
pub(super) struct AbortOnDrop(AbortHandle);

impl Drop for AbortOnDrop {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Subscription {
    /// The next message, if one comes within this time.
    pub fn next(&self, within: Duration) -> Option<Heard> {
        match self.heard.recv_timeout(within) {
            Ok(heard) => Some(heard),
            Err(RecvTimeoutError::Timeout) => None,
            Err(RecvTimeoutError::Disconnected) => {
                std::thread::sleep(within);
                None
            }
        }
    }
}

impl Bus {
    /// Connects, as `who`; replies to it come below `inbox`, so that permissions can tell agents and coordinators apart.
    pub fn connect(options: &NatsOptions, who: &str, inbox: &str) -> Result<Bus, BusError> {
        let (addresses, login) = addresses(&options.url)?;
        let (alive, mut nobody) = tokio::sync::mpsc::channel::<()>(1);
        let (tell, handle) = channel();
        let begun = std::thread::Builder::new().name("nats".to_owned()).spawn(move || {
            let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
                Ok(runtime) => runtime,
                Err(error) => return drop(tell.send(Err(error))),
            };
            let _ = tell.send(Ok(runtime.handle().clone()));
            runtime.block_on(async { nobody.recv().await });
            runtime.shutdown_background();
        });
        let machine =
            |error: std::io::Error| BusError::new(format!("the machine refused: {error}"), "check `ulimit -a`");
        begun.map_err(machine)?;
        let ended = || BusError::new("the machine refused an event loop", "check `ulimit -a`");
        let handle: Handle = handle.recv().map_err(|_| ended())?.map_err(machine)?;
        let denied: Arc<Mutex<Option<String>>> = Arc::default();
        let login = login.or_else(|| options.login.clone());
        let client = handle.block_on(connected(options, &addresses, login, (who, inbox), &denied))?;
        // It starts a task.
        let inside = handle.enter();
        let mut jetstream = jetstream::new(client.clone());
        drop(inside);
        jetstream.set_timeout(SERVER_WITHIN);
        Ok(Bus { client, jetstream, handle, denied, _alive: alive })
    }

    /// Waits for something that NATS does.
    pub fn wait<T>(&self, work: impl Future<Output = T>) -> T {
        self.handle.block_on(work)
    }

    /// Whether the connection stands.
    pub fn is_connected(&self) -> bool {
        self.client.connection_state() == State::Connected
    }

    /// Says something to whoever listens. Without a connection it is said once there is one again, or never.
    pub fn publish(&self, subject: &str, message: &impl Serialize) {
        self.publish_bytes(subject, encode(message));
    }

    /// The same of bytes.
    pub fn publish_bytes(&self, subject: &str, bytes: Vec<u8>) {
        if let Err(error) = self.wait(self.client.publish(subject.to_owned(), bytes.into())) {
            debug!(subject, %error, "not published");
        }
    }

    /// What the server has said last that this user may not do, once.
    fn denial(&self) -> Option<BusError> {
        let denied = self.denied.lock().unwrap_or_else(PoisonError::into_inner).take()?;
        let message = format!("the NATS server does not let this user do that: {denied}");
        let advice = "give it the permissions of docs/fleet/nats.conf: agents and submitters have others";
        Some(BusError::new(message, advice))
    }

    /// The reason of a failure: what the server does not let this user do, if that was it.
    pub fn blame(&self, error: BusError) -> BusError {
        self.denial().unwrap_or(error)
    }

    /// Fails where the server has said that this user may not do what was done.
    pub fn is_allowed(&self) -> Result<(), BusError> {
        self.flush();
        self.denial().map_or(Ok(()), Err)
    }

    /// Waits until all that was said has left.
    pub fn flush(&self) {
        let flushed = async { tokio::time::timeout(SERVER_WITHIN, self.client.flush()).await };
        if !matches!(self.wait(flushed), Ok(Ok(()))) {
            debug!("not flushed");
        }
    }

    /// Asks one who listens on `subject`.
    pub fn request<T: DeserializeOwned>(
        &self,
        subject: &str,
        message: &impl Serialize,
        within: Duration,
    ) -> Result<T, BusError> {
        let request = async_nats::Request::new().payload(encode(message).into()).timeout(Some(within));
        let reply = self.wait(self.client.send_request(subject.to_owned(), request)).map_err(|error| {
            use async_nats::client::RequestErrorKind as Kind;
            match error.kind() {
                Kind::NoResponders => {
                    BusError::passing("it is not there any more", "did the agent end, or was it killed?")
                }
                Kind::TimedOut => {
                    BusError::passing("it does not answer", "is the agent's machine very busy, or cut off?")
                }
                _ => BusError::passing(format!("it cannot be asked: {error}"), "is the NATS server up?"),
            }
        })?;
        let strange =
            || BusError::new("it answers what is not understood", "use the same version of runner everywhere");
        decode(&reply.payload).ok_or_else(strange)
    }

    /// Hears all that is said on a subject, which may hold wildcards.
    pub fn subscribe(&self, subject: &str) -> Result<Subscription, BusError> {
        let (tell, heard) = channel();
        let forwarding = self.hear(subject, move |message| {
            let _: Result<(), _> = Sender::send(&tell, message);
        })?;
        Ok(Subscription { heard, _forwarding: forwarding })
    }

    /// Has `take` called for all that is said on a subject, on the event loop: it must not block.
    pub fn hear(&self, subject: &str, mut take: impl FnMut(Heard) + Send + 'static) -> Result<AbortOnDrop, BusError> {
        let refused = |error: async_nats::SubscribeError| {
            BusError::new(
                format!("cannot subscribe to {subject}: {error}"),
                "has this user the permissions of docs/fleet/nats.conf?",
            )
        };
        let mut messages = self.wait(self.client.subscribe(subject.to_owned())).map_err(refused)?;
        // Known to the server before anything is said that is to be heard.
        self.flush();
        let task = self.handle.spawn(async move {
            while let Some(message) = messages.next().await {
                let reply = message.reply.map(|reply| reply.to_string());
                take(Heard { payload: message.payload, reply });
            }
        });
        Ok(AbortOnDrop(task.abort_handle()))
    }

    /// Answers all that is asked on a subject, on the event loop: `answer` must not block.
    pub fn answer<T: Serialize>(
        &self,
        subject: &str,
        answer: impl Fn(&[u8]) -> Option<T> + Send + 'static,
    ) -> Result<AbortOnDrop, BusError> {
        let (client, handle) = (self.client.clone(), self.handle.clone());
        self.hear(subject, move |heard| {
            let (Some(reply), Some(message)) = (heard.reply, answer(&heard.payload)) else { return };
            let (client, bytes) = (client.clone(), encode(&message));
            handle.spawn(async move { client.publish(reply, bytes.into()).await });
        })
    }
}

async fn connected(
    options: &NatsOptions,
    addresses: &[String],
    login: Option<Login>,
    (who, inbox): (&str, &str),
    denied: &Arc<Mutex<Option<String>>>,
) -> Result<Client, BusError> {
    let denied = Arc::clone(denied);
    let mut connect = ConnectOptions::new()
        .name(who)
        .custom_inbox_prefix(inbox)
        .connection_timeout(CONNECT_WITHIN)
        .ping_interval(PING)
        .reconnect_delay_callback(|attempt| RECONNECT.min(Duration::from_millis(20) * attempt as u32))
        .event_callback(move |event| {
            if let Event::ServerError(error) = &event
                && error.to_string().to_ascii_lowercase().contains("permissions violation")
            {
                *denied.lock().unwrap_or_else(PoisonError::into_inner) = Some(error.to_string());
            }
            async move {
                match event {
                    Event::Connected => info!("connected to NATS"),
                    Event::Disconnected => warn!("the connection to NATS is lost"),
                    event => warn!("NATS: {event}"),
                }
            }
        });
    if let Some(path) = &options.credentials {
        connect = connect.credentials_file(path).await.map_err(|error| {
            let message = format!("cannot read the credentials {}: {error}", path.display());
            BusError::invalid(message, "it is a file as `nsc generate creds` writes it; docs/fleet.md tells how")
        })?;
    }
    if let Some((user, password)) = login {
        connect = connect.user_and_password(user, password);
    }
    if let Some(path) = &options.ca {
        connect = connect.add_root_certificates(path.clone());
    }
    let shown = addresses.join(",");
    connect.connect(addresses).await.map_err(|error| match error.kind() {
        _ if is_about_a_certificate(&error) => untrusted(&shown, &error),
        ConnectErrorKind::AuthorizationViolation | ConnectErrorKind::Authentication => BusError::new(
            format!("{shown} does not let this user in"),
            "name a credentials file with --creds, or user and password in the URL: nats://user:password@host",
        ),
        ConnectErrorKind::Tls => untrusted(&shown, &error),
        ConnectErrorKind::Dns => BusError::passing(
            format!("cannot find {shown}: {}", source_of(&error)),
            "check the address of the NATS server",
        ),
        _ => BusError::passing(
            format!("no NATS server answers on {shown}: {}", source_of(&error)),
            "start one with JetStream, as in `nats-server -js`, or check the address",
        ),
    })
}

fn untrusted(shown: &str, error: &dyn std::error::Error) -> BusError {
    BusError::new(
        format!("the TLS handshake with {shown} failed: {}", source_of(error)),
        "name the authority that signed its certificate with --nats-ca",
    )
}

/// Whether TLS itself has failed, somewhere below.
fn is_about_a_certificate(error: &(dyn std::error::Error + 'static)) -> bool {
    let mut inner = Some(error);
    while let Some(error) = inner {
        let within = error.downcast_ref::<std::io::Error>().and_then(std::io::Error::get_ref);
        if error.is::<rustls::Error>() || within.is_some_and(|within| within.is::<rustls::Error>()) {
            return true;
        }
        inner = error.source();
    }
    false
}

/// The innermost reason.
fn source_of(error: &dyn std::error::Error) -> String {
    let mut inner = error;
    while let Some(next) = inner.source() {
        inner = next;
    }
    inner.to_string()
}

/// A user and a password.
type Login = (String, String);

/// The addresses of a list of URLs, without user and password, which the library would leave unused.
fn addresses(urls: &str) -> Result<(Vec<String>, Option<Login>), BusError> {
    let (mut all, mut login) = (Vec::new(), None);
    for text in urls.split(',').map(str::trim) {
        let refused = |why: &str| {
            // It may hold a password.
            let shown = text.rsplit('@').next().unwrap_or_default();
            BusError::invalid(
                format!("`{shown}` is no address of a NATS server: {why}"),
                "write as in nats://127.0.0.1:4222 or tls://nats.internal:4222",
            )
        };
        let whole = if text.contains("://") { text.to_owned() } else { format!("nats://{text}") };
        let mut url = Url::parse(&whole).map_err(|error| refused(&error.to_string()))?;
        if !matches!(url.scheme(), "nats" | "tls") {
            return Err(refused("it begins with neither nats:// nor tls://"));
        }
        if url.host_str().is_none_or(str::is_empty) {
            return Err(refused("it names no host"));
        }
        if let Some(password) = url.password() {
            let decoded = |part: &str| percent_encoding::percent_decode_str(part).decode_utf8_lossy().into_owned();
            login = Some((decoded(url.username()), decoded(password)));
        }
        let bare = url.set_username("").and_then(|()| url.set_password(None));
        bare.map_err(|()| refused("its user cannot be read"))?;
        all.push(url.to_string());
    }
    Ok((all, login))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_told_apart_from_who_connects() {
        let read = |text| addresses(text).map_err(|error| error.message);
        assert_eq!(read("127.0.0.1:4222").unwrap(), (vec!["nats://127.0.0.1:4222".to_owned()], None));
        let (all, login) = read("nats://me:s%40cret@a:1, tls://b").unwrap();
        assert_eq!(all, ["nats://a:1", "tls://b"]);
        assert_eq!(login, Some(("me".to_owned(), "s@cret".to_owned())));
        let refused = read("http://me:secret@a").unwrap_err();
        assert!(refused.contains("neither nats://") && !refused.contains("secret"), "{refused}");
        assert!(read("nats://").is_err());
    }
}
