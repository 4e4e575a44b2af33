//! The operations that log in and sign up, told from their paths and from the fields of their bodies.

use super::names::{self, words};
use super::{Carrier, Operation, ProposedLogin};
use crate::scenario::login::{CaptureSource, CaptureSpec};
use crate::scenario::request::{BodySpec, Json, RequestSpec};
use crate::scenario::template::{Placeholder, TOKEN, Template};

/// What a path of a login has in it, the best first.
const LOGIN: [&str; 10] =
    ["login", "signin", "logon", "authenticate", "authentication", "token", "auth", "sessions", "session", "oauth"];
const SIGNUP: [&str; 9] =
    ["signup", "register", "registration", "join", "users", "accounts", "user", "account", "customers"];
/// What a path of neither has in it.
const NEITHER: [&str; 10] =
    ["reset", "forgot", "recover", "recovery", "refresh", "change", "verify", "logout", "revoke", "bulk"];
/// The fields that may tell who logs in.
const NAMES: [&str; 8] = ["email", "username", "login", "user", "name", "identifier", "userid", "nickname"];

/// The login and the sign-up among operations; `token` tells where in the response of one a token stands.
pub(super) fn propose(
    operations: &[Operation],
    token: &dyn Fn(usize) -> Option<CaptureSource>,
) -> (Option<ProposedLogin>, Option<ProposedLogin>) {
    let signup = best(operations, &SIGNUP, &|operation| rank(operation, &LOGIN[..4]).is_none());
    let login = best(operations, &LOGIN, &|operation| {
        rank(operation, &SIGNUP[..3]).is_none() && Some(&operation.name) != signup.map(|at| &operations[at].name)
    });
    let signup = signup.map(|at| proposed(operations, at, token, None));
    let login = login.map(|at| proposed(operations, at, token, signup.as_ref().map(|signup| &signup.request)));
    (login, signup)
}

/// The operation that sends a password and whose path has the best of these words.
fn best(operations: &[Operation], wanted: &[&str], fits: &dyn Fn(&Operation) -> bool) -> Option<usize> {
    let sends = operations.iter().enumerate().filter(|(_, operation)| {
        operation.request.method == "POST"
            && operation.needs.is_empty()
            && has_account(&operation.request)
            && fits(operation)
    });
    let ranked = sends
        .filter_map(|(at, operation)| Some((operation.secured, rank(operation, wanted)?, operation.name.len(), at)));
    ranked.min().map(|(_, _, _, at)| at)
}

fn rank(operation: &Operation, wanted: &[&str]) -> Option<usize> {
    let path = operation.name.split_once(' ')?.1;
    let parts: Vec<String> = path.split('/').map(|part| words(part).concat()).collect();
    let all: Vec<String> = words(path);
    if NEITHER.iter().any(|word| all.iter().any(|own| own == word)) {
        return None;
    }
    wanted.iter().position(|word| parts.iter().any(|part| part.contains(word)) || all.iter().any(|own| own == word))
}

/// Whether a body has a password, and who it belongs to.
fn has_account(request: &RequestSpec) -> bool {
    let names = field_names(request);
    names.iter().any(|name| names::is_password(name)) && names.iter().any(|name| is_account(name))
}

fn is_account(name: &str) -> bool {
    let joined = words(name.rsplit('.').next().unwrap_or_default()).concat();
    NAMES.contains(&joined.as_str()) || joined.ends_with("email") || joined.ends_with("username")
}

/// The names of all fields of a body.
fn field_names(request: &RequestSpec) -> Vec<String> {
    match &request.body {
        Some(BodySpec::Json(json)) => json.leaves().into_iter().map(|(steps, _)| json.path(&steps)).collect(),
        Some(BodySpec::Form(fields)) => fields.iter().map(|(name, _)| name.clone()).collect(),
        Some(BodySpec::Text(_)) | None => Vec::new(),
    }
}

fn proposed(
    operations: &[Operation],
    at: usize,
    token: &dyn Fn(usize) -> Option<CaptureSource>,
    signup: Option<&RequestSpec>,
) -> ProposedLogin {
    let operation = &operations[at];
    let keeps = |carrier: &Carrier| is_account(&carrier.name);
    let mut request = operation.request_with(&|index| keeps(&operation.carriers[index]));
    // Whoever signed up with an address logs in with it, whatever the field is called.
    if let Some(signup) = signup.map(field_names)
        && signup.iter().any(|name| words(name).concat().ends_with("email"))
    {
        for name in field_names(&request).iter().filter(|name| is_account(name) && !signup.contains(name)) {
            put_email(&mut request, name);
        }
    }
    let from = token(at);
    let captures = from.into_iter().map(|from| CaptureSpec { name: TOKEN.to_owned(), from }).collect();
    ProposedLogin { operation: at, request, captures }
}

fn put_email(request: &mut RequestSpec, name: &str) {
    let email = super::made::around("", Placeholder::Canary, "@mail.test");
    let put = |place: &mut Template| place.clone_from(&email);
    match &mut request.body {
        Some(BodySpec::Form(fields)) => {
            fields.iter_mut().filter(|(own, _)| own == name).for_each(|(_, value)| put(value))
        }
        Some(BodySpec::Json(json)) => {
            let steps = json.leaves().into_iter().map(|(steps, _)| steps).find(|steps| json.path(steps) == name);
            if let Some(steps) = steps {
                json.replace(&steps, Json::Text(email));
            }
        }
        Some(BodySpec::Text(_)) | None => {}
    }
}

/// How well a field's name fits a token that lets its bearer in; the lowest is best.
pub(super) fn token_rank(name: &str) -> Option<usize> {
    const TOKENS: [&str; 9] =
        ["accesstoken", "authtoken", "token", "jwt", "bearertoken", "sessiontoken", "idtoken", "sessionid", "apikey"];
    let joined = words(name).concat();
    TOKENS.iter().position(|token| joined == *token)
}

/// The capture of an operation that is a token.
pub(super) fn token_of(operation: &Operation) -> Option<CaptureSource> {
    let is_token =
        |capture: &&CaptureSpec| token_rank(&capture.name).is_some() || capture.name.to_lowercase().contains("token");
    operation.captures.iter().find(is_token).map(|capture| capture.from.clone())
}
