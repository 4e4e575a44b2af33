//! Secrets that are numbers. A variable stands for one, whose name says so: filled in again, it is a number again.

use std::borrow::Cow;

use toml::de::{DeTable, DeValue};

use super::super::secrets::Secrets;
use super::super::source::Span;
use super::super::{sensitive, toml_tree};
use super::{is_one_variable, variables};

/// Takes note of the numbers that stand where secrets do.
pub(super) fn collect(tree: &mut DeTable<'_>, secrets: &mut Secrets) {
    toml_tree::each_number(tree, &mut |path, value| {
        if let Some(number) = written(path, value) {
            secrets.add_literal(&sensitive::number_variable(path), &path.join("."), &number, true);
        }
    });
}

/// Puts the variables in their places.
pub(super) fn name(tree: &mut DeTable<'_>, secrets: &Secrets) {
    toml_tree::each_number(tree, &mut |path, value| {
        if let Some(name) = written(path, value).and_then(|number| secrets.stands_for_number(&number)) {
            *value = DeValue::String(Cow::Owned(name));
        }
    });
}

/// A number as it is sent, if it stands where secrets do.
fn written(path: &[String], value: &DeValue<'_>) -> Option<String> {
    sensitive::is_sensitive_place(path)
        .then(|| toml_tree::to_json(&toml::Spanned::new(0..0, value.clone())).to_string())
}

/// Texts that stand for numbers, by where they are written.
#[derive(Debug, Default)]
pub(in crate::scenario) struct Numbers(Vec<Span>);

impl Numbers {
    /// Takes note of a text that is one variable of a number, and what fills it in.
    pub(super) fn note(&mut self, span: &Span, text: &str, filled: &str) {
        let of_number = is_one_variable(text) && variables(text).iter().all(|name| sensitive::is_of_number(name));
        if of_number && serde_json::from_str::<serde_json::Number>(filled).is_ok() {
            self.0.push(span.clone());
        }
    }

    /// Whether the text there is meant as a number.
    pub(in crate::scenario) fn has(&self, span: &Span) -> bool {
        self.0.contains(span)
    }
}
