//! What an inspection found: the answer, the steps, the evidence, the advice.

use crate::analysis::parallelism::{at_once, work_s};
use crate::record::{InspectionRecord, VariantRecord};
use crate::report::chart;
use crate::report::escape::{code, inline};
use crate::report::format::{NONE, capital};
use crate::report::inspection::{advice, answer, evidence};
use crate::report::table::{Align::Right, Table};
use crate::units::{show_count, show_rate, show_time};

use super::{Place, ReportPage, show};

const WHAT: &str = "One request alone, then more and more at once, each step waited for to its end. Throughput times the time of \
                    a request alone is how many are worked on at once (Little's law); where more users add nothing, the others wait.";

pub(super) fn inspection(page: &mut ReportPage, variant: &VariantRecord, place: &Place) {
    let several = variant.trials.len() > 1;
    for (index, trial) in variant.trials.iter().enumerate() {
        let Some(found) = &trial.inspection else { continue };
        let (of, number) = match several {
            true => (format!(" (trial {})", index + 1), format!("-{}", index + 1)),
            false => (String::new(), String::new()),
        };
        page.markdown += &place.heading(&format!("Requests at once{of}"));
        page.markdown += &format!("**{}.** Sent: {}.\n\n", capital(&inline(&answer(found))), code(&found.request));
        let title = format!("Throughput by number of users{of}");
        if let Some(svg) = chart::parallelism(found, &title) {
            show(page, format!("parallelism{}{number}.svg", place.suffix), &title, svg);
        }
        for sentence in evidence(found) {
            page.markdown += &format!("- {}.\n", inline(&capital(&sentence)));
        }
        page.markdown.push('\n');
        let advice = advice(found).map(|advice| format!("What to do: {}.\n\n", inline(&advice)));
        page.markdown += &advice.unwrap_or_default();
        page.markdown += &steps(found);
        if !found.steps.is_empty() {
            page.markdown += &place.explain(WHAT);
        }
    }
}

/// `33, 31`, the workers with most first.
fn by_worker(connections: &[u32]) -> String {
    let mut sorted = connections.to_vec();
    sorted.sort_unstable_by(|one, other| other.cmp(one));
    sorted.into_iter().map(|open| show_count(open.into())).collect::<Vec<_>>().join(", ")
}

fn steps(inspection: &InspectionRecord) -> String {
    let mut table = Table::new(
        ["users", "throughput", "at once", "p50", "errors", "cores", "threads", "connections by worker"]
            .map(|head| (head, Right)),
    );
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
            if step.connections.len() > 1 { by_worker(&step.connections) } else { String::new() },
        ]);
    }
    table.without_empty_columns().markdown()
}
