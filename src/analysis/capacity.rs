//! The search for the highest rate that a server keeps: which rate to try next. A state machine without a clock.
//!
//! A bracket, then narrowed: the highest rate that kept the rules, and the lowest that broke them. A single try may come out
//! either way near the limit, or because the machine was busy: so each end of the bracket is tried again before it counts, and
//! where two tries differ, a third decides.

#[cfg(test)]
mod simulated;

/// Tries that must agree.
const AGREEING: u32 = 2;
/// How far to go up, one step after the other, while nothing broke; the last again and again.
const UP: [f64; 4] = [1.1, 1.3, 1.6, 2.0];
/// How far to go down while nothing kept.
const DOWN: [f64; 5] = [0.9, 0.7, 0.4, 0.2, 0.1];
/// No rate below this share of the first is tried: then none keeps the rules.
const LEAST: f64 = 0.01;

/// The rates that were tried, and how they came out.
#[derive(Debug, Clone)]
pub struct CapacitySearch {
    /// Where to begin.
    start: f64,
    precision: f64,
    max_rate: f64,
    /// Sorted by rate.
    tried: Vec<TriedRate>,
}

/// One rate, tried once or several times.
#[derive(Debug, Clone, Copy, PartialEq)]
struct TriedRate {
    rate: f64,
    kept: u32,
    broke: u32,
    /// What the capacity seems to be, by how fast the queue grew.
    estimate: Option<f64>,
}

impl TriedRate {
    /// `None` where as many tries kept the rules as broke them.
    fn has_kept(&self) -> Option<bool> {
        (self.kept != self.broke).then_some(self.kept > self.broke)
    }

    fn is_confirmed(&self) -> bool {
        self.kept.max(self.broke) >= AGREEING && self.kept != self.broke
    }
}

/// What is known of the capacity.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct RateBracket {
    /// The highest rate that kept the rules.
    pub low: Option<f64>,
    /// The lowest that broke them.
    pub high: Option<f64>,
    /// Both, where there are both, were tried until tries agreed, and are as near to each other as was asked.
    pub confirmed: bool,
}

impl CapacitySearch {
    /// `start` is a rate that the capacity is expected to be near; `precision` is how far the ends may lie apart, as a share.
    pub fn new(start: f64, precision: f64, max_rate: Option<f64>) -> Self {
        CapacitySearch { start, precision, max_rate: max_rate.unwrap_or(f64::INFINITY), tried: Vec::new() }
    }

    /// A rate was tried: whether it kept the rules, and what the capacity seems to be by that.
    pub fn tell(&mut self, rate: f64, kept: bool, estimate: Option<f64>) {
        let at = self.tried.partition_point(|tried| tried.rate < rate);
        if self.tried.get(at).is_none_or(|tried| tried.rate != rate) {
            self.tried.insert(at, TriedRate { rate, kept: 0, broke: 0, estimate: None });
        }
        let tried = &mut self.tried[at];
        *(if kept { &mut tried.kept } else { &mut tried.broke }) += 1;
        tried.estimate = estimate.or(tried.estimate);
    }

    /// The rate to try next; `None` once enough is known.
    pub fn next_rate(&self) -> Option<f64> {
        if let Some(tied) = self.tried.iter().find(|tried| tried.has_kept().is_none()) {
            return Some(tied.rate);
        }
        let (low, high) = self.ends();
        match (low, high) {
            (None, None) => Some((self.start * (1.0 - self.margin())).min(self.max_rate)),
            (None, Some(high)) => self.below(high),
            (Some(low), None) => self.above(low),
            (Some(low), Some(high)) if !self.is_narrow(low, high) => Some(self.between(low, high)),
            (Some(low), Some(high)) => [low, high].into_iter().find(|end| !end.is_confirmed()).map(|end| end.rate),
        }
    }

    /// What is known so far.
    pub fn bracket(&self) -> RateBracket {
        let (low, high) = self.ends();
        let [confirmed_low, confirmed_high] = [low, high].map(|end| end.is_some_and(TriedRate::is_confirmed));
        let confirmed = match (low, high) {
            (Some(low), Some(high)) => confirmed_low && confirmed_high && self.is_narrow(low, high),
            (Some(low), None) => confirmed_low && low.rate >= self.max_rate,
            (None, Some(_)) => confirmed_high && self.next_rate().is_none(),
            (None, None) => false,
        };
        RateBracket { low: low.map(|low| low.rate), high: high.map(|high| high.rate), confirmed }
    }

    /// The lowest rate that broke the rules, and the highest below it that kept them.
    fn ends(&self) -> (Option<&TriedRate>, Option<&TriedRate>) {
        let high = self.tried.iter().position(|tried| tried.has_kept() == Some(false));
        let below = &self.tried[..high.unwrap_or(self.tried.len())];
        (below.iter().rev().find(|tried| tried.has_kept() == Some(true)), high.map(|at| &self.tried[at]))
    }

    /// How far an end is to lie from where the capacity is thought to be: together less than the precision.
    fn margin(&self) -> f64 {
        self.precision / 3.0
    }

    fn is_narrow(&self, low: &TriedRate, high: &TriedRate) -> bool {
        high.rate <= low.rate * (1.0 + self.precision)
    }

    /// Nothing has kept the rules yet. A rate that broke them without a queue that grew is tried again before a much lower one
    /// is: perhaps the machine was busy.
    fn below(&self, high: &TriedRate) -> Option<f64> {
        let broken = self.tried.len();
        let estimate = high.estimate.map(|estimate| estimate * (1.0 - self.margin()));
        // One that has failed several times is none.
        if let Some(rate) = estimate.filter(|rate| *rate < high.rate * (1.0 - self.margin() / 2.0) && broken <= 3) {
            return Some(rate);
        }
        if !high.is_confirmed() {
            return Some(high.rate);
        }
        Some(high.rate * DOWN[(broken - 1).min(DOWN.len() - 1)]).filter(|rate| *rate >= self.start * LEAST)
    }

    /// Nothing has broken the rules yet.
    fn above(&self, low: &TriedRate) -> Option<f64> {
        if low.rate >= self.max_rate {
            return (!low.is_confirmed()).then_some(low.rate);
        }
        let kept = self.tried.len();
        let step = if kept <= 1 { 1.0 + 2.0 * self.margin() } else { UP[(kept - 2).min(UP.len() - 1)] };
        Some((low.rate * step).min(self.max_rate))
    }

    /// Where the capacity seems to be, if that is known and makes the bracket narrower, else in the middle.
    fn between(&self, low: &TriedRate, high: &TriedRate) -> f64 {
        let inside = |rate: &f64| {
            *rate > low.rate * (1.0 + self.margin() / 2.0) && *rate < high.rate * (1.0 - self.margin() / 2.0)
        };
        let middle = (low.rate * high.rate).sqrt();
        let Some(estimate) = high.estimate else { return middle };
        let near = [estimate * (1.0 - self.margin()), estimate * (1.0 + self.margin())];
        near.into_iter().find(inside).unwrap_or(middle)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_that_does_as_expected_takes_four_tries() {
        let mut search = CapacitySearch::new(400.0, 0.03, None);
        let mut tried = Vec::new();
        while let Some(rate) = search.next_rate() {
            tried.push(rate);
            search.tell(rate, rate <= 400.0, (rate > 400.0).then_some(400.0));
        }
        assert_eq!(tried.len(), 4, "{tried:?}");
        let RateBracket { low: Some(low), high: Some(high), confirmed: true } = search.bracket() else { panic!() };
        assert!(low < 400.0 && high > 400.0 && high <= low * 1.03, "{low} to {high}");
    }

    #[test]
    fn a_rate_that_comes_out_both_ways_is_tried_a_third_time() {
        let mut search = CapacitySearch::new(100.0, 0.03, None);
        search.tell(99.0, true, None);
        search.tell(101.0, false, None);
        assert_eq!(search.next_rate(), Some(99.0));
        search.tell(99.0, false, None);
        assert_eq!(search.next_rate(), Some(99.0), "one against one");
        search.tell(99.0, true, None);
        assert_eq!(search.next_rate(), Some(101.0), "two against one");
        search.tell(101.0, false, None);
        assert_eq!(search.next_rate(), None);
        assert_eq!(search.bracket(), RateBracket { low: Some(99.0), high: Some(101.0), confirmed: true });
    }

    #[test]
    fn nothing_above_the_highest_rate_is_tried() {
        let mut search = CapacitySearch::new(400.0, 0.03, Some(150.0));
        while let Some(rate) = search.next_rate() {
            assert!(rate <= 150.0);
            search.tell(rate, true, None);
        }
        assert_eq!(search.bracket(), RateBracket { low: Some(150.0), high: None, confirmed: true });
    }

    #[test]
    fn a_server_that_keeps_the_rules_at_no_rate_is_given_up() {
        let mut search = CapacitySearch::new(400.0, 0.03, None);
        let mut tries = 0;
        while let Some(rate) = search.next_rate() {
            search.tell(rate, false, None);
            tries += 1;
        }
        let RateBracket { low: None, high: Some(high), confirmed: true } = search.bracket() else { panic!() };
        assert!(high < 20.0 && tries <= 12, "{high} after {tries}");
    }

    #[test]
    fn before_anything_is_tried_nothing_is_known() {
        assert_eq!(CapacitySearch::new(400.0, 0.03, None).bracket(), RateBracket::default());
    }
}
