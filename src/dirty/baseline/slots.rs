//! Landmarks and slots: where in a response a word stands, so that responses can be compared place by place.
//!
//! A landmark is a word that stands once in (nearly) every response, whoever asks: a JSON key, a label, a header's name.
//! A slot is the first, second, ... word after a landmark. So no order of keys, no optional part and no list of varying
//! length shifts what follows the next landmark; and where nothing can be aligned, slots vary, and count as noise.

use super::words::{HashOf, PageWord};
use super::{PersonaNumber, significance};

/// Values of a slot that are no words.
const UNREAD: u64 = 0;
const ABSENT: u64 = 1;
/// How many different values of a slot are remembered.
const MOST_FACES: usize = 32;

/// The words after one landmark.
#[derive(Debug)]
pub struct Landmark {
    in_body: bool,
    /// How often it was read, for each persona.
    reads: Vec<u32>,
    slots: Vec<Slot>,
}

/// One place.
#[derive(Debug, Clone)]
pub struct Slot {
    /// What it holds in every solo response so far, for each persona.
    values: Vec<u64>,
    /// It changed for one persona at least: noise for all.
    varies: bool,
    faces: Vec<u64>,
    /// It is constant for each persona, and not the same for all.
    tells: bool,
    /// How often other than lone responses held here what nobody gets alone, and how often what somebody else gets.
    novel: u32,
    foreign: u32,
}

/// All landmarks of the responses of one server.
#[derive(Debug, Default)]
pub struct PageSlots {
    numbers: HashOf<usize>,
    landmarks: Vec<Landmark>,
    /// Whether a slot of the landmark with this number tells one persona from another.
    tells: Vec<bool>,
    body_landmarks: usize,
}

/// A word of a response, or the lack of one, at its slot.
#[derive(Debug, Clone, Copy)]
pub struct Cell {
    pub landmark: usize,
    pub offset: usize,
    pub value: u64,
    /// The number of the word; `None` if it is absent.
    pub word: Option<usize>,
}

/// A response, place by place.
#[derive(Debug, Default)]
pub struct Reading {
    pub cells: Vec<Cell>,
    /// How many words follow each landmark; `None` for one that does not stand there just once.
    lengths: Vec<Option<usize>>,
    /// Half of the landmarks of the body are in their place: no error page, no notice that the server is busy.
    pub is_usual: bool,
}

impl PageSlots {
    /// Chooses the landmarks: words that stand just once in more than half of all responses, and so in one at least to each
    /// persona.
    pub fn choose(replies: &[(PersonaNumber, &[PageWord])], personas: usize) -> Self {
        let mut common: Option<HashOf<Common>> = None;
        for persona in 0..personas {
            let own: Vec<&[PageWord]> =
                replies.iter().filter(|(of, _)| *of == persona).map(|(_, words)| *words).collect();
            if !own.is_empty() {
                common = Some(common_among(&own, common.as_ref()));
            }
        }
        let mut slots = PageSlots::default();
        let is_frequent = |common: &Common| 2 * common.replies > replies.len();
        for (key, Common { in_body, .. }) in common.unwrap_or_default().into_iter().filter(|(_, it)| is_frequent(it)) {
            slots.numbers.insert(key, slots.landmarks.len());
            slots.body_landmarks += usize::from(in_body);
            slots.landmarks.push(Landmark { in_body, reads: vec![0; personas], slots: Vec::new() });
        }
        slots
    }

    /// Reads all slots.
    pub fn read(&self, words: &[PageWord]) -> Reading {
        self.read_where(words, |_| true)
    }

    /// Reads the slots of those landmarks only that have one that tells: few in most responses.
    pub fn read_telling(&self, words: &[PageWord]) -> Reading {
        self.read_where(words, |landmark| self.tells[landmark])
    }

    fn read_where(&self, words: &[PageWord], is_wanted: impl Fn(usize) -> bool) -> Reading {
        let numbers: Vec<Option<usize>> = words.iter().map(|word| self.numbers.get(&word.key).copied()).collect();
        let mut counts = vec![0_u32; self.landmarks.len()];
        numbers.iter().flatten().for_each(|number| counts[*number] += 1);
        let mut reading =
            Reading { lengths: counts.iter().map(|count| (*count == 1).then_some(0)).collect(), ..Reading::default() };
        let mut current = None;
        for (index, (word, number)) in words.iter().zip(&numbers).enumerate() {
            // A landmark is a word too: it stands in a slot of the one before only where it is ambiguous.
            match (number.filter(|number| counts[*number] == 1), word.value) {
                (Some(number), _) => current = is_wanted(number).then_some((number, 0)),
                (None, None) => current = None,
                (None, Some(value)) => {
                    if let Some((landmark, offset)) = &mut current {
                        reading.cells.push(Cell { landmark: *landmark, offset: *offset, value, word: Some(index) });
                        *offset += 1;
                        reading.lengths[*landmark] = Some(*offset);
                    }
                }
            }
        }
        let in_place = self.landmarks.iter().zip(&counts).filter(|(landmark, count)| landmark.in_body && **count == 1);
        reading.is_usual = 2 * in_place.count() >= self.body_landmarks;
        self.add_absent(&mut reading, is_wanted);
        reading
    }

    fn add_absent(&self, reading: &mut Reading, is_wanted: impl Fn(usize) -> bool) {
        let lengths = reading.lengths.iter().enumerate().filter(|(landmark, _)| is_wanted(*landmark));
        for (landmark, length) in lengths {
            let known = &self.landmarks[landmark];
            let absent = length.map_or(0..0, |length| length..known.slots.len());
            let cells = absent.map(|offset| Cell { landmark, offset, value: ABSENT, word: None });
            reading.cells.extend(cells);
        }
    }

    /// Takes a solo response.
    pub fn take(&mut self, persona: PersonaNumber, reading: &Reading) {
        for cell in &reading.cells {
            let landmark = &mut self.landmarks[cell.landmark];
            if cell.offset == landmark.slots.len() {
                landmark.slots.push(Slot::absent_so_far(&landmark.reads));
            }
            landmark.slots[cell.offset].take(persona, cell.value);
        }
        for (landmark, _) in self.landmarks.iter_mut().zip(&reading.lengths).filter(|(_, length)| length.is_some()) {
            landmark.reads[persona] += 1;
        }
    }

    /// Settles which landmarks are worth reading; to be called after all that is at hand has been taken.
    pub fn settle(&mut self) {
        self.tells = self.landmarks.iter().map(|landmark| landmark.slots.iter().any(|slot| slot.tells)).collect();
    }

    /// The slot of a cell, if what it holds tells one persona from another.
    pub fn telling(&self, cell: Cell) -> Option<&Slot> {
        self.landmarks[cell.landmark].slots.get(cell.offset).filter(|slot| slot.tells && !slot.wavers())
    }

    /// Takes what other than a lone response holds.
    pub fn notice(&mut self, persona: PersonaNumber, reading: &Reading) {
        for cell in reading.cells.iter().filter(|cell| cell.word.is_some()) {
            if let Some(slot) = self.landmarks[cell.landmark].slots.get_mut(cell.offset).filter(|slot| slot.tells) {
                slot.notice(persona, cell.value);
            }
        }
    }

    /// How likely chance alone would make the slot of a telling cell look like identity.
    pub fn chance(&self, cell: Cell) -> Option<f64> {
        let slot = self.telling(cell)?;
        let mut groups: HashOf<significance::Group> = HashOf::default();
        for (value, reads) in slot.values.iter().zip(&self.landmarks[cell.landmark].reads) {
            if *value != UNREAD {
                let group = groups.entry(*value).or_insert(significance::Group { personas: 0, replies: 0 });
                group.personas += 1;
                group.replies += reads;
            }
        }
        Some(significance::of_looking_like_identity(&groups.into_values().collect::<Vec<_>>()))
    }

    /// How many slots vary among few values: each could have looked like identity.
    pub fn fickle(&self) -> usize {
        let is_fickle = |landmark: &Landmark, slot: &Slot| {
            let reads: u32 = landmark.reads.iter().sum();
            slot.varies && slot.faces.len() < MOST_FACES && 2 * slot.faces.len() <= reads as usize
        };
        self.landmarks
            .iter()
            .map(|landmark| landmark.slots.iter().filter(|slot| is_fickle(landmark, slot)).count())
            .sum()
    }
}

/// Where a word stands, and in how many responses it stands just once.
#[derive(Debug, Clone, Copy)]
struct Common {
    in_body: bool,
    replies: usize,
}

/// The keys that stand just once in some of these responses, and are among the `earlier` ones if there are any; counted on.
fn common_among(replies: &[&[PageWord]], earlier: Option<&HashOf<Common>>) -> HashOf<Common> {
    let mut common: HashOf<Common> = HashOf::default();
    for words in replies {
        let mut counts: HashOf<(u32, bool)> = HashOf::default();
        for word in words.iter().filter(|word| earlier.is_none_or(|earlier| earlier.contains_key(&word.key))) {
            counts.entry(word.key).or_insert((0, word.in_body)).0 += 1;
        }
        for (key, (_, in_body)) in counts.into_iter().filter(|(_, (count, _))| *count == 1) {
            let so_far = earlier.and_then(|earlier| earlier.get(&key)).map_or(0, |earlier| earlier.replies);
            common.entry(key).or_insert(Common { in_body, replies: so_far }).replies += 1;
        }
    }
    common
}

impl Slot {
    fn absent_so_far(reads: &[u32]) -> Self {
        let values = reads.iter().map(|reads| if *reads == 0 { UNREAD } else { ABSENT }).collect();
        let faces = if reads.iter().any(|reads| *reads > 0) { vec![ABSENT] } else { Vec::new() };
        Slot { values, varies: false, faces, tells: false, novel: 0, foreign: 0 }
    }

    fn take(&mut self, persona: PersonaNumber, value: u64) {
        if self.faces.len() < MOST_FACES && !self.faces.contains(&value) {
            self.faces.push(value);
        }
        self.varies |= self.values[persona] != UNREAD && self.values[persona] != value;
        self.values[persona] = value;
        self.tells = !self.varies && self.faces.len() > 1;
    }

    fn notice(&mut self, persona: PersonaNumber, value: u64) {
        self.novel += u32::from(!self.values.contains(&value));
        self.foreign += u32::from(self.values.contains(&value) && self.is_foreign(persona, value));
    }

    /// It holds what nobody gets alone more often than what somebody else gets. A leak shows what is somebody's: where most
    /// of what is not one's own is nobody's, the rest may well be somebody's by chance.
    fn wavers(&self) -> bool {
        self.novel > self.foreign
    }

    /// Whether it is known what this persona's responses hold here, and it is not `value`.
    pub fn is_foreign(&self, persona: PersonaNumber, value: u64) -> bool {
        self.values[persona] != UNREAD && self.values[persona] != value
    }

    pub fn holds(&self, persona: PersonaNumber, value: u64) -> bool {
        self.values[persona] == value
    }

    /// Whether it tells these two from each other.
    pub fn tells_apart(&self, a: PersonaNumber, b: PersonaNumber) -> bool {
        let (a, b) = (self.values[a], self.values[b]);
        a != b && a != UNREAD && b != UNREAD
    }
}
