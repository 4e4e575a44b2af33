use proptest::prelude::*;

use super::*;

const DOCUMENTS: [&str; 7] = [
    r##"{"openapi":"3.1.0","paths":{"/a/{b}":{"post":{"parameters":[{"name":"b","in":"path","schema":{"type":["string","null"],"pattern":"^[a-z]{2,3}$"}}],"requestBody":{"content":{"application/json":{"schema":{"$ref":"#/c/A"}}}},"responses":{"200":{"content":{"application/json":{"schema":{"type":"array","items":{"$ref":"#/c/A"}}}}}}}}},"c":{"A":{"oneOf":[{"$ref":"#/c/A"},{"type":"object","required":["x","y"],"properties":{"x":{"type":"number","minimum":1e300,"multipleOf":0},"y":{"enum":[1,null]}}}]}}}"##,
    "swagger: '2.0'\nbasePath: /v1\npaths:\n  /p/{id}:\n    get: {parameters: [{name: id, in: path, type: integer}], responses: {200: {schema: {type: object}}}}\n    post: {parameters: [{name: f, in: formData, type: file}], responses: {}}\n",
    r#"{"log":{"entries":[{"request":{"method":"POST","url":"http://a/b?c=d","headers":[{"name":"a","value":"b"}],"postData":{"mimeType":"multipart/form-data; boundary=x","text":"--x\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\nb\r\n--x--"}},"response":{"content":{"text":"{\"id\":12345678}"}}}]}}"#,
    r#"{"info":{"schema":"postman"},"item":[{"request":{"url":"{{u}}/a/:b?c={{d}}","method":"POST","body":{"mode":"raw","raw":"{\"a\":\"{{b}}\"}"}},"event":[{"script":{"exec":["x = pm.response.json().a[0]; pm.globals.set('b', x?.c['d'])"]}}]}]}"#,
    "curl -X POST $'http://a/\\x41' -F 'a=b;type=c' -d $(x) --json \"{\\\"a\\\":\\\"b ${C:-d}\\\"}\" \\\n -H 'a: b' | jq > x; curl ^\n",
    "curl ^\"http://a/?b^&c^\" ^\r\n -H ^\"a: b^\" ^\r\n --data-raw ^\"^{^\\^\"a^\\^\":1^}^\"\r\n",
    "1.2.3.4 - - [x] \"GET /a/5?b=c HTTP/1.1\" 200 1\n\"GET /é HTTP/1.1\" 200 1\n",
];

/// Whatever comes of it, it can be written, and read as TOML.
fn try_all(bytes: &[u8]) {
    let formats =
        [ImportFormat::OpenApi, ImportFormat::Har, ImportFormat::Postman, ImportFormat::Curl, ImportFormat::AccessLog];
    for format in formats.map(Some).into_iter().chain([None]) {
        match import(bytes, format) {
            Ok(imported) => {
                for operation in &imported.operations {
                    operation.request_with(&|index| index % 2 == 0);
                    let without = operation.request_with(&|_| false);
                    assert!(!without.has(crate::scenario::template::Placeholder::is_canary), "{without:?}");
                }
                let text = to_toml(&imported, "name", "source");
                if let Err(error) = toml::from_str::<toml::Table>(&text) {
                    panic!("{error}\n{text}");
                }
            }
            Err(error) => assert!(!error.to_string().is_empty()),
        }
    }
}

#[test]
fn no_part_of_a_document_makes_an_import_panic() {
    for document in DOCUMENTS {
        for end in 0..=document.len() {
            try_all(&document.as_bytes()[..end]);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, ..ProptestConfig::default() })]

    #[test]
    fn no_change_to_a_document_makes_an_import_panic(
        which in 0..DOCUMENTS.len(), changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>(), 0_u8..4), 1..6),
    ) {
        let mut bytes = DOCUMENTS[which].as_bytes().to_vec();
        for (at, byte, kind) in changes {
            let at = at.index(bytes.len());
            match kind {
                0 => bytes[at] = byte,
                1 => bytes.insert(at, byte % 128),
                2 => drop(bytes.remove(at)),
                _ => bytes[at] = b"{}[]\"':,$^\\%&=\n"[usize::from(byte) % 15],
            }
            if bytes.is_empty() {
                bytes.push(b'{');
            }
        }
        try_all(&bytes);
    }

    #[test]
    fn no_text_makes_an_import_panic(text in "(curl |[-a-zXHdF'\"\\\\$^{}:/ @\n=&;|<>]){0,40}") {
        try_all(text.as_bytes());
    }
}
