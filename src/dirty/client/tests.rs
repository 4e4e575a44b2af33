use std::net::SocketAddr;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

use super::*;
use crate::exchange::{Failure, Outcome};
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
