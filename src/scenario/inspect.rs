//! What an inspection of a server takes: how many requests it works on at once.

use super::{LoadSpec, Problem, Problems, Scenario, Variant};

/// The most users, where the scenario does not say.
const MAX_CONCURRENCY: u32 = 512;

/// The inspection to make.
#[derive(Debug, Clone)]
pub struct InspectSpec {
    /// What is sent, and how; how many at once and for how long is the inspection's to say.
    pub load: LoadSpec,
    /// The most requests at once that are tried; at least 8.
    pub max_concurrency: u32,
}

impl InspectSpec {
    /// With the request of a load.
    pub(super) fn of(load: &LoadSpec, max_concurrency: Option<u32>) -> InspectSpec {
        InspectSpec { load: load.clone(), max_concurrency: max_concurrency.unwrap_or(MAX_CONCURRENCY) }
    }
}

impl Scenario {
    /// The same servers, of which nothing is asked but how many requests they work on at once.
    pub fn only_inspected(self) -> Result<Scenario, Problems> {
        let variants: Option<Vec<Variant>> = self.variants.iter().map(Variant::only_inspected).collect();
        match variants {
            Some(variants) => Ok(Scenario { variants, repeats: 1, crossover: None, ..self }),
            None => {
                let problem = Problem::new(format!("nothing to send in `{}`", self.file.display()));
                Err(Problems::of(problem.help("add [load] with a path: its request is what an inspection sends")))
            }
        }
    }
}

impl Variant {
    fn only_inspected(&self) -> Option<Variant> {
        let default = || self.load.as_ref().map(|load| InspectSpec::of(load, None));
        let inspect = self.inspect.clone().or_else(default)?;
        Some(Variant {
            inspect: Some(inspect),
            load: None,
            dirty: None,
            capacity: None,
            rules: Vec::new(),
            abort_when: Vec::new(),
            verdicts: None,
            ..self.clone()
        })
    }
}
