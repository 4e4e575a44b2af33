//! What is wrong with a scenario, and how it is drawn: title, caret, remedy, as rustc does.

use std::collections::HashSet;
use std::fmt;

use annotate_snippets::{AnnotationKind, Group, Level, Origin, Renderer, normalize_untrusted_str};

use super::secrets::Secrets;
use super::source::{Sources, Span};
use crate::excerpt::{renderer, snippet};
use crate::units::show_count;

/// How bad a problem is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Severity {
    /// Nothing is started.
    Error,
    /// Perhaps not what was meant.
    Warning,
    /// Worth knowing.
    Note,
}

/// One problem. `title` fits after "error: ".
#[derive(Debug, Clone)]
pub struct Problem {
    pub title: String,
    /// What to do about it.
    pub help: Option<String>,
    /// What is wrong here, at the caret; may be empty.
    pub label: String,
    severity: Severity,
    span: Option<Span>,
    /// Other places that have to do with it.
    also: Vec<(Span, String)>,
}

impl Problem {
    pub(super) fn new(title: impl Into<String>) -> Problem {
        let severity = Severity::Error;
        Problem { title: title.into(), help: None, label: String::new(), severity, span: None, also: Vec::new() }
    }

    pub(super) fn only(mut self, severity: Severity) -> Problem {
        self.severity = severity;
        self
    }

    /// Points the caret.
    pub(super) fn at(mut self, span: &Span, label: impl Into<String>) -> Problem {
        self.span = Some(span.clone());
        self.label = label.into();
        self
    }

    /// Points out another place.
    pub(super) fn also(mut self, span: &Span, label: impl Into<String>) -> Problem {
        self.also.push((span.clone(), label.into()));
        self
    }

    pub(super) fn help(mut self, help: impl Into<String>) -> Problem {
        self.help = Some(help.into());
        self
    }
}

/// All problems of a file, in its order.
#[derive(Debug, Default, Clone)]
pub struct Problems {
    pub(super) sources: Sources,
    list: Vec<Problem>,
    /// Where each of them is, and what it says.
    known: HashSet<(Option<Span>, String)>,
}

/// So many are drawn at most: whoever has mended those looks again.
const DRAWN: usize = 20;

impl Problems {
    /// One.
    pub(super) fn of(problem: Problem) -> Problems {
        let mut problems = Problems::default();
        problems.add(problem);
        problems
    }

    /// Keeps a problem, unless the same was found before (in another variant of the matrix).
    pub(super) fn add(&mut self, problem: Problem) {
        if self.known.insert((problem.span.clone(), problem.title.clone())) {
            self.list.push(problem);
        }
    }

    /// The same problems in words that hold no secret. What they point at is shown as it was written.
    pub(super) fn without(mut self, secrets: &Secrets) -> Problems {
        for problem in &mut self.list {
            let words = [&mut problem.title, &mut problem.label].into_iter().chain(&mut problem.help);
            for text in words.chain(problem.also.iter_mut().map(|(_, label)| label)) {
                *text = secrets.hide(text).into_owned();
            }
        }
        self
    }

    pub(super) fn sort(&mut self) {
        self.list.sort_by_key(|problem| problem.span.as_ref().map(|span| span.start));
    }

    /// How many there are; at least one where `load` returns them.
    pub fn count(&self) -> usize {
        self.list.len()
    }

    /// Each problem, in the order of the file.
    pub fn iter(&self) -> impl Iterator<Item = &Problem> {
        self.list.iter()
    }

    /// Draws problems with their lines and carets, the first few, and says how many more there are; `color` for terminals.
    pub fn render(&self, color: bool) -> String {
        let renderer = renderer(color);
        let (errors, others): (Vec<&Problem>, Vec<&Problem>) =
            self.list.iter().partition(|problem| problem.severity == Severity::Error);
        // Of too many the worst are drawn, all of them in the order of the file.
        let (from_errors, from_others) = (errors.len().min(DRAWN), DRAWN - errors.len().min(DRAWN));
        let mut chosen: Vec<&Problem> = errors[..from_errors].to_vec();
        chosen.extend(others.iter().take(from_others));
        if chosen.len() == self.list.len() {
            chosen = self.list.iter().collect();
        }
        let mut drawn: Vec<String> = chosen.iter().map(|problem| self.draw(problem, &renderer)).collect();
        let more = self.list.len() - chosen.len();
        if more > 0 {
            drawn.push(format!("and {} more", show_count(more as u64)));
        }
        drawn.join("\n\n") + "\n"
    }

    fn draw(&self, problem: &Problem, renderer: &Renderer) -> String {
        let level = match problem.severity {
            Severity::Error => Level::ERROR,
            Severity::Warning => Level::WARNING,
            Severity::Note => Level::NOTE,
        };
        let mut group = Group::with_title(level.primary_title(normalize_untrusted_str(&problem.title)));
        match problem.span.as_ref().and_then(|span| self.sources.locate(span)) {
            Some((origin, range)) => {
                let here = AnnotationKind::Primary.span(range).label(Some(&*problem.label).filter(|l| !l.is_empty()));
                group = group.element(snippet(origin.name.as_str(), &origin.text).annotation(here).annotations(
                    self.others(problem, &origin.name).map(|(_, range, label)| {
                        AnnotationKind::Context.span(range).label(Some(label).filter(|l| !l.is_empty()))
                    }),
                ));
                for (other, range, label) in self.others(problem, "").filter(|other| other.0.name != origin.name) {
                    let there = AnnotationKind::Context.span(range).label(label);
                    group = group.element(snippet(other.name.as_str(), &other.text).annotation(there));
                }
            }
            None => {
                if let Some((file, _)) = self.sources.locate(&(0..0)) {
                    group = group.element(Origin::path(file.name.as_str()));
                }
            }
        }
        if let Some(help) = &problem.help {
            group = group.element(Level::HELP.message(normalize_untrusted_str(help)));
        }
        renderer.render(&[group])
    }

    /// The other places of a problem; all of them, or those in the origin of this name.
    fn others<'a>(
        &'a self,
        problem: &'a Problem,
        name: &'a str,
    ) -> impl Iterator<Item = (&'a super::source::Origin, Span, &'a str)> {
        problem
            .also
            .iter()
            .filter_map(|(span, label)| self.sources.locate(span).map(|(origin, at)| (origin, at, label.as_str())))
            .filter(move |(origin, ..)| name.is_empty() || origin.name == name)
    }
}

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.render(false))
    }
}

impl std::error::Error for Problems {}

/// An I/O error in the words of people.
pub(super) fn why(error: &std::io::Error) -> String {
    match error.kind() {
        std::io::ErrorKind::NotFound => "no such file".to_owned(),
        std::io::ErrorKind::PermissionDenied => "not allowed to read it".to_owned(),
        std::io::ErrorKind::IsADirectory => "it is a folder".to_owned(),
        std::io::ErrorKind::InvalidData => "it is not UTF-8 text".to_owned(),
        _ => error.to_string(),
    }
}
