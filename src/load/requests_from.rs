//! The kinds of sources that a load's requests can come from.

use std::rc::Rc;

use super::request_source::plain::OwnRequests;
use super::request_source::scripted::Scripts;
use crate::script::Hooks;

/// Where the requests of a load thread come from. A new kind of source has one line here, one in `of`, and one in
/// [`with_source`].
pub(super) enum RequestsFrom {
    /// The scenario alone.
    Scenario(Rc<OwnRequests>),
    /// Its script, if that says anything of them; it may look at the responses, too.
    Script(Rc<Scripts>),
}

impl RequestsFrom {
    /// A script's hooks, or the scenario where there are none.
    pub fn of(hooks: Option<Hooks>) -> RequestsFrom {
        match hooks {
            None => RequestsFrom::Scenario(Rc::new(OwnRequests)),
            Some(hooks) => RequestsFrom::Script(Rc::new(Scripts::new(hooks))),
        }
    }
}

/// Does the same with whichever source a load thread has: `with_source!(from, source => closed::users(thread, source))`. Each
/// gets a loop of its own, compiled for it: a choice for each request would cost more than the request.
macro_rules! with_source {
    ($from:expr, $source:ident => $work:expr) => {
        match $from {
            $crate::load::requests_from::RequestsFrom::Scenario($source) => $work,
            $crate::load::requests_from::RequestsFrom::Script($source) => $work,
        }
    };
}
pub(super) use with_source;
