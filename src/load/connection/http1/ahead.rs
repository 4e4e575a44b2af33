//! What has come on a connection and is not taken yet.

/// Bytes that are taken from the front. What is taken leaves a gap until all is, or more comes: an answer of a batch does
/// not move those behind it.
#[derive(Debug, Default)]
pub(super) struct Ahead {
    /// Empty if all is taken.
    bytes: Vec<u8>,
    /// So many at the front are taken.
    taken: usize,
}

impl Ahead {
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

    #[inline]
    pub fn extend(&mut self, more: &[u8]) {
        if self.taken > 0 && !more.is_empty() {
            self.close_gap();
        }
        self.bytes.extend_from_slice(more);
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
    }

    pub fn take_all(&mut self) -> Vec<u8> {
        self.close_gap();
        std::mem::take(&mut self.bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_taken_moves_nothing_until_more_comes() {
        let mut ahead = Ahead::default();
        ahead.extend(b"onetwothree");
        let first = ahead.rest().as_ptr_range().start;
        ahead.take(3);
        assert_eq!(ahead.rest(), b"twothree");
        assert_eq!(ahead.rest().as_ptr_range(), first.wrapping_add(3)..first.wrapping_add(11));
        ahead.take(3);
        ahead.extend(b"");
        assert_eq!(ahead.rest().as_ptr_range().start, first.wrapping_add(6));
        ahead.extend(b"four");
        assert_eq!((ahead.rest(), ahead.len(), ahead.bytes.len()), (&b"threefour"[..], 9, 9), "the gap is closed");
        ahead.take(5);
        assert_eq!(ahead.take_all(), b"four");
        assert!(ahead.is_empty());
    }

    #[test]
    fn all_taken_is_empty() {
        let mut ahead = Ahead::default();
        ahead.extend(b"one");
        ahead.take(3);
        assert_eq!((ahead.is_empty(), ahead.len(), ahead.rest()), (true, 0, &b""[..]));
    }
}
