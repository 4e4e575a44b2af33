//! The request of a dirty check in all its forms: as it is, without what says who asks, spoilt, or with a huge body.

use super::recipe::{Shot, Twist, Who};
use crate::load::Target;
use crate::load::request::Prepared;
use crate::scenario;
use crate::scenario::template::Placeholder;

/// Every form, ready to be filled.
#[derive(Debug)]
pub(super) struct Forms {
    plain: Prepared,
    /// Or why there is none; a sentence without a full stop.
    anonymous: Result<Prepared, String>,
    malformed: Vec<Prepared>,
    big: Option<Prepared>,
}

impl Forms {
    pub fn new(plan: &scenario::Dirty, target: &Target) -> Self {
        // The sleep is each request's own.
        let fixed = |placeholder: &Placeholder| target.fixed(placeholder, None);
        let prepare = |request: &scenario::Request| Prepared::new(request, &target.authority, &fixed);
        Forms { plain: prepare(&plan.request), anonymous: Err("not yet".to_owned()), malformed: Vec::new(), big: None }
    }

    /// The form that a shot asks for; the plain one where there is no such form.
    pub fn of(&self, shot: &Shot) -> &Prepared {
        let form = match (shot.who, shot.twist) {
            (Who::Nobody, _) => self.anonymous.as_ref().ok(),
            (_, Twist::Malformed(index)) => self.malformed.get(index),
            (_, Twist::Big) => self.big.as_ref(),
            _ => None,
        };
        form.unwrap_or(&self.plain)
    }

    /// Why no request can be sent without saying who asks, if so.
    pub fn without_anonymous(&self) -> Option<&str> {
        self.anonymous.as_ref().err().map(String::as_str)
    }

    /// In how many ways a request can be spoilt.
    pub fn malformed(&self) -> usize {
        self.malformed.len()
    }

    pub fn has_big(&self) -> bool {
        self.big.is_some()
    }
}
