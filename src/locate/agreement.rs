//! What several showings of one leak come to.

use super::{Confidence, Location, NotLocated};

/// This many showings that are located and agree are enough.
const ENOUGH: usize = 3;

/// The locations of all showings until now.
#[derive(Debug, Clone, Default)]
pub struct Agreement {
    all: Vec<Location>,
}

impl Agreement {
    /// Takes what one showing told.
    pub fn add(&mut self, location: Location) {
        self.all.push(location);
    }

    /// Whether no further showing would tell more.
    pub fn is_enough(&self) -> bool {
        self.all.iter().any(|one| one.confidence == Confidence::Located && self.votes(one) >= ENOUGH)
    }

    /// The surest, and of those the one that was told most often, the first of equals.
    pub fn conclude(self) -> Location {
        let surest = self.all.iter().map(|one| one.confidence).min();
        let candidates = self.all.iter().filter(|one| Some(one.confidence) == surest);
        let best = candidates.enumerate().max_by_key(|(index, one)| (self.votes(one), std::cmp::Reverse(*index)));
        best.map_or_else(|| Location::not_located(NotLocated::NotShown), |(_, one)| one.clone())
    }

    fn votes(&self, of: &Location) -> usize {
        self.all.iter().filter(|one| one.agrees_with(of)).count()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::locate::{CodePlace, Moment};

    fn located(confidence: Confidence, line: u32) -> Location {
        let place = CodePlace { file: "app.py".to_owned(), line: Some(line), ..CodePlace::default() };
        let write = Some(Moment { place, unit: String::new(), request: None, at_ms: 0.0, within: None });
        Location { confidence, write, reason: None, ..Location::not_located(NotLocated::NotShown) }
    }

    fn concluded(all: &[Location]) -> (bool, Location) {
        let mut agreement = Agreement::default();
        all.iter().for_each(|one| agreement.add(one.clone()));
        (agreement.is_enough(), agreement.conclude())
    }

    #[test]
    fn three_showings_that_agree_are_enough_and_the_surest_and_most_frequent_counts() {
        let (sure, other) = (located(Confidence::Located, 7), located(Confidence::Located, 8));
        let partly = located(Confidence::Partly, 9);
        let none = Location::not_located(NotLocated::NotInOwnCode);
        assert_eq!(concluded(&[]), (false, Location::not_located(NotLocated::NotShown)));
        assert_eq!(concluded(std::slice::from_ref(&none)), (false, none.clone()));
        assert_eq!(concluded(&[partly.clone(), partly.clone(), partly.clone(), other.clone()]), (false, other.clone()));
        assert_eq!(concluded(&[other.clone(), sure.clone(), none, sure.clone()]), (false, sure.clone()));
        assert_eq!(concluded(&[other.clone(), sure.clone(), other.clone(), sure.clone()]), (false, other.clone()));
        assert_eq!(concluded(&[sure.clone(), other, sure.clone(), sure.clone()]), (true, sure));
    }
}
