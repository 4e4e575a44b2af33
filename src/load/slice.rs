//! Which of the threads of a load this process drives: all of them, or its share where several processes drive one load.

use std::ops::Range;

/// Some of the threads of a load. What a thread does depends on its index and on how many there are in all, not on where it
/// runs: so the slices of a load together make the requests of one process with as many threads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ThreadSlice {
    /// The index of its first thread.
    pub first: u32,
    /// How many threads it has.
    pub count: u32,
    /// How many threads the load has in all.
    pub of: u32,
}

impl ThreadSlice {
    /// All threads of a load.
    pub const fn whole(threads: u32) -> Self {
        ThreadSlice { first: 0, count: threads, of: threads }
    }

    /// Part `index` of `parts` equal ones, as far as that is possible; each has a thread if there are as many as parts.
    pub fn part(threads: u32, index: u32, parts: u32) -> Self {
        let begin = |index: u32| (u64::from(threads) * u64::from(index) / u64::from(parts.max(1))) as u32;
        ThreadSlice { first: begin(index), count: begin(index + 1) - begin(index), of: threads }
    }

    /// The indices of its threads among all of the load.
    pub const fn indices(self) -> Range<u32> {
        self.first..self.first + self.count
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_all_threads_each_once_and_differ_by_one_at_most() {
        for (threads, parts) in [(1, 1), (4, 4), (7, 4), (8, 3), (256, 50)] {
            let slices: Vec<_> = (0..parts).map(|index| ThreadSlice::part(threads, index, parts)).collect();
            let indices: Vec<u32> = slices.iter().flat_map(|slice| slice.indices()).collect();
            assert_eq!(indices, (0..threads).collect::<Vec<_>>(), "{threads} in {parts}");
            let counts = || slices.iter().map(|slice| slice.count);
            assert!(counts().max().unwrap() - counts().min().unwrap() <= 1, "{slices:?}");
        }
        assert_eq!(ThreadSlice::part(4, 0, 1), ThreadSlice::whole(4));
        assert_ne!(ThreadSlice::part(4, 0, 2), ThreadSlice::whole(4));
    }
}
