//! The ceiling of a trial: by the model of a built-in server, or by what an inspection found.

use crate::analysis::ceiling::{of_inspection, of_model};
use crate::record::{CeilingRecord, Trial};
use crate::scenario::template::Placeholder;
use crate::scenario::{Builtin, LoadSpec, ServerSpec, Variant};
use crate::units::parse_sleep;

/// Handlers that come with runner and do nothing but sleep.
const SLEEP: [&str; 2] = ["/sync_sleep", "/async_sleep"];

/// `None` without a load, and where nobody knows how long a request waits.
pub(in crate::run) fn ceiling(variant: &Variant, trial: &Trial) -> Option<CeilingRecord> {
    let load = trial.load.as_ref()?;
    let known = match (&variant.server, &variant.load) {
        (ServerSpec::Builtin(server), Some(plan)) => wait_s(server, plan)
            .and_then(|wait_s| of_model(load, server.workers, server.mode.handlers(), server.threads, wait_s)),
        _ => None,
    };
    known.or_else(|| of_inspection(load, trial.inspection.as_ref()?))
}

/// How long each request of a load sleeps, where a handler that comes with runner answers it.
fn wait_s(server: &Builtin, plan: &LoadSpec) -> Option<f64> {
    let [only] = plan.kinds.as_slice() else { return None };
    let path = &only.request.path;
    let sleeps = path.holes().next().is_none() && SLEEP.contains(&path.text().trim_end_matches('/'));
    if !sleeps || server.script.is_some() || plan.script.is_some() {
        return None;
    }
    let asked = only.request.query.iter().find(|parameter| parameter.name.as_deref() == Some("sleep"));
    let wait = match asked {
        None => server.sleep,
        Some(parameter) if parameter.value.has(&Placeholder::Sleep) => plan.sleep?,
        Some(parameter) if parameter.value.varies() => return None,
        Some(parameter) => parse_sleep(&parameter.value.text()).ok()?,
    };
    Some(wait.as_secs_f64())
}
