//! Arguments of more than one machine: how NATS is reached, generators, agents, and what is submitted.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueEnum};

use super::night::{ReportsFolder, ScenarioSelection};
use crate::fleet::{NatsOptions, OnLost, refuse_name};

/// The variable that says where NATS is.
const VARIABLE: &str = "NATS_URL";
/// Where it is if nothing says otherwise.
const LOCAL: &str = "nats://127.0.0.1:4222";

const AGENT_EXAMPLES: &str = "\
Examples:
  runner agent --nats nats://10.0.0.1:4222 --allow-host shop.internal
  runner agent --nats tls://nats.internal:4222 --creds agent.creds --pool nightly --allow-commands
  runner agent --once                                     the loads of one run or one night's blocks, then end: for batch systems

It drives its part of the loads of `runner run --on`, and runs what `runner submit` gave to its pool. It loads its own machine and
hosts that both it and the submitter allow, and nothing else; docs/fleet.md tells how to set up NATS.";

/// Who connects, and how.
#[derive(Debug, Clone, Default, Args)]
pub(in crate::cli) struct Credentials {
    /// A file with credentials, as `nsc generate creds` writes it; if not given, what NATS_CREDS says. User and password may stand in
    /// the URL, or in NATS_USER and NATS_PASSWORD
    #[arg(long, value_name = "FILE", help_heading = "NATS")]
    pub creds: Option<PathBuf>,

    /// A file (PEM) with the authorities that may sign the certificate of the NATS server, besides the system's
    #[arg(long, value_name = "FILE", help_heading = "NATS")]
    pub nats_ca: Option<PathBuf>,
}

impl Credentials {
    /// With the address of the server.
    pub fn to(&self, url: &str) -> NatsOptions {
        NatsOptions {
            url: url.to_owned(),
            credentials: self.creds.clone().or_else(|| variable("NATS_CREDS").map(PathBuf::from)),
            ca: self.nats_ca.clone(),
            login: variable("NATS_USER").zip(variable("NATS_PASSWORD")),
        }
    }
}

/// How NATS is reached.
#[derive(Debug, Clone, Default, Args)]
pub(in crate::cli) struct Nats {
    /// The NATS server, as in nats://10.0.0.1:4222 or tls://nats.internal:4222; if not given, what NATS_URL says, or this machine's
    #[arg(long = "nats", value_name = "URL", help_heading = "NATS")]
    pub url: Option<String>,

    #[command(flatten)]
    pub credentials: Credentials,
}

impl Nats {
    /// As options and the environment say.
    pub fn options(&self) -> NatsOptions {
        let url = self.url.clone().or_else(|| variable(VARIABLE)).unwrap_or_else(|| LOCAL.to_owned());
        self.credentials.to(&url)
    }
}

/// Which agents drive the loads of a run.
#[derive(Debug, Clone, Default, Args)]
pub(in crate::cli) struct OnFleet {
    /// Have agents drive each load together, over this NATS server, as in nats://10.0.0.1:4222; see docs/fleet.md
    #[arg(long, value_name = "URL", help_heading = "Several generators")]
    pub on: Option<String>,

    /// How many agents drive a load
    #[arg(long, value_name = "N", requires = "on", default_value_t = 2, value_parser = clap::value_parser!(u32).range(1..=1000), help_heading = "Several generators")]
    pub generators: u32,

    /// Only agents of this pool
    #[arg(long, value_name = "NAME", requires = "on", value_parser = name, help_heading = "Several generators")]
    pub pool: Option<String>,

    /// How long to wait for so many agents that are free: seconds, or with a unit
    #[arg(long, value_name = "TIME", requires = "on", default_value = "30s", value_parser = super::time, help_heading = "Several generators")]
    pub wait: Duration,

    /// What becomes of a load that loses a generator: `stop` ends it, inconclusive; `continue` goes on with those that are left
    #[arg(long, value_enum, value_name = "WHAT", requires = "on", default_value_t = OnLostArgument::Stop, help_heading = "Several generators")]
    pub on_lost: OnLostArgument,

    /// Write what each generator measured into this folder, a file for each load and generator; `runner merge` merges them
    #[arg(long, value_name = "DIR", requires = "on", help_heading = "Several generators")]
    pub keep_parts: Option<PathBuf>,

    #[command(flatten)]
    pub credentials: Credentials,
}

/// The value of `--on-lost`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub(in crate::cli) enum OnLostArgument {
    #[default]
    Stop,
    Continue,
}

impl From<OnLostArgument> for OnLost {
    fn from(argument: OnLostArgument) -> Self {
        match argument {
            OnLostArgument::Stop => OnLost::Stop,
            OnLostArgument::Continue => OnLost::Continue,
        }
    }
}

/// `runner agent`
#[derive(Debug, Args)]
#[command(after_help = AGENT_EXAMPLES)]
pub(in crate::cli) struct AgentArguments {
    #[command(flatten)]
    pub nats: Nats,

    /// What people call this agent; the name of its machine if not given
    #[arg(long, value_name = "NAME", value_parser = name)]
    pub name: Option<String>,

    /// Work for those who ask this pool
    #[arg(long, value_name = "NAME", default_value = "default", value_parser = name)]
    pub pool: String,

    /// Allow load on a host that is not this machine, if the submitter allows it too; may be repeated
    #[arg(long = "allow-host", value_name = "HOST")]
    pub allow_hosts: Vec<String>,

    /// Start servers by the command lines of scenarios: whoever may submit then runs programs on this machine, as this user
    #[arg(long)]
    pub allow_commands: bool,

    /// End after the loads of one run, or once its pool has no more blocks
    #[arg(long)]
    pub once: bool,
}

/// `runner agents`
#[derive(Debug, Args)]
pub(in crate::cli) struct AgentsArguments {
    #[command(flatten)]
    pub nats: Nats,

    /// Only agents of this pool
    #[arg(long, value_name = "NAME", value_parser = name)]
    pub pool: Option<String>,

    /// Print them as JSON, one a line
    #[arg(long)]
    pub json: bool,
}

const SUBMIT_EXAMPLES: &str = "\
Examples:
  runner submit scenarios/ --on nats://10.0.0.1:4222 --pool nightly         prints the number of the run
  runner wait 5e0c1d2a9b44 --on nats://10.0.0.1:4222 --reports reports      one folder of reports of all agents
  runner submit scenarios/ --on nats://10.0.0.1:4222 --and-wait             both in one

An agent takes a round of a scenario at a time, over all its variants: what is compared is measured on one machine.";

/// `runner submit`
#[derive(Debug, Args)]
#[command(after_help = SUBMIT_EXAMPLES)]
pub(in crate::cli) struct SubmitArguments {
    /// Scenario files (TOML), folders of them, or patterns in quotes; the folder or project that they are in is sent with them
    #[arg(required = true, value_name = "FILE")]
    pub files: Vec<PathBuf>,

    #[command(flatten)]
    pub overrides: super::Overrides,

    #[command(flatten)]
    pub selection: ScenarioSelection,

    /// The NATS server, as in nats://10.0.0.1:4222 or tls://nats.internal:4222
    #[arg(long, value_name = "URL")]
    pub on: String,

    /// Whose agents work on them
    #[arg(long, value_name = "NAME", default_value = "default", value_parser = name)]
    pub pool: String,

    /// Allow load on a host that is not the agent's machine, if the agent allows it too; may be repeated
    #[arg(long = "allow-host", value_name = "HOST")]
    pub allow_hosts: Vec<String>,

    /// Wait for the results, as `runner wait` does
    #[arg(long)]
    pub and_wait: bool,

    #[command(flatten)]
    pub reports: ReportsFolder,

    /// With --and-wait: serve a page on this machine that shows how far it is, on this port or a free one
    #[arg(long, value_name = "PORT", num_args = 0..=1, default_missing_value = "0", require_equals = true, requires = "and_wait")]
    pub live: Option<u16>,

    /// With --and-wait: print the records, one line of JSON per scenario, and nothing else to standard output
    #[arg(long, requires = "and_wait")]
    pub json: bool,

    #[command(flatten)]
    pub credentials: Credentials,
}

/// `runner wait`
#[derive(Debug, Args)]
pub(in crate::cli) struct WaitArguments {
    /// The run, as `runner submit` has printed it
    #[arg(value_name = "RUN", value_parser = name)]
    pub run: String,

    /// The NATS server, as in nats://10.0.0.1:4222 or tls://nats.internal:4222
    #[arg(long, value_name = "URL")]
    pub on: String,

    #[command(flatten)]
    pub reports: ReportsFolder,

    /// Serve a page on this machine that shows how far it is, on this port or a free one
    #[arg(long, value_name = "PORT", num_args = 0..=1, default_missing_value = "0", require_equals = true)]
    pub live: Option<u16>,

    /// Print the records, one line of JSON per scenario, and nothing else to standard output
    #[arg(long)]
    pub json: bool,

    #[command(flatten)]
    pub credentials: Credentials,
}

/// What the environment says. An empty variable is one that is not set.
fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

/// A name of a pool or an agent, which is part of a subject.
fn name(text: &str) -> Result<String, String> {
    match refuse_name(text) {
        Some(why) => Err(why),
        None => Ok(text.to_owned()),
    }
}
