//! Requests that a person can make by hand: those of a scenario with every hole filled, and one for each handler.

use std::collections::BTreeSet;
use std::path::Path;
use std::time::Duration;

use crate::scenario::template::Placeholder;
use crate::scenario::{Builtin, RequestSpec, ServerSpec, Variant};
use crate::script::{Limits, Program};
use crate::server::COMES_WITH_RUNNER;

/// Who asks, where a request carries a canary: the slow page is one's, the quick ones are another's.
const SLOW: &str = "test";
const QUICK: &str = "dev";
/// The function that answers what no other does.
const FALLBACK: &str = "handle";

/// A request that the server answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Example {
    /// `GET`, mostly.
    pub method: String,
    /// Path and query.
    pub target: String,
    /// Where it comes from: `[load]`, a script, runner.
    pub of: String,
}

impl Example {
    fn get(target: &str, of: &str) -> Example {
        Example { method: "GET".to_owned(), target: target.to_owned(), of: of.to_owned() }
    }

    /// The path without its slashes and query.
    fn path(&self) -> &str {
        self.target.split('?').next().unwrap_or_default().trim_matches('/')
    }
}

/// What to ask the server of a variant: what its scenario asks, then each handler that it does not.
pub(super) fn of(variant: &Variant) -> Vec<Example> {
    let mut examples = asked(variant);
    if let ServerSpec::Builtin(builtin) = &variant.server {
        let known: BTreeSet<String> = examples.iter().map(|example| example.path().to_owned()).collect();
        let mut seen = known.clone();
        for example in handlers(builtin) {
            if seen.insert(example.path().to_owned()) {
                examples.push(example);
            }
        }
    }
    examples
}

/// The requests of the dirty check and of the load.
fn asked(variant: &Variant) -> Vec<Example> {
    let mut examples = Vec::new();
    let workers = variant.server.workers();
    let mut add = |request: &RequestSpec, sleep, who, of: &str| {
        let target = fill(request, sleep, who, workers);
        examples.push(Example { method: request.method.clone(), ..Example::get(&target, of) });
    };
    if let Some(dirty) = &variant.dirty {
        match dirty.sleep {
            Some(sleep) => {
                add(&dirty.request, Some(sleep.long), SLOW, "[dirty], a slow page of one user");
                add(&dirty.request, Some(sleep.short), QUICK, "[dirty], a quick one of another");
            }
            None => add(&dirty.request, None, QUICK, "[dirty]"),
        }
    }
    if let Some(load) = &variant.load {
        for kind in &load.kinds {
            let of = if load.kinds.len() > 1 { format!("[load], {}", kind.name) } else { "[load]".to_owned() };
            add(&kind.request, load.sleep, QUICK, &of);
        }
    }
    examples
}

pub(super) fn fill(request: &RequestSpec, sleep: Option<Duration>, who: &str, workers: Option<u32>) -> String {
    let mut target = Vec::new();
    request.target().fill(
        &mut |hole, out| {
            let text = match hole {
                Placeholder::Canary
                | Placeholder::CanaryAs(_)
                | Placeholder::IdentityCanary
                | Placeholder::Identity(_) => who.to_owned(),
                Placeholder::Sleep => sleep.unwrap_or_default().as_secs_f64().to_string(),
                Placeholder::User | Placeholder::Seq | Placeholder::Token | Placeholder::Capture(_) => "0".to_owned(),
                Placeholder::Workers => workers.unwrap_or(1).to_string(),
                Placeholder::Data(column) => column.clone(),
                Placeholder::Random(low, _) => low.to_string(),
                // A request holds none of these: the scenario was checked.
                Placeholder::Host
                | Placeholder::Port
                | Placeholder::Socket
                | Placeholder::Fd
                | Placeholder::Traceparent => String::new(),
            };
            out.extend_from_slice(text.as_bytes());
        },
        &mut target,
    );
    String::from_utf8_lossy(&target).into_owned()
}

/// One request for each handler: the script's, then those that come with runner and are not covered by it.
fn handlers(builtin: &Builtin) -> Vec<Example> {
    let mut examples = Vec::new();
    if let Some(script) = &builtin.script {
        let folder = script.path.parent().unwrap_or(Path::new(""));
        // It was compiled when the scenario was loaded; should the file have gone bad since, the server will say so.
        let program = Program::compile(&script.source, folder, Limits::default());
        let shown = script.path.display();
        for name in program.iter().flat_map(|program| program.functions()).filter(|name| *name != FALLBACK) {
            examples.push(Example::get(&format!("/{name}/"), &format!("fn {name} of {shown}")));
        }
    }
    examples.extend(COMES_WITH_RUNNER.map(|target| Example::get(target, "comes with runner")));
    examples
}
