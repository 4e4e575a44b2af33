use serde_json::{Value, json};

use super::*;
use crate::scenario::login::CaptureSource;

fn of(document: &Value) -> Imported {
    taken(&document.to_string())
}

fn shop() -> Value {
    json!({
        "openapi": "3.0.3",
        "info": { "title": "Shop" },
        "servers": [{ "url": "https://{host}/api/", "variables": { "host": { "default": "shop.test" } } }],
        "security": [{ "token": [] }],
        "components": {
            "securitySchemes": { "token": { "type": "apiKey", "in": "header", "name": "Authorization", "description": "For example `Token xxx`" } },
            "parameters": { "Page": { "name": "page", "in": "query", "schema": { "type": "integer" } } },
            "schemas": {
                "Item": { "type": "object", "required": ["id", "title"], "properties": {
                    "id": { "type": "integer", "readOnly": true }, "title": { "type": "string", "example": "A lamp" }, "note": { "type": "string" } } }
            }
        },
        "paths": {
            "/items": {
                "get": { "parameters": [{ "$ref": "#/components/parameters/Page" }, { "name": "q", "in": "query", "schema": { "type": "string" } }],
                    "responses": { "200": { "content": { "application/json": { "schema": { "type": "object", "properties": { "items": { "type": "array", "items": { "$ref": "#/components/schemas/Item" } } } } } } } } },
                "post": { "requestBody": { "content": { "application/json": { "schema": { "$ref": "#/components/schemas/Item" } } } },
                    "responses": { "201": { "content": { "application/json": { "schema": { "$ref": "#/components/schemas/Item" } } } } } }
            },
            "/items/{itemId}": {
                "parameters": [{ "name": "itemId", "in": "path", "required": true, "schema": { "type": "integer" } }],
                "get": { "responses": {} }, "delete": { "responses": {} }, "trace": {}
            },
            "/orders/{id}": { "get": { "parameters": [{ "name": "id", "in": "path", "required": true, "schema": { "type": "integer", "example": 7 } }], "responses": {} } },
            "/rates/{currency}": { "get": { "parameters": [{ "name": "currency", "in": "path", "required": true, "schema": { "type": "string", "enum": ["EUR", "USD"] } }], "responses": {} } },
            "/login": { "post": { "security": [], "requestBody": { "content": { "application/x-www-form-urlencoded": { "schema": { "type": "object", "required": ["username", "password"],
                    "properties": { "username": { "type": "string" }, "password": { "type": "string", "format": "password" } } } } } },
                "responses": { "200": { "content": { "application/json": { "schema": { "type": "object", "properties": { "access_token": { "type": "string" } } } } } } } } },
            "/signup": { "post": { "security": [], "requestBody": { "content": { "application/json": { "schema": { "type": "object", "required": ["email", "password"],
                    "properties": { "email": { "type": "string", "format": "email" }, "password": { "type": "string", "minLength": 8 } } } } } }, "responses": {} } },
            "/logout": { "get": { "responses": {} } },
            "/photo": { "put": { "requestBody": { "content": { "image/png": {} } }, "responses": {} } },
            "/hooks": { "post": { "requestBody": { "$ref": "other.yaml#/x" }, "responses": {} } }
        }
    })
}

#[test]
fn what_paths_begin_with_can_be_given_in_place_of_what_the_document_says() {
    for (base, path) in [("/", "/items"), ("/v2/", "/v2/items"), ("/a/b", "/a/b/items")] {
        let options = ImportOptions { base: Some(base.to_owned()), ..ImportOptions::default() };
        let imported = import_with(shop().to_string().as_bytes(), &options).unwrap();
        let operation = imported.operation("GET /items").unwrap();
        assert_eq!(shown(operation), format!("GET {path}?q={{canary}}"));
    }
}

#[test]
fn operations_have_canaries_where_any_text_will_do() {
    let imported = of(&shop());
    assert_eq!(
        (imported.title.as_deref(), imported.origins.as_slice()),
        (Some("Shop"), &["https://shop.test/api/".to_owned()][..])
    );
    assert_eq!(shown(imported.operation("GET /items").unwrap()), "GET /api/items?q={canary}");
    let create = imported.operation("POST /items").unwrap();
    assert_eq!(shown(create), r#"POST /api/items {"note":"{canary}","title":"{canary}"}"#);
    assert_eq!(
        create.carriers.iter().map(ToString::to_string).collect::<Vec<_>>(),
        ["the JSON's `note`", "the JSON's `title`"]
    );
    assert_eq!(shown_request(&create.request_with(&|_| false)), r#"POST /api/items {"title":"A lamp"}"#);
    assert_eq!(
        shown_request(&create.request_with(&|index| index == 0)),
        r#"POST /api/items {"note":"{canary}","title":"A lamp"}"#
    );
}

#[test]
fn ids_come_from_responses_and_only_what_was_created_is_deleted() {
    let imported = of(&shop());
    let [list, create] = ["GET /items", "POST /items"].map(|name| imported.operation(name).unwrap());
    assert_eq!(captures(list), ["item_id: text at `items.0.id` in its JSON"]);
    assert_eq!(captures(create), ["item_id: text at `id` in its JSON", "created_item_id: text at `id` in its JSON"]);
    let [get, delete] = ["GET /items/{itemId}", "DELETE /items/{itemId}"].map(|name| imported.operation(name).unwrap());
    assert_eq!(
        (shown(get).as_str(), shown(delete).as_str()),
        ("GET /api/items/{capture.item_id}", "DELETE /api/items/{capture.created_item_id}")
    );
    assert_eq!(
        (create.creates.as_deref(), delete.deletes.as_deref()),
        (Some("created_item_id"), Some("created_item_id"))
    );
    assert_eq!((list.creates.as_deref(), get.needs.as_slice()), (None, &["item_id".to_owned()][..]));
}

#[test]
fn a_parameter_that_is_called_what_it_is_an_id_of_takes_the_id() {
    let thing = |field: &str| json!({ "type": "object", "properties": { field: { "type": "integer" }, "text": { "type": "string" } } });
    let answer = |schema: Value| json!({ "201": { "content": { "application/json": { "schema": schema } } } });
    let vague = json!({ "type": "object" });
    for (collection, one, schema, from) in [
        ("/posts", "/posts/{post}", thing("id"), "id"),
        ("/orders/", "/orders/{order}/", thing("id"), "id"),
        ("/categories", "/categories/{category}", thing("category_id"), "category_id"),
        ("/boxes", "/boxes/{box}", json!({ "type": "object", "properties": { "data": thing("id") } }), "data.id"),
        ("/blog-posts", "/blog-posts/{post}", thing("id"), "id"),
        ("/notes", "/notes/{note}", vague, "id"),
        ("/notes", "/notes/{note_id}", json!({}), "id"),
        // No word of the collection, but a whole number.
        ("/guestbook", "/guestbook/{entry}", thing("id"), "id"),
        // Its own name goes first.
        ("/currencies", "/currencies/{currency}", thing("currency"), "currency"),
    ] {
        let body = json!({ "content": { "application/json": { "schema": { "type": "object", "properties": { "text": { "type": "string" } } } } } });
        let imported = of(&json!({ "openapi": "3.1.0", "paths": {
            collection: { "post": { "requestBody": body, "responses": answer(schema) } },
            one: { "parameters": [{ "name": one.split(['{', '}']).nth(1), "in": "path", "required": true, "schema": { "type": "integer" } }],
                "get": { "responses": {} }, "delete": { "responses": {} } }
        } }));
        let create = imported.operation(&format!("POST {collection}")).unwrap();
        assert!(captures(create)[0].contains(&format!("`{from}`")), "{one}: {:?}", captures(create));
        assert!(left_out(&imported).is_empty(), "{one}: {:?}", left_out(&imported));
        let delete = imported.operation(&format!("DELETE {one}")).unwrap();
        assert_eq!(create.creates, delete.deletes, "{one}");
    }
}

#[test]
fn what_a_document_does_not_say_is_a_guess_and_oauth_says_how_its_token_is_called() {
    let nothing = json!({ "200": { "content": { "application/json": { "schema": {} } } } });
    let told = json!({ "201": { "content": { "application/json": { "schema": { "type": "object", "properties": { "id": { "type": "integer" } } } } } } });
    let form = json!({ "content": { "application/x-www-form-urlencoded": { "schema": { "type": "object", "required": ["username", "password"],
        "properties": { "username": { "type": "string" }, "password": { "type": "string" } } } } } });
    let body = json!({ "content": { "application/json": { "schema": { "type": "object", "properties": { "text": { "type": "string" } } } } } });
    for (created, guessed) in [(&nothing, &["created_note_id", "note_id"][..]), (&told, &[])] {
        for (url, path) in [("token", "/token"), ("/auth/token", "/auth/token"), ("https://a.test/v1/login/", "/login")]
        {
            let imported = of(&json!({
                "openapi": "3.1.0",
                "components": { "securitySchemes": { "o": { "type": "oauth2", "flows": { "password": { "tokenUrl": url, "scopes": {} } } } } },
                "paths": {
                    path: { "post": { "requestBody": form, "responses": nothing } },
                    "/notes": { "post": { "requestBody": body, "responses": created } },
                    "/notes/{note_id}": { "get": { "responses": {} }, "delete": { "responses": {} } }
                }
            }));
            let token = &imported.login.as_ref().unwrap().captures[0];
            assert_eq!(token.from, CaptureSource::Json(vec!["access_token".to_owned()]), "{url}");
            let mut guesses = imported.operation("POST /notes").unwrap().guessed.clone();
            guesses.sort();
            assert_eq!(guesses, guessed, "{url}");
        }
    }
}

#[test]
fn a_number_that_measures_is_no_id_and_neither_is_one_of_which_an_example_is_given() {
    let created = json!({ "201": { "content": { "application/json": { "schema": { "type": "object", "properties": { "id": { "type": "integer" } } } } } } });
    for (name, schema) in [
        ("year", json!({ "type": "integer" })),
        ("entry", json!({ "type": "integer", "example": 7 })),
        ("entry", json!({ "type": "string" })),
    ] {
        let imported = of(&json!({ "openapi": "3.1.0", "paths": {
            "/reports": { "post": { "requestBody": { "content": { "application/json": { "schema": { "type": "object" } } } }, "responses": created } },
            format!("/reports/{{{name}}}"): { "get": { "parameters": [{ "name": name, "in": "path", "required": true, "schema": schema }], "responses": {} } }
        } }));
        assert!(captures(imported.operation("POST /reports").unwrap()).is_empty(), "{name}: {schema}");
    }
}

#[test]
fn what_is_left_out_has_a_reason() {
    let imported = of(&shop());
    assert_eq!(
        left_out(&imported),
        [
            "TRACE /items/{itemId}: TRACE is never sent",
            "POST /hooks: `$ref` to other.yaml#/x leads nowhere in the document",
            "GET /orders/{id}: no response gives its `id`",
            "PUT /photo: its body is image/png",
        ]
    );
    let remedy = imported.left_out.iter().find(|left_out| left_out.name == "GET /orders/{id}").unwrap().remedy();
    assert_eq!(remedy, "give it in [dirty.values]: \"GET /orders/{id}: id\" = \"...\"");
    assert_eq!(shown(imported.operation("GET /rates/{currency}").unwrap()), "GET /api/rates/EUR");
}

#[test]
fn given_values_go_before_all_else() {
    let value = |operation: Option<&str>, name: &str, value: &str| GivenValue {
        operation: operation.map(str::to_owned),
        name: name.to_owned(),
        value: Template::literal(value),
    };
    let values =
        vec![value(Some("GET /orders/{id}"), "id", "42"), value(None, "title", "Mine"), value(None, "page", "3")];
    let options = ImportOptions { values, ..ImportOptions::default() };
    let imported = import_with(shop().to_string().as_bytes(), &options).unwrap();
    assert_eq!(shown(imported.operation("GET /orders/{id}").unwrap()), "GET /api/orders/42");
    assert_eq!(
        shown(imported.operation("POST /items").unwrap()),
        r#"POST /api/items {"note":"{canary}","title":"Mine"}"#
    );
    assert_eq!(shown(imported.operation("GET /items").unwrap()), "GET /api/items?page=3&q={canary}");
}

#[test]
fn whoever_signs_up_can_log_in() {
    let imported = of(&shop());
    let (login, signup) = (imported.login.as_ref().unwrap(), imported.signup.as_ref().unwrap());
    assert_eq!(
        shown_request(&signup.request),
        r#"POST /api/signup {"email":"{canary}@mail.test","password":"Canary-2-Pass!word"}"#
    );
    assert_eq!(
        shown_request(&login.request),
        "POST /api/login password=Canary-2-Pass%21word&username={canary}%40mail.test"
    );
    assert_eq!(login.captures[0].from.to_string(), "text at `access_token` in its JSON");
    let CredentialPlace::Header(name, value) = &imported.credentials[0] else { panic!() };
    assert_eq!((name.as_str(), value.to_string()), ("authorization", "Token {token}".to_owned()));
    let secured = |name: &str| imported.operation(name).unwrap().secured;
    assert_eq!((secured("GET /items"), secured("POST /login")), (true, false));
    assert_eq!(imported.operation("GET /logout").unwrap().danger.as_ref().unwrap().word, "logout");
}

#[test]
fn swagger_has_bodies_and_forms_among_its_parameters() {
    let document = json!({
        "swagger": "2.0", "host": "a.test", "basePath": "/v2", "schemes": ["https"], "consumes": ["application/xml", "application/json"],
        "definitions": { "Pet": { "type": "object", "required": ["name"], "properties": { "name": { "type": "string" }, "status": { "type": "string", "enum": ["new"] } } } },
        "paths": {
            "/pets": { "post": { "parameters": [{ "in": "body", "name": "pet", "required": true, "schema": { "$ref": "#/definitions/Pet" } }],
                "responses": { "201": { "description": "made", "headers": { "Location": { "type": "string" } } } } } },
            "/pets/{id}": { "delete": { "parameters": [{ "in": "path", "name": "id", "type": "string", "required": true }], "responses": {} } },
            "/find": { "get": { "parameters": [{ "in": "query", "name": "tags", "type": "array", "items": { "type": "string", "enum": ["a b"] }, "collectionFormat": "csv", "required": true }], "responses": {} } },
            "/notes": { "post": { "consumes": ["application/x-www-form-urlencoded"], "parameters": [{ "in": "formData", "name": "text", "type": "string", "required": true }], "responses": {} } },
            "/files": { "post": { "parameters": [{ "in": "formData", "name": "file", "type": "file" }], "responses": {} } }
        }
    });
    let imported = of(&document);
    assert_eq!((imported.origins.as_slice(), left_out(&imported)), (&["https://a.test".to_owned()][..], Vec::new()));
    let shown = |name: &str| shown(imported.operation(name).unwrap());
    assert_eq!(shown("POST /pets"), r#"POST /v2/pets {"name":"{canary}"}"#);
    assert_eq!(shown("DELETE /pets/{id}"), "DELETE /v2/pets/{capture.created_pet_id}");
    assert_eq!(captures(imported.operation("POST /pets").unwrap()), ["created_pet_id: last part of its `location`"]);
    assert_eq!(shown("GET /find"), "GET /v2/find?tags=a%20b");
    assert_eq!(shown("POST /notes"), "POST /v2/notes text={canary}");
    assert!(shown("POST /files").contains("filename=\"canary.txt\""), "{}", shown("POST /files"));
}

#[test]
fn a_text_that_may_be_null_is_a_text() {
    let text = json!({ "anyOf": [{ "type": "string", "maxLength": 30 }, { "type": "null" }] });
    let document = json!({ "openapi": "3.1.0", "paths": { "/me": { "patch": {
        "parameters": [{ "name": "reason", "in": "query", "schema": text }],
        "requestBody": { "content": { "application/json": { "schema": { "type": "object", "properties": { "bio": text } } } } }, "responses": {} } } } });
    let imported = of(&document);
    assert_eq!(shown(&imported.operations[0]), r#"PATCH /me?reason={canary} {"bio":"{canary}"}"#);
    assert_eq!(imported.operations[0].carriers[1].longest, Some(30));
    assert_eq!(shown_request(&imported.operations[0].request_with(&|_| false)), "PATCH /me {}");
}

#[test]
fn a_body_asks_for_ids_that_responses_give_and_makes_up_the_others() {
    let id = json!({ "type": "string", "format": "uuid" });
    let gives = json!({ "200": { "content": { "application/json": { "schema": { "type": "array", "items": { "type": "object", "properties": { "id": id } } } } } } });
    let body = json!({ "required": true, "content": { "application/json": { "schema": { "type": "object", "required": ["exam_ids", "roomId"],
        "properties": { "exam_ids": { "type": "array", "items": id }, "roomId": id, "seat_id": id } } } } });
    let document = json!({ "openapi": "3.1.0", "paths": {
        "/exams": { "get": { "responses": gives } }, "/exams/{id}": { "get": { "responses": {} } },
        "/sittings": { "post": { "requestBody": body, "responses": {} } } } });
    let imported = of(&document);
    let sitting = imported.operation("POST /sittings").unwrap();
    assert_eq!(shown(sitting), r#"POST /sittings {"exam_ids":["{capture.exam_id}"],"roomId":"{canary.uuid}"}"#);
    assert_eq!(sitting.needs, ["exam_id"]);
}

#[test]
fn yaml_is_read_with_its_numbers_for_names() {
    let text = "\u{feff}openapi: 3.1.0\ninfo: {title: Notes}\npaths:\n  /notes/{day}:\n    get:\n      parameters:\n      - {name: day, in: path, required: true, schema: {type: string, format: date}}\n      responses:\n        200: {description: fine}\n";
    let imported = taken(text);
    assert_eq!(names(&imported), ["GET /notes/{day}"]);
    assert_eq!(shown(&imported.operations[0]), "GET /notes/2030-01-02");
}

#[test]
fn an_error_tells_its_place() {
    let error = import(b"openapi: 3.0.0\npaths:\n  /a: {get: [}\n", None).unwrap_err();
    assert_eq!(error.line, Some(3), "{error}");
    let error = import(b"{\"openapi\": \"3.0.0\",\n \"paths\": }", None).unwrap_err();
    assert_eq!((error.line, error.column), (Some(2), Some(11)), "{error}");
    assert_eq!(import(b"hello", None).unwrap_err(), ImportError::unknown());
    assert!(import(b"\xff\x00", None).is_err());
}
