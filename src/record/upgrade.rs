//! Records of earlier formats, made into one of today's. Nothing else knows what they were like.

use serde_json::{Map, Value, json};

use super::FORMAT;
use crate::rule::Rule;

/// Why a value is no record that this version can read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotReadable {
    #[error("it has no `format`")]
    NoFormat,
    #[error("it is of format {0}; this version reads formats 1 to {FORMAT}")]
    OtherFormat(u64),
}

/// Makes the JSON of a record that of the present format, whichever readable one it has.
pub fn upgraded(mut record: Value) -> Result<Value, NotReadable> {
    match record.get("format").and_then(Value::as_u64) {
        Some(1) => from_1(&mut record),
        Some(format) if format == u64::from(FORMAT) => {}
        Some(other) => return Err(NotReadable::OtherFormat(other)),
        None => return Err(NotReadable::NoFormat),
    }
    Ok(record)
}

/// Format 2 has typed verdicts and ends, all servers of a trial, and says how many trials a variant was to have.
fn from_1(record: &mut Value) {
    record["format"] = json!(2);
    let Some(variants) = record.get_mut("variants").and_then(Value::as_array_mut) else { return };
    let trials = |variant: &Value| variant.get("trials").and_then(Value::as_array).map_or(0, Vec::len);
    let planned = variants.iter().map(trials).max().unwrap_or(0).max(1);
    for variant in variants.iter_mut().filter_map(Value::as_object_mut) {
        variant.insert("planned_trials".to_owned(), json!(planned));
        let after: Vec<f64> =
            each(variant, "trials").filter_map(|trial| trial["aborted"]["after_s"].as_f64()).collect();
        let mut after = after.into_iter();
        each_mut(variant, "verdicts").for_each(|verdict| verdict_from_1(verdict, &mut after));
        let aborted = each_mut(variant, "trials").filter_map(|trial| trial.get_mut("aborted")?.as_object_mut());
        aborted.for_each(aborted_from_1);
        each_mut(variant, "trials").for_each(servers_from_1);
    }
}

/// The kind of a verdict was told by its rule, and the end of a load by the end of a sentence. `after` are the times at which
/// loads of the variant were ended, in the order of their verdicts.
fn verdict_from_1(verdict: &mut Map<String, Value>, after: &mut dyn Iterator<Item = f64>) {
    let rule = verdict.get("rule").and_then(Value::as_str).unwrap_or_default().to_owned();
    let kind = if let Some(watched) = rule.strip_prefix("abort_when ") {
        let observed = verdict.get("observed").and_then(Value::as_str).unwrap_or_default();
        let observed = json!(observed.trim_end_matches(", and the load was ended"));
        verdict.insert("observed".to_owned(), observed);
        verdict.insert("rule".to_owned(), json!(watched));
        json!({ "type": "abort_when", "limit": limit(watched), "after_s": after.next().unwrap_or(0.0) })
    } else if let Some(expect) = rule.strip_prefix("dirty.expect = ") {
        json!({ "type": "dirty_check", "expect": expect.trim_matches('"') })
    } else if rule == "a success in the load" {
        json!({ "type": "success" })
    } else if Rule::parse(&rule).is_ok() {
        let mut kind = limit(&rule);
        kind["type"] = json!("rule");
        kind
    } else {
        json!({ "type": "script" })
    };
    verdict.insert("kind".to_owned(), kind);
}

fn aborted_from_1(aborted: &mut Map<String, Value>) {
    let limit = limit(aborted.get("rule").and_then(Value::as_str).unwrap_or_default());
    aborted.insert("limit".to_owned(), limit);
}

/// A trial had one server, which stood for all of them, and words for what happened.
fn servers_from_1(trial: &mut Map<String, Value>) {
    let Some(Value::Object(mut server)) = trial.remove("server") else { return };
    let loaded = trial.get("load").is_some_and(|load| !load.is_null());
    server.insert("part".to_owned(), json!(if loaded { "load" } else { "dirty_check" }));
    let exit = server.remove("exit").unwrap_or_default();
    server.insert(
        "end".to_owned(),
        match exit.as_str() {
            Some("stopped") => json!({ "type": "stopped" }),
            Some("left as it was") => json!({ "type": "left_running" }),
            text => json!({ "type": "told", "text": text.unwrap_or_default() }),
        },
    );
    for event in each_mut(&mut server, "events") {
        let of = if event.remove("second_server") == Some(json!(true)) { " (server of the dirty check)" } else { "" };
        let text = format!("{}{of}", event.remove("what").unwrap_or_default().as_str().unwrap_or_default());
        event.insert("type".to_owned(), json!("told"));
        event.insert("text".to_owned(), json!(text));
    }
    if let Some(Value::String(unmeasured)) = server.remove("unmeasured") {
        let (why, remedy) = unmeasured.split_once("; ").unwrap_or((&unmeasured, ""));
        server.insert("unmeasured".to_owned(), json!({ "why": why, "remedy": remedy }));
    }
    trial.insert("servers".to_owned(), json!([server]));
}

/// The limit of a rule. A rule that this version does not know has none that means anything.
fn limit(rule: &str) -> Value {
    match Rule::parse(rule) {
        Ok(rule) => json!({
            "metric": rule.metric.name(),
            "comparison": rule.comparison.to_string(),
            "value": rule.limit,
            "for_s": rule.lasting.map(|lasting| lasting.as_secs_f64()),
        }),
        Err(_) => json!({ "metric": rule, "comparison": "==", "value": 0.0 }),
    }
}

fn each<'a>(of: &'a Map<String, Value>, key: &str) -> impl Iterator<Item = &'a Value> {
    of.get(key).and_then(Value::as_array).into_iter().flatten()
}

fn each_mut<'a>(of: &'a mut Map<String, Value>, key: &str) -> impl Iterator<Item = &'a mut Map<String, Value>> {
    of.get_mut(key).and_then(Value::as_array_mut).into_iter().flatten().filter_map(Value::as_object_mut)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::process_end::ServerEnd;
    use crate::record::{Happening, ServerPart, ServerRecord, Unmeasured, Verdict, VerdictKind};
    use crate::scenario::Expect;

    fn kind_of(rule: &str, observed: &str) -> (VerdictKind, String, String) {
        let verdict = json!({
            "rule": rule, "status": "failed", "expected": "x", "observed": observed, "evidence": null
        });
        let trial = json!({ "aborted": { "rule": "errors.rate > 50% for 2s", "after_s": 3.1, "observed": "100 %" } });
        let record = json!({ "format": 1, "variants": [{ "trials": [trial], "verdicts": [verdict] }] });
        let record = upgraded(record).unwrap();
        let verdict: Verdict = serde_json::from_value(record["variants"][0]["verdicts"][0].clone()).unwrap();
        (verdict.kind, verdict.rule, verdict.observed)
    }

    #[test]
    fn the_kinds_of_verdicts_of_format_1_are_told_by_their_rules() {
        let (kind, rule, observed) =
            kind_of("abort_when errors.rate > 50% for 2s", "100 % after 3.1 s, and the load was ended");
        let VerdictKind::AbortWhen { limit, after_s } = kind else { panic!("{kind:?}") };
        assert_eq!((limit.metric.as_str(), limit.value, limit.for_s, after_s), ("errors.rate", 0.5, Some(2.0), 3.1));
        assert_eq!((rule.as_str(), observed.as_str()), ("errors.rate > 50% for 2s", "100 % after 3.1 s"));
        let (kind, ..) = kind_of("dirty.expect = \"dirty\"", "no leak");
        assert_eq!(kind, VerdictKind::DirtyCheck { expect: Expect::Dirty });
        let (kind, ..) = kind_of("latency.p99 < 100ms", "> 2.00 s");
        assert!(matches!(kind, VerdictKind::Rule(limit) if limit.value == 0.1));
        assert_eq!(kind_of("a success in the load", "").0, VerdictKind::Success);
        assert_eq!(kind_of("my own", "").0, VerdictKind::Script);
    }

    #[test]
    fn the_server_of_format_1_is_the_only_one_of_its_trial() {
        let events = json!([{ "t_s": 1.5, "what": "process 12 ended", "second_server": true }]);
        let server = json!({
            "ready_ms": 1.0, "cpu_s": 2.0, "cpu_mean": 0.2, "rss_peak_bytes": 3, "threads_max": 4, "address": "a:1",
            "exit": "killed after the grace of 1s", "events": events, "unmeasured": "there is no /proc; mount it"
        });
        let record = json!({ "format": 1, "variants": [{ "trials": [{ "server": server }], "verdicts": [] }] });
        let record = upgraded(record).unwrap();
        let servers = record["variants"][0]["trials"][0]["servers"].clone();
        let servers: Vec<ServerRecord> = serde_json::from_value(servers).unwrap();
        assert_eq!((servers.len(), servers[0].part, servers[0].cpu_s), (1, ServerPart::DirtyCheck, 2.0));
        assert_eq!(servers[0].end, ServerEnd::Told { text: "killed after the grace of 1s".to_owned() });
        let text = "process 12 ended (server of the dirty check)".to_owned();
        assert_eq!(servers[0].events[0].what, Happening::Told { text });
        let unmeasured = Unmeasured { why: "there is no /proc".to_owned(), remedy: "mount it".to_owned() };
        assert_eq!(servers[0].unmeasured, Some(unmeasured));
    }

    #[test]
    fn only_known_formats_are_read() {
        assert_eq!(upgraded(json!({ "format": 99 })), Err(NotReadable::OtherFormat(99)));
        assert_eq!(upgraded(json!({})), Err(NotReadable::NoFormat));
        assert_eq!(upgraded(json!({ "format": FORMAT })), Ok(json!({ "format": FORMAT })));
    }
}
