use serde_json::{Value, json};

use super::*;

fn request(method: &str, url: &str, body: Option<&str>, script: Option<&str>) -> Value {
    let mut item = json!({ "name": "r", "request": { "method": method, "url": { "raw": url }, "header": [{ "key": "Authorization", "value": "Token {{token}}" }, { "key": "X-Off", "value": "1", "disabled": true }] } });
    if let Some(body) = body {
        item["request"]["body"] = json!({ "mode": "raw", "raw": body, "options": { "raw": { "language": "json" } } });
    }
    if let Some(script) = script {
        item["event"] = json!([{ "listen": "test", "script": { "exec": script.lines().collect::<Vec<_>>() } }]);
    }
    item
}

fn collection(items: Vec<Value>) -> Value {
    json!({ "info": { "name": "Blog", "schema": "https://schema.getpostman.com/json/collection/v2.1.0/collection.json" }, "item": items,
        "variable": [{ "key": "page", "value": "2" }, { "key": "apiKey", "value": "k-123" }] })
}

fn blog() -> Value {
    collection(vec![
        json!({ "name": "Auth", "item": [
            request("POST", "{{url}}/users/login", Some(r#"{"user":{"email":"{{EMAIL}}","password":"{{PASSWORD}}"}}"#), Some("var user = JSON.parse(responseBody).user;\npm.globals.set('token', user.token);")),
        ]}),
        request(
            "POST",
            "{{url}}/articles",
            Some(r#"{"article":{"title":"How to train","tags":["dragons"]}}"#),
            Some("pm.globals.set('slug', pm.response.json().article.slug)"),
        ),
        request("GET", "{{url}}/articles/{{slug}}?page={{page}}&key={{apiKey}}", None, None),
        request("GET", "{{url}}/profiles/{{name}}", None, None),
        request("DELETE", "{{url}}/profiles/{{name}}", None, None),
        request("GET", "{{mail}}/search", None, None),
        request("DELETE", "{{url}}/articles/{{slug}}", None, None),
    ])
}

#[test]
fn scripts_capture_and_what_is_unknown_is_a_canary_or_left_out() {
    let imported = taken(&blog().to_string());
    let shown: Vec<String> = imported.operations.iter().map(shown).collect();
    assert_eq!(
        shown,
        [
            r#"POST /users/login {"user":{"email":"{canary}@mail.test","password":"${PASSWORD}"}}"#,
            r#"POST /articles {"article":{"tags":["{canary}"],"title":"{canary}"}}"#,
            "GET /articles/{capture.slug}?page=2&key=${API_KEY}",
            "GET /profiles/{canary}",
            "DELETE /articles/{capture.slug}",
        ]
    );
    assert_eq!(captures(&imported.operations[0]), ["token: text at `user.token` in its JSON"]);
    assert_eq!(imported.operations[1].request.headers[0].1.to_string(), "Token {capture.token}");
    assert_eq!(imported.operations[1].creates.as_deref(), Some("slug"));
    assert_eq!(
        left_out(&imported),
        [
            "DELETE {{url}}/profiles/{{name}}: its variable `name` has no value",
            "GET /search: it goes to another host, {{mail}}"
        ]
    );
    assert_eq!(imported.login.as_ref().unwrap().captures[0].name, "token");
}

#[test]
fn a_collection_may_be_wrapped_and_its_requests_plain_texts() {
    let inner = json!({ "name": "x", "auth": { "type": "basic", "basic": [{ "key": "password", "value": "hunter2" }] }, "item": [
        { "name": "a", "request": "https://a.test/get?test=1" },
        { "name": "b", "request": { "url": { "host": ["a", "test"], "path": ["users", ":id"], "variable": [{ "key": "id", "value": "5" }] }, "auth": { "type": "noauth" } } }] });
    let imported = taken(&json!({ "collection": inner }).to_string());
    assert_eq!(names(&imported), ["GET /get"]);
    assert!(imported.operations[0].secured);
    assert_eq!(left_out(&imported), ["GET a.test/users/:id: its variable `id` has no value"]);
    assert!(!format!("{imported:?}").contains("hunter2"));
}

#[test]
fn bodies_of_every_mode_are_read() {
    let with =
        |body: Value| json!({ "name": "r", "request": { "method": "POST", "url": "http://a.test/x", "body": body } });
    for (body, expected) in [
        (
            json!({ "mode": "urlencoded", "urlencoded": [{ "key": "a", "value": "Some text" }, { "key": "b", "value": "x", "disabled": true }] }),
            "a={canary}",
        ),
        (
            json!({ "mode": "graphql", "graphql": { "query": "{ me { id } }", "variables": "{\"n\": \"Ann B\"}" } }),
            r#"{"query":"{ me { id } }","variables":{"n":"{canary}"}}"#,
        ),
        (json!({ "mode": "raw", "raw": "{\"id\": {{id}}}" }), "{\"id\": {capture.id}}"),
    ] {
        let script = json!([{ "listen": "test", "script": { "exec": "pm.globals.set('id', pm.response.json().id)" } }]);
        let mut first = request("GET", "http://a.test/y", None, None);
        first["event"] = script;
        let imported = taken(&collection(vec![first, with(body)]).to_string());
        let body = imported.operation("POST /x").unwrap().request.content().unwrap().to_string();
        assert_eq!(body.replace("{{", "{").replace("}}", "}"), expected);
    }
}

#[test]
fn a_collection_of_version_1_is_read() {
    let document = json!({ "id": "1", "name": "old", "order": [], "folders": [], "requests": [
        { "name": "r", "method": "POST", "url": "http://a.test/x", "headers": "X-One: 1\n", "dataMode": "urlencoded", "data": [{ "key": "a", "value": "Some text", "enabled": true }], "tests": "" }] });
    let imported = taken(&document.to_string());
    assert_eq!(shown(&imported.operations[0]), "POST /x a={canary}");
}
