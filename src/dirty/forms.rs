//! The request of a dirty check in all its forms: as it is, without what says who asks, spoilt, or with a huge body.

use super::recipe::{Shot, Twist, Who};
use crate::load::Target;
use crate::load::request::Prepared;
use crate::scenario;
use crate::scenario::template::Placeholder;
use crate::scenario::variation;

/// More than the buffers of servers hold: 64 KiB is their usual limit for what they read at once.
const BIG: usize = 80 * 1024;

/// Every form, ready to be filled.
#[derive(Debug)]
pub(super) struct Forms {
    plain: Prepared,
    /// Or why there is none; a sentence without a full stop.
    anonymous: Result<Prepared, String>,
    malformed: Vec<Prepared>,
    big: Prepared,
    pub login: Option<Login>,
    /// All identities ask for one and the same URL.
    pub same_url: bool,
}

/// The request by which an identity gets its session.
#[derive(Debug)]
pub(super) struct Login {
    pub request: Prepared,
    /// The names or indices that lead to the token in the answer's JSON.
    pub token: Option<Vec<String>>,
}

impl Forms {
    pub fn new(plan: &scenario::Dirty, target: &Target) -> Self {
        // The sleep is each request's own.
        let fixed = |placeholder: &Placeholder| target.fixed(placeholder, None);
        let prepare = |request: &scenario::Request| Prepared::new(request, &target.authority, &fixed);
        let request = &plan.request;
        Forms {
            plain: prepare(request),
            anonymous: variation::anonymous(request).map(|request| prepare(&request)).map_err(|why| why.to_string()),
            malformed: variation::malformed(request).iter().map(|(_, request)| prepare(request)).collect(),
            big: prepare(&variation::padded(request, BIG)),
            login: plan
                .login
                .as_ref()
                .map(|login| Login { request: prepare(&login.request), token: login.token.clone() }),
            same_url: variation::same_url(request),
        }
    }

    /// The form that a shot asks for; the plain one where there is no such form.
    pub fn of(&self, shot: &Shot) -> &Prepared {
        let form = match (shot.who, shot.twist) {
            (Who::Nobody, _) => self.anonymous.as_ref().ok(),
            (_, Twist::Malformed(index)) => self.malformed.get(index),
            (_, Twist::Big) => Some(&self.big),
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
}
