//! A scenario as meant: types that cannot hold nonsense. [`load`] makes it from a scenario as written.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use regex::bytes::Regex;

use crate::canary::CanaryShape;
use crate::rule::{Rule, Unit};
use crate::script;
use crate::trigger::Trigger;

mod attached;
pub mod capacity;
pub mod command_line;
pub mod data;
mod decode;
mod environment;
pub mod file;
pub mod import;
mod inspect;
mod layers;
pub mod login;
mod matrix;
mod overrides;
mod problem;
pub mod project;
mod protocol;
pub mod recorded;
pub mod request;
mod resolve;
pub mod sample;
pub mod schema;
mod secrets;
mod sensitive;
mod server;
mod source;
mod suggest;
pub mod sweep;
pub mod template;
mod toml_tree;
pub mod variation;
mod warnings;

pub use attached::{Address, AttachedSpec, Pid, TlsFiles, TlsSpec, authority, without_zone};
pub use capacity::CapacitySpec;
pub use data::Data;
pub use file::{Expect, OnDisconnect, RegressionPolicy, Spacing};
pub use inspect::InspectSpec;
pub use layers::included_files;
pub use login::{CaptureSpec, LoginSpec, LoginStep};
pub use problem::{Problem, Problems};
pub use project::{PROJECT_FILE, Project, ProjectPath};
pub use protocol::{Protocol, Version};
pub use request::RequestSpec;
pub use secrets::Secrets;
pub use sensitive::looks_secret;
pub use server::{Builtin, CommandSpec, ListenSpec, ReadyCheck, ReadySpec, ServerSpec, StopSpec};
pub use sweep::{SweepOperation, SweepSource, SweepSpec};
pub use template::Template;
pub use warnings::warnings;

/// The largest seed: the largest whole number that every reader of JSON keeps as it is.
pub const LARGEST_SEED: u64 = (1 << 53) - 1;

/// A whole valid scenario file.
#[derive(Debug, Clone)]
pub struct Scenario {
    /// The file's stem unless the file says otherwise. Safe as a folder's name.
    pub name: String,
    pub about: Option<String>,
    /// The file, as it was named on the command line.
    pub file: PathBuf,
    /// What it includes, and the project's file, as far as they are part of it.
    pub layers: Vec<PathBuf>,
    /// What its project says to those who run it.
    pub project: Project,
    /// Words by which it is picked, its own and those of its project.
    pub tags: Vec<String>,
    /// What becomes of a night in which a figure got worse for good.
    pub regression: RegressionPolicy,
    /// What `--set` gave, as typed.
    pub overrides: Vec<String>,
    /// For everything drawn by chance; drawn itself if the file does not give it.
    pub seed: Option<u64>,
    /// One per combination of the matrix, in the order of the file; at least one.
    pub variants: Vec<Variant>,
    /// How many trials each variant gets; at least one.
    pub repeats: u32,
    /// A search for the value of a key at which the better alternative changes.
    pub crossover: Option<CrossoverSpec>,
    /// The scenario with every override and environment variable filled in, as TOML. `${NAME}` stands for each secret, also
    /// for one that the file itself holds.
    pub effective: String,
    /// The values for which names stand in `effective`: nobody is to be shown them.
    pub secrets: Secrets,
    /// What is valid, and perhaps not meant; there may be none.
    pub warnings: Problems,
}

/// One combination of a scenario's matrix.
#[derive(Debug, Clone)]
pub struct Variant {
    /// `server.mode=async load.sleep=10ms`; the scenario's name where there is no matrix.
    pub name: String,
    /// What the matrix set, key path and value as written.
    pub settings: Vec<(String, serde_json::Value)>,
    pub server: ServerSpec,
    pub load: Option<LoadSpec>,
    /// Only next to a load, whose requests it sends.
    pub capacity: Option<CapacitySpec>,
    pub dirty: Option<DirtySpec>,
    pub inspect: Option<InspectSpec>,
    /// The rules that apply to this variant.
    pub rules: Vec<Rule>,
    /// Rules that end the load early.
    pub abort_when: Vec<Rule>,
    /// A script whose `verdict` adds verdicts of its own.
    pub verdicts: Option<ScriptSpec>,
}

/// A search between the values that the matrix gives a key.
#[derive(Debug, Clone)]
pub struct CrossoverSpec {
    /// The key's path, as the matrix has it.
    pub key: String,
    pub unit: Unit,
    /// How long the search may take.
    pub time: Duration,
    /// How long each of its trials measures, at least.
    pub duration: Duration,
    /// What the key may be, in its base unit, in ascending order: the values of the matrix, and many between each two.
    pub values: Vec<f64>,
    /// Each combination of what else the matrix sets, with a variant for each of `values`. They have no rules.
    pub alternatives: Vec<Vec<Variant>>,
    /// Of each variant of the scenario, which of `alternatives` it is.
    pub of_variant: Vec<usize>,
}

/// A script, read and compiled once when the scenario was loaded, so that it is known to be valid.
#[derive(Debug, Clone)]
pub struct ScriptSpec {
    /// As found from the scenario's folder.
    pub path: PathBuf,
    pub source: String,
}

/// The load to drive.
#[derive(Debug, Clone)]
pub struct LoadSpec {
    /// What is sent, drawn by weight; at least one.
    pub kinds: Vec<WeightedRequest>,
    /// Fills `{sleep}`.
    pub sleep: Option<Duration>,
    pub model: Model,
    /// The rates or numbers of users, one after another; at least one.
    pub levels: Vec<Level>,
    /// How long the measured part lasts; where `requests` ends it, at most.
    pub duration: Duration,
    /// The measured part ends with this many requests; above zero.
    pub requests: Option<u64>,
    /// How long a user of the closed model thinks after each response.
    pub pause: Duration,
    /// Load before the measured part, left out of every figure.
    pub warmup: Duration,
    /// A request without a whole response for this long has failed.
    pub timeout: Duration,
    /// How long unanswered requests may still finish after `duration`.
    pub drain: Duration,
    pub protocol: Protocol,
    /// Where connections come from, in turn; the kernel says if there are none.
    pub source_addresses: Vec<IpAddr>,
    /// Load threads; chosen by runner if not given.
    pub threads: Option<u32>,
    /// Hooks: what each user sends, and what counts as a right response.
    pub script: Option<ScriptSpec>,
    /// A row a user, for `{data.column}` and for the hooks.
    pub data: Option<Arc<Data>>,
    /// What each user sends before the load begins.
    pub login: Option<LoginSpec>,
}

impl LoadSpec {
    /// The highest rate, or the most users.
    pub fn peak(&self) -> f64 {
        self.levels.iter().fold(0.0, |most, level| most.max(level.from).max(level.to))
    }

    /// The most users, and so the most requests in flight.
    pub fn users(&self) -> u32 {
        match self.model {
            Model::Closed => self.peak().ceil() as u32,
            Model::Open { max_concurrency, .. } => max_concurrency,
        }
    }

    /// The most connections, if the server takes as many requests on each as it is to carry.
    pub fn connections(&self) -> u32 {
        self.users().div_ceil(self.protocol.streams())
    }
}

/// Who sends when.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Model {
    /// Users who each wait for their response before they ask again; levels are how many.
    Closed,
    /// Requests that come whether or not earlier ones were answered; levels are how many a second.
    Open { spacing: Spacing, max_concurrency: u32 },
}

/// A stage of a load: its level goes from one value to the other in a straight line.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Level {
    pub from: f64,
    pub to: f64,
    pub lasting: Duration,
}

/// One of the requests of a load.
#[derive(Debug, Clone)]
pub struct WeightedRequest {
    /// Unique within its load.
    pub name: String,
    /// Its share is this of the sum of all; above zero.
    pub weight: u32,
    pub request: RequestSpec,
}

/// The dirty check to run.
#[derive(Debug, Clone)]
pub struct DirtySpec {
    /// Without a login, at least one part holds `{canary}` or `{identity.field}`.
    pub request: RequestSpec,
    /// Other pages for the same who ask: GETs with its headers and cookies.
    pub also: Vec<RequestSpec>,
    /// In place of one page a whole application. `request` and `also` are then the requests of its operations, in their
    /// order; where these are not known yet, `request` is what is asked to know them.
    pub sweep: Option<SweepSpec>,
    /// What fills `{identity.field}`: none, or at least two that differ, with the same fields each.
    pub identities: Vec<BTreeMap<String, String>>,
    /// The field of identities whose equals may see each other's data.
    pub group: Option<String>,
    pub login: Option<LoginSpec>,
    /// How many redirects are followed.
    pub follow: u32,
    pub shape: CanaryShape,
    /// What responses may share: text that one of these matches accuses nobody.
    pub public: Vec<Regex>,
    /// What to try, in the order of [`Trigger::ALL`]; at least one.
    pub triggers: Vec<Trigger>,
    /// What fills `{sleep}`: the long request's and the short ones'.
    pub sleep: Option<Sleeps>,
    pub expect: Expect,
    pub budget: Budget,
    pub timeout: Duration,
    pub version: Version,
    /// For how long a response of unknown length is read; event streams for half a second, others to their end, if there
    /// is nothing.
    pub stream: Option<Duration>,
    /// Whether leaks are looked for in the server's code; `None` where it is not said: then wherever there is a probe.
    pub locate: Option<bool>,
}

/// How long the handlers of a dirty check are asked to sleep.
#[derive(Debug, Clone, Copy)]
pub struct Sleeps {
    pub long: Duration,
    pub short: Duration,
}

/// When a dirty check ends: at a proof, or when it has enough exposures, or when its time is up.
#[derive(Debug, Clone, Copy)]
pub struct Budget {
    /// Enough exposures without a leak; from `exposures` or `bound`.
    pub exposures: u64,
    pub time: Duration,
    /// How long all starts of the server may take, which do not count as time of the check.
    pub start_time: Duration,
    /// Whether to go on after a proof.
    pub exhaustive: bool,
}

/// What loading a scenario needs of the world outside it.
pub trait SystemContext {
    /// Reads a text file.
    fn read(&self, path: &Path) -> std::io::Result<String>;
    /// The same without the byte order mark, which some editors put before a text and which is no part of it.
    fn text(&self, path: &Path) -> std::io::Result<String> {
        self.read(path).map(script::without_mark)
    }
    /// The value of an environment variable.
    fn variable(&self, name: &str) -> Option<String>;
    /// The nearest project file in the scenario's folder or above it.
    fn project(&self, _scenario: &Path) -> Option<ProjectPath> {
        None
    }
}

/// Compiles a script's source; the path is the folder of its imports.
pub type Compile<'a> = &'a dyn Fn(&str, &Path) -> Result<(), script::ScriptError>;

/// Reads a scenario file, applies `overrides` (`key.path=value`) and the matrix, and reports every problem at once.
pub fn load(file: &Path, overrides: &[String], system: &dyn SystemContext) -> Result<Scenario, Problems> {
    load_with(file, overrides, system, &compile)
}

fn compile(source: &str, folder: &Path) -> Result<(), script::ScriptError> {
    script::Program::compile(source, folder, script::Limits::default()).map(drop)
}

/// As [`load`], with the scripts compiled by somebody else.
pub fn load_with(
    file: &Path,
    overrides: &[String],
    system: &dyn SystemContext,
    compile: Compile<'_>,
) -> Result<Scenario, Problems> {
    resolve::load(file, overrides, system, compile)
}

#[cfg(test)]
pub(crate) mod tests;
