//! `runner serve FILE`: only the server, for a browser or curl.

use super::arguments::Serve;
use super::logging::EventLog;
use super::{Exit, print, signals, system_context};
use crate::net::endpoint::Endpoint;
use crate::report::one_line;
use crate::run::environment;
use crate::run::serve::{self, Example, ServeError, ServeEvent};
use crate::scenario::{ListenSpec, Scenario, ServerSpec, Variant};

const STOPPING: &str = "stopping; once more to end at once";

/// A server that is told to end has done what it was to do: 0.
pub(super) fn serve(arguments: &Serve, log: &EventLog) -> Exit {
    let loaded = system_context::load_all(std::slice::from_ref(&arguments.file), &arguments.overrides.set);
    let Some([scenario]) = loaded.as_deref() else { return Exit::Invalid };
    log.telemetry().redaction().add(&scenario.secrets);
    let hide = |text: &str| scenario.secrets.hide(text).into_owned();
    let variant = match choose(scenario, arguments) {
        Ok(variant) => variant,
        Err((message, advice)) => {
            print::error(&format!("{}: {}", scenario.name, hide(&message)), Some(&hide(&advice)));
            return Exit::Invalid;
        }
    };
    let cancel = match signals::cancellation(STOPPING, |text| print::note(text)) {
        Ok(cancel) => cancel,
        Err(error) => {
            print::error(&format!("cannot watch for signals: {error}"), None);
            return Exit::CouldNotRun;
        }
    };
    environment::prepare();
    let show = |event: ServeEvent<'_>| match event {
        ServeEvent::Line(line) => print::note(one_line(&hide(line))),
        ServeEvent::Ready { server, endpoint, authority, examples } => {
            let origin = format!("{}://{authority}", variant.server.scheme());
            let listed = list(examples, endpoint, &origin);
            let head = format!("{server}, on {endpoint}{}\n", which(scenario, variant));
            print::out(&hide(&format!("{head}{listed}Ctrl-C ends it\n")));
        }
    };
    let ended = match serve::serve(variant, arguments.port, &arguments.allow_hosts, &show, &cancel) {
        Ok(()) => return Exit::Passed,
        Err(ended) => ended,
    };
    let message = format!("{}: {}", scenario.name, hide(&ended.to_string()));
    match &ended {
        ServeError::Interrupted => {
            print::error(&message, None);
            return Exit::Interrupted;
        }
        ServeError::NotStarted(error) => print::error(&message, Some(&hide(&error.advice))),
        ServeError::Died(_) => print::error(&message, Some("its last lines, if any, are above")),
    }
    Exit::CouldNotRun
}

/// The variant whose server is meant, if it has one that can be started; else what is wrong, and the remedy.
fn choose<'a>(scenario: &'a Scenario, arguments: &Serve) -> Result<&'a Variant, (String, String)> {
    let variant = match &arguments.variant {
        None => scenario.variants.first(),
        Some(name) => scenario.variants.iter().find(|variant| is_called(variant, name)),
    };
    let Some(variant) = variant else {
        let name = arguments.variant.as_deref().unwrap_or_default();
        let names: Vec<String> = scenario.variants.iter().map(|variant| format!("{:?}", variant.name)).collect();
        return Err((format!("no variant is called `{name}`"), format!("choose one of {}", names.join(", "))));
    };
    match &variant.server {
        ServerSpec::Attached(server) => {
            let address = format!("http://{}:{}", server.host, server.port);
            Err((
                format!("its server is up already, at {address}"),
                "open that address; `serve` is for `mode` and `command`".to_owned(),
            ))
        }
        ServerSpec::Command(command) if command.listen == ListenSpec::Unix && arguments.port.is_some() => Err((
            "its server listens on a Unix socket, not on a port".to_owned(),
            "leave `--port` out, or set listen = \"tcp\"".to_owned(),
        )),
        _ => Ok(variant),
    }
}

/// By its whole name (`server.mode=async load.sleep=10ms`), one setting of it, or one value.
fn is_called(variant: &Variant, name: &str) -> bool {
    variant.name == name
        || variant
            .name
            .split(' ')
            .any(|setting| setting == name || setting.split_once('=').is_some_and(|(_, value)| value == name))
}

/// Which of several servers it is.
fn which(scenario: &Scenario, variant: &Variant) -> String {
    let count = scenario.variants.len();
    let position = scenario.variants.iter().position(|other| other.name == variant.name).unwrap_or(0);
    match count {
        0 | 1 => String::new(),
        _ => format!("\n{}: variant {} of {count}; `--variant NAME` takes another", variant.name, position + 1),
    }
}

/// A line an example, with its address to click on; a Unix socket has none.
fn list(examples: &[Example], endpoint: &Endpoint, origin: &str) -> String {
    let address = |example: &Example| {
        let method = if example.method == "GET" { String::new() } else { format!("{} ", example.method) };
        match endpoint {
            Endpoint::Tcp(_) => format!("{method}{origin}{}", example.target),
            Endpoint::Unix(_) => format!("{method}{}", example.target),
        }
    };
    let rows: Vec<(String, &str)> = examples.iter().map(|example| (address(example), example.of.as_str())).collect();
    let width = rows.iter().map(|(address, _)| address.chars().count()).max().unwrap_or(0);
    rows.iter().map(|(address, of)| format!("  {address:width$}  {of}\n")).collect()
}
