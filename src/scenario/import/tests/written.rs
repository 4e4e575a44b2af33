use super::*;

#[test]
fn a_scenario_holds_each_request_as_it_is_sent() {
    let text = r#"curl 'http://localhost:5000/items?q=lamps&tag=%7Bx%7D' -H 'Accept: text/{a}'
curl -X PUT http://localhost:5000/items/latest --json '{"title": "A \"lamp\"", "n": null, "t": "${x} {me}"}'
curl http://localhost:5000/logout"#;
    let written = to_toml(&taken(text), "shop", "lines.txt");
    let value: toml::Table = toml::from_str(&written).unwrap_or_else(|error| panic!("{error}\n{written}"));
    assert_eq!(value["server"]["url"].as_str(), Some("http://localhost:5000"));
    let requests = value["dirty"]["request"].as_array().unwrap();
    assert_eq!(requests.len(), 2, "{written}");
    assert_eq!(requests[0]["path"].as_str(), Some("/items?q={canary}&tag=%7Bx%7D"));
    assert_eq!(requests[0]["headers"]["accept"].as_str(), Some("text/{{a}}"));
    assert_eq!(requests[1]["body"].as_str(), Some(r#"{"title": "{canary}", "n": null, "t": "$${x} {me}"}"#));
    assert!(written.contains("# Not sent unless you say so: its name has `logout`"), "{written}");
}

#[test]
fn a_document_of_openapi_is_named_and_not_copied() {
    let text = "openapi: 3.0.0\npaths:\n  /a: {get: {responses: {}}}\n";
    let written = to_toml(&taken(text), "shop", "../openapi.yaml");
    let value: toml::Table = toml::from_str(&written).unwrap();
    assert_eq!(value["dirty"]["from"].as_str(), Some("../openapi.yaml"));
    assert_eq!(value["server"]["url"].as_str(), Some("http://127.0.0.1:8000"));
}
