//! What a person reads after `runner load`: the figures of one load, and nothing to judge.

use anstyle::{AnsiColor, Style};

use crate::measured_value::MeasuredValue;
use crate::record::{LoadRecord, Quantiles, Record, Status};
use crate::report::format::{failures, micros, outside, sent_again, travel};
use crate::report::table::{Align, pad};
use crate::units::{counted, show_count, show_percentage, show_rate, show_size, show_time};

use super::layout::wrap;
use super::{NARROWEST, Terminal};

/// The keys of a file, and the options that stand for them in `runner load`.
pub const OPTIONS: [(&str, &str); 13] = [
    ("ca", "--cacert"),
    ("cert", "--cert"),
    ("concurrency", "--connections"),
    ("connect_to", "--connect-to"),
    ("duration", "--duration"),
    ("key", "--key"),
    ("max_concurrency", "--connections"),
    ("rate", "--rate"),
    ("requests", "--requests"),
    ("source_addresses", "--source"),
    ("streams", "--streams"),
    ("threads", "--threads"),
    ("timeout", "--timeout"),
];

/// What was asked, how often a second, how long the answers took, what went wrong, and the caveats. Ends in a line break.
pub fn load(record: &Record, width: usize, color: bool) -> String {
    let page = Terminal { width: width.max(NARROWEST), color };
    let mut blocks = Vec::new();
    for variant in &record.variants {
        for load in variant.trials.iter().filter_map(|trial| trial.load.as_ref()) {
            blocks.push(page.asked(&variant.server, load, record.status));
            blocks.push(page.answered(load));
            blocks.push(page.latencies(load));
        }
    }
    blocks.push(page.what_happened(record));
    blocks.push(with_options(page.caveats(&record.variants, usize::MAX)));
    blocks.retain(|block| !block.is_empty());
    blocks.join("\n")
}

fn with_options(advice: String) -> String {
    OPTIONS
        .iter()
        .fold(advice, |advice, (key, option)| advice.replace(&format!("`load.{key}`"), &format!("`{option}`")))
}

impl Terminal {
    fn asked(&self, server: &str, load: &LoadRecord, status: Status) -> String {
        // Nothing here is a placeholder, so a doubled brace is a brace.
        let request = load.request.replace("{{", "{").replace("}}", "}");
        let request = request.replacen(" /", &format!(" {server}/"), 1);
        let threads = counted(load.generator.threads.into(), "thread");
        let cut = if status == Status::Interrupted { ", interrupted" } else { "" };
        let users = counted(load.concurrency.into(), "user");
        let who = match &load.open {
            Some(open) => format!("{} by at most {users}", show_rate(open.rate)),
            None => users,
        };
        let who = format!("{who}{} on {threads}, {}{cut}", travel(load), show_time(load.duration_s));
        let request = super::clean(&request);
        wrap(&self.paint(&request, Style::new().bold()), self.width, "") + wrap(&who, self.width, "").as_str()
    }

    fn answered(&self, load: &LoadRecord) -> String {
        let rate = self.paint(&show_rate(load.throughput), AnsiColor::Green.on_default().bold());
        let rate = rate + outside(load).map(|note| format!("; {note}")).unwrap_or_default().as_str();
        let per_second = load.bytes_received as f64 / load.duration_s.max(1e-9);
        let transfer = format!("{}, {}/s", show_size(load.bytes_received), show_size(per_second as u64));
        let status: Vec<String> =
            load.status.iter().map(|(code, count)| format!("{code}: {}", show_count(*count))).collect();
        let entries = [
            ("throughput", rate),
            ("requests", requests(load)),
            ("status", if status.is_empty() { "no response".to_owned() } else { status.join(", ") }),
            ("errors", errors(load)),
            ("transfer", transfer),
        ];
        entries.iter().map(|(name, text)| self.painted_entry(name, text)).collect()
    }

    /// As [`Terminal::entry`], of a text that holds colours of its own.
    fn painted_entry(&self, name: &str, text: &str) -> String {
        let indent = super::FACT_INDENT.len();
        let head = self.paint(&pad(name, indent - 2, Align::Left), Style::new().dimmed());
        format!("  {head}{}", wrap(text, self.width.saturating_sub(indent), super::FACT_INDENT))
    }

    /// A row a quantile; the service time stands beside the latency where it is another.
    fn latencies(&self, load: &LoadRecord) -> String {
        let rows = rows(&load.latency_us).into_iter().zip(rows(&load.service_time_us));
        let rows: Vec<(&str, String, String)> =
            rows.map(|((name, latency), (_, service))| (name, micros(latency), micros(service))).collect();
        let differ = rows.iter().any(|(_, latency, service)| latency != service);
        let widest = |cells: &dyn Fn(&(&str, String, String)) -> usize| rows.iter().map(cells).max().unwrap_or(0) + 4;
        let widths = [widest(&|row| row.1.chars().count()).max(12), widest(&|row| row.2.chars().count()).max(16)];
        let line = |cells: [&str; 3]| {
            let [name, latency, service] = cells;
            let service = if differ { pad(service, widths[1], Align::Right) } else { String::new() };
            format!("  {}{}{service}", pad(name, 8, Align::Left), pad(latency, widths[0], Align::Right))
        };
        let head = self.paint(&line(["", "latency", "service time"]), Style::new().dimmed());
        let lines = rows.iter().map(|(name, latency, service)| line([name, latency, service]) + "\n");
        format!("{head}\n{}", lines.collect::<String>())
    }
}

fn rows(of: &Quantiles) -> [(&'static str, Option<MeasuredValue>); 9] {
    [
        ("min", of.min),
        ("mean", of.mean),
        ("p50", of.p50),
        ("p75", of.p75),
        ("p90", of.p90),
        ("p95", of.p95),
        ("p99", of.p99),
        ("p99.9", of.p999),
        ("max", of.max),
    ]
}

fn requests(load: &LoadRecord) -> String {
    let started = format!("{} started", show_count(load.started));
    let unanswered = match load.unanswered {
        0 => String::new(),
        count => format!(", {} unanswered at the end", show_count(count)),
    };
    match load.completed {
        all if all == load.started => format!("{started}, all answered"),
        some => format!("{started}, {} answered{unanswered}", show_count(some)),
    }
}

/// What was answered with 400 or above, and what was not answered, kind by kind; and what was sent again.
fn errors(load: &LoadRecord) -> String {
    let refused = load.errors.get("status").filter(|count| **count > 0);
    let refused = refused.map(|count| format!("{} answered with a status of 400 or above", show_count(*count)));
    let parts: Vec<String> = failures(load).into_iter().chain(refused).collect();
    let count = load.failed + load.errors.get("status").copied().unwrap_or(0);
    let errors = match parts.as_slice() {
        [] => "none".to_owned(),
        _ => format!("{} ({} of all)", parts.join(", "), show_percentage(count as f64 / load.started.max(1) as f64)),
    };
    [Some(errors), sent_again(load)].into_iter().flatten().collect::<Vec<_>>().join("; ")
}
