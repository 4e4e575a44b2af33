//! In which orders a sweep asks.

/// The order in which the operations of a round were asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SweepOrder {
    /// Each alone.
    Alone,
    /// One after the other.
    Sequence,
    /// Many at once, of all kinds.
    Mix,
    /// Many at once, so that every two of them meet.
    Pairs,
    /// Those that were exposed least.
    Rest,
}

impl SweepOrder {
    /// The name in records and reports.
    pub const fn name(self) -> &'static str {
        match self {
            SweepOrder::Alone => "alone",
            SweepOrder::Sequence => "sequence",
            SweepOrder::Mix => "mix",
            SweepOrder::Pairs => "pairs",
            SweepOrder::Rest => "rest",
        }
    }

    /// Whether its requests are meant to overlap.
    pub const fn overlaps(self) -> bool {
        matches!(self, SweepOrder::Mix | SweepOrder::Pairs | SweepOrder::Rest)
    }
}
