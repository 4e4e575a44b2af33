//! A sweep, as meant: many requests of an application, what each does to its data, and which of them may be sent.

use std::fmt;
use std::path::PathBuf;

use super::file::Methods;
use super::import::{Effect, GivenValue, ImportOptions, LeftOutReason, Operation};
use super::{DirtySpec, LoginSpec, Problem, Problems, RequestSpec, Scenario, Template, Variant};
use crate::rule::Rule;
use crate::rule::metric::MetricGroup;

mod selection;
mod shared;

pub use selection::{Selection, select};
pub use shared::{OperationPattern, SharedData};

/// What a sweep asks an application, and how.
#[derive(Debug, Clone, Default)]
pub struct SweepSpec {
    /// What is asked, as far as it is known; names are distinct. All of it, once the server's own document was read.
    pub operations: Vec<SweepOperation>,
    /// What is not asked, as far as that is known.
    pub omitted: Vec<Omission>,
    /// Where the operations come from that the scenario does not name.
    pub source: SweepSource,
    /// What the paths of a document begin with, in place of what it says.
    pub base: Option<String>,
    pub policy: SweepPolicy,
    /// Values for parameters and fields of imported operations.
    pub values: Vec<GivenValue>,
    /// The most requests a second.
    pub rate: Option<f64>,
    /// The most requests under way at once; chosen by the sweep if not given.
    pub concurrency: Option<u32>,
    pub reset: Option<ResetSpec>,
    /// Data that everybody may see.
    pub shared: Vec<SharedData>,
    /// What each identity sends before its login.
    pub signup: Option<LoginSpec>,
    /// Headers and cookies that go with every operation which has none by that name.
    pub common: CommonParts,
}

impl SweepSpec {
    /// How its document is read.
    pub fn import_options(&self) -> ImportOptions {
        ImportOptions { values: self.values.clone(), base: self.base.clone(), ..ImportOptions::default() }
    }
}

/// A shell command that brings the data back to where it was, and the folder that it runs in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ResetSpec {
    pub command: String,
    pub folder: PathBuf,
}

/// Where the operations of a sweep come from.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum SweepSource {
    /// The scenario names all of them.
    #[default]
    Scenario,
    /// A file, which was read with the scenario: as it was named.
    File(String),
    /// A document that the server gives, or a page of it from which links and forms are followed: its path and query.
    Server(String),
}

/// Which operations of a document may be sent.
#[derive(Debug, Clone, Default)]
pub struct SweepPolicy {
    pub methods: Methods,
    pub leave_out: Vec<OperationPattern>,
}

/// What all requests of a sweep carry.
#[derive(Debug, Clone, Default)]
pub struct CommonParts {
    pub headers: Vec<(String, Template)>,
    pub cookies: Vec<(String, Template)>,
}

/// An operation that is asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SweepOperation {
    pub operation: Operation,
    /// The scenario names it: it is sent as it stands there, whatever its name.
    pub is_given: bool,
    /// It is sent only at the end, for what the sweep has created.
    pub cleanup: bool,
    /// Carriers, by their index, in which the server takes no canary, as far as that is known.
    pub plain: Vec<usize>,
}

/// An operation that is not asked, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Omission {
    /// Method and path as documented: `POST /items`.
    pub name: String,
    pub reason: OmissionReason,
}

/// Why an operation is not asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OmissionReason {
    /// No request could be made of it.
    NotImported(LeftOutReason, String),
    /// `methods` does not allow what it does.
    Method(Effect),
    /// The word in its name that makes it dangerous.
    Danger(String),
    /// `leave_out` names it: by this pattern.
    LeftOut(String),
    /// Only an operation that is not asked gives what its request needs: the capture's name.
    NoCapture(String),
    /// It removes what the sweep has not created.
    NotCreated,
    /// It logs in or signs up, which the scenario does once per identity.
    Login,
}

impl SweepOperation {
    /// One that the scenario names.
    pub fn given(operation: Operation, cleanup: bool) -> Self {
        SweepOperation { operation, is_given: true, cleanup, plain: Vec::new() }
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.operation.name
    }
}

impl CommonParts {
    /// The request with these, where it has none by the same names.
    pub fn added_to(&self, request: &RequestSpec) -> RequestSpec {
        let mut request = request.clone();
        for (name, value) in &self.headers {
            if !request.headers.iter().any(|(known, _)| known.eq_ignore_ascii_case(name)) {
                request.headers.push((name.clone(), value.clone()));
            }
        }
        for (name, value) in &self.cookies {
            if !request.cookies.iter().any(|(known, _)| known == name) {
                request.cookies.push((name.clone(), value.clone()));
            }
        }
        request
    }
}

impl DirtySpec {
    /// The same check, of these operations: what it asks is then known. There is at least one.
    pub fn sweeping(&self, sweep: SweepSpec) -> DirtySpec {
        let requests = sweep.operations.iter().map(|operation| operation.operation.request.clone());
        let mut requests = requests.collect::<Vec<_>>().into_iter();
        let request = requests.next().unwrap_or_else(|| self.request.clone());
        DirtySpec { request, also: requests.collect(), sweep: Some(sweep), ..self.clone() }
    }

    /// The same sweep, with what is known of the carriers in which the server takes no canary: by operation, their indices.
    pub fn with_plain_carriers(&self, plain: impl Iterator<Item = Vec<usize>>) -> DirtySpec {
        let mut spec = self.clone();
        let operations = spec.sweep.iter_mut().flat_map(|sweep| &mut sweep.operations);
        operations.zip(plain).for_each(|(operation, plain)| operation.plain = plain);
        spec
    }
}

impl Scenario {
    /// The same servers, of which nothing is asked but what the sweep asks.
    pub fn only_swept(self) -> Result<Scenario, Problems> {
        let swept = |variant: &Variant| {
            variant.dirty.as_ref().filter(|dirty| dirty.sweep.is_some())?;
            let of_dirty = |rule: &&Rule| rule.metric.group() == MetricGroup::Dirty;
            Some(Variant {
                load: None,
                capacity: None,
                inspect: None,
                rules: variant.rules.iter().filter(of_dirty).cloned().collect(),
                abort_when: Vec::new(),
                verdicts: None,
                ..variant.clone()
            })
        };
        let variants: Option<Vec<Variant>> = self.variants.iter().map(swept).collect();
        match variants {
            Some(variants) => Ok(Scenario { variants, crossover: None, ..self }),
            None => {
                let problem = Problem::new(format!("nothing to sweep in `{}`", self.file.display()));
                Err(Problems::of(problem.help("say what lists its requests, as in --from /openapi.json")))
            }
        }
    }
}

impl OmissionReason {
    /// How to take it in; `None` where nothing would.
    pub fn remedy(&self, name: &str) -> Option<String> {
        match self {
            OmissionReason::NotImported(_, remedy) => Some(remedy.clone()).filter(|remedy| !remedy.starts_with("none")),
            OmissionReason::Method(Effect::Delete) => Some("methods = \"delete\"".to_owned()),
            OmissionReason::Method(_) => Some("methods = \"write\"".to_owned()),
            OmissionReason::Danger(_) => {
                Some(format!("write it as a [[dirty.request]], if `{name}` does no harm here"))
            }
            OmissionReason::LeftOut(_) => Some("take it out of `leave_out`".to_owned()),
            OmissionReason::NoCapture(capture) => {
                Some(format!("methods = \"write\" may create it, or give `{capture}` in [dirty.values]"))
            }
            OmissionReason::NotCreated | OmissionReason::Login => None,
        }
    }

    /// Whether the scenario asks for it: nothing that a reader would miss.
    pub fn is_chosen(&self) -> bool {
        matches!(self, OmissionReason::LeftOut(_) | OmissionReason::Login)
    }
}

impl fmt::Display for OmissionReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            OmissionReason::NotImported(reason, _) => reason.fmt(f),
            OmissionReason::Method(Effect::Delete) => f.write_str("it deletes"),
            OmissionReason::Method(_) => f.write_str("it may change data"),
            OmissionReason::Danger(word) => write!(f, "its name has `{word}`"),
            OmissionReason::LeftOut(pattern) => write!(f, "`leave_out` has \"{pattern}\""),
            OmissionReason::NoCapture(name) => write!(f, "nothing that is asked gives its `{name}`"),
            OmissionReason::NotCreated => f.write_str("it deletes what the sweep has not created"),
            OmissionReason::Login => f.write_str("it is the login"),
        }
    }
}
