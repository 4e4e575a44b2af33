use std::net::SocketAddr;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

use super::*;
use crate::dirty::stopwatch::Stopwatch;
use crate::exchange::{Failure, Outcome};
use crate::scenario::login::CaptureSource;
use crate::scenario::{Budget, CaptureSpec, DirtySpec, Expect, LoginSpec, LoginStep, RequestSpec, Template};
use crate::session::Session;

const OK: &str = "HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n";

fn client(address: SocketAddr, path: &str) -> CheckClient {
    CheckClient::new(&plan(get(path)), &Target::tcp(address, Some(4)), 1, Stopwatch::start())
}

fn get(path: &str) -> RequestSpec {
    RequestSpec::get(&Template::parse(path).unwrap())
}

/// A check by this request.
pub(in crate::dirty) fn plan(request: RequestSpec) -> DirtySpec {
    DirtySpec {
        request,
        also: Vec::new(),
        sweep: None,
        identities: Vec::new(),
        group: None,
        login: None,
        follow: 0,
        shape: crate::canary::CanaryShape::Word,
        public: Vec::new(),
        triggers: vec![crate::trigger::Trigger::Overlap],
        sleep: None,
        expect: Expect::Clean,
        budget: Budget {
            exposures: 1,
            time: Duration::from_secs(5),
            start_time: Duration::from_secs(60),
            exhaustive: false,
        },
        timeout: Duration::from_secs(5),
        stream: None,
        locate: None,
        version: scenario::Version::One,
    }
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
            let somebody = client.somebody(Anomaly::None);
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
async fn what_comes_unasked_is_no_answer_and_is_counted_but_where_a_request_was_bait() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let client = client(listener.local_addr().unwrap(), "/?q={canary}");
    let server = async {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            assert!(stream.read(&mut [0; 4096]).await.is_ok_and(|length| length > 0));
            let twice = [OK, "HTTP/1.1 299 Unasked\r\ncontent-length: 0\r\n\r\n"].concat();
            stream.write_all(twice.as_bytes()).await.unwrap();
        }
    };
    let asking = async {
        for (twist, counted) in [(Anomaly::None, 2), (Anomaly::Smuggling(1), 0)] {
            let mut wire = Wire::default();
            let somebody = client.somebody(Anomaly::None);
            let ask = Ask { shot: RecipeRequest { twist, ..RecipeRequest::plain() }, ..Ask::alone(&somebody) };
            for _ in 0..2 {
                assert!(client.send(&mut wire, &ask).await);
            }
            client.look_for_strays(&mut wire);
            let came = client.take_observations().iter().map(|o| o.seen.status()).collect::<Vec<_>>();
            assert_eq!(came, [Some(200); 2]);
            assert_eq!((client.take_strays().len(), client.take_unsolicited()), (2, counted));
        }
    };
    tokio::select! {
        () = server => {}
        () = asking => {}
    }
}

#[tokio::test]
async fn the_number_of_workers_is_filled_in() {
    let bytes = client(([127, 0, 0, 1], 80).into(), "/{workers}/{port}?q={canary}");
    let somebody = Identity { canary: "c".to_owned(), ..Identity::default() };
    let bytes = bytes.fill(bytes.forms.of(&RecipeRequest::plain()), 1, &Ask::alone(&somebody));
    assert!(bytes.starts_with(b"GET /4/80?q=c HTTP/1.1\r\n"), "{}", String::from_utf8_lossy(&bytes));
}

/// More than the buffers of both ends hold.
const LARGE: usize = 8 << 20;

#[tokio::test]
async fn a_server_that_answers_while_it_reads_gets_all_of_a_large_request() {
    let socket = tokio::net::TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(64 << 10).unwrap();
    socket.set_send_buffer_size(64 << 10).unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let listener = socket.listen(8).unwrap();
    let target = Target::tcp(listener.local_addr().unwrap(), None);
    let body = scenario::request::BodySpec::Text(Template::parse(&"x".repeat(LARGE)).unwrap());
    let request = RequestSpec { method: "POST".to_owned(), body: Some(body), ..get("/?q={canary}") };
    let client = CheckClient::new(&plan(request), &target, 1, Stopwatch::start());
    let server = async {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            // The head comes first; what follows it is given back as it comes.
            let mut some = vec![0; 64 << 10];
            let mut left = 0;
            while let Ok(length @ 1..) = stream.read(&mut some).await {
                let mut read = &some[..length];
                while !read.is_empty() {
                    if left == 0 {
                        let end = memchr::memmem::find(read, b"\r\n\r\n").unwrap();
                        read = &read[end + 4..];
                        left = LARGE;
                        let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {LARGE}\r\n\r\n");
                        stream.write_all(head.as_bytes()).await.unwrap();
                    }
                    let (echo, rest) = read.split_at(read.len().min(left));
                    if stream.write_all(echo).await.is_err() {
                        break;
                    }
                    (left, read) = (left - echo.len(), rest);
                }
            }
        }
    };
    let asking = async {
        let somebody = client.somebody(Anomaly::None);
        let halting = Ask {
            shot: RecipeRequest { twist: Anomaly::Halting(1.0), ..RecipeRequest::plain() },
            ..Ask::alone(&somebody)
        };
        let gate = Barrier::new(1);
        let gated = Ask { gate: Some(&gate), ..Ask::alone(&somebody) };
        let mut wire = Wire::default();
        for ask in [Ask::alone(&somebody), halting, gated] {
            assert!(client.send(&mut wire, &ask).await);
        }
        client.send_together(&mut wire, &[Ask::alone(&somebody)]).await;
        let outcomes: Vec<_> = client.observations.take().iter().map(|o| o.seen.exchange.outcome).collect();
        assert_eq!(outcomes, [Outcome::Answered(200); 4]);
    };
    tokio::select! {
        () = server => {}
        () = asking => {}
    }
}

/// Takes the first request out of what has come, if it is whole.
fn next_request(bytes: &mut Vec<u8>) -> Option<String> {
    let text = String::from_utf8_lossy(bytes).into_owned();
    let (head, _) = text.split_once("\r\n\r\n")?;
    let length =
        head.lines().find_map(|line| line.strip_prefix("content-length: ")).map_or(0, |of| of.parse().unwrap());
    let whole = head.len() + 4 + length;
    (bytes.len() >= whole).then(|| String::from_utf8(bytes.drain(..whole).collect()).unwrap())
}

#[tokio::test]
async fn what_is_sent_tells_whether_its_answer_has_a_body_not_the_form() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let target = Target::tcp(listener.local_addr().unwrap(), None);
    let head = RequestSpec { method: "HEAD".to_owned(), ..get("/?q={canary}&t={token}") };
    let login = RequestSpec { method: "POST".to_owned(), ..get("/login") };
    let token = CaptureSpec { name: "token".to_owned(), from: CaptureSource::Json(vec!["token".to_owned()]) };
    let steps = vec![LoginStep { request: login, follow: 0, captures: vec![token] }];
    let login = LoginSpec { steps, once: false };
    let client = CheckClient::new(&DirtySpec { login: Some(login), ..plan(head) }, &target, 1, Stopwatch::start());
    let server = async {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut bytes = Vec::new();
            while stream.read_buf(&mut bytes).await.is_ok_and(|length| length > 0) {
                while let Some(request) = next_request(&mut bytes) {
                    let body = if request.starts_with("HEAD ") { "" } else { r#"{"token":"t0k3n"}"# };
                    let answer = format!("HTTP/1.1 200 OK\r\ncontent-length: 17\r\n\r\n{body}");
                    stream.write_all(answer.as_bytes()).await.unwrap();
                }
            }
        }
    };
    let asking = async {
        let mut who = [client.somebody(Anomaly::None)];
        client.log_in(&mut who).await.unwrap();
        assert_eq!(who[0].session.captured("token"), Some("t0k3n"));
        let shots = [
            RecipeRequest::plain(),
            RecipeRequest { twist: Anomaly::Smuggling(1), ..RecipeRequest::plain() },
            RecipeRequest::plain(),
        ];
        let asks = shots.map(|shot| Ask { shot, ..Ask::alone(&who[0]) });
        let mut wire = Wire::default();
        for ask in &asks {
            client.send(&mut wire, ask).await;
        }
        client.send_together(&mut wire, &asks).await;
        let observed = client.take_observations();
        let came = |o: &Observation| (o.seen.status(), String::from_utf8_lossy(&o.reply.body).into_owned());
        let came: Vec<_> = observed.iter().map(came).collect();
        let body = |body: &str| (Some(200), body.to_owned());
        let round = [body(""), body(r#"{"token":"t0k3n"}"#), body("")];
        assert_eq!((came, client.take_strays().len()), ([round.clone(), round].concat(), 0));
    };
    tokio::select! {
        () = server => {}
        () = asking => {}
    }
}

#[tokio::test]
async fn pipelined_requests_that_wait_for_nothing_go_out_together_and_others_later() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let client = client(listener.local_addr().unwrap(), "/?q={canary}");
    let server = async {
        let (mut stream, _) = listener.accept().await.unwrap();
        // A read takes what there is room for.
        let (mut bytes, mut counts) = (Vec::with_capacity(65_536), Vec::new());
        while stream.read_buf(&mut bytes).await.is_ok_and(|length| length > 0) {
            let requests = std::iter::from_fn(|| next_request(&mut bytes)).count();
            counts.push(requests);
            stream.write_all(OK.repeat(requests).as_bytes()).await.unwrap();
        }
        counts
    };
    let asking = async {
        let somebody = client.somebody(Anomaly::None);
        let shots = [0.0, 0.0, 300.0].map(|pause_ms| RecipeRequest { pause_ms, ..RecipeRequest::plain() });
        let asks = shots.map(|shot| Ask { shot, ..Ask::alone(&somebody) });
        client.send_together(&mut Wire::default(), &asks).await;
        client.take_observations()
    };
    let (counts, observed) = tokio::join!(server, asking);
    assert_eq!(counts, [2, 1]);
    let seen: Vec<&Seen> = observed.iter().map(|observation| &observation.seen).collect();
    assert!(seen.iter().all(|seen| seen.status() == Some(200)));
    assert!(seen[1].exchange.done <= seen[2].sent(), "what comes in a pause is read when it comes: {seen:?}");
}

#[tokio::test]
async fn another_page_is_asked_for_with_the_same_headers_and_by_nobody_too() {
    let with = |path: &str| {
        let user = Template::parse("{canary}").unwrap();
        RequestSpec { headers: vec![("x-user".to_owned(), user)], ..get(path) }
    };
    let plan = DirtySpec { also: vec![with("/b?q={canary}"), with("/c/{canary}")], ..plan(with("/a")) };
    let client = CheckClient::new(&plan, &Target::tcp(([127, 0, 0, 1], 1).into(), None), 1, Stopwatch::start());
    let somebody = client.somebody(Anomaly::None);
    let canary = somebody.canary.clone();
    let asked = async |identity, shot| {
        client.send(&mut Wire::default(), &Ask { shot, identity, ..Ask::alone(&somebody) }).await;
        let observed = client.take_observations().remove(0);
        (observed.seen.line, String::from_utf8_lossy(&observed.request).contains("x-user"))
    };
    let page = |page| RecipeRequest { page, ..RecipeRequest::plain() };
    assert_eq!(asked(Some(&somebody), page(1)).await, (format!("GET /b?q={canary}"), true));
    assert_eq!(asked(Some(&somebody), page(2)).await, (format!("GET /c/{canary}"), true));
    let nobody = |index| RecipeRequest { who: crate::dirty::recipe::Principal::Nobody, ..page(index) };
    assert_eq!(asked(None, nobody(1)).await, ("GET /b".to_owned(), false));
    assert_eq!(asked(None, nobody(2)).await, ("GET /a".to_owned(), false), "a path without its identity is another");
}

#[tokio::test]
async fn the_line_of_a_request_does_not_tell_its_token() {
    let client = client(([127, 0, 0, 1], 1).into(), "/{token}?t={token}");
    let mut session = Session::default();
    let token = CaptureSpec { name: "token".to_owned(), from: CaptureSource::Header("x-token".to_owned()) };
    session.capture(&token, b"HTTP/1.1 200 OK\r\nx-token: ab+c/d==\r\n\r\n", b"").unwrap();
    let somebody = Identity { session, ..client.somebody(Anomaly::None) };
    client.send(&mut Wire::default(), &Ask::alone(&somebody)).await;
    assert_eq!(client.take_observations()[0].seen.line, "GET /$TOKEN?t=$TOKEN");
}
