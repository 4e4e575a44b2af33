//! Chance: streams that are independent of each other, and the same in every run of one seed.

use rand::SeedableRng as _;
use rand::rngs::SmallRng;

/// What is drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RandomStream {
    /// When requests come; one stream for each load thread.
    Arrivals,
    /// What the slots of requests hold; one for each user and place in its batches.
    Slots,
    /// Which request is sent; one for each user and number.
    Kinds,
}

/// Multiplexed `index` of what is drawn. Seeds that differ by one, as those of trials do, share none.
pub fn stream(seed: u64, drawn: RandomStream, index: (u32, u64)) -> SmallRng {
    let (user, index) = index;
    let all = [drawn as u64, user.into(), index];
    SmallRng::seed_from_u64(all.into_iter().fold(mix(seed), |seed, next| mix(seed ^ next)))
}

/// One step of SplitMix64 (Steele, Lea and Flood, "Fast splittable pseudorandom number generators", 2014): a bijection,
/// of whose output every bit depends on every bit of the input.
fn mix(seed: u64) -> u64 {
    let seed = seed.wrapping_add(0x9E37_79B9_7F4A_7C15);
    let seed = (seed ^ (seed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let seed = (seed ^ (seed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    seed ^ (seed >> 31)
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use rand::RngExt as _;

    use super::*;

    #[test]
    fn it_is_splitmix() {
        // The first two outputs of the reference implementation (https://prng.di.unimi.it/splitmix64.c) from state 0.
        assert_eq!(mix(0), 0xE220_A839_7B1D_CDAF);
        assert_eq!(mix(0x9E37_79B9_7F4A_7C15), 0x6E78_9E6A_A1B9_65F4);
    }

    #[test]
    fn no_two_streams_are_one_whatever_differs() {
        let mut seen = HashSet::new();
        for seed in 0..10 {
            for drawn in [RandomStream::Arrivals, RandomStream::Slots, RandomStream::Kinds] {
                for user in 0..10 {
                    for index in 0..10 {
                        assert!(seen.insert(stream(seed, drawn, (user, index)).random::<u64>()));
                    }
                }
            }
        }
        assert!(!seen.insert(stream(3, RandomStream::Kinds, (5, 7)).random()), "the same again");
    }
}
