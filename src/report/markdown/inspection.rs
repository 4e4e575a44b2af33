//! What an inspection found: the answer, the steps, the evidence, the advice.

use crate::analysis::parallelism::{at_once, work_s};
use crate::record::{InspectionRecord, VariantRecord};
use crate::report::escape::inline;
use crate::report::format::{NONE, capital};
use crate::report::inspection::{advice, answer, evidence};
use crate::report::table::{Align::Right, Table};
use crate::units::{show_count, show_rate, show_time};

use super::Place;

const WHAT: &str = "One request alone, then more and more at once, each step waited for to its end. Throughput times the time of \
                    a request alone is how many are worked on at once (Little's law); where more users add nothing, the others wait.";

pub(super) fn inspection(variant: &VariantRecord, place: &Place) -> String {
    let mut out = String::new();
    let several = variant.trials.len() > 1;
    for (index, trial) in variant.trials.iter().enumerate() {
        let Some(inspection) = &trial.inspection else { continue };
        let of = if several { format!(" (trial {})", index + 1) } else { String::new() };
        out += &place.heading(&format!("Requests at once{of}"));
        out += &format!("**{}.** ", capital(&inline(&answer(inspection))));
        out += &format!("Sent: {}.\n\n", inline(&inspection.request));
        for sentence in evidence(inspection) {
            out += &format!("- {}.\n", inline(&capital(&sentence)));
        }
        out.push('\n');
        out += &advice(inspection).map(|advice| format!("What to do: {}.\n\n", inline(&advice))).unwrap_or_default();
        out += &steps(inspection);
        if !inspection.steps.is_empty() {
            out += &place.explain(WHAT);
        }
    }
    out
}

fn steps(inspection: &InspectionRecord) -> String {
    let mut table =
        Table::new(["users", "throughput", "at once", "p50", "errors", "cores", "threads"].map(|head| (head, Right)));
    let work_s = work_s(&inspection.steps);
    for step in &inspection.steps {
        let bad = step.failed + step.error_status;
        let seen = work_s.map(|work_s| format!("{:.1}", at_once(step, work_s)));
        table.row([
            show_count(step.concurrency.into()),
            show_rate(step.throughput),
            seen.unwrap_or_default(),
            step.service_time_p50_us.map_or(NONE.to_owned(), |us| show_time(us / 1e6)),
            if bad > 0 { show_count(bad) } else { String::new() },
            step.cpu.map_or(NONE.to_owned(), |cpu| format!("{:.2}", cpu.cores)),
            step.cpu.map_or(NONE.to_owned(), |cpu| show_count(cpu.threads.into())),
        ]);
    }
    table.without_empty_columns().markdown()
}
