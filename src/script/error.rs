//! Why a script failed, in words for the people who wrote it.

use std::fmt;

use rhai::{EvalAltResult, LexError, ParseErrorType, Position};

use super::type_names::{plain_signature, plain_type, plain_types};
use super::{Limits, size_limits};
use crate::units;

/// Names of a call path that are kept; an endless recursion has no use for more.
const MOST_CALLS: usize = 8;

/// What a script throws may be a text of a megabyte, or all of its data.
const LONGEST_MESSAGE: usize = 2_000;

/// Where a script is wrong. `line` and `column` count from 1; 0 where unknown.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ScriptError {
    pub message: String,
    /// The innermost function, or none outside of all.
    pub function: Option<String>,
    pub line: usize,
    pub column: usize,
    /// The imported file that `line` is in, as its `import` names it; none for the script itself.
    pub file: Option<String>,
    /// The functions that called it, the handler first.
    pub callers: Vec<String>,
}

impl fmt::Display for ScriptError {
    /// `in dirty, line 4, column 5: unknown variable `emial``.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut places = Vec::new();
        places.extend(self.function.as_ref().map(|function| format!("in {function}")));
        places.extend(self.file.as_ref().map(|file| format!("file {file}")));
        if self.line > 0 {
            places.push(format!("line {}", self.line));
        }
        if self.column > 0 {
            places.push(format!("column {}", self.column));
        }
        if !places.is_empty() {
            write!(formatter, "{}: ", places.join(", "))?;
        }
        formatter.write_str(&self.message)?;
        if !self.callers.is_empty() {
            write!(formatter, " (called by {})", self.callers.join(" > "))?;
        }
        Ok(())
    }
}

impl std::error::Error for ScriptError {}

impl ScriptError {
    /// With nothing but a message.
    pub fn new(message: impl Into<String>) -> ScriptError {
        ScriptError { message: message.into(), ..ScriptError::default() }
    }

    pub(super) fn at(mut self, position: Position) -> ScriptError {
        self.line = position.line().unwrap_or(0);
        self.column = position.position().unwrap_or(0);
        self
    }

    pub(super) fn in_function(mut self, function: &str) -> ScriptError {
        self.function = Some(function.to_owned());
        self
    }

    /// A script that does not parse, or failed while it ran.
    pub(super) fn of_running(error: EvalAltResult, handler: Option<&str>, limits: &Limits) -> ScriptError {
        let mut calls: Vec<String> = handler.map(str::to_owned).into_iter().collect();
        let mut file = None;
        let mut position = error.position();
        let mut cause = error;
        loop {
            cause = match cause {
                EvalAltResult::ErrorInFunctionCall(name, source, inner, _) => {
                    calls.push(function_name(&name));
                    file = Some(source);
                    *inner
                }
                EvalAltResult::ErrorInModule(path, inner, _) => {
                    file = Some(path);
                    *inner
                }
                innermost => {
                    cause = innermost;
                    break;
                }
            };
            if !cause.position().is_none() {
                position = cause.position();
            }
        }
        let function = calls.pop();
        calls.truncate(MOST_CALLS);
        let error = ScriptError {
            function,
            callers: calls,
            file: file.filter(|file| !file.is_empty()),
            ..ScriptError::new(running(cause, limits))
        };
        error.at(position)
    }
}

fn function_name(name: &str) -> String {
    if name.starts_with("anon$") { "a closure".to_owned() } else { name.to_owned() }
}

fn parsing(error: &ParseErrorType) -> String {
    match error {
        ParseErrorType::Reserved(word) | ParseErrorType::BadInput(LexError::ImproperSymbol(word, _))
            if matches!(word.as_str(), "eval" | "curry") =>
        {
            format!("`{word}` is switched off")
        }
        ParseErrorType::Reserved(word) => {
            format!("`{word}` is a word of the language, also where it has no use: take another name")
        }
        ParseErrorType::BadInput(LexError::UnterminatedString) => {
            "this text has no end: is a quote missing?".to_owned()
        }
        ParseErrorType::MissingToken(token, _) if token == "}" => {
            "the block that is open here has no end: is a `}` missing, here or before?".to_owned()
        }
        ParseErrorType::FnDuplicatedDefinition(name, count) => {
            let takes = units::counted(*count as u64, "parameter");
            format!("a second function `{name}` with {takes}: rename one, or remove it")
        }
        ParseErrorType::UnexpectedEOF => "the script ends in the middle of something: is a `}` missing?".to_owned(),
        ParseErrorType::ExprTooDeep => "expressions or blocks nest too deeply here".to_owned(),
        error => lowercase_first(&error.to_string()),
    }
}

fn running(mut error: EvalAltResult, limits: &Limits) -> String {
    error.clear_position();
    match error {
        EvalAltResult::ErrorParsing(error, _) => parsing(&error),
        EvalAltResult::ErrorVariableNotFound(name, _) => match name.strip_prefix("global::") {
            Some(name) => format!("unknown constant `{name}`; write it without `global::`"),
            None => format!("unknown variable `{name}`"),
        },
        EvalAltResult::ErrorFunctionNotFound(signature, _) => {
            format!(
                "unknown function `{}`: no function of this name takes these arguments",
                plain_signature(&signature)
            )
        }
        EvalAltResult::ErrorModuleNotFound(path, _) => format!("nothing to import at `{path}`"),
        EvalAltResult::ErrorTooManyOperations(_) => {
            let most = units::show_count(limits.operations);
            format!("it ran more than {most} operations: is there an endless loop?")
        }
        EvalAltResult::ErrorStackOverflow(_) => {
            format!("calls nest more than {} deep: is there an endless recursion?", limits.call_depth)
        }
        EvalAltResult::ErrorTooManyVariables(_) => "too many variables at once".to_owned(),
        EvalAltResult::ErrorTooManyModules(_) => "too many imports".to_owned(),
        EvalAltResult::ErrorDataTooLarge(what, _) => too_large(&what, limits),
        EvalAltResult::ErrorRuntime(value, _) if value.is_unit() => "it threw an error without a message".to_owned(),
        EvalAltResult::ErrorRuntime(value, _) | EvalAltResult::ErrorTerminated(value, _) => {
            // The text that went beyond the limit is whole in it.
            size_limits::text(&value, LONGEST_MESSAGE).chars().take(LONGEST_MESSAGE).collect()
        }
        EvalAltResult::ErrorMismatchDataType(wanted, found, _)
        | EvalAltResult::ErrorMismatchOutputType(wanted, found, _) => {
            format!("this wants a {}, not a {}", plain_type(&wanted), plain_type(&found))
        }
        EvalAltResult::ErrorDotExpr(text, _) => dot(&text),
        EvalAltResult::ErrorIndexingType(types, _) => {
            format!("`{}` has no such property or index", plain_types(&types))
        }
        EvalAltResult::ErrorFor(_) => "`for` wants something to go through: an array, a range, a string".to_owned(),
        error => lowercase_first(&error.to_string()),
    }
}

/// rhai's words for a property that no type has: `Unknown property 'x' - a getter is not registered for type 'T'`.
fn dot(text: &str) -> String {
    let quoted: Vec<&str> = text.split('\'').collect();
    match quoted[..] {
        [_, name, what, kind, ..] if what.contains("setter") => {
            format!("`{name}` of a {} cannot be written", plain_type(kind))
        }
        [_, name, what, kind, ..] if what.contains("getter") => format!("a {} has no `{name}`", plain_type(kind)),
        _ => lowercase_first(text),
    }
}

fn too_large(what: &str, limits: &Limits) -> String {
    if what.contains("string") {
        format!("a string grew longer than {}", units::show_size(limits.string_bytes as u64))
    } else if what.contains("map") {
        format!("a map grew to more than {} entries, nested ones counted", units::show_count(limits.map_items as u64))
    } else {
        format!(
            "an array grew to more than {} items, nested ones counted",
            units::show_count(limits.array_items as u64)
        )
    }
}

fn lowercase_first(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map(|first| first.to_lowercase().chain(letters).collect()).unwrap_or_default()
}
