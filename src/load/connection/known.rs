//! The head of a response, read once: a server that is asked the same answers with the same head for a second at a time,
//! until its `date` moves on. Comparing it with the last one takes a twentieth of parsing it.

use std::cell::RefCell;

use super::framing::Framing;
use super::reply::Malformed;

/// A longer head is parsed each time, in bytes.
const LONGEST: usize = 2048;

/// What a head says, as far as loads need it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Head {
    /// With the empty line, in bytes.
    pub length: usize,
    pub status: u16,
    pub framing: Framing,
}

#[derive(Debug)]
struct Known {
    bytes: Vec<u8>,
    head: Head,
}

thread_local! {
    /// The last head that came on this thread, whatever connection it came on.
    static LAST: RefCell<Option<Known>> = const { RefCell::new(None) };
}

/// The head at the start of `bytes` as `parse` reads it, which is not asked if it is the one that came before: the same
/// bytes mean the same.
pub(super) fn head(
    bytes: &[u8],
    parse: impl FnOnce(&[u8]) -> Result<Option<Head>, Malformed>,
) -> Result<Option<Head>, Malformed> {
    LAST.with_borrow_mut(|last| {
        if let Some(known) = last
            && bytes.starts_with(&known.bytes)
        {
            return Ok(Some(known.head));
        }
        let parsed = parse(bytes)?;
        if let Some(head) = parsed.filter(|head| head.length <= LONGEST) {
            let known = last.get_or_insert_with(|| Known { bytes: Vec::new(), head });
            known.bytes.clear();
            known.bytes.extend_from_slice(&bytes[..head.length]);
            known.head = head;
        }
        Ok(parsed)
    })
}

#[cfg(test)]
mod tests {
    use super::super::framing::Body;
    use super::*;

    fn ok(length: usize) -> Head {
        Head { length, status: 200, framing: Framing { body: Body::Length(0), close: false } }
    }

    #[test]
    fn the_same_head_is_parsed_once_and_another_again() {
        assert_eq!(head(b"first\n\nbody", |_| Ok(Some(ok(7)))), Ok(Some(ok(7))));
        assert_eq!(head(b"first\n\nother", |_| panic!("it is known")), Ok(Some(ok(7))));
        let mut asked = 0;
        let mut count = |_: &[u8]| {
            asked += 1;
            Ok(None)
        };
        assert_eq!((head(b"first\n", &mut count), head(b"fourth\n\n", &mut count)), (Ok(None), Ok(None)));
        assert_eq!(asked, 2, "a part of it, and another, are not it");
    }
}
