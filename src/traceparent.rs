//! W3C Trace Context (<https://www.w3.org/TR/trace-context/>): the `traceparent` header that lets a request be found in the
//! traces of the server under test. Ids follow from the seed, so that a run that is repeated has the same.

/// The length of a header's value: version, trace id, parent id, flags.
pub const LENGTH: usize = 55;
/// The name of the header.
pub const HEADER: &str = "traceparent";

/// The trace id that a request carries, by the bytes that were sent.
pub fn trace_id_in(request: &[u8]) -> Option<String> {
    let head = &request[..memchr::memmem::find(request, b"\r\n\r\n").unwrap_or(request.len())];
    let mut lines = head.split(|byte| *byte == b'\n');
    let value = lines.find_map(|line| line.strip_prefix(HEADER.as_bytes())?.strip_prefix(b": 00-"))?;
    let id = value.get(..32).filter(|id| id.iter().all(u8::is_ascii_hexdigit))?;
    Some(String::from_utf8_lossy(id).into_owned())
}

/// What sends a request, so that no two requests of a trial share an id.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TraceOrigin {
    /// A load; the number is made of the user and the request's place among the user's.
    Load,
    /// A dirty check; the number is that of the request in the whole check.
    Dirty,
}

/// The trace of one request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TraceContext {
    trace: [u64; 2],
    parent: u64,
}

impl TraceContext {
    /// That of a request by its number, in a trial with this seed.
    pub fn of(seed: u64, sender: TraceOrigin, number: u64) -> TraceContext {
        let lane = match sender {
            TraceOrigin::Load => 0x6c6f_6164,
            TraceOrigin::Dirty => 0x6469_7274,
        };
        let start = mix(seed ^ mix(lane)).wrapping_add(number.wrapping_mul(STEP).wrapping_mul(4));
        let draw = |nth: u64| mix(start.wrapping_add(nth.wrapping_mul(STEP)));
        // All zeros are invalid, as the trace id and as the parent id.
        TraceContext { trace: [draw(0), draw(1) | 1], parent: draw(2) | 1 }
    }

    /// The id of the trace: 32 hexadecimal digits.
    pub fn trace_id(&self) -> String {
        String::from_utf8_lossy(&self.header()[3..35]).into_owned()
    }

    /// The value of the header. The trace is to be recorded: `01`.
    pub fn header(&self) -> [u8; LENGTH] {
        let mut out = *b"00-00000000000000000000000000000000-0000000000000000-01";
        hex(self.trace[0], &mut out[3..19]);
        hex(self.trace[1], &mut out[19..35]);
        hex(self.parent, &mut out[36..52]);
        out
    }
}

/// The step of SplitMix64 (Steele, Lea, Flood 2014), and what makes a number of each of its states.
const STEP: u64 = 0x9e37_79b9_7f4a_7c15;

fn mix(state: u64) -> u64 {
    let z = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// Sixteen digits.
fn hex(number: u64, out: &mut [u8]) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    for (place, byte) in out.iter_mut().enumerate() {
        *byte = DIGITS[(number >> (60 - 4 * place) & 0xf) as usize];
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn a_header_is_as_the_specification_has_it() {
        let context = TraceContext::of(7, TraceOrigin::Dirty, 1);
        let header = String::from_utf8(context.header().to_vec()).unwrap();
        let parts: Vec<&str> = header.split('-').collect();
        assert_eq!(parts.iter().map(|part| part.len()).collect::<Vec<_>>(), [2, 32, 16, 2]);
        assert_eq!((parts[0], parts[1], parts[3]), ("00", context.trace_id().as_str(), "01"));
        assert!(header.bytes().all(|byte| byte == b'-' || byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte)));
    }

    #[test]
    fn the_trace_of_a_request_is_read_from_its_head_alone() {
        let id = "0af7651916cd43dd8448eb211c80319c";
        let header = format!("traceparent: 00-{id}-b7ad6b7169203331-01\r\n");
        let read = |text: String| trace_id_in(text.as_bytes());
        assert_eq!(read(format!("GET / HTTP/1.1\r\nhost: h\r\n{header}\r\n")).as_deref(), Some(id));
        assert_eq!(read(format!("POST / HTTP/1.1\r\nhost: h\r\n\r\n\r\n{header}")), None);
        assert_eq!(read("GET / HTTP/1.1\r\ntraceparent: 00-short\r\n\r\n".to_owned()), None);
    }

    #[test]
    fn a_seed_repeats_its_ids_and_no_two_requests_share_one() {
        let id = |seed, sender, number| TraceContext::of(seed, sender, number).trace_id();
        assert_eq!(id(7, TraceOrigin::Load, 3), id(7, TraceOrigin::Load, 3));
        let mut all = HashSet::new();
        for seed in 0..4 {
            for sender in [TraceOrigin::Load, TraceOrigin::Dirty] {
                for user in 0..4 {
                    assert!((0..500).all(|number| all.insert(id(seed, sender, user << 40 | number))));
                }
            }
        }
    }
}
