//! What to ask an application, from what it says of itself: a document at the path that the scenario names, or at one of the usual
//! places; else its pages, from that one on.

use tokio_util::sync::CancellationToken;
use tracing::debug;

use crate::dirty::sweep::{DocumentFetcher, FetchedDocument};
use crate::net::target::Target;
use crate::scenario::import::{self, Crawl, CrawledPage, ImportOptions, Imported};
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
    let options = ImportOptions { values: spec.values.clone(), ..ImportOptions::default() };
    if !is_page(&first) && first.status < 300 {
        let document = import::import_with(&first.body, &options).map_err(|error| NoDocument {
            message: format!("{path} cannot be imported: {error}"),
            advice: error.remedy.to_owned(),
        })?;
        return chosen(spec, &document, has_login, path);
    }
    // The usual places are looked at only where no document was named.
    let document = USUAL.into_iter().take_while(|_| !stop.is_cancelled()).find_map(|usual| {
        let fetched = fetcher.get(usual).ok().filter(|fetched| fetched.status == 200 && !is_page(fetched))?;
        let document = import::import_with(&fetched.body, &options).ok()?;
        debug!(path = usual, operations = document.operations.len(), "a document was found");
        Some((usual, document))
    });
    let pages = crawled(path, fetcher, stop);
    if let Some((usual, document)) = document {
        let spec = chosen(spec, &document, has_login, usual)?;
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
