use super::*;

const LOG: &str = r#"127.0.0.1 - - [30/Nov/2026:10:00:00 +0000] "GET /items/5?q=lamp HTTP/1.1" 200 12 "-" "curl"
127.0.0.1 - ann [30/Nov/2026:10:00:00 +0000] "GET /search?q=red+lamps&token=abc HTTP/1.1" 200 12
127.0.0.1 - - [30/Nov/2026:10:00:01 +0000] "GET /search?q=blue&token=def HTTP/1.1" 304 0
INFO:     127.0.0.1:5000 - "GET /health HTTP/1.1" 200 OK
127.0.0.1 - - [30/Nov/2026:10:00:01 +0000] "POST /items HTTP/1.1" 201 5
127.0.0.1 - - [30/Nov/2026:10:00:01 +0000] "GET /logo.png HTTP/1.1" 200 5
127.0.0.1 - - [30/Nov/2026:10:00:01 +0000] "GET /nothing HTTP/1.1" 404 5
worker booted
"#;

#[test]
fn a_log_gives_its_reads_the_most_frequent_first() {
    let imported = taken(LOG);
    let shown: Vec<String> = imported.operations.iter().map(shown).collect();
    assert_eq!(shown, ["GET /search?q={canary}", "GET /health"]);
    assert_eq!(
        left_out(&imported),
        ["GET /items/{id}: no response gives its `id`", "POST /items: a log does not say what was sent"]
    );
    assert_eq!(imported.notes, [ImportNote::NotRead(1), ImportNote::Assets(1), ImportNote::Failed(1)]);
    let value = GivenValue {
        operation: Some("GET /items/{id}".to_owned()),
        name: "id".to_owned(),
        value: Template::literal("9"),
    };
    let options = ImportOptions { values: vec![value], ..ImportOptions::default() };
    let imported = import_with(LOG.as_bytes(), &options).unwrap();
    assert_eq!(imported.operation("GET /items/{id}").map(super::shown).as_deref(), Some("GET /items/9?q={canary}"));
}

#[test]
fn lines_of_curl_hold_no_credentials_unless_they_are_kept() {
    let text = "$ curl -u ann:hunter2 -b sid=abc -H 'X-Api-Key: k-123' -H 'X-Kind: a' 'http://127.0.0.1:8000/items?q=lamps' \\\n  --json '{\"title\": \"A lamp\", \"password\": \"hunter2\"}'\nls\ncurl -d @file http://127.0.0.1/x\ncurl -H \"authorization: Bearer $TOKEN\" http://127.0.0.1:8000/me";
    let imported = taken(text);
    let shown: Vec<String> = imported.operations.iter().map(shown).collect();
    assert_eq!(shown, ["POST /items?q={canary} {\"title\": \"{canary}\", \"password\": \"${PASSWORD}\"}", "GET /me"]);
    assert_eq!(left_out(&imported), ["curl http://127.0.0.1/x: curl's `-d`: it reads a file"]);
    let written = to_toml(&imported, "a", "a line");
    for secret in ["hunter2", "abc", "k-123", "YW5uOmh1bnRlcjI"] {
        assert!(!written.contains(secret), "{secret} in {written}");
    }
    let deleting = taken("curl -X DELETE http://127.0.0.1:8000/items/5");
    assert_eq!(
        deleting.operations[0].danger.as_ref().map(ToString::to_string).as_deref(),
        Some("its name has `DELETE .../5`, which may do harm")
    );
    assert!(written.contains("x-kind = \"a\""), "{written}");
}
