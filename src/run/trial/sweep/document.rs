//! What to ask an application, from what it says of itself: a document at the path that the scenario names, or at one of the usual
//! places; else its pages, from that one on.

use tokio_util::sync::CancellationToken;
use tracing::debug;

use crate::dirty::sweep::{DocumentFetcher, FetchedDocument};
use crate::net::target::Target;
use crate::scenario::import::{self, Crawl, CrawledPage, ImportFormat, ImportOptions, Imported, Operation};
use crate::scenario::sweep::{self, SweepOperation};
use crate::scenario::{DirtySpec, SweepSpec};

/// Where frameworks put their documents.
const USUAL: [&str; 9] = [
    "/openapi.json",
    "/swagger.json",
    "/openapi.yaml",
    "/api/openapi.json",
    "/v3/api-docs",
    "/v2/api-docs",
    "/api/schema/?format=json",
    "/swagger/v1/swagger.json",
    "/api-docs.json",
];

/// What applications lie below, where their documents do not say so.
const USUAL_BASES: [&str; 4] = ["/api", "/api/v1", "/v1", "/rest"];
/// Paths of a document that are asked for, to see whether they are there.
const MOST_TRIED: usize = 3;

/// Why nothing is known of what to ask.
pub(in crate::run) struct NoDocument {
    pub message: String,
    pub advice: String,
}

impl NoDocument {
    fn new(message: String) -> Self {
        let advice = "name the document's path on the server, as in from = \"/openapi.json\", a page with links, or a file \
                      beside the scenario; `curl -i` shows what a path is answered with";
        NoDocument { message, advice: advice.to_owned() }
    }
}

/// The sweep with all its operations. The outer error is what the machine refuses.
pub(in crate::run) fn operations(
    plan: &DirtySpec,
    spec: &SweepSpec,
    path: &str,
    target: &Target,
    seed: u64,
    stop: &CancellationToken,
) -> std::io::Result<Result<SweepSpec, NoDocument>> {
    let mut fetcher = match DocumentFetcher::new(plan, target, seed)? {
        Ok(fetcher) => fetcher,
        Err(refused) => {
            let advice = "check [dirty.signup] and [dirty.login], and that the server knows who they name".to_owned();
            return Ok(Err(NoDocument { message: refused.join("; "), advice }));
        }
    };
    Ok(found(plan, spec, path, &mut fetcher, stop))
}

fn found(
    plan: &DirtySpec,
    spec: &SweepSpec,
    path: &str,
    fetcher: &mut DocumentFetcher,
    stop: &CancellationToken,
) -> Result<SweepSpec, NoDocument> {
    let first = fetcher.get(path).map_err(|error| NoDocument::new(format!("{path} {error}")))?;
    let has_login = plan.login.is_some() || spec.signup.is_some();
    if !is_page(&first) && first.status < 300 {
        let document = import::import_with(&first.body, &spec.import_options()).map_err(|error| NoDocument {
            message: format!("{path} cannot be imported: {error}"),
            advice: error.remedy.to_owned(),
        })?;
        let document = FoundDocument::new(spec, first, document, fetcher).rebased(spec, fetcher);
        return chosen(&document.spec(spec), &document.imported, has_login, path);
    }
    // The usual places are looked at only where no document was named.
    let document = usual_document(spec, fetcher, stop);
    let pages = crawled(path, fetcher, stop);
    if let Some(document) = document {
        let document = document.rebased(spec, fetcher);
        let spec = chosen(&document.spec(spec), &document.imported, has_login, &document.fetched.path)?;
        // What pages show beside the document is asked as well.
        let joined = sweep::select(&spec, &pages, has_login);
        return Ok(SweepSpec { operations: joined.operations, omitted: joined.omitted, ..spec });
    }
    if pages.operations.is_empty() && first.status >= 300 {
        let to = first.location.as_ref().map(|to| format!(" to {to}")).unwrap_or_default();
        return Err(NoDocument::new(format!("{path} was answered with status {}{to}", first.status)));
    }
    chosen(spec, &pages, has_login, path)
}

/// The first document at the usual places whose paths are there; else the first.
fn usual_document(spec: &SweepSpec, fetcher: &mut DocumentFetcher, stop: &CancellationToken) -> Option<FoundDocument> {
    let mut first = None;
    for usual in USUAL {
        if stop.is_cancelled() {
            break;
        }
        let Some(fetched) = fetcher.get(usual).ok().filter(|came| came.status == 200 && !is_page(came)) else {
            continue;
        };
        let Ok(document) = import::import_with(&fetched.body, &spec.import_options()) else { continue };
        debug!(path = usual, operations = document.operations.len(), "a document was found");
        let document = FoundDocument::new(spec, fetched, document, fetcher);
        if document.presence != Presence::None {
            return Some(document);
        }
        first.get_or_insert(document);
    }
    first
}

/// A document, and whether its paths are where it says.
struct FoundDocument {
    fetched: FetchedDocument,
    imported: Imported,
    presence: Presence,
    /// What its paths begin with, in place of what it says.
    base: Option<String>,
}

impl FoundDocument {
    /// Asks for a few of its paths, where the scenario does not say where they are.
    fn new(spec: &SweepSpec, fetched: FetchedDocument, imported: Imported, fetcher: &mut DocumentFetcher) -> Self {
        let is_asked = spec.base.is_none() && imported.format == ImportFormat::OpenApi;
        let presence = if is_asked { presence(&imported, fetcher) } else { Presence::Unknown };
        FoundDocument { fetched, imported, presence, base: spec.base.clone() }
    }

    /// The same with what its paths begin with here, if that is not what it says: some documents do not know below which path their
    /// application lies.
    fn rebased(self, spec: &SweepSpec, fetcher: &mut DocumentFetcher) -> Self {
        if self.presence != Presence::None {
            return self;
        }
        for base in bases(&self.fetched.path) {
            let options = ImportOptions { base: Some(base.clone()), ..spec.import_options() };
            let Ok(imported) = import::import_with(&self.fetched.body, &options) else { continue };
            let presence = presence(&imported, fetcher);
            if presence == Presence::Some {
                debug!(path = self.fetched.path, base, "the paths of the document lie below another");
                return FoundDocument { imported, presence, base: Some(base), ..self };
            }
        }
        self
    }

    /// The sweep with where its paths are.
    fn spec(&self, spec: &SweepSpec) -> SweepSpec {
        SweepSpec { base: self.base.clone(), ..spec.clone() }
    }
}

/// Whether a server knows the paths of a document.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Presence {
    /// One of them at least.
    Some,
    /// None of those that were asked for.
    None,
    /// It cannot be told: there is none to ask for, or the server has trouble.
    Unknown,
}

/// Asks for a few paths of a document that need nothing.
fn presence(document: &Imported, fetcher: &mut DocumentFetcher) -> Presence {
    let mut presence = Presence::Unknown;
    for path in document.operations.iter().filter_map(plain_path).take(MOST_TRIED) {
        let Ok(came) = fetcher.get(&path) else { continue };
        match came.status {
            429 | 500.. => {}
            // Where nothing else fits, many servers give the page of their application.
            status if status == 404 || is_page(&came) => presence = Presence::None,
            _ => return Presence::Some,
        }
    }
    presence
}

/// The path of a GET that needs nothing.
fn plain_path(operation: &Operation) -> Option<String> {
    let request = &operation.request;
    let is_plain = request.method == "GET" && operation.danger.is_none() && request.path.holes().next().is_none();
    is_plain.then(|| request.path.text())
}

/// What the paths of a document may begin with: the folders that it lies in, then the usual ones.
fn bases(path: &str) -> Vec<String> {
    let path = path.split('?').next().unwrap_or_default();
    let folders = path.match_indices('/').map(|(at, _)| path[..at].to_owned()).filter(|folder| !folder.is_empty());
    let mut all: Vec<String> = folders.collect();
    all.reverse();
    all.extend(USUAL_BASES.map(str::to_owned));
    let mut known = std::collections::BTreeSet::new();
    all.retain(|base| known.insert(base.clone()));
    all
}

/// The sweep with what is asked of a document.
fn chosen(spec: &SweepSpec, document: &Imported, has_login: bool, path: &str) -> Result<SweepSpec, NoDocument> {
    let selection = sweep::select(spec, document, has_login);
    if selection.operations.iter().all(|operation: &SweepOperation| operation.cleanup) {
        let first = selection.omitted.first();
        let why = first.map(|it| format!(", as {}: {}", it.name, it.reason)).unwrap_or_default();
        let remedy = first.and_then(|it| it.reason.remedy(&it.name));
        let message = format!("nothing that {path} lists is asked: {} left out{why}", selection.omitted.len());
        let advice = remedy.unwrap_or_else(|| "name another document in `from`".to_owned());
        return Err(NoDocument { message, advice });
    }
    Ok(SweepSpec { operations: selection.operations, omitted: selection.omitted, ..spec.clone() })
}

/// The pages from one on.
fn crawled(path: &str, fetcher: &mut DocumentFetcher, stop: &CancellationToken) -> Imported {
    let mut crawl = Crawl::from(path);
    while let Some(next) = crawl.next_page().filter(|_| !stop.is_cancelled()) {
        let Ok(fetched) = fetcher.get(&next) else { continue };
        crawl.take(&CrawledPage {
            path: &fetched.path,
            status: fetched.status,
            location: fetched.location.as_deref(),
            content_type: fetched.content_type.as_deref(),
            body: &fetched.body,
        });
    }
    let pages = crawl.finish();
    debug!(operations = pages.operations.len(), "pages were crawled");
    pages
}

fn is_page(fetched: &FetchedDocument) -> bool {
    fetched.content_type.as_ref().is_some_and(|kind| kind.contains("html"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_folders_of_a_document_come_first() {
        assert_eq!(bases("/openapi.json"), ["/api", "/api/v1", "/v1", "/rest"]);
        assert_eq!(bases("/shop/v2/openapi.json?x=/y"), ["/shop/v2", "/shop", "/api", "/api/v1", "/v1", "/rest"]);
        assert_eq!(bases("/api/openapi.json"), ["/api", "/api/v1", "/v1", "/rest"]);
    }
}
