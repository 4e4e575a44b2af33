//! A server of HTTP/2 whose answers come late, written frame by frame: `h2` sends none for a stream that was given up.

use super::*;

pub(super) const DATA: u8 = 0;
pub(super) const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
const ACK: u8 = 1;
pub(super) const END_STREAM: u8 = 1;
pub(super) const END_HEADERS: u8 = 4;

/// A frame (RFC 9113, section 4.1).
pub(super) fn frame(kind: u8, flags: u8, stream: [u8; 4], payload: &[u8]) -> Vec<u8> {
    let [_, length @ ..] = (payload.len() as u32).to_be_bytes();
    [&length[..], &[kind, flags], &stream, payload].concat()
}

/// Speaks HTTP/2, and has each stream answered once, when the first frame of a type comes on it.
pub(super) fn hear_requests(
    mut stream: std::net::TcpStream,
    wanted: u8,
    mut answer: impl FnMut(&mut std::net::TcpStream, [u8; 4]) -> std::io::Result<()>,
) -> std::io::Result<()> {
    stream.read_exact(&mut [0; b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".len()])?;
    stream.write_all(&frame(SETTINGS, 0, [0; 4], &[]))?;
    let mut answered = std::collections::HashSet::new();
    loop {
        let mut head = [0; 9];
        stream.read_exact(&mut head)?;
        let [a, b, c, kind, flags, on @ ..] = head;
        stream.read_exact(&mut vec![0; u32::from_be_bytes([0, a, b, c]) as usize])?;
        match kind {
            SETTINGS if flags & ACK == 0 => stream.write_all(&frame(SETTINGS, ACK, [0; 4], &[]))?,
            kind if kind == wanted && answered.insert(on) => answer(&mut stream, on)?,
            _ => {}
        }
    }
}

/// Answers each request as soon as it hears that it was given up.
fn answer_late(stream: std::net::TcpStream) -> std::io::Result<()> {
    hear_requests(stream, RST_STREAM, |stream, on| {
        // `:status: 200`, the eighth of the static table (RFC 7541, appendix A).
        stream.write_all(&frame(HEADERS, END_HEADERS, on, &[0x88]))?;
        stream.write_all(&frame(DATA, END_STREAM, on, b"late"))
    })
}

#[test]
fn answers_that_come_late_cost_no_connection() {
    let address = server(|listener| {
        for stream in listener.incoming() {
            std::thread::spawn(move || answer_late(stream.unwrap()));
        }
    });
    let load = LoadSpec { timeout: Duration::from_millis(50), ..plan(100.0, 100, 2000) };
    let results = execute(address, &load);
    assert_eq!(failures(&results, Failure::Timeout), 2000, "{:?}", results.measured.whole.failures);
    assert_eq!(results.measured.connections.opened, 1);
}
