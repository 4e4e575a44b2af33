//! What an import leaves out, and why; and why nothing could be imported.

use std::fmt;

/// Something that did not become a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeftOut {
    /// Method and path as documented: `POST /items`.
    pub name: String,
    pub reason: LeftOutReason,
}

/// Why something did not become a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LeftOutReason {
    /// No response gives the id: the parameter's name.
    NoId(String),
    /// It deletes, and no operation creates what it would delete: the parameter's name.
    NotCreated(String),
    /// A schema that no finite value fits: the parameter or field.
    CannotBeMade(String),
    /// A body of this media type.
    MediaType(String),
    /// The body is no text.
    Binary,
    /// A log does not say what was sent.
    NoBody,
    /// A `$ref` that leads nowhere, or out of the document.
    Reference(String),
    /// A method that is never sent, as TRACE.
    Method(String),
    /// The same operation again.
    Twice,
    /// A path that no request line can hold.
    Path,
    /// The document does not give it as the format asks for: where it differs.
    Malformed(String),
    /// Another host than most of the document is about.
    OtherHost(String),
    /// An option of curl that cannot be read here: with the reason.
    CurlOption(String, String),
    /// A variable of the document without a value.
    Variable(String),
    /// More than an import takes.
    TooMany,
}

/// Why a document could not be imported.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImportError {
    /// Lower case, fits after "error: ".
    pub what: String,
    /// From 1.
    pub line: Option<usize>,
    /// From 1, in characters.
    pub column: Option<usize>,
    pub remedy: &'static str,
}

impl LeftOut {
    /// What brings it in.
    pub fn remedy(&self) -> String {
        match &self.reason {
            LeftOutReason::NoId(parameter)
            | LeftOutReason::NotCreated(parameter)
            | LeftOutReason::CannotBeMade(parameter) => {
                format!("give it in [dirty.values]: \"{}: {parameter}\" = \"...\"", self.name)
            }
            LeftOutReason::MediaType(_) | LeftOutReason::Binary | LeftOutReason::NoBody => {
                "write it as a [[dirty.request]] with a `body`".to_owned()
            }
            LeftOutReason::Reference(_) | LeftOutReason::Malformed(_) => {
                "mend the document, or write it as a [[dirty.request]]".to_owned()
            }
            LeftOutReason::Method(_) => "none: it is never sent".to_owned(),
            LeftOutReason::Twice => "none: it is sent once".to_owned(),
            LeftOutReason::Path => "write it as a [[dirty.request]] with a percent-encoded path".to_owned(),
            LeftOutReason::OtherHost(_) => "import it by itself, with that host as the scenario's server".to_owned(),
            LeftOutReason::CurlOption(..) => "leave the option out, or write it as a [[dirty.request]]".to_owned(),
            LeftOutReason::Variable(name) => format!("give `{name}` a value in the document"),
            LeftOutReason::TooMany => "import a part of it".to_owned(),
        }
    }
}

impl fmt::Display for LeftOutReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            LeftOutReason::NoId(parameter) => write!(f, "no response gives its `{parameter}`"),
            LeftOutReason::NotCreated(parameter) => write!(f, "it deletes, and nothing creates its `{parameter}`"),
            LeftOutReason::CannotBeMade(parameter) => write!(f, "no value can be made for `{parameter}`"),
            LeftOutReason::MediaType(media_type) => write!(f, "its body is {media_type}"),
            LeftOutReason::NoBody => f.write_str("a log does not say what was sent"),
            LeftOutReason::Binary => f.write_str("its body is no text"),
            LeftOutReason::Reference(to) => write!(f, "`$ref` to {to} leads nowhere in the document"),
            LeftOutReason::Method(method) => write!(f, "{method} is never sent"),
            LeftOutReason::Twice => f.write_str("the same as an operation before it"),
            LeftOutReason::Path => f.write_str("no request line can hold its path"),
            LeftOutReason::Malformed(how) => f.write_str(how),
            LeftOutReason::OtherHost(host) => write!(f, "it goes to another host, {host}"),
            LeftOutReason::CurlOption(option, why) => write!(f, "curl's `{option}`: {why}"),
            LeftOutReason::Variable(name) => write!(f, "its variable `{name}` has no value"),
            LeftOutReason::TooMany => f.write_str("there are more than an import takes"),
        }
    }
}

impl ImportError {
    /// Of a whole document: no line is to blame.
    pub(super) fn of_document(what: &str, remedy: &'static str) -> ImportError {
        ImportError { what: what.to_owned(), line: None, column: None, remedy }
    }

    pub(super) fn unknown() -> ImportError {
        let what = "this is none of OpenAPI, HAR, Postman, curl lines or an access log";
        ImportError::of_document(what, "name a file of one of these formats")
    }
}

impl fmt::Display for ImportError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.what)?;
        match (self.line, self.column) {
            (Some(line), Some(column)) => write!(f, " at line {line}, column {column}"),
            (Some(line), None) => write!(f, " at line {line}"),
            _ => Ok(()),
        }
    }
}

impl std::error::Error for ImportError {}
