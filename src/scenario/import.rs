//! Requests from what a team already has: an OpenAPI document, a HAR, a Postman collection, curl lines, an access log.
//!
//! Bytes in, values out: nothing is read, asked or sent here. Whatever cannot become a request is left out with a reason.

use std::fmt;

use serde_json::Value;

use super::login::CaptureSpec;
use super::request::RequestSpec;
use super::template::Template;

mod access_log;
mod account;
mod carrier;
mod crawl;
mod curl;
mod danger;
mod distinct;
mod draft;
mod effect;
mod har;
mod left_out;
mod made;
mod multipart;
mod names;
mod openapi;
mod pairs;
mod post_data;
mod postman;
mod raw_parts;
mod raw_text;
mod read;
mod recorded_values;
mod url_parts;
mod variables;
mod written;

pub use carrier::{Carrier, CarrierPlace};
pub use crawl::{Crawl, CrawledPage};
pub use effect::{Danger, Effect};
pub use left_out::{ImportError, LeftOut, LeftOutReason};
pub use written::to_toml;

/// What a document is written in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ImportFormat {
    /// OpenAPI 3.0 and 3.1, and Swagger 2.0, as JSON or YAML.
    OpenApi,
    /// What browsers and proxies record (HTTP Archive 1.2).
    Har,
    /// A collection of Postman, version 2.0 or 2.1.
    Postman,
    /// Command lines of curl, one or several.
    Curl,
    /// Lines of nginx, Apache, gunicorn or uvicorn.
    AccessLog,
    /// Pages of a server, whose links and forms were followed.
    Crawl,
}

/// How a document is read.
#[derive(Debug, Clone, Default)]
pub struct ImportOptions {
    /// Told from the document if not given.
    pub format: Option<ImportFormat>,
    /// What `[dirty.values]` says: it goes before all else.
    pub values: Vec<GivenValue>,
    /// What every path of an OpenAPI document begins with, as in `/api`, in place of what the document says.
    pub base: Option<String>,
    /// Credentials stay in the requests as they are recorded. They are left out, or become variables, if not.
    pub keep_credentials: bool,
}

/// A value for a parameter or field, by its name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GivenValue {
    /// `GET /orders/{id}`, as [`Operation::name`] has it; of every operation if `None`.
    pub operation: Option<String>,
    /// Of a parameter, or of a field at any depth; in a path of fields with dots, `user.email`.
    pub name: String,
    pub value: Template,
}

/// All that a document gives.
#[derive(Debug, Clone)]
pub struct Imported {
    pub format: ImportFormat,
    pub title: Option<String>,
    /// The servers that it names, `https://api.example.org`: for words only, nothing is sent there.
    pub origins: Vec<String>,
    /// All that can be made into a request, dangerous ones too, in the order of the document, those of OpenAPI by
    /// their paths; names are distinct.
    pub operations: Vec<Operation>,
    pub left_out: Vec<LeftOut>,
    pub login: Option<ProposedLogin>,
    pub signup: Option<ProposedLogin>,
    /// Where a secured operation expects what the login gave.
    pub credentials: Vec<CredentialPlace>,
    /// The environment variables that stand for credentials and for variables without a value: `${NAME}` in texts of the
    /// requests. [`Imported::fill`] fills them.
    pub variables: Vec<String>,
    pub notes: Vec<ImportNote>,
}

/// An operation of an application, as a request that can be sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Operation {
    /// Method and path as documented: `GET /items/{id}`.
    pub name: String,
    pub effect: Effect,
    /// Why it must not be sent unless it is asked for by name.
    pub danger: Option<Danger>,
    /// With a canary in every carrier. Where ids belong there are captures.
    pub request: RequestSpec,
    /// The places of `request` that hold a canary; distinct, and in the order of the request.
    pub carriers: Vec<Carrier>,
    /// What its response gives to other operations.
    pub captures: Vec<CaptureSpec>,
    /// Those of its captures of which no document says that its response has them: such a response most often does.
    pub guessed: Vec<String>,
    /// The captures that its request is filled with; distinct.
    pub needs: Vec<String>,
    /// The document says that it wants to know who asks.
    pub secured: bool,
    /// The capture that names what it has created. There is an operation that `deletes` it.
    pub creates: Option<String>,
    /// The capture that names what it removes.
    pub deletes: Option<String>,
}

/// A request that logs in, or signs up: once per identity. `{canary}` in it is the identity's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProposedLogin {
    /// In [`Imported::operations`].
    pub operation: usize,
    /// With `{canary}` where the name or the e-mail address stands, and a password that is the same in both.
    pub request: RequestSpec,
    /// The token, named `token`, where the response is known to hold one.
    pub captures: Vec<CaptureSpec>,
}

/// Where a secured operation expects what the login gave.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CredentialPlace {
    /// As `("authorization", "Bearer {token}")`.
    Header(String, Template),
    Query(String),
    Cookie(String),
}

/// What to know about an import that is no reason to leave anything out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ImportNote {
    /// A credential was dropped: where it stood.
    Credential(String),
    /// Requests for other hosts were left out: the host, and how many.
    OtherHost(String, usize),
    /// Lines that are no requests: how many.
    NotRead(usize),
    /// Files, images, scripts and the like: how many.
    Assets(usize),
    /// Lines of requests that were answered with an error: how many.
    Failed(usize),
    /// A variable of the document that it gives no value for.
    Variable(String),
    /// Requests that the application sends, not takes: how many.
    Webhooks(usize),
    /// An option of curl that changes nothing about what is sent.
    Option(String),
}

impl Imported {
    /// Without variables that no request has.
    fn tidy(&mut self) {
        let operations = &self.operations;
        self.variables.retain(|name| {
            let written = format!("${{{name}}}");
            operations
                .iter()
                .any(|operation| variables::texts(&operation.request).iter().any(|text| text.contains(&written)))
        });
    }

    /// Fills the variables of the requests; the names of those that have no value stay, and are given back.
    pub fn fill(&mut self, value: &dyn Fn(&str) -> Option<String>) -> Vec<String> {
        let mut missing = Vec::new();
        for name in std::mem::take(&mut self.variables) {
            let Some(value) = value(&name) else {
                missing.push(name);
                continue;
            };
            let requests = self.operations.iter_mut().map(|operation| &mut operation.request);
            let accounts = self.login.iter_mut().chain(&mut self.signup).map(|login| &mut login.request);
            for request in requests.chain(accounts) {
                variables::fill(request, &format!("${{{name}}}"), &value);
            }
        }
        self.variables.clone_from(&missing);
        missing
    }

    /// An operation by its name.
    pub fn operation(&self, name: &str) -> Option<&Operation> {
        self.operations.iter().find(|operation| operation.name == name)
    }
}

impl Operation {
    /// The request with the canaries of some carriers only: those, by their index, for which `keeps` is true.
    pub fn request_with(&self, keeps: &dyn Fn(usize) -> bool) -> RequestSpec {
        let mut request = self.request.clone();
        // From the last: what is left out altogether moves only what comes after it.
        for (index, carrier) in self.carriers.iter().enumerate().rev() {
            if !keeps(index) {
                carrier.clear(&mut request);
            }
        }
        request
    }
}

/// Reads a document; its format is told from what it holds if it is not given.
pub fn import(bytes: &[u8], format: Option<ImportFormat>) -> Result<Imported, ImportError> {
    import_with(bytes, &ImportOptions { format, ..ImportOptions::default() })
}

/// Reads a document, with values given for some of its parameters and fields.
pub fn import_with(bytes: &[u8], options: &ImportOptions) -> Result<Imported, ImportError> {
    let text = read::text(bytes)?;
    if text.trim().is_empty() {
        return Err(ImportError { what: "there is nothing in it".to_owned(), ..ImportError::unknown() });
    }
    let mut imported = match options.format.map_or_else(|| detect(&text), |format| value(&text, format))? {
        Document::OpenApi(root) => openapi::import(root, options),
        Document::Har(root) => har::import(&root, options),
        Document::Postman(root) => postman::import(&root, options),
        Document::Curl => curl::import(&text, options),
        Document::AccessLog => access_log::import(&text, options),
    }?;
    imported.tidy();
    Ok(imported)
}

/// A document whose format is known.
enum Document {
    OpenApi(Value),
    Har(Value),
    Postman(Value),
    Curl,
    AccessLog,
}

fn value(text: &str, format: ImportFormat) -> Result<Document, ImportError> {
    Ok(match format {
        ImportFormat::OpenApi => Document::OpenApi(read::json_or_yaml(text)?),
        ImportFormat::Har => Document::Har(read::json(text)?),
        ImportFormat::Postman => Document::Postman(read::json(text)?),
        ImportFormat::Curl => Document::Curl,
        ImportFormat::AccessLog => Document::AccessLog,
        // Pages are asked for one by one.
        ImportFormat::Crawl => return Err(ImportError::unknown()),
    })
}

fn detect(text: &str) -> Result<Document, ImportError> {
    let is_structured = text.trim_start().starts_with(['{', '[']);
    // What is read as YAML may be any text.
    let looks_like_yaml = text.lines().any(|line| {
        ["openapi:", "swagger:", "paths:", "\"openapi\":", "'openapi':"].iter().any(|start| line.starts_with(start))
    });
    let is_lines = !is_structured && !looks_like_yaml;
    if is_lines && curl::is_one(text) {
        return Ok(Document::Curl);
    }
    if is_lines && access_log::is_one(text) {
        return Ok(Document::AccessLog);
    }
    if is_lines {
        return Err(ImportError::unknown());
    }
    let root = read::json_or_yaml(text)?;
    if openapi::is_one(&root) {
        Ok(Document::OpenApi(root))
    } else if har::is_one(&root) {
        Ok(Document::Har(root))
    } else if postman::is_one(&root) {
        Ok(Document::Postman(root))
    } else {
        Err(ImportError::unknown())
    }
}

impl fmt::Display for ImportFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            ImportFormat::OpenApi => "OpenAPI",
            ImportFormat::Har => "HAR",
            ImportFormat::Postman => "Postman",
            ImportFormat::Curl => "curl",
            ImportFormat::AccessLog => "access log",
            ImportFormat::Crawl => "pages",
        })
    }
}

impl fmt::Display for ImportNote {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ImportNote::Credential(place) => write!(f, "a credential was left out: {place}"),
            ImportNote::OtherHost(host, 1) => write!(f, "1 request for {host} was left out: another host"),
            ImportNote::OtherHost(host, count) => write!(f, "{count} requests for {host} were left out: another host"),
            ImportNote::NotRead(1) => f.write_str("1 line is no request"),
            ImportNote::NotRead(count) => write!(f, "{count} lines are no requests"),
            ImportNote::Assets(1) => f.write_str("1 request for an image, a script or the like was left out"),
            ImportNote::Assets(count) => {
                write!(f, "{count} requests for images, scripts and the like were left out")
            }
            ImportNote::Failed(1) => f.write_str("1 request was answered with an error"),
            ImportNote::Failed(count) => write!(f, "{count} requests were answered with an error"),
            ImportNote::Variable(name) => write!(f, "the document gives no value for its variable `{name}`"),
            ImportNote::Webhooks(count) => write!(f, "{count} webhooks are sent by the application, not to it"),
            ImportNote::Option(option) => write!(f, "curl's `{option}` changes nothing here"),
        }
    }
}

#[cfg(test)]
mod tests;
