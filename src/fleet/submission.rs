//! `runner submit`: scenarios become blocks that agents take.

use std::path::{Path, PathBuf};

use super::block_ledger::{Block, BlockLedger, Manifest};
use super::bundle::{Bundle, root_of};
use super::bus::{Bus, BusError, NatsOptions};
use super::coordinator::{connect, discover, keep, refuse_literals};
use super::message::AgentInfo;
use super::store;
use super::subjects::{PROTOCOL, block as block_subject, drawn_id};
use crate::run::{drawn_seed, now, plan};
use crate::scenario::Scenario;
use crate::units::counted;

/// How scenarios are submitted.
#[derive(Debug, Clone)]
pub struct SubmitOptions {
    pub nats: NatsOptions,
    /// Whose agents work on them.
    pub pool: String,
    /// What `--set` gave.
    pub overrides: Vec<String>,
    /// Hosts that may be loaded, apart from the agents' own machines.
    pub allowed_hosts: Vec<String>,
}

/// What was submitted.
#[derive(Debug, Clone, PartialEq)]
pub struct Submitted {
    /// By which it is waited for.
    pub run: String,
    pub blocks: usize,
    /// How long all blocks take one after the other, in seconds, as planned.
    pub expected_s: f64,
    /// Agents of the pool that are there now.
    pub agents: usize,
}

/// Sends scenarios with their files, and queues a block for each round of each. Nothing is queued unless all of it can be.
pub fn submit(scenarios: &[Scenario], options: &SubmitOptions) -> Result<Submitted, BusError> {
    scenarios.iter().try_for_each(refuse_literals)?;
    let root = common_root(scenarios);
    let bundle = Bundle::of(&root)?;
    let mut blocks = Vec::new();
    for scenario in scenarios {
        let file = bundle.place_of(&scenario.file)?;
        blocks.extend(blocks_of(scenario, &file));
    }
    let bus = connect(&options.nats)?;
    let agents = discover(&bus, Some(&options.pool))?;
    refuse_unfit(&agents, &blocks, options)?;
    store::create(&bus)?;
    keep(&bus, &bundle)?;
    let run = drawn_id();
    let manifest = Manifest {
        run: run.clone(),
        protocol: PROTOCOL,
        pool: options.pool.clone(),
        submitted: now(),
        bundle: bundle.digest,
        overrides: options.overrides.clone(),
        allowed_hosts: options.allowed_hosts.clone(),
        seed: drawn_seed(),
        blocks,
    };
    BlockLedger::open(&bus, &run)?.submit(&manifest)?;
    queue(&bus, &manifest, 0..manifest.blocks.len() as u32)?;
    let expected_s = manifest.blocks.iter().map(|block| block.expected_s).sum();
    Ok(Submitted { run, blocks: manifest.blocks.len(), expected_s, agents: agents.len() })
}

/// Queues blocks; one that is queued twice is done once.
pub(super) fn queue(bus: &Bus, manifest: &Manifest, blocks: impl Iterator<Item = u32>) -> Result<(), BusError> {
    let message = |block: u32| (block_subject(&manifest.pool, &manifest.run, block), Vec::new());
    store::publish_all(bus, blocks.map(message).collect())
}

/// A block for each round, or one where a run cannot be cut.
fn blocks_of(scenario: &Scenario, file: &str) -> Vec<Block> {
    let rounds = plan::rounds(scenario);
    let expected_s = plan::expected_time(scenario).as_secs_f64() / f64::from(rounds.max(1));
    let block = |round: Option<u32>| Block {
        scenario: scenario.name.clone(),
        file: file.to_owned(),
        named: scenario.file.display().to_string(),
        round,
        commands: scenario.starts_commands(),
        expected_s,
    };
    match rounds {
        0 | 1 => vec![block(None)],
        rounds => (0..rounds).map(|round| block(Some(round))).collect(),
    }
}

/// The folder that holds all that the scenarios need.
fn common_root(scenarios: &[Scenario]) -> PathBuf {
    let mut roots = scenarios.iter().map(|scenario| root_of(&scenario.file));
    let first = roots.next().unwrap_or_default();
    roots.fold(first, |common, root| {
        common.ancestors().find(|folder| root.starts_with(folder)).map_or_else(|| PathBuf::from("/"), Path::to_owned)
    })
}

/// Where agents are there, but none that may do it, nobody would ever take it.
fn refuse_unfit(agents: &[AgentInfo], blocks: &[Block], options: &SubmitOptions) -> Result<(), BusError> {
    if agents.is_empty() {
        return Ok(());
    }
    let there = counted(agents.len() as u64, "agent");
    if agents.iter().all(|agent| agent.protocol != PROTOCOL) {
        let message = format!("{there} of the pool {} speak another version of the protocol", options.pool);
        return Err(BusError::invalid(message, "install the same version of runner everywhere"));
    }
    if let Some(block) = blocks.iter().find(|block| block.commands)
        && !agents.iter().any(|agent| agent.allow_commands)
    {
        let message = format!(
            "{} starts a server by a command line, and no agent of the pool {} does that",
            block.scenario, options.pool
        );
        return Err(BusError::invalid(
            message,
            "start agents with --allow-commands where that is wanted: they run what scenarios say",
        ));
    }
    if let Some(host) =
        options.allowed_hosts.iter().find(|host| !agents.iter().any(|agent| agent.allowed_hosts.contains(host)))
    {
        let message = format!("no agent of the pool {} may load {host}", options.pool);
        return Err(BusError::invalid(
            message,
            format!("start agents with --allow-host {host}: both sides have to allow a host"),
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn agent(allow_commands: bool, hosts: &[&str]) -> AgentInfo {
        AgentInfo {
            id: "a".to_owned(),
            name: "a".to_owned(),
            pool: "default".to_owned(),
            version: String::new(),
            protocol: PROTOCOL,
            machine: String::new(),
            cpus: 1,
            place: String::new(),
            busy: None,
            allowed_hosts: hosts.iter().map(|host| (*host).to_owned()).collect(),
            allow_commands,
        }
    }

    #[test]
    fn what_no_agent_may_do_is_refused_before_it_is_queued() {
        let nats = NatsOptions { url: String::new(), credentials: None, ca: None, login: None };
        let options = |hosts: &[&str]| SubmitOptions {
            nats: nats.clone(),
            pool: "default".to_owned(),
            overrides: Vec::new(),
            allowed_hosts: hosts.iter().map(|host| (*host).to_owned()).collect(),
        };
        let block = |commands| Block {
            scenario: "shop".to_owned(),
            file: String::new(),
            named: String::new(),
            round: None,
            commands,
            expected_s: 1.0,
        };
        let told = |agents: &[AgentInfo], commands, hosts: &[&str]| {
            refuse_unfit(agents, &[block(commands)], &options(hosts)).map_err(|error| error.message)
        };
        assert!(told(&[], true, &["shop.internal"]).is_ok(), "agents may come later");
        assert!(told(&[agent(false, &[])], true, &[]).unwrap_err().contains("no agent of the pool default does that"));
        assert!(told(&[agent(false, &[]), agent(true, &[])], true, &[]).is_ok());
        assert!(told(&[agent(true, &[])], false, &["shop.internal"]).unwrap_err().contains("may load shop.internal"));
        assert!(told(&[agent(true, &["shop.internal"])], false, &["shop.internal"]).is_ok());
        let other = AgentInfo { protocol: PROTOCOL + 1, ..agent(true, &[]) };
        assert!(told(&[other], false, &[]).is_err());
    }
}
