//! Under what a figure was measured. Figures of other conditions are another series.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::analysis::records;
use crate::record::{Environment, Record, VariantRecord};

/// The machine, the program and the configuration of a run.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Conditions {
    /// Its CPU, how many of them, and its memory to the gigabyte: `2 x EPYC 7B13, 8 GB`.
    pub machine: String,
    pub kernel: String,
    pub runner: String,
    /// A hash of all keys of the variant that a figure may depend on.
    pub configuration: String,
}

/// In what a night differs from the one before it, so that it begins a series.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct NewSeries {
    /// `machine`, `kernel`, `runner`, `configuration`.
    pub of: &'static str,
    pub before: String,
    pub after: String,
}

impl Conditions {
    /// Those of a variant in a record.
    pub fn of(record: &Record, variant: &VariantRecord) -> Self {
        Conditions {
            machine: of_all(record, |of| {
                format!("{} x {}, {} GB", of.cpus, of.cpu, (of.memory_bytes as f64 / 1e9).round())
            }),
            kernel: of_all(record, |of| format!("{} {}", of.os, of.kernel)),
            runner: record.runner.version.clone(),
            configuration: format!("{:016x}", fnv1a(&records::configuration(record, variant))),
        }
    }

    /// In what they differ from those before; nothing where figures may be compared.
    pub fn since(&self, before: &Conditions) -> Vec<NewSeries> {
        let parts = [
            ("machine", &before.machine, &self.machine),
            ("kernel", &before.kernel, &self.kernel),
            ("runner", &before.runner, &self.runner),
            ("configuration", &before.configuration, &self.configuration),
        ];
        let differ = parts.into_iter().filter(|(_, before, after)| before != after);
        differ.map(|(of, before, after)| NewSeries { of, before: before.clone(), after: after.clone() }).collect()
    }
}

/// What the machines of a record are, each kind once: a merged record has several.
fn of_all(record: &Record, kind: impl Fn(&Environment) -> String) -> String {
    let merged: BTreeSet<String> = record.merged.iter().map(|part| kind(&part.environment)).collect();
    if merged.is_empty() { kind(&record.environment) } else { merged.into_iter().collect::<Vec<_>>().join("; ") }
}

/// The hash of Fowler, Noll and Vo (FNV-1a, 64 bits): the same in every version of the program.
fn fnv1a(text: &str) -> u64 {
    text.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hash_is_that_of_its_authors() {
        assert_eq!(fnv1a(""), 0xcbf2_9ce4_8422_2325);
        assert_eq!(fnv1a("foobar"), 0x8594_4171_f739_67e8);
    }

    #[test]
    fn what_differs_is_named() {
        let one = Conditions { kernel: "Linux 6.1".to_owned(), ..Conditions::default() };
        let other = Conditions { kernel: "Linux 6.2".to_owned(), ..one.clone() };
        assert_eq!(other.since(&one).iter().map(|new| new.of).collect::<Vec<_>>(), ["kernel"]);
        assert!(one.since(&one).is_empty());
    }
}
