//! The dirty check over HTTP/2, against Node: streams of one connection overlap.

use serde_json::Value;

use crate::harness::{Outcome, Runner};

/// Greets whoever the header names, after a pause; `slot` is where the name is kept meanwhile.
const SERVER: &str = r#"
const http2 = require('node:http2');
const [host, port, kind] = process.argv.slice(2);
const everybodys = {};
const server = http2.createServer();
server.on('stream', (stream, headers) => {
    stream.on('error', () => {});
    const slot = { shared: everybodys, session: stream.session, own: {} }[kind];
    slot.name = headers['x-user'];
    stream.resume();
    setTimeout(() => {
        if (stream.destroyed) return;
        stream.respond({ ':status': 200, 'content-type': 'text/html' });
        stream.end(`<p>Hello, ${slot.name || 'nobody'}</p>`);
    }, 15);
});
server.on('sessionError', () => {});
server.listen(Number(port), host);
"#;

fn check(kind: &str, dirty: &str) -> Outcome {
    let scenario = format!(
        "[server]\ncommand = [\"node\", \"server.js\", \"{{host}}\", \"{{port}}\", \"{kind}\"]\n[dirty]\npath = \"/\"\n\
         http = \"2\"\nheaders = {{ x-user = \"{{canary}}\" }}\ntime = \"20s\"\n{dirty}\n"
    );
    Runner::with(&scenario).file("server.js", SERVER).run()
}

fn trial(outcome: &Outcome) -> Value {
    outcome.record("scenario")["variants"][0]["trials"][0]["dirty"].clone()
}

#[test]
fn what_streams_of_one_connection_share_leaks() {
    for kind in ["session", "shared"] {
        let outcome = check(kind, "").exit(1);
        let leak = &trial(&outcome)["evidence"][0];
        let same = leak["victim"]["connection"] == leak["source"]["connection"];
        assert!(leak["place"] == "body" && (same || kind == "shared"), "{kind}: {leak}");
        assert!(outcome.report("scenario").contains("over HTTP/2"), "{kind}");
    }
}

#[test]
fn streams_that_share_nothing_are_clean() {
    let dirty = trial(&check("own", "exposures = 300").exit(0));
    let count = |trigger: &str, key: &str| dirty["triggers"][trigger][key].as_u64().unwrap_or(0);
    assert_eq!((&dirty["leaks"], &dirty["positive_control"]["found"]), (&0.into(), &true.into()), "{dirty}");
    for trigger in ["overlap", "gate", "pipeline", "abort", "keep_alive"] {
        assert!(count(trigger, "requests") > 0 && count(trigger, "failed") == 0, "{trigger}: {dirty}");
    }
    assert!(dirty["triggers"]["smuggle"]["not_exercised"].as_str().unwrap().contains("HTTP/2"), "{dirty}");
}

#[test]
fn a_leak_over_http_2_is_replayed_over_it() {
    check("session", "").exit(1).then(&["replay", "reports/scenario/latest", "1", "--times", "3"]).run().exit(0);
}
