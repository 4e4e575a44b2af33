//! Patterns of texts: of ECMA-262 in the document, as far as they mean the same here.

use rand::{RngExt as _, SeedableRng as _};
use regex::{Regex, RegexBuilder};

/// A text that a pattern makes.
pub(super) fn example(written: &str, fits: impl Fn(&str) -> bool) -> Option<String> {
    // What is made is looked at afterwards, by the pattern with its anchors.
    let open = without_anchors(written);
    let made = rand_regex::Regex::compile(&open, 12).ok()?;
    let mut random = rand::rngs::StdRng::seed_from_u64(1);
    (0..32).map(|_| random.sample::<String, _>(&made)).find(|text| fits(text) && text.chars().all(|c| !c.is_control()))
}

fn without_anchors(pattern: &str) -> String {
    let (mut open, mut is_escaped, mut in_class) = (String::new(), false, false);
    for c in pattern.chars() {
        let is_anchor = !is_escaped && !in_class && matches!(c, '^' | '$');
        match c {
            '[' if !is_escaped => in_class = true,
            ']' if !is_escaped => in_class = false,
            _ => {}
        }
        is_escaped = c == '\\' && !is_escaped;
        if !is_anchor {
            open.push(c);
        }
    }
    open
}

/// A pattern, if it is one that can be read: those of JavaScript that look around cannot.
pub(super) fn read(written: &str) -> Option<Regex> {
    RegexBuilder::new(written).size_limit(1 << 20).build().ok()
}
