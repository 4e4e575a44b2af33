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
    SameStart,
    SameEnd,
    Spread,
}

impl StormShape {
    pub const ALL: [StormShape; 3] = [StormShape::SameStart, StormShape::SameEnd, StormShape::Spread];
}

/// The least time over which the requests of a storm are spread, and the most, in milliseconds.
const SPREAD_MS: (f64, f64) = (10.0, 150.0);

/// A request for an operation.
pub(super) fn ask(page: usize) -> RecipeRequest {
    RecipeRequest { page, ..RecipeRequest::plain() }
}

/// One after the other, over one connection or each over its own.
pub(super) fn sequence(pages: &[usize], reuse: bool) -> Recipe {
    Recipe::of(vec![Line { reuse, ..Line::of(pages.iter().map(|page| ask(*page)).collect()) }])
}

/// All at once, each over a connection of its own. `took` says how long each takes alone.
pub(super) fn storm(
    pages: &[usize],
    shape: StormShape,
    took: &dyn Fn(usize) -> Duration,
    random: &mut impl Rng,
) -> Recipe {
    let millis = |page: usize| took(page).as_secs_f64() * 1e3;
    let longest = pages.iter().map(|page| millis(*page)).fold(0.0, f64::max);
    let spread = longest.clamp(SPREAD_MS.0, SPREAD_MS.1);
    let mut lines: Vec<(f64, usize)> = pages
        .iter()
        .map(|page| {
            let start = match shape {
                StormShape::SameStart => 0.0,
                // What takes long begins first.
                StormShape::SameEnd => (longest - millis(*page)).clamp(0.0, SPREAD_MS.1),
                StormShape::Spread => random.random_range(0.0..spread),
            };
            (start, *page)
        })
        .collect();
    lines.sort_by(|(one, _), (other, _)| one.total_cmp(other));
    Recipe::of(lines.into_iter().map(|(start, page)| Line::of(vec![ask(page)]).starting(Start::At(start))).collect())
}

/// The pages, drawn anew, in parts of at most `size`.
pub(super) fn shuffled(pages: &[usize], size: usize, random: &mut impl Rng) -> Vec<Vec<usize>> {
    let mut all = pages.to_vec();
    all.shuffle(random);
    all.chunks(size.max(1)).map(<[usize]>::to_vec).collect()
}

/// Rounds of at most `size` requests in which every two pages are together at least once, each also with itself: blocks of half
/// a round, every two of them.
pub(super) fn cover(pages: &[usize], size: usize, random: &mut impl Rng) -> Vec<Vec<usize>> {
    let blocks = shuffled(pages, (size / 2).max(1), random);
    let mut rounds = Vec::new();
    for (index, one) in blocks.iter().enumerate() {
        for other in &blocks[index..] {
            let mut round = [one.as_slice(), other].concat();
            round.shuffle(random);
            rounds.push(round);
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
                    let both = |round: &Vec<usize>| {
                        round.iter().filter(|page| *page == one).count() >= if one == other { 2 } else { 1 }
                            && round.contains(other)
                    };
                    assert!(rounds.iter().any(both), "{one} {other} of {count}, {size} at once");
                }
            }
        }
    }

    #[test]
    fn requests_of_one_end_begin_the_later_the_less_they_take() {
        let mut random = StdRng::seed_from_u64(1);
        let took = |page: usize| Duration::from_millis(10 * page as u64);
        let recipe = storm(&[1, 2, 3], StormShape::SameEnd, &took, &mut random);
        let starts: Vec<(Start, usize)> = recipe.lines.iter().map(|line| (line.start, line.shots[0].page)).collect();
        assert_eq!(starts, [(Start::At(0.0), 3), (Start::At(10.0), 2), (Start::At(20.0), 1)]);
    }
}
