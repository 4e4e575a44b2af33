//! Values that are not to be shown, and what stands in their place: `${API_TOKEN}`.

use std::borrow::Cow;
use std::fmt;
use std::ops::Range;

use super::sensitive;

mod written;

use written::{Form, LONGEST_ESCAPE, Layer, layers};

/// A value with fewer characters is found out by trying, and stands in every other word: it is no secret.
const SHORTEST: usize = 4;
/// A text may be cut within a value: a piece of this many bytes at its edge is hidden as well, or half of a shorter value.
const LONGEST_PIECE: usize = 8;
const SHORTEST_PIECE: usize = 6;
/// The same where the text says that it was cut.
const PIECE_AT_A_CUT: usize = 3;
/// What stands where a text was cut.
const CUT: &str = "…";

/// Values that are not to be shown, in every way that they may be written: those of environment variables, and those that
/// the scenario itself holds, which have a variable's name too.
#[derive(Clone, Default)]
pub struct Secrets {
    known: Vec<Known>,
    /// What may stand in a text, with the index of what is known; the longest first.
    forms: Vec<(Form, usize)>,
    /// Whether a form begins with this byte.
    first: Vec<bool>,
}

#[derive(Clone)]
struct Known {
    name: String,
    value: String,
    /// Where the scenario itself holds it, as a key path.
    key: Option<String>,
}

impl fmt::Debug for Secrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.known.iter().map(|known| &known.name)).finish()
    }
}

impl Secrets {
    /// Takes note of a variable's value.
    pub(super) fn add(&mut self, name: &str, value: &str) {
        if self.known.iter().any(|known| known.name == name) {
            return;
        }
        self.known.push(Known { name: name.to_owned(), value: value.to_owned(), key: None });
        self.hide_from_now_on(self.known.len() - 1);
    }

    /// Takes note of a value that the scenario itself holds at `key`, under this name or one like it. One that is not
    /// `telling` is left out of the effective scenario only: it may stand in any text.
    pub(super) fn add_literal(&mut self, name: &str, key: &str, value: &str, telling: bool) {
        let is_number = sensitive::is_of_number(name);
        let is_it = |known: &Known| known.value == value && sensitive::is_of_number(&known.name) == is_number;
        if self.known.iter().any(|known| known.key.is_some() && is_it(known)) {
            return;
        }
        let names = std::iter::once(name.to_owned()).chain((2..).map(|number| format!("{name}_{number}")));
        let is_free = |name: &String| !self.known.iter().any(|known| known.name == *name);
        let Some(name) = names.into_iter().find(is_free) else { return };
        self.known.push(Known { name, value: value.to_owned(), key: Some(key.to_owned()) });
        if telling {
            self.hide_from_now_on(self.known.len() - 1);
        }
    }

    fn hide_from_now_on(&mut self, index: usize) {
        let value = self.known[index].value.clone();
        if value.trim().chars().count() < SHORTEST {
            return;
        }
        let lines = value.lines().filter(|line| line.len() >= LONGEST_PIECE);
        for value in [value.as_str(), value.trim()].into_iter().chain(lines) {
            for form in written::forms(value) {
                if !self.forms.iter().any(|(known, _)| *known == form) {
                    self.forms.push((form, index));
                }
            }
        }
        // One may begin with another: what is left of the longer would tell the rest.
        self.forms.sort_by_key(|(form, _)| std::cmp::Reverse(form.bytes.len()));
        self.first = vec![false; 256];
        self.forms.iter().flat_map(|(form, _)| form.first()).for_each(|byte| self.first[usize::from(byte)] = true);
    }

    /// Whether there is nothing to hide.
    pub fn is_empty(&self) -> bool {
        self.forms.is_empty()
    }

    /// Of the variables, and of what stands for values that the scenario itself holds.
    pub fn names(&self) -> Vec<String> {
        self.known.iter().map(|known| known.name.clone()).collect()
    }

    /// Names and key paths of values that the scenario itself holds.
    pub fn literals(&self) -> impl Iterator<Item = (&str, &str)> {
        self.known.iter().filter_map(|known| Some((known.name.as_str(), known.key.as_deref()?)))
    }

    /// The value of this name.
    pub(super) fn value(&self, name: &str) -> Option<&str> {
        self.known.iter().find(|known| known.name == name).map(|known| known.value.as_str())
    }

    /// What stands for this value, where the scenario itself holds it.
    pub(super) fn stands_for_literal(&self, value: &str) -> Option<String> {
        self.stands_for(value, false)
    }

    /// The same for a number.
    pub(super) fn stands_for_number(&self, value: &str) -> Option<String> {
        self.stands_for(value, true)
    }

    fn stands_for(&self, value: &str, number: bool) -> Option<String> {
        let is_it = |known: &&Known| known.value == value && sensitive::is_of_number(&known.name) == number;
        let found = self.known.iter().filter(|known| known.key.is_some()).find(is_it);
        found.map(|known| format!("${{{}}}", known.name))
    }

    /// The length of the longest way to write one, in bytes.
    pub fn longest(&self) -> usize {
        self.forms.first().map_or(0, |(form, _)| (form.bytes.len() + 2) * LONGEST_ESCAPE)
    }

    /// The text with `${NAME}` in place of every value.
    pub fn hide<'t>(&self, text: &'t str) -> Cow<'t, str> {
        if self.is_empty() {
            return Cow::Borrowed(text);
        }
        let layers = layers(text.as_bytes());
        let mut found = self.found(text.as_bytes(), &layers);
        let cut = if text.ends_with(CUT) { CUT.len() } else { 0 };
        found.extend(layers.iter().filter_map(|layer| self.piece_in_front(layer)));
        found.extend(layers.iter().filter_map(|layer| self.piece_behind(layer, cut)));
        match self.replaced(text.as_bytes(), found) {
            (out, _) if out.is_empty() => Cow::Borrowed(text),
            (mut out, rest) => {
                out.extend_from_slice(rest);
                Cow::Owned(String::from_utf8_lossy(&out).into_owned())
            }
        }
    }

    /// The same for bytes that are no text, or not all of one: what is covered, and the rest behind the last value.
    pub fn cover<'b>(&self, bytes: &'b [u8]) -> (Vec<u8>, &'b [u8]) {
        self.replaced(bytes, self.found(bytes, &layers(bytes)))
    }

    /// The bytes without a piece of a value at their end, where it is known that they were cut.
    pub fn cover_cut(&self, bytes: &[u8]) -> Vec<u8> {
        let found = layers(bytes).iter().filter_map(|layer| self.piece(layer, layer.bytes.len(), true)).collect();
        let (mut out, rest) = self.replaced(bytes, found);
        out.extend_from_slice(rest);
        out
    }

    /// The text with `${NAME}` in place of every value that stands there as it is: filled in again, it is the same.
    pub(super) fn named(&self, text: &str) -> String {
        let found = self.found(text.as_bytes(), &layers(text.as_bytes())[..1]);
        let exact =
            |(range, index): &(Range<usize>, usize)| text.get(range.clone()) == Some(&*self.known[*index].value);
        let (mut out, rest) = self.replaced(text.as_bytes(), found.into_iter().filter(exact).collect());
        out.extend_from_slice(rest);
        String::from_utf8_lossy(&out).into_owned()
    }

    /// Where values stand in a text, with the index of what is known.
    fn found(&self, text: &[u8], layers: &[Layer]) -> Vec<(Range<usize>, usize)> {
        let mut found = Vec::new();
        if self.is_empty() {
            return found;
        }
        let names = self.names_in(text);
        for layer in layers {
            let mut at = 0;
            while at < layer.bytes.len() {
                let rest = &layer.bytes[at..];
                let begins = |(form, _): &&(Form, usize)| form.begins(rest, 0..form.bytes.len());
                match self.forms.iter().filter(|_| self.first[usize::from(rest[0])]).find(begins) {
                    None => at += 1,
                    Some((form, index)) => {
                        let range = layer.origin(form.widened(&layer.bytes, at));
                        // What stands for a value is none, whatever its name.
                        if !names.iter().any(|name| name.start <= range.start && range.end <= name.end) {
                            found.push((range, *index));
                        }
                        at += form.bytes.len();
                    }
                }
            }
        }
        found
    }

    /// Where `${NAME}` stands already.
    fn names_in(&self, text: &[u8]) -> Vec<Range<usize>> {
        let starts = memchr::memmem::find_iter(text, b"${");
        let named = starts.filter_map(|start| {
            let length = text[start..].iter().take(200).position(|byte| *byte == b'}')?;
            let name = &text[start + 2..start + length];
            self.known.iter().any(|known| known.name.as_bytes() == name).then_some(start..start + length + 1)
        });
        named.collect()
    }

    /// What is found is replaced: the text up to the last of it, and the rest.
    fn replaced<'b>(&self, text: &'b [u8], mut found: Vec<(Range<usize>, usize)>) -> (Vec<u8>, &'b [u8]) {
        found.sort_by_key(|(range, _)| (range.start, std::cmp::Reverse(range.end)));
        let (mut out, mut copied) = (Vec::new(), 0);
        for (range, index) in found {
            if range.end <= copied {
                continue;
            }
            // Of two that overlap, what is left of the second tells nothing once the first has a name.
            if range.start >= copied {
                out.extend_from_slice(&text[copied..range.start]);
                out.extend_from_slice(format!("${{{}}}", self.known[index].name).as_bytes());
            }
            copied = range.end;
        }
        (out, &text[copied..])
    }

    /// The end of a value with which a text begins, where more follows.
    fn piece_in_front(&self, layer: &Layer) -> Option<(Range<usize>, usize)> {
        let pieces = self.forms.iter().filter(|(form, _)| form.is_text()).flat_map(|(form, index)| {
            let last = form.bytes.len().saturating_sub(least(form, false));
            (1..=last).map(move |from| (form, from, *index))
        });
        let begins = |(form, from, _): &(&Form, usize, usize)| {
            let part = *from..form.bytes.len();
            layer.bytes.len() > part.len() && form.begins(&layer.bytes, part)
        };
        let longest = pieces.filter(begins).max_by_key(|(form, from, _)| form.bytes.len() - from);
        longest.map(|(form, from, index)| (layer.origin(0..form.bytes.len() - from), index))
    }

    /// The beginning of a value with which a text ends, `cut` bytes before its end.
    fn piece_behind(&self, layer: &Layer, cut: usize) -> Option<(Range<usize>, usize)> {
        self.piece(layer, layer.bytes.len().saturating_sub(cut), cut > 0)
    }

    fn piece(&self, layer: &Layer, end: usize, is_cut: bool) -> Option<(Range<usize>, usize)> {
        let longest = self.forms.first().map_or(0, |(form, _)| form.bytes.len());
        (end.saturating_sub(longest)..end).find_map(|at| {
            let rest = &layer.bytes[at..end];
            let begins = |(form, _): &&(Form, usize)| {
                form.is_text()
                    && (least(form, is_cut)..form.bytes.len()).contains(&rest.len())
                    && form.begins(rest, 0..rest.len())
            };
            let (_, index) = self.forms.iter().find(begins)?;
            Some((layer.origin(at..end), *index))
        })
    }
}

/// This many bytes of a value are a piece of it.
fn least(form: &Form, is_cut: bool) -> usize {
    match is_cut {
        true => PIECE_AT_A_CUT,
        false => (form.bytes.len() / 2).clamp(SHORTEST_PIECE, LONGEST_PIECE),
    }
}

#[cfg(test)]
mod tests;
