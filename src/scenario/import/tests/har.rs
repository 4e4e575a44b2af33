use serde_json::{Value, json};

use super::*;

fn entry(method: &str, url: &str, headers: Value, post: Option<(&str, &str)>, response: &str) -> Value {
    let mut request = json!({ "method": method, "url": url, "headers": headers });
    if let Some((media_type, text)) = post {
        request["postData"] = json!({ "mimeType": media_type, "text": text });
    }
    json!({ "request": request, "response": { "status": 200, "headers": [], "content": { "mimeType": "application/json", "text": response } } })
}

fn har(entries: Vec<Value>) -> String {
    json!({ "log": { "version": "1.2", "entries": entries } }).to_string()
}

fn recording() -> String {
    let json_type = "application/json";
    har(vec![
        entry("GET", "https://a.test/app.js?v=3", json!([]), None, ""),
        entry(
            "POST",
            "https://a.test/login",
            json!([{ "name": "Cookie", "value": "sid=s3cr3t" }]),
            Some((json_type, r#"{"email":"ann@x.org","password":"hunter2"}"#)),
            r#"{"user":{"token":"eyJ.abc.123"}}"#,
        ),
        entry(
            "POST",
            "https://a.test/items?api_key=k-123",
            json!([{ "name": "Authorization", "value": "Bearer eyJ.abc.123" }]),
            Some((json_type, r#"{"title":"A lamp","kind":"GOOD","n":1}"#)),
            r#"{"item":{"id":417}}"#,
        ),
        entry(
            "GET",
            "https://a.test/items/417?q=lamps&page=2",
            json!([{ "name": "Authorization", "value": "Bearer eyJ.abc.123" }, { "name": "Accept", "value": "application/json" }, { "name": ":path", "value": "/" }]),
            None,
            "",
        ),
        entry("DELETE", "https://a.test/items/417", json!([]), None, ""),
        entry("GET", "https://a.test/items/417?q=tables&page=3", json!([]), None, ""),
        entry("GET", "https://cdn.other/x", json!([]), None, ""),
        entry(
            "POST",
            "https://a.test/form",
            json!([]),
            Some(("application/x-www-form-urlencoded", "name=Ann+B&csrf_token=abc123&n=1")),
            "",
        ),
        entry("GET", "wss://a.test/socket", json!([]), None, ""),
    ])
}

#[test]
fn values_of_responses_are_captured_and_credentials_are_gone() {
    let imported = taken(&recording());
    let shown: Vec<String> = imported.operations.iter().map(shown).collect();
    assert_eq!(
        shown,
        [
            r#"POST /login {"email":"{canary}@mail.test","password":"${PASSWORD}"}"#,
            r#"POST /items?api_key=${API_KEY} {"kind":"GOOD","n":1,"title":"{canary}"}"#,
            "GET /items/{capture.item_id}?q={canary}&page=2",
            "DELETE /items/{capture.item_id}",
            "POST /form name={canary}&csrf_token=%24%7BCSRF_TOKEN%7D&n=1",
        ]
    );
    assert_eq!(captures(&imported.operations[0]), ["token: text at `user.token` in its JSON"]);
    assert_eq!(captures(&imported.operations[1]), ["item_id: text at `item.id` in its JSON"]);
    assert_eq!(imported.operations[2].request.headers[0].1.to_string(), "Bearer {capture.token}");
    assert_eq!(imported.operations[1].creates.as_deref(), Some("item_id"));
    assert_eq!(imported.operations[3].deletes.as_deref(), Some("item_id"));
    assert_eq!(imported.variables, ["API_KEY", "CSRF_TOKEN", "PASSWORD"]);
    let text = to_toml(&imported, "a", "a.har");
    for secret in ["s3cr3t", "hunter2", "eyJ", "k-123", "abc123", "ann@x.org"] {
        assert!(!text.contains(secret), "{secret} in {text}");
    }
    assert_eq!(left_out(&imported).len(), 2, "{:?}", left_out(&imported));
    assert_eq!(imported.login.as_ref().unwrap().captures[0].name, "token");
}

#[test]
fn a_variable_is_filled_from_the_environment() {
    let mut imported = taken(&recording());
    let missing = imported.fill(&|name| (name == "PASSWORD").then(|| "p\"w".to_owned()));
    assert_eq!(missing, ["API_KEY", "CSRF_TOKEN"]);
    assert_eq!(shown(&imported.operations[0]), r#"POST /login {"email":"{canary}@mail.test","password":"p\"w"}"#);
}

#[test]
fn a_recording_without_pages_and_with_a_byte_order_mark_is_read() {
    let text = format!("\u{feff}{}", har(vec![entry("GET", "http://a.test/", json!([]), None, "")]));
    assert_eq!(names(&taken(&text)), ["GET /"]);
}

#[test]
fn parts_of_a_form_are_read_from_its_text_or_its_parameters() {
    let text = "--x\r\nContent-Disposition: form-data; name=\"bio\"\r\n\r\nLikes lamps\r\n--x\r\nContent-Disposition: form-data; name=\"f\"; filename=\"a.txt\"\r\nContent-Type: text/plain\r\n\r\n1234\r\n--x--\r\n";
    let entries =
        vec![entry("POST", "http://a.test/f", json!([]), Some(("multipart/form-data; boundary=x", text)), "")];
    let imported = taken(&har(entries));
    let body = shown(&imported.operations[0]);
    assert!(
        body.contains("name=\"bio\"\r\n\r\n{canary}\r\n")
            && body.contains("filename=\"a.txt\"")
            && body.contains("\r\n\r\n1234\r\n"),
        "{body}"
    );
    let content_type = &imported.operations[0].request.headers[0];
    assert!(content_type.1.to_string().starts_with("multipart/form-data; boundary=----runner"), "{content_type:?}");
}
