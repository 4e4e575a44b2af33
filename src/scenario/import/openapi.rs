//! OpenAPI 3.0 and 3.1, and Swagger 2.0. Documents are taken as they are: what is unknown or wrong is passed over, and what
//! is not asked for is not looked at.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::account;
use super::danger::danger;
use super::draft::needs;
use super::{
    Effect, ImportError, ImportFormat, ImportNote, ImportOptions, Imported, LeftOut, LeftOutReason, Operation,
};
use crate::scenario::login::CaptureSource;
use crate::scenario::request::RequestSpec;

mod accepts;
mod body;
mod depth;
mod document;
mod documented;
mod found_id;
mod ids;
mod number;
mod parameters;
mod pattern;
mod sampler;
mod security;
mod text;
mod view;

use depth::Depths;
use document::Document;
use documented::Documented;
use found_id::Wanted;
use ids::Ids;
use sampler::SchemaSampler;

/// How many operations are taken of one document.
const MOST: usize = 5_000;

/// Whether a value is such a document.
pub(super) fn is_one(root: &Value) -> bool {
    root.get("openapi").is_some() || root.get("swagger").is_some() || root.get("paths").is_some_and(Value::is_object)
}

/// The operations of a document.
pub(super) fn import(root: Value, options: &ImportOptions) -> Result<Imported, ImportError> {
    let version = root.get("swagger").or_else(|| root.get("openapi")).map(document::plain_text).unwrap_or_default();
    if !root.get("paths").is_some_and(Value::is_object) && root.get("webhooks").is_none() {
        return Err(ImportError::of_document(
            "this document has no `paths`",
            "name a whole OpenAPI document, 2.0 to 3.1",
        ));
    }
    let is_swagger = root.get("swagger").is_some() || version.starts_with('2');
    let document = Document { root, is_swagger };
    let (mut documented, mut left_out) = documented::documented(&document, options.base.as_deref());
    let too_many = documented.split_off(documented.len().min(MOST)).into_iter();
    left_out.extend(too_many.map(|operation| LeftOut { name: operation.name, reason: LeftOutReason::TooMany }));
    let ids = ids::ids(&document, &documented);
    let mut depths = Depths::new(&document);
    let captures = ids.names();
    let mut made: Vec<(usize, Operation)> = Vec::new();
    for (index, operation) in documented.iter().enumerate() {
        match make(&document, &mut depths, operation, (index, &captures), &ids, options) {
            Ok(operation) => made.push((index, operation)),
            Err(reason) => left_out.push(LeftOut { name: operation.name.clone(), reason }),
        }
    }
    // An id in a body may be made up where nothing gives it, one in a path may not.
    let filled = filled(&made);
    for (index, operation) in made.iter_mut().filter(|(index, _)| !filled.contains(index)) {
        let none = BTreeSet::new();
        if let Ok(again) = make(&document, &mut depths, &documented[*index], (*index, &none), &ids, options) {
            *operation = again;
        }
    }
    keep_what_can_be_filled(&ids, &mut made, &mut left_out);
    pair_creators(&mut made);
    let indices: Vec<usize> = made.iter().map(|(index, _)| *index).collect();
    let operations: Vec<Operation> = made.into_iter().map(|(_, operation)| operation).collect();
    let token = |at: usize| token(&document, &documented[indices[at]]);
    let (login, signup) = account::propose(&operations, &token);
    let title = document.root.pointer("/info/title").and_then(Value::as_str).map(str::to_owned);
    Ok(Imported {
        format: ImportFormat::OpenApi,
        title,
        origins: document.servers(),
        operations,
        left_out,
        login,
        signup,
        credentials: security::places(&document),
        variables: Vec::new(),
        notes: notes(&document),
    })
}

fn notes(document: &Document) -> Vec<ImportNote> {
    let hooks = document.object(&["webhooks"]).map_or(0, serde_json::Map::len);
    if hooks == 0 { Vec::new() } else { vec![ImportNote::Webhooks(hooks)] }
}

fn make<'a>(
    document: &'a Document,
    depths: &mut Depths<'a>,
    documented: &Documented<'a>,
    (index, captures): (usize, &BTreeSet<String>),
    ids: &Ids,
    options: &'a ImportOptions,
) -> Result<Operation, LeftOutReason> {
    let is_for = |given: &&'a super::GivenValue| given.operation.as_ref().is_none_or(|name| *name == documented.name);
    let given = options.values.iter().filter(is_for).collect();
    let mut sampler = SchemaSampler::new(document, depths, given, captures);
    let sources = |name: &str| ids.sources.get(&(index, name.to_owned())).cloned().unwrap_or_default();
    let head = parameters::head(documented, &mut sampler, &sources)?;
    let body = body::body(documented, &mut sampler)?;
    let mut headers = head.headers;
    let is_said = headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("content-type"));
    if let Some(content_type) = body.content_type.filter(|_| !is_said) {
        headers.push(("content-type".to_owned(), crate::scenario::Template::literal(content_type)));
    }
    let request = RequestSpec {
        method: documented.method.clone(),
        path: head.path,
        query: head.query,
        headers,
        cookies: head.cookies,
        body: body.spec,
    };
    let needs = needs(&request);
    let mut carriers = head.carriers;
    carriers.extend(body.carriers);
    Ok(Operation {
        name: documented.name.clone(),
        effect: Effect::of(&documented.method),
        danger: danger(&documented.method, documented.path, documented.id()),
        request,
        carriers,
        captures: ids.captures.get(&index).cloned().unwrap_or_default(),
        guessed: ids.guessed.get(&index).cloned().unwrap_or_default(),
        needs,
        secured: head.is_secured || security::is_secured(document, documented.operation),
        creates: None,
        deletes: None,
    })
}

/// The operations, by their indices, all of whose ids are given by others of them.
fn filled(made: &[(usize, Operation)]) -> BTreeSet<usize> {
    let mut given: BTreeSet<&str> = BTreeSet::new();
    let mut filled: BTreeSet<usize> = BTreeSet::new();
    loop {
        let before = filled.len();
        for (index, operation) in made {
            if !filled.contains(index) && operation.needs.iter().all(|need| given.contains(need.as_str())) {
                filled.insert(*index);
                given.extend(operation.captures.iter().map(|capture| capture.name.as_str()));
            }
        }
        if filled.len() == before {
            return filled;
        }
    }
}

/// Leaves out what needs an id that only operations give which need it themselves, or which are left out.
fn keep_what_can_be_filled(ids: &Ids, made: &mut Vec<(usize, Operation)>, left_out: &mut Vec<LeftOut>) {
    let kept = filled(made);
    let given = made.iter().filter(|(index, _)| kept.contains(index)).flat_map(|(_, operation)| &operation.captures);
    let given: BTreeSet<String> = given.map(|capture| capture.name.clone()).collect();
    made.retain(|(index, operation)| {
        if kept.contains(index) {
            return true;
        }
        let missing = operation.needs.iter().find(|need| !given.contains(*need));
        let parameter = missing.and_then(|need| ids.parameter(*index, need)).unwrap_or_default();
        left_out.push(LeftOut { name: operation.name.clone(), reason: LeftOutReason::NoId(parameter) });
        false
    });
    // What nobody takes need not be captured.
    let needed: BTreeSet<String> = made.iter().flat_map(|(_, operation)| operation.needs.clone()).collect();
    for (_, operation) in made.iter_mut() {
        operation.captures.retain(|capture| needed.contains(&capture.name));
    }
}

/// A POST creates what a DELETE of the same collection deletes.
fn pair_creators(made: &mut [(usize, Operation)]) {
    let mut deleted: BTreeMap<String, usize> = BTreeMap::new();
    for (at, (_, operation)) in made.iter().enumerate() {
        let Some(last) = operation.name.trim_end_matches('/').rsplit('/').next() else { continue };
        let need = operation.needs.last().filter(|need| need.starts_with("created_"));
        if let Some(need) = need.filter(|_| operation.effect == Effect::Delete && last.starts_with('{')) {
            deleted.entry(need.clone()).or_insert(at);
        }
    }
    for (_, operation) in made.iter_mut().filter(|(_, operation)| operation.effect == Effect::Write) {
        let creates = operation.captures.iter().map(|capture| &capture.name).find(|name| deleted.contains_key(*name));
        operation.creates = creates.cloned();
    }
    let created: BTreeSet<String> = made.iter().filter_map(|(_, operation)| operation.creates.clone()).collect();
    for (capture, at) in deleted {
        made[at].1.deletes = created.contains(&capture).then_some(capture);
    }
}

/// Where in the response to a login its token stands.
fn token(document: &Document, documented: &Documented<'_>) -> Option<CaptureSource> {
    let described = documented.success(document).and_then(|schema| found_id::find(document, schema, &Wanted::token()));
    // OAuth 2.0 says what its token is called (RFC 6749, 5.1).
    let of_oauth = || security::gives_tokens(document, documented.path).then(|| vec!["access_token".to_owned()]);
    described.or_else(of_oauth).map(CaptureSource::Json)
}
