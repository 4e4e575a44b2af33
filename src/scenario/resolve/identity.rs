//! Who asks in a dirty check: identities, their groups and logins, and that requests of one differ from another's.

use std::collections::BTreeMap;

use super::super::file::{
    self,
    values::{Entries, Located, Node},
};
use super::super::problem::Problem;
use super::super::source::Span;
use super::super::template::Placeholder;
use super::super::{LoginSpec, RequestSpec, suggest};
use super::Loading;
use super::request::Parts;

type Fields = BTreeMap<String, String>;

impl Loading<'_> {
    /// Identities with the same fields each; none after a problem that leaves none.
    pub(super) fn identities(&mut self, written: &file::RawDirty) -> Vec<Fields> {
        let Some(given) = &written.identities else { return Vec::new() };
        let Some(first) = given.value.get(1).and(given.value.first()) else {
            let problem = Problem::new("fewer than two identities").at(&given.span, "nobody to be taken for another");
            self.missing(
                &["dirty", "identities"],
                problem.help("write two or more: identities = [{ lang = \"en\" }, { lang = \"es\" }]"),
            );
            // Its fields fill placeholders all the same.
            return given.value.iter().map(|only| self.fields(only)).collect();
        };
        let mut all: Vec<Fields> = Vec::new();
        for item in &given.value {
            self.check_fields(first, item);
            let fields = self.fields(item);
            if let Some(twin) = all.iter().position(|known| *known == fields) {
                let problem =
                    Problem::new("two identities are the same").at(&item.span, "told from the other by nothing");
                let problem = problem.also(&given.value[twin].span, "the other");
                self.problems.add(problem.help("remove one, or give it a value of its own"));
            }
            all.push(fields);
        }
        all
    }

    /// That an identity has the fields of the first one, and no other.
    fn check_fields(&mut self, first: &Located<Entries<Node>>, item: &Located<Entries<Node>>) {
        let names =
            |of: &Located<Entries<Node>>| of.value.0.iter().map(|(name, _)| name.value.clone()).collect::<Vec<_>>();
        let (known, own) = (names(first), names(item));
        // One that is misspelt is both missing and one too many.
        let strange = own.iter().any(|name| !known.contains(name));
        for name in known.iter().filter(|name| !own.contains(name) && !strange) {
            let problem = Problem::new(format!("an identity without `{name}`")).at(&item.span, "has other fields");
            let problem = problem.also(&first.span, "than this one");
            self.problems.add(problem.help("give each identity the same fields"));
        }
        for (name, _) in item.value.0.iter().filter(|(name, _)| !known.contains(&name.value)) {
            let problem = Problem::new(format!("the first identity has no `{}`", name.value));
            let problem = problem.at(&name.span, "a field of this one alone").also(&first.span, "the first");
            let known: Vec<&str> = known.iter().map(String::as_str).collect();
            self.problems.add(problem.help(suggest::help(&name.value, "fields of identities", &known)));
        }
    }

    /// Names and values as text.
    fn fields(&mut self, item: &Located<Entries<Node>>) -> Fields {
        let mut fields = Fields::new();
        for (name, node) in &item.value.0 {
            let text = match &node.value {
                Node::Text(text) => text.clone(),
                Node::List(_) | Node::Table(_) => {
                    let problem = Problem::new(format!("the identity's `{}` is not a plain value", name.value));
                    self.problems.add(problem.at(&node.span, "a list or a table").help("write a string or a number"));
                    String::new()
                }
                plain => plain.to_json().to_string(),
            };
            if text.chars().any(char::is_control) {
                let problem = Problem::new(format!("the identity's `{}` holds a control character", name.value));
                let problem = problem.at(&node.span, "no header or cookie could hold it");
                self.problems.add(problem.help("write it on one line"));
            }
            fields.insert(name.value.clone(), text);
        }
        fields
    }

    /// The field that makes groups of the identities.
    pub(super) fn group(&mut self, written: &file::RawDirty, identities: &[Fields]) -> Option<String> {
        let given = written.group.as_ref()?;
        let known: Vec<&str> =
            identities.first().into_iter().flat_map(|first| first.keys().map(String::as_str)).collect();
        if !known.contains(&given.value.as_str()) {
            let problem = Problem::new(format!("identities have no `{}`", given.value));
            let help = match known.is_empty() {
                true => "add identities = [{ team = \"a\" }, { team = \"b\" }], or remove `group`".to_owned(),
                false => suggest::help(&given.value, "fields of identities", &known),
            };
            let problem = problem.at(&given.span, "makes no groups").help(help);
            self.missing(&["dirty", "identities"], problem);
            return None;
        }
        let mut values = identities.iter().map(|fields| fields.get(&given.value));
        let first = values.next();
        if identities.len() > 1 && values.all(|value| Some(value) == first) {
            let problem = Problem::new("all identities are in one group");
            let problem = problem.at(&given.span, "each may see what is another's");
            self.problems.add(problem.help("add an identity of another group, or remove `group`"));
        }
        Some(given.value.clone())
    }

    /// That requests differ from one identity to another, and that all that is given to tell them apart is used.
    pub(super) fn check_identity(
        &mut self,
        at: &Located<file::RawDirty>,
        request: &RequestSpec,
        login: Option<&LoginSpec>,
    ) {
        const KEYS: [&str; 7] = ["query", "headers", "cookies", "json", "form", "body", "login"];
        if KEYS.iter().any(|key| self.spoilt.touches(&["dirty", key])) {
            return;
        }
        let written = &at.value;
        let holes = request
            .holes()
            .into_iter()
            .chain(login.into_iter().flat_map(LoginSpec::requests).flat_map(RequestSpec::holes));
        let fields = holes.filter_map(|hole| match hole {
            Placeholder::Identity(field) => Some(field),
            _ => None,
        });
        let mut used: Vec<String> = fields.collect();
        used.extend(written.group.as_ref().map(|group| group.value.clone()));
        let carries =
            login.is_some() || request.has(|hole| matches!(hole, Placeholder::Canary | Placeholder::Identity(_)));
        if !self.unused_fields(written, &used) && !carries {
            let span = written.path.as_ref().map_or(&at.span, |path| &path.span);
            let problem = Problem::new("[dirty] has no `{canary}`").at(span, "nothing here tells requests apart");
            let help =
                "put `{canary}` where the server takes in what identifies a user, as in \"/page/?email={canary}\"";
            self.problems.add(problem.help(help));
        }
    }

    /// Reports the fields of identities that none of `used` names; whether there are any.
    fn unused_fields(&mut self, written: &file::RawDirty, used: &[String]) -> bool {
        let first = written.identities.as_ref().and_then(|identities| identities.value.first());
        let names: Vec<&Located<String>> =
            first.into_iter().flat_map(|first| first.value.0.iter().map(|(name, _)| name)).collect();
        let is_slip = |used: &String| !names.iter().any(|name| name.value == *used);
        // A name that is misspelt where it is used is said there.
        if used.iter().any(is_slip) {
            return !names.is_empty();
        }
        let unused: Vec<&Located<String>> = names.into_iter().filter(|name| !used.contains(&name.value)).collect();
        for name in &unused {
            let problem = Problem::new(format!("nothing uses the identities' `{}`", name.value));
            let problem = problem.at(&name.span, "fills no placeholder");
            self.problems
                .add(problem.help(format!("write `{{identity.{}}}` in the request, or remove it", name.value)));
        }
        !unused.is_empty()
    }

    /// `{identity.field}` without such a field.
    pub(super) fn unknown_field(&mut self, field: &str, place: &Span, parts: &Parts<'_>) {
        if parts.section.starts_with("load") {
            let problem = Problem::new("only [dirty] has identities").at(place, "nothing fills this");
            self.problems.add(problem.help("use `{user}` and `{seq}` to tell users apart"));
            return;
        }
        let problem = Problem::new(format!("identities have no `{field}`")).at(place, "nothing fills this");
        let known: Vec<&str> = parts.identity.iter().map(String::as_str).collect();
        let help = match known.is_empty() {
            true => format!("add identities = [{{ {field} = \"a\" }}, {{ {field} = \"b\" }}] to [dirty]"),
            false => suggest::help(field, "fields of identities", &known),
        };
        self.missing(&["dirty", "identities"], problem.help(help));
    }
}
