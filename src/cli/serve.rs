//! `runner serve FILE`: only the server, for a browser or curl.

use super::arguments::Serve;
use super::logging::EventLog;
use super::{Exit, print, signals, system_context};
use crate::net::endpoint::Endpoint;
use crate::report::one_line;
use crate::run::environment;
use crate::run::panes::{self, PanesError};
use crate::run::serve::{self, Example, ServeError, ServeEvent};
use crate::scenario::{ListenSpec, Scenario, ServerSpec, Variant};

const STOPPING: &str = "stopping; once more to end at once";

/// A server that is told to end has done what it was to do: 0.
pub(super) fn serve(arguments: &Serve, log: &EventLog) -> Exit {
    let loaded = system_context::load_all(std::slice::from_ref(&arguments.file), &arguments.overrides.set);
    let Some([scenario]) = loaded.as_deref() else { return Exit::Invalid };
    log.telemetry().redaction().add(&scenario.secrets);
    let hide = |text: &str| scenario.secrets.hide(text).into_owned();
    if arguments.side_by_side {
        return side_by_side(scenario, arguments);
    }
    let variant = match choose(scenario, arguments.variant.as_deref(), arguments.port) {
        Ok(variant) => variant,
        Err(why) => return refuse(scenario, &why),
    };
    let Some(cancel) = signals::or_print(STOPPING, |text| print::note(text)) else { return Exit::CouldNotRun };
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

/// Says why no server is started.
fn refuse(scenario: &Scenario, (message, advice): &(String, String)) -> Exit {
    let hide = |text: &str| scenario.secrets.hide(text).into_owned();
    print::error(&format!("{}: {}", scenario.name, hide(message)), Some(&hide(advice)));
    Exit::Invalid
}

/// Two servers and a page that drives both.
fn side_by_side(scenario: &Scenario, arguments: &Serve) -> Exit {
    let hide = |text: &str| scenario.secrets.hide(text).into_owned();
    let variants = match two(scenario, arguments) {
        Ok(variants) => variants,
        Err(why) => return refuse(scenario, &why),
    };
    let Some(cancel) = signals::or_print(STOPPING, |text| print::note(text)) else { return Exit::CouldNotRun };
    environment::prepare();
    let ready = |address: &str| {
        let names = variants.map(|variant| variant.name.as_str()).join(" beside ");
        print::out(&hide(&format!("{names}\n  {address}\nopen it in a browser\nCtrl-C ends it\n")));
    };
    let ended = match panes::panes(variants, arguments.port.unwrap_or(0), &arguments.allow_hosts, &ready, &cancel) {
        Ok(()) => return Exit::Passed,
        Err(ended) => ended,
    };
    let advice = match &ended {
        PanesError::NotStarted(_, error) => Some(hide(&error.advice)),
        PanesError::NoPage(_) => Some("take a free port with `--port 0`".to_owned()),
        PanesError::Died(..) => Some("`runner serve` with one of them shows what it says".to_owned()),
        PanesError::Interrupted => None,
    };
    print::error(&format!("{}: {}", scenario.name, hide(&ended.to_string())), advice.as_deref());
    if matches!(ended, PanesError::Interrupted) { Exit::Interrupted } else { Exit::CouldNotRun }
}

/// The variants of the two panes, which ask for something.
fn two<'a>(scenario: &'a Scenario, arguments: &Serve) -> Result<[&'a Variant; 2], (String, String)> {
    let left = choose(scenario, arguments.variant.as_deref(), None)?;
    let right = match &arguments.beside {
        Some(name) => choose(scenario, Some(name), None)?,
        None => {
            let others = || scenario.variants.iter().filter(|other| other.name != left.name);
            // Of many variants one that differs in its server.
            let server = |variant: &Variant| format!("{:?}", variant.server);
            let other = others().find(|other| server(other) != server(left)).or_else(|| others().next());
            other.ok_or_else(|| {
                let help = "give it a [matrix], as in \"server.mode\" = [\"sync\", \"async\"]";
                ("there is one server only, and two panes need two".to_owned(), help.to_owned())
            })?
        }
    };
    match [left, right].into_iter().find(|variant| variant.dirty.is_none() && variant.load.is_none()) {
        Some(variant) => Err((format!("`{}` asks for nothing", variant.name), "add [dirty] or [load]".to_owned())),
        None => Ok([left, right]),
    }
}

/// The variant whose server is meant, if it has one that can be started; else what is wrong, and the remedy.
fn choose<'a>(
    scenario: &'a Scenario,
    called: Option<&str>,
    port: Option<u16>,
) -> Result<&'a Variant, (String, String)> {
    let variant = match called {
        None => scenario.variants.first(),
        Some(name) => scenario.variants.iter().find(|variant| is_called(variant, name)),
    };
    let Some(variant) = variant else {
        let name = called.unwrap_or_default();
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
        ServerSpec::Command(command) if command.listen == ListenSpec::Unix && port.is_some() => Err((
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
