use std::process::Command;

use super::*;

fn asked(headers: &[(&str, &str)]) -> RequestRecord {
    RequestRecord {
        line: 0,
        shot: 0,
        part: Some("victim".to_owned()),
        method: "GET".to_owned(),
        target: "/a b?t=$TOKEN&q=1".to_owned(),
        headers: headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect(),
        body: None,
        cut: false,
        status: None,
    }
}

fn shrunk(headers: &[(&str, &str)], tls: Option<TlsRecord>) -> ShrunkRecord {
    ShrunkRecord {
        recipe: Recipe::of(vec![Line::of(vec![RecipeRequest::plain()])]),
        shown: 1,
        tries: 1,
        rate_at_least: 0.1,
        rate_at_most: 1.0,
        place: "body".to_owned(),
        requests: vec![asked(headers)],
        tls,
        follow: false,
    }
}

/// What a program gets as its arguments, a line each, when these lines for a shell call it in place of curl.
fn called(lines: &[String]) -> Vec<String> {
    let script = format!("curl() {{ printf '%s\\n' \"$@\"; }}\n{}", lines.join("\n"));
    let variables =
        [("TOKEN", "t%2B"), ("COOKIE_SID", "s i'd"), ("AUTHORIZATION", "Bearer x"), ("X", "wrong"), ("API_KEY", "k'1")];
    let output = Command::new("sh").args(["-c", &script]).envs(variables).output().unwrap();
    assert!(output.status.success(), "{script}");
    String::from_utf8(output.stdout).unwrap().lines().map(str::to_owned).collect()
}

#[test]
fn the_shell_fills_in_what_stands_for_a_secret_and_nothing_else() {
    let headers = [
        ("authorization", "$AUTHORIZATION"),
        ("cookie", "user=zq1; sid=$COOKIE_SID; price=$X"),
        ("x-auth", "it's $TOKEN!"),
        ("x-price", "$X"),
    ];
    let shrunk = shrunk(&headers, None);
    let words = called(&by_hand(&shrunk, &[]).unwrap());
    let expected = [
        "authorization: Bearer x",
        "cookie: user=zq1; sid=s i'd; price=$X",
        "x-auth: it's t%2B!",
        "x-price: $X",
        "http://127.0.0.1:8000/a b?t=t%2B&q=1",
    ];
    let sent: Vec<&str> =
        words.iter().map(String::as_str).filter(|word| word.contains(": ") || word.contains("://")).collect();
    assert_eq!(sent, expected);
    assert_eq!(left_out(&shrunk, &[]), ["AUTHORIZATION", "COOKIE_SID", "TOKEN"]);
}

#[test]
fn the_shell_fills_in_secrets_of_the_environment() {
    let mut shrunk = shrunk(&[("x-a", "a ${API_KEY}"), ("x-b", "${X}")], None);
    shrunk.requests[0].target = "/?k=${API_KEY}&l=${X}".to_owned();
    shrunk.requests[0].method = "POST".to_owned();
    shrunk.requests[0].body = Some("<${API_KEY}>".to_owned());
    let secrets = ["API_KEY".to_owned()];
    let words = called(&by_hand(&shrunk, &secrets).unwrap());
    for expected in ["x-a: a k'1", "x-b: ${X}", "<k'1>", "http://127.0.0.1:8000/?k=k'1&l=${X}"] {
        assert!(words.iter().any(|word| word == expected), "{expected} is not in {words:?}");
    }
    assert_eq!(left_out(&shrunk, &secrets), ["API_KEY"]);
}

#[test]
fn a_server_that_speaks_tls_is_asked_over_it_with_the_trust_of_the_scenario() {
    let before = |tls: TlsRecord| {
        let words = called(&by_hand(&shrunk(&[], Some(tls)), &[]).unwrap());
        (words[1..words.len() - 3].join(" "), words[words.len() - 1].clone())
    };
    let url = "https://127.0.0.1:8000/a b?t=t%2B&q=1".to_owned();
    assert_eq!(before(TlsRecord::default()), ("--http1.1".to_owned(), url.clone()));
    assert_eq!(before(TlsRecord { insecure: true, ..TlsRecord::default() }), ("--http1.1 -k".to_owned(), url.clone()));
    let file = |name: &str| Some(name.to_owned());
    let all = TlsRecord { ca: file("my ca.pem"), cert: file("c.pem"), key: file("k.pem"), ..TlsRecord::default() };
    assert_eq!(before(all), ("--http1.1 --cacert my ca.pem --cert c.pem --key k.pem".to_owned(), url));
    let (options, url) = before(TlsRecord { name: Some("shop.test".to_owned()), ..TlsRecord::default() });
    assert_eq!(options, "--http1.1 --connect-to ::127.0.0.1:8000");
    assert!(url.starts_with("https://shop.test/"), "{url}");
}
