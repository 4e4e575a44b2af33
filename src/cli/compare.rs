//! `runner compare BEFORE AFTER`: what changed from one record to the other.

use super::arguments::Compare;
use super::report::read;
use super::{Exit, print};
use crate::analysis::records::{self, Change, RecordDifference, VariantChange};
use crate::record::Record;
use crate::report;

/// What `--json` prints.
#[derive(serde::Serialize)]
struct Compared {
    change: Change,
    tolerance: f64,
    differences: Vec<RecordDifference>,
    variants: Vec<VariantChange>,
}

pub(super) fn compare(arguments: &Compare) -> Exit {
    let records = read(&arguments.before).and_then(|before| Ok((before, read(&arguments.after)?)));
    let (before, after) = match records {
        Ok(records) => records,
        Err((message, advice)) => {
            print::error(&message, Some(advice));
            return Exit::Invalid;
        }
    };
    let differences = records::differences(&before, &after);
    if let Some(exit) = refused(&differences, arguments) {
        return exit;
    }
    let variants = records::changes(&before, &after, arguments.metric, arguments.tolerance);
    if variants.is_empty() {
        print::error("the two records have no variant in common", Some(&both(&before, &after)));
        return Exit::Invalid;
    }
    let change = worst(&variants);
    if let Some(path) = &arguments.html
        && let Err(error) =
            std::fs::write(path, report::compare::page(&variants, arguments.tolerance, (&before, &after)))
    {
        print::error(
            &format!("cannot write {}: {error}", path.display()),
            Some("choose a file in a folder that can be written"),
        );
        return Exit::CouldNotRun;
    }
    let printed = if arguments.json {
        let compared = Compared { change, tolerance: arguments.tolerance, differences, variants };
        match serde_json::to_string(&compared) {
            Ok(text) => print::out(&format!("{text}\n")),
            Err(error) => {
                print::error(&format!("cannot write the comparison as JSON: {error}"), None);
                Exit::CouldNotRun
            }
        }
    } else {
        print::out(&report::compare::changes(&variants, arguments.tolerance))
    };
    let came = match change {
        Change::Within => Exit::Passed,
        Change::Better | Change::Worse => Exit::Failed,
        Change::CannotBeTold => Exit::Inconclusive,
    };
    if printed == Exit::Passed { came } else { printed }
}

/// Records that differ in more than was asked are not compared.
fn refused(differences: &[RecordDifference], arguments: &Compare) -> Option<Exit> {
    let expected = |key: &str| {
        let within =
            |asked: &String| key == asked || key.strip_prefix(asked.as_str()).is_some_and(|rest| rest.starts_with('.'));
        arguments.differing.iter().any(within)
    };
    let more: Vec<RecordDifference> = differences.iter().filter(|of| !expected(&of.key)).cloned().collect();
    let first = more.first()?;
    let lines: Vec<String> = report::compare::differences(&more).into_iter().map(|line| format!("  {line}")).collect();
    let message = format!("the two records differ in more than what they measured:\n{}", lines.join("\n"));
    let advice = format!("compare like with like; what is meant to differ is named, as in `--differing {}`", first.key);
    print::error(&message, Some(&advice));
    Some(Exit::Invalid)
}

/// A proven difference before one that cannot be told; a worse one first.
fn worst(variants: &[VariantChange]) -> Change {
    let order = [Change::Worse, Change::Better, Change::CannotBeTold];
    let any = |wanted: &Change| variants.iter().any(|variant| variant.change() == *wanted);
    order.into_iter().find(any).unwrap_or(Change::Within)
}

fn both(before: &Record, after: &Record) -> String {
    let names = |record: &Record| {
        record.variants.iter().map(|variant| format!("`{}`", variant.name)).collect::<Vec<_>>().join(", ")
    };
    format!("variants are compared by name; one has {}, the other {}", names(before), names(after))
}
