//! `[dirty]` as meant.

use super::*;
use crate::scenario::login::{CaptureSource, CaptureSpec};
use crate::trigger::Trigger;

fn dirty(keys: &str) -> DirtySpec {
    loaded(&format!("[server]\nmode = 'async'\n[dirty]\n{keys}")).variants[0].dirty.clone().unwrap()
}

#[test]
fn a_query_is_added_to_the_path_and_encoded() {
    let dirty = dirty("path = '/a?x=1'\nquery = { 'e mail' = 'é&{canary}', n = 5 }");
    assert_eq!(dirty.request.target().to_string(), "/a?x=1&e%20mail=%C3%A9%26{canary}&n=5");
}

#[test]
fn a_request_of_nobody_leaves_out_basic_authentication_and_braces_stay_as_they_are() {
    let dirty = dirty(
        "path = '/'\nheaders = { authorization = 'Basic {base64({canary}:s)}', x = 'y' }\n\
         json = { query = '{ me { name } }', text = '{{canary}} {{x}}', n = '{seq}' }",
    );
    let body = dirty.request.content().unwrap();
    assert_eq!(body.text(), r#"{"query":"{ me { name } }","text":"{canary} {{x}}","n":""}"#);
    let nobodys = crate::scenario::variation::anonymous(&dirty.request).unwrap();
    assert_eq!(nobodys.headers, [("x".to_owned(), Template::literal("y"))]);
    assert_eq!(nobodys.content(), dirty.request.content());
}

#[test]
fn identities_take_the_place_of_a_canary() {
    let dirty = dirty(
        "path = '/?l={identity.lang}'\ngroup = 'team'\nidentities = [{ lang = 'en', team = 1 }, { lang = 'es', team = 2 }]",
    );
    let fields: Vec<(&str, &str)> = dirty.identities.iter().map(|i| (i["lang"].as_str(), i["team"].as_str())).collect();
    assert_eq!(fields, [("en", "1"), ("es", "2")]);
    assert_eq!(dirty.group.as_deref(), Some("team"));
}

#[test]
fn a_login_is_a_request_of_its_own_and_its_cookies_are_enough() {
    let only_cookies = dirty("path = '/'\n[dirty.login]\npath = '/login/'\nform = { user = '{canary}' }");
    let login = only_cookies.login.unwrap();
    assert_eq!((login.steps.len(), login.steps[0].request.method.as_str(), login.once), (1, "POST", false));
    assert_eq!((login.steps[0].captures.len(), login.steps[0].follow), (0, 0));
    let with_token = dirty(
        "path = '/'\nheaders = { authorization = 'Bearer {token}' }\n\
         login = { path = '/login/?u={canary}', token = 'data.0.token' }",
    );
    let path = ["data", "0", "token"].map(str::to_owned).to_vec();
    let token = CaptureSpec { name: "token".to_owned(), from: CaptureSource::Json(path) };
    assert_eq!(with_token.login.unwrap().steps[0].captures, [token]);
}

#[test]
fn a_login_in_steps_captures_what_later_requests_hold() {
    let dirty = dirty(
        "path = '/me?t={token}'\nfollow = 3\nheaders = { x-csrf = '{capture.csrf}' }\n[dirty.login]\nonce = true\n\
         [[dirty.login.step]]\npath = '/login/'\nfollow = true\ncapture = { csrf = { field = 'csrf_token' } }\n\
         [[dirty.login.step]]\npath = '/login/?t={capture.csrf}'\nform = { user = '{canary}' }\n\
         capture = { csrf = { cookie = 'csrftoken' }, token = { json = 'a.b' } }",
    );
    let login = dirty.login.unwrap();
    let from =
        |step: usize| login.steps[step].captures.iter().map(|capture| capture.from.to_string()).collect::<Vec<_>>();
    assert_eq!((login.once, dirty.follow, login.steps[0].follow, login.steps[1].follow), (true, 3, 10, 0));
    assert_eq!(from(0), ["form field `csrf_token` in its HTML"]);
    assert_eq!(from(1), ["cookie `csrftoken`", "text at `a.b` in its JSON"]);
}

#[test]
fn triggers_are_picked_and_skipped() {
    assert_eq!(dirty("path = '/{canary}'").triggers, Trigger::ALL);
    let picked = dirty("path = '/{canary}'\ntriggers = ['storm', 'gate', 'pair']\nskip = ['pair']");
    assert_eq!(picked.triggers, [Trigger::Gate, Trigger::Storm], "in the order in which they take turns");
}

#[test]
fn what_is_public_is_a_regular_expression() {
    let dirty = dirty("path = '/{canary}'\npublic = ['build [0-9]+']\nshape = 'uuid'");
    assert!(dirty.public[0].is_match(b"\xFF build 17") && !dirty.public[0].is_match(b"build x"));
    assert_eq!(dirty.shape, crate::canary::CanaryShape::Uuid);
}

#[test]
fn a_placeholder_without_what_fills_it_is_one_problem_not_two() {
    let source = |keys: &str| format!("[server]\nmode = 'async'\n[dirty]\n{keys}");
    assert_eq!(problems(&source("path = '/{identity.a}'")), ["identities have no `a`"]);
    assert_eq!(problems(&source("path = '/{canary}/{token}'")), ["`{token}` without a login that gives one"]);
    assert_eq!(
        problems(&source("path = '/{identity.b}'\nidentities = [{ a = 1 }, { a = 2 }]")),
        ["identities have no `b`"]
    );
}
