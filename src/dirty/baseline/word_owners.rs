//! The owners of long words, wherever these stand in a response: who is always shown them, and who never.

use super::words::HashOf;
use super::{PersonaNumber, significance};

/// The long words that may belong to somebody.
///
/// What belongs to a persona stands in each of its responses, so also in its first: only the words of the first ones are
/// kept, and a server that makes up a thousand random words for each response costs no memory.
#[derive(Debug)]
pub struct WordOwners {
    words: HashOf<Counts>,
    /// How many usual solo responses each persona has had.
    replies: Vec<u32>,
}

#[derive(Debug, Clone)]
struct Counts {
    /// In how many of its usual responses the word stood, for each persona.
    usual: Vec<u32>,
    /// To whom it stood in a response that is not usual, an error page perhaps. If that is anybody but its owner, it is never
    /// held against anybody.
    strayed: Vec<bool>,
}

impl Counts {
    /// It stood in an unusual response to somebody whose usual ones never hold it.
    fn has_strayed(&self) -> bool {
        self.strayed.iter().zip(&self.usual).any(|(strayed, usual)| *strayed && *usual == 0)
    }
}

impl WordOwners {
    pub fn new(personas: usize) -> Self {
        WordOwners { words: HashOf::default(), replies: vec![0; personas] }
    }

    /// Takes the different long words of a solo response.
    pub fn take(&mut self, persona: PersonaNumber, words: impl Iterator<Item = u64>, is_usual: bool) {
        let is_first = is_usual && self.replies[persona] == 0;
        self.replies[persona] += u32::from(is_usual);
        for word in words {
            if is_first {
                let personas = self.replies.len();
                let none = || Counts { usual: vec![0; personas], strayed: vec![false; personas] };
                self.words.entry(word).or_insert_with(none);
            }
            if let Some(counts) = self.words.get_mut(&word) {
                counts.usual[persona] += u32::from(is_usual);
                counts.strayed[persona] |= !is_usual;
            }
        }
    }

    pub fn replies_to(&self, persona: PersonaNumber) -> u32 {
        self.replies.get(persona).copied().unwrap_or(0)
    }

    /// Those who are always shown a word, if all others never are, and there are others.
    pub fn owners(&self, word: u64) -> Option<Vec<PersonaNumber>> {
        let counts = self.words.get(&word).filter(|counts| !counts.has_strayed())?;
        let asked = || counts.usual.iter().zip(&self.replies).enumerate().filter(|(_, (_, replies))| **replies > 0);
        let is_constant = asked().all(|(_, (count, replies))| *count == 0 || count == replies);
        let owners: Vec<PersonaNumber> =
            asked().filter(|(_, (count, _))| **count > 0).map(|(owner, _)| owner).collect();
        (is_constant && owners.len() < asked().count()).then_some(owners)
    }

    /// The owners of a word that does not belong to `persona`.
    pub fn foreign_owners(&self, word: u64, persona: PersonaNumber) -> Option<Vec<PersonaNumber>> {
        let is_foreign = self.words.get(&word)?.usual[persona] == 0;
        self.owners(word).filter(|_| is_foreign)
    }

    /// How likely chance alone would make a word look like that of its owners.
    pub fn chance(&self, word: u64) -> Option<f64> {
        let owners = self.owners(word)?;
        let asked: Vec<u32> = self.replies.iter().copied().filter(|replies| *replies > 0).collect();
        let own = owners.iter().map(|owner| self.replies[*owner]).sum();
        let owned = significance::Group { personas: owners.len() as u32, replies: own };
        let rest = significance::Group {
            personas: (asked.len() - owners.len()) as u32,
            replies: asked.iter().sum::<u32>() - own,
        };
        Some(significance::of_looking_like_identity(&[owned, rest]))
    }

    /// How many words came and went, but often enough that they could have looked like somebody's: in as many responses as
    /// half a persona has had, at least.
    pub fn fickle(&self) -> usize {
        let fewest = self.replies.iter().filter(|replies| **replies > 0).min().copied().unwrap_or(0);
        let is_often = |counts: &Counts| 2 * counts.usual.iter().sum::<u32>() >= fewest.max(3);
        self.words.iter().filter(|(word, counts)| is_often(counts) && self.is_fickle(**word, counts)).count()
    }

    fn is_fickle(&self, word: u64, counts: &Counts) -> bool {
        let is_everybodys = counts.usual.iter().zip(&self.replies).all(|(count, replies)| count == replies);
        !is_everybodys && self.owners(word).is_none()
    }
}
