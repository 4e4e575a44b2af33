//! What has come on a connection and is not taken yet, and when it came.

use std::collections::VecDeque;
use std::time::Duration;

/// This many reads are told apart; what comes after more of them counts as read with the last. A read is remembered in 24
/// bytes.
const MOST_READS: usize = 1 << 16;

/// Bytes that are taken from the front. What is taken leaves a gap until all is, or more comes: a response of a batch does
/// not move those behind it.
#[derive(Debug, Default)]
pub(super) struct ReadAhead {
    /// Empty if all is taken.
    bytes: Vec<u8>,
    /// This many at the front are taken.
    taken: usize,
    /// The reads that brought the rest, in order.
    reads: VecDeque<Read>,
}

/// Bytes that were read at once.
#[derive(Debug)]
struct Read {
    /// This many of them are not taken yet.
    length: usize,
    /// By the clock of the load.
    at: Duration,
}

impl ReadAhead {
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    pub fn len(&self) -> usize {
        self.bytes.len() - self.taken
    }

    pub fn rest(&self) -> &[u8] {
        &self.bytes[self.taken..]
    }

    /// Keeps what was read at a time, too.
    #[inline]
    pub fn extend(&mut self, more: &[u8], at: Duration) {
        if !more.is_empty() {
            self.keep(more, at);
        }
    }

    fn keep(&mut self, more: &[u8], at: Duration) {
        if self.taken > 0 {
            self.close_gap();
        }
        self.bytes.extend_from_slice(more);
        let full = self.reads.len() >= MOST_READS;
        let joined = if full { self.reads.pop_back() } else { None };
        let length = more.len() + joined.map_or(0, |last| last.length);
        self.reads.push_back(Read { length, at });
    }

    /// Up to where the first read went that brought more than this many bytes of the rest, and when that was.
    pub fn read_beyond(&self, known: usize) -> Option<(usize, Duration)> {
        let mut end = 0;
        self.reads.iter().find_map(|read| {
            end += read.length;
            (end > known).then_some((end, read.at))
        })
    }

    #[cold]
    fn close_gap(&mut self) {
        self.bytes.drain(..self.taken);
        self.taken = 0;
    }

    pub fn take(&mut self, length: usize) {
        self.taken += length;
        if self.taken == self.bytes.len() {
            self.bytes.clear();
            self.taken = 0;
        }
        let mut left = length;
        while let Some(first) = self.reads.front_mut() {
            if left < first.length {
                first.length -= left;
                return;
            }
            left -= first.length;
            self.reads.pop_front();
        }
    }

    /// Takes the line breaks at the front; whether there is anything but those.
    #[cold]
    pub fn skip_empty_lines(&mut self) -> bool {
        let breaks = self.rest().iter().take_while(|byte| matches!(byte, b'\r' | b'\n')).count();
        self.take(breaks);
        !self.is_empty()
    }

    pub fn take_all(&mut self) -> Vec<u8> {
        self.reads.clear();
        self.close_gap();
        std::mem::take(&mut self.bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_taken_moves_nothing_until_more_comes() {
        let mut ahead = ReadAhead::default();
        ahead.extend(b"onetwothree", Duration::ZERO);
        let first = ahead.rest().as_ptr_range().start;
        ahead.take(3);
        assert_eq!(ahead.rest(), b"twothree");
        assert_eq!(ahead.rest().as_ptr_range(), first.wrapping_add(3)..first.wrapping_add(11));
        ahead.take(3);
        ahead.extend(b"", Duration::ZERO);
        assert_eq!(ahead.rest().as_ptr_range().start, first.wrapping_add(6));
        ahead.extend(b"four", Duration::ZERO);
        assert_eq!((ahead.rest(), ahead.len(), ahead.bytes.len()), (&b"threefour"[..], 9, 9), "the gap is closed");
        ahead.take(5);
        assert_eq!(ahead.take_all(), b"four");
        assert!(ahead.is_empty());
    }

    #[test]
    fn all_taken_is_empty() {
        let mut ahead = ReadAhead::default();
        ahead.extend(b"one", Duration::ZERO);
        ahead.take(3);
        assert_eq!((ahead.is_empty(), ahead.len(), ahead.rest()), (true, 0, &b""[..]));
    }

    #[test]
    fn empty_lines_are_nothing() {
        let mut ahead = ReadAhead::default();
        assert!(!ahead.skip_empty_lines());
        ahead.extend(b"\r\n\n", Duration::ZERO);
        assert!(!ahead.skip_empty_lines() && ahead.is_empty() && ahead.read_beyond(0).is_none());
        ahead.extend(b"\r", Duration::ZERO);
        ahead.extend(b"\nHTTP\r\n", Duration::ZERO);
        assert!(ahead.skip_empty_lines());
        assert_eq!(ahead.take_all(), b"HTTP\r\n");
    }

    #[test]
    fn what_is_left_is_known_by_when_it_was_read() {
        let at = Duration::from_millis;
        let mut ahead = ReadAhead::default();
        assert_eq!(ahead.read_beyond(0), None);
        ahead.extend(b"one", at(1));
        ahead.extend(b"", at(2));
        ahead.extend(b"two", at(3));
        assert_eq!(
            [0, 2, 3, 5].map(|known| ahead.read_beyond(known).unwrap()),
            [(3, at(1)), (3, at(1)), (6, at(3)), (6, at(3))]
        );
        assert_eq!(ahead.read_beyond(6), None);
        ahead.take(4);
        ahead.extend(b"three", at(4));
        assert_eq!((ahead.read_beyond(0), ahead.read_beyond(2)), (Some((2, at(3))), Some((7, at(4)))));
        ahead.take(2);
        assert_eq!(ahead.read_beyond(0), Some((5, at(4))));
        ahead.take_all();
        assert_eq!(ahead.read_beyond(0), None);
    }

    #[test]
    fn reads_without_number_are_not_told_apart() {
        let mut ahead = ReadAhead::default();
        let reads = MOST_READS + 10;
        (1..=reads).for_each(|read| ahead.extend(b"x", Duration::from_nanos(read as u64)));
        assert_eq!(ahead.reads.len(), MOST_READS);
        assert_eq!(ahead.read_beyond(MOST_READS - 1), Some((reads, Duration::from_nanos(reads as u64))));
        ahead.take(MOST_READS);
        assert_eq!((ahead.len(), ahead.read_beyond(0).unwrap().0), (10, 10));
    }
}
