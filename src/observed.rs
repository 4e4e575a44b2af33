//! What is known of a measured value, and how it compares with a limit.

use std::fmt;

/// A measured value, in the base unit of its metric.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Observed {
    Exactly(f64),
    /// More than this; how much is not known, as no answer ever came.
    MoreThan(f64),
    /// From the first to the second, both included; where is not known, as some answers never came. Without an end, the second
    /// is infinite.
    Between(f64, f64),
}

impl Observed {
    /// Whether the value compares so with a limit; `None` where what is known of it does not tell.
    pub fn compare(self, comparison: Comparison, limit: f64) -> Option<bool> {
        let (least, most) = self.ends();
        let holds = comparison.holds(least, limit);
        let may_equal = least <= limit && limit <= most;
        // Between two ends on the same side of a limit nothing changes; the limit itself is what `==` and `!=` look for.
        let same = match comparison {
            Comparison::Equal | Comparison::NotEqual => least == most || !may_equal,
            _ => comparison.holds(most, limit) == holds,
        };
        same.then_some(holds)
    }

    /// The least and the most that it can be.
    fn ends(self) -> (f64, f64) {
        match self {
            Observed::Exactly(value) => (value, value),
            Observed::MoreThan(bound) => (bound.next_up(), f64::INFINITY),
            Observed::Between(least, most) => (least, most),
        }
    }

    /// How far it is on the wrong side of a limit, at least; negative on the right one.
    pub fn off(self, comparison: Comparison, limit: f64) -> f64 {
        let (Observed::Exactly(least) | Observed::MoreThan(least) | Observed::Between(least, _)) = self;
        match comparison {
            Comparison::Less | Comparison::LessOrEqual => least - limit,
            Comparison::Greater | Comparison::GreaterOrEqual => limit - least,
            Comparison::Equal | Comparison::NotEqual => (least - limit).abs(),
        }
    }

    /// The value for people, each of its numbers as `show` has it: `5`, `> 5`, `5 to 7`, `5 or more`.
    pub fn shown(self, show: impl Fn(f64) -> String) -> String {
        match self {
            Observed::Exactly(value) => show(value),
            Observed::MoreThan(bound) => format!("> {}", show(bound)),
            Observed::Between(least, f64::INFINITY) => format!("{} or more", show(least)),
            Observed::Between(least, most) => match (show(least), show(most)) {
                (one, same) if one == same => one,
                (least, most) => format!("{least} to {most}"),
            },
        }
    }
}

/// How a value may compare with a limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Comparison {
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    Equal,
    NotEqual,
}

impl Comparison {
    /// Each with its sign; one that begins with another's comes before it.
    pub const ALL: [(&'static str, Comparison); 6] = [
        ("<=", Comparison::LessOrEqual),
        (">=", Comparison::GreaterOrEqual),
        ("==", Comparison::Equal),
        ("!=", Comparison::NotEqual),
        ("<", Comparison::Less),
        (">", Comparison::Greater),
    ];

    /// Whether `observed` compares so with `limit`; both in one unit.
    pub fn holds(self, observed: f64, limit: f64) -> bool {
        match self {
            Comparison::Less => observed < limit,
            Comparison::LessOrEqual => observed <= limit,
            Comparison::Greater => observed > limit,
            Comparison::GreaterOrEqual => observed >= limit,
            Comparison::Equal => observed == limit,
            Comparison::NotEqual => observed != limit,
        }
    }

    /// The one that says the same with both sides exchanged: `1 < x` is `x > 1`.
    pub fn exchanged(self) -> Comparison {
        match self {
            Comparison::Less => Comparison::Greater,
            Comparison::LessOrEqual => Comparison::GreaterOrEqual,
            Comparison::Greater => Comparison::Less,
            Comparison::GreaterOrEqual => Comparison::LessOrEqual,
            same @ (Comparison::Equal | Comparison::NotEqual) => same,
        }
    }
}

impl fmt::Display for Comparison {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = Comparison::ALL.iter().find(|(_, c)| c == self).map_or("?", |(text, _)| text);
        f.write_str(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_is_not_known_is_told_only_where_it_decides() {
        let of = |observed: Observed, sign: &str, limit: f64| {
            let (_, comparison) = Comparison::ALL.into_iter().find(|(known, _)| *known == sign).unwrap();
            observed.compare(comparison, limit)
        };
        let more = Observed::MoreThan(2.0);
        for (sign, told) in [("<", false), ("<=", false), ("==", false), (">", true), (">=", true), ("!=", true)] {
            assert_eq!((of(more, sign, 2.0), of(more, sign, 1.0)), (Some(told), Some(told)), "{sign}");
            assert_eq!(of(more, sign, 3.0), None, "{sign}");
        }
        let between = Observed::Between(2.0, 4.0);
        assert_eq!(
            [1.0, 2.0, 3.0, 4.0, 5.0].map(|limit| of(between, "<", limit)),
            [Some(false), Some(false), None, None, Some(true)]
        );
        assert_eq!(
            [1.0, 2.0, 3.0, 4.0, 5.0].map(|limit| of(between, "<=", limit)),
            [Some(false), None, None, Some(true), Some(true)]
        );
        assert_eq!([1.0, 2.0, 4.0, 5.0].map(|limit| of(between, "==", limit)), [Some(false), None, None, Some(false)]);
        assert_eq!([1.0, 3.0].map(|limit| of(between, "!=", limit)), [Some(true), None]);
        assert_eq!(of(Observed::Between(2.0, 2.0), "==", 2.0), Some(true));
        let open = Observed::Between(2.0, f64::INFINITY);
        assert_eq!(
            [1.0, 2.0, 3.0].map(|limit| (of(open, "<", limit), of(open, "<=", limit), of(open, ">=", limit))),
            [(Some(false), Some(false), Some(true)), (Some(false), None, Some(true)), (None, None, None)]
        );
    }

    #[test]
    fn what_is_not_known_is_shown_as_far_as_it_is() {
        let shown = |observed: Observed| observed.shown(|value| format!("{value:.1}"));
        assert_eq!(shown(Observed::MoreThan(2.0)), "> 2.0");
        assert_eq!(shown(Observed::Between(2.0, 4.0)), "2.0 to 4.0");
        assert_eq!(shown(Observed::Between(2.0, 2.01)), "2.0");
        assert_eq!(shown(Observed::Between(2.0, f64::INFINITY)), "2.0 or more");
    }

    proptest! {
        #[test]
        fn what_is_told_of_a_range_holds_for_all_of_it(
            ends in (0i8..8, 0i8..8), limit in 0i8..8, part in 0.0..=1.0f64, which in 0usize..6
        ) {
            let (least, most) = (f64::from(ends.0.min(ends.1)), f64::from(ends.0.max(ends.1)));
            let (comparison, limit) = (Comparison::ALL[which].1, f64::from(limit));
            let told = Observed::Between(least, most).compare(comparison, limit);
            let value = least + (most - least) * part;
            prop_assert!(told.is_none_or(|told| told == comparison.holds(value, limit)));
            prop_assert_eq!(comparison.exchanged().holds(limit, value), comparison.holds(value, limit));
        }
    }
}
