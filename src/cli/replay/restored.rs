//! The scenario of a record as it was, with what the record does not show.

use std::path::Path;

use super::super::arguments::Replay;
use super::super::system_context::{World, print_problems};
use super::super::{print, scenario_file};
use crate::record::Record;
use crate::report::one_line;
use crate::scenario::Scenario;
use crate::scenario::recorded::{MissingValue, NotRestored, Recorded, Restored, restore};
use crate::units::counted;

/// So many keys are named.
const MOST_NAMED: usize = 5;

/// Restores the scenario, and says how its file differs from it now. The error is a message with advice.
pub(super) fn scenario(arguments: &Replay, record: &Record) -> Result<Scenario, (String, String)> {
    let given = arguments.scenario.clone();
    let file = given.unwrap_or_else(|| scenario_file::of(&arguments.record, record));
    let (effective, overrides) = (record.scenario.effective.as_str(), record.scenario.overrides.as_slice());
    match restore(&Recorded { effective, overrides, file: &file }, &World) {
        Ok(Restored { scenario, changed }) => {
            warn(&file, changed.as_deref());
            Ok(scenario)
        }
        Err(NotRestored::Missing(missing)) => Err(refused(&file, &missing)),
        Err(NotRestored::Invalid(problems)) => {
            print_problems(&problems);
            let message = format!("the scenario of this record cannot be loaded as {} any more", file.display());
            Err((message, "run it where the run was started, with its scripts and variables in place".to_owned()))
        }
    }
}

/// The file as it is now is not what is sent.
fn warn(file: &Path, changed: Option<&[String]>) {
    match changed {
        None => print::warning(
            &format!("the scenario {} is not there any more", one_line(&file.display().to_string())),
            Some("what the record has of it is sent; name the file with `--scenario FILE` if it has moved"),
        ),
        Some([]) => {}
        Some(keys) => {
            let named: Vec<String> = keys.iter().take(MOST_NAMED).map(|key| format!("`{}`", one_line(key))).collect();
            let more = match keys.len().saturating_sub(MOST_NAMED) {
                0 => String::new(),
                more => format!(" and {more} more"),
            };
            let message =
                format!("{} has changed since: {}{more}", one_line(&file.display().to_string()), named.join(", "));
            let advice = "what the record has of it is sent; run the scenario again to check it as it is now";
            print::warning(&message, Some(advice));
        }
    }
}

/// Names each value that is missing.
fn refused(file: &Path, missing: &[MissingValue]) -> (String, String) {
    let values = counted(missing.len() as u64, "value");
    let list: Vec<String> = missing
        .iter()
        .map(|MissingValue { key, variable, why }| format!("\n  {variable}, for `{}`: {why}", one_line(key)))
        .collect();
    let message = format!(
        "the record leaves out {values} of what was sent, and without them a replay tells nothing:{}",
        list.concat()
    );
    let advice = format!(
        "set these variables, or name the scenario's file with `--scenario FILE` (looked for: {})",
        one_line(&file.display().to_string())
    );
    (message, advice)
}
