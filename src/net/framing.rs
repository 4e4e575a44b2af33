//! How long a response's body is, and whether its connection can carry another.

/// Not HTTP, or not HTTP that can be told apart from the next response.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Malformed(pub &'static str);

/// How the end of a body is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum BodyFraming {
    Length(u64),
    Chunked,
    UntilClose,
}

/// What the headers say of the body's length and of the connection's future (RFC 9112, section 6.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Framing {
    pub body: BodyFraming,
    pub close: bool,
}

/// The headers that decide, as far as they have been read.
#[derive(Default)]
struct Signs {
    length: Option<Result<u64, Malformed>>,
    transfer_encoding: bool,
    /// The last transfer coding is `chunked`.
    chunked: bool,
    close: bool,
    keep_alive: bool,
}

impl Framing {
    pub fn of(response: &httparse::Response<'_, '_>) -> Result<Self, Malformed> {
        let mut signs = Signs::default();
        for header in response.headers.iter() {
            // Lengths first: most headers differ from these three by theirs.
            match header.name.len() {
                14 if header.name.eq_ignore_ascii_case("content-length") => signs.content_length(header.value),
                17 if header.name.eq_ignore_ascii_case("transfer-encoding") => signs.transfer_encoding(header.value),
                10 if header.name.eq_ignore_ascii_case("connection") => signs.connection(header.value),
                _ => {}
            }
        }
        signs.conclude(response.version == Some(0))
    }
}

impl Signs {
    fn content_length(&mut self, value: &[u8]) {
        for token in tokens(value) {
            let length = match (self.length, parse_length(token)) {
                (Some(Ok(earlier)), Ok(length)) if earlier != length => {
                    Err(Malformed("two content-lengths that differ"))
                }
                (Some(Err(earlier)), _) => Err(earlier),
                (_, length) => length,
            };
            self.length = Some(length);
        }
    }

    fn transfer_encoding(&mut self, value: &[u8]) {
        self.transfer_encoding = true;
        for token in tokens(value).filter(|token| !token.is_empty()) {
            self.chunked = token.eq_ignore_ascii_case(b"chunked");
        }
    }

    fn connection(&mut self, value: &[u8]) {
        for token in tokens(value) {
            self.close |= token.eq_ignore_ascii_case(b"close");
            self.keep_alive |= token.eq_ignore_ascii_case(b"keep-alive");
        }
    }

    fn conclude(self, http_1_0: bool) -> Result<Framing, Malformed> {
        let asked_to_close = self.close || (http_1_0 && !self.keep_alive);
        if self.transfer_encoding {
            // With a length beside it, or in HTTP/1.0, somebody on the way may have framed the body by another rule.
            let close = asked_to_close || self.length.is_some() || http_1_0;
            let body = if self.chunked { BodyFraming::Chunked } else { BodyFraming::UntilClose };
            return Ok(Framing { body, close });
        }
        let body = match self.length {
            Some(length) => BodyFraming::Length(length?),
            None => BodyFraming::UntilClose,
        };
        Ok(Framing { body, close: asked_to_close })
    }
}

/// The items of a list. A folded header's line break is white space around one.
fn tokens(value: &[u8]) -> impl Iterator<Item = &[u8]> {
    value.split(|byte| *byte == b',').map(<[u8]>::trim_ascii)
}

fn parse_length(digits: &[u8]) -> Result<u64, Malformed> {
    let all_digits = !digits.is_empty() && digits.iter().all(u8::is_ascii_digit);
    let length = digits
        .iter()
        .try_fold(0u64, |length, digit| length.checked_mul(10)?.checked_add(u64::from(digit.wrapping_sub(b'0'))));
    length.filter(|_| all_digits).ok_or(Malformed("the content-length is not a number"))
}

/// The size in a chunk's line, leading zeros and extensions allowed.
pub(super) fn parse_chunk_size(line: &[u8]) -> Result<u64, Malformed> {
    let digits = line.split(|byte| *byte == b';').next().unwrap_or_default().trim_ascii_end();
    let size = digits.iter().try_fold(0u64, |size, digit| {
        let digit = char::from(*digit).to_digit(16)?;
        // Sixty bits are more than any body has, and a shift loses none of them.
        (size >> 56 == 0).then_some(size << 4 | u64::from(digit))
    });
    size.filter(|_| !digits.is_empty()).ok_or(Malformed("a chunk's size is not a number"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn framing(head: &str) -> Result<Framing, Malformed> {
        let text = format!("{head}\r\n\r\n");
        let mut headers = [httparse::EMPTY_HEADER; 8];
        let mut response = httparse::Response::new(&mut headers);
        let parsed = httparse::ParserConfig::default()
            .allow_obsolete_multiline_headers_in_responses(true)
            .parse_response(&mut response, text.as_bytes());
        assert!(parsed.unwrap().is_complete(), "{text}");
        Framing::of(&response)
    }

    #[track_caller]
    fn is(head: &str, body: BodyFraming, close: bool) {
        assert_eq!(framing(head), Ok(Framing { body, close }), "{head}");
    }

    #[test]
    fn a_transfer_encoding_overrides_a_length_and_spoils_the_connection() {
        is("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked", BodyFraming::Chunked, false);
        is("HTTP/1.1 200 OK\r\ncontent-length: 5\r\ntransfer-encoding: chunked", BodyFraming::Chunked, true);
        is("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\ncontent-length: x", BodyFraming::Chunked, true);
        is("HTTP/1.1 200 OK\r\ncontent-length: 5\r\ntransfer-encoding: gzip", BodyFraming::UntilClose, true);
        is("HTTP/1.0 200 OK\r\nconnection: keep-alive\r\ntransfer-encoding: chunked", BodyFraming::Chunked, true);
    }

    #[test]
    fn the_last_transfer_coding_of_all_headers_decides() {
        is("HTTP/1.1 200 OK\r\ntransfer-encoding: gzip, Chunked", BodyFraming::Chunked, false);
        is("HTTP/1.1 200 OK\r\ntransfer-encoding: gzip\r\ntransfer-encoding: chunked", BodyFraming::Chunked, false);
        is("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked, gzip", BodyFraming::UntilClose, false);
        is("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\ntransfer-encoding: gzip", BodyFraming::UntilClose, false);
        is("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked,\r\n gzip", BodyFraming::UntilClose, false);
    }

    #[test]
    fn close_wins_and_keep_alive_matters_to_1_0_alone() {
        let length = BodyFraming::Length(0);
        is("HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close, keep-alive", length, true);
        is("HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: keep-alive\r\nconnection: Close", length, true);
        is("HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\nconnection: keep-alive", length, true);
        is("HTTP/1.0 200 OK\r\ncontent-length: 0\r\nconnection: close, keep-alive", length, true);
        is("HTTP/1.0 200 OK\r\ncontent-length: 0\r\nconnection: Keep-Alive", length, false);
        is("HTTP/1.0 200 OK\r\ncontent-length: 0", length, true);
        is("HTTP/1.1 200 OK\r\ncontent-length: 0", length, false);
    }

    #[test]
    fn a_length_may_be_said_again_but_not_otherwise() {
        is("HTTP/1.1 200 OK\r\ncontent-length: 2, 2", BodyFraming::Length(2), false);
        is("HTTP/1.1 200 OK\r\ncontent-length: 2,\r\n\t2", BodyFraming::Length(2), false);
        is("HTTP/1.1 200 OK\r\ncontent-length: 0000000000000000000000002", BodyFraming::Length(2), false);
        for value in ["2, 3", "2,", "", "-2", "+2", "2 2", "99999999999999999999"] {
            assert!(framing(&format!("HTTP/1.1 200 OK\r\ncontent-length: {value}")).is_err(), "{value}");
        }
    }

    #[test]
    fn sizes_of_chunks_may_be_padded_and_extended() {
        for (line, size) in [("5", 5), ("00000000000000000000a", 10), ("1F;x=y", 31), ("2 ;x", 2), ("2 ", 2), ("0", 0)]
        {
            assert_eq!(parse_chunk_size(line.as_bytes()), Ok(size), "{line}");
        }
        for line in ["", ";x", "2 9", " 2", "x", "-1", "ffffffffffffffff"] {
            assert!(parse_chunk_size(line.as_bytes()).is_err(), "{line}");
        }
    }
}
