//! A relay between client and server that exchanges two responses: a leak that is known to be there, so that a check that
//! does not see it is known to be blind.

use std::cell::Cell;
use std::io;
use std::net::Ipv4Addr;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use super::client::{Streams, Watched};
use crate::net::dialer::Dialer;
use crate::net::endpoint::Endpoint;
use crate::net::response_parser::ResponseParser;
use crate::net::sink::Discard;

const BUFFER: usize = 16 * 1024;

/// How responses are read.
#[derive(Debug, Clone, Copy)]
pub(super) struct Replies {
    pub head_only: bool,
    pub streams: Streams,
}

/// Listens on a port of its own.
#[derive(Debug)]
pub(super) struct Relay {
    listener: TcpListener,
}

impl Relay {
    pub async fn bind() -> io::Result<Self> {
        Ok(Relay { listener: TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await? })
    }

    pub fn endpoint(&self) -> io::Result<Endpoint> {
        self.listener.local_addr().map(Endpoint::Tcp)
    }

    /// Serves two connections until `requests` has ended. A server that fails closes both.
    pub async fn during(self, requests: impl Future<Output = ()>, server: &Dialer, replies: Replies) {
        let relay = async {
            // What went wrong shows in the responses, or in that there are none.
            let _open = self.exchange(server, replies).await;
            std::future::pending::<()>().await;
        };
        tokio::select! {
            () = requests => {}
            () = relay => {}
        }
    }

    /// Passes on one request of each of two connections, one after the other, and gives each the other's response. Who reads
    /// a stream closes it.
    async fn exchange(self, server: &Dialer, replies: Replies) -> io::Result<[TcpStream; 2]> {
        let (mut one, _) = self.listener.accept().await?;
        let (mut other, _) = self.listener.accept().await?;
        hand_over(&mut one, server, &mut other, replies).await?;
        hand_over(&mut other, server, &mut one, replies).await?;
        Ok([one, other])
    }
}

/// Passes the request of `from` to the server, and the whole response to `to`. The server's connection is closed then, so that
/// one that serves a connection at a time can take the next.
async fn hand_over(from: &mut TcpStream, server: &Dialer, to: &mut TcpStream, replies: Replies) -> io::Result<()> {
    let server = server.dial().await.map_err(|no| io::Error::other(no.why))?;
    let (mut reader, mut writer) = tokio::io::split(server);
    let mut reply = ResponseParser::new(replies.head_only);
    let (begun, streams) = (Cell::new(None), replies.streams);
    let stream_ends = streams.up(&begun, None);
    tokio::pin!(stream_ends);
    let (mut up, mut down) = (vec![0; BUFFER], vec![0; BUFFER]);
    let mut unparsed = Vec::new();
    let mut asking = true;
    loop {
        tokio::select! {
            read = from.read(&mut up), if asking => match read? {
                0 => asking = false,
                length => {
                    writer.write_all(&up[..length]).await?;
                    writer.flush().await?;
                }
            },
            read = reader.read(&mut down) => {
                let length = read?;
                match to.write_all(&down[..length]).await {
                    Err(_) if begun.get().is_some() => return Ok(()),
                    written => written?,
                }
                unparsed.extend_from_slice(&down[..length]);
                let mut sink = Watched { sink: &mut Discard, begun: &begun, streams };
                let taken = reply.advance(&unparsed, &mut sink).map_err(|why| io::Error::other(why.0))?;
                unparsed.drain(..taken);
                if length == 0 {
                    // A body may end with the connection: the reader must see that too.
                    return to.shutdown().await;
                }
                if reply.is_done() {
                    return Ok(());
                }
            }
            _ = &mut stream_ends => return Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::net::UnixListener;

    use super::*;
    use crate::net::clock::Clock;

    async fn ask(endpoint: Endpoint, request: &str) -> String {
        let Endpoint::Tcp(address) = endpoint else { panic!("a relay has a port") };
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut reply = String::new();
        stream.read_to_string(&mut reply).await.unwrap();
        reply
    }

    /// Answers one connection at a time with what it was asked for, and ends the body as `length` says.
    async fn serve(listener: UnixListener, with_length: bool) {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut request = vec![0; 1024];
            let read = stream.read(&mut request).await.unwrap();
            let body = String::from_utf8_lossy(&request[..read]).split(' ').nth(1).unwrap().to_owned();
            let length = if with_length { format!("content-length: {}\r\n", body.len()) } else { String::new() };
            stream.write_all(format!("HTTP/1.1 200 OK\r\n{length}\r\n{body}").as_bytes()).await.unwrap();
            if with_length {
                // Until the relay closes.
                let _ = stream.read(&mut request).await;
            }
        }
    }

    #[tokio::test]
    async fn each_of_two_gets_the_others_reply_whatever_ends_it_and_over_a_unix_socket_too() {
        for with_length in [true, false] {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("server.sock");
            let listener = UnixListener::bind(&path).unwrap();
            let relay = Relay::bind().await.unwrap();
            let endpoint = relay.endpoint().unwrap();
            let requests = async {
                let one = ask(endpoint.clone(), "GET /one HTTP/1.1\r\n\r\n");
                let other = ask(endpoint.clone(), "GET /other HTTP/1.1\r\n\r\n");
                tokio::join!(one, other)
            };
            let server = Dialer::new(Endpoint::Unix(path), None);
            let streams = Streams { clock: Clock::start(), given: None };
            let replies = Replies { head_only: false, streams };
            let work = async {
                // Those who ask read until it closes.
                let relay = async { relay.exchange(&server, replies).await.map(drop) };
                let ((one, other), relayed) = tokio::join!(requests, relay);
                relayed.unwrap();
                (one, other)
            };
            let (one, other) = tokio::select! {
                replies = work => replies,
                () = serve(listener, with_length) => unreachable!("it serves for ever"),
            };
            assert!(one.ends_with("/other") && other.ends_with("/one"), "{one} {other}");
        }
    }
}
