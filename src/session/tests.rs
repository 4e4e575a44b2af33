use super::*;

const TOKEN: &str = template::TOKEN;

fn session(set: &[&str]) -> Session {
    let mut session = Session::default();
    let lines: String = set.iter().map(|line| format!("Set-Cookie: {line}\r\n")).collect();
    let head = format!("HTTP/1.1 200 OK\r\n{lines}\r\n");
    session.take_cookies(&Url::parse("http://shop.test:8000/login").unwrap(), head.as_bytes());
    session
}

fn sent(session: &Session, request: &str, secure: bool) -> String {
    let mut bytes = request.as_bytes().to_vec();
    session.add_cookies(&mut bytes, secure);
    String::from_utf8(bytes).unwrap()
}

/// The cookies that go with a request for a path.
fn cookies(session: &Session, path: &str, secure: bool) -> String {
    let sent = sent(session, &format!("GET {path} HTTP/1.1\r\nhost: shop.test:8000\r\n\r\n"), secure);
    headers(sent.as_bytes(), "cookie").next().unwrap_or_default()
}

#[test]
fn a_jar_goes_into_the_cookie_header() {
    let session = session(&["sid=7; Path=/"]);
    let with = |request: &str| sent(&session, request, false);
    assert_eq!(
        with("GET / HTTP/1.1\r\nhost: shop.test\r\n\r\nbody"),
        "GET / HTTP/1.1\r\nhost: shop.test\r\ncookie: sid=7\r\n\r\nbody"
    );
    assert_eq!(
        with("GET / HTTP/1.1\r\nCookie: a=b\r\nhost: shop.test\r\n\r\n"),
        "GET / HTTP/1.1\r\nCookie: a=b; sid=7\r\nhost: shop.test\r\n\r\n"
    );
    let own = "GET / HTTP/1.1\r\nCookie: a=b; sid=8\r\nhost: shop.test\r\n\r\n";
    assert_eq!(with(own), own, "what the scenario gives goes before");
    let elsewhere = "GET / HTTP/1.1\r\nhost: other.test\r\n\r\n";
    assert_eq!(with(elsewhere), elsewhere);
}

#[test]
fn a_jar_keeps_the_last_value_and_forgets_what_is_taken_back() {
    let past = "Expires=Thu, 01 Jan 1970 00:00:00 GMT";
    let mut session = session(&["a=1; Path=/; HttpOnly", "b=x=y; Path=/", "c=1; Path=/", "d=1; Path=/", "e=1; Path=/"]);
    assert_eq!(cookies(&session, "/", false), "a=1; b=x=y; c=1; d=1; e=1");
    let head = format!(
        "HTTP/1.1 200 OK\r\nset-cookie: a=2; Path=/\r\nset-cookie: b=; Max-Age=0; Path=/\r\nset-cookie: c=; {past}; Path=/\r\n\
         set-cookie: d=; Path=/\r\nset-cookie: e=2; Max-Age=60; {past}; Path=/\r\n\r\n"
    );
    session.take_cookies(&Url::parse("http://shop.test:8000/").unwrap(), head.as_bytes());
    assert_eq!(cookies(&session, "/", false), "a=2; d=; e=2", "an empty value is one; Max-Age goes before Expires");
}

#[test]
fn path_domain_and_secure_say_where_a_cookie_goes() {
    let session = session(&[
        "all=1; Path=/",
        "here=1; Path=/account",
        "far=1; Domain=elsewhere.test",
        "top=1; Domain=shop.test; Path=/",
        "safe=1; Secure; Path=/",
    ]);
    assert_eq!(cookies(&session, "/", false), "all=1; top=1");
    assert_eq!(cookies(&session, "/account/orders?q", false), "here=1; all=1; top=1");
    assert_eq!(cookies(&session, "/accounts", false), "all=1; top=1");
    assert_eq!(cookies(&session, "/", true), "all=1; safe=1; top=1");
}

#[test]
fn nonsense_in_a_cookie_is_no_cookie() {
    let mut session = session(&["", "=", "novalue", ";;;", "a\u{7f}=b", "ok=1"]);
    session
        .take_cookies(&Url::parse("http://shop.test:8000/").unwrap(), b"HTTP/1.1 200 OK\r\nset-cookie: \xff\xfe=1\r\n");
    assert!(cookies(&session, "/", false).contains("ok=1"));
}

fn capture(from: CaptureSource) -> CaptureSpec {
    CaptureSpec { name: "it".to_owned(), from }
}

/// What is captured from a response.
fn taken(from: CaptureSource, head: &str, body: &str) -> Result<String, MissingCapture> {
    let mut session = session(&["csrftoken=c00kie"]);
    session.capture(&capture(from), head.as_bytes(), body.as_bytes())?;
    Ok(session.captured("it").unwrap().to_owned())
}

#[test]
fn values_are_taken_from_every_part_of_a_response() {
    let path = |path: &str| CaptureSource::Json(path.split('.').map(str::to_owned).collect());
    let json = r#"{"data":[{"token":"t0k3n"},7,null,{}]}"#;
    let named = |of: fn(String) -> CaptureSource| of("csrf".to_owned());
    assert_eq!(taken(path("data.0.token"), "", json).as_deref(), Ok("t0k3n"));
    assert_eq!(taken(path("data.1"), "", json).as_deref(), Ok("7"));
    for none in ["data.2", "data.3", "data.9", "data.x", "x", "data"] {
        assert_eq!(taken(path(none), "", json), Err(MissingCapture::NotThere), "{none}");
    }
    assert_eq!(taken(path("a"), "", "<html>"), Err(MissingCapture::NotThere));
    assert_eq!(taken(named(CaptureSource::Header), "HTTP/1.1 200 OK\r\nCSRF: a b\r\n\r\n", "").as_deref(), Ok("a b"));
    assert_eq!(
        taken(named(CaptureSource::Header), "HTTP/1.1 200 OK\r\n\r\n", "csrf: a"),
        Err(MissingCapture::NotThere)
    );
    let created =
        |address: &str| taken(CaptureSource::Location, &format!("HTTP/1.1 201\r\nLocation: {address}\r\n\r\n"), "");
    for address in ["http://a.test/items/5", "/items/5/", "5?x=/6", "items/5#top"] {
        assert_eq!(created(address).as_deref(), Ok("5"), "{address}");
    }
    assert_eq!(created("/").as_deref(), Err(&MissingCapture::NotThere));
    assert_eq!(taken(CaptureSource::Cookie("csrftoken".to_owned()), "", "").as_deref(), Ok("c00kie"));
    assert_eq!(taken(named(CaptureSource::Cookie), "", ""), Err(MissingCapture::NotThere));
    assert_eq!(taken(named(CaptureSource::Field), "", "<input name=csrf value=f13ld>").as_deref(), Ok("f13ld"));
    assert_eq!(taken(named(CaptureSource::Meta), "", "<meta name=csrf content=m3ta>").as_deref(), Ok("m3ta"));
    assert_eq!(
        taken(named(CaptureSource::Field), "", "<input name=csrf value='a&#10;b'>"),
        Err(MissingCapture::Control)
    );
}

fn captured(pairs: &[(&str, &str)]) -> Captured {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

#[test]
fn a_captured_value_is_masked_in_every_way_that_it_may_be_written() {
    let token = "ab+c/d==\"é;";
    for encoding in ValueEncoding::ALL {
        let text = format!("before {} after", encoding.encode(token));
        assert_eq!(captured(&[(TOKEN, token)]).hide(&text), "before $TOKEN after", "{encoding:?}");
        assert_eq!(captured(&[("csrf-1", token)]).hide(&text), "before ${CAPTURE_CSRF_1} after", "{encoding:?}");
    }
    assert_eq!(
        captured(&[(TOKEN, "OKEN")]).hide("/?a=OKEN&b=N"),
        "/?a=$TOKEN&b=N",
        "what is masked is not looked at again"
    );
    let two = captured(&[("a", "abcd"), ("b", "abcdef")]);
    assert_eq!(two.hide("abcdefabcd"), "${CAPTURE_B}${CAPTURE_A}", "the longer goes first");
    assert_eq!(captured(&[("id", "7"), (TOKEN, "")]).hide("/users/7"), "/users/7", "a short one is no secret");
}

#[test]
fn a_request_goes_to_its_target_at_its_host() {
    let url = |request: &str, secure| url_of(request.as_bytes(), secure).map(String::from);
    assert_eq!(url("GET /a?b HTTP/1.1\r\nHost: h:1\r\n\r\nhost: x", false).as_deref(), Some("http://h:1/a?b"));
    assert_eq!(url("GET / HTTP/1.1\r\nhost: [::1]:8\r\n\r\n", true).as_deref(), Some("https://[::1]:8/"));
    assert_eq!(url("GET / HTTP/1.1\r\n\r\nhost: x", true), None);
}
