//! `runner agent`, `runner agents`, and the generators of `runner run --on`.

use std::path::PathBuf;
use std::sync::Arc;

use tokio_util::sync::CancellationToken;

use super::arguments::fleet::{AgentArguments, AgentsArguments, OnFleet};
use super::logging::EventLog;
use super::merge::parts::PartFile;
use super::system_context::World;
use super::{Exit, print, signals};
use crate::fleet::{self, Agent, AgentInfo, AgentOptions, BusError, Coordinator, CoordinatorOptions, KeepPart};
use crate::output::write_whole;
use crate::run::environment;
use crate::run::generators::{self, Generators};
use crate::scenario::Scenario;
use crate::units::counted;

const ENDING: &str = "ending: what is under way is given back; once more to end at once";

pub(super) fn agent(arguments: &AgentArguments, log: &EventLog) -> Exit {
    let shown = log.style.clone();
    let Some(cancel) = signals::or_print(ENDING, move |text| shown.say(text)) else { return Exit::CouldNotRun };
    environment::prepare();
    let options = AgentOptions {
        nats: arguments.nats.options(),
        name: arguments.name.clone(),
        pool: arguments.pool.clone(),
        allowed_hosts: arguments.allow_hosts.clone(),
        allow_commands: arguments.allow_commands,
        once: arguments.once,
        system: Arc::new(World),
    };
    let agent = match Agent::connect(options, &cancel) {
        Ok(agent) => agent,
        Err(_) if cancel.is_cancelled() => return Exit::Interrupted,
        Err(error) => return complain(&error),
    };
    let AgentInfo { name, pool, cpus, .. } = agent.info();
    log.style.say(&format!("agent {name} of the pool {pool} is ready, {}", counted(u64::from(*cpus), "core")));
    agent.run(&cancel, &|text| log.style.say(text));
    if cancel.is_cancelled() { Exit::Interrupted } else { Exit::Passed }
}

pub(super) fn agents(arguments: &AgentsArguments) -> Exit {
    let found = match fleet::agents(&arguments.nats.options(), arguments.pool.as_deref()) {
        Ok(found) => found,
        Err(error) => return complain(&error),
    };
    if arguments.json {
        let lines: Vec<String> = found.iter().filter_map(|agent| serde_json::to_string(agent).ok()).collect();
        return print::out(&lines.iter().map(|line| format!("{line}\n")).collect::<String>());
    }
    if found.is_empty() {
        let help = "start one on each machine with `runner agent --nats URL`";
        print::error("no agent answers", Some(help));
        return Exit::CouldNotRun;
    }
    print::out(&table(&found))
}

fn table(agents: &[AgentInfo]) -> String {
    let mut table = comfy_table::Table::new();
    table.load_style(comfy_table::presets::NOTHING);
    table.set_header(["agent", "pool", "version", "machine", "allows", "doing"]);
    for agent in agents {
        let hosts = agent.allowed_hosts.iter().map(String::as_str);
        let allows: Vec<&str> = hosts.chain(agent.allow_commands.then_some("commands")).collect();
        table.add_row([
            agent.name.as_str(),
            &agent.pool,
            &agent.version,
            &agent.machine,
            &if allows.is_empty() { "its own machine".to_owned() } else { allows.join(", ") },
            agent.busy.as_deref().unwrap_or("nothing"),
        ]);
    }
    let lines = table.lines().map(|line| crate::report::one_line(line.trim_end()));
    lines.map(|line| line.trim_start_matches(' ').to_owned() + "\n").collect()
}

/// The agents that drive the loads of a scenario, if the call asks for any; or what to exit with, once it was said why not.
pub(super) fn generators(
    scenario: &Scenario,
    arguments: &OnFleet,
    allowed_hosts: &[String],
    (cancel, log): (&CancellationToken, &EventLog),
) -> Result<Option<Arc<dyn Generators>>, Exit> {
    let Some(url) = &arguments.on else { return Ok(None) };
    if let Some((message, advice)) = generators::refused(scenario) {
        print::error(&message, Some(advice));
        return Err(Exit::Invalid);
    }
    let options = CoordinatorOptions {
        nats: arguments.credentials.to(url),
        pool: arguments.pool.clone(),
        generators: arguments.generators,
        wait: arguments.wait,
        on_lost: arguments.on_lost.into(),
        allowed_hosts: allowed_hosts.to_vec(),
        keep_part: arguments.keep_parts.clone().map(|folder| keeper(folder, &scenario.name)),
    };
    let gathered = Coordinator::gather(scenario, options, cancel, &|text| log.style.say(text));
    let coordinator =
        gathered.map_err(|error| if cancel.is_cancelled() { Exit::Interrupted } else { complain(&error) })?;
    let names: Vec<&str> = coordinator.agents().iter().map(|agent| agent.name.as_str()).collect();
    log.style.say(&format!("{}: {}", counted(names.len() as u64, "generator"), names.join(", ")));
    Ok(Some(coordinator.into_generators()))
}

/// Says why something cannot be done over NATS.
pub(super) fn complain(error: &BusError) -> Exit {
    print::error(&error.message, Some(&error.advice).filter(|advice| !advice.is_empty()).map(String::as_str));
    if error.invalid { Exit::Invalid } else { Exit::CouldNotRun }
}

/// Writes what each generator measured into a folder.
fn keeper(folder: PathBuf, scenario: &str) -> KeepPart {
    let scenario = scenario.to_owned();
    KeepPart::new(move |load, generator, part| {
        let file = PartFile { generators: vec![generator.to_owned()], part: part.clone() };
        let name = folder.join(format!("{scenario}-{load}-{generator}.json"));
        let text = serde_json::to_vec(&file).map_err(std::io::Error::other);
        let written = std::fs::create_dir_all(&folder).and(text).and_then(|text| write_whole(&name, text));
        if let Err(error) = written {
            print::warning(
                &format!("cannot write {}: {error}", name.display()),
                Some("the report is whole without it"),
            );
        }
    })
}
