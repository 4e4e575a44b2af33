//! In which orders operations are asked, as recipes. Pure.

use std::time::Duration;

use rand::Rng;
use rand::RngExt as _;
use rand::seq::SliceRandom as _;

use super::super::recipe::{Line, Recipe, RecipeRequest, Start};

/// How the requests of a storm lie in time. All that begin together end at their own times, so that some pairs meet only in
/// another shape.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum StormShape {
    /// The first half ends when the second is halfway through: each of the second is under way whenever one of the first
    /// reads what is not its own. The other way round it tells little.
    HandOver,
    SameEnd,
    Spread,
    SameStart,
}

impl StormShape {
    pub const ALL: [StormShape; 4] =
        [StormShape::HandOver, StormShape::SameEnd, StormShape::Spread, StormShape::SameStart];
}

/// The operations of a storm.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Halves {
    pub first: Vec<usize>,
    pub second: Vec<usize>,
}

impl Halves {
    pub fn len(&self) -> usize {
        self.first.len() + self.second.len()
    }

    pub fn all(&self) -> impl Iterator<Item = usize> {
        self.first.iter().chain(&self.second).copied()
    }

    /// The other way round.
    pub fn reversed(self) -> Halves {
        Halves { first: self.second, second: self.first }
    }
}

/// The least time over which the requests of a storm are spread, and the most, in milliseconds.
const SPREAD_MS: (f64, f64) = (10.0, 150.0);

/// One after the other, over one connection or each over its own.
pub(super) fn sequence(pages: &[usize], reuse: bool) -> Recipe {
    Recipe::of(vec![Line { reuse, ..Line::of_pages(pages) }])
}

/// All at once, each over a connection of its own. `took` says how long each takes alone.
pub(super) fn storm(
    halves: &Halves,
    shape: StormShape,
    took: &dyn Fn(usize) -> Duration,
    random: &mut impl Rng,
) -> Recipe {
    let millis = |page: usize| took(page).as_secs_f64() * 1e3;
    let longest_of = |pages: &[usize]| pages.iter().map(|page| millis(*page)).fold(0.0, f64::max);
    let first = longest_of(&halves.first).min(SPREAD_MS.1);
    let longest = longest_of(&halves.second).max(longest_of(&halves.first));
    let spread = longest.clamp(SPREAD_MS.0, SPREAD_MS.1);
    // What takes long begins first.
    let ending = |page: usize, end: f64| (end - millis(page)).clamp(0.0, SPREAD_MS.1);
    let second = halves.first.len();
    let starts = halves.all().enumerate().map(|(index, page)| {
        let start = match shape {
            StormShape::HandOver if index < second => ending(page, first),
            StormShape::HandOver => (first - millis(page) / 2.0).max(0.0),
            StormShape::SameStart => 0.0,
            StormShape::SameEnd => ending(page, longest),
            StormShape::Spread => random.random_range(0.0..spread),
        };
        (start, page)
    });
    let mut lines: Vec<(f64, usize)> = starts.collect();
    lines.sort_by(|(one, _), (other, _)| one.total_cmp(other));
    Recipe::of(
        lines
            .into_iter()
            .map(|(start, page)| Line::of(vec![RecipeRequest::of_page(page)]).starting(Start::At(start)))
            .collect(),
    )
}

/// The pages, drawn anew, in parts of at most `size`.
pub(super) fn shuffled(pages: &[usize], size: usize, random: &mut impl Rng) -> Vec<Vec<usize>> {
    let mut all = pages.to_vec();
    all.shuffle(random);
    all.chunks(size.max(1)).map(<[usize]>::to_vec).collect()
}

/// Rounds of at most `size` requests in which each page is twice, once in the first half of a round and once in the second.
pub(super) fn twice(pages: &[usize], size: usize, random: &mut impl Rng) -> Vec<Halves> {
    let blocks = shuffled(pages, (size / 2).max(1), random);
    let next = blocks.iter().cycle().skip(1);
    blocks.iter().zip(next).map(|(first, second)| Halves { first: first.clone(), second: second.clone() }).collect()
}

/// Rounds of at most `size` requests in which every two pages are together at least once, each also with itself: blocks of half
/// a round, every two of them.
pub(super) fn cover(pages: &[usize], size: usize, random: &mut impl Rng) -> Vec<Halves> {
    let blocks = shuffled(pages, (size / 2).max(1), random);
    let mut rounds = Vec::new();
    for (index, first) in blocks.iter().enumerate() {
        for second in &blocks[index..] {
            rounds.push(Halves { first: first.clone(), second: second.clone() });
        }
    }
    rounds.shuffle(random);
    rounds
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::SeedableRng as _;
    use rand::rngs::StdRng;

    #[test]
    fn every_two_pages_are_together_in_some_round() {
        let mut random = StdRng::seed_from_u64(1);
        for (count, size) in [(1, 2), (7, 4), (50, 16), (50, 64), (33, 3)] {
            let pages: Vec<usize> = (0..count).collect();
            let rounds = cover(&pages, size, &mut random);
            assert!(rounds.iter().all(|round| round.len() <= size.max(2)), "{count} {size}");
            for one in &pages {
                for other in &pages {
                    let both = |round: &Halves| {
                        let directed = |round: &Halves| round.first.contains(one) && round.second.contains(other);
                        directed(round) || directed(&round.clone().reversed())
                    };
                    assert!(rounds.iter().any(both), "{one} {other} of {count}, {size} at once");
                }
            }
        }
    }

    #[test]
    fn each_page_is_once_among_those_that_begin_and_once_among_those_that_take_over() {
        let mut random = StdRng::seed_from_u64(1);
        let pages: Vec<usize> = (0..50).collect();
        for size in [2, 16, 64, 256] {
            let rounds = twice(&pages, size, &mut random);
            assert!(rounds.iter().all(|round| round.len() <= size), "{size}");
            for of in [|round: &Halves| round.first.clone(), |round: &Halves| round.second.clone()] {
                let mut half: Vec<usize> = rounds.iter().flat_map(of).collect();
                half.sort_unstable();
                assert_eq!(half, pages, "{size}");
            }
        }
    }

    fn starts(shape: StormShape, first: &[usize], second: &[usize]) -> Vec<(f64, usize)> {
        let mut random = StdRng::seed_from_u64(1);
        let took = |page: usize| Duration::from_millis(10 * page as u64);
        let halves = Halves { first: first.to_vec(), second: second.to_vec() };
        let recipe = storm(&halves, shape, &took, &mut random);
        let start = |line: &Line| match line.start {
            Start::At(millis) => millis,
            other => panic!("{other:?}"),
        };
        recipe.lines.iter().map(|line| (start(line), line.shots[0].page)).collect()
    }

    #[test]
    fn requests_of_one_end_begin_the_later_the_less_they_take() {
        assert_eq!(starts(StormShape::SameEnd, &[1, 2], &[3]), [(0.0, 3), (10.0, 2), (20.0, 1)]);
    }

    #[test]
    fn one_half_is_halfway_through_when_the_other_ends() {
        let all = starts(StormShape::HandOver, &[1, 3], &[2, 5, 1]);
        assert_eq!(all, [(0.0, 3), (5.0, 5), (20.0, 1), (20.0, 2), (25.0, 1)]);
    }
}
