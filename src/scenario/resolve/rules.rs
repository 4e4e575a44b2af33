//! Rules: parsed, applied to the variants that they are for, and checked against what the scenario measures.

use super::super::file::values::{Entries, Located, Node};
use super::super::file::{self, RawRule};
use super::super::matrix::Matrix;
use super::super::problem::Problem;
use super::super::source::Span;
use super::super::{decode, suggest, toml_tree};
use super::Loading;
use crate::rule::metric::MetricGroup;
use crate::rule::{Metric, Rule};
use crate::script::hooks::CHECK;

type Settings = [(String, serde_json::Value)];

impl Loading<'_> {
    /// The rules of a variant, and those that end its load early.
    pub(super) fn rules(
        &mut self,
        written: &file::RawScenario,
        matrix: &Matrix<'_>,
        settings: &Settings,
    ) -> (Vec<Rule>, Vec<Rule>) {
        let Some(assert) = &written.assert else { return (Vec::new(), Vec::new()) };
        let mut rules = Vec::new();
        for item in assert.value.that.iter().flatten() {
            let applies = item.when.as_ref().is_none_or(|when| self.applies(when, matrix, settings));
            if let Some(when) = &item.when {
                match self.conditions.iter_mut().find(|(known, _)| *known == when.span) {
                    Some((_, met)) => *met |= applies,
                    None => self.conditions.push((when.span.clone(), applies)),
                }
            }
            match self.that(item, written) {
                Some(rule) if applies => rules.push(rule),
                _ => {}
            }
        }
        let early =
            assert.value.abort_when.iter().flatten().filter_map(|text| self.abort_when(text, written)).collect();
        (rules, early)
    }

    /// A rule that is for no variant would never be judged. Where something else is wrong, that may be why.
    pub(super) fn check_conditions(&mut self) {
        let conditions = std::mem::take(&mut self.conditions);
        if self.problems.count() > 0 {
            return;
        }
        for (span, _) in conditions.into_iter().filter(|(_, met)| !met) {
            let problem = Problem::new("a rule for no variant").at(&span, "no variant has all of this");
            self.problems.add(problem.help("let each key of `when` have one value; `runner check` lists the variants"));
        }
    }

    fn that(&mut self, item: &RawRule, written: &file::RawScenario) -> Option<Rule> {
        let Some(text) = &item.rule else {
            let span = item.when.as_ref().map_or(0..0, |when| when.span.clone());
            let problem = Problem::new("a `when` without a `rule`").at(&span, "for which rule?");
            self.missing(&["assert", "that"], problem.help("write { rule = \"dirty.leaks == 0\", when = { ... } }"));
            return None;
        };
        self.judging_rule(text, written)
    }

    /// A rule that judges a whole load.
    pub(super) fn judging_rule(&mut self, text: &Located<String>, written: &file::RawScenario) -> Option<Rule> {
        let rule = self.rule(text, written)?;
        if rule.lasting.is_some() {
            let at = text.value.rfind(" for ").map_or(0, |at| at + 1);
            let place = self.problems.sources.inside(&text.span, &text.value, at..text.value.trim_end().len());
            let problem = Problem::new("`for` is only for `abort_when`").at(&place, "these rules judge a whole run");
            self.problems.add(problem.help("remove it, or move the rule to abort_when"));
            return None;
        }
        Some(rule)
    }

    fn abort_when(&mut self, text: &Located<String>, written: &file::RawScenario) -> Option<Rule> {
        let rule = self.rule(text, written)?;
        if Metric::WATCHABLE.contains(&rule.metric) {
            return Some(rule);
        }
        let metric = rule.metric.name();
        let place = self.metric_place(text, &metric);
        let problem = Problem::new(format!("`abort_when` cannot watch `{metric}`")).at(&place, "known only at the end");
        let watchable = Metric::WATCHABLE.map(Metric::name);
        let watchable = suggest::either(&watchable.each_ref().map(String::as_str));
        self.problems.add(problem.help(format!("watch {watchable}; judge the rest in `that`")));
        None
    }

    /// Parses a rule, and checks that the scenario measures what it is about.
    fn rule(&mut self, text: &Located<String>, written: &file::RawScenario) -> Option<Rule> {
        let rule = match Rule::parse(&text.value) {
            Ok(rule) => rule,
            Err(error) => {
                let place = self.problems.sources.inside(&text.span, &text.value, error.range);
                let (label, help) = match decode::unit_error(&error.help) {
                    Some((_, label, help)) => (label, help),
                    None => ("", error.help.as_str()),
                };
                self.problems.add(Problem::new(error.message).at(&place, label).help(help));
                return None;
            }
        };
        let of_checks = matches!(rule.metric, Metric::ChecksFailed | Metric::ChecksPassed | Metric::CheckRate);
        if of_checks && written.load.is_some() && !self.has_check(written) {
            let metric = rule.metric.name();
            let place = self.metric_place(text, &metric);
            let problem = Problem::new(format!("nothing measures `{metric}`"));
            let problem = problem.at(&place, "[load] has no script with a `check`");
            let help = "add script = \"handlers/shop.rhai\" to [load], with `fn check(exchange)` in it";
            self.missing(&["load", "script"], problem.help(help));
            return None;
        }
        let (section, given) = match rule.metric.group() {
            MetricGroup::Load => ("load", written.load.is_some()),
            MetricGroup::Capacity => ("capacity", written.capacity.is_some()),
            MetricGroup::Dirty => ("dirty", written.dirty.is_some()),
            MetricGroup::Server => return Some(rule),
        };
        if !given && written.load.is_none() && written.dirty.is_none() {
            // That there is nothing to do is said.
            return None;
        }
        if !given {
            let metric = rule.metric.name();
            let place = self.metric_place(text, &metric);
            let problem = Problem::new(format!("nothing measures `{metric}`"));
            let problem = problem.at(&place, format!("there is no [{section}] in this scenario"));
            self.missing(&[section], problem.help(format!("add [{section}], or remove the rule")));
            return None;
        }
        Some(rule)
    }

    /// Whether the load's script looks at responses; a script that is wrong may have meant to.
    fn has_check(&mut self, written: &file::RawScenario) -> bool {
        let given = written.load.as_ref().and_then(|load| load.value.script.as_ref());
        given.is_some_and(|given| self.hooks(given).is_none_or(|script| script.has(CHECK)))
    }

    /// Where a rule names its metric.
    pub(super) fn metric_place(&self, text: &Located<String>, metric: &str) -> Span {
        // `p999` is shown as `p99.9`, so that the metric's own name may not be what was written.
        let start = text.value.len() - text.value.trim_start().len();
        let written = text.value[start..].split(['<', '>', '=', '!', ' ']).next().map_or(metric.len(), str::len);
        self.problems.sources.inside(&text.span, &text.value, start..start + written)
    }

    /// Whether a rule is for the variant with these settings.
    fn applies(&mut self, when: &Located<Node>, matrix: &Matrix<'_>, settings: &Settings) -> bool {
        let Node::Table(entries) = &when.value else {
            let problem = Problem::new("`when` must be a table").at(&when.span, "this is something else");
            self.problems.add(problem.help("write when = { server = \"gunicorn\" }"));
            return false;
        };
        let mut conditions = Vec::new();
        flatten("", entries, &mut conditions);
        if conditions.is_empty() {
            let problem = Problem::new("an empty `when`").at(&when.span, "names no key of the matrix");
            let help = "write when = { server = \"gunicorn\" }, or remove it, so that the rule is for every run";
            self.problems.add(problem.help(help));
        }
        let mut all = true;
        for (key, name, value) in conditions {
            all &= self.holds(&key, name, value, matrix, settings);
        }
        all
    }

    fn holds(
        &mut self,
        key: &str,
        name: &Located<String>,
        value: &Located<Node>,
        matrix: &Matrix<'_>,
        settings: &Settings,
    ) -> bool {
        if self.spoilt.covers(&["matrix", key]) {
            return false;
        }
        let Some(axis) = matrix.axis(key) else {
            let known: Vec<&str> = matrix.axes.iter().map(|axis| axis.key.as_str()).collect();
            let problem = Problem::new(format!("the matrix does not vary `{key}`")).at(&name.span, "not in the matrix");
            self.problems.add(problem.help(match known.is_empty() {
                true => "there is no matrix; remove `when`, so that the rule is for every run".to_owned(),
                false => suggest::help(key, "keys of the matrix", &known),
            }));
            return false;
        };
        let wanted = value.value.to_json();
        let values: Vec<serde_json::Value> = axis.values.iter().map(toml_tree::to_json).collect();
        if !values.contains(&wanted) {
            let shown = |value: &serde_json::Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            let known: Vec<String> = values.iter().map(shown).collect();
            let known: Vec<&str> = known.iter().map(String::as_str).collect();
            let problem = Problem::new(format!("the matrix never sets `{key}` to `{}`", shown(&wanted)));
            let problem = problem.at(&value.span, "the rule would be for no variant").also(&axis.span, "its values");
            self.problems.add(problem.help(suggest::help(&shown(&wanted), "its values", &known)));
            return false;
        }
        settings.iter().any(|(setting, value)| *setting == axis.key && *value == wanted)
    }
}

/// Nested tables (`when = { server.mode = "sync" }`) as flat key paths.
fn flatten<'w>(
    prefix: &str,
    entries: &'w Entries<Node>,
    out: &mut Vec<(String, &'w Located<String>, &'w Located<Node>)>,
) {
    for (name, value) in &entries.0 {
        let key = format!("{prefix}{}", name.value);
        match &value.value {
            Node::Table(inner) => flatten(&format!("{key}."), inner, out),
            _ => out.push((key, name, value)),
        }
    }
}
