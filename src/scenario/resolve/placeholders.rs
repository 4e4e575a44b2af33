//! Texts with holes: each hole of a request must be one that can be filled there.

use super::super::file::values::Located;
use super::super::problem::{Problem, Severity};
use super::super::source::Span;
use super::super::suggest;
use super::super::template::{Placeholder, Template, TemplateError, TemplateErrorKind};
use super::Loading;
use super::request::Parts;

impl Loading<'_> {
    /// Parses a text with holes; `None` after a problem.
    pub(super) fn template(
        &mut self,
        at: &Located<String>,
        parse: fn(&str) -> Result<Template, TemplateError>,
    ) -> Option<Template> {
        let error = match parse(&at.value) {
            Ok(template) => return Some(template),
            Err(error) => error,
        };
        let place = self.problems.sources.inside(&at.span, &at.value, error.range);
        self.problems.add(match error.kind {
            TemplateErrorKind::Unknown(name) => Problem::new(format!("unknown placeholder `{{{name}}}`"))
                .at(&place, "nothing fills this")
                .help(placeholder_help(&name)),
            TemplateErrorKind::Unpaired(brace) => Problem::new(format!("a `{brace}` without its partner"))
                .at(&place, "no placeholder")
                .help(format!("write {brace}{brace} for a brace that stands for itself")),
        });
        None
    }

    /// Parses a text of a request, and checks that every hole in it can be filled.
    pub(super) fn filled(
        &mut self,
        at: &Located<String>,
        parse: fn(&str) -> Result<Template, TemplateError>,
        parts: &Parts<'_>,
        header: Option<&str>,
    ) -> Option<Template> {
        let template = self.template(at, parse)?;
        for hole in template.holes() {
            let place = self.hole_place(at, hole);
            let section = parts.section;
            match hole {
                Placeholder::Data(_) if !section.starts_with("load") => {
                    let problem = Problem::new(format!("`{hole}` in [{section}]")).at(&place, "nothing fills this");
                    self.problems.add(problem.help("rows belong to the users of [load]; here, use `{canary}`"));
                }
                Placeholder::Data(column) => self.column(column, &place, parts.data, header),
                Placeholder::Identity(field) if !parts.identity.contains(field) => {
                    self.unknown_field(field, &place, parts);
                }
                Placeholder::Token | Placeholder::Capture(_) => {
                    let name = hole.captured().unwrap_or_default();
                    if !parts.captured.iter().any(|known| known == name) {
                        self.not_captured(hole, name, &place, parts);
                    }
                }
                Placeholder::Sleep if !parts.has_sleep => {
                    let problem = Problem::new("`{sleep}` without a sleep").at(&place, "nothing fills this");
                    let help = match section {
                        "load" | "load.request" => {
                            "add sleep = \"100ms\" to [load], or to the matrix: \"load.sleep\" = [...]"
                        }
                        login if login.contains("login") => "a login has no sleep; write the seconds themselves",
                        _ => "add sleep = { long = \"700ms\", short = \"30ms\" } to [dirty]",
                    };
                    let top = section.strip_suffix(".request").unwrap_or(section);
                    self.missing(&[top, "sleep"], problem.help(help));
                }
                Placeholder::Socket | Placeholder::Fd => {
                    let problem = Problem::new(format!("`{hole}` in a request")).at(&place, "nothing fills this");
                    self.problems.add(problem.help("only a `command` holds it, to listen there"));
                }
                Placeholder::Workers if !parts.workers_known => {
                    let problem =
                        Problem::new("`{workers}` is not known of a server at a url").at(&place, "nothing fills this");
                    self.problems.add(problem.help("write the number itself"));
                }
                _ => {}
            }
        }
        Some(template)
    }

    /// As [`Loading::filled`], of a text in which braces are ordinary; says what could have been meant for a placeholder.
    pub(super) fn filled_body(&mut self, at: &Located<String>, parts: &Parts<'_>) -> Option<Template> {
        self.note_lookalikes(at);
        self.filled(at, Template::parse_body, parts, None)
    }

    /// Warns of names in braces that are left as they stand.
    pub(super) fn note_lookalikes(&mut self, at: &Located<String>) {
        for range in Template::lookalikes(&at.value) {
            let written = &at.value[range.clone()];
            let near = suggest::nearest(written.trim_matches(['{', '}']), Placeholder::NAMES.iter().copied());
            let help = match near {
                Some(near) => format!("did you mean `{{{near}}}`? Else all is well: it is sent as it stands"),
                None => "it is sent as it stands".to_owned(),
            };
            let place = self.problems.sources.inside(&at.span, &at.value, range);
            let warning = Problem::new(format!("`{written}` is no placeholder")).only(Severity::Warning);
            self.warnings.push(warning.at(&place, "text, as any other").help(help));
        }
    }

    /// Where a hole stands in its text.
    pub(super) fn hole_place(&self, at: &Located<String>, hole: &Placeholder) -> Span {
        let text = hole.to_string();
        match at.value.find(&text) {
            Some(start) => self.problems.sources.inside(&at.span, &at.value, start..start + text.len()),
            None => at.span.clone(),
        }
    }
}

fn placeholder_help(name: &str) -> String {
    if name.starts_with("base64(") {
        return "write the text in parentheses: {base64({canary}:secret)}".to_owned();
    }
    if name.starts_with("random") {
        return "write two whole numbers, the lower first: {random(1,100)}".to_owned();
    }
    let function = name.strip_suffix("(...)").and_then(|name| suggest::nearest(name, ["base64"]));
    if let Some(near) = function {
        return format!("did you mean `{{{near}(...)}}`?");
    }
    match suggest::nearest(name, Placeholder::NAMES.iter().copied()) {
        Some(near) => format!("did you mean `{{{near}}}`?"),
        None => {
            let known: Vec<String> = Placeholder::NAMES.iter().map(|name| format!("{{{name}}}")).collect();
            let known: Vec<&str> = known.iter().map(String::as_str).collect();
            format!("placeholders are {}; write {{{{ and }}}} for braces themselves", suggest::list(&known))
        }
    }
}
