//! Lines of curl, against what curl itself sends.

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::process::Command;
use std::time::Duration;

use runner::scenario::import::{ImportFormat, ImportOptions, Operation, import_with};

use crate::bodies::filled;

/// One request as it came: its head without what runner writes by itself, and its body.
fn received(stream: &mut TcpStream) -> Option<(Vec<String>, Vec<u8>)> {
    stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    let mut bytes = Vec::new();
    let mut buffer = [0; 4096];
    let head_end = loop {
        if let Some(at) = bytes.windows(4).position(|window| window == b"\r\n\r\n") {
            break at;
        }
        match stream.read(&mut buffer) {
            Ok(0) | Err(_) => return None,
            Ok(count) => bytes.extend_from_slice(&buffer[..count]),
        }
    };
    let head = String::from_utf8(bytes[..head_end].to_vec()).unwrap();
    let length = head.lines().find_map(|line| {
        line.to_lowercase().strip_prefix("content-length:").map(|n| n.trim().parse::<usize>().unwrap())
    });
    let mut body = bytes[head_end + 4..].to_vec();
    while body.len() < length.unwrap_or(0) {
        let count = stream.read(&mut buffer).unwrap();
        assert!(count > 0, "the body ends too soon");
        body.extend_from_slice(&buffer[..count]);
    }
    stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n").unwrap();
    Some((head.lines().map(str::to_owned).collect(), body))
}

/// Without what names the host, the length, and curl itself; each with the one space before its value that runner writes.
fn own_lines(lines: Vec<String>) -> Vec<String> {
    let spaced = |line: String| match line.split_once(':') {
        Some((name, value)) if !line.contains("HTTP/1.1") && !value.is_empty() => {
            format!("{name}: {}", value.trim_start())
        }
        _ => line,
    };
    let is_own = |line: &String| {
        let lower = line.to_lowercase();
        !lower.starts_with("host:") && !lower.starts_with("content-length:") && !lower.starts_with("user-agent: curl/")
    };
    lines.into_iter().filter(is_own).map(spaced).collect()
}

/// What is imported, written as a request.
fn written(operation: &Operation) -> (Vec<String>, Vec<u8>) {
    let request = operation.request_with(&|_| false);
    let mut lines = vec![format!("{} {} HTTP/1.1", request.method, filled(&request.target()))];
    for (name, value) in request.header_lines() {
        let value = filled(&value);
        lines.push(if value.is_empty() { format!("{name}:") } else { format!("{name}: {value}") });
    }
    (lines, filled(&request.content().unwrap_or_default()).into_bytes())
}

/// With the same boundary in every form.
fn with_boundary(lines: &mut [String], body: &mut Vec<u8>) {
    let boundary = lines.iter().find_map(|line| line.split_once("boundary=").map(|(_, boundary)| boundary.to_owned()));
    if let Some(boundary) = boundary {
        let put = |text: &str| text.replace(&boundary, "BOUNDARY");
        *body = put(&String::from_utf8(body.clone()).unwrap()).into_bytes();
        lines.iter_mut().for_each(|line| *line = put(line));
    }
}

const LINES: &[&str] = &[
    "curl HOST/",
    "curl 'HOST/a/b?x=1&y=two%20words'",
    "curl -X DELETE HOST/items/5",
    "curl -d 'a=1&b=two words' HOST/form",
    "curl -d a=1 -d b=2 --data c=3 HOST/form",
    "curl --data-raw '@not a file' HOST/raw",
    "curl --data-binary $'line one\\nline two\\n' -H 'Content-Type: text/plain' HOST/text",
    "curl --data-urlencode 'q=a b&c=d/é' --data-urlencode '=x y' --data-urlencode 'plain text' HOST/enc",
    "curl -G -d q=search -d page=2 HOST/find",
    "curl -G --data-urlencode 'q=more words' 'HOST/find?sort=asc'",
    "curl --json '{\"name\": \"ann\", \"n\": 1}' HOST/json",
    "curl --json '{\"a\":' --json '1}' -H 'Accept: text/html' HOST/json",
    "curl -H 'Content-Type: application/json' -d '{ \"z\": 1,\n  \"a\": \"x\\u00e9\" }' HOST/json",
    "curl -u ann:secret HOST/private",
    "curl --oauth2-bearer t0k3n HOST/private",
    "curl -b 'sid=abc; theme=dark' HOST/",
    "curl -b sid=abc -b theme=dark HOST/",
    "curl -A 'Agent 1.0' -e http://from.test/ HOST/",
    "curl --compressed HOST/",
    "curl -I HOST/head",
    "curl -sSkL -o /dev/null -w '%{http_code}' HOST/quiet",
    "curl -XPUT -HX-One:1 -H 'X-Two;' -H 'Accept:' HOST/put",
    "curl -F name=ann -F 'bio=two words' HOST/multi",
    "curl -F 'doc={\"a\":1};type=application/json' --form-string 'at=@home;x' HOST/multi",
    "curl -F 'file=content;filename=a.txt;type=text/plain' HOST/multi",
    "curl HOST \\\n  -H 'accept: application/json' \\\n  -H 'content-type: application/x-www-form-urlencoded; charset=UTF-8' \\\n  --data-raw 'user=ann%40mail.test&pass=x+y' \\\n  --compressed",
    "curl \"HOST/q?a=\\\"b\\\"\" -g -H \"X: \\$5 \\\\ `echo`\"",
    "curl -r 0-99 HOST/part",
    "curl 'HOST/a/./b/../c?d=/../e'",
    "curl --path-as-is HOST/a/../b",
    "curl --request PATCH --url HOST/items/1 --header 'Content-Type: application/merge-patch+json' --data '{\"title\":\"new\"}'",
    "curl -X POST HOST/empty",
    "curl --data-ascii '' HOST/empty",
    "curl 'HOST?no=slash'",
    "curl -H \"Content-Type: application/json\" -d $'{\"it\\'s\": \"\\u00fc\"}' HOST/json",
];

fn options() -> ImportOptions {
    ImportOptions { format: Some(ImportFormat::Curl), keep_credentials: true, ..ImportOptions::default() }
}

#[test]
fn a_line_of_curl_is_sent_as_curl_sends_it() {
    if Command::new("curl").arg("--version").output().is_err() {
        println!("skipped: there is no curl here");
        return;
    }
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let host = format!("http://{}", listener.local_addr().unwrap());
    let mut failures = Vec::new();
    for template in LINES {
        let line = template.replace("HOST", &host).replace(" `echo`", "");
        let child = Command::new("bash")
            .args(["-c", &line])
            .env("CURL_HOME", "/nonexistent")
            .env_remove("http_proxy")
            .stdout(std::process::Stdio::null())
            .stderr(std::process::Stdio::null())
            .spawn()
            .unwrap();
        let (mut stream, _) = listener.accept().unwrap();
        let (head, mut body) = received(&mut stream).unwrap();
        drop(stream);
        child.wait_with_output().unwrap();
        let mut lines = own_lines(head);
        let imported = import_with(line.as_bytes(), &options()).unwrap();
        let [operation] = imported.operations.as_slice() else {
            failures.push(format!("{template}\n  left out: {:?}", imported.left_out));
            continue;
        };
        let (mut own, mut own_body) = written(operation);
        with_boundary(&mut lines, &mut body);
        with_boundary(&mut own, &mut own_body);
        if lines != own || body != own_body {
            let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
            failures.push(format!(
                "{template}\n  curl: {lines:#?}\n  {}\n  here: {own:#?}\n  {}",
                text(&body),
                text(&own_body)
            ));
        }
    }
    assert!(LINES.len() >= 30);
    assert!(failures.is_empty(), "{} of {} differ:\n{}", failures.len(), LINES.len(), failures.join("\n"));
}
