//! The inspection: it takes its request from the load.

use super::super::problem::Problem;
use super::super::{InspectSpec, LoadSpec, file};
use super::Loading;

/// With fewer, little can be told apart.
const LEAST_CONCURRENCY: i64 = 8;
const MOST_CONCURRENCY: i64 = 10_000;

impl Loading<'_> {
    /// `load` is `None` where there is none, and `Some(None)` after a problem of it.
    pub(super) fn inspect(
        &mut self,
        written: &file::RawScenario,
        load: Option<&Option<LoadSpec>>,
    ) -> Option<InspectSpec> {
        let at = written.inspect.as_ref()?;
        let most = self.whole("max_concurrency", &at.value.max_concurrency, LEAST_CONCURRENCY, MOST_CONCURRENCY);
        if load.is_none() {
            let problem = Problem::new("[inspect] has no request").at(&at.span, "what is sent?");
            let help = "add [load] with a path: its request is what an inspection sends";
            self.missing(&["load"], problem.help(help));
        }
        Some(InspectSpec::of(load?.as_ref()?, most))
    }
}
