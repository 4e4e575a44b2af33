//! What provokes leaks: a file each. A new trigger is a file here and a line in [`all`].

use std::future::Future;
use std::pin::Pin;

use super::Premises;
use super::client::Client;
use crate::scenario;

mod overlap;

/// A round that is under way.
type Round<'a> = Pin<Box<dyn Future<Output = ()> + 'a>>;

/// Sends requests in a way that makes some class of leak show.
pub(super) trait Trigger {
    /// As in `dirty.NAME.leaks`.
    fn name(&self) -> &'static str;
    /// One round of requests, all of which have ended when it has.
    fn round<'a>(&'a self, client: &'a Client, plan: &'a scenario::Dirty, premises: Premises) -> Round<'a>;
}

/// Every trigger, in the order in which they take turns.
pub(super) fn all() -> Vec<Box<dyn Trigger>> {
    vec![Box::new(overlap::Overlap)]
}
