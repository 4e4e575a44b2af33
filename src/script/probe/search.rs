//! Which canaries a value holds.

use std::collections::BTreeSet;
use std::ops::Bound;
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};
use std::time::SystemTime;

use regex::Regex;
use rhai::{Array, Blob, Dynamic, Map};

/// Canaries that are named of one value.
const MOST: usize = 8;
/// How deep a value is searched.
const DEPTH: usize = 4;
/// Values within one that are looked at.
const ITEMS: usize = 1_000;
/// Bytes of a longer text that are looked at.
const START: usize = 64 << 10;
/// What a text may have to be looked at as a whole.
const WHOLE: usize = 1 << 20;

/// Finds canaries in texts and in values of scripts.
pub(super) struct CanarySearch {
    canary: Regex,
    marks: Option<Marks>,
    /// The canaries that requests have brought so far. Where one stands before other letters and digits, the pattern takes both.
    known: Mutex<BTreeSet<String>>,
}

/// Texts that count as canaries, one a line of a file.
struct Marks {
    file: PathBuf,
    read: Mutex<(Option<SystemTime>, Vec<String>)>,
}

impl CanarySearch {
    /// `canary` is a regular expression; what Rust's lack is left out: looking ahead and behind.
    pub fn new(canary: &str, marks: Option<PathBuf>) -> Result<CanarySearch, String> {
        let canary = Regex::new(&without_looking_around(canary)).map_err(|error| error.to_string())?;
        let marks = marks.map(|file| Marks { file, read: Mutex::default() });
        Ok(CanarySearch { canary, marks, known: Mutex::default() })
    }

    /// Reads the marks again if their file is another.
    pub fn refresh(&self) {
        let Some(marks) = &self.marks else { return };
        let changed = std::fs::metadata(&marks.file).and_then(|file| file.modified()).ok();
        let mut read = marks.read.lock().unwrap_or_else(PoisonError::into_inner);
        if changed.is_some() && read.0 != changed {
            let text = std::fs::read_to_string(&marks.file).unwrap_or_default();
            *read = (changed, text.lines().filter(|line| !line.is_empty()).map(str::to_owned).collect());
        }
    }

    /// Canaries that a request has brought.
    pub fn learn(&self, own: &BTreeSet<String>) {
        self.known.lock().unwrap_or_else(PoisonError::into_inner).extend(own.iter().cloned());
    }

    pub fn in_value(&self, value: &Dynamic) -> BTreeSet<String> {
        let mut found = BTreeSet::new();
        self.value(value, DEPTH, &mut { ITEMS }, &mut found);
        found
    }

    pub fn in_bytes(&self, bytes: &[u8], found: &mut BTreeSet<String>) {
        self.in_text(&String::from_utf8_lossy(beginning(bytes)), found);
    }

    pub fn in_text(&self, text: &str, found: &mut BTreeSet<String>) {
        for canary in self.canary.find_iter(text) {
            if found.len() >= MOST {
                return;
            }
            found.insert(self.name(canary.as_str()));
        }
        if let Some(marks) = &self.marks {
            let read = marks.read.lock().unwrap_or_else(PoisonError::into_inner);
            found.extend(read.1.iter().filter(|mark| text.contains(mark.as_str())).cloned());
        }
    }

    /// A known canary at the start of what the pattern took, else all of that.
    fn name(&self, taken: &str) -> String {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let before = known
            .range::<str, _>((Bound::Unbounded, Bound::Included(taken)))
            .rev()
            .take(MOST)
            .find(|known| taken.starts_with(known.as_str()));
        before.cloned().unwrap_or_else(|| taken.to_owned())
    }

    fn value(&self, value: &Dynamic, levels: usize, room: &mut usize, found: &mut BTreeSet<String>) {
        if levels == 0 || *room == 0 || found.len() >= MOST {
            return;
        }
        *room -= 1;
        if let Some(items) = value.read_lock::<Array>() {
            items.iter().for_each(|item| self.value(item, levels - 1, room, found));
        } else if let Some(items) = value.read_lock::<Map>() {
            for (name, item) in items.iter() {
                self.in_text(name, found);
                self.value(item, levels - 1, room, found);
            }
        } else if let Some(bytes) = value.read_lock::<Blob>() {
            self.in_bytes(&bytes, found);
        } else if let Ok(text) = value.as_immutable_string_ref() {
            self.in_bytes(text.as_bytes(), found);
        } else if let Ok(number) = value.as_int() {
            self.in_text(&number.to_string(), found);
        }
    }
}

/// What is looked at of a text.
fn beginning(bytes: &[u8]) -> &[u8] {
    if bytes.len() > WHOLE { &bytes[..START] } else { bytes }
}

/// A pattern without its `(?=..)`, `(?!..)`, `(?<=..)` and `(?<!..)`.
fn without_looking_around(pattern: &str) -> String {
    let mut kept = String::new();
    let mut rest = pattern;
    while let Some(start) = ["(?=", "(?!", "(?<=", "(?<!"].iter().filter_map(|group| rest.find(group)).min() {
        kept += &rest[..start];
        rest = &rest[start + end_of_group(&rest[start..])..];
    }
    kept + rest
}

/// The bytes of the group that a pattern begins with.
fn end_of_group(pattern: &str) -> usize {
    let (mut depth, mut escaped, mut in_class) = (0_usize, false, false);
    for (at, letter) in pattern.char_indices() {
        match letter {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '[' => in_class = true,
            ']' => in_class = false,
            '(' if !in_class => depth += 1,
            ')' if !in_class && depth == 1 => return at + 1,
            ')' if !in_class => depth -= 1,
            _ => {}
        }
    }
    pattern.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    const WORD: &str = "zq[0-9a-z]{19,195}";

    fn word(letter: char) -> String {
        format!("zq{}", letter.to_string().repeat(20))
    }

    #[test]
    fn canaries_are_found_in_texts_containers_and_bytes() {
        let search = CanarySearch::new(WORD, None).unwrap();
        let nested = Dynamic::from_map(Map::from_iter([("a".into(), Dynamic::from_array(vec![word('b').into()]))]));
        let blob = Dynamic::from_blob(format!("x{}", word('c')).into_bytes());
        assert_eq!(search.in_value(&nested), BTreeSet::from([word('b')]));
        assert_eq!(search.in_value(&blob), BTreeSet::from([word('c')]));
        assert!(search.in_value(&Dynamic::from_int(7)).is_empty() && search.in_value(&"zq".into()).is_empty());
    }

    #[test]
    fn a_known_canary_is_told_from_the_letters_behind_it() {
        let search = CanarySearch::new(WORD, None).unwrap();
        let both = word('b') + "tail";
        assert_eq!(search.in_value(&both.clone().into()), BTreeSet::from([both.clone()]));
        search.learn(&BTreeSet::from([word('a'), word('b'), word('b') + "s"]));
        assert_eq!(search.in_value(&both.into()), BTreeSet::from([word('b')]));
    }

    #[test]
    fn marks_are_read_again_when_their_file_is_another() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("marks");
        let search = CanarySearch::new(WORD, Some(file.clone())).unwrap();
        search.refresh();
        assert!(search.in_value(&"a***@mail".into()).is_empty());
        std::fs::write(&file, "a***@mail\n").unwrap();
        search.refresh();
        assert_eq!(search.in_value(&"to a***@mail".into()), BTreeSet::from(["a***@mail".to_owned()]));
    }

    #[test]
    fn what_looks_ahead_and_behind_is_left_out_of_a_pattern() {
        assert_eq!(without_looking_around(r"(?<![0-9a-z)])zq(a|b)(?!\)(x))$"), "zq(a|b)$");
        assert!(CanarySearch::new("(?<!a)zq[0-9a-z]+(?=b)", None).is_ok());
    }
}
