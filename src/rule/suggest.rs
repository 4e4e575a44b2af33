//! What to write in place of a metric that there is not.

use super::metric::{METRICS, Metric, MetricGroup};

/// How near a name must be to be suggested; 1 is the same.
const NEAR: f64 = 0.75;

/// "did you mean `latency.p99`?", else what there is, by groups.
pub(super) fn metric(name: &str) -> String {
    let lower = name.to_lowercase();
    match by_alias(&lower).or_else(|| by_last_part(&lower)).or_else(|| nearest(&lower)) {
        Some(known) => format!("did you mean `{known}`?"),
        None => all(),
    }
}

/// What other tools call so.
fn by_alias(name: &str) -> Option<String> {
    METRICS.iter().find(|row| row.aliases.contains(&name)).map(|row| row.name.to_owned())
}

/// The first metric whose name ends so: `p99` is `latency.p99`. A percentile may be written as k6 does, `p(99)`.
fn by_last_part(name: &str) -> Option<String> {
    let bare = name.strip_prefix("p(").and_then(|rest| rest.strip_suffix(')')).map(|number| format!("p{number}"));
    let bare = bare.as_deref().unwrap_or(name);
    let bare = if ["median", "med"].contains(&bare) { "p50" } else { bare };
    // What tells the metrics of a family apart need not be one of the usual: `p99.5`, `503`.
    let families = METRICS.iter().filter(|row| row.name.contains("{}")).map(|row| row.name.replace("{}", bare));
    let full = families.into_iter().find_map(|full| Metric::parse(&full).map(Metric::name));
    full.or_else(|| Metric::names().find(|known| known.strip_suffix(bare).is_some_and(|rest| rest.ends_with('.'))))
}

/// The name with the fewest slips from it.
fn nearest(name: &str) -> Option<String> {
    let scored = Metric::names().map(|known| (strsim::jaro_winkler(name, &known), known));
    scored.max_by(|a, b| a.0.total_cmp(&b.0)).filter(|(score, _)| *score > NEAR).map(|(_, known)| known)
}

/// Every metric, a line a group; families by their pattern.
fn all() -> String {
    let lines = MetricGroup::ALL.map(|group| {
        let of_group = METRICS.iter().filter(|row| row.group == group);
        let names: Vec<String> = of_group.map(|row| format!("`{}`", (row.pattern)())).collect();
        format!("metrics of {} are {}", group.name(), names.join(", "))
    });
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_other_tools_call_a_metric_is_understood() {
        for (name, known) in [
            ("p99", "latency.p99"),
            ("p95", "latency.p95"),
            ("p999", "latency.p99.9"),
            ("p99.5", "latency.p99.5"),
            ("p(95)", "latency.p95"),
            ("median", "latency.p50"),
            ("mean", "latency.mean"),
            ("avg", "latency.mean"),
            ("max", "latency.max"),
            ("rps", "throughput"),
            ("RPS", "throughput"),
            ("http_reqs", "throughput"),
            ("error_rate", "errors.rate"),
            ("http_req_failed", "errors.rate"),
            ("errors", "errors.count"),
            ("latency", "latency.mean"),
            ("timeout", "errors.timeout"),
            ("503", "status.503"),
            ("rss", "server.rss.max"),
            ("cpu", "server.cpu.mean"),
            ("leaks", "dirty.leaks"),
            ("latncy.p99", "latency.p99"),
            ("dirty.gat.leaks", "dirty.gate.leaks"),
        ] {
            assert_eq!(metric(name), format!("did you mean `{known}`?"), "{name}");
        }
    }

    #[test]
    fn an_alias_is_that_of_one_metric_and_is_none_itself() {
        let aliases: Vec<&str> = METRICS.iter().flat_map(|row| row.aliases).copied().collect();
        for alias in &aliases {
            assert!(Metric::parse(alias).is_none(), "{alias} is a metric");
            assert_eq!(aliases.iter().filter(|other| *other == alias).count(), 1, "{alias} is there twice");
        }
        assert!(METRICS.iter().filter(|row| row.name.contains("{}")).all(|row| row.aliases.is_empty()));
    }

    #[test]
    fn what_is_like_no_metric_gets_the_list_by_groups() {
        let said = metric("zzz");
        let lines: Vec<&str> = said.lines().collect();
        assert_eq!(lines.len(), 4);
        assert!(lines[0].starts_with("metrics of the load are `throughput`, `started`"), "{said}");
        assert!(lines[0].contains("`latency.pN`") && lines[2].contains("`dirty.TRIGGER.leaks`"), "{said}");
    }
}
