//! Takes secrets out of what events and spans say.

use std::borrow::Cow;
use std::sync::{Arc, PoisonError, RwLock};

use crate::scenario::Secrets;

/// The secrets of every scenario at hand. Clones share them.
#[derive(Debug, Clone, Default)]
pub struct Redaction(Arc<RwLock<Vec<Secrets>>>);

impl Redaction {
    /// Hides these values from now on.
    pub fn add(&self, secrets: &Secrets) {
        if !secrets.is_empty() {
            self.0.write().unwrap_or_else(PoisonError::into_inner).push(secrets.clone());
        }
    }

    /// The text with `${NAME}` in place of every value.
    pub fn hide<'t>(&self, text: &'t str) -> Cow<'t, str> {
        let all = self.0.read().unwrap_or_else(PoisonError::into_inner);
        all.iter().fold(Cow::Borrowed(text), |text, secrets| match secrets.hide(&text) {
            Cow::Borrowed(_) => text,
            Cow::Owned(hidden) => Cow::Owned(hidden),
        })
    }
}
