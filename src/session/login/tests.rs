use std::cell::RefCell;
use std::collections::VecDeque;

use super::*;
use crate::scenario::login::CaptureSource;
use crate::scenario::{LoginSpec as Meant, RequestSpec, Template};

/// A step that captures these.
fn step(method: &str, path: &str, captures: &[(&str, CaptureSource)]) -> LoginStep {
    let request = RequestSpec::get(&Template::parse(path).unwrap());
    let captures = captures.iter().map(|(name, from)| CaptureSpec { name: (*name).to_owned(), from: from.clone() });
    LoginStep { request: RequestSpec { method: method.to_owned(), ..request }, follow: 0, captures: captures.collect() }
}

/// What comes of a login whose requests get these responses, in turn, and what was sent.
async fn perform(steps: Vec<LoginStep>, answers: &[(&str, &str)]) -> (Result<Session, LoginRefused>, Vec<String>) {
    let target = Target::tcp("127.0.0.1:80".parse().unwrap(), None);
    let login = PreparedLogin::new(&Meant { steps, once: false }, &target);
    let (left, sent) = (RefCell::new(answers.iter().collect::<VecDeque<_>>()), RefCell::new(Vec::new()));
    let write = |request: &PreparedRequest, session: &Session, _: usize| {
        let mut bytes = Vec::new();
        request.write(&mut bytes, &mut |hole, out| {
            let value = hole.captured().and_then(|name| session.captured(name)).unwrap_or("zoe");
            out.extend_from_slice(value.as_bytes());
        });
        bytes
    };
    let mut send = async |bytes: &[u8]| {
        sent.borrow_mut().push(String::from_utf8(bytes.to_vec()).unwrap());
        let (head, body) = left.borrow_mut().pop_front().ok_or("closed".to_owned())?;
        let kept = BufferedResponse {
            head: format!("HTTP/1.1 {head}\r\n\r\n").into_bytes(),
            body: body.as_bytes().to_vec(),
            ..BufferedResponse::default()
        };
        Ok((head[..3].parse().unwrap(), kept))
    };
    let mut session = Session::default();
    let done = login.perform(&mut session, false, &write, &mut send).await;
    (done.map(|()| session), sent.into_inner())
}

async fn refusal(steps: Vec<LoginStep>, answers: &[(&str, &str)]) -> String {
    perform(steps, answers).await.0.unwrap_err().told("zoe's login")
}

fn form(step: LoginStep, fields: &[(&str, &str)]) -> LoginStep {
    let fields = fields.iter().map(|(name, value)| ((*name).to_owned(), Template::parse(value).unwrap())).collect();
    LoginStep { request: RequestSpec { body: Some(BodySpec::Form(fields)), ..step.request.clone() }, ..step }
}

const PAGE: &str = r#"<form><input type=hidden name=csrf value="a&#43;b"><input type=password name=password></form>"#;

fn csrf() -> (&'static str, CaptureSource) {
    ("csrf", CaptureSource::Field("csrf".to_owned()))
}

#[tokio::test]
async fn what_a_step_captures_and_the_cookies_that_it_sets_go_with_the_next() {
    let post = form(step("POST", "/login?c={capture.csrf}", &[]), &[("csrf", "{capture.csrf}"), ("user", "{canary}")]);
    let answers =
        [("200 OK\r\nset-cookie: s=1; Path=/", PAGE), ("302 Found\r\nlocation: /home\r\nset-cookie: s=2; Path=/", "")];
    let (session, sent) = perform(vec![step("GET", "/login", &[csrf()]), post], &answers).await;
    assert!(sent[1].starts_with("POST /login?c=a%2Bb HTTP/1.1\r\n"), "{}", sent[1]);
    assert!(sent[1].contains("\r\ncookie: s=1\r\n") && sent[1].ends_with("\r\n\r\ncsrf=a%2Bb&user=zoe"), "{}", sent[1]);
    let url = url::Url::parse("http://127.0.0.1/").unwrap();
    assert_eq!(session.unwrap().cookies_for(&url), [("s", "2")]);
}

#[tokio::test]
async fn redirects_are_followed_as_often_as_is_asked_for_and_cookies_on_the_way_count() {
    let answers = [
        ("302 Found\r\nlocation: /a\r\nset-cookie: a=1; Path=/", ""),
        ("307 Temporary Redirect\r\nlocation: b", ""),
        ("200 OK", PAGE),
        ("303 See Other\r\nlocation: http://elsewhere.test/", ""),
    ];
    let follows = |follow| LoginStep { follow, ..step("GET", "/", &[csrf()]) };
    let again = LoginStep { follow: 10, ..step("POST", "/in", &[]) };
    let (done, sent) = perform(vec![follows(2), again.clone()], &answers).await;
    let lines: Vec<&str> = sent.iter().map(|request| request.split(" HTTP").next().unwrap()).collect();
    assert!(done.is_ok(), "{done:?}");
    assert_eq!(lines, ["GET /", "GET /a", "GET /b", "POST /in"], "and nobody goes elsewhere");
    assert!(sent[1].contains("cookie: a=1") && sent[3].contains("cookie: a=1"));
    assert_eq!(
        refusal(vec![follows(1), again], &answers).await,
        "zoe's login was answered 307 to b without the form field `csrf` in its HTML (step 1 of 2, GET /)"
    );
}

#[tokio::test]
async fn a_refusal_names_the_step_the_status_and_what_came() {
    let one = || vec![step("POST", "/in?u={canary}", &[])];
    let two = || vec![step("GET", "/in", &[csrf()]), step("POST", "/in?c={capture.csrf}", &[])];
    assert_eq!(
        refusal(one(), &[("403 Forbidden", "<h1>CSRF\n  failed</h1>")]).await,
        "zoe's login was answered 403: \"<h1>CSRF failed</h1>\" (POST /in?u=zoe)"
    );
    assert_eq!(
        refusal(two(), &[("200 OK", PAGE), ("302 Found\r\nLocation: /accounts/login/", "")]).await,
        "zoe's login was answered 302 to /accounts/login/ (step 2 of 2, POST /in?c=a%2Bb)"
    );
    assert_eq!(
        refusal(two(), &[("200 OK", "<p>hello</p>")]).await,
        "zoe's login was answered 200 without the form field `csrf` in its HTML: \"<p>hello</p>\" (step 1 of 2, GET /in)"
    );
    assert_eq!(refusal(one(), &[]).await, "zoe's login got no response (closed) (POST /in?u=zoe)");
    assert!(refusal(one(), &[("500 X", &"é ".repeat(999))]).await.contains("é …\" ("));
}

#[tokio::test]
async fn a_form_that_comes_back_is_a_refusal_and_other_pages_are_none() {
    let post = || form(step("POST", "/in", &[]), &[("user", "zoe"), ("password", "x")]);
    assert_eq!(
        refusal(vec![post()], &[("200 OK", PAGE)]).await,
        "zoe's login was answered 200 with a form that asks for the password again (POST /in)"
    );
    let other = PAGE.replace("name=password", "name=new_password");
    for fine in [
        ("200 OK", other.as_str()),
        ("200 OK", "hello zoe"),
        ("303 See Other\r\nlocation: /in/done", ""),
        ("204 No Content", ""),
    ] {
        assert!(perform(vec![post()], &[fine]).await.0.is_ok(), "{fine:?}");
    }
    // A name first, then a password.
    let name = form(step("POST", "/name", &[]), &[("user", "zoe"), ("password", "")]);
    assert!(perform(vec![name, post()], &[("200 OK", PAGE), ("200 OK", "hello")]).await.0.is_ok());
}

#[tokio::test]
async fn the_way_to_the_form_may_lead_to_the_login_page_and_the_end_may_not() {
    let home = || LoginStep { follow: 10, ..step("GET", "/", &[csrf()]) };
    let to_login = ("302 Found\r\nlocation: /login/", "");
    assert!(
        perform(vec![home(), step("POST", "/in?{capture.csrf}", &[])], &[to_login, ("200 OK", PAGE), ("200 OK", "")])
            .await
            .0
            .is_ok()
    );
    let last = LoginStep { follow: 10, ..step("GET", "/home?u={canary}", &[]) };
    assert_eq!(
        refusal(vec![last], &[to_login, ("200 OK", PAGE)]).await,
        "zoe's login was answered 302 to /login/ (GET /home?u=zoe)"
    );
}

#[tokio::test]
async fn what_was_captured_is_not_told_by_the_line_of_a_later_step() {
    let secret = PAGE.replace("a&#43;b", "s3cret+token");
    let steps = vec![step("GET", "/in", &[csrf()]), step("POST", "/in?c={capture.csrf}", &[])];
    let told = refusal(steps, &[("200 OK", &secret), ("401 Unauthorized", "")]).await;
    assert_eq!(told, "zoe's login was answered 401 (step 2 of 2, POST /in?c=${CAPTURE_CSRF})");
}
