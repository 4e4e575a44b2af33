//! What a load's script found, as the record has it.

use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::load::client_script::{HookFindings, HookSample};
use crate::load::hook_watchdog::{self, HungHook, call_watched};
use crate::load::login::UserRefused;
use crate::record;
use crate::script::ScriptError;
use crate::script::client::Called;
use crate::script::heartbeat::Heartbeat;

/// The findings with what `teardown` came to; nothing without a script.
pub(super) fn checks(
    findings: Option<HookFindings>,
    logged: Vec<String>,
    teardown: Option<Called<()>>,
) -> Option<record::Checks> {
    let mut findings = findings?;
    let teardown = teardown?;
    // The setup's lines come first.
    let mut log = HookFindings::default();
    log.logged(logged);
    log.logged(std::mem::take(&mut findings.log));
    log.logged(teardown.log);
    if let Err(error) = &teardown.result {
        tracing::warn!(
            hook = "teardown",
            function = error.function,
            line = error.line,
            "the script's teardown failed: {error}"
        );
    }
    Some(record::Checks {
        passed: findings.passed,
        failed: findings.failed,
        thought_s: findings.thought.as_secs_f64(),
        samples: findings.samples.iter().map(sample).collect(),
        script_errors: findings.errors.iter().map(sample).collect(),
        teardown_error: teardown.result.err().map(|error| error.to_string()),
        log: log.log,
    })
}

/// What is to be looked at where the machine refuses a thread, a process or a file.
pub(super) const MACHINE_REFUSED: &str = "check the limits on processes, threads and open files (`ulimit -a`)";

/// Calls a hook on a thread of its own. One that does not come back after `cancel`, or ever, is a failed call, and `hung` is told.
pub(super) fn attend<T: Send + 'static>(
    cancel: &CancellationToken,
    hung: impl FnOnce(),
    call: impl FnOnce(Arc<Heartbeat>) -> Called<T> + Send + 'static,
) -> Called<T> {
    call_watched(&|| cancel.is_cancelled(), call).unwrap_or_else(|hook: HungHook| {
        hung();
        hook_watchdog::failed(&hook)
    })
}

/// Why a user of a load was not let in: a message with advice.
pub(super) fn login_refused(refusal: &UserRefused) -> (String, &'static str) {
    let message = refusal.why.told(&format!("login of user {}", refusal.user));
    (message, "check [load.login], and that the server knows this user; nothing was measured")
}

/// Why nothing was loaded, with the end of what the script had logged until then.
pub(super) fn setup_failure(file: &std::path::Path, error: &ScriptError, log: &[String]) -> record::TrialFailure {
    record::TrialFailure {
        message: format!("the script's setup failed: {error}"),
        advice: format!("mend `fn setup` in {}; nothing was sent", file.display()),
        log_tail: super::log_tail::of(log.iter().map(String::as_str)),
        log_of: record::LogOf::Script,
    }
}

/// Why a load ended before its time.
pub(super) fn hung(file: Option<&std::path::Path>, hung: &HungHook) -> record::TrialFailure {
    let file = file.map(|file| format!(" of {}", file.display())).unwrap_or_default();
    record::TrialFailure {
        message: hung.to_string(),
        advice: format!("a function that the hook{file} calls does not end: see what it is called with"),
        log_tail: Vec::new(),
        log_of: record::LogOf::Script,
    }
}

/// A trial that was not run, as a hook of an earlier one has not come back.
pub(super) fn not_run() -> record::Trial {
    let message = "not run: a hook of an earlier trial did not come back, and keeps a core busy".to_owned();
    let advice = "mend the script, and run again".to_owned();
    let failure = record::TrialFailure { message, advice, log_tail: Vec::new(), log_of: record::LogOf::Script };
    record::Trial { failure: Some(failure), ..record::Trial::default() }
}

fn sample(sample: &HookSample) -> record::CheckSample {
    let seconds = |time: Duration| time.as_secs_f64();
    record::CheckSample {
        user: sample.user,
        seq: sample.seq,
        t_s: seconds(sample.at),
        line: sample.line.clone(),
        status: sample.status,
        failure: sample.failure.clone(),
        excerpt: sample.excerpt.clone(),
        said: sample.said.clone(),
    }
}
