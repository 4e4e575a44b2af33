//! From the file as written to the scenario as meant: the whole story of a load, every problem of it at once.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use toml::de::DeTable;

use super::decode::{self, InvalidPaths};
use super::file::values::{Located, Timespan};
use super::matrix::{Choice, Matrix};
use super::problem::{Problem, Problems, why};
use super::secrets::Secrets;
use super::source::Span;
use super::{Compile, Scenario, ScriptSpec, SystemContext, Variant, environment, matrix, overrides};

mod address;
mod capacity;
mod crossover;
mod data;
mod dirty;
mod identity;
mod inspect;
mod layers;
mod load;
mod login;
mod model;
mod placeholders;
mod protocol;
mod request;
mod rules;
mod script;
mod server;
mod sources;
mod sweep;
mod top;

/// What every step of a load needs: the world, and where problems go.
struct Loading<'a> {
    problems: Problems,
    /// What is valid, and perhaps not meant.
    warnings: Vec<Problem>,
    spoilt: InvalidPaths,
    /// Texts that stand for numbers which a report does not show.
    numbers: environment::Numbers,
    /// What problems must not show.
    secrets: Secrets,
    system: &'a dyn SystemContext,
    compile: Compile<'a>,
    /// The folder of the scenario's file.
    folder: PathBuf,
    /// The name of that file.
    file_name: String,
    /// Scripts by their path; `None` for one that is wrong, said once.
    scripts: HashMap<PathBuf, Option<ScriptSpec>>,
    /// Those of them that have hooks, likewise.
    hook_scripts: HashMap<PathBuf, Option<script::HookScript>>,
    /// Data files by their path; what is wrong in one is said once.
    data_files: HashMap<PathBuf, data::Given>,
    /// Key paths that the matrix gives in turn.
    varied: Vec<String>,
    /// Each `threads` of a server, and whether the mode of any variant has threads.
    threads: Vec<(Span, bool)>,
    /// Each `when` of a rule, and whether any variant meets it.
    conditions: Vec<(Span, bool)>,
}

pub(super) fn load(
    path: &Path,
    given: &[String],
    system: &dyn SystemContext,
    compile: Compile<'_>,
) -> Result<Scenario, Problems> {
    let mut loading = Loading {
        problems: Problems::default(),
        warnings: Vec::new(),
        spoilt: InvalidPaths::default(),
        numbers: environment::Numbers::default(),
        secrets: Secrets::default(),
        system,
        compile,
        folder: path.parent().unwrap_or(Path::new("")).to_path_buf(),
        file_name: path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned(),
        scripts: HashMap::new(),
        hook_scripts: HashMap::new(),
        data_files: HashMap::new(),
        varied: Vec::new(),
        threads: Vec::new(),
        conditions: Vec::new(),
    };
    let scenario = loading.scenario(path, given);
    loading.problems.sort();
    match scenario {
        Some(scenario) if loading.problems.count() == 0 => {
            loading.warnings.into_iter().for_each(|warning| loading.problems.add(warning));
            loading.problems.sort();
            Ok(Scenario { warnings: loading.problems.without(&loading.secrets), ..scenario })
        }
        _ => Err(loading.problems.without(&loading.secrets)),
    }
}

/// What to do about a scenario that cannot be read.
fn readable(error: &std::io::Error) -> &'static str {
    match error.kind() {
        std::io::ErrorKind::InvalidData => "write it in UTF-8, as TOML is: `iconv -t UTF-8` converts a text",
        std::io::ErrorKind::IsADirectory => "name a scenario file in it, as in scenarios/dirty.toml",
        std::io::ErrorKind::PermissionDenied => "let yourself read it: `ls -l` shows who may",
        _ => "name a scenario file, or make one with `runner new NAME`",
    }
}

impl Loading<'_> {
    fn scenario(&mut self, path: &Path, given: &[String]) -> Option<Scenario> {
        let source = self.read_file(path)?;
        let overrides = overrides::read(given, &mut self.problems);
        let own = self.parse(&source)?;
        let layers = self.layers(path, &own);
        let mut tree = self.on_layers(own, &layers);
        matrix::flatten(&mut tree, &mut self.problems);
        overrides::apply(&mut tree, &overrides, &mut self.problems);
        let unfilled = tree.clone();
        self.secrets =
            environment::fill(&mut tree, self.system, &mut self.problems, &mut self.spoilt, &mut self.numbers);
        let effective = environment::effective(unfilled, &mut self.secrets, self.system);
        let matrix = matrix::take(&mut tree, &mut self.problems, &mut self.spoilt);
        self.varied = matrix.axes.iter().map(|axis| axis.key.clone()).collect();
        let written = decode::read(&mut tree, &mut self.problems, &mut self.spoilt);

        let name = self.name(&written, path);
        let tags = self.tags(&written, &layers);
        self.check_top(&written, &matrix);
        let variants = matrix.choices().map(|choice| self.variant(&tree, &matrix, &choice, &name)).collect::<Vec<_>>();
        self.check_conditions();
        let crossover = written.crossover.as_ref().and_then(|search| {
            self.no_capacity(search, written.capacity.as_ref().map(|capacity| &capacity.span));
            self.crossover(search, &tree, &matrix)
        });
        self.check_threads();
        Some(Scenario {
            name,
            about: written.about.map(|about| about.value),
            file: path.to_path_buf(),
            layers: layers.iter().map(|layer| layer.path.clone()).collect(),
            project: layers.iter().find_map(|layer| layer.project.clone()).unwrap_or_default(),
            tags,
            regression: value(&written.regression).unwrap_or_default(),
            overrides: overrides::shown(given, &self.secrets),
            seed: written.seed.map(|seed| seed.value),
            variants: variants.into_iter().collect::<Option<_>>()?,
            repeats: matrix.repeats,
            crossover,
            effective,
            secrets: self.secrets.clone(),
            warnings: Problems::default(),
        })
    }

    fn read_file(&mut self, path: &Path) -> Option<String> {
        match self.system.text(path) {
            Ok(source) => {
                self.problems.sources.add(path.to_string_lossy(), source.as_str());
                Some(source)
            }
            Err(error) => {
                let problem = Problem::new(format!("cannot read `{}`: {}", path.display(), why(&error)));
                self.problems.add(problem.help(readable(&error)));
                None
            }
        }
    }

    fn parse<'s>(&mut self, source: &'s str) -> Option<DeTable<'s>> {
        let (tree, errors) = DeTable::parse_recoverable(source);
        // One slip makes many errors; the first in the file is the slip.
        let first = errors.into_iter().min_by_key(|error| error.span().map_or(0, |span| span.start));
        let Some(error) = first else { return Some(tree.into_inner()) };
        let span = error.span().unwrap_or(0..0);
        let problem = Problem::new("not valid TOML").at(&span, error.message());
        self.problems.add(problem.help(syntax_help(error.message())));
        None
    }

    /// One combination of the matrix; `None` after a problem.
    fn variant(&mut self, tree: &DeTable<'_>, matrix: &Matrix<'_>, choice: &Choice, scenario: &str) -> Option<Variant> {
        let mut tree = matrix.apply(tree, choice, &mut self.problems, &self.spoilt);
        // What a value of this variant spoils is no excuse for what is missing from the others.
        let before = self.spoilt.clone();
        let written = decode::read(&mut tree, &mut self.problems, &mut self.spoilt);
        let settings = matrix.settings(choice);
        let server = written.server.as_ref().and_then(|server| self.server(server));
        let workers_known = !matches!(server, Some(super::ServerSpec::Attached(_)));
        let load = written.load.as_ref().map(|load| self.load(load, workers_known));
        let dirty = written.dirty.as_ref().map(|dirty| self.dirty(dirty, workers_known));
        let capacity = written.capacity.as_ref().map(|capacity| self.capacity(capacity, &written));
        if let (Some(server), Some(Some(load)), Some(written)) = (&server, &load, &written.load) {
            self.check_sources(written.value.source_addresses.as_ref(), server, load);
        }
        let inspect = self.inspect(&written, load.as_ref());
        let (rules, abort_when) = self.rules(&written, matrix, &settings);
        let verdicts = self.verdict_script(&written);
        self.spoilt = before;
        Some(Variant {
            name: if settings.is_empty() { scenario.to_owned() } else { matrix.name(choice) },
            settings,
            server: server?,
            load: load.map_or(Some(None), |load| load.map(Some))?,
            capacity: capacity.map_or(Some(None), |capacity| capacity.map(Some))?,
            dirty: dirty.map_or(Some(None), |dirty| dirty.map(Some))?,
            inspect,
            rules,
            abort_when,
            verdicts,
        })
    }

    /// Reports what is missing, unless it is missing only because something wrong was cut out.
    fn missing(&mut self, path: &[&str], problem: Problem) {
        if !self.spoilt.covers(path) {
            self.problems.add(problem);
        }
    }

    /// A whole number within limits; `None` if it is not given, or after a problem.
    fn whole(&mut self, key: &str, given: &Option<Located<i64>>, least: i64, most: i64) -> Option<u32> {
        let given = given.as_ref()?;
        if (least..=most).contains(&given.value) {
            return u32::try_from(given.value).ok();
        }
        let side = if given.value < least { format!("less than {least}") } else { format!("more than {most}") };
        let problem = Problem::new(format!("`{key}` is out of range")).at(&given.span, side);
        self.problems.add(problem.help(format!("write a whole number from {least} to {most}")));
        None
    }

    /// A duration that must not be zero; `default` if it is not given.
    fn some_time(
        &mut self,
        key: &str,
        given: &Option<Located<Timespan>>,
        default: std::time::Duration,
    ) -> std::time::Duration {
        let Some(given) = given else { return default };
        if given.value.0.is_zero() {
            let problem = Problem::new(format!("`{key}` must not be zero")).at(&given.span, "no time at all");
            let shown = crate::units::show_duration(default);
            self.problems.add(problem.help(format!("write a duration, as in {key} = \"{shown}\"")));
        }
        given.value.0
    }
}

/// A remedy for the most common slips in TOML.
fn syntax_help(message: &str) -> &'static str {
    match message {
        m if m.contains("duplicate key") => "a key, or a [table], can stand once only; join the two",
        m if m.contains("string") || m.contains("quote") => "texts stand in quotes: path = \"/health\"",
        m if m.contains("array") || m.contains('[') => "lists stand in brackets: [\"a\", \"b\"]",
        m if m.contains("key with no value") => "write key = value, each on a line of its own",
        _ => "write key = value, each on a line of its own, with texts in quotes",
    }
}

/// A value that is only looked at.
fn value<T: Copy>(given: &Option<Located<T>>) -> Option<T> {
    given.as_ref().map(|given| given.value)
}
