//! Who takes part in a leak, by the texts that name them.

/// The shortest part of a canary that stands for it: chance does not make it.
const LEAST_PART: usize = 12;

/// One of the two requests of a leak: every text that tells that a value is its own.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Party {
    /// Its canary, in lower case and without dashes or the domain of an address.
    canary: Option<String>,
    /// Values that only this one is given, as they are.
    values: Vec<String>,
}

/// A leak that showed: who got whose value.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Showing {
    pub victim: Party,
    /// `None` if nobody knows.
    pub source: Option<Party>,
}

impl Party {
    /// Somebody with a canary; empty for an anonymous one.
    pub fn new(canary: &str, values: Vec<String>) -> Party {
        let canary = Some(bare(canary)).filter(|canary| !canary.is_empty());
        Party { canary, values: values.into_iter().filter(|value| !value.is_empty()).collect() }
    }

    /// Whether anything would tell it.
    pub fn is_nobody(&self) -> bool {
        self.canary.is_none() && self.values.is_empty()
    }

    /// Whether a text that a probe found is one of its own: its canary, in whatever case, a long part of it, or more than it.
    pub fn owns(&self, found: &str) -> bool {
        self.values.iter().any(|value| value == found)
            || self.canary.as_ref().is_some_and(|own| is_of(&bare(found), own))
    }

    /// Whether one of these texts is.
    pub fn owns_any(&self, found: &[String]) -> bool {
        found.iter().any(|one| self.owns(one))
    }

    /// Without what the other owns too.
    #[must_use]
    pub fn apart_from(mut self, other: &Party) -> Party {
        self.values.retain(|value| !other.owns(value));
        self
    }
}

fn is_of(found: &str, own: &str) -> bool {
    found == own || found.contains(own) || (found.len() >= LEAST_PART && own.contains(found))
}

fn bare(text: &str) -> String {
    let text = text.to_ascii_lowercase();
    let word = text.split(['@', '%']).next().unwrap_or_default();
    word.chars().filter(|c| *c != '-').collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_canary_is_known_in_other_cases_in_part_and_within_more() {
        let party = Party::new("zq4abcdefghjkmnp01234@mail.test", vec!["Zoe".to_owned()]);
        for own in ["zq4abcdefghjkmnp01234", "ZQ4ABCDEFGHJKMNP01234%40mail.test", "zq4abcdefghjkmnp0123", "Zoe"] {
            assert!(party.owns(own), "{own}");
        }
        for other in ["zq4abcdefghjkmnp01235", "zq4abc", "zoe", ""] {
            assert!(!party.owns(other), "{other}");
        }
        assert!(
            Party::new("70912345-1234-4abc-8abc-0123456789ab", Vec::new())
                .owns("709123451234 4abc8abc0123456789ab".replace(' ', "").as_str())
        );
        assert!(Party::new("", vec![String::new()]).is_nobody());
    }
}
