//! A document that the server itself gives.

use super::super::client::CheckClient;
use super::super::identity::Identity;
use super::super::samples;
use super::super::stopwatch::Stopwatch;
use crate::net::target::Target;
use crate::scenario::sweep::CommonParts;
use crate::scenario::{DirtySpec, RequestSpec, Template};
use crate::session;

/// What came when the server was asked for a document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FetchedDocument {
    /// Path and query.
    pub path: String,
    /// With its `location`, if it is a redirect.
    pub status: u16,
    pub location: Option<String>,
    pub content_type: Option<String>,
    pub body: Vec<u8>,
}

/// Why there is no document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DocumentError {
    /// No response, or none that could be read: why.
    NoResponse(String),
    /// More than is read of one response.
    TooLarge,
}

impl std::fmt::Display for DocumentError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            DocumentError::NoResponse(why) => write!(f, "got no response ({why})"),
            DocumentError::TooLarge => f.write_str("is larger than what runner reads of a response"),
        }
    }
}

impl std::error::Error for DocumentError {}

/// Asks the server for documents and pages, one after the other, as somebody who is logged in where the scenario says how.
#[derive(Debug)]
pub struct DocumentFetcher {
    client: CheckClient,
    runtime: tokio::runtime::Runtime,
    identity: Identity,
    target: Target,
    common: CommonParts,
}

impl DocumentFetcher {
    /// Ready for a server; blocks while it logs in. The outer error is what the machine refuses, the inner who was refused.
    pub fn new(plan: &DirtySpec, target: &Target, seed: u64) -> std::io::Result<Result<Self, Vec<String>>> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let client = CheckClient::new(plan, target, seed, Stopwatch::start());
        let mut identity = client.persona(0);
        if let Err(refused) = runtime.block_on(client.log_in(std::slice::from_mut(&mut identity))) {
            return Ok(Err(refused));
        }
        let common = plan.sweep.as_ref().map(|sweep| sweep.common.clone()).unwrap_or_default();
        Ok(Ok(DocumentFetcher { client, runtime, identity, target: target.clone(), common }))
    }

    /// Asks for a path with its query; blocks meanwhile.
    pub fn get(&mut self, path: &str) -> Result<FetchedDocument, DocumentError> {
        let request = self.common.added_to(&RequestSpec::get(&Template::literal(path)));
        self.client.forms.set_page(0, &request, &self.target);
        let bytes = self.client.plain_request(&self.identity);
        let came = self.runtime.block_on(self.client.ask_for(&bytes, &self.identity));
        let (status, kept) = came.map_err(DocumentError::NoResponse)?;
        if kept.cut {
            return Err(DocumentError::TooLarge);
        }
        if let Some(url) = session::url_of(&bytes, self.client.is_secure()) {
            self.identity.session.take_cookies(&url, &kept.head);
        }
        let header = |name: &str| samples::header(&kept.head, name);
        let (location, content_type) = (header("location"), header("content-type"));
        Ok(FetchedDocument { path: path.to_owned(), status, location, content_type, body: kept.body })
    }
}
