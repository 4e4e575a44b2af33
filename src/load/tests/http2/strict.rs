//! Responses of HTTP/2 that are odd but allowed, and others that are not; written frame by frame.

use super::late::{DATA, END_HEADERS, END_STREAM, HEADERS, frame, hear_requests};
use super::*;

/// Frames of a response: type, flags, payload.
type Frames = Vec<(u8, u8, Vec<u8>)>;

/// `:status` of an interim or other response that the static table does not have (RFC 7541, section 6.2.2).
fn status(status: &str) -> Vec<u8> {
    [&[0x08, 3], status.as_bytes()].concat()
}

/// A header that is in no table.
fn header(name: &str, value: &str) -> Vec<u8> {
    [&[0, name.len() as u8], name.as_bytes(), &[value.len() as u8], value.as_bytes()].concat()
}

/// Has 40 requests of two users on one connection answered so.
fn answered(frames: Frames) -> Results {
    let address = server(move |listener| {
        for stream in listener.incoming() {
            let frames = frames.clone();
            std::thread::spawn(move || {
                hear_requests(stream.unwrap(), HEADERS, |stream, on| {
                    let bytes = frames.iter().flat_map(|(kind, flags, payload)| frame(*kind, *flags, on, payload));
                    std::io::Write::write_all(stream, &bytes.collect::<Vec<u8>>())
                })
            });
        }
    });
    execute(address, &plan(2.0, 2, 40))
}

fn head(block: &[Vec<u8>]) -> (u8, u8, Vec<u8>) {
    (HEADERS, END_HEADERS, block.concat())
}

const CONTINUATION: u8 = 9;

const OK: u8 = 0x88;

#[test]
fn what_is_odd_but_allowed_is_an_answer() {
    let ok = || head(&[vec![OK]]);
    let last = |payload: &[u8]| (DATA, END_STREAM, payload.to_vec());
    let empty = (DATA, 0, Vec::new());
    let tiny = || (DATA, 0, b"x".to_vec());
    let cases: [Frames; 9] = [
        vec![ok(), empty.clone(), empty.clone(), empty.clone(), empty.clone(), empty.clone(), empty, last(b"x")],
        [vec![ok()], vec![tiny(); 300], vec![last(b"")]].concat(),
        vec![head(&[status("103"), header("link", "</a>")]), ok(), last(b"x")],
        vec![head(&[vec![OK], header("x-empty", ""), header("x-two", "a b")]), last(b"x")],
        vec![ok(), (HEADERS, END_HEADERS | END_STREAM, header("x-sum", "5"))],
        vec![head(&[status("799")]), last(b"x")],
        vec![ok(), tiny(), (HEADERS, END_HEADERS | END_STREAM, vec![0x20])],
        vec![ok(), tiny(), padded(&header("x-sum", "5"))],
        vec![ok(), tiny(), (HEADERS, END_STREAM, vec![]), (CONTINUATION, END_HEADERS, header("x-sum", "5"))],
    ];
    for (index, frames) in cases.into_iter().enumerate() {
        let results = answered(frames);
        let whole = &results.measured.whole;
        assert_eq!(
            (whole.completed, whole.failed(), results.measured.connections.retried),
            (40, 0, 0),
            "{index} {:?}",
            results.measured.samples
        );
        assert_eq!(results.measured.connections.opened, 1, "{index}");
    }
}

#[test]
fn what_the_rfc_calls_malformed_is_no_answer() {
    let ok = || head(&[vec![OK]]);
    let last = || (DATA, END_STREAM, b"x".to_vec());
    let with = |value: &str| vec![head(&[vec![OK], header("x-a", value)]), last()];
    let pseudo = "a pseudo-header among its trailers";
    let indexed = vec![0x84];
    let literal = vec![0x04, 2, b'/', b'x'];
    let incremental = vec![0x48, 3, b'2', b'0', b'1'];
    let resized = [&[0x20, 0x3f, 0x01][..], &[0x81]].concat();
    let some = || (DATA, 0, b"x".to_vec());
    let cases: [(Frames, &str); 15] = [
        (with(" a"), "white space around it"),
        (with("a\t"), "white space around it"),
        (with(" "), "white space around it"),
        (vec![ok(), last_with(&header("x-sum", "5 "))], "white space around it"),
        (vec![head(&[status("103"), header("link", " x")]), ok(), last()], "white space around it"),
        (vec![head(&[status("101")]), ok(), last()], "a switch of protocols (101)"),
        (vec![ok(), some(), last_with(&indexed)], pseudo),
        (vec![ok(), some(), last_with(&literal)], pseudo),
        (vec![ok(), some(), last_with(&incremental)], pseudo),
        (vec![ok(), some(), last_with(&resized)], pseudo),
        (vec![ok(), some(), last_with(&header(":path", "/"))], pseudo),
        // Without a body, and followed by a header that is none.
        (vec![ok(), last_with(&[indexed.clone(), header("x-sum", "5")].concat())], pseudo),
        // Behind an empty frame of DATA, and padded.
        (vec![ok(), (DATA, 0, vec![]), padded(&indexed)], pseudo),
        // In a frame that continues the block.
        (vec![ok(), some(), (HEADERS, END_STREAM, vec![]), (CONTINUATION, END_HEADERS, indexed.clone())], pseudo),
        (vec![head(&[status("103")]), ok(), some(), last_with(&indexed)], pseudo),
    ];
    for (index, (frames, why)) in cases.into_iter().enumerate() {
        let results = answered(frames);
        assert_eq!(failures(&results, Failure::Protocol), 40, "{index}");
        let said = results.measured.samples.of(Failure::Protocol).unwrap();
        assert!(said.starts_with("the response is malformed: it has") && said.contains(why), "{index} {said}");
        assert_eq!(results.measured.connections.opened, 1, "only its stream is given up: {index}");
    }
}

/// Trailers with three bytes of padding, and a priority.
fn padded(block: &[u8]) -> (u8, u8, Vec<u8>) {
    const PADDED: u8 = 0x8;
    const PRIORITY: u8 = 0x20;
    let payload = [&[3][..], &[0, 0, 0, 0, 15], block, &[0; 3]].concat();
    (HEADERS, END_HEADERS | END_STREAM | PADDED | PRIORITY, payload)
}

fn last_with(block: &[u8]) -> (u8, u8, Vec<u8>) {
    (HEADERS, END_HEADERS | END_STREAM, block.to_vec())
}

#[test]
fn what_a_server_has_not_taken_up_when_it_goes_away_is_sent_again_whatever_its_reason() {
    const GOAWAY: u8 = 7;
    // NO_ERROR, INTERNAL_ERROR and ENHANCE_YOUR_CALM.
    for reason in [0, 2, 0xb] {
        let address = server(move |listener| {
            for stream in listener.incoming() {
                let mut is_gone = false;
                std::thread::spawn(move || {
                    hear_requests(stream.unwrap(), HEADERS, |stream, on| {
                        if std::mem::replace(&mut is_gone, true) {
                            return Ok(());
                        }
                        let answer = frame(HEADERS, END_HEADERS | END_STREAM, on, &[OK]);
                        let last = frame(GOAWAY, 0, [0; 4], &[on, [0, 0, 0, reason]].concat());
                        std::io::Write::write_all(stream, &[answer, last].concat())
                    })
                });
            }
        });
        let results = execute(address, &plan(2.0, 2, 40));
        let whole = &results.measured.whole;
        assert_eq!((whole.completed, whole.failed()), (40, 0), "{reason} {:?}", results.measured.samples);
        assert!(results.measured.connections.opened >= 40, "each takes one: {}", results.measured.connections.opened);
    }
}
